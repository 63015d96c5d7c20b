#include "supervisor/alerts/alert_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace fieldwarden::supervisor {

using proto::ProcessState;

namespace {

// A pair of samples whose own times and our clock disagree by more than this spans a step of the clock.
constexpr std::chrono::seconds kMostDisagreement{2};

milliseconds hold_of(const AlertRule& rule, milliseconds of_task) {
    return rule.hold.value_or(spec_of(rule.kind).hold.value_or(of_task));
}

Reading clear() {
    Reading reading;
    reading.condition = Condition::kClear;
    return reading;
}

Reading active(milliseconds hold, std::string value, std::string detail) {
    Reading reading;
    reading.condition = Condition::kActive;
    reading.hold = hold;
    reading.value = std::move(value);
    reading.detail = std::move(detail);
    return reading;
}

// A task that neither runs nor rests: what it will be is not known yet.
bool is_passing(ProcessState state) {
    return state == ProcessState::kStarting || state == ProcessState::kStopping ||
           state == ProcessState::kBackoff;
}

std::string_view or_unknown(std::string_view text) {
    return text.empty() ? "no reason was given" : text;
}

Reading read_state(const AlertRule& rule, const TaskFact& task) {
    if (std::ranges::find(rule.states, task.state) != rule.states.end()) {
        auto reading = active(hold_of(rule, milliseconds{0}), std::string{to_name(task.state)},
                              std::string{or_unknown(task.last_error)});
        if (task.awaits_configuration) reading.error_type = "configuration_error";
        reading.context["process_state"] = to_name(task.state);
        return reading;
    }
    return is_passing(task.state) ? Reading{} : clear();
}

Reading read_restarts(const AlertRule& rule, const TaskFact& task, RestartMemory& memory, MonoTime now) {
    const auto count = static_cast<std::size_t>(rule.number("count").value_or(3));
    const milliseconds window{static_cast<std::int64_t>(rule.number("window_ms").value_or(600'000))};
    // What happened before the first look is not known; a new session counts from nothing.
    if (memory.known && task.restart_count > memory.seen) {
        const auto more = std::min<std::size_t>(task.restart_count - memory.seen, count);
        memory.last.insert(memory.last.end(), more, now);
        if (memory.last.size() > count) {
            memory.last.erase(memory.last.begin(), memory.last.end() - static_cast<std::ptrdiff_t>(count));
        }
    }
    memory.seen = task.restart_count;
    memory.known = true;
    if (task.state == ProcessState::kStopped) memory.last.clear();
    std::erase_if(memory.last, [&](MonoTime at) { return now - at >= window; });
    if (memory.last.size() < count) return clear();
    auto reading = active(hold_of(rule, milliseconds{0}), std::to_string(memory.last.size()),
                          std::string{or_unknown(task.last_error)});
    reading.context["restarts"] = memory.last.size();
    return reading;
}

Reading read_data_flow(const AlertRule& rule, const TaskFact& task, MonoTime now) {
    if (task.state == ProcessState::kStopped || task.state == ProcessState::kPaused) return clear();
    if (task.state != ProcessState::kRunning || !task.no_data_since) return {};
    const auto hold = hold_of(rule, task.data_timeout);
    const auto age = now - *task.no_data_since;
    if (age < hold) return clear();
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
    auto reading = active(
        hold, std::to_string(seconds),
        fmt::format("none for {} s{}{}", seconds, task.last_error.empty() ? "" : "; ", task.last_error));
    reading.since = task.no_data_since;
    return reading;
}

Reading read_spool(const AlertRule& rule, const TaskFact& task) {
    if (!task.reported) return task.state == ProcessState::kStopped ? clear() : Reading{};
    const auto percent = task.spool_limit == 0 ? 0.0
                                               : 100.0 * static_cast<double>(task.spool_bytes) /
                                                     static_cast<double>(task.spool_limit);
    const auto most = rule.number("samples");
    const auto fullest = rule.number("percent");
    const bool many = most && static_cast<double>(task.spool_pending) > *most;
    const bool full = fullest && percent > *fullest;
    if (!many && !full) return clear();
    auto reading = active(hold_of(rule, milliseconds{0}), std::to_string(task.spool_pending),
                          fmt::format("the spool is {:.0f} % full", percent));
    reading.context["spool_pending"] = task.spool_pending;
    reading.context["spool_bytes"] = task.spool_bytes;
    return reading;
}

Reading read_sink(const AlertRule& rule, const TaskFact& task) {
    if (!task.reported) return task.state == ProcessState::kStopped ? clear() : Reading{};
    if (task.retrying == 0) return clear();
    std::string who;
    for (const auto& sink : task.sinks) who += fmt::format("; {}: {}", sink.sink_code, sink.error);
    auto reading = active(
        hold_of(rule, milliseconds{0}), std::to_string(task.retrying),
        fmt::format("{} samples are being tried again, {} wait{}", task.retrying, task.spool_pending, who));
    reading.context["retrying"] = task.retrying;
    for (const auto& sink : task.sinks) reading.context["sinks"].push_back(sink.sink_code);
    reading.context["spool_pending"] = task.spool_pending;
    return reading;
}

// The letters outlast the worker: what a task that does not run left there is still there.
Reading read_dead_letters(const AlertRule& rule, const TaskFact& task) {
    if (!task.reported) return {};
    if (task.dead_letters.empty()) return clear();
    std::uint64_t samples = 0;
    std::string who;
    auto sinks = proto::Json::array();
    for (const auto& sink : task.dead_letters) {
        samples += sink.samples;
        who += fmt::format("{}sink {}: {}", who.empty() ? "" : "; ", sink.sink_code, or_unknown(sink.reason));
        sinks.push_back(sink.sink_code);
    }
    auto reading = active(hold_of(rule, milliseconds{0}), std::to_string(samples), std::move(who));
    reading.context["dead_letters"] = samples;
    reading.context["sinks"] = std::move(sinks);
    return reading;
}

Reading read_operator(const AlertRule& rule, const TaskFact& task, MonoTime now) {
    if (task.operator_needed) {
        auto reading = active(hold_of(rule, milliseconds{0}), std::string{task.operator_category},
                              std::string{or_unknown(task.operator_cause)});
        reading.error_type = task.operator_category;
        reading.suggested_action = task.operator_advice;
        return reading;
    }
    if (task.state == ProcessState::kStopped || task.state == ProcessState::kPaused) return clear();
    // Only good data ends the trouble: a supervisor that has just started does not know of it.
    const bool good = task.state == ProcessState::kRunning && task.no_data_since &&
                      now - *task.no_data_since < task.data_timeout;
    return good ? clear() : Reading{};
}

std::optional<double> number_of(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1.0 : 0.0;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*natural);
    if (const auto* real = std::get_if<double>(&value)) {
        return std::isfinite(*real) ? std::optional{*real} : std::nullopt;
    }
    return std::nullopt;
}

std::string shown(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* text = std::get_if<std::string>(&value)) return text->substr(0, 100);
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) return std::to_string(*natural);
    const auto number = number_of(value);
    return number ? fmt::format("{:.10g}", *number) : "nothing";
}

Reading read_threshold(const AlertRule& rule, const Value& value, bool open) {
    const auto number = number_of(value);
    if (!number) return {};
    // An open alert ends only when the value has come back this far.
    const auto slack = open ? rule.number("hysteresis").value_or(0) : 0;
    const auto above = rule.number("above");
    const auto below = rule.number("below");
    std::string detail;
    if (above && (*number > *above || (open && slack > 0 && *number > *above - slack))) {
        detail = fmt::format("above {:.10g}", *above);
    } else if (below && (*number < *below || (open && slack > 0 && *number < *below + slack))) {
        detail = fmt::format("below {:.10g}", *below);
    } else {
        return clear();
    }
    auto reading = active(hold_of(rule, milliseconds{0}), shown(value), std::move(detail));
    reading.context["value"] = *number;
    return reading;
}

bool is_change(const Value& before, const Value& after, double tolerance) {
    const auto a = number_of(before);
    const auto b = number_of(after);
    if (a && b) return std::abs(*a - *b) > tolerance;
    return before != after;
}

Reading read_frozen(const AlertRule& rule, const Value& value, const PointMemory& memory, MonoTime now) {
    const auto hold = hold_of(rule, milliseconds{0});
    const auto age = now - memory.changed_at;
    if (age < hold) return clear();
    auto reading =
        active(hold, shown(value),
               fmt::format("for {} s", std::chrono::duration_cast<std::chrono::seconds>(age).count()));
    reading.since = memory.changed_at;
    reading.context["value"] = proto::to_json(value);
    return reading;
}

void take_rate(const AlertRule& rule, const Sample& sample, PointMemory& memory, MonoTime now) {
    if (memory.known && sample.time == memory.sample_time) return;  // the same sample still: as before
    memory.rate = Condition::kUnknown;
    const auto before = memory.known ? number_of(memory.value) : std::nullopt;
    const auto after = number_of(sample.value);
    const std::chrono::duration<double> by_samples = sample.time - memory.sample_time;
    const std::chrono::duration<double> by_us = now - memory.sampled_at;
    const bool stepped =
        by_samples.count() <= 0 ||
        std::abs((by_samples - by_us).count()) > std::chrono::duration<double>(kMostDisagreement).count();
    if (!before || !after || stepped || memory.was_bad) return;
    memory.per_second = (*after - *before) / by_samples.count();
    memory.rate = std::abs(memory.per_second) > rule.number("per_second").value_or(0) ? Condition::kActive
                                                                                      : Condition::kClear;
}

Reading read_rate(const AlertRule& rule, const Value& value, const PointMemory& memory) {
    if (memory.rate != Condition::kActive) {
        Reading reading;
        reading.condition = memory.rate;
        return reading;
    }
    auto reading = active(hold_of(rule, milliseconds{0}), shown(value),
                          fmt::format("changes by {:.6g} a second, more than {:.6g}", memory.per_second,
                                      rule.number("per_second").value_or(0)));
    reading.context["per_second"] = memory.per_second;
    reading.context["value"] = proto::to_json(value);
    return reading;
}

}  // namespace

