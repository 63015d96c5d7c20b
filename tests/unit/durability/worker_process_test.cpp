// The real worker process under a scripted supervisor, against the Modbus simulator.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "common/data_paths.h"
#include "common/history/history_reader.h"
#include "tests/simulator/modbus/modbus_simulator.h"
#include "tests/unit/durability/fake_supervisor.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using proto::ExitCode;
using simulator::modbus::ModbusSimulator;

class WorkerProcessTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = "/tmp/fw-worker-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        data_dir_ = name;
        simulator_.emplace();
        ASSERT_TRUE(simulator_->start());
        supervisor_.emplace(data_dir_);
    }
    void TearDown() override {
        supervisor_.reset();
        simulator_.reset();
        std::filesystem::remove_all(data_dir_);
    }

    // One device with the counter that rises by one with every read, and some floats.
    TaskConfig task(std::chrono::milliseconds period = 20ms) const {
        TaskConfig config;
        config.task_code = "T1";
        config.revision = 5;
        config.period = period;
        config.stop_grace = 5s;
        DeviceConfig device;
        device.device_code = "D1";
        device.site_code = "S1";
        device.protocol = Protocol::kModbusTcp;
        device.address = fmt::format("127.0.0.1:{}", simulator_->port());
        device.points.push_back(point(1, "COUNT", "hr:0", BaseType::kUint32));
        for (PointId id = 2; id <= 6; ++id) {
            device.points.push_back(
                point(id, fmt::format("F{}", id), fmt::format("hr:{}", id * 2), BaseType::kFloat32));
        }
        config.devices.push_back(device);
        return config;
    }
    static PointConfig point(PointId id, std::string code, std::string address, BaseType type) {
        PointConfig point;
        point.id = id;
        point.point_code = std::move(code);
        point.address = std::move(address);
        point.data_type = {type, 0};
        return point;
    }
    std::vector<std::uint64_t> counts() {
        const auto found =
            query_history(data_dir_, "T1", {{"COUNT"}, {}, {}, 100'000, false, HistoryQuery::none, {}});
        EXPECT_TRUE(found) << found.error().message;
        std::vector<std::uint64_t> numbers;
        if (!found) return numbers;
        for (const auto& one : *found) {
            if (one.sample.quality == Quality::kGood) {
                numbers.push_back(static_cast<std::uint64_t>(std::visit(
                    [](const auto& v) -> double {
                        if constexpr (std::is_arithmetic_v<std::decay_t<decltype(v)>>) {
                            return static_cast<double>(v);
                        } else {
                            return -1;
                        }
                    },
                    one.sample.value)));
            }
        }
        return numbers;
    }
    proto::Heartbeat beat_with(const std::string& key, std::function<bool(const proto::Heartbeat&)> wanted) {
        const auto beat = supervisor_->await<proto::Heartbeat>(key, std::move(wanted));
        EXPECT_TRUE(beat) << "no such heartbeat";
        return beat.value_or(proto::Heartbeat{});
    }

    std::string data_dir_;
    std::optional<ModbusSimulator> simulator_;
    std::optional<FakeSupervisor> supervisor_;
};

TEST_F(WorkerProcessTest, AcquiresReportsAndStops) {
    const auto key = supervisor_->start(task());
    const auto hello = supervisor_->await<proto::Hello>(key);
    EXPECT_EQ(hello->task_code, "T1");
    EXPECT_EQ(hello->session_id, 17);
    EXPECT_EQ(hello->pid, supervisor_->worker(key).pid);
    EXPECT_GT(hello->start_ticks, 0U);
    EXPECT_EQ(supervisor_->await<proto::Ready>(key)->config_revision, 5U);

    const auto beat = beat_with(key, [](const auto& b) { return b.cycles > 20 && b.points_delivered > 0; });
    EXPECT_GT(beat.loop_ticks, 0U);
    EXPECT_EQ(beat.points_read, beat.points_good);
    EXPECT_EQ(beat.period_ms, 20);
    ASSERT_EQ(beat.devices.size(), 1U);
    EXPECT_EQ(beat.devices[0].points_total, 6U);
    const auto connection =
        supervisor_->await<proto::Connection>(key, [](const auto& c) { return c.status.is_connected; });
    ASSERT_TRUE(connection);
    EXPECT_EQ(connection->status.device_code, "D1");
    const auto live =
        supervisor_->await<proto::Live>(key, [](const auto& l) { return l.samples.size() == 6; });
    EXPECT_TRUE(live);

    supervisor_->send(key, proto::Stop{5s});
    EXPECT_EQ(supervisor_->wait_exit(key), static_cast<int>(ExitCode::kDone));
    const auto finished = supervisor_->await<proto::Finished>(key);
    ASSERT_TRUE(finished);
    EXPECT_FALSE(finished->completed);
    const auto numbers = counts();
    ASSERT_GT(numbers.size(), 20U);
    for (std::size_t i = 1; i < numbers.size(); ++i) EXPECT_EQ(numbers[i], numbers[i - 1] + 1);
    std::ifstream log{log_file(data_dir_, "T1")};
    std::stringstream text;
    text << log.rdbuf();
    EXPECT_THAT(text.str(), ::testing::HasSubstr("acquiring with revision 5"));
    EXPECT_THAT(text.str(), ::testing::Not(::testing::HasSubstr(key)));
}

TEST_F(WorkerProcessTest, KilledMidCycleAgainAndAgainItLosesAndDoublesNothing) {
    std::uint64_t last_pid = 0;
    for (int round = 0; round < 6; ++round) {
        const auto key = supervisor_->start(task(10ms));
        EXPECT_NE(static_cast<std::uint64_t>(supervisor_->worker(key).pid), last_pid);
        beat_with(key, [&](const auto& b) { return b.cycles > 10 + static_cast<std::uint64_t>(round) * 7; });
        supervisor_->kill(key, SIGKILL);
        EXPECT_EQ(supervisor_->wait_exit(key), -SIGKILL);
    }
    const auto key = supervisor_->start(task(10ms));
    beat_with(key, [](const auto& b) { return b.cycles > 10; });
    supervisor_->send(key, proto::Stop{10s});
    EXPECT_EQ(supervisor_->wait_exit(key), 0);
    const auto numbers = counts();
    ASSERT_GT(numbers.size(), 100U);
    std::size_t lost = 0;
    for (std::size_t i = 1; i < numbers.size(); ++i) {
        ASSERT_GT(numbers[i], numbers[i - 1]) << "doubled or out of order";
        lost += numbers[i] - numbers[i - 1] - 1;
    }
    // A kill can fall between the device's answer and the spool: at most one read per kill.
    EXPECT_LE(lost, 6U);
}

TEST_F(WorkerProcessTest, RefusesASecondWorkerOnTheSameSpool) {
    const auto first = supervisor_->start(task());
    const auto second = supervisor_->launch("T1");
    ASSERT_TRUE(supervisor_->await<proto::Hello>(second));
    proto::Welcome welcome;
    welcome.config = task();
    supervisor_->send(second, welcome);
    EXPECT_EQ(supervisor_->wait_exit(second), static_cast<int>(ExitCode::kSpoolInUse));
    const auto finished = supervisor_->await<proto::Finished>(second);
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->code, ExitCode::kSpoolInUse);
    const auto before = supervisor_->worker(first).heard.size();
    EXPECT_TRUE(supervisor_->until([&] { return supervisor_->worker(first).heard.size() > before + 3; }));
}

