#include "supervisor/health/recovery.h"

#include <algorithm>

namespace fieldwarden::supervisor {

namespace {

using proto::ErrorCategory;
using proto::RecoveryAction;

constexpr std::chrono::minutes kQuietTime{10};
constexpr std::uint32_t kCpuSightings = 2;

RecoveryChoice alert_once(const RecoveryHistory& history, std::string why, std::string advice) {
    if (history.alerted) return {RecoveryAction::kNoAction, "the operator has been told"};
    return {RecoveryAction::kAlertOperator, std::move(why), std::move(advice)};
}

RecoveryChoice restart_once(const RecoveryHistory& history, std::string why_restart, std::string why_alert,
                            std::string advice) {
    if (history.restarts == 0) return {RecoveryAction::kRestartProcess, std::move(why_restart)};
    return alert_once(history, std::move(why_alert), std::move(advice));
}

}  // namespace

ErrorCategory category_of(Trouble trouble) {
    switch (trouble) {
        case Trouble::kMemory:
        case Trouble::kDescriptors:
        case Trouble::kCpu:
            return ErrorCategory::kResourceExhaustion;
        case Trouble::kConnection:
            return ErrorCategory::kConnectionError;
        case Trouble::kNoGoodData:
        case Trouble::kLogErrors:
            return ErrorCategory::kDataCollectionError;
    }
    return ErrorCategory::kDataCollectionError;
}

std::vector<Trouble> troubles_of(const TaskFacts& facts, const HealthThresholds& thresholds,
                                 const std::vector<proto::HealthCheckResult>& results) {
    const auto is_critical = [&](proto::CheckType check) {
        return std::ranges::any_of(results, [&](const auto& result) {
            return result.check_type == check && result.status == proto::HealthStatus::kCritical;
        });
    };
    std::vector<Trouble> troubles;
    if (facts.memory_mb > thresholds.memory_mb) troubles.push_back(Trouble::kMemory);
    if (descriptors_percent(facts) > thresholds.descriptors_percent) {
        troubles.push_back(Trouble::kDescriptors);
    }
    if (facts.cpu_percent > thresholds.cpu_percent) troubles.push_back(Trouble::kCpu);
    const bool silent = is_critical(proto::CheckType::kDataFlow);
    const bool away = facts.devices_connected < facts.devices_total;
    // No data because no device is there is trouble with the connection.
    if (is_critical(proto::CheckType::kConnection) || (silent && away)) {
        troubles.push_back(Trouble::kConnection);
    } else if (silent) {
        troubles.push_back(Trouble::kNoGoodData);
    }
    if (is_critical(proto::CheckType::kLogErrors)) troubles.push_back(Trouble::kLogErrors);
    return troubles;
}

RecoveryChoice choose_recovery(Trouble trouble, const RecoveryHistory& history, bool devices_connected) {
    switch (trouble) {
        case Trouble::kMemory:
            return restart_once(
                history, "a new process gives the memory back",
                "a restart did not reduce what the task takes",
                "divide the task's points over several tasks, see whether its sinks are behind, "
                "or raise memory_mb");
        case Trouble::kDescriptors:
            return restart_once(history, "a new process begins with few open files",
                                "a restart did not reduce the files it holds open",
                                "raise the task's option open_files; if the number keeps growing, report it");
        case Trouble::kCpu:
            if (history.sightings < kCpuSightings) return {};
            return alert_once(history, "it takes more of the processor than it may",
                              "lengthen the task's period or divide its points over several tasks");
        case Trouble::kConnection:
            // The worker reconnects by itself; one reset gets rid of a connection that only looks alive. A
            // restart would not mend a device that is away.
            if (history.resets == 0) {
                return {RecoveryAction::kResetConnection, "the connection may be half open"};
            }
            return alert_once(history, "a reset did not bring the device back",
                              "check power, cable and address of the device, then run test-connection on it");
        case Trouble::kNoGoodData:
            if (history.resets == 0) {
                return {RecoveryAction::kResetConnection, "no good data: starting with a new connection"};
            }
            if (devices_connected && history.restarts == 0) {
                return {RecoveryAction::kRestartProcess,
                        "no good data although the devices are connected, and a reset did not help"};
            }
            return alert_once(history, "neither a reset nor a restart brought good data",
                              "check addresses and data types of the points; their quality codes say which");
        case Trouble::kLogErrors:
            return alert_once(history, "it logs errors in bursts", "read the task's log at level error");
    }
    return {};
}

bool is_over(Trouble trouble, const RecoveryHistory& history, const TaskFacts& facts,
             const HealthThresholds& thresholds, MonoTime now) {
    if (!history.seen_at) return true;
    switch (trouble) {
        case Trouble::kConnection:
        case Trouble::kNoGoodData:
            return facts.good_data_age && *facts.good_data_age < thresholds.data_timeout;
        case Trouble::kMemory:
        case Trouble::kDescriptors:
        case Trouble::kCpu:
        case Trouble::kLogErrors:
            break;
    }
    return now - *history.seen_at >= kQuietTime;
}

}  // namespace fieldwarden::supervisor
