// Tasks under the supervisor: their life, their faults, what people do to them, and questions to their
// workers.
#include "tests/unit/fleet/fleet_fixture.h"

namespace fieldwarden::supervisor {
namespace {

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
    // Said by a worker that had not heard of the change yet: it goes with the next one.
    live_.put(SampleBatch{{.point = id, .time = clock_.utc_now(), .value = std::int64_t{3}}});
    ChangeSet next;
    next.of(Kind::kTask).put.push_back(task("T2", "D2", {{"task_name", "other"}}));
    ASSERT_TRUE(supervisor_->apply(next, supervisor_->plant()->revision, {}));
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

}  // namespace
}  // namespace fieldwarden::supervisor
