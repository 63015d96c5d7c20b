#include "supervisor/fleet/task_machine.h"

#include <fmt/format.h>

#include <array>

namespace fieldwarden::supervisor {

namespace {

using proto::ErrorCategory;
using proto::ExecutionPhase;
using proto::LogLevel;
using proto::LogType;
using proto::ProcessState;
using proto::SessionState;
using ActionKind = MachineAction::Kind;

// The worker leaves within its grace by itself; only one that does not is hurried.
constexpr milliseconds kStopMargin{500};

struct Context {
    TaskState& task;
    const TaskEvent& event;
    MonoTime now;
    const MachineSettings& settings;
    Step& out;

    void act(ActionKind kind) const { act(MachineAction{kind}); }
    void act(MachineAction action) const { out.effects.push_back({std::move(action), std::nullopt}); }
    void decide(Decision decision) const { out.effects.push_back({std::nullopt, std::move(decision)}); }
    void close(SessionState end, std::string text = {}) const {
        act(MachineAction{ActionKind::kCloseSession, end, std::move(text)});
    }
    void refuse(std::string why) const { out.refused = std::move(why); }
    void want(DesiredState desired) const {
        if (task.desired == desired) return;
        task.desired = desired;
        act(ActionKind::kSaveDesired);
    }
};
using Handler = void (*)(Context&);

// --- building blocks -----------------------------------------------------------------------------------

void ignore(Context&) {}

void go(Context& c, ProcessState state) {
    c.task.state = state;
    c.task.deadline.reset();
}

void forget_process(Context& c) {
    c.task.has_process = false;
    c.task.ending = Ending::kNone;
    c.task.kill_cause.clear();
    c.task.timed_out = false;
}

void launch(Context& c) {
    go(c, ProcessState::kStarting);
    c.task.awaits_configuration = false;
    c.act(ActionKind::kLaunch);
}

void open_and_launch(Context& c, const std::string& cause) {
    c.task.completed = false;
    c.task.start_again = false;
    c.act(ActionKind::kOpenSession);
    c.decide({LogType::kExecutionStart, ExecutionPhase::kInitial, LogLevel::kInfo,
              fmt::format("start requested by {}", cause)});
    launch(c);
}

void kill(Context& c, std::string cause, bool timed_out) {
    c.task.kill_cause = std::move(cause);
    c.task.timed_out = timed_out;
    c.task.ending = Ending::kKilled;
    c.act(ActionKind::kKill);
}

// --- start ---------------------------------------------------------------------------------------------

DesiredState desired_of(const TaskEvent& event) {
    return event.paused ? DesiredState::kPaused : DesiredState::kRunning;
}

void start(Context& c) {
    c.want(desired_of(c.event));
    c.task.deaths.clear();
    c.task.on_probation = false;
    open_and_launch(c, c.event.cause);
}

// BACKOFF: a person's start does not wait and forgets the deaths that led here.
void start_now(Context& c) {
    c.want(desired_of(c.event));
    c.task.deaths.clear();
    c.decide({LogType::kRetryAttempt, ExecutionPhase::kRetry, LogLevel::kInfo,
              fmt::format("start requested by {}: not waiting for the backoff; earlier deaths are forgotten",
                          c.event.cause)});
    launch(c);
}

void start_after_stop(Context& c) {
    c.want(desired_of(c.event));
    c.task.deaths.clear();
    c.task.start_again = true;
    c.decide({LogType::kStrategyChange, ExecutionPhase::kRetry, LogLevel::kInfo,
              fmt::format("start requested by {} while stopping: a new session follows", c.event.cause)});
}

void refuse_start(Context& c) {
    c.refuse(fmt::format("the task is already {}", to_name(session_state(c.task))));
}

// --- stop ----------------------------------------------------------------------------------------------

void ask_to_leave(Context& c, std::string message) {
    if (!c.task.has_process) {
        c.act(ActionKind::kCancelLaunch);
        c.decide({LogType::kSuccess, ExecutionPhase::kFinal, LogLevel::kInfo,
                  fmt::format("{}; no process was running yet", message)});
        c.close(SessionState::kStopped);
        forget_process(c);
        go(c, ProcessState::kStopped);
        if (c.task.start_again) open_and_launch(c, c.event.cause);
        return;
    }
    c.decide({LogType::kStrategyChange, ExecutionPhase::kRetry, LogLevel::kInfo,
              fmt::format("{}; the worker has {} to flush and leave", message,
                          format_duration(c.settings.stop_grace))});
    go(c, ProcessState::kStopping);
    if (c.task.ending == Ending::kNone) {
        c.task.ending = Ending::kAsked;
        c.act(ActionKind::kSendStop);
    }
    c.task.deadline = c.now + c.settings.stop_grace + kStopMargin;
}

void stop(Context& c) {
    c.want(DesiredState::kStopped);
    c.task.start_again = false;
    ask_to_leave(c, fmt::format("stop requested by {}", c.event.cause));
}

void restart(Context& c) {
    if (c.task.desired == DesiredState::kStopped) c.want(DesiredState::kRunning);
    c.task.deaths.clear();
    c.task.on_probation = false;
    c.task.start_again = true;
    ask_to_leave(c, fmt::format("restart requested by {}", c.event.cause));
}

void shut_down(Context& c) {
    c.task.start_again = false;
    ask_to_leave(c, c.event.cause);
}

// A stop while stopping only takes back a start that was to follow.
void stay_stopping(Context& c) {
    c.want(DesiredState::kStopped);
    c.task.start_again = false;
}

void drop_start_again(Context& c) {
    c.task.start_again = false;
}

void abandon_retry(Context& c) {
    c.decide({LogType::kSuccess, ExecutionPhase::kFinal, LogLevel::kInfo,
              fmt::format("stopped by {} while waiting to restart", c.event.cause)});
    c.close(SessionState::kStopped);
    go(c, ProcessState::kStopped);
}

void stop_waiting(Context& c) {
    c.want(DesiredState::kStopped);
    c.task.deaths.clear();
    abandon_retry(c);
}

// CRASHED: the session has ended already; only the slow retries end here.
void stop_retrying(Context& c) {
    c.want(DesiredState::kStopped);
    c.task.deaths.clear();
    c.task.awaits_configuration = false;
    c.task.on_probation = false;
    go(c, ProcessState::kStopped);
}

void leave_crashed(Context& c) {
    go(c, ProcessState::kStopped);
}

void refuse_not_running(Context& c) {
    c.refuse(fmt::format("the task is not running (it is {})", to_name(c.task.state)));
}

// --- pause and resume ----------------------------------------------------------------------------------

void pause(Context& c) {
    c.want(DesiredState::kPaused);
    c.act(ActionKind::kSendPause);
    c.decide({LogType::kStrategyChange, ExecutionPhase::kRetry, LogLevel::kInfo,
              fmt::format("paused by {}: connections and schedule are kept", c.event.cause)});
    go(c, ProcessState::kPaused);
}

void resume(Context& c) {
    c.want(DesiredState::kRunning);
    c.act(ActionKind::kSendResume);
    c.decide({LogType::kStrategyChange, ExecutionPhase::kRetry, LogLevel::kInfo,
              fmt::format("resumed by {}", c.event.cause)});
    go(c, ProcessState::kRunning);
}

void pause_when_ready(Context& c) {
    c.want(DesiredState::kPaused);
}
void resume_when_ready(Context& c) {
    c.want(DesiredState::kRunning);
}

void refuse_pause(Context& c) {
    c.refuse("the task is already paused");
}
void refuse_resume(Context& c) {
    c.refuse(fmt::format("the task is not paused (it is {})", to_name(c.task.state)));
}

// --- the process ---------------------------------------------------------------------------------------

void spawned(Context& c) {
    c.task.has_process = true;
    c.task.deadline = c.now + c.settings.start_timeout;
}

// A process nobody waits for any more. A task that was to run again (BACKOFF) starts anew after it.
void end_unwanted(Context& c) {
    c.task.has_process = true;
    c.task.start_again = c.task.start_again || c.task.state == ProcessState::kBackoff;
    go(c, ProcessState::kStopping);
    kill(c, "it was no longer wanted", false);
}

void adopt(Context& c) {
    go(c, ProcessState::kStarting);
    c.task.has_process = true;
    c.task.deadline = c.now + c.settings.start_timeout;
    c.decide({LogType::kStrategyChange, ExecutionPhase::kRetry, LogLevel::kInfo,
              fmt::format("adopted: {}; waiting up to {} for its report", c.event.cause,
                          format_duration(c.settings.start_timeout))});
}

// The worker and what is desired agree on pausing, whichever changed last.
void settle_pause(Context& c) {
    const bool paused = c.task.desired == DesiredState::kPaused;
    if (paused != c.event.paused) c.act(paused ? ActionKind::kSendPause : ActionKind::kSendResume);
    c.task.state = paused ? ProcessState::kPaused : ProcessState::kRunning;
}

void ready(Context& c) {
    if (c.task.ending != Ending::kNone) return;  // it was killed; its exit is on the way
    c.task.deadline.reset();
    settle_pause(c);
}

void ready_again(Context& c) {
    if (c.task.ending == Ending::kNone) settle_pause(c);
}

void complete(Context& c) {
    c.task.completed = true;
    c.want(DesiredState::kStopped);
    c.task.ending = Ending::kAsked;
    go(c, ProcessState::kStopping);
    c.task.deadline = c.now + c.settings.stop_grace + kStopMargin;
}

void mark_completed(Context& c) {
    c.task.completed = true;
}

// --- deaths --------------------------------------------------------------------------------------------

ErrorCategory category_of(const Context& c, const Death& death) {
    switch (death.kind) {
        case Death::Kind::kBadConfiguration:
            return ErrorCategory::kConfigurationError;
        case Death::Kind::kUnreachable:
            return ErrorCategory::kConnectionError;
        case Death::Kind::kStartup:
        case Death::Kind::kSpoolInUse:
            return ErrorCategory::kStartupFailure;
        case Death::Kind::kUnexpected:
            break;
    }
    return c.task.state == ProcessState::kStarting ? ErrorCategory::kStartupFailure
                                                   : ErrorCategory::kUnexpectedTermination;
}

std::string seconds_text(milliseconds duration) {
    return fmt::format("{:.1f} s", static_cast<double>(duration.count()) / 1000.0);
}

// What ended, in one sentence without its end: "worker ended after 12.3 s: killed by signal 9".
std::string death_text(const Context& c) {
    const auto& death = c.event.death;
    if (c.event.kind == TaskEventKind::kSpawnFailed) return death.text;
    if (!c.task.kill_cause.empty()) {
        return fmt::format("worker killed after {}: {}", seconds_text(death.uptime), c.task.kill_cause);
    }
    return fmt::format("worker ended after {}: {}", seconds_text(death.uptime), death.text);
}

void give_up(Context& c, LogType type, std::string message, const proto::RetryContext& retry) {
    c.decide({type, ExecutionPhase::kFinal, LogLevel::kCritical, message, c.event.death.crash, retry});
    c.close(SessionState::kError, std::move(message));
    forget_process(c);
    go(c, ProcessState::kCrashed);
}

void died(Context& c) {
    const auto& death = c.event.death;
    const auto& restart = c.settings.restart;
    const auto what = death_text(c);
    const auto type = c.task.timed_out                      ? LogType::kTimeout
                      : death.kind == Death::Kind::kStartup ? LogType::kFailure
                                                            : LogType::kException;
    proto::RetryContext retry;
    retry.strategy_name = "restart_process";
    retry.max_attempts = restart.max_attempts;
    retry.error_category = category_of(c, death);

    if (death.kind == Death::Kind::kBadConfiguration) {
        retry.strategy_name = "no_action";
        c.task.awaits_configuration = true;
        give_up(c, LogType::kFailure,
                fmt::format("{}; not restarted until the configuration changes or someone starts it", what),
                retry);
        return;
    }
    if (death.uptime >= restart.stable_period) c.task.on_probation = false;
    auto decision = after_death(std::move(c.task.deaths), death.uptime, c.now, restart, c.event.random);
    c.task.deaths = std::move(decision.history);
    retry.attempt_number = decision.attempt;
    if (decision.give_up || c.task.on_probation) {
        const bool slowly = restart.crashed_retry_interval > milliseconds{0};
        retry.strategy_name = "alert_operator";
        retry.delay_seconds = static_cast<double>(restart.crashed_retry_interval.count()) / 1000.0;
        const auto reason = c.task.on_probation
                                ? std::string{"the slow retry failed"}
                                : fmt::format("{} deaths within {}, {} allowed", decision.attempt,
                                              format_duration(restart.attempts_window), restart.max_attempts);
        give_up(c, type,
                fmt::format("{}; {}: given up, {}", what, reason,
                            slowly ? fmt::format("next slow retry in {}",
                                                 format_duration(restart.crashed_retry_interval))
                                   : std::string{"waiting for someone to start it"}),
                retry);
        if (slowly) c.task.deadline = c.now + restart.crashed_retry_interval;
        return;
    }
    retry.delay_seconds = static_cast<double>(decision.delay.count()) / 1000.0;
    c.decide({LogType::kRetryAttempt, ExecutionPhase::kRetry, LogLevel::kWarning,
              fmt::format("{}; restart {} of {} {}", what, decision.attempt, restart.max_attempts,
                          decision.delay.count() == 0 ? "at once" : "in " + seconds_text(decision.delay)),
              death.crash, retry});
    if (death.kind == Death::Kind::kSpoolInUse) c.act(ActionKind::kEndStray);
    forget_process(c);
    if (decision.delay.count() == 0) {
        launch(c);
    } else {
        go(c, ProcessState::kBackoff);
        c.task.deadline = c.now + decision.delay;
    }
}

// The exit that a stop was waiting for.
void stopped(Context& c) {
    const auto& death = c.event.death;
    const bool forced = c.task.ending == Ending::kTerminated || c.task.ending == Ending::kKilled;
    const auto end = c.task.completed ? SessionState::kCompleted : SessionState::kStopped;
    c.decide({LogType::kSuccess, ExecutionPhase::kFinal, forced ? LogLevel::kWarning : LogLevel::kInfo,
              fmt::format("{} after {}: {}{}", to_name(end), seconds_text(death.uptime), death.text,
                          forced ? "; it did not leave by itself in time and was ended by a signal" : "")});
    c.close(end);
    forget_process(c);
    go(c, ProcessState::kStopped);
    if (c.task.start_again) open_and_launch(c, "the restart");
}

void launch_not_needed(Context& c) {
    c.close(SessionState::kStopped);
    forget_process(c);
    go(c, ProcessState::kStopped);
    if (c.task.start_again) open_and_launch(c, "the restart");
}

void unhealthy(Context& c) {
    if (!c.task.has_process || c.task.ending != Ending::kNone) return;
    kill(c, c.event.cause, true);
}

// --- deadlines -----------------------------------------------------------------------------------------

void start_timed_out(Context& c) {
    c.task.deadline.reset();
    if (!c.task.has_process || c.task.ending != Ending::kNone) return;
    kill(c, fmt::format("not ready within {}", format_duration(c.settings.start_timeout)), true);
}

void hurry(Context& c) {
    switch (c.task.ending) {
        case Ending::kNone:
        case Ending::kAsked:
            c.task.ending = Ending::kTerminated;
            c.task.deadline = c.now + c.settings.term_grace;
            c.act(ActionKind::kTerminate);
            return;
        case Ending::kTerminated:
            c.task.ending = Ending::kKilled;
            c.task.deadline.reset();
            c.act(ActionKind::kKill);
            return;
        case Ending::kKilled:
            c.task.deadline.reset();
            return;
    }
}

void backoff_over(Context& c) {
    launch(c);
}

void slow_retry(Context& c) {
    c.task.on_probation = true;
    open_and_launch(c, "the slow retry of a crashed task");
}

// --- configuration -------------------------------------------------------------------------------------

void try_new_configuration(Context& c) {
    c.task.deaths.clear();
    c.decide({LogType::kRetryAttempt, ExecutionPhase::kRetry, LogLevel::kInfo,
              "the configuration changed: restarting at once"});
    launch(c);
}

void start_with_new_configuration(Context& c) {
    c.task.deaths.clear();
    c.task.on_probation = false;
    open_and_launch(c, "a changed configuration");
}

// --- the table -----------------------------------------------------------------------------------------

using Row = std::array<Handler, 7>;
// clang-format off
constexpr std::array<Row, kTaskEventCount> kTable{{
//   event           STOPPED             STARTING           RUNNING             PAUSED              STOPPING            BACKOFF                CRASHED
/* start         */ {start,              refuse_start,      refuse_start,       refuse_start,       start_after_stop,   start_now,             start},
/* stop          */ {refuse_not_running, stop,              stop,               stop,               stay_stopping,      stop_waiting,          stop_retrying},
/* pause         */ {refuse_not_running, pause_when_ready,  pause,              refuse_pause,       refuse_not_running, pause_when_ready,      refuse_not_running},
/* resume        */ {refuse_resume,      resume_when_ready, refuse_resume,      resume,             refuse_resume,      resume_when_ready,     refuse_resume},
/* restart       */ {start,              restart,           restart,            restart,            start_after_stop,   start_now,             start},
/* shutdown      */ {ignore,             shut_down,         shut_down,          shut_down,          drop_start_again,   abandon_retry,         leave_crashed},
/* spawned       */ {end_unwanted,       spawned,           ignore,             ignore,             end_unwanted,       end_unwanted,          end_unwanted},
/* spawn failed  */ {ignore,             died,              ignore,             ignore,             launch_not_needed,  ignore,                ignore},
/* adopted       */ {adopt,              ignore,            ignore,             ignore,             ignore,             ignore,                ignore},
/* ready         */ {ignore,             ready,             ready_again,        ready_again,        ignore,             ignore,                ignore},
/* completed     */ {ignore,             complete,          complete,           complete,           mark_completed,     ignore,                ignore},
/* exited        */ {ignore,             died,              died,               died,               stopped,            ignore,                ignore},
/* deadline      */ {ignore,             start_timed_out,   ignore,             ignore,             hurry,              backoff_over,          slow_retry},
/* unhealthy     */ {ignore,             unhealthy,         unhealthy,          unhealthy,          ignore,             ignore,                ignore},
/* config change */ {ignore,             ignore,            ignore,             ignore,             ignore,             try_new_configuration, start_with_new_configuration},
}};
// clang-format on

}  // namespace

Step step(const TaskState& state, const TaskEvent& event, MonoTime now, const MachineSettings& settings) {
    Step out;
    TaskState next = state;
    Context context{next, event, now, settings, out};
    const auto& row = kTable.at(static_cast<std::size_t>(event.kind));
    row.at(static_cast<std::size_t>(state.state))(context);
    out.next = std::move(next);
    return out;
}

SessionState session_state(const TaskState& state) {
    switch (state.state) {
        case ProcessState::kStarting:
        case ProcessState::kBackoff:
            return SessionState::kStarting;
        case ProcessState::kRunning:
            return SessionState::kRunning;
        case ProcessState::kPaused:
            return SessionState::kPaused;
        case ProcessState::kStopping:
            return SessionState::kStopping;
        case ProcessState::kStopped:
            return SessionState::kStopped;
        case ProcessState::kCrashed:
            return SessionState::kError;
    }
    return SessionState::kError;
}

}  // namespace fieldwarden::supervisor
