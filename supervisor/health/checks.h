// The five health checks of CONTRACT 5 as pure functions: facts about one task and thresholds in, results
// with score and recommendations out.
//
// Score. Each check gives 0 to 100. The task's score is their weighted mean (kWeights); a check without an
// opinion (unknown) does not count; a critical process_alive caps the whole at its own score, because nothing
// else matters for a process that is not there.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/options.h"
#include "proto/shapes.h"
#include "supervisor/settings.h"

namespace fieldwarden::supervisor {

struct HealthThresholds {
    milliseconds heartbeat_timeout{5'000};
    double cpu_percent = 80;
    double memory_mb = 500;
    milliseconds data_timeout{120'000};
    milliseconds connection_timeout{60'000};
    milliseconds interval{30'000};  // between two checks
    double descriptors_percent = 80;
    std::uint32_t log_errors = 50;  // within kLogErrorWindow
};
// The settings, with what the task's own options override (heartbeat_timeout, data_timeout, …).
HealthThresholds thresholds_for(const Settings& settings, const Options& task_options);

// What is known about a task at one moment. Ages are from then; unset: it never happened in this process.
struct TaskFacts {
    std::string task_code;
    proto::ProcessState state = proto::ProcessState::kStopped;
    std::uint32_t recent_deaths = 0;  // within the restart window
    std::string last_error;
    std::optional<milliseconds> uptime;         // of the process
    std::optional<milliseconds> ready_age;      // since the worker was ready (or resumed)
    std::optional<milliseconds> beat_age;       // since the last heartbeat
    std::optional<milliseconds> progress_age;   // since loop_ticks moved
    std::optional<milliseconds> good_data_age;  // since the last good sample
    milliseconds period{1000};
    double cpu_percent = 0;
    double memory_mb = 0;
    std::uint32_t open_descriptors = 0;
    std::uint32_t descriptor_limit = 0;  // 0: unknown
    std::uint32_t devices_connected = 0;
    std::uint32_t devices_total = 0;
    // Longest time one of its devices has been away, and which.
    std::optional<milliseconds> away_for;
    std::string away_device;
    std::string away_error;
    std::uint64_t log_errors = 0;  // entries of level error and above within kLogErrorWindow
};
inline constexpr std::chrono::minutes kLogErrorWindow{5};

// Of the files the worker may hold open; 0 while that is unknown.
double descriptors_percent(const TaskFacts& facts);

struct CheckWeight {
    proto::CheckType check;
    int weight;
};
inline constexpr std::array<CheckWeight, 5> kWeights{{
    {proto::CheckType::kProcessAlive, 40},
    {proto::CheckType::kDataFlow, 25},
    {proto::CheckType::kConnection, 20},
    {proto::CheckType::kResourceUsage, 10},
    {proto::CheckType::kLogErrors, 5},
}};

// The five results in the order of proto::CheckType.
std::vector<proto::HealthCheckResult> check_health(const TaskFacts& facts, const HealthThresholds& thresholds,
                                                   UtcTime now);
int health_score(const std::vector<proto::HealthCheckResult>& results);

// Why the worker has to be ended and restarted now; nullopt while it is alive enough. Cheap: asked several
// times a second for every task.
std::optional<std::string> hung_reason(const TaskFacts& facts, const HealthThresholds& thresholds);

// The summary of the fleet: one entry per task that is meant to run.
struct TaskHealth {
    std::string_view task_code;
    std::span<const proto::HealthCheckResult> results;
};
proto::SystemHealthSummary summarize(std::span<const TaskHealth> tasks, UtcTime now);

}  // namespace fieldwarden::supervisor
