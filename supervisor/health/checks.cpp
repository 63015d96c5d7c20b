#include "supervisor/health/checks.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor/plant/task_options.h"

namespace fieldwarden::supervisor {

namespace {

using proto::CheckType;
using proto::HealthCheckResult;
using proto::HealthStatus;
using proto::ProcessState;

struct Finding {
    HealthStatus status = HealthStatus::kHealthy;
    int score = 100;
    std::string details;
    std::vector<std::string> recommendations = {};
};

std::string text_of(milliseconds age) {
    return fmt::format("{:.1f} s", static_cast<double>(age.count()) / 1000.0);
}

Finding unknown(std::string details) {
    return {HealthStatus::kUnknown, 100, std::move(details)};
}

bool acquires(const TaskFacts& facts) {
    return facts.state == ProcessState::kRunning;
}

Finding check_alive(const TaskFacts& facts, const HealthThresholds& thresholds) {
    switch (facts.state) {
        case ProcessState::kStopped:
            return unknown("stopped on request");
        case ProcessState::kStopping:
            return unknown("stopping");
        case ProcessState::kStarting:
            return {HealthStatus::kWarning, 70, "starting, not ready yet"};
        case ProcessState::kBackoff:
            return {
                HealthStatus::kCritical,
                20,
                fmt::format("waiting to restart after {} deaths: {}", facts.recent_deaths, facts.last_error),
                {"read the last log lines of the task for the reason of its deaths"}};
        case ProcessState::kCrashed:
            return {HealthStatus::kCritical,
                    0,
                    fmt::format("given up: {}", facts.last_error),
                    {"mend what the last error names, then start the task: a start by hand works at once"}};
        case ProcessState::kRunning:
        case ProcessState::kPaused:
            break;
    }
    if (const auto hung = hung_reason(facts, thresholds)) {
        return {HealthStatus::kCritical, 0, *hung, {"the worker is being ended and restarted"}};
    }
    if (facts.recent_deaths > 0) {
        return {HealthStatus::kWarning,
                75,
                fmt::format("running again after {} deaths; last: {}", facts.recent_deaths, facts.last_error),
                {"watch whether it stays up; its timeline names the reason of each restart"}};
    }
    return {HealthStatus::kHealthy, 100,
            fmt::format("heartbeat {} ago", facts.beat_age ? text_of(*facts.beat_age) : "not yet")};
}

Finding check_resources(const TaskFacts& facts, const HealthThresholds& thresholds) {
    if (!facts.uptime) return unknown("no process");
    const auto files = descriptors_percent(facts);
    const auto load = std::max({facts.cpu_percent / std::max(thresholds.cpu_percent, 1.0),
                                facts.memory_mb / std::max(thresholds.memory_mb, 1.0),
                                files / std::max(thresholds.descriptors_percent, 1.0)});
    Finding finding;
    finding.details =
        fmt::format("CPU {:.1f} % of {:.0f} %, memory {:.1f} MB of {:.0f} MB", facts.cpu_percent,
                    thresholds.cpu_percent, facts.memory_mb, thresholds.memory_mb);
    if (facts.descriptor_limit > 0) {
        finding.details +=
            fmt::format(", {} of {} files open", facts.open_descriptors, facts.descriptor_limit);
    }
    if (load > 1.0) {
        finding.status = load > 1.5 ? HealthStatus::kCritical : HealthStatus::kWarning;
        finding.score = load > 1.5 ? 0 : 40;
        if (facts.cpu_percent > thresholds.cpu_percent) {
            finding.recommendations.emplace_back(
                "lengthen the task's period or divide its points over several tasks");
        }
        if (facts.memory_mb > thresholds.memory_mb) {
            finding.recommendations.emplace_back(
                "see whether its sinks are behind (spool_pending); restart the task if memory keeps growing");
        }
        if (files > thresholds.descriptors_percent) {
            finding.recommendations.emplace_back(
                "it is being restarted; if the number of open files keeps growing, report it");
        }
    } else if (load > 0.8) {
        finding.score = 80;
    }
    return finding;
}

// A first connection takes this long at most before its device counts as away.
constexpr milliseconds kConnecting{3'000};

Finding check_connection(const TaskFacts& facts, const HealthThresholds& thresholds) {
    if (!facts.uptime || (facts.state != ProcessState::kRunning && facts.state != ProcessState::kPaused)) {
        return unknown("no running process");
    }
    if (facts.devices_total == 0) return unknown("no device has reported yet");
    const auto details =
        fmt::format("{} of {} devices connected", facts.devices_connected, facts.devices_total);
    if (facts.devices_connected == facts.devices_total) return {HealthStatus::kHealthy, 100, details};

    const auto away = facts.away_for.value_or(milliseconds{0});
    // Just started and nothing has failed yet: no verdict.
    if (facts.away_error.empty() && away < kConnecting) return unknown(details + ", connecting");
    Finding finding;
    finding.score = static_cast<int>(100 * facts.devices_connected / facts.devices_total);
    finding.details = fmt::format("{}; {} away for {}{}{}", details, facts.away_device, text_of(away),
                                  facts.away_error.empty() ? "" : ": ", facts.away_error);
    const bool overdue = away >= thresholds.connection_timeout;
    finding.status =
        facts.devices_connected == 0 && overdue ? HealthStatus::kCritical : HealthStatus::kWarning;
    if (!overdue) finding.score = std::max(finding.score, 60);
    finding.recommendations.push_back(fmt::format(
        "check power, cable and address of {}, then run test-connection on it", facts.away_device));
    return finding;
}

Finding check_data(const TaskFacts& facts, const HealthThresholds& thresholds) {
    if (!acquires(facts)) return unknown("not acquiring");
    // A task that reads once an hour is not silent after two minutes.
    const auto allowed = std::max(thresholds.data_timeout, facts.period * 3);
    const auto age = facts.good_data_age ? facts.good_data_age : facts.ready_age;
    if (!age) return unknown("not ready yet");
    const auto details = facts.good_data_age ? fmt::format("last good sample {} ago", text_of(*age))
                                             : fmt::format("no good sample in {}", text_of(*age));
    if (*age < allowed) {
        const bool late = *age > facts.period * 3 + milliseconds{1000};
        return {HealthStatus::kHealthy, late ? 80 : 100, details};
    }
    Finding finding{HealthStatus::kCritical, 0, details};
    if (facts.devices_connected < facts.devices_total || facts.devices_total == 0) {
        finding.recommendations.emplace_back("mend the connection first: see the check `connection`");
    } else {
        finding.recommendations.emplace_back(
            "the devices answer but no point is good: check the points' addresses and data types "
            "(the quality codes of `points` say which)");
    }
    return finding;
}

Finding check_log(const TaskFacts& facts, const HealthThresholds& thresholds) {
    if (facts.state == ProcessState::kStopped) return unknown("stopped");
    const auto details =
        fmt::format("{} errors logged in the last {} minutes", facts.log_errors, kLogErrorWindow.count());
    if (facts.log_errors == 0) return {HealthStatus::kHealthy, 100, details};
    Finding finding;
    finding.details = details;
    const std::uint64_t most = std::max(thresholds.log_errors, 1U);
    const bool many = facts.log_errors >= most;
    finding.status = many ? HealthStatus::kCritical : HealthStatus::kWarning;
    finding.score = many ? 0 : 100 - static_cast<int>(100 * facts.log_errors / most);
    finding.recommendations.push_back(fmt::format("read them: logs {} --level error", facts.task_code));
    return finding;
}

int severity(HealthStatus status) {
    switch (status) {
        case HealthStatus::kUnknown:
        case HealthStatus::kHealthy:
            return 0;
        case HealthStatus::kWarning:
            return 1;
        case HealthStatus::kCritical:
            return 2;
    }
    return 0;
}

}  // namespace

HealthThresholds thresholds_for(const Settings& settings, const Options& task_options) {
    HealthThresholds thresholds;
    thresholds.heartbeat_timeout =
        task_duration(task_options, "heartbeat_timeout", settings.worker.heartbeat_timeout);
    thresholds.data_timeout = task_duration(task_options, "data_timeout", settings.health.data_timeout);
    thresholds.connection_timeout =
        task_duration(task_options, "connection_timeout", settings.health.connection_timeout);
    const auto number = [&](std::string_view name, double otherwise) {
        return task_options.contains(name) ? static_cast<double>(task_number(task_options, name, 0))
                                           : otherwise;
    };
    thresholds.interval = task_duration(task_options, "health_interval", settings.health.interval);
    thresholds.cpu_percent = number("cpu_percent", settings.health.cpu_percent);
    thresholds.memory_mb = number("memory_mb", settings.health.memory_mb);
    thresholds.descriptors_percent = number("descriptors_percent", settings.health.descriptors_percent);
    thresholds.log_errors =
        static_cast<std::uint32_t>(task_number(task_options, "log_errors", settings.health.log_errors));
    return thresholds;
}

double descriptors_percent(const TaskFacts& facts) {
    if (facts.descriptor_limit == 0) return 0;
    return 100.0 * facts.open_descriptors / facts.descriptor_limit;
}

std::optional<std::string> hung_reason(const TaskFacts& facts, const HealthThresholds& thresholds) {
    if (facts.state != ProcessState::kRunning && facts.state != ProcessState::kPaused) return std::nullopt;
    const auto limit = thresholds.heartbeat_timeout;
    // A worker that has just become ready owes its first heartbeat from then on.
    const auto silent = facts.beat_age ? facts.beat_age : facts.ready_age;
    if (silent && *silent > limit) {
        return fmt::format("hung: no heartbeat for {} (allowed: {})", text_of(*silent),
                           format_duration(limit));
    }
    if (facts.progress_age && *facts.progress_age > limit) {
        return fmt::format(
            "hung: heartbeats arrive but the acquisition loop has not moved for {} (allowed: {})",
            text_of(*facts.progress_age), format_duration(limit));
    }
    return std::nullopt;
}

std::vector<HealthCheckResult> check_health(const TaskFacts& facts, const HealthThresholds& thresholds,
                                            UtcTime now) {
    const std::array<std::pair<CheckType, Finding>, 5> findings{{
        {CheckType::kProcessAlive, check_alive(facts, thresholds)},
        {CheckType::kResourceUsage, check_resources(facts, thresholds)},
        {CheckType::kConnection, check_connection(facts, thresholds)},
        {CheckType::kDataFlow, check_data(facts, thresholds)},
        {CheckType::kLogErrors, check_log(facts, thresholds)},
    }};
    std::vector<HealthCheckResult> results;
    for (const auto& [check, finding] : findings) {
        results.push_back({facts.task_code, check, finding.status, now, finding.details,
                           std::clamp(finding.score, 0, 100), finding.recommendations});
    }
    return results;
}

int health_score(const std::vector<HealthCheckResult>& results) {
    int weights = 0;
    int sum = 0;
    int cap = 100;
    for (const auto& result : results) {
        if (result.status == HealthStatus::kUnknown) continue;
        if (result.check_type == CheckType::kProcessAlive && result.status == HealthStatus::kCritical) {
            cap = result.score;
        }
        for (const auto& [check, weight] : kWeights) {
            if (check != result.check_type) continue;
            weights += weight;
            sum += weight * result.score;
        }
    }
    return weights == 0 ? 100 : std::min(cap, sum / weights);
}

proto::SystemHealthSummary summarize(std::span<const TaskHealth> tasks, UtcTime now) {
    proto::SystemHealthSummary summary;
    summary.last_check_time = now;
    for (const auto& task : tasks) {
        const HealthCheckResult* worst = nullptr;
        for (const auto& result : task.results) {
            if (worst == nullptr || severity(result.status) > severity(worst->status)) worst = &result;
        }
        ++summary.total_processes;
        const int level = worst == nullptr ? 0 : severity(worst->status);
        if (level == 0) {
            ++summary.healthy_processes;
            continue;
        }
        ++(level == 1 ? summary.warning_processes : summary.critical_processes);
        summary.issues.push_back(
            fmt::format("{}: {}: {}", task.task_code, to_name(worst->check_type), worst->details));
    }
    summary.overall_status = summary.critical_processes > 0  ? HealthStatus::kCritical
                             : summary.warning_processes > 0 ? HealthStatus::kWarning
                                                             : HealthStatus::kHealthy;
    return summary;
}

}  // namespace fieldwarden::supervisor
