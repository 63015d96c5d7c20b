// The rules of a fresh installation: what every plant wants to hear of.
#include "supervisor/alerts/alert_rule.h"

namespace fieldwarden::supervisor {

namespace {

using std::chrono::minutes;
using std::chrono::seconds;

AlertRule built_in(std::string code, std::string name, RuleKind kind, proto::Severity severity) {
    AlertRule rule;
    rule.code = std::move(code);
    rule.name = std::move(name);
    rule.kind = kind;
    rule.severity = severity;
    rule.built_in = true;
    return rule;
}

}  // namespace

std::vector<AlertRule> built_in_rules() {
    using proto::Severity;
    std::vector<AlertRule> rules;

    auto crashed = built_in("task_crashed", "Task gave up", RuleKind::kProcessState, Severity::kCritical);
    crashed.states = {proto::ProcessState::kCrashed};
    crashed.clear = minutes{1};  // a slow retry that dies at once is the same trouble
    rules.push_back(std::move(crashed));

    auto restarts =
        built_in("worker_restarts", "Worker restarted often", RuleKind::kRestarts, Severity::kWarning);
    restarts.numbers = {{"count", 3}, {"window_ms", 600'000}};
    rules.push_back(std::move(restarts));

    rules.push_back(built_in("operator_needed", "Recovery needs a person", RuleKind::kOperatorNeeded,
                             Severity::kCritical));
    rules.push_back(
        built_in("device_disconnected", "Device not connected", RuleKind::kConnection, Severity::kWarning));
    rules.push_back(built_in("no_good_data", "No good data", RuleKind::kDataFlow, Severity::kCritical));

    auto backlog = built_in("spool_backlog", "Spool backlog", RuleKind::kSpoolBacklog, Severity::kWarning);
    backlog.numbers = {{"samples", 1'000'000}, {"percent", 80}};
    backlog.hold = seconds{30};
    backlog.clear = seconds{30};
    rules.push_back(std::move(backlog));

    auto sink = built_in("sink_down", "Sink does not take samples", RuleKind::kSinkDown, Severity::kWarning);
    sink.hold = seconds{30};
    sink.clear = seconds{10};
    rules.push_back(std::move(sink));

    rules.push_back(built_in("dead_letters", "Sink refused samples for good", RuleKind::kDeadLetters,
                             Severity::kWarning));

    auto disk = built_in("disk_low", "Disk nearly full", RuleKind::kDiskLow, Severity::kCritical);
    disk.numbers = {{"free_percent", 5}, {"free_mb", 512}};
    disk.clear = minutes{1};
    rules.push_back(std::move(disk));
    return rules;
}

}  // namespace fieldwarden::supervisor