Reading read_task(const AlertRule& rule, const TaskFact& task, RestartMemory* restarts, MonoTime now) {
    switch (rule.kind) {
        case RuleKind::kProcessState:
            return read_state(rule, task);
        case RuleKind::kRestarts:
            return restarts == nullptr ? Reading{} : read_restarts(rule, task, *restarts, now);
        case RuleKind::kOperatorNeeded:
            return read_operator(rule, task, now);
        case RuleKind::kDataFlow:
            return read_data_flow(rule, task, now);
        case RuleKind::kSpoolBacklog:
            return read_spool(rule, task);
        case RuleKind::kSinkDown:
            return read_sink(rule, task);
        case RuleKind::kDeadLetters:
            return read_dead_letters(rule, task);
        case RuleKind::kConnection:
        case RuleKind::kThreshold:
        case RuleKind::kFrozen:
        case RuleKind::kRateOfChange:
        case RuleKind::kDiskLow:
            break;
    }
    return {};
}

Reading read_device(const AlertRule& rule, const TaskFact& task, const DeviceFact& device) {
    if (task.state == ProcessState::kStopped) return clear();
    // What is known of a device comes from a worker at work.
    if (task.state != ProcessState::kRunning && task.state != ProcessState::kPaused) return {};
    if (!device.known) return {};
    if (device.connected) return clear();
    auto reading = active(hold_of(rule, task.connection_timeout), "disconnected",
                          std::string{or_unknown(device.last_error)});
    reading.since = device.away_since;
    return reading;
}

