// What rules are judged by: the state of tasks, devices, watched points and the disk at one moment. Views
// into what the supervisor's loop owns; good for one evaluation.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/sample.h"
#include "proto/shapes.h"
#include "supervisor/alerts/alert_rule.h"

namespace fieldwarden::supervisor {

struct DeviceFact {
    std::string_view device_code;
    bool known = true;  // the worker of now has said something about it: the rest means something
    bool connected = false;
    MonoTime away_since{};  // when not connected
    std::string_view last_error;
};

struct TaskFact {
    std::string_view task_code;
    proto::ProcessState state = proto::ProcessState::kStopped;
    bool awaits_configuration = false;  // only a changed configuration helps
    std::string_view last_error;
    std::uint32_t restart_count = 0;  // in its session
    // Since when a running task has had no good data; unset while that is not known or not to be expected.
    std::optional<MonoTime> no_data_since;
    milliseconds connection_timeout{60'000};
    milliseconds data_timeout{120'000};
    bool reported = false;  // the worker of now has sent a heartbeat: the next four are known
    std::uint64_t spool_pending = 0;
    std::uint64_t spool_bytes = 0;
    std::uint64_t spool_limit = 0;  // bytes
    std::uint64_t retrying = 0;     // samples in a delivery that failed
    // The sinks that do not take them, and why; empty for a worker of an older build.
    struct SinkTrouble {
        std::string_view sink_code;
        std::string_view error;
    };
    std::vector<SinkTrouble> sinks;
    // The sinks with dead letters on disk, and why the newest was refused.
    struct DeadLetters {
        std::string_view sink_code;
        std::uint64_t samples = 0;
        std::string_view reason;
    };
    std::vector<DeadLetters> dead_letters;
    // Recovery found that only a person can help, and why.
    bool operator_needed = false;
    std::string_view operator_cause;
    std::string_view operator_category;  // an error category
    std::string_view operator_advice;
    std::vector<DeviceFact> devices;
};

struct DiskFact {
    double free_mb = 0;
    double free_percent = 100;
};

struct AlertFacts {
    std::vector<TaskFact> tasks;  // by task code
    std::optional<DiskFact> disk;
    // Newest samples, in the order of AlertEngine::point_ids().
    std::span<const std::optional<Sample>> samples;
};

// A condition as one rule sees one subject. Unknown holds an alert as it is: neither what starts it nor what
// ends it moves on.
enum class Condition : std::uint8_t { kClear, kActive, kUnknown };

struct Reading {
    Condition condition = Condition::kUnknown;
    // Since when, where the facts know it; otherwise it counts from the first time it was seen.
    std::optional<MonoTime> since;
    milliseconds hold{0};  // how long it must last to be an alert
    std::string value;     // filled only when active
    std::string detail;
    // When other ones than the kind's fit.
    std::string_view error_type;
    std::string_view suggested_action;
    proto::Json context;  // an object once something is in it
};

// How the last restarts of one task went; kept by the engine.
struct RestartMemory {
    std::uint32_t seen = 0;
    bool known = false;
    std::vector<MonoTime> last;  // the newest `count` restarts, oldest first
};

// One point under one rule; kept by the engine.
struct PointMemory {
    bool known = false;  // a value has been seen
    bool was_bad = false;
    Value value;
    UtcTime sample_time{};
    MonoTime changed_at{};  // of the value
    MonoTime sampled_at{};  // when sample_time was first seen
    Condition rate = Condition::kUnknown;
    double per_second = 0;
};

// `open`: an alert of this rule and subject is open (hysteresis). Pure, but for the memory given.
Reading read_task(const AlertRule& rule, const TaskFact& task, RestartMemory* restarts, MonoTime now);
Reading read_device(const AlertRule& rule, const TaskFact& task, const DeviceFact& device);
Reading read_disk(const AlertRule& rule, const DiskFact& disk);
Reading read_point(const AlertRule& rule, const std::optional<Sample>& sample, PointMemory& memory, bool open,
                   MonoTime now);

}  // namespace fieldwarden::supervisor
