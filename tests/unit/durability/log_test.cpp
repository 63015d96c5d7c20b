#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "common/data_paths.h"
#include "worker/live_table.h"
#include "worker/worker_log.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using proto::LogLevel;

struct HandClock : Clock {
    MonoTime mono{1h};
    [[nodiscard]] UtcTime utc_now() const override { return UtcTime{std::chrono::seconds{1'700'000'000}}; }
    [[nodiscard]] MonoTime mono_now() const override { return mono; }
};

class LogTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = "/tmp/fw-log-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        data_dir_ = name;
        config_.task_code = "T1";
    }
    void TearDown() override { std::filesystem::remove_all(data_dir_); }
    std::vector<std::string> lines(const std::string& suffix = "") {
        std::vector<std::string> lines;
        std::ifstream file{log_file(data_dir_, "T1") + suffix};
        for (std::string line; std::getline(file, line);) lines.push_back(line);
        return lines;
    }
    std::string data_dir_;
    TaskConfig config_;
    HandClock clock_;
};

TEST_F(LogTest, WritesJsonLinesAndKeepsWhatWasSaidBeforeItHadAFile) {
    WorkerLog log{clock_};
    log.write(LogLevel::kWarning, "early");
    log.open(data_dir_, config_);
    log.write(LogLevel::kInfo, "late \xff bytes");
    log.write(LogLevel::kDebug, "too small");
    const auto written = lines();
    ASSERT_EQ(written.size(), 2U);
    const auto first = proto::Json::parse(written[0]);
    EXPECT_EQ(first["message"], "early");
    EXPECT_EQ(first["level"], "warning");
    EXPECT_EQ(first["process_name"], "T1");
    EXPECT_TRUE(proto::Json::accept(written[1]));
    const auto batch = log.take(100);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->entries.size(), 2U);
    EXPECT_FALSE(log.take(100));
}

TEST_F(LogTest, SecretsNeverAppear) {
    SinkConfig sink{
        "s", "influxdb", "http://user:hunter22@host", {{"token", "tok-abcdef"}, {"bucket", "plant"}}};
    config_.sinks.push_back(sink);
    WorkerLog log{clock_};
    log.open(data_dir_, config_);
    log.hide(secrets_of(config_));
    log.write(LogLevel::kError,
              "401 for tok-abcdef at http://user:hunter22@host, bucket plant, again tok-abcdef");
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_THAT(lines()[0], ::testing::Not(::testing::HasSubstr("tok-abcdef")));
    EXPECT_THAT(lines()[0], ::testing::Not(::testing::HasSubstr("hunter22")));
    EXPECT_THAT(lines()[0], ::testing::HasSubstr("bucket plant"));
    EXPECT_THAT(log.take(10)->entries[0].message, ::testing::Not(::testing::HasSubstr("tok-abcdef")));
}

