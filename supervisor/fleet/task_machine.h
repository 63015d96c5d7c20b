// The life of one task as a pure function: (state, event, now) → (state, actions, decisions).
//
// The states are those of CONTRACT 5. task_machine.cpp holds the one table of state × event. Nothing here
// knows processes, sockets or clocks; the supervisor performs the actions and feeds back what became of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "proto/shapes.h"
#include "supervisor/fleet/restart_policy.h"
#include "supervisor/settings.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

enum class TaskEventKind : std::uint8_t {
    kStart,          // a person, the schedule or the supervisor's own start wants it to run
    kStop,           // a person wants it to stop
    kPause,          //
    kResume,         //
    kRestart,        // stop, then start as a new session
    kShutdown,       // the supervisor leaves: stop, but what is desired stays as it is
    kSpawned,        // the launch that was asked for has given a process
    kSpawnFailed,    // … or could not
    kAdopted,        // a process of an earlier supervisor still runs this task
    kReady,          // the worker has applied its configuration and acquires (or, paused, would)
    kCompleted,      // the worker reached its run limit and is about to leave
    kExited,         // the process is gone
    kDeadline,       // TaskState::deadline has passed
    kUnhealthy,      // a health check wants the process ended and restarted
    kConfigChanged,  // the task's configuration is another one now
};
inline constexpr std::size_t kTaskEventCount = 15;

// Why a process ended, as far as the machine needs to know.
struct Death {
    enum class Kind : std::uint8_t {
        kUnexpected,        // a signal, an internal error, or leaving without having been told
        kStartup,           // gone or silent before it was ready
        kBadConfiguration,  // exit code kBadConfiguration
        kSpoolInUse,        // exit code kSpoolInUse: another worker of this task is alive
        kUnreachable,       // exit code kUnreachable
    };
    Kind kind = Kind::kUnexpected;
    milliseconds uptime{0};
    std::string text = {};   // "killed by signal 9 (Killed)", "exit code 70 (internal error)"
    std::string crash = {};  // tail of the crash file
};

struct TaskEvent {
    TaskEventKind kind = TaskEventKind::kStart;
    std::string cause = {};  // who or what asked: "alice", "no heartbeat for 5.2 s"
    bool paused = false;     // kStart: start paused; kReady: the worker was told to be paused
    Death death = {};        // kExited, kSpawnFailed
    double random = 0;       // uniform in [0, 1): jitter of the restart delay
};

// How far the end of the process has been driven.
enum class Ending : std::uint8_t { kNone, kAsked, kTerminated, kKilled };

struct TaskState {
    proto::ProcessState state = proto::ProcessState::kStopped;
    DesiredState desired = DesiredState::kStopped;  // survives the supervisor
    bool has_process = false;
    Ending ending = Ending::kNone;
    bool start_again = false;           // STOPPING: a new session follows
    bool completed = false;             // the worker announced that its run limit is reached
    bool awaits_configuration = false;  // CRASHED: only a changed configuration or a person starts it
    bool on_probation = false;          // slow retry: the next early death goes straight back to CRASHED
    std::string kill_cause;             // why it was killed by us, until it is gone
    bool timed_out = false;             // … and whether that was a timeout
    DeathHistory deaths;
    std::optional<MonoTime> deadline;  // of what it means, see the table's row kDeadline

    bool operator==(const TaskState&) const = default;
};

struct MachineAction {
    enum class Kind : std::uint8_t {
        kOpenSession,
        kCloseSession,  // with `end` and `text`
        kLaunch,        // queued behind the spawn rate; answered by kSpawned or kSpawnFailed
        kCancelLaunch,
        kSendStop,   // over the link; SIGTERM when the worker has not said Hello
        kTerminate,  // SIGTERM to the process
        kKill,       // SIGKILL to its group
        kSendPause,
        kSendResume,
        kSaveDesired,
        kEndStray,  // find and end the other worker that holds this task's spool
    };
    Kind kind = Kind::kLaunch;
    proto::SessionState end = proto::SessionState::kStopped;
    std::string text = {};
};

// What was decided and why: becomes a LogEntry under the session's execution_start.
struct Decision {
    proto::LogType type = proto::LogType::kStrategyChange;
    proto::ExecutionPhase phase = proto::ExecutionPhase::kRetry;
    proto::LogLevel level = proto::LogLevel::kInfo;
    std::string message;
    std::string exception_info = {};
    std::optional<proto::RetryContext> retry = {};
};

struct MachineSettings {
    milliseconds start_timeout{15'000};
    milliseconds stop_grace{5'000};
    milliseconds term_grace{2'000};
    RestartSettings restart;
};

struct Step {
    TaskState next;
    // In the order in which they are to be done; a decision belongs to the session open at its place.
    struct Effect {
        std::optional<MachineAction> action;
        std::optional<Decision> decision;
    };
    std::vector<Effect> effects;
    // Set for a request that does not fit the state: nothing changes, and this says why (for the 409).
    std::optional<std::string> refused;
};

Step step(const TaskState& state, const TaskEvent& event, MonoTime now, const MachineSettings& settings);

// The session state that goes with a process state while the session is open.
proto::SessionState session_state(const TaskState& state);

}  // namespace fieldwarden::supervisor
