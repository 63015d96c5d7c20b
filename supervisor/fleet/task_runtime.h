// TaskRuntime: everything the supervisor knows about one task while it runs, and the shapes of CONTRACT 5
// made from it. Owned by the loop thread.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/secrets.h"
#include "common/task_config.h"
#include "proto/shapes.h"
#include "proto/wire.h"
#include "supervisor/control.h"
#include "supervisor/fleet/fleet_link.h"
#include "supervisor/fleet/process.h"
#include "supervisor/fleet/sampler.h"
#include "supervisor/fleet/task_machine.h"
#include "supervisor/health/checks.h"
#include "supervisor/health/frequency.h"
#include "supervisor/health/recovery.h"
#include "supervisor/plant/kept_config.h"
#include "supervisor/plant/schedule.h"
#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor {

using TaskConfigPtr = KeptConfigPtr;

// How many errors happened in the last minutes and hours, in bounded memory: one counter a minute.
class ErrorWindow {
  public:
    void add(UtcTime now, std::uint64_t count = 1);
    [[nodiscard]] std::uint64_t within(std::chrono::minutes window, UtcTime now) const;

  private:
    std::deque<std::pair<std::int64_t, std::uint64_t>> minutes_;  // minute since the epoch → errors
};

// The open session and what its counters were when the present process started.
struct SessionTrack {
    SessionRow row;
    std::int64_t start_entry = 0;  // id of its execution_start: parent of its other entries
    std::uint32_t launches = 0;
    std::uint64_t read_before = 0;
    std::uint64_t good_before = 0;
    std::uint64_t delivered_before = 0;
    std::uint64_t errors_before = 0;
    MonoTime saved_at{};
    StatusBus::Topic topic;  // session.<id>
};

struct ExitNotice {
    ExitStatus status;
    MonoTime at{};
};

// The worker process of the moment.
struct WorkerTrack {
    struct Device {
        proto::ConnectionStatus status;
        std::optional<MonoTime> away_since;
        DeviceFrequency frequency;
    };

    WorkerId id = 0;
    std::unique_ptr<Process> process;
    std::string launch_key;
    UtcTime started_at{};
    MonoTime since{};  // when it took the task: later than its process's own start if it was a spare
    bool adopted = false;
    std::uint64_t crash_offset = 0;  // where this process's part of the crash file begins
    std::uint64_t config_revision = 0;
    bool told_paused = false;        // what the last Welcome, Pause or Resume said
    bool finished = false;           // it has said Finished
    std::string farewell;            // … and why
    std::optional<ExitNotice> exit;  // it is gone; its last words may still be under way
    std::optional<MonoTime> ready_at;
    std::optional<proto::Heartbeat> beat;
    MonoTime beat_at{};
    UtcTime beat_time{};
    MonoTime progress_at{};
    std::optional<MonoTime> good_at;
    double points_per_second = 0;
    double error_rate = 0;
    std::map<std::string, Device> devices;
    ResourceSampler sampler;
    ResourceUsage usage;
    std::uint32_t open_descriptors = 0;
    ProcessLimits limits;
    std::optional<std::uint64_t> memory_kills;  // of its cgroup before it started; nullopt: none
    std::optional<MonoTime> sampled_at;
};

struct TaskRuntime {
    std::string code;
    std::int64_t id = 0;
    std::string protocol;  // of its devices, or "mixed"
    TaskConfigPtr config;  // null until the task was first wanted
    bool removed = false;  // no longer configured; forgotten once it has stopped
    TaskState machine;
    std::optional<SessionTrack> session;
    std::optional<WorkerTrack> worker;
    std::uint32_t restart_count = 0;
    std::string last_error;
    SecretMask secrets;                // of every configuration it had: an old one may still be said
    std::uint64_t lines_not_sent = 0;  // by the worker, not told yet
    MonoTime not_sent_told_at{};
    ErrorWindow errors;
    std::optional<proto::PerformanceMetrics> performance;  // at the last heartbeat
    // By sink, over all processes of the task since this supervisor began. Of a sink that is taken away it is
    // forgotten.
    std::map<std::string, proto::DeliveryAges> delivery_ages;

    HealthThresholds thresholds;
    std::vector<proto::HealthCheckResult> health;
    int health_score = 100;
    MonoTime health_due{};
    std::array<RecoveryHistory, kTroubleCount> recovery;  // by Trouble

    std::optional<Schedule> schedule;
    Zone zone = nullptr;  // of the schedule; never null with one
    std::optional<ScheduleEdge> next_edge;
    std::uint32_t start_order = 100;  // among tasks that start together
    bool slow_down = true;            // devices that keep timing out

    bool status_changed = true;
    MonoTime status_due{};
    StatusBus::Topic status_topic;       // process_status.<code>
    StatusBus::Topic performance_topic;  // performance.<code>

    // Codes of the points by rising number, for `data.<task>`; filled when someone first wants them. They are
    // those of `config`.
    std::vector<std::pair<PointId, std::string_view>> point_codes;

    [[nodiscard]] bool is_active() const {
        return machine.state != proto::ProcessState::kStopped &&
               machine.state != proto::ProcessState::kCrashed;
    }
    void set_config(TaskConfigPtr new_config, const Settings& settings);
    // Takes in a heartbeat: rates, progress, data flow.
    void take_beat(proto::Heartbeat beat, MonoTime now, UtcTime time);
    void take_connection(proto::ConnectionStatus status, MonoTime now);
    // Adds the present process's counters to the session's.
    void count_into_session();
    // Of a sink the task has; empty when it has not.
    [[nodiscard]] std::string_view sink_type_of(std::string_view sink_code) const;
    // Adds what this heartbeat says of the sinks more than the last one did.
    void count_ages(const proto::Heartbeat& beat);
};

TaskFacts facts_of(const TaskRuntime& task, MonoTime now, UtcTime time);
proto::ProcessStatus process_status_of(const TaskRuntime& task, MonoTime now, UtcTime time,
                                       const std::string& command);
proto::PerformanceMetrics performance_of(const TaskRuntime& task, UtcTime time);
TaskProgress progress_of(const TaskRuntime& task, MonoTime now);
proto::Json data_json(TaskRuntime& task, const SampleBatch& samples);

}  // namespace fieldwarden::supervisor