TEST_F(LogTest, AFloodIsCutAndSaid) {
    WorkerLog log{clock_};
    log.open(data_dir_, config_);
    for (int i = 0; i < 100'000; ++i) log.write(LogLevel::kError, "the same again");
    EXPECT_EQ(lines().size(), 2'000U);
    clock_.mono += 1s;
    log.write(LogLevel::kError, "after");
    const auto written = lines();
    EXPECT_THAT(written[2'000], ::testing::HasSubstr("98000 log lines were dropped"));
    EXPECT_THAT(written[2'001], ::testing::HasSubstr("after"));
    const auto batch = log.take(10'000);
    ASSERT_TRUE(batch);
    EXPECT_LE(batch->entries.size(), 1'000U);
    EXPECT_EQ(batch->entries.size() + batch->dropped, 2'002U);
}

TEST_F(LogTest, TheEndOfAFloodIsSaidWithoutAnotherLineAndCountedForTheSupervisor) {
    WorkerLog log{clock_};
    log.open(data_dir_, config_);
    for (int i = 0; i < 5'000; ++i) log.write(LogLevel::kInfo, "the same again");
    auto batch = log.take(10'000);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->lost, 3'000U);
    clock_.mono += 1s;
    batch = log.take(10'000);
    ASSERT_TRUE(batch);
    EXPECT_EQ(batch->lost, 0U);
    ASSERT_EQ(batch->entries.size(), 1U);
    EXPECT_THAT(batch->entries[0].message, ::testing::HasSubstr("3000 log lines were dropped"));
    // A batch that could not be sent is counted with the next one.
    log.not_sent(proto::Log{{}, 0, 7});
    EXPECT_EQ(log.take(10)->lost, 7U);
}

TEST_F(LogTest, ChatterDoesNotDrownWhatWentWrong) {
    WorkerLog log{clock_};
    log.open(data_dir_, config_);
    for (int i = 0; i < 10'000; ++i) log.write(LogLevel::kInfo, "chatter");
    log.write(LogLevel::kError, "broken");
    EXPECT_THAT(lines().back(), ::testing::HasSubstr("broken"));
}

TEST_F(LogTest, LinesAreNumberedUpwardsAndAlikeInFileAndStream) {
    WorkerLog log{clock_};
    log.open(data_dir_, config_);
    for (int i = 0; i < 3; ++i) log.write(LogLevel::kInfo, "x");
    const auto batch = log.take(10);
    ASSERT_TRUE(batch);
    std::int64_t last = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_GT(batch->entries[i].id, last);
        last = batch->entries[i].id;
        EXPECT_EQ(proto::Json::parse(lines()[i])["id"], last);
    }
}

TEST_F(LogTest, AFileThatWasRemovedIsBegunAnew) {
    WorkerLog log{clock_};
    log.open(data_dir_, config_);
    log.write(LogLevel::kInfo, "one");
    std::filesystem::remove(log_file(data_dir_, "T1"));
    log.write(LogLevel::kInfo, "two");
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_THAT(lines()[0], ::testing::HasSubstr("two"));
}

TEST_F(LogTest, RotatesAndStaysWithinItsFiles) {
    config_.log_files = {2'000, 3};
    WorkerLog log{clock_};
    log.open(data_dir_, config_);
    for (int i = 0; i < 200; ++i) log.write(LogLevel::kInfo, fmt::format("line {}", i));
    EXPECT_THAT(lines().back(), ::testing::HasSubstr("line 199"));
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir_ + "/log")) {
        EXPECT_LE(entry.file_size(), 2'000U);
        ++files;
    }
    EXPECT_EQ(files, 3U);
    EXPECT_FALSE(lines(".2").empty());
}

TEST_F(LogTest, AFileThatCannotBeWrittenStopsNothing) {
    RotatingFile file{"/nonexistent/dir/x.jsonl", {}};
    EXPECT_FALSE(file.write_line("x"));
    EXPECT_EQ(file.dropped(), 1U);
}

std::vector<PointConfig> points(std::initializer_list<PointId> ids) {
    std::vector<PointConfig> points;
    for (const auto id : ids) points.emplace_back().id = id;
    return points;
}
Sample live(PointId id, double value, int second) {
    return {id, Quality::kGood, QualityCode::kNone, UtcTime{std::chrono::seconds{1'700'000'000 + second}},
            value};
}

TEST(LiveTableTest, GivesTheNewestOfWhatChanged) {
    LiveTable table{points({7, 3, 5})};
    table.update({live(7, 1, 0), live(3, 1, 0), live(5, 1, 0)});
    SampleBatch out;
    table.take(out);
    EXPECT_EQ(out.size(), 3U);
    out.clear();
    table.update({live(7, 2, 1), live(3, 1, 1), live(99, 1, 1)});
    table.update({live(7, 3, 2), live(3, 1, 2)});
    table.take(out);
    ASSERT_EQ(out.size(), 1U) << "3 did not change, 99 is not ours";
    EXPECT_EQ(out[0], live(7, 3, 2));
    out.clear();
    table.take(out);
    EXPECT_TRUE(out.empty());
}

TEST(LiveTableTest, KeepsEveryTypeOfValue) {
    LiveTable table{points({1, 2, 3, 4, 5, 6})};
    const auto with = [](PointId id, int second, Value value) {
        return Sample{id, Quality::kGood, QualityCode::kNone, UtcTime{std::chrono::seconds{second}},
                      std::move(value)};
    };
    const SampleBatch all{with(1, 1, -2.5),
                          with(2, 1, true),
                          with(3, 1, std::int64_t{-7}),
                          with(4, 1, std::uint64_t{1} << 63U),
                          with(5, 1, std::string{"a text longer than any short string"}),
                          with(6, 1, std::monostate{})};
    table.update(all);
    SampleBatch out;
    table.take(out);
    EXPECT_EQ(out, all);
    // The same text again says nothing new, another one does, and a number takes the text's place.
    for (const auto& [value, news] :
         {std::pair{Value{std::get<std::string>(all[4].value)}, 0U},
          std::pair{Value{std::string{"another"}}, 1U}, std::pair{Value{1.0}, 1U}}) {
        out.clear();
        table.update({with(5, 2, value)});
        table.take(out);
        ASSERT_EQ(out.size(), news);
        if (news != 0) {
            EXPECT_EQ(out[0].value, value);
        }
    }
}

TEST(LiveTableTest, RefreshesWhatDoesNotChangeAndSendsAllAgainOnRequest) {
    LiveTable table{points({1, 2})};
    SampleBatch out;
    table.update({live(1, 1, 0)});
    table.take(out);
    out.clear();
    table.update({live(1, 1, 4)});
    table.take(out);
    EXPECT_TRUE(out.empty());
    table.update({live(1, 1, 5)});
    table.take(out);
    EXPECT_EQ(out.size(), 1U);
    out.clear();
    table.resend();
    table.take(out);
    ASSERT_EQ(out.size(), 1U) << "point 2 was never read";
    EXPECT_EQ(out[0], live(1, 1, 5));
}

}  // namespace
}  // namespace fieldwarden::worker
