#include "supervisor/alerts/alert_rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "supervisor/alerts/member_reader.h"
#include "supervisor/plant/plant.h"

namespace fieldwarden::supervisor {

using proto::Json;

namespace {

constexpr double kAnyNumber = 1e300;
constexpr milliseconds kLongestHold{std::chrono::hours{24 * 31}};
constexpr milliseconds kShortestRepeat{std::chrono::seconds{10}};

constexpr std::array kRestartParameters{
    RuleParameter{"count", 1, 1000, 3, "restarts within window_ms that are too many"},
    RuleParameter{"window_ms", 1'000, 7 * 24 * 3600e3, 600'000, "time within which they are counted"},
};
constexpr std::array kThresholdParameters{
    RuleParameter{"above", -kAnyNumber, kAnyNumber, {}, "an alert when the value is greater"},
    RuleParameter{"below", -kAnyNumber, kAnyNumber, {}, "an alert when the value is less"},
    RuleParameter{"hysteresis", 0, kAnyNumber, 0,
                  "how far the value must come back from the limit before the condition is over"},
};
constexpr std::array kFrozenParameters{
    RuleParameter{"tolerance", 0, kAnyNumber, 0, "a smaller change does not count as one"},
};
constexpr std::array kRateParameters{
    RuleParameter{"per_second", 0, kAnyNumber, {}, "an alert when the value rises or falls faster"},
};
constexpr std::array kSpoolParameters{
    RuleParameter{"samples", 1, 1e15, {}, "an alert when more samples wait for a sink"},
    RuleParameter{"percent", 1, 100, {}, "an alert when the spool fills more of the space it may take"},
};
constexpr std::array kDiskParameters{
    RuleParameter{"free_percent", 0, 100, {}, "an alert when less of the file system is free"},
    RuleParameter{"free_mb", 0, 1e12, {}, "an alert when fewer MiB are free"},
};

constexpr std::array<RuleKindSpec, kRuleKindCount> kRuleKinds{{
    {RuleKind::kProcessState,
     RuleSubject::kTask,
     "The task's process is in one of `states`",
     "unexpected_termination",
     "task {task} is {value}: {detail}",
     "Read the task's log and timeline, remove the cause, then start the task",
     {},
     milliseconds{0}},
    {RuleKind::kRestarts, RuleSubject::kTask,
     "The task's worker was restarted `count` times within `window_ms`", "unexpected_termination",
     "task {task}: its worker was restarted {value} times: {detail}",
     "Read the task's timeline for why its worker ends", kRestartParameters, milliseconds{0}},
    {RuleKind::kOperatorNeeded,
     RuleSubject::kTask,
     "Recovery has tried what it can and nothing automatic helps",
     "data_collection_error",
     "task {task} needs a person: {detail}",
     "Look at the device, its cable and its address; automatic recovery has given up",
     {},
     milliseconds{0}},
    {RuleKind::kConnection,
     RuleSubject::kDevice,
     "A device is not connected; for_ms left out: the task's connection_timeout",
     "connection_error",
     "device {device} of task {task} is not connected: {detail}",
     "Check the device's power, network and address; the worker reconnects by itself",
     {},
     {}},
    {RuleKind::kDataFlow,
     RuleSubject::kTask,
     "A running task has no good data; for_ms left out: the task's data_timeout",
     "data_collection_error",
     "task {task} has no good data: {detail}",
     "Look at the quality codes of the task's points and at its devices",
     {},
     {}},
    {RuleKind::kThreshold, RuleSubject::kPoint, "A point's value is above or below a limit", "threshold",
     "point {point} is {value}: {detail}", "Check the process behind the point", kThresholdParameters,
     milliseconds{0}},
    {RuleKind::kFrozen, RuleSubject::kPoint,
     "A point's value has good quality and has not changed for for_ms", "data_collection_error",
     "point {point} has not changed from {value}: {detail}",
     "Check the sensor: a value that stands still is often one that is no longer measured", kFrozenParameters,
     milliseconds{std::chrono::minutes{10}}},
    {RuleKind::kRateOfChange, RuleSubject::kPoint, "A point's value changes faster than `per_second`",
     "rate_of_change", "point {point} is {value}: {detail}",
     "Check the process and the sensor behind the point", kRateParameters, milliseconds{0}},
    {RuleKind::kSpoolBacklog, RuleSubject::kTask, "Samples pile up in the task's spool",
     "resource_exhaustion", "task {task}: {value} samples wait for a sink: {detail}",
     "Check the task's sinks: what is acquired is not taken", kSpoolParameters, milliseconds{0}},
    {RuleKind::kSinkDown,
     RuleSubject::kTask,
     "Deliveries to a sink of the task fail and are tried again",
     "connection_error",
     "task {task}: a sink does not take its samples: {detail}",
     "Check the sink with test-storage; samples are kept in the spool meanwhile",
     {},
     milliseconds{std::chrono::seconds{30}}},
    {RuleKind::kDeadLetters,
     RuleSubject::kTask,
     "A sink of the task refused samples for good: they lie in its dead letters",
     "data_collection_error",
     "task {task}: {value} samples were refused for good: {detail}",
     "Mend what the reason names, then deliver them again with `fieldwarden dead-letters retry`, or clear "
     "them",
     {},
     milliseconds{0}},
    {RuleKind::kDiskLow, RuleSubject::kSystem, "The file system of the data directory is nearly full",
     "resource_exhaustion", "the data directory has {value} MiB left: {detail}",
     "Make room, shorten the retention of the history, or move the data directory", kDiskParameters,
     milliseconds{0}},
}};

constexpr std::array<std::string_view, 5> kPlaceholders{"task", "device", "point", "value", "detail"};

// The first {name} that is none of ours.
std::optional<std::string> unknown_placeholder(std::string_view text) {
    for (auto open = text.find('{'); open != std::string_view::npos; open = text.find('{', open + 1)) {
        const auto close = text.find('}', open);
        if (close == std::string_view::npos) return std::string{text.substr(open, 64)};
        const auto name = text.substr(open + 1, close - open - 1);
        if (std::ranges::find(kPlaceholders, name) == kPlaceholders.end()) {
            return std::string{text.substr(open, std::min<std::size_t>(close - open + 1, 64))};
        }
    }
    return std::nullopt;
}

void read_states(MemberReader& reader, std::vector<proto::ProcessState>& states) {
    const auto* value = reader.take("states");
    if (value == nullptr) return;
    std::vector<proto::ProcessState> given;
    const auto names =
        value->is_array() && value->size() <= 16 ? value->get<std::vector<Json>>() : std::vector<Json>{};
    for (const auto& name : names) {
        const auto state = name.is_string()
                               ? from_name<proto::ProcessState>(name.get_ref<const std::string&>())
                               : std::nullopt;
        if (state) given.push_back(*state);
    }
    if (names.empty() || given.size() != names.size()) {
        return reader.problem("states", "bad_value",
                              "states is an array of " + all_names<proto::ProcessState>());
    }
    states = std::move(given);
}

void read_parameters(AlertRule& rule, MemberReader& members, std::vector<RuleProblem>& problems) {
    const auto* value = members.take("parameters");
    if (value == nullptr) return;
    if (!value->is_object()) return members.problem("parameters", "bad_value", "parameters is an object");
    MemberReader reader{*value, problems, "parameters."};
    for (const auto& parameter : spec_of(rule.kind).parameters) {
        const auto* given = reader.take(parameter.name);
        if (given == nullptr) {
            // A null takes the parameter away; one that is missing stays.
            if (value->contains(parameter.name)) rule.numbers.erase(std::string{parameter.name});
            continue;
        }
        double number = 0;
        const auto before = problems.size();
        reader.number(parameter.name, number, parameter.least, parameter.most);
        if (problems.size() == before) rule.numbers[std::string{parameter.name}] = number;
    }
    if (rule.kind == RuleKind::kProcessState) read_states(reader, rule.states);
    reader.finish();
}

void check_complete(const AlertRule& rule, std::vector<RuleProblem>& problems) {
    const auto missing = [&](std::string field, std::string message) {
        problems.push_back({std::move(field), "missing_value", std::move(message)});
    };
    const auto has = [&](std::string_view name) { return rule.numbers.contains(name); };
    switch (rule.kind) {
        case RuleKind::kThreshold:
            if (!has("above") && !has("below")) missing("parameters.above", "give above, below or both");
            if (has("above") && has("below") && *rule.number("below") > *rule.number("above")) {
                problems.push_back({"parameters.below", "bad_value",
                                    "below is greater than above: every value would be an alert"});
            }
            break;
        case RuleKind::kRateOfChange:
            if (!has("per_second")) missing("parameters.per_second", "per_second is needed");
            break;
        case RuleKind::kSpoolBacklog:
            if (!has("samples") && !has("percent"))
                missing("parameters.samples", "give samples, percent or both");
            break;
        case RuleKind::kDiskLow:
            if (!has("free_percent") && !has("free_mb"))
                missing("parameters.free_percent", "give free_percent, free_mb or both");
            break;
        case RuleKind::kProcessState:
        case RuleKind::kRestarts:
        case RuleKind::kOperatorNeeded:
        case RuleKind::kConnection:
        case RuleKind::kDataFlow:
        case RuleKind::kFrozen:
        case RuleKind::kSinkDown:
        case RuleKind::kDeadLetters:
            break;
    }
    if (spec_of(rule.kind).subject == RuleSubject::kPoint && rule.points.empty()) {
        missing("points", "name the points: codes, or globs such as TANK_*_TEMP");
    }
}

}  // namespace

std::span<const RuleKindSpec, kRuleKindCount> rule_kinds() {
    return kRuleKinds;
}

const RuleKindSpec& spec_of(RuleKind kind) {
    return *std::ranges::find(kRuleKinds, kind, &RuleKindSpec::kind);
}

std::optional<double> AlertRule::number(std::string_view wanted) const {
    if (const auto found = numbers.find(wanted); found != numbers.end()) return found->second;
    for (const auto& parameter : spec_of(kind).parameters) {
        if (parameter.name == wanted) return parameter.fallback;
    }
    return std::nullopt;
}

Json to_json(const AlertRule& rule) {
    Json parameters = Json::object();
    for (const auto& parameter : spec_of(rule.kind).parameters) {
        const auto value = rule.number(parameter.name);
        parameters[std::string{parameter.name}] = value ? Json(*value) : Json(nullptr);
    }
    if (rule.kind == RuleKind::kProcessState) {
        auto& states = parameters["states"] = Json::array();
        for (const auto state : rule.states) states.push_back(to_name(state));
    }
    return {{"id", rule.id},
            {"code", rule.code},
            {"name", rule.name},
            {"kind", to_name(rule.kind)},
            {"enabled", rule.enabled},
            {"built_in", rule.built_in},
            {"tasks", rule.tasks},
            {"devices", rule.devices},
            {"points", rule.points},
            {"parameters", std::move(parameters)},
            {"for_ms", rule.hold ? Json(rule.hold->count()) : Json(nullptr)},
            {"clear_ms", rule.clear.count()},
            {"repeat_ms", rule.repeat.count()},
            {"severity", to_name(rule.severity)},
            {"channels", rule.channels},
            {"message", rule.message}};
}

AlertRule rule_from_json(const Json& body, const AlertRule* stored, std::vector<RuleProblem>& problems) {
    AlertRule rule = stored != nullptr ? *stored : AlertRule{};
    MemberReader members{body, problems};
    // What the server says of a rule may come back with it.
    (void)members.take("id");
    (void)members.take("built_in");
    members.code("code", rule.code);
    members.choice("kind", rule.kind);
    if (stored == nullptr) {
        if (!body.contains("code")) members.problem("code", "missing_value", "code is needed");
        if (!body.contains("kind")) {
            members.problem("kind", "missing_value", "kind is one of " + all_names<RuleKind>());
        }
        if (rule.kind == RuleKind::kProcessState) rule.states = {proto::ProcessState::kCrashed};
    } else {
        if (rule.code != stored->code) members.problem("code", "bad_value", "a rule's code is never changed");
        if (rule.kind != stored->kind) {
            members.problem("kind", "bad_value", "a rule's kind is never changed; make another rule");
            rule.kind = stored->kind;
        }
    }
    members.text("name", rule.name, kLongestAlertText);
    members.flag("enabled", rule.enabled);
    members.globs("tasks", rule.tasks, kMostGlobs);
    members.globs("devices", rule.devices, kMostGlobs);
    members.globs("points", rule.points, kMostGlobs);
    // A rule about no task would be a rule that never speaks, which nobody means.
    if (rule.tasks.empty()) rule.tasks = {"*"};
    if (rule.devices.empty()) rule.devices = {"*"};
    read_parameters(rule, members, problems);
    if (body.contains("for_ms") && body["for_ms"].is_null()) rule.hold.reset();
    if (members.take("for_ms") != nullptr) {
        milliseconds hold{0};
        const auto before = problems.size();
        members.duration("for_ms", hold, milliseconds{0}, kLongestHold);
        if (problems.size() == before) rule.hold = hold;
    }
    members.duration("clear_ms", rule.clear, milliseconds{0}, kLongestHold);
    members.duration("repeat_ms", rule.repeat, milliseconds{0}, kLongestHold);
    if (rule.repeat > milliseconds{0} && rule.repeat < kShortestRepeat) {
        members.problem("repeat_ms", "bad_value",
                        fmt::format("repeat_ms is 0 (once) or at least {}", kShortestRepeat.count()));
    }
    members.choice("severity", rule.severity);
    members.globs("channels", rule.channels, 100);
    members.text("message", rule.message, kLongestAlertText, true);
    if (const auto unknown = unknown_placeholder(rule.message)) {
        members.problem("message", "bad_value",
                        fmt::format("'{}' stands for nothing; there are {{{}}}", *unknown,
                                    fmt::join(kPlaceholders, "} {")));
    }
    members.finish();
    check_complete(rule, problems);
    return rule;
}

Json rule_kinds_json() {
    Json items = Json::array();
    for (const auto& spec : kRuleKinds) {
        Json parameters = Json::array();
        for (const auto& parameter : spec.parameters) {
            parameters.push_back({{"name", parameter.name},
                                  {"least", parameter.least},
                                  {"most", parameter.most},
                                  {"default", parameter.fallback ? Json(*parameter.fallback) : Json(nullptr)},
                                  {"help", parameter.help}});
        }
        items.push_back({{"kind", to_name(spec.kind)},
                         {"subject", to_name(spec.subject)},
                         {"help", spec.help},
                         {"error_type", spec.error_type},
                         {"message", spec.message},
                         {"suggested_action", spec.suggested_action},
                         {"for_ms", spec.hold ? Json(spec.hold->count()) : Json(nullptr)},
                         {"parameters", std::move(parameters)}});
    }
    return items;
}

std::string fill_in(std::string_view text,
                    std::span<const std::pair<std::string_view, std::string_view>> values) {
    std::string out;
    while (!text.empty()) {
        const auto open = text.find('{');
        out += text.substr(0, open);
        if (open == std::string_view::npos) break;
        text.remove_prefix(open);
        const auto close = text.find('}');
        const auto name = close == std::string_view::npos ? std::string_view{} : text.substr(1, close - 1);
        const auto value = std::ranges::find(values, name, [](const auto& each) { return each.first; });
        if (value == values.end()) {
            out += '{';
            text.remove_prefix(1);
            continue;
        }
        out += value->second;
        text.remove_prefix(close + 1);
    }
    return out;
}

bool matches_any(const std::vector<std::string>& globs, std::string_view text) {
    return std::ranges::any_of(
        globs, [&](const std::string& glob) { return glob == "*" || glob_match(glob, text); });
}

}  // namespace fieldwarden::supervisor
