#include "supervisor/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "supervisor/plant/schema.h"
#include "tests/unit/fleet/fake_fleet.h"
#include "tests/unit/fleet/fake_store.h"

namespace fieldwarden::supervisor {
namespace {

using proto::Json;
using proto::LogType;
using proto::SessionState;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

Record make_record(Kind kind, const std::map<std::string, std::string>& cells) {
    const auto& schema = schema_of(kind);
    Record record;
    record.cells.resize(schema.fields.size());
    for (const auto& [name, value] : cells) record.cells.set(schema.index_of(name), value);
    return record;
}

// The machine's clocks, with a wall clock that a test may move.
class ShiftedClock final : public Clock {
  public:
    UtcTime utc_now() const override { return system_clock().utc_now() + shift.load(); }
    MonoTime mono_now() const override { return system_clock().mono_now() + mono_shift.load(); }
    std::atomic<std::chrono::microseconds> shift{std::chrono::microseconds{0}};
    std::atomic<milliseconds> mono_shift{milliseconds{0}};
    // Makes it `time` now.
    void set(std::string_view time) { shift = parse_rfc3339(time).value() - system_clock().utc_now(); }
};

// A supervisor over a machine without processes and a store in memory.
class Fleet : public testing::Test {
  protected:
    Fleet() {
        auto pattern = (std::filesystem::temp_directory_path() / "fw_fleet_XXXXXX").string();
        settings_.server.data_dir = mkdtemp(pattern.data());
        settings_.worker.program = "/fake/worker";
        settings_.worker.heartbeat_interval = milliseconds{50};
        settings_.worker.heartbeat_timeout = milliseconds{600};
        settings_.worker.start_timeout = milliseconds{1500};
        settings_.worker.stop_grace = milliseconds{200};
        settings_.worker.term_grace = milliseconds{200};
        settings_.worker.warm_spares = 0;  // tests of spares set it
        settings_.restart.first_delay = milliseconds{50};
        settings_.restart.longest_delay = milliseconds{100};
        settings_.health.interval = milliseconds{200};
        settings_.health.data_timeout = milliseconds{800};
        settings_.health.connection_timeout = milliseconds{400};

        ChangeSet plant;
        plant.of(Kind::kSite)
            .put.push_back(make_record(Kind::kSite, {{"site_code", "S1"}, {"site_name", "S"}}));
        for (const auto* device : {"D1", "D2"}) {
            plant.of(Kind::kDevice)
                .put.push_back(make_record(Kind::kDevice, {{"device_code", device},
                                                           {"device_name", device},
                                                           {"site_code", "S1"},
                                                           {"protocol", "modbus_tcp"},
                                                           {"address", "127.0.0.1:1502"}}));
            plant.of(Kind::kPoint)
                .put.push_back(make_record(Kind::kPoint, {{"point_code", std::string{"P_"} + device},
                                                          {"device_code", device},
                                                          {"address", "40001"},
                                                          {"data_type", "int16"}}));
        }
        plant.of(Kind::kTask).put.push_back(task("T1", "D1"));
        plant.of(Kind::kTask).put.push_back(task("T2", "D2"));
        const auto stored = store_.apply(plant, 0, {});
        EXPECT_TRUE(stored);
    }

    ~Fleet() override {
        stop();
        std::filesystem::remove_all(settings_.server.data_dir);
    }

    static Record task(const std::string& code, const std::string& devices,
                       const std::map<std::string, std::string>& more = {}) {
        std::map<std::string, std::string> cells{
            {"task_code", code}, {"task_name", code}, {"devices", devices}, {"period_ms", "100"}};
        for (const auto& [name, value] : more) cells[name] = value;
        return make_record(Kind::kTask, cells);
    }

    void start() {
        bus_ = std::make_unique<StatusBus>(clock_);
        supervisor_ = std::make_unique<Supervisor>(
            settings_, store_, *bus_, live_, clock_,
            [this](proto::LogLevel, const std::string& line) {
                const std::lock_guard lock{lines_mutex_};
                lines_.push_back(line);
            },
            [this](boost::asio::io_context& loop) { return machine_.launcher(loop); });
        const auto opened = supervisor_->open();
        ASSERT_TRUE(opened) << opened.error().message;
        thread_ = std::thread{[this] { supervisor_->run(); }};
    }
    void stop() {
        if (!supervisor_) return;
        supervisor_->request_stop();
        thread_.join();
        supervisor_.reset();
    }
    // As after kill -9: the workers stay.
    void leave() {
        supervisor_->request_leave();
        thread_.join();
        supervisor_.reset();
    }

    template <class Condition>
    static bool wait_for(Condition condition, seconds limit = seconds{15}) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (std::chrono::steady_clock::now() < deadline) {
            if (condition()) return true;
            std::this_thread::sleep_for(milliseconds{2});
        }
        return condition();
    }
    Json shown(const std::string& code = "T1") const {
        const auto event = bus_->last_value("process_status." + code);
        return event ? event->data() : Json{};
    }
    std::string status(const std::string& code = "T1") const { return shown(code).value("status", ""); }
    bool wait_for_status(const std::string& wanted, const std::string& code = "T1") const {
        return wait_for([&] { return status(code) == wanted; });
    }
    ActionResult act(TaskAction action, const std::string& code = "T1") {
        return supervisor_->act(action, {code}, {.name = "alice", .role = "operator", .remote = "here"})
            .front();
    }
    ActionResult start_task(const std::string& code = "T1") {
        auto result = act(TaskAction::kStart, code);
        EXPECT_FALSE(result.error) << result.error->message;
        EXPECT_TRUE(wait_for_status("RUNNING", code)) << shown(code).dump();
        return result;
    }
    // A spare that has been welcomed.
    bool wait_for_spare() {
        return wait_for([&] {
            const auto spare = machine_.worker("");
            return spare && !spare->ended() && spare->log.has("welcome");
        });
    }
    // The one point of D1.
    PointId point() {
        return static_cast<PointId>(store_.load_plant().value()->of(Kind::kPoint).find("P_D1")->id);
    }
    static DeviceConfig device() {
        DeviceConfig config;
        config.device_code = "D1";
        return config;
    }
    SessionRow session(std::int64_t id) {
        auto row = store_.session(id);
        return row ? *row : SessionRow{};
    }
    std::vector<LogType> timeline(std::int64_t id) {
        std::vector<LogType> types;
        const auto entries = store_.timeline(id);
        for (const auto& entry : *entries) types.push_back(*entry.log_type);
        return types;
    }
    std::string messages(std::int64_t id) {
        std::string text;
        const auto entries = store_.timeline(id);
        for (const auto& entry : *entries) text += entry.message + "\n";
        return text;
    }

