// The supervisor and its successor: what it leaves behind, what it takes over, and workers kept in reserve.
#include "tests/unit/fleet/fleet_fixture.h"

namespace fieldwarden::supervisor {
namespace {

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

}  // namespace
}  // namespace fieldwarden::supervisor
