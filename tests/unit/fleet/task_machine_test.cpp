#include "supervisor/fleet/task_machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace fieldwarden::supervisor {
namespace {

using proto::LogType;
using proto::ProcessState;
using proto::SessionState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using A = MachineAction::Kind;
using E = TaskEventKind;
using S = ProcessState;

const MonoTime kNow = MonoTime{} + std::chrono::hours{100};

MachineSettings settings() {
    MachineSettings s;
    s.restart.jitter = 0;
    return s;
}

// A state as the machine itself would have made it.
TaskState in(S state) {
    TaskState task;
    task.state = state;
    task.desired = DesiredState::kRunning;
    switch (state) {
        case S::kStopped:
            task.desired = DesiredState::kStopped;
            break;
        case S::kStarting:
            task.has_process = true;
            task.deadline = kNow + std::chrono::seconds{15};
            break;
        case S::kRunning:
            task.has_process = true;
            break;
        case S::kPaused:
            task.has_process = true;
            task.desired = DesiredState::kPaused;
            break;
        case S::kStopping:
            task.has_process = true;
            task.desired = DesiredState::kStopped;
            task.ending = Ending::kAsked;
            task.deadline = kNow + std::chrono::seconds{5};
            break;
        case S::kBackoff:
            task.deaths = {kNow, kNow};
            task.deadline = kNow + std::chrono::milliseconds{500};
            break;
        case S::kCrashed:
            task.deaths = {kNow, kNow, kNow, kNow};
            task.deadline = kNow + std::chrono::minutes{5};
            break;
    }
    return task;
}

std::vector<A> actions(const Step& step) {
    std::vector<A> kinds;
    for (const auto& effect : step.effects) {
        if (effect.action) kinds.push_back(effect.action->kind);
    }
    return kinds;
}
std::vector<Decision> decisions(const Step& step) {
    std::vector<Decision> found;
    for (const auto& effect : step.effects) {
        if (effect.decision) found.push_back(*effect.decision);
    }
    return found;
}
std::optional<SessionState> session_end(const Step& step) {
    for (const auto& effect : step.effects) {
        if (effect.action && effect.action->kind == A::kCloseSession) return effect.action->end;
    }
    return std::nullopt;
}

Step run(const TaskState& state, TaskEvent event) {
    return step(state, event, kNow, settings());
}
Step run(S state, E event) {
    return run(in(state), {.kind = event, .cause = "alice", .death = {.text = "killed by signal 9"}});
}

struct Row {
    S from;
    E event;
    bool refused;
    S to;
    std::vector<A> actions;
};

constexpr std::array kStates{S::kStopped,  S::kStarting, S::kRunning, S::kPaused,
                             S::kStopping, S::kBackoff,  S::kCrashed};

// Every state × event, one line each.
const std::vector<Row> kRows{
    {S::kStopped, E::kStart, false, S::kStarting, {A::kSaveDesired, A::kOpenSession, A::kLaunch}},
    {S::kStarting, E::kStart, true, S::kStarting, {}},
    {S::kRunning, E::kStart, true, S::kRunning, {}},
    {S::kPaused, E::kStart, true, S::kPaused, {}},
    {S::kStopping, E::kStart, false, S::kStopping, {A::kSaveDesired}},
    {S::kBackoff, E::kStart, false, S::kStarting, {A::kLaunch}},
    {S::kCrashed, E::kStart, false, S::kStarting, {A::kOpenSession, A::kLaunch}},

    {S::kStopped, E::kStop, true, S::kStopped, {}},
    {S::kStarting, E::kStop, false, S::kStopping, {A::kSaveDesired, A::kSendStop}},
    {S::kRunning, E::kStop, false, S::kStopping, {A::kSaveDesired, A::kSendStop}},
    {S::kPaused, E::kStop, false, S::kStopping, {A::kSaveDesired, A::kSendStop}},
    {S::kStopping, E::kStop, false, S::kStopping, {}},
    {S::kBackoff, E::kStop, false, S::kStopped, {A::kSaveDesired, A::kCloseSession}},
    {S::kCrashed, E::kStop, false, S::kStopped, {A::kSaveDesired}},

    {S::kStopped, E::kPause, true, S::kStopped, {}},
    {S::kStarting, E::kPause, false, S::kStarting, {A::kSaveDesired}},
    {S::kRunning, E::kPause, false, S::kPaused, {A::kSaveDesired, A::kSendPause}},
    {S::kPaused, E::kPause, true, S::kPaused, {}},
    {S::kStopping, E::kPause, true, S::kStopping, {}},
    {S::kBackoff, E::kPause, false, S::kBackoff, {A::kSaveDesired}},
    {S::kCrashed, E::kPause, true, S::kCrashed, {}},

    {S::kStopped, E::kResume, true, S::kStopped, {}},
    {S::kStarting, E::kResume, false, S::kStarting, {}},
    {S::kRunning, E::kResume, true, S::kRunning, {}},
    {S::kPaused, E::kResume, false, S::kRunning, {A::kSaveDesired, A::kSendResume}},
    {S::kStopping, E::kResume, true, S::kStopping, {}},
    {S::kBackoff, E::kResume, false, S::kBackoff, {}},
    {S::kCrashed, E::kResume, true, S::kCrashed, {}},

    {S::kStopped, E::kRestart, false, S::kStarting, {A::kSaveDesired, A::kOpenSession, A::kLaunch}},
    {S::kStarting, E::kRestart, false, S::kStopping, {A::kSendStop}},
    {S::kRunning, E::kRestart, false, S::kStopping, {A::kSendStop}},
    {S::kPaused, E::kRestart, false, S::kStopping, {A::kSendStop}},
    {S::kStopping, E::kRestart, false, S::kStopping, {A::kSaveDesired}},
    {S::kBackoff, E::kRestart, false, S::kStarting, {A::kLaunch}},
    {S::kCrashed, E::kRestart, false, S::kStarting, {A::kOpenSession, A::kLaunch}},

    {S::kStopped, E::kShutdown, false, S::kStopped, {}},
    {S::kStarting, E::kShutdown, false, S::kStopping, {A::kSendStop}},
    {S::kRunning, E::kShutdown, false, S::kStopping, {A::kSendStop}},
    {S::kPaused, E::kShutdown, false, S::kStopping, {A::kSendStop}},
    {S::kStopping, E::kShutdown, false, S::kStopping, {}},
    {S::kBackoff, E::kShutdown, false, S::kStopped, {A::kCloseSession}},
    {S::kCrashed, E::kShutdown, false, S::kStopped, {}},

    {S::kStopped, E::kSpawned, false, S::kStopping, {A::kKill}},
    {S::kStarting, E::kSpawned, false, S::kStarting, {}},
    {S::kRunning, E::kSpawned, false, S::kRunning, {}},
    {S::kPaused, E::kSpawned, false, S::kPaused, {}},
    {S::kStopping, E::kSpawned, false, S::kStopping, {A::kKill}},
    {S::kBackoff, E::kSpawned, false, S::kStopping, {A::kKill}},
    {S::kCrashed, E::kSpawned, false, S::kStopping, {A::kKill}},

    {S::kStopped, E::kSpawnFailed, false, S::kStopped, {}},
    {S::kStarting, E::kSpawnFailed, false, S::kStarting, {A::kLaunch}},  // the first retry is at once
    {S::kRunning, E::kSpawnFailed, false, S::kRunning, {}},
    {S::kPaused, E::kSpawnFailed, false, S::kPaused, {}},
    {S::kStopping, E::kSpawnFailed, false, S::kStopped, {A::kCloseSession}},
    {S::kBackoff, E::kSpawnFailed, false, S::kBackoff, {}},
    {S::kCrashed, E::kSpawnFailed, false, S::kCrashed, {}},

    {S::kStopped, E::kAdopted, false, S::kStarting, {}},
    {S::kStarting, E::kAdopted, false, S::kStarting, {}},
    {S::kRunning, E::kAdopted, false, S::kRunning, {}},
    {S::kPaused, E::kAdopted, false, S::kPaused, {}},
    {S::kStopping, E::kAdopted, false, S::kStopping, {}},
    {S::kBackoff, E::kAdopted, false, S::kBackoff, {}},
    {S::kCrashed, E::kAdopted, false, S::kCrashed, {}},

    {S::kStopped, E::kReady, false, S::kStopped, {}},
    {S::kStarting, E::kReady, false, S::kRunning, {}},
    {S::kRunning, E::kReady, false, S::kRunning, {}},
    {S::kPaused, E::kReady, false, S::kPaused, {A::kSendPause}},  // it says it is not paused
    {S::kStopping, E::kReady, false, S::kStopping, {}},
    {S::kBackoff, E::kReady, false, S::kBackoff, {}},
    {S::kCrashed, E::kReady, false, S::kCrashed, {}},

    {S::kStopped, E::kCompleted, false, S::kStopped, {}},
    {S::kStarting, E::kCompleted, false, S::kStopping, {A::kSaveDesired}},
    {S::kRunning, E::kCompleted, false, S::kStopping, {A::kSaveDesired}},
    {S::kPaused, E::kCompleted, false, S::kStopping, {A::kSaveDesired}},
    {S::kStopping, E::kCompleted, false, S::kStopping, {}},
    {S::kBackoff, E::kCompleted, false, S::kBackoff, {}},
    {S::kCrashed, E::kCompleted, false, S::kCrashed, {}},

    {S::kStopped, E::kExited, false, S::kStopped, {}},
    {S::kStarting, E::kExited, false, S::kStarting, {A::kLaunch}},
    {S::kRunning, E::kExited, false, S::kStarting, {A::kLaunch}},
    {S::kPaused, E::kExited, false, S::kStarting, {A::kLaunch}},
    {S::kStopping, E::kExited, false, S::kStopped, {A::kCloseSession}},
    {S::kBackoff, E::kExited, false, S::kBackoff, {}},
    {S::kCrashed, E::kExited, false, S::kCrashed, {}},

    {S::kStopped, E::kDeadline, false, S::kStopped, {}},
    {S::kStarting, E::kDeadline, false, S::kStarting, {A::kKill}},
    {S::kRunning, E::kDeadline, false, S::kRunning, {}},
    {S::kPaused, E::kDeadline, false, S::kPaused, {}},
    {S::kStopping, E::kDeadline, false, S::kStopping, {A::kTerminate}},
    {S::kBackoff, E::kDeadline, false, S::kStarting, {A::kLaunch}},
    {S::kCrashed, E::kDeadline, false, S::kStarting, {A::kOpenSession, A::kLaunch}},

    {S::kStopped, E::kUnhealthy, false, S::kStopped, {}},
    {S::kStarting, E::kUnhealthy, false, S::kStarting, {A::kKill}},
    {S::kRunning, E::kUnhealthy, false, S::kRunning, {A::kKill}},
    {S::kPaused, E::kUnhealthy, false, S::kPaused, {A::kKill}},
    {S::kStopping, E::kUnhealthy, false, S::kStopping, {}},
    {S::kBackoff, E::kUnhealthy, false, S::kBackoff, {}},
    {S::kCrashed, E::kUnhealthy, false, S::kCrashed, {}},

    {S::kStopped, E::kConfigChanged, false, S::kStopped, {}},
    {S::kStarting, E::kConfigChanged, false, S::kStarting, {}},
    {S::kRunning, E::kConfigChanged, false, S::kRunning, {}},
    {S::kPaused, E::kConfigChanged, false, S::kPaused, {}},
    {S::kStopping, E::kConfigChanged, false, S::kStopping, {}},
    {S::kBackoff, E::kConfigChanged, false, S::kStarting, {A::kLaunch}},
    {S::kCrashed, E::kConfigChanged, false, S::kStarting, {A::kOpenSession, A::kLaunch}},
};

TEST(TaskMachine, EveryStateAndEvent) {
    std::map<std::pair<S, E>, int> seen;
    for (const auto& row : kRows) {
        const auto out = run(row.from, row.event);
        const auto where = testing::Message()
                           << to_name(row.from) << " × event " << static_cast<int>(row.event);
        EXPECT_EQ(out.refused.has_value(), row.refused) << where;
        EXPECT_EQ(out.next.state, row.to) << where;
        EXPECT_EQ(actions(out), row.actions) << where;
        if (row.refused) {
            EXPECT_EQ(out.next, in(row.from)) << where << ": a refusal changes nothing";
        }
        ++seen[{row.from, row.event}];
    }
    EXPECT_EQ(seen.size(), kStates.size() * kTaskEventCount) << "the list above misses a pair";
}

// Whatever happens in whatever order, these hold.
TEST(TaskMachine, InvariantsHoldOverLongRandomRuns) {
    std::uint64_t seed = 12345;
    const auto next_random = [&] {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        return seed >> 33U;
    };
    for (int run_number = 0; run_number < 300; ++run_number) {
        TaskState task;
        bool session = false;
        auto now = kNow;
        for (int i = 0; i < 200; ++i) {
            const auto kind = static_cast<E>(next_random() % kTaskEventCount);
            // Events that the process seam cannot produce in this state are not produced.
            if (kind == E::kExited && !task.has_process) continue;
            if (kind == E::kSpawned && (task.has_process || task.state != S::kStarting)) continue;
            if (kind == E::kSpawnFailed && (task.has_process || task.state != S::kStarting)) continue;
            if ((kind == E::kReady || kind == E::kCompleted) && !task.has_process) continue;
            if (kind == E::kAdopted && i > 0) continue;
            if (kind == E::kDeadline && !task.deadline) continue;
            now += std::chrono::milliseconds{next_random() % 20'000};
            TaskEvent event{.kind = kind, .cause = "test"};
            event.death.kind = static_cast<Death::Kind>(next_random() % 5);
            event.death.uptime = milliseconds{next_random() % 100'000};
            if (kind == E::kAdopted) session = true;
            const auto out = step(task, event, now, settings());
            for (const auto& effect : out.effects) {
                if (effect.decision) {
                    EXPECT_TRUE(session) << "a decision without a session to stand in";
                }
                if (!effect.action) continue;
                if (effect.action->kind == A::kOpenSession) {
                    EXPECT_FALSE(session) << "two sessions of one task";
                    session = true;
                } else if (effect.action->kind == A::kCloseSession) {
                    EXPECT_TRUE(session);
                    session = false;
                } else if (effect.action->kind == A::kLaunch) {
                    EXPECT_FALSE(out.next.has_process) << "two workers of one task";
                }
            }
            task = out.next;
            const bool idle = task.state == S::kStopped || task.state == S::kCrashed;
            EXPECT_EQ(session, !idle) << to_name(task.state) << " after event " << static_cast<int>(kind);
            const bool needs_process = task.state == S::kRunning || task.state == S::kPaused;
            EXPECT_FALSE(task.has_process && (idle || task.state == S::kBackoff));
            EXPECT_TRUE(task.has_process || !needs_process);
            EXPECT_TRUE(task.deadline.has_value() || task.state != S::kBackoff);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(TaskMachine, DeathsLeadThroughBackoffToCrashed) {
    auto task = in(S::kRunning);
    std::vector<S> path;
    for (int i = 0; i < 4; ++i) {
        auto out = run(task, {.kind = E::kExited, .death = {.text = "killed by signal 11"}});
        path.push_back(out.next.state);
        if (i == 3) {
            EXPECT_EQ(session_end(out), SessionState::kError);
            ASSERT_EQ(decisions(out).size(), 1U);
            const auto entry = decisions(out).front();
            EXPECT_EQ(entry.type, LogType::kException);
            EXPECT_EQ(entry.phase, proto::ExecutionPhase::kFinal);
            EXPECT_THAT(entry.message, HasSubstr("killed by signal 11"));
            EXPECT_THAT(entry.message, HasSubstr("4 deaths within 5m"));
            EXPECT_EQ(entry.retry->strategy_name, "alert_operator");
            EXPECT_EQ(out.next.deadline, kNow + std::chrono::minutes{5});
            break;
        }
        EXPECT_EQ(decisions(out).front().type, LogType::kRetryAttempt);
        EXPECT_EQ(decisions(out).front().retry->attempt_number, static_cast<unsigned>(i + 1));
        task = out.next;
        if (task.state == S::kBackoff) task = run(task, {.kind = E::kDeadline}).next;
        task = run(task, {.kind = E::kSpawned}).next;
        task = run(task, {.kind = E::kReady}).next;
        EXPECT_EQ(task.state, S::kRunning);
    }
    EXPECT_THAT(path, ElementsAre(S::kStarting, S::kBackoff, S::kBackoff, S::kCrashed));
}

TEST(TaskMachine, AFailedSlowRetryGoesStraightBackToCrashed) {
    auto task = run(S::kCrashed, E::kDeadline).next;
    task = run(task, {.kind = E::kSpawned}).next;
    const auto out = step(task, {.kind = E::kExited, .death = {.uptime = milliseconds{100}}},
                          kNow + std::chrono::minutes{10}, settings());
    EXPECT_EQ(out.next.state, S::kCrashed);
    EXPECT_TRUE(out.next.deadline.has_value());
}

TEST(TaskMachine, CrashedForeverWhenSlowRetriesAreOff) {
    auto s = settings();
    s.restart.max_attempts = 0;
    s.restart.crashed_retry_interval = milliseconds{0};
    const auto out = step(in(S::kRunning), {.kind = E::kExited}, kNow, s);
    EXPECT_EQ(out.next.state, S::kCrashed);
    EXPECT_FALSE(out.next.deadline.has_value());
}

TEST(TaskMachine, BadConfigurationWaitsForAChange) {
    auto out =
        run(in(S::kStarting),
            {.kind = E::kExited, .death = {.kind = Death::Kind::kBadConfiguration, .text = "exit code 78"}});
    EXPECT_EQ(out.next.state, S::kCrashed);
    EXPECT_TRUE(out.next.awaits_configuration);
    EXPECT_FALSE(out.next.deadline.has_value()) << "not retried by time";
    EXPECT_EQ(decisions(out).front().retry->error_category, proto::ErrorCategory::kConfigurationError);
    out = run(out.next, {.kind = E::kConfigChanged});
    EXPECT_THAT(actions(out), ElementsAre(A::kOpenSession, A::kLaunch));
    EXPECT_FALSE(out.next.awaits_configuration);
}

TEST(TaskMachine, ASpoolInUseEndsTheOtherWorker) {
    const auto out = run(in(S::kStarting), {.kind = E::kExited, .death = {.kind = Death::Kind::kSpoolInUse}});
    EXPECT_THAT(actions(out), ElementsAre(A::kEndStray, A::kLaunch));
}

TEST(TaskMachine, AStartByHandForgetsTheDeaths) {
    EXPECT_THAT(run(S::kBackoff, E::kStart).next.deaths, IsEmpty());
    EXPECT_THAT(run(S::kCrashed, E::kStart).next.deaths, IsEmpty());
}

TEST(TaskMachine, StopEscalatesFromAskingToKilling) {
    auto task = run(S::kRunning, E::kStop).next;
    EXPECT_EQ(task.deadline, kNow + settings().stop_grace + milliseconds{500});
    auto out = run(task, {.kind = E::kDeadline});
    EXPECT_THAT(actions(out), ElementsAre(A::kTerminate));
    EXPECT_EQ(out.next.deadline, kNow + settings().term_grace);
    out = run(out.next, {.kind = E::kDeadline});
    EXPECT_THAT(actions(out), ElementsAre(A::kKill));
    EXPECT_FALSE(out.next.deadline.has_value());
    out = run(out.next, {.kind = E::kExited, .death = {.text = "killed by signal 9"}});
    EXPECT_EQ(session_end(out), SessionState::kStopped);
    EXPECT_THAT(decisions(out).front().message, HasSubstr("ended by a signal"));
    EXPECT_EQ(decisions(out).front().level, proto::LogLevel::kWarning);
}

TEST(TaskMachine, RestartOpensANewSessionOnceTheOldOneHasEnded) {
    auto out = run(S::kRunning, E::kRestart);
    EXPECT_EQ(out.next.desired, DesiredState::kRunning);
    out = run(out.next, {.kind = E::kExited});
    EXPECT_THAT(actions(out), ElementsAre(A::kCloseSession, A::kOpenSession, A::kLaunch));
    EXPECT_EQ(out.next.state, S::kStarting);
    // A stop in between takes the start back.
    out = run(run(S::kRunning, E::kRestart).next, {.kind = E::kStop});
    out = run(out.next, {.kind = E::kExited});
    EXPECT_EQ(out.next.state, S::kStopped);
}

TEST(TaskMachine, AStopBeforeTheLaunchNeedsNoProcess) {
    auto queued = in(S::kStarting);
    queued.has_process = false;
    queued.deadline.reset();
    const auto out = run(queued, {.kind = E::kStop});
    EXPECT_THAT(actions(out), ElementsAre(A::kSaveDesired, A::kCancelLaunch, A::kCloseSession));
    EXPECT_EQ(out.next.state, S::kStopped);
}

TEST(TaskMachine, ShutdownKeepsWhatIsDesired) {
    EXPECT_EQ(run(S::kRunning, E::kShutdown).next.desired, DesiredState::kRunning);
    EXPECT_EQ(run(S::kPaused, E::kShutdown).next.desired, DesiredState::kPaused);
}

TEST(TaskMachine, PausedTasksComeBackPaused) {
    auto out = run(in(S::kStopped), {.kind = E::kStart, .paused = true});
    EXPECT_EQ(out.next.desired, DesiredState::kPaused);
    out = run(out.next, {.kind = E::kSpawned});
    out = run(out.next, {.kind = E::kReady, .paused = true});
    EXPECT_EQ(out.next.state, S::kPaused);
    EXPECT_THAT(actions(out), IsEmpty()) << "the worker was told with its welcome";
    // A crash does not forget it.
    out = run(out.next, {.kind = E::kExited});
    EXPECT_EQ(out.next.desired, DesiredState::kPaused);
}

TEST(TaskMachine, APauseDuringTheStartIsSentWhenReady) {
    auto out = run(S::kStarting, E::kPause);
    out = run(out.next, {.kind = E::kReady, .paused = false});
    EXPECT_EQ(out.next.state, S::kPaused);
    EXPECT_THAT(actions(out), ElementsAre(A::kSendPause));
}

TEST(TaskMachine, CompletionEndsTheSessionAsCompletedAndForGood) {
    auto out = run(S::kRunning, E::kCompleted);
    EXPECT_EQ(out.next.desired, DesiredState::kStopped);
    out = run(out.next, {.kind = E::kExited, .death = {.text = "exit code 0 (done)"}});
    EXPECT_EQ(session_end(out), SessionState::kCompleted);
    EXPECT_EQ(out.next.state, S::kStopped);
}

TEST(TaskMachine, AHungWorkerIsKilledAndRestartedAsATimeout) {
    auto s = settings();
    s.restart.max_attempts = 0;
    auto out = run(in(S::kRunning), {.kind = E::kUnhealthy, .cause = "hung: no heartbeat for 6.0 s"});
    EXPECT_THAT(actions(out), ElementsAre(A::kKill));
    EXPECT_THAT(actions(run(out.next, {.kind = E::kUnhealthy, .cause = "again"})), IsEmpty()) << "once";
    out = step(out.next, {.kind = E::kExited, .death = {.text = "killed by signal 9"}}, kNow, s);
    EXPECT_EQ(decisions(out).front().type, LogType::kTimeout);
    EXPECT_THAT(decisions(out).front().message, HasSubstr("hung: no heartbeat for 6.0 s"));
}

TEST(TaskMachine, SlowToStartIsKilledAndCountsAsADeath) {
    auto out = run(S::kStarting, E::kDeadline);
    EXPECT_THAT(actions(out), ElementsAre(A::kKill));
    // Its Ready, sent a moment too late, does not make it run.
    out = run(out.next, {.kind = E::kReady});
    EXPECT_EQ(out.next.state, S::kStarting);
    out = run(out.next, {.kind = E::kExited});
    EXPECT_THAT(decisions(out).front().message, HasSubstr("not ready within 15s"));
    EXPECT_EQ(out.next.deaths.size(), 1U);
}

TEST(TaskMachine, SessionStatesFollowTheProcess) {
    const std::map<S, SessionState> expected{
        {S::kStopped, SessionState::kStopped},   {S::kStarting, SessionState::kStarting},
        {S::kRunning, SessionState::kRunning},   {S::kPaused, SessionState::kPaused},
        {S::kStopping, SessionState::kStopping}, {S::kBackoff, SessionState::kStarting},
        {S::kCrashed, SessionState::kError},
    };
    for (const auto& [state, session] : expected) EXPECT_EQ(session_state(in(state)), session);
}

}  // namespace
}  // namespace fieldwarden::supervisor