    ShiftedClock clock_;
    Settings settings_;
    FakeStore store_;
    LiveValues live_;
    FakeMachine machine_;
    std::unique_ptr<StatusBus> bus_;
    std::unique_ptr<Supervisor> supervisor_;
    std::thread thread_;
    std::mutex lines_mutex_;
    std::vector<std::string> lines_;
};

TEST_F(Fleet, AStartedTaskRunsBeatsAndIsShown) {
    start();
    EXPECT_EQ(status(), "STOPPED") << "every task is shown from the beginning";
    EXPECT_EQ(shown().at("type"), "modbus_tcp");
    const auto started = start_task();
    EXPECT_EQ(started.session_id, 1);
    EXPECT_EQ(started.status, SessionState::kStarting);
    ASSERT_TRUE(wait_for([&] { return shown().value("data_collection_rate", 0.0) > 0; }));
    const auto json = shown();
    EXPECT_EQ(json.at("pid"), machine_.worker("T1")->pid);
    EXPECT_EQ(json.at("type"), "modbus_tcp");
    EXPECT_EQ(json.at("connection_status"), "connected");
    EXPECT_EQ(json.at("restart_count"), 0);
    EXPECT_FALSE(json.at("last_heartbeat").is_null());
    EXPECT_EQ(json.at("adopted"), false);
    ASSERT_TRUE(wait_for([&] {
        const auto event = bus_->last_value("session.1");
        return event && event->data().at("points_read") > 0 && event->data().at("status") == "running";
    }));
    EXPECT_TRUE(wait_for([&] { return bus_->last_value("performance.T1") && bus_->last_value("fleet"); }));
    EXPECT_TRUE(wait_for([&] { return bus_->last_values("health_checks.T1").size() == 5; }));
    EXPECT_TRUE(bus_->last_value("connection_status.T1.D1"));
    EXPECT_TRUE(wait_for([&] { return live_.get(point()).has_value(); }));
    EXPECT_EQ(live_.get(point())->quality, Quality::kGood);
    EXPECT_TRUE(wait_for([&] { return bus_->last_value("fleet")->data().at("workers") == 1; }));
    EXPECT_TRUE(wait_for([&] { return bus_->last_value("fleet")->data().at("processed_total") > 0; }));
}

TEST_F(Fleet, TheWorkerGetsItsKeyInTheEnvironmentAndItsConfigurationOverTheLink) {
    start();
    start_task();
    const auto worker = machine_.worker("T1");
    EXPECT_EQ(worker->environment.at(proto::kEnvLaunchKey).size(), 64U);
    EXPECT_EQ(worker->environment.at(proto::kEnvSession), "1");
    EXPECT_EQ(worker->environment.at(proto::kEnvDataDir), settings_.server.data_dir);
    const std::lock_guard lock{worker->log.mutex};
    ASSERT_TRUE(worker->log.config);
    EXPECT_EQ(worker->log.config->devices.front().device_code, "D1");
    EXPECT_EQ(worker->log.welcome->session_id, 1);
}

TEST_F(Fleet, StartingARunningTaskIsAConflictWithItsSession) {
    start();
    start_task();
    const auto again = act(TaskAction::kStart);
    ASSERT_TRUE(again.error);
    EXPECT_EQ(again.error->kind, ErrorKind::kConflict);
    EXPECT_EQ(again.session_id, 1);
    EXPECT_EQ(act(TaskAction::kStart, "NO_SUCH").error->kind, ErrorKind::kNotFound);
    EXPECT_EQ(act(TaskAction::kStop, "T2").error->kind, ErrorKind::kConflict);
}

TEST_F(Fleet, StopEndsTheSessionAndLeavesAnExplanation) {
    start();
    start_task();
    ASSERT_TRUE(wait_for([&] { return live_.get(point()).has_value(); }));
    EXPECT_FALSE(act(TaskAction::kStop).error);
    ASSERT_TRUE(wait_for_status("STOPPED"));
    ASSERT_TRUE(wait_for([&] { return session(1).status == SessionState::kStopped; }));
    EXPECT_TRUE(session(1).stopped_at);
    EXPECT_TRUE(wait_for([&] { return timeline(1).size() == 3; }));
    EXPECT_THAT(timeline(1),
                ElementsAre(LogType::kExecutionStart, LogType::kStrategyChange, LogType::kSuccess));
    EXPECT_THAT(messages(1), HasSubstr("stop requested by alice"));
    const auto entries = *store_.timeline(1);
    EXPECT_EQ(entries[1].parent_log_id, entries[0].id);
    EXPECT_EQ(live_.get(point())->code, QualityCode::kStale) << "nothing old is shown as good";
    EXPECT_EQ(bus_->last_value("connection_status.T1.D1")->data().at("is_connected"), false);
    EXPECT_EQ(machine_.alive("T1"), 0U);
    EXPECT_TRUE(wait_for([&] {
        const std::lock_guard lock{store_.mutex};
        return store_.process_rows.empty() && store_.desired_states["T1"].state == DesiredState::kStopped;
    }));
}

TEST_F(Fleet, AWorkerThatIgnoresStopIsEndedWithinItsDeadlines) {
    machine_.script("T1")->obeys_stop = false;
    start();
    start_task();
    EXPECT_FALSE(act(TaskAction::kStop).error);
    ASSERT_TRUE(wait_for_status("STOPPED"));
    EXPECT_TRUE(wait_for([&] { return messages(1).find("ended by a signal") != std::string::npos; }));
}

TEST_F(Fleet, ADeadWorkerIsReplacedAtOnceInTheSameSession) {
    start();
    start_task();
    const auto first = machine_.worker("T1");
    first->end({.code = {}, .signal = 9});
    ASSERT_TRUE(wait_for([&] { return machine_.launches("T1") == 2 && status() == "RUNNING"; }));
    ASSERT_TRUE(wait_for([&] { return shown().at("restart_count") == 1; }));
    ASSERT_TRUE(wait_for([&] { return timeline(1).size() == 2; }));
    EXPECT_THAT(messages(1), HasSubstr("killed by signal 9 (Killed); restart 1 of 3 at once"));
    EXPECT_EQ(session(1).session_id, 1);
    EXPECT_FALSE(session(1).stopped_at);
    // Counters go on over the change of process.
    const auto counted = [&] { return bus_->last_value("session.1")->data().at("points_read").get<int>(); };
    const auto before = counted();
    EXPECT_TRUE(wait_for([&] { return counted() > before + 20; }));
}

TEST_F(Fleet, ACrashLoopEndsInCrashedAndAStartByHandWorksAtOnce) {
    machine_.script("T1")->exit_at_once = 70;
    start();
    EXPECT_FALSE(act(TaskAction::kStart).error);
    ASSERT_TRUE(wait_for_status("CRASHED"));
    EXPECT_EQ(machine_.launches("T1"), 4U);
    ASSERT_TRUE(wait_for([&] { return session(1).status == SessionState::kError; }));
    EXPECT_THAT(session(1).error_message, HasSubstr("given up"));
    EXPECT_TRUE(wait_for([&] { return timeline(1).size() == 5; }));
    EXPECT_THAT(shown().at("last_error").get<std::string>(), HasSubstr("exit code 70 (internal error)"));
    EXPECT_TRUE(wait_for([&] { return shown().at("health_score") == 0; }));
    EXPECT_TRUE(wait_for([&] { return supervisor_->health_summary().critical_processes == 1; }));

    machine_.script("T1")->exit_at_once = -1;
    const auto again = start_task();
    EXPECT_EQ(again.session_id, 2);
}

TEST_F(Fleet, ACrashedTaskIsRetriedSlowly) {
    settings_.restart.max_attempts = 0;
    settings_.restart.crashed_retry_interval = milliseconds{300};
    machine_.script("T1")->exit_at_once = 70;
    start();
    EXPECT_FALSE(act(TaskAction::kStart).error);
    ASSERT_TRUE(wait_for([&] { return machine_.launches("T1") >= 2; }));
    machine_.script("T1")->exit_at_once = -1;
    EXPECT_TRUE(wait_for_status("RUNNING"));
}

TEST_F(Fleet, BadConfigurationIsNotRetriedUntilItChanges) {
    machine_.script("T1")->exit_at_once = static_cast<int>(proto::ExitCode::kBadConfiguration);
    start();
    EXPECT_FALSE(act(TaskAction::kStart).error);
    ASSERT_TRUE(wait_for_status("CRASHED"));
    EXPECT_EQ(machine_.launches("T1"), 1U);
    machine_.script("T1")->exit_at_once = -1;
    ChangeSet change;
    change.of(Kind::kTask).put.push_back(task("T1", "D1", {{"period_ms", "200"}}));
    ASSERT_TRUE(supervisor_->apply(change, supervisor_->plant()->revision, {}));
    EXPECT_TRUE(wait_for_status("RUNNING"));
}

TEST_F(Fleet, ASilentWorkerIsKilledAndRestarted) {
    start();
    start_task();
    machine_.script("T1")->beats = false;
    ASSERT_TRUE(wait_for([&] { return machine_.launches("T1") == 2; }));
    machine_.script("T1")->beats = true;
    ASSERT_TRUE(wait_for_status("RUNNING"));
    EXPECT_TRUE(wait_for([&] { return messages(1).find("hung: no heartbeat for") != std::string::npos; }));
}

TEST_F(Fleet, AStuckLoopBehindALiveHeartbeatIsNoticed) {
    start();
    start_task();
    machine_.script("T1")->loop_turns = false;
    ASSERT_TRUE(wait_for([&] { return machine_.launches("T1") == 2; }));
    machine_.script("T1")->loop_turns = true;
    EXPECT_TRUE(
        wait_for([&] { return messages(1).find("acquisition loop has not moved") != std::string::npos; }));
}

TEST_F(Fleet, AWorkerThatNeverGetsReadyIsAStartupFailure) {
    settings_.worker.start_timeout = milliseconds{300};
    settings_.restart.max_attempts = 1;
    machine_.script("T1")->says_hello = false;
    start();
    EXPECT_FALSE(act(TaskAction::kStart).error);
    ASSERT_TRUE(wait_for_status("CRASHED"));
    EXPECT_EQ(machine_.launches("T1"), 2U);
    ASSERT_TRUE(wait_for([&] { return timeline(1).size() == 3; }));
    EXPECT_THAT(timeline(1),
                ElementsAre(LogType::kExecutionStart, LogType::kRetryAttempt, LogType::kTimeout));
    EXPECT_THAT(messages(1), HasSubstr("not ready within 300ms"));
}

TEST_F(Fleet, AFailedLaunchIsADeathLikeAnyOther) {
    machine_.refuses_to_launch = true;
    start();
    EXPECT_FALSE(act(TaskAction::kStart).error);
    ASSERT_TRUE(wait_for_status("CRASHED"));
    EXPECT_TRUE(wait_for([&] { return messages(1).find("no memory") != std::string::npos; }));
}

TEST_F(Fleet, NoGoodDataResetsTheConnectionThenRestartsThenTellsTheOperator) {
    settings_.restart.stable_period = milliseconds{1};  // so that the restart itself does not add up
    machine_.script("T1")->good_data = false;
    start();
    start_task();
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->log.has("reset_connection"); }));
    ASSERT_TRUE(wait_for([&] { return machine_.launches("T1") == 2; }));
    ASSERT_TRUE(wait_for([&] { return messages(1).find("alert_operator") != std::string::npos; }));
    EXPECT_THAT(timeline(1), Contains(LogType::kStrategyChange));
    EXPECT_EQ(machine_.launches("T1"), 2U) << "a restart that did not help is not repeated";
}