Reading read_disk(const AlertRule& rule, const DiskFact& disk) {
    const auto percent = rule.number("free_percent");
    const auto mb = rule.number("free_mb");
    if (!(percent && disk.free_percent < *percent) && !(mb && disk.free_mb < *mb)) return clear();
    auto reading = active(hold_of(rule, milliseconds{0}), fmt::format("{:.0f}", disk.free_mb),
                          fmt::format("{:.1f} % of the file system", disk.free_percent));
    reading.context["free_mb"] = std::round(disk.free_mb);
    reading.context["free_percent"] = std::round(disk.free_percent * 10) / 10;
    return reading;
}

Reading read_point(const AlertRule& rule, const std::optional<Sample>& sample, PointMemory& memory, bool open,
                   MonoTime now) {
    const bool good =
        sample && sample->quality != Quality::kBad && !std::holds_alternative<std::monostate>(sample->value);
    if (!good) {
        memory.was_bad = true;
        return {};
    }
    if (rule.kind == RuleKind::kRateOfChange) take_rate(rule, *sample, memory, now);
    const auto tolerance = rule.kind == RuleKind::kFrozen ? rule.number("tolerance").value_or(0) : 0;
    // Time without a good value is no time in which it stood still.
    const bool returned = memory.was_bad && !open;
    if (!memory.known || returned || is_change(memory.value, sample->value, tolerance)) {
        memory.changed_at = now;
        memory.value = sample->value;
    } else if (rule.kind != RuleKind::kFrozen) {
        memory.value = sample->value;
    }
    if (!memory.known || sample->time != memory.sample_time) {
        memory.sample_time = sample->time;
        memory.sampled_at = now;
    }
    memory.known = true;
    memory.was_bad = false;
    switch (rule.kind) {
        case RuleKind::kThreshold:
            return read_threshold(rule, sample->value, open);
        case RuleKind::kFrozen:
            return read_frozen(rule, sample->value, memory, now);
        case RuleKind::kRateOfChange:
            return read_rate(rule, sample->value, memory);
        case RuleKind::kProcessState:
        case RuleKind::kRestarts:
        case RuleKind::kOperatorNeeded:
        case RuleKind::kConnection:
        case RuleKind::kDataFlow:
        case RuleKind::kSpoolBacklog:
        case RuleKind::kSinkDown:
        case RuleKind::kDeadLetters:
        case RuleKind::kDiskLow:
            break;
    }
    return {};
}

}  // namespace fieldwarden::supervisor
