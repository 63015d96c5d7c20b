#include "supervisor/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace fieldwarden::supervisor {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SettingsTest : public testing::Test {
  protected:
    SettingsTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "fw-settings-XXXXXX").string();
        folder_ = ::mkdtemp(pattern.data());
    }
    ~SettingsTest() override { std::filesystem::remove_all(folder_); }

    std::string file(const std::string& text) {
        const auto path = folder_ / "fieldwarden.toml";
        std::ofstream{path} << text;
        return path.string();
    }

    std::filesystem::path folder_;
    SettingsProblems problems_;
};

TEST_F(SettingsTest, DefaultsAreThoseOfTheContract) {
    const auto settings = load_settings(std::nullopt, {}, {}, problems_);
    EXPECT_THAT(problems_.errors, IsEmpty());
    EXPECT_EQ(settings.server.listen, "127.0.0.1:8700");
    EXPECT_EQ(settings.worker.heartbeat_timeout, milliseconds{5000});
    EXPECT_EQ(settings.health.interval, milliseconds{30'000});
    EXPECT_EQ(settings.health.cpu_percent, 80);
    EXPECT_EQ(settings.health.memory_mb, 500);
    EXPECT_EQ(settings.health.data_timeout, milliseconds{120'000});
    EXPECT_EQ(settings.health.connection_timeout, milliseconds{60'000});
    EXPECT_EQ(settings.restart.max_attempts, 3U);
    EXPECT_EQ(settings.server.data_dir,
              ::geteuid() == 0 ? "/var/lib/fieldwarden" : "./.local/share/fieldwarden");
}

TEST_F(SettingsTest, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
    const auto path = file("[health]\ncpu_percent = 10\nmemory_mb = 10\ninterval = \"10s\"\n");
    const Environment environment{{"FIELDWARDEN_HEALTH_MEMORY_MB", "20"},
                                  {"FIELDWARDEN_HEALTH_INTERVAL", "20s"}};
    const auto settings = load_settings(path, environment, {{"health.interval", "30s"}}, problems_);
    EXPECT_THAT(problems_.errors, IsEmpty());
    EXPECT_EQ(settings.health.cpu_percent, 10);
    EXPECT_EQ(settings.health.memory_mb, 20);
    EXPECT_EQ(settings.health.interval, milliseconds{30'000});
    EXPECT_EQ(settings.health.data_timeout, milliseconds{120'000});
}

TEST_F(SettingsTest, EveryProblemIsReportedWithItsLine) {
    const auto path = file(
        "[server]\nlisten = 17\nlissten = \"x\"\n[worker]\nheartbeat_timeout = \"-3s\"\nspawn_rate = 0\n"
        "[spool]\nwhen_full = \"explode\"\nmax_bytes = [1]\n[log]\nlevel = \"loud\"\n[nonsense]\nx = 1\n");
    (void)load_settings(path, {{"FIELDWARDEN_RESTART_JITTER", "2"}}, {{"log.max_files", "many"}}, problems_);
    for (const auto* problem :
         {"log.max_files", "log.level", ":2: server.listen", ":9: spool.max_bytes", ":8: spool.when_full",
          ":5: worker.heartbeat_timeout", ":6: worker.spawn_rate", "FIELDWARDEN_RESTART_JITTER"}) {
        EXPECT_THAT(problems_.errors, Contains(HasSubstr(problem)));
    }
    EXPECT_EQ(problems_.errors.size(), 8U);
    EXPECT_THAT(problems_.warnings,
                Contains(AllOf(HasSubstr(":3:"), HasSubstr("did you mean server.listen"))));
    EXPECT_THAT(problems_.warnings, Contains(HasSubstr("nonsense.x")));
}

TEST_F(SettingsTest, BrokenFilesAreToldWithTheirLine) {
    (void)load_settings(file("[server\nlisten = 1"), {}, {}, problems_);
    EXPECT_THAT(problems_.errors, ElementsAre(HasSubstr(":1:")));
    SettingsProblems missing;
    (void)load_settings((folder_ / "no.toml").string(), {}, {}, missing);
    EXPECT_THAT(missing.errors, ElementsAre(HasSubstr("no.toml")));
}

TEST_F(SettingsTest, ValuesThatFightEachOtherAreRefused) {
    (void)load_settings(std::nullopt, {},
                        {{"worker.heartbeat_timeout", "600ms"},
                         {"worker.orphan_grace", "15s"},
                         {"restart.longest_delay", "1ms"}},
                        problems_);
    EXPECT_THAT(problems_.errors, testing::SizeIs(3));
}

TEST_F(SettingsTest, SizesTakeUnits) {
    const auto settings = load_settings(
        std::nullopt, {}, {{"spool.max_bytes", "2GiB"}, {"log.max_file_bytes", "1048576"}}, problems_);
    EXPECT_THAT(problems_.errors, IsEmpty());
    EXPECT_EQ(settings.spool.max_bytes, 2ULL << 30);
    EXPECT_EQ(settings.log.max_file_bytes, 1ULL << 20);
}

TEST_F(SettingsTest, ListeningBeyondLoopbackNeedsLeave) {
    const auto problems_of = [](const char* listen, const char* leave) {
        SettingsProblems problems;
        (void)load_settings(std::nullopt, {},
                            {{"server.listen", listen}, {"server.allow_insecure_listen", leave}}, problems);
        return problems.errors;
    };
    for (const auto* inside : {"127.0.0.1:8700", "127.1.2.3:1", "[::1]:8700", "localhost:0", "127.0.0.1:0"}) {
        EXPECT_THAT(problems_of(inside, "false"), IsEmpty()) << inside;
    }
    for (const auto* outside :
         {"0.0.0.0:8700", "0.0.0.0:0", "[::]:8700", "192.168.1.1:80", "plant.example:80"}) {
        EXPECT_THAT(problems_of(outside, "false"), ElementsAre(HasSubstr("loopback"))) << outside;
        EXPECT_THAT(problems_of(outside, "true"), IsEmpty()) << outside;
    }
    EXPECT_THAT(problems_of("nonsense:port", "true"), ElementsAre(HasSubstr("server.listen")));
}

TEST_F(SettingsTest, TheStatusChannelStaysOnLoopbackWithoutAKey) {
    (void)load_settings(std::nullopt, {}, {{"server.status_tcp", "tcp://0.0.0.0:8701"}}, problems_);
    EXPECT_THAT(problems_.errors, ElementsAre(HasSubstr("status_tcp")));
}

TEST_F(SettingsTest, ACheckNamesWhatTheMachineLacks) {
    Settings settings;
    settings.server.data_dir = file("a file, no folder") + "/data";
    settings.worker.program = "/nonexistent/worker";
    EXPECT_THAT(check_settings(settings),
                testing::UnorderedElementsAre(HasSubstr("data directory"), HasSubstr("/nonexistent/worker")));
    settings.server.data_dir = folder_.string();
    settings.worker.program = "/bin/true";
    EXPECT_THAT(check_settings(settings), IsEmpty());
}

TEST_F(SettingsTest, TheDeployedFileIsTheTemplateAndReadsAsTheDefaults) {
    const std::string path = FW_SOURCE_DIR "/deploy/fieldwarden.toml";
    std::ifstream stream{path};
    std::stringstream text;
    text << stream.rdbuf();
    EXPECT_EQ(text.str(), settings_template())
        << "regenerate deploy/fieldwarden.toml: fieldwarden serve --print-config";
    const auto settings = load_settings(path, {}, {}, problems_);
    EXPECT_THAT(problems_.errors, IsEmpty());
    EXPECT_THAT(problems_.warnings, IsEmpty());
    EXPECT_EQ(settings.spool, SpoolConfig{});
    EXPECT_EQ(settings.history, HistoryConfig{});
}

}  // namespace
}  // namespace fieldwarden::supervisor