TEST_F(Fleet, ADeviceAwayNeverRestartsTheProcess) {
    machine_.script("T1")->good_data = false;
    machine_.script("T1")->connected = false;
    start();
    start_task();
    ASSERT_TRUE(wait_for([&] { return messages(1).find("alert_operator") != std::string::npos; }));
    EXPECT_TRUE(machine_.worker("T1")->log.has("reset_connection"));
    EXPECT_EQ(machine_.launches("T1"), 1U);
    EXPECT_EQ(shown().at("connection_status"), "disconnected");
}

TEST_F(Fleet, PauseAndResumeReachTheWorker) {
    start();
    start_task();
    EXPECT_FALSE(act(TaskAction::kPause).error);
    ASSERT_TRUE(wait_for_status("PAUSED"));
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->log.has("pause"); }));
    EXPECT_EQ(act(TaskAction::kPause).error->kind, ErrorKind::kConflict);
    EXPECT_FALSE(act(TaskAction::kResume).error);
    ASSERT_TRUE(wait_for_status("RUNNING"));
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->log.has("resume"); }));
}

TEST_F(Fleet, RestartIsANewSession) {
    start();
    start_task();
    EXPECT_FALSE(act(TaskAction::kRestart).error);
    ASSERT_TRUE(wait_for([&] { return machine_.launches("T1") == 2 && status() == "RUNNING"; }));
    ASSERT_TRUE(wait_for([&] { return session(1).status == SessionState::kStopped; }));
    EXPECT_TRUE(wait_for([&] { return session(2).status == SessionState::kRunning; }));
}