TEST_F(WorkerProcessTest, SaysWhatIsWrongWithABadConfigurationAndIsNotRestarted) {
    auto config = task();
    config.devices[0].points[0].address = "hr:99999999";
    const auto key = supervisor_->launch("T1");
    ASSERT_TRUE(supervisor_->await<proto::Hello>(key));
    proto::Welcome welcome;
    welcome.config = config;
    supervisor_->send(key, welcome);
    EXPECT_EQ(supervisor_->wait_exit(key), static_cast<int>(ExitCode::kBadConfiguration));
    const auto finished = supervisor_->await<proto::Finished>(key);
    ASSERT_TRUE(finished);
    EXPECT_THAT(finished->reason, ::testing::HasSubstr("D1"));
}

TEST_F(WorkerProcessTest, LeavesWhenRefused) {
    const auto key = supervisor_->launch("T1");
    ASSERT_TRUE(supervisor_->await<proto::Hello>(key));
    supervisor_->send(key, proto::Refuse{"unknown key"});
    EXPECT_EQ(supervisor_->wait_exit(key), static_cast<int>(ExitCode::kRefused));
}

TEST_F(WorkerProcessTest, PausesResumesAndTakesANewPeriod) {
    const auto key = supervisor_->start(task());
    beat_with(key, [](const auto& b) { return b.cycles > 3; });
    supervisor_->send(key, proto::Pause{});
    const auto paused = beat_with(key, [](const auto& b) { return b.paused; });
    // Paused loops still turn, and nothing is read.
    const auto later =
        beat_with(key, [&](const auto& b) { return b.paused && b.loop_ticks > paused.loop_ticks + 1; });
    const auto still = beat_with(key, [&](const auto& b) { return b.seq > later.seq + 3; });
    EXPECT_EQ(still.cycles, later.cycles);
    supervisor_->send(key, proto::Resume{});
    supervisor_->send(key, proto::SetPeriod{50ms});
    const auto resumed =
        beat_with(key, [&](const auto& b) { return !b.paused && b.cycles > still.cycles + 3; });
    EXPECT_EQ(resumed.period_ms, 50);
}

