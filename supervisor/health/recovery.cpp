#include "supervisor/health/recovery.h"

namespace fieldwarden::supervisor {

namespace {

using proto::ErrorCategory;
using proto::RecoveryAction;

RecoveryChoice alert_once(const RecoveryHistory& history, std::string why) {
    if (history.alerted) return {RecoveryAction::kNoAction, "the operator has been told"};
    return {RecoveryAction::kAlertOperator, std::move(why)};
}

}  // namespace

RecoveryChoice choose_recovery(ErrorCategory category, const RecoveryHistory& history) {
    switch (category) {
        case ErrorCategory::kConnectionError:
            // The worker reconnects by itself; one reset gets rid of a connection that only looks alive. A
            // restart would not mend a device that is away.
            if (history.resets == 0) {
                return {RecoveryAction::kResetConnection, "the connection may be half open"};
            }
            return alert_once(history, "a reset did not bring the device back");
        case ErrorCategory::kDataCollectionError:
            if (history.resets == 0) {
                return {RecoveryAction::kResetConnection, "no good data: starting with a new connection"};
            }
            if (history.devices_connected && history.restarts == 0) {
                return {RecoveryAction::kRestartProcess,
                        "no good data although the devices are connected, and a reset did not help"};
            }
            return alert_once(history, "neither a reset nor a restart brought good data");
        case ErrorCategory::kResourceExhaustion:
            if (history.restarts == 0) {
                return {RecoveryAction::kRestartProcess, "a new process gives the memory back"};
            }
            return alert_once(history, "a restart did not reduce what the task takes");
        case ErrorCategory::kUnexpectedTermination:
        case ErrorCategory::kStartupFailure:
            return {RecoveryAction::kRestartProcess, "the restart policy decides when"};
        case ErrorCategory::kConfigurationError:
            return alert_once(history, "only a changed configuration helps");
    }
    return {};
}

}  // namespace fieldwarden::supervisor