TEST_F(Fleet, ARunLimitCompletesTheSession) {
    machine_.script("T1")->completes = true;
    start();
    EXPECT_FALSE(act(TaskAction::kStart).error);
    ASSERT_TRUE(wait_for([&] { return session(1).status == SessionState::kCompleted; }));
    EXPECT_TRUE(wait_for_status("STOPPED"));
    EXPECT_EQ(machine_.launches("T1"), 1U);
}

TEST_F(Fleet, ActionsOnSessions) {
    start();
    start_task();
    EXPECT_TRUE(supervisor_->act_on_session(TaskAction::kPause, 1, {}));
    EXPECT_TRUE(supervisor_->act_on_session(TaskAction::kStop, 1, {}));
    ASSERT_TRUE(wait_for([&] { return session(1).stopped_at.has_value(); }));
    EXPECT_EQ(supervisor_->act_on_session(TaskAction::kStop, 1, {}).error().kind, ErrorKind::kConflict);
    EXPECT_EQ(supervisor_->act_on_session(TaskAction::kStop, 99, {}).error().kind, ErrorKind::kNotFound);
}

TEST_F(Fleet, AChangeOfPeriodReachesTheRunningWorkerWithoutARestart) {
    start();
    start_task();
    ChangeSet change;
    change.of(Kind::kTask).put.push_back(task("T1", "D1", {{"period_ms", "500"}}));
    const auto applied = supervisor_->apply(change, supervisor_->plant()->revision, {});
    ASSERT_TRUE(applied);
    EXPECT_THAT(applied->reloaded, ElementsAre("T1"));
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->log.has("set_period"); }));
    EXPECT_EQ(machine_.launches("T1"), 1U);
}

TEST_F(Fleet, ValuesOfRemovedPointsAreForgottenAlsoWhereNoTaskRan) {
    start();
    const auto id = point();
    const auto other = static_cast<PointId>(supervisor_->plant()->of(Kind::kPoint).find("P_D2")->id);
    // As a recall of what a sink has stored leaves them.
    live_.put(SampleBatch{{.point = id, .time = clock_.utc_now(), .value = std::int64_t{1}},
                          {.point = other, .time = clock_.utc_now(), .value = std::int64_t{2}}});
    ChangeSet change;
    change.of(Kind::kTask).removed = {"T1"};
    change.of(Kind::kPoint).removed = {"P_D1"};
    change.of(Kind::kDevice).removed = {"D1"};
    ASSERT_TRUE(supervisor_->apply(change, supervisor_->plant()->revision, {}));
    EXPECT_FALSE(live_.get(id));
    EXPECT_TRUE(live_.get(other));
}

TEST_F(Fleet, ApplyReloadsWhatChangedAndTouchesNothingElse) {
    start();
    start_task("T1");
    start_task("T2");
    ChangeSet change;
    change.of(Kind::kTask).put.push_back(task("T1", "D1,D2"));
    change.of(Kind::kTask).put.push_back(task("T3", "D1"));
    const auto applied = supervisor_->apply(change, supervisor_->plant()->revision, {});
    ASSERT_TRUE(applied);
    EXPECT_THAT(applied->reloaded, ElementsAre("T1"));
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->log.has("configure"); }));
    EXPECT_FALSE(machine_.worker("T2")->log.has("configure"));
    EXPECT_EQ(status("T3"), "STOPPED");
    ASSERT_TRUE(wait_for([&] { return shown().at("connections").size() == 2; }));
    EXPECT_EQ(machine_.launches("T1"), 1U);
    EXPECT_EQ(supervisor_->apply(change, 0, {}).error().kind, ErrorKind::kConflict);
}

TEST_F(Fleet, ARemovedTaskIsStoppedAndForgotten) {
    start();
    start_task();
    ChangeSet change;
    change.of(Kind::kTask).removed.push_back("T1");
    const auto applied = supervisor_->apply(change, supervisor_->plant()->revision, {});
    ASSERT_TRUE(applied);
    EXPECT_THAT(applied->stopped, ElementsAre("T1"));
    ASSERT_TRUE(wait_for([&] { return bus_->last_value("process_status.T1") == nullptr; }));
    EXPECT_EQ(machine_.alive("T1"), 0U);
    EXPECT_THAT(bus_->last_values("connection_status.T1"), IsEmpty());
    EXPECT_THAT(bus_->last_values("health_checks.T1"), IsEmpty());
    EXPECT_EQ(act(TaskAction::kStart).error->kind, ErrorKind::kNotFound);
}

TEST_F(Fleet, AcquireOnceAsksTheRunningWorker) {
    start();
    start_task();
    const auto got = supervisor_->acquire_once("T1");
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(got->samples.size(), 1U);
    EXPECT_EQ(got->samples.front().value, Value{std::int64_t{42}});
    EXPECT_TRUE(machine_.worker("T1")->log.has("acquire_once"));
    EXPECT_EQ(supervisor_->acquire_once("NO_SUCH").error().kind, ErrorKind::kNotFound);
}

TEST_F(Fleet, AcquireOnceOnAStoppedTaskUsesAProbe) {
    start();
    const auto got = supervisor_->acquire_once("T1");
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->samples.size(), 1U);
    EXPECT_EQ(status(), "STOPPED");
    const auto probe = machine_.worker("");
    ASSERT_TRUE(probe);
    {
        const std::lock_guard lock{probe->log.mutex};
        EXPECT_TRUE(probe->log.welcome->paused);
        EXPECT_EQ(probe->log.welcome->session_id, 0);
    }
    EXPECT_TRUE(wait_for([&] { return machine_.alive("") == 0; }));
}

