// Control: everything the gateway may ask of the running supervisor. The supervisor implements it by posting
// to its loop and waiting for the answer; the gateway's tests implement it with a fake.
//
// Threads. Every method is thread safe and blocks until the loop has answered (milliseconds; acquire_once and
// the probes up to their deadlines). Never call it from the supervisor's loop. Errors. kNotFound for an
// unknown task, kConflict for a wrong state (the message names the state; for a start of a running task,
// ActionError::session_id is set), kBusy when too many probes run, kUnavailable while stopping.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/task_config.h"
#include "proto/shapes.h"
#include "proto/wire.h"
#include "supervisor/dead_letters.h"
#include "supervisor/health/vitals.h"
#include "supervisor/logs/log_counters.h"
#include "supervisor/logs/log_search.h"
#include "supervisor/plant/schedule.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

enum class TaskAction : std::uint8_t { kStart, kStop, kPause, kResume, kRestart };

}  // namespace fieldwarden::supervisor

namespace fieldwarden {
template <>
struct EnumNames<supervisor::TaskAction> {
    using E = supervisor::TaskAction;
    static constexpr std::array<EnumName<E>, 5> table{{
        {E::kStart, "start"},
        {E::kStop, "stop"},
        {E::kPause, "pause"},
        {E::kResume, "resume"},
        {E::kRestart, "restart"},
    }};
};
}  // namespace fieldwarden

namespace fieldwarden::supervisor {

// The 202 of an action, or why it was refused.
struct ActionResult {
    std::int64_t task_id = 0;
    std::string task_code;
    std::optional<std::int64_t> session_id;
    std::optional<UtcTime> started_at;
    proto::SessionState status = proto::SessionState::kStopped;
    std::optional<Error> error;
};

struct AcquireResult {
    SampleBatch samples;
    double duration_ms = 0;
};

struct WriteResult {
    std::string task_code;  // whose connection was used; empty: one opened for this
    Sample read_back;
    bool confirmed = false;  // the device holds what was written
    double duration_ms = 0;
};

struct TaskProgress {
    double overall_progress =
        0;  // percent of a bounded run; 100 × good / total points of the last scan otherwise
    struct Unit {
        std::string device_code;
        std::string status;  // connected | disconnected | unknown
        std::uint32_t points_ok = 0;
        std::uint32_t points_total = 0;
        std::string last_error;
        std::uint64_t timeouts = 0;
        std::uint32_t period_factor = 1;
    };
    std::vector<Unit> units;
    std::uint64_t cycle = 0;
    double points_per_second = 0;
    std::optional<double> eta_seconds;
    std::optional<ScheduleEdge> next_edge;
};

struct ApplyResult {
    PlantPtr plant;
    std::vector<std::string> reloaded;  // running tasks that took a changed configuration
    std::vector<std::string> stopped;   // tasks that were removed while running
};

struct StoredQuestion {
    std::string task_code;
    std::string sink_code;  // empty: the first that can be asked
    std::string device_code;
    std::vector<std::string> point_codes;
    proto::QueryStore::Range range;
};

class Control {
  public:
    virtual ~Control() = default;

    // The supervisor about itself, and the fleet with it: its own issues are among those of the summary. Do
    // not block.
    [[nodiscard]] virtual SupervisorVitals vitals() const = 0;
    [[nodiscard]] virtual proto::SystemHealthSummary health_summary() const = 0;
    // The configuration in force. Never null; does not block.
    [[nodiscard]] virtual PlantPtr plant() const = 0;
    // Stores the changes and reloads the running tasks they touch; the others are not disturbed.
    virtual Result<ApplyResult> apply(const ChangeSet& changes, std::uint64_t expected_revision,
                                      const AuditEntry& audit) = 0;

    // One result per task, in the order given; a refusal is in ActionResult::error.
    virtual std::vector<ActionResult> act(TaskAction action, const std::vector<std::string>& task_codes,
                                          const Actor& actor) = 0;
    virtual Result<ActionResult> act_on_session(TaskAction action, std::int64_t session_id,
                                                const Actor& actor) = 0;
    virtual Result<AcquireResult> acquire_once(const std::string& task_code) = 0;
    virtual Result<TaskProgress> progress(const std::string& task_code) = 0;
    // Runs in a worker process of its own, bounded by the device's or sink's own timeouts and 60 s.
    virtual Result<proto::ProbeResult> test_connection(const DeviceConfig& device) = 0;
    virtual Result<proto::ProbeResult> test_storage(const SinkConfig& sink) = 0;

    // What one of the task's sinks holds of a device, by point and time; see StoredQuestion. In a worker
    // process of its own. kNotFound: no such task, or no such sink of it that can be asked.
    virtual Result<SampleBatch> stored_samples(const StoredQuestion& question) = 0;

    // Writes a point of a device, through a task that acquires it if one runs, and reads it back. `value` is
    // in engineering units. kInvalidArgument: the point is read only, the value does not fit, or the device
    // refused it; nothing was written then. Audited.
    virtual Result<WriteResult> write_point(const std::string& point_code, const Value& value,
                                            const Actor& actor) = 0;
    // One level of what a device says it holds; an empty node: its root. In a worker process of its own.
    // kInvalidArgument: its protocol has no browsing; kNotFound: no such node.
    virtual Result<proto::BrowsePage> browse(const DeviceConfig& device, const std::string& node) = 0;
    // What the drivers of a device have counted, by task that acquires it now. Empty: none does.
    using Diagnostics = std::vector<std::pair<std::string, proto::DeviceDiagnostics>>;
    virtual Result<Diagnostics> diagnostics(const std::string& device_code) = 0;

    // Searches a task's log: what its worker wrote, what its process printed and what the supervisor wrote
    // about it, in the order of time. An empty code: the supervisor's own log. Reads files, never the loop's
    // state. kInvalidArgument for a cursor of another log.
    virtual Result<LogPage> logs(const std::string& task_code, const LogQuery& query) = 0;
    // The newest of all tasks and the supervisor; without cursors.
    virtual LogPage all_logs(const LogQuery& query) = 0;
    // Records that a sink refused for good: see supervisor/dead_letters.h. Retry and clear are audited; their
    // answer has the tasks that had letters. kNotFound: no such task.
    virtual Result<DeadLetterPage> dead_letters(const DeadLetterQuery& query) = 0;
    virtual Result<std::vector<DeadLetterChange>> retry_dead_letters(const DeadLetterScope& scope,
                                                                     const Actor& actor) = 0;
    virtual Result<std::vector<DeadLetterChange>> clear_dead_letters(const DeadLetterScope& scope,
                                                                     const Actor& actor) = 0;
    // What the logs left out.
    [[nodiscard]] virtual LogCounters log_counters() const { return {}; }
};

}  // namespace fieldwarden::supervisor
