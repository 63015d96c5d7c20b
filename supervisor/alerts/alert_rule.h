// AlertRule: what is watched, when that is an alert, and who is told.
//
// One table of kinds (kRuleKinds) says for each kind what it is about, which parameters it takes and what its
// alerts say; the JSON form, the validation and GET /alert-rules/kinds are derived from it. A rule of a kind
// is about many subjects at once: every task, device or point that its globs match has alerts of its own.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "proto/shapes.h"

namespace fieldwarden::supervisor {

using std::chrono::milliseconds;

enum class RuleKind : std::uint8_t {
    kProcessState,    // the task's process is in one of `states`
    kRestarts,        // its worker was restarted `count` times within `window_ms`
    kOperatorNeeded,  // recovery found nothing automatic that helps
    kConnection,      // a device is away
    kDataFlow,        // a running task has no good data
    kThreshold,       // a point's value is above or below a limit
    kFrozen,          // … has not changed
    kRateOfChange,    // … changes faster than `per_second`
    kSpoolBacklog,    // samples pile up in the task's spool
    kSinkDown,        // deliveries to a sink of the task fail
    kDeadLetters,     // a sink of the task refused samples for good
    kDiskLow,         // the data directory's file system is nearly full
};
inline constexpr std::size_t kRuleKindCount = 12;

// What a rule has one alert for.
enum class RuleSubject : std::uint8_t { kTask, kDevice, kPoint, kSystem };

}  // namespace fieldwarden::supervisor

namespace fieldwarden {
template <>
struct EnumNames<supervisor::RuleKind> {
    using E = supervisor::RuleKind;
    static constexpr std::array<EnumName<E>, supervisor::kRuleKindCount> table{{
        {E::kProcessState, "process_state"},
        {E::kRestarts, "restarts"},
        {E::kOperatorNeeded, "operator_needed"},
        {E::kConnection, "connection"},
        {E::kDataFlow, "data_flow"},
        {E::kThreshold, "threshold"},
        {E::kFrozen, "frozen"},
        {E::kRateOfChange, "rate_of_change"},
        {E::kSpoolBacklog, "spool_backlog"},
        {E::kSinkDown, "sink_down"},
        {E::kDeadLetters, "dead_letters"},
        {E::kDiskLow, "disk_low"},
    }};
};
template <>
struct EnumNames<supervisor::RuleSubject> {
    using E = supervisor::RuleSubject;
    static constexpr std::array<EnumName<E>, 4> table{{
        {E::kTask, "task"},
        {E::kDevice, "device"},
        {E::kPoint, "point"},
        {E::kSystem, "system"},
    }};
};
}  // namespace fieldwarden

namespace fieldwarden::supervisor {

// A number in `parameters`.
struct RuleParameter {
    std::string_view name;
    double least = 0;
    double most = 0;
    std::optional<double> fallback;  // none: the parameter may be left out and then does not count
    std::string_view help;
};

struct RuleKindSpec {
    RuleKind kind;
    RuleSubject subject;
    std::string_view help;
    std::string_view error_type;        // of its alerts: an error category where one fits
    std::string_view message;           // when the rule has none of its own
    std::string_view suggested_action;  // what a person can do
    std::span<const RuleParameter> parameters;
    // How long the condition holds before it is an alert, when the rule does not say. Unset: the task's own
    // connection_timeout or data_timeout.
    std::optional<milliseconds> hold;
};
std::span<const RuleKindSpec, kRuleKindCount> rule_kinds();
const RuleKindSpec& spec_of(RuleKind kind);

struct AlertRule {
    std::int64_t id = 0;  // the store's
    std::string code;     // unique, never changed
    std::string name;
    RuleKind kind = RuleKind::kProcessState;
    bool enabled = true;
    bool built_in = false;  // there from the first start; can be changed and disabled, not removed
    // Globs. A rule about points goes by devices and points, one about devices by tasks and devices, one
    // about tasks by tasks.
    std::vector<std::string> tasks{"*"};
    std::vector<std::string> devices{"*"};
    std::vector<std::string> points;
    std::map<std::string, double, std::less<>> numbers;  // parameters
    std::vector<proto::ProcessState> states;             // of kProcessState
    std::optional<milliseconds> hold;                    // unset: the kind's
    milliseconds clear{0};                               // the condition is over this long: resolved
    milliseconds repeat{0};                              // told again this often; 0: once
    proto::Severity severity = proto::Severity::kWarning;
    std::vector<std::string> channels{"*"};  // codes of channels, or "*" for every enabled one
    // May hold {task} {device} {point} {value} {detail}. Empty: the kind's.
    std::string message;

    bool operator==(const AlertRule&) const = default;

    // The parameter, or its fallback; nullopt when it has neither.
    [[nodiscard]] std::optional<double> number(std::string_view wanted) const;
};

// One member that is wrong.
struct RuleProblem {
    std::string field;  // "parameters.above"
    std::string code;   // "missing_value", "bad_value", "unknown_member"
    std::string message;
};

proto::Json to_json(const AlertRule& rule);
// `body` over `stored` (a PATCH), or over a rule of the kind's defaults (null). Every wrong member is
// reported; the rule is good when there is none. `id` and `built_in` are taken from `stored` alone.
AlertRule rule_from_json(const proto::Json& body, const AlertRule* stored,
                         std::vector<RuleProblem>& problems);
// The table for a console: kinds with their parameters.
proto::Json rule_kinds_json();

// `text` with {name} replaced; an unknown name stays as it is.
std::string fill_in(std::string_view text,
                    std::span<const std::pair<std::string_view, std::string_view>> values);

// What exists from the first start.
std::vector<AlertRule> built_in_rules();

// Whether one of the globs fits.
bool matches_any(const std::vector<std::string>& globs, std::string_view text);

inline constexpr std::size_t kMostGlobs = 1000;
inline constexpr std::size_t kLongestAlertText = 1000;  // bytes of a name, message or comment

}  // namespace fieldwarden::supervisor