TEST_F(Fleet, AnAnswerThatNeverComesFailsWhenTheWorkerDies) {
    machine_.script("T1")->answers = false;
    start();
    start_task();
    std::thread killer{[&] {
        wait_for([&] { return machine_.worker("T1")->log.has("acquire_once"); });
        machine_.worker("T1")->end({.code = {}, .signal = 9});
    }};
    const auto got = supervisor_->acquire_once("T1");
    killer.join();
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::kUnavailable);
}

TEST_F(Fleet, ProbesRunInProcessesOfTheirOwn) {
    start();
    const auto connection = supervisor_->test_connection(device());
    ASSERT_TRUE(connection) << connection.error().message;
    EXPECT_TRUE(connection->ok);
    EXPECT_EQ(connection->detail, "read D1");
    const auto sink =
        supervisor_->test_storage({.sink_code = "K", .type = "kafka", .url = {}, .options = {}});
    ASSERT_TRUE(sink);
    EXPECT_FALSE(sink->ok);
    EXPECT_EQ(machine_.launches(""), 2U);
}

TEST_F(Fleet, OnlySoManyProbesAtOnce) {
    machine_.script("")->answers = false;
    start();
    std::vector<std::thread> waiting;
    for (int i = 0; i < 4; ++i) {
        waiting.emplace_back([&] { (void)supervisor_->test_connection(device()); });
    }
    ASSERT_TRUE(wait_for([&] { return machine_.alive("") == 4; }));
    const auto fifth = supervisor_->test_connection(device());
    ASSERT_FALSE(fifth);
    EXPECT_EQ(fifth.error().kind, ErrorKind::kBusy);
    stop();
    for (auto& thread : waiting) thread.join();
    EXPECT_EQ(machine_.alive(""), 0U);
}

TEST_F(Fleet, AProbeThatDiesSaysWhy) {
    machine_.script("")->exit_at_once = 70;
    start();
    const auto got = supervisor_->test_connection(device());
    ASSERT_FALSE(got);
    EXPECT_THAT(got.error().message, HasSubstr("exit code 70"));
}

TEST_F(Fleet, StoppingTheSupervisorStopsTheWorkersAndTheyComeBackWithIt) {
    start();
    start_task("T1");
    start_task("T2");
    EXPECT_FALSE(act(TaskAction::kPause, "T2").error);
    ASSERT_TRUE(wait_for_status("PAUSED", "T2"));
    stop();
    EXPECT_EQ(machine_.alive("T1") + machine_.alive("T2"), 0U);
    EXPECT_EQ(session(1).status, SessionState::kStopped);
    start();
    EXPECT_TRUE(wait_for_status("RUNNING", "T1"));
    EXPECT_TRUE(wait_for_status("PAUSED", "T2"));
    EXPECT_TRUE(wait_for([&] { return session(3).session_id == 3; })) << "new sessions, ids not used before";
}

TEST_F(Fleet, AutostartTasksStartUnlessAPersonStoppedThem) {
    ChangeSet change;
    change.of(Kind::kTask).put.push_back(task("T1", "D1", {{"autostart", "true"}}));
    ASSERT_TRUE(store_.apply(change, 1, {}));
    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    EXPECT_FALSE(act(TaskAction::kStop).error);
    ASSERT_TRUE(wait_for_status("STOPPED"));
    stop();
    start();
    EXPECT_EQ(status(), "STOPPED");
    EXPECT_EQ(machine_.launches("T1"), 1U);
}

TEST_F(Fleet, TheNextSupervisorAdoptsTheWorkersThatGoOn) {
    start();
    start_task();
    const auto worker = machine_.worker("T1");
    worker->end({.code = {}, .signal = 11});  // so that there is a restart count to keep
    ASSERT_TRUE(wait_for([&] { return machine_.launches("T1") == 2 && status() == "RUNNING"; }));
    const auto adopted = machine_.worker("T1");
    // The status may still be that of the one before.
    ASSERT_TRUE(wait_for([&] { return adopted->counter > 0; }));
    leave();
    const auto counted = adopted->counter.load();
    ASSERT_TRUE(wait_for([&] { return adopted->counter > counted; })) << "it acquires without a supervisor";

    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    EXPECT_EQ(machine_.launches("T1"), 2U);
    const auto json = shown();
    EXPECT_EQ(json.at("adopted"), true);
    EXPECT_EQ(json.at("pid"), adopted->pid);
    EXPECT_EQ(json.at("restart_count"), 1);
    ASSERT_TRUE(wait_for([&] { return bus_->last_value("session.1") != nullptr; })) << "the same session";
    EXPECT_TRUE(wait_for([&] { return messages(1).find("adopted") != std::string::npos; }));
    const auto entries = *store_.timeline(1);
    EXPECT_EQ(entries.back().parent_log_id, entries.front().id);
    // Its end is still noticed.
    adopted->end({.code = {}, .signal = 9});
    EXPECT_TRUE(wait_for([&] { return machine_.launches("T1") == 3; }));
}

TEST_F(Fleet, AWorkerThatDiedUnwatchedIsRestartedInItsSession) {
    start();
    start_task();
    leave();
    machine_.worker("T1")->end({.code = {}, .signal = 9});
    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    EXPECT_EQ(machine_.launches("T1"), 2U);
    EXPECT_EQ(shown().at("restart_count"), 1);
    EXPECT_TRUE(wait_for(
        [&] { return messages(1).find("was gone when the supervisor started") != std::string::npos; }));
}

TEST_F(Fleet, APidThatBelongsToSomebodyElseNowIsNotTrusted) {
    start();
    start_task();
    leave();
    {
        const std::lock_guard lock{store_.mutex};
        ++store_.process_rows.at("T1").start_ticks;
    }
    const auto other = machine_.worker("T1");
    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    EXPECT_NE(machine_.worker("T1"), other);
    // The one nobody knows any more reconnects with its old key and is sent away.
    EXPECT_TRUE(wait_for([&] { return other->ended(); }));
}

TEST_F(Fleet, AWorkerWhoseTaskWasDeletedMeanwhileIsStopped) {
    start();
    start_task();
    leave();
    ChangeSet change;
    change.of(Kind::kTask).removed.push_back("T1");
    ASSERT_TRUE(store_.apply(change, 1, {}));
    start();
    EXPECT_TRUE(wait_for([&] { return machine_.alive("T1") == 0; }));
    EXPECT_TRUE(wait_for([&] { return session(1).status == SessionState::kStopped; }));
    EXPECT_TRUE(wait_for([&] { return bus_->last_value("process_status.T1") == nullptr; }));
}