TEST_F(WorkerProcessTest, SaysAllItKnowsAgainWhenItResumes) {
    const auto whole = [](const proto::Live& live) { return live.samples.size() == 6; };
    const auto key = supervisor_->start(task(10'000ms));
    ASSERT_TRUE(supervisor_->await<proto::Live>(key, whole));
    supervisor_->send(key, proto::Pause{});
    beat_with(key, [](const auto& b) { return b.paused; });
    supervisor_->send(key, proto::Resume{});
    // The floats have not changed since, and the next scan is far.
    EXPECT_TRUE(supervisor_->await<proto::Live>(key, whole));
}

TEST_F(WorkerProcessTest, AcquiresOnceAndTestsConnectionAndStorage) {
    const auto key = supervisor_->start(task(10'000ms));
    supervisor_->send(key, proto::AcquireOnce{41});
    const auto once = supervisor_->await<proto::Reply>(key, [](const auto& r) { return r.request_id == 41; });
    ASSERT_TRUE(once);
    EXPECT_TRUE(once->ok) << once->error;
    EXPECT_EQ(once->samples.size(), 6U);

    const auto probe = supervisor_->launch("");
    ASSERT_TRUE(supervisor_->await<proto::Hello>(probe));
    supervisor_->send(probe, proto::Welcome{});
    supervisor_->send(probe, proto::TestConnection{42, task().devices[0]});
    const auto connection =
        supervisor_->await<proto::Reply>(probe, [](const auto& r) { return r.request_id == 42; });
    ASSERT_TRUE(connection && connection->probe);
    EXPECT_TRUE(connection->probe->ok) << connection->probe->detail;
    supervisor_->send(probe, proto::TestStorage{43, {"h", "history", "", {}}});
    const auto storage =
        supervisor_->await<proto::Reply>(probe, [](const auto& r) { return r.request_id == 43; });
    ASSERT_TRUE(storage && storage->probe);
    EXPECT_TRUE(storage->probe->ok) << storage->probe->detail;
    supervisor_->send(probe, proto::TestStorage{44, {"x", "nonesuch", "", {}}});
    const auto unknown =
        supervisor_->await<proto::Reply>(probe, [](const auto& r) { return r.request_id == 44; });
    ASSERT_TRUE(unknown && unknown->probe);
    EXPECT_FALSE(unknown->probe->ok);
    supervisor_->send(probe, proto::Stop{0ms});
    EXPECT_EQ(supervisor_->wait_exit(probe), 0);
    for (const auto& entry : std::filesystem::directory_iterator(data_dir_ + "/history")) {
        EXPECT_THAT(entry.path().filename().string(), ::testing::Not(::testing::HasSubstr("probe")));
    }
}

TEST_F(WorkerProcessTest, AWarmSpareTakesATaskWithALaterWelcome) {
    const auto key = supervisor_->launch("");
    ASSERT_TRUE(supervisor_->await<proto::Hello>(key, [](const auto& h) { return h.task_code.empty(); }));
    proto::Welcome welcome;
    welcome.heartbeat_interval = 50ms;
    supervisor_->send(key, welcome);
    beat_with(key, [](const auto& b) { return b.seq > 2; });
    welcome.config = task();
    welcome.session_id = 18;
    supervisor_->send(key, welcome);
    EXPECT_TRUE(supervisor_->await<proto::Ready>(key));
    beat_with(key, [](const auto& b) { return b.points_good > 0; });
}

TEST_F(WorkerProcessTest, AReloadRestartsOnlyTheChangedDevice) {
    ModbusSimulator other;
    ASSERT_TRUE(other.start());
    auto config = task();
    auto second = config.devices[0];
    second.device_code = "D2";
    second.address = fmt::format("127.0.0.1:{}", other.port());
    for (auto& p : second.points) p.id += 100;
    config.devices.push_back(second);
    const auto key = supervisor_->start(config);
    beat_with(key, [](const auto& b) {
        return b.devices.size() == 2 && b.devices[0].cycles > 5 && b.devices[1].cycles > 5;
    });
    const auto connections = simulator_->counters().accepted;
    const auto before = beat_with(key, [](const auto& b) { return b.cycles > 12; });

    config.revision = 6;
    config.devices[1].points.pop_back();
    supervisor_->send(key, proto::Configure{config});
    EXPECT_TRUE(supervisor_->await<proto::Ready>(key, [](const auto& r) { return r.config_revision == 6; }));
    const auto after = beat_with(key, [](const auto& b) {
        return b.devices.size() == 2 && b.devices[1].points_total == 5 && b.devices[1].cycles > 3;
    });
    EXPECT_GE(after.cycles, before.cycles) << "counters never go back";
    EXPECT_EQ(simulator_->counters().accepted, connections) << "the unchanged device kept its connection";
    EXPECT_GE(other.counters().accepted, 2U);

    config.revision = 7;
    config.devices.pop_back();
    supervisor_->send(key, proto::Configure{config});
    beat_with(key, [&](const auto& b) { return b.devices.size() == 1 && b.cycles >= after.cycles; });
    supervisor_->send(key, proto::Stop{5s});
    EXPECT_EQ(supervisor_->wait_exit(key), 0);
    // No gap in the unchanged device's counter over both reloads.
    const auto found =
        query_history(data_dir_, "T1", {{"COUNT"}, {}, {}, 100'000, false, HistoryQuery::none, {}});
    ASSERT_TRUE(found);
    std::optional<double> last;
    for (const auto& one : *found) {
        if (one.sample.point != 1) continue;
        const double number = std::holds_alternative<double>(one.sample.value)
                                  ? std::get<double>(one.sample.value)
                                  : static_cast<double>(std::get<std::uint64_t>(one.sample.value));
        if (last) {
            EXPECT_EQ(number, *last + 1);
        }
        last = number;
    }
}

TEST_F(WorkerProcessTest, CompletesByItselfAfterItsCycles) {
    auto config = task();
    config.run_limit.cycles = 7;
    const auto key = supervisor_->start(config);
    EXPECT_EQ(supervisor_->wait_exit(key), 0);
    const auto finished = supervisor_->await<proto::Finished>(key);
    ASSERT_TRUE(finished);
    EXPECT_TRUE(finished->completed);
    EXPECT_EQ(counts().size(), 7U);
}

TEST_F(WorkerProcessTest, OutlivesItsSupervisorAndIsAdopted) {
    const auto key = supervisor_->start(task());
    const auto before = beat_with(key, [](const auto& b) { return b.cycles > 5; });
    supervisor_->close();
    const auto reads = simulator_->counters().requests;
    EXPECT_TRUE(supervisor_->until([&] { return simulator_->counters().requests > reads + 20; }))
        << "acquisition stopped with the supervisor";
    supervisor_->worker(key).heard.clear();
    supervisor_->reopen();
    const auto hello = supervisor_->await<proto::Hello>(key);
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->config_revision, 5U) << "it says that it is already acquiring";
    proto::Welcome welcome;
    welcome.heartbeat_interval = 50ms;
    welcome.session_id = 17;
    supervisor_->send(key, welcome);
    const auto after = beat_with(key, [&](const auto& b) { return b.cycles > before.cycles; });
    EXPECT_GT(after.points_read, before.points_read);
    EXPECT_TRUE(supervisor_->await<proto::Connection>(key)) << "a new supervisor is told every connection";
}

TEST_F(WorkerProcessTest, StopsByItselfWhenNoSupervisorComesBack) {
    supervisor_->orphan_grace = 300ms;
    const auto key = supervisor_->start(task());
    supervisor_->acks = false;
    EXPECT_EQ(supervisor_->wait_exit(key), static_cast<int>(ExitCode::kOrphaned));
    EXPECT_FALSE(counts().empty());
}

TEST_F(WorkerProcessTest, StopsOnSigtermAndFlushes) {
    const auto key = supervisor_->start(task());
    beat_with(key, [](const auto& b) { return b.cycles > 10; });
    supervisor_->kill(key, SIGTERM);
    EXPECT_EQ(supervisor_->wait_exit(key), 0);
    EXPECT_GT(counts().size(), 10U);
}

TEST_F(WorkerProcessTest, IgnoresMalformedMessages) {
    const auto key = supervisor_->start(task());
    supervisor_->send_raw(key, "FW\x09\x0d", "x");
    supervisor_->send_raw(key, "FW\x01\x7f", "");
    supervisor_->send_raw(key, "FW\x01\x0d", std::string(1000, '\xff'));
    supervisor_->send(key, proto::Hello{});  // travels the other way
    beat_with(key, [](const auto& b) { return b.cycles > 10; });
    supervisor_->send(key, proto::Stop{5s});
    EXPECT_EQ(supervisor_->wait_exit(key), 0);
}

TEST_F(WorkerProcessTest, ComesBackAfterBytesThatAreNoFrame) {
    const auto key = supervisor_->start(task());
    supervisor_->worker(key).heard.clear();
    supervisor_->worker(key).socket.send_bytes("GET / HTTP/1.1\r\n\r\n");
    const auto hello = supervisor_->await<proto::Hello>(key);
    ASSERT_TRUE(hello) << "no second Hello";
    EXPECT_NE(hello->config_revision, 0U) << "it acquires on";
}

TEST_F(WorkerProcessTest, ASupervisorThatDoesNotReadBlocksNothing) {
    const auto key = supervisor_->start(task(5ms));
    const auto reads = simulator_->counters().requests;
    // The test does not read its socket meanwhile.
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (simulator_->counters().requests < reads + 400 && std::chrono::steady_clock::now() < deadline) {
        ::poll(nullptr, 0, 5);
    }
    EXPECT_GE(simulator_->counters().requests, reads + 400);
    supervisor_->kill(key, SIGTERM);
    EXPECT_EQ(supervisor_->wait_exit(key), 0);
}

TEST_F(WorkerProcessTest, StartedByHandItExplainsItself) {
    const auto key = supervisor_->launch("T1", {{proto::kEnvLaunchKey, ""}});
    EXPECT_EQ(supervisor_->wait_exit(key), 64);
}

}  // namespace
}  // namespace fieldwarden::worker