TEST_F(Fleet, AnAdoptedWorkerGetsTheConfigurationThatChangedMeanwhile) {
    start();
    start_task();
    leave();
    ChangeSet change;
    change.of(Kind::kTask).put.push_back(task("T1", "D1,D2"));
    ASSERT_TRUE(store_.apply(change, 1, {}));
    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    const auto worker = machine_.worker("T1");
    EXPECT_TRUE(wait_for([&] {
        const std::lock_guard lock{worker->log.mutex};
        return worker->log.config->devices.size() == 2;
    }));
    EXPECT_EQ(machine_.launches("T1"), 1U);
}

TEST_F(Fleet, SessionsLostByACrashOfTheSupervisorAreClosed) {
    SessionRow row;
    row.session_id = 7;
    row.task_code = "T1";
    row.status = SessionState::kRunning;
    ASSERT_TRUE(store_.add_session(row));
    start();
    EXPECT_TRUE(wait_for([&] { return session(7).status == SessionState::kError; }));
    const auto started = start_task();
    EXPECT_EQ(started.session_id, 8);
}

TEST_F(Fleet, OldRecordsArePrunedByAge) {
    settings_.retention.session_days = 10;
    settings_.retention.statistics_days = 20;
    start();
    ASSERT_TRUE(wait_for([&] {
        const std::lock_guard lock{store_.mutex};
        return store_.pruned_before.has_value();
    }));
    const auto age = system_clock().utc_now() - *store_.pruned_before;
    EXPECT_GE(age, std::chrono::days{10});
    EXPECT_LT(age, std::chrono::days{11});
    ASSERT_TRUE(wait_for([&] {
        const std::lock_guard lock{store_.mutex};
        return store_.state_times_pruned_before.has_value();
    }));
    const auto days = system_clock().utc_now() - *store_.state_times_pruned_before;
    EXPECT_GE(days, std::chrono::days{19});
    EXPECT_LE(days, std::chrono::days{22});
}

// What is written for devices and states, over all days: a test may run at midnight.
std::map<std::string, std::chrono::microseconds> written_states(FakeStore& store, const std::string& device) {
    const std::lock_guard lock{store.mutex};
    std::map<std::string, std::chrono::microseconds> spent;
    for (const auto& [key, row] : store.state_rows) {
        if (row.device == device) spent[row.state] += row.spent;
    }
    return spent;
}

TEST_F(Fleet, MinutesInStatesSurviveTheSupervisorAndAreCountedOnce) {
    ChangeSet changes;
    changes.of(Kind::kDeviceType)
        .put.push_back(make_record(Kind::kDeviceType, {{"type_code", "W"},
                                                       {"type_name", "W"},
                                                       {"status_point", "P_D1"},
                                                       {"state_map", "run=0..1e15"}}));
    auto device_cells = (*store_.load_plant())->of(Kind::kDevice).find("D1")->cells;
    device_cells.set(schema_of(Kind::kDevice).index_of("type_code"), "W");
    changes.of(Kind::kDevice).put.push_back({.id = 0, .cells = device_cells});
    ASSERT_TRUE(store_.apply(changes, 1, {}));

    const auto began = std::chrono::steady_clock::now();
    start();
    start_task();
    start_task("T2");
    // Values have come for a while: time to be counted has passed.
    const auto more_values = [&] {
        const auto wanted = machine_.worker("T1")->counter + 30;
        return wait_for([&] {
            const auto value = live_.get(point());
            return value && std::get<std::int64_t>(value->value) >= static_cast<std::int64_t>(wanted);
        });
    };
    ASSERT_TRUE(more_values());
    leave();
    const auto first = written_states(store_, "D1");
    ASSERT_TRUE(first.contains("run"));
    EXPECT_GT(first.at("run").count(), 0);
    EXPECT_FALSE(first.contains("online"));
    EXPECT_GT(written_states(store_, "D2").at("online").count(), 0)
        << "no status point: its connection counts";

    start();
    ASSERT_TRUE(more_values());
    const auto revision = supervisor_->plant()->revision;
    ChangeSet renamed;
    auto type = *supervisor_->plant()->of(Kind::kDeviceType).find("W");
    type.cells.set(schema_of(Kind::kDeviceType).index_of("state_map"), "go=0..1e15");
    renamed.of(Kind::kDeviceType).put.push_back(type);
    ASSERT_TRUE(supervisor_->apply(renamed, revision, {}));
    ASSERT_TRUE(more_values());
    stop();
    const auto whole = std::chrono::steady_clock::now() - began;
    const auto second = written_states(store_, "D1");
    EXPECT_GT(second.at("run"), first.at("run"));
    EXPECT_GT(second.at("go").count(), 0);
    std::chrono::microseconds sum{0};
    for (const auto& [state, spent] : second) sum += spent;
    EXPECT_LE(sum, whole) << "no moment is counted twice";
}

TEST_F(Fleet, APausedTaskDoesNotKnowItsDevicesStates) {
    ChangeSet changes;
    changes.of(Kind::kDeviceType)
        .put.push_back(make_record(Kind::kDeviceType, {{"type_code", "W"},
                                                       {"type_name", "W"},
                                                       {"status_point", "P_D1"},
                                                       {"state_map", "run=0..1e15"}}));
    auto device_cells = (*store_.load_plant())->of(Kind::kDevice).find("D1")->cells;
    device_cells.set(schema_of(Kind::kDevice).index_of("type_code"), "W");
    changes.of(Kind::kDevice).put.push_back({.id = 0, .cells = device_cells});
    ASSERT_TRUE(store_.apply(changes, 1, {}));
    start();
    start_task();
    ASSERT_TRUE(wait_for([&] { return live_.get(point()).has_value(); }));
    EXPECT_FALSE(act(TaskAction::kPause).error);
    ASSERT_TRUE(wait_for_status("PAUSED"));
    const auto paused = std::chrono::steady_clock::now();
    ASSERT_TRUE(wait_for([&] { return std::chrono::steady_clock::now() - paused > milliseconds{200}; }));
    leave();
    EXPECT_GE(written_states(store_, "D1").at("unknown"), milliseconds{200});
}

TEST_F(Fleet, AQuestionAskedWhileTheSupervisorLeavesIsAnswered) {
    start();
    start_task();
    std::atomic<bool> done{false};
    std::vector<std::thread> asking;
    for (int i = 0; i < 4; ++i) {
        asking.emplace_back([&] {
            while (!done) {
                (void)supervisor_->acquire_once("T2");
                (void)supervisor_->test_connection(device());
                (void)act(TaskAction::kPause);
            }
        });
    }
    ASSERT_TRUE(wait_for([&] { return machine_.launches("") > 2; }));
    supervisor_->request_leave();
    thread_.join();
    done = true;
    for (auto& thread : asking) thread.join();
    EXPECT_EQ(machine_.alive("T1"), 1U) << "leaving stops nobody";
    supervisor_.reset();
}

TEST_F(Fleet, TwoSupervisorsOnOneDataDirectoryAreRefused) {
    start();
    StatusBus bus{system_clock()};
    FakeStore store;
    LiveValues live;
    Supervisor second{settings_,
                      store,
                      bus,
                      live,
                      system_clock(),
                      [](proto::LogLevel, const std::string&) {},
                      [this](boost::asio::io_context& loop) { return machine_.launcher(loop); }};
    const auto opened = second.open();
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().message, HasSubstr(std::to_string(getpid())));
}

TEST_F(Fleet, AfterItsEndEveryQuestionIsAnswered) {
    start();
    supervisor_->request_stop();
    thread_.join();
    EXPECT_EQ(act(TaskAction::kStart).error->kind, ErrorKind::kUnavailable);
    EXPECT_EQ(supervisor_->progress("T1").error().kind, ErrorKind::kUnavailable);
    EXPECT_EQ(supervisor_->test_connection({}).error().kind, ErrorKind::kUnavailable);
    supervisor_.reset();
}

TEST_F(Fleet, DataIsOnlyMadeIntoJsonWhenSomeoneWantsIt) {
    start();
    start_task();
    ASSERT_TRUE(wait_for([&] { return live_.get(point()).has_value(); }));
    EXPECT_EQ(bus_->last_value("data.T1"), nullptr);
    const auto subscription = bus_->subscribe("data.T1", [](const EventPtr&) {});
    ASSERT_TRUE(wait_for([&] { return bus_->last_value("data.T1") != nullptr; }));
    EXPECT_EQ(bus_->last_value("data.T1")->data().at("points").at(0).at("point_code"), "P_D1");
}

TEST_F(Fleet, ProgressAndLogsAndVitalsAreThere) {
    start();
    start_task();
    EXPECT_TRUE(wait_for([&] {
        const auto progress = supervisor_->progress("T1");
        return progress && progress->points_per_second > 0;
    }));
    EXPECT_THAT(supervisor_->logs("T1", {})->hits, Not(IsEmpty()));
    EXPECT_TRUE(wait_for([&] {
        const auto vitals = supervisor_->vitals();
        return vitals.workers == 1 && vitals.memory_mb > 0 && vitals.open_descriptors > 0 &&
               vitals.link_received > 0;
    }));
    EXPECT_EQ(supervisor_->progress("NO_SUCH").error().kind, ErrorKind::kNotFound);
}

TEST_F(Fleet, ASpareTakesOverATaskThatIsToBeLaunchedAndIsReplaced) {
    settings_.worker.warm_spares = 1;
    start();
    ASSERT_TRUE(wait_for_spare());
    const auto spare = machine_.worker("");
    const auto started = start_task();
    EXPECT_EQ(machine_.worker("T1"), spare);
    EXPECT_EQ(machine_.launches("T1"), 1U);
    EXPECT_EQ(shown()["pid"], spare->pid);
    {
        const std::lock_guard lock{spare->log.mutex};
        EXPECT_EQ(spare->log.welcome->session_id, *started.session_id);
    }
    // The table of processes is written behind the supervisor's back, a little later.
    EXPECT_TRUE(wait_for([&] {
        const auto rows = store_.processes();
        return rows->size() == 1 && rows->front().launch_key == spare->environment.at(proto::kEnvLaunchKey);
    }));

    ASSERT_TRUE(wait_for_spare());
    const auto next = machine_.worker("");
    spare->end({.code = {}, .signal = 9});
    ASSERT_TRUE(wait_for([&] { return shown()["pid"] == next->pid && status() == "RUNNING"; }));
    EXPECT_THAT(messages(*started.session_id), HasSubstr("killed by signal 9"));
    stop();
    EXPECT_EQ(machine_.alive("T1"), 0U);
    EXPECT_EQ(machine_.alive(""), 0U);
}

// The process of a spare may be days old when it is given a task that dies at once.
TEST_F(Fleet, TimeSpentAsASpareIsNotUptime) {
    settings_.worker.warm_spares = 1;
    settings_.restart.stable_period = milliseconds{600};
    settings_.restart.max_attempts = 1;
    start();
    ASSERT_TRUE(wait_for_spare());
    start_task();
    const auto old_enough = [&] {
        // One that has been waiting for longer than a run takes to count as stable.
        const auto spare = machine_.worker("");
        return spare && spare->counter_of_beats > 20;
    };
    ASSERT_TRUE(wait_for(old_enough));
    const auto spare = machine_.worker("");
    machine_.worker("T1")->end({.code = {}, .signal = 9});  // a stable run: its death is the first
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1") == spare; }));
    spare->end({.code = {}, .signal = 9});
    EXPECT_TRUE(wait_for_status("CRASHED")) << shown().dump();
}

TEST_F(Fleet, SparesThatDieUnusedAreReplacedRarely) {
    settings_.worker.warm_spares = 1;
    machine_.script("")->exit_at_once = 70;
    const auto begun = std::chrono::steady_clock::now();
    start();
    ASSERT_TRUE(wait_for([&] { return machine_.launches("") == 2; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds{1'000});
    ASSERT_TRUE(wait_for([&] { return machine_.launches("") == 3; }));
    EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds{3'000});
    start_task();  // without one
    EXPECT_EQ(machine_.launches("T1"), 1U);
}

TEST_F(Fleet, AWorkerThatWasASpareIsAdoptedAndAWaitingOneIsNot) {
    settings_.worker.warm_spares = 1;
    start();
    ASSERT_TRUE(wait_for_spare());
    start_task();
    const auto pid = machine_.worker("T1")->pid;
    ASSERT_TRUE(wait_for_spare());
    const auto waiting = machine_.worker("");
    leave();
    EXPECT_TRUE(waiting->ended());
    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    EXPECT_EQ(shown()["pid"], pid);
    EXPECT_EQ(shown()["adopted"], true);
}

TEST_F(Fleet, ManyTasksStartAndStopTogether) {
    ChangeSet change;
    std::vector<std::string> codes;
    for (int i = 0; i < 40; ++i) {
        codes.push_back("M" + std::to_string(i));
        change.of(Kind::kTask).put.push_back(task(codes.back(), "D1"));
    }
    start();
    ASSERT_TRUE(supervisor_->apply(change, supervisor_->plant()->revision, {}));
    for (const auto& result : supervisor_->act(TaskAction::kStart, codes, {})) EXPECT_FALSE(result.error);
    for (const auto& code : codes) ASSERT_TRUE(wait_for_status("RUNNING", code)) << code;
    for (const auto& code : codes) machine_.worker(code)->end({.code = {}, .signal = 9});
    for (const auto& code : codes) {
        ASSERT_TRUE(wait_for([&] { return machine_.launches(code) == 2 && status(code) == "RUNNING"; }))
            << code;
    }
    stop();
    for (const auto& code : codes) EXPECT_EQ(machine_.alive(code), 0U) << code;
}

void put_task(FakeStore& store, const Record& record) {
    ChangeSet change;
    change.of(Kind::kTask).put.push_back(record);
    ASSERT_TRUE(store.apply(change, store.load_plant().value()->revision, {}));
}

TEST_F(Fleet, AScheduleOpensAndClosesItsWindow) {
    settings_.server.time_zone = "UTC";
    put_task(store_, task("T1", "D1", {{"schedule", "start=0 8 * * *; stop=0 18 * * *"}}));
    clock_.set("2026-11-22T07:59:59.5Z");
    start();
    EXPECT_EQ(status(), "STOPPED");
    ASSERT_TRUE(wait_for_status("RUNNING")) << "eight o'clock comes by itself";
    EXPECT_TRUE(wait_for([&] {
        return messages(1).find("the schedule (start due at 2026-11-22T08:00") != std::string::npos;
    }));
    clock_.set("2026-11-22T18:00:00.1Z");
    ASSERT_TRUE(wait_for_status("STOPPED"));
    EXPECT_TRUE(
        wait_for([&] { return messages(1).find("stop requested by the schedule") != std::string::npos; }));
    EXPECT_TRUE(wait_for([&] { return session(1).status == SessionState::kStopped; }));
    clock_.set("2026-11-23T08:00:01Z");
    EXPECT_TRUE(wait_for_status("RUNNING"));
}

TEST_F(Fleet, APersonsStopStandsUntilTheNextOpening) {
    settings_.server.time_zone = "UTC";
    put_task(store_, task("T1", "D1", {{"schedule", "start=0 8 * * *; stop=0 18 * * *"}}));
    clock_.set("2026-11-22T07:59:59.8Z");
    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    clock_.set("2026-11-22T09:00:00Z");
    EXPECT_FALSE(act(TaskAction::kStop).error);
    ASSERT_TRUE(wait_for_status("STOPPED"));
    stop();
    clock_.set("2026-11-22T10:00:00Z");
    start();  // within the window, after the person's word
    EXPECT_EQ(status(), "STOPPED");
    stop();
    clock_.set("2026-11-23T09:00:00Z");
    start();  // eight o'clock passed while no supervisor ran
    EXPECT_TRUE(wait_for_status("RUNNING"));
    stop();
    clock_.set("2026-11-23T20:00:00Z");
    start();  // and so did the closing
    EXPECT_EQ(status(), "STOPPED");
}

TEST_F(Fleet, TasksThatStartTogetherStartInOrderAndApart) {
    settings_.worker.start_stagger = milliseconds{300};
    ChangeSet change;
    change.of(Kind::kTask)
        .put.push_back(task("T1", "D1", {{"autostart", "true"}, {"options", "start_order=200"}}));
    change.of(Kind::kTask)
        .put.push_back(task("T2", "D2", {{"autostart", "true"}, {"options", "start_order=5"}}));
    ASSERT_TRUE(store_.apply(change, store_.load_plant().value()->revision, {}));
    start();
    ASSERT_TRUE(wait_for_status("RUNNING", "T2"));
    EXPECT_EQ(machine_.launches("T1"), 0U) << "its turn comes later";
    EXPECT_EQ(status("T1"), "STARTING");
    ASSERT_TRUE(wait_for_status("RUNNING", "T1"));
    // A restart does not wait for anyone.
    settings_.worker.start_stagger = milliseconds{0};
    machine_.worker("T2")->end({.code = {}, .signal = 9});
    EXPECT_TRUE(wait_for([&] { return machine_.launches("T2") == 2; }));
}

TEST_F(Fleet, ADeviceThatKeepsTimingOutIsAskedLessOftenAndThenAsBefore) {
    settings_.worker.heartbeat_timeout = std::chrono::minutes{10};  // the clock leaps here
    settings_.health.data_timeout = std::chrono::minutes{10};
    start();
    auto& script = *machine_.script("T1");
    script.scans = 100;
    start_task();
    // Windows of ten seconds pass as fast as the clock is moved.
    const auto pass = [&](std::uint64_t scans, std::uint64_t timeouts, seconds time) {
        script.scans += scans;
        script.timeouts += timeouts;
        const auto seen = machine_.worker("T1")->counter.load();
        ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->counter > seen + 20; }));  // two heartbeats
        clock_.mono_shift = clock_.mono_shift.load() + time;
    };
    pass(0, 0, seconds{0});
    pass(10, 4, seconds{4});
    pass(0, 0, seconds{4});
    pass(0, 0, seconds{4});
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->log.has("slow_down"); }));
    ASSERT_TRUE(wait_for(
        [&] { return messages(1).find("D1 is scanned at 2 times its period") != std::string::npos; }));
    for (int n = 0; n < 25; ++n) pass(1, 0, seconds{4});
    EXPECT_TRUE(wait_for([&] {
        return messages(1).find("D1 is scanned at 1 times its period") != std::string::npos;
    })) << messages(1);
    EXPECT_EQ(machine_.launches("T1"), 1U);
}

TEST_F(Fleet, TheSupervisorsOwnTroublesAreInTheSummary) {
    settings_.health.memory_mb = 1;  // it takes more than that
    start();
    ASSERT_TRUE(wait_for([&] { return !supervisor_->health_summary().issues.empty(); }));
    EXPECT_THAT(supervisor_->health_summary().issues, Contains(HasSubstr("the supervisor takes")));
    EXPECT_EQ(supervisor_->health_summary().overall_status, proto::HealthStatus::kWarning);
}

}  // namespace
}  // namespace fieldwarden::supervisor
