#include "supervisor/alerts/alert_engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fieldwarden::supervisor {

using proto::AlertState;

namespace {

constexpr std::chrono::minutes kKeepInterval{
    1};  // how often "last seen" is stored while nothing else changes
constexpr std::string_view kSystemSubject = "system";

// The members of a reading's context and what is told of every alert.
void put_reading(const AlertRule& rule, const Reading& reading, AlertRow& row) {
    auto& alert = row.alert;
    const auto& spec = spec_of(rule.kind);
    alert.error_type = reading.error_type.empty() ? spec.error_type : reading.error_type;
    alert.severity = rule.severity;
    alert.suggested_action =
        reading.suggested_action.empty() ? spec.suggested_action : reading.suggested_action;
    alert.context["rule"] = rule.code;
    alert.context["kind"] = to_name(rule.kind);
    alert.context["detail"] = reading.detail;
    if (reading.context.is_object()) alert.context.update(reading.context);
    const std::array<std::pair<std::string_view, std::string_view>, 5> values{{
        {"task", alert.process_name},
        {"device", alert.device_code},
        {"point", alert.point_code},
        {"value", reading.value},
        {"detail", reading.detail},
    }};
    alert.message = fill_in(rule.message.empty() ? spec.message : std::string_view{rule.message}, values);
}

}  // namespace

WatchedPoints resolve_points(const std::vector<AlertRule>& rules, const Plant& plant) {
    WatchedPoints watched;
    for (const auto& rule : rules) {
        if (!rule.enabled || spec_of(rule.kind).subject != RuleSubject::kPoint) continue;
        auto& points = watched[rule.id];
        const auto add = [&](const Record& record) {
            const std::string device{cell_of(Kind::kPoint, record, "device_code")};
            if (!matches_any(rule.devices, device)) return;
            const std::string code{record.code()};
            points.push_back({static_cast<PointId>(record.id), code, device, "point:" + code});
        };
        const auto& records = plant.of(Kind::kPoint);
        const bool all_by_code = std::ranges::none_of(
            rule.points, [](const std::string& glob) { return glob.find('*') != std::string::npos; });
        if (all_by_code) {
            for (const auto& code : rule.points) {
                if (const auto* record = records.find(code)) add(*record);
            }
        } else {
            for (const auto& record : records.all()) {
                if (matches_any(rule.points, record.code())) add(record);
            }
        }
    }
    return watched;
}

// --- configuration -----------------------------------------------------------------------------------------

void AlertEngine::take_up(std::vector<AlertRow> open, std::int64_t last_id, AlertMoment) {
    unclaimed_ = std::move(open);
    last_id_ = last_id;
    for (const auto& row : unclaimed_) last_id_ = std::max(last_id_, row.alert.id);
}

AlertOutcome AlertEngine::set_rules(std::vector<AlertRule> rules, WatchedPoints points, AlertMoment now) {
    AlertOutcome out;
    auto before = std::move(rules_);
    rules_.clear();
    point_ids_.clear();
    for (auto& rule : rules) {
        if (!rule.enabled) continue;
        auto& state = rules_[rule.id];
        std::unordered_map<PointId, PointMemory> remembered;
        if (const auto known = before.find(rule.id); known != before.end()) {
            state.tracks = std::move(known->second.tracks);
            state.restarts = std::move(known->second.restarts);
            for (std::size_t i = 0; i < known->second.points.size(); ++i) {
                remembered.emplace(known->second.points[i].id, std::move(known->second.memory[i]));
            }
            before.erase(known);
        }
        state.rule = std::move(rule);
        if (const auto watched = points.find(state.rule.id); watched != points.end()) {
            state.points = std::move(watched->second);
        }
        state.first_sample = point_ids_.size();
        state.memory.resize(state.points.size());
        for (std::size_t i = 0; i < state.points.size(); ++i) {
            point_ids_.push_back(state.points[i].id);
            if (const auto known = remembered.find(state.points[i].id); known != remembered.end()) {
                state.memory[i] = std::move(known->second);
            }
        }
    }
    for (auto& [id, gone] : before) {
        for (auto& [subject, track] : gone.tracks) {
            if (track.row) {
                resolve(&gone.rule, std::move(*track.row), "its rule was removed or disabled", now, out);
            }
        }
    }
    claim(now, out);
    return out;
}

void AlertEngine::claim(AlertMoment now, AlertOutcome& out) {
    for (auto& row : std::exchange(unclaimed_, {})) {
        const auto found = rules_.find(row.rule_id);
        if (found == rules_.end()) {
            resolve(nullptr, std::move(row), "its rule was removed or disabled", now, out);
            continue;
        }
        auto& track = found->second.tracks[row.subject];
        if (track.row) {
            resolve(&found->second.rule, std::move(row), "another alert says the same", now, out);
            continue;
        }
        track.since = now.mono;
        track.active = true;
        track.told_at = now.mono;
        track.kept_at = now.mono;
        track.row = std::move(row);
    }
}

// --- evaluation --------------------------------------------------------------------------------------------

AlertOutcome AlertEngine::evaluate(const AlertFacts& facts, AlertMoment now) {
    AlertOutcome out;
    for (auto& [id, state] : rules_) {
        for (auto& [subject, track] : state.tracks) track.seen = false;
        switch (spec_of(state.rule.kind).subject) {
            case RuleSubject::kTask:
            case RuleSubject::kDevice:
                judge_tasks(state, facts, now, out);
                break;
            case RuleSubject::kPoint:
                judge_points(state, facts, now, out);
                break;
            case RuleSubject::kSystem:
                judge_disk(state, facts, now, out);
                break;
        }
        sweep(state, now, out);
    }
    return out;
}

void AlertEngine::judge_tasks(RuleState& state, const AlertFacts& facts, AlertMoment now, AlertOutcome& out) {
    const auto& rule = state.rule;
    const bool by_device = spec_of(rule.kind).subject == RuleSubject::kDevice;
    const bool counts_restarts = rule.kind == RuleKind::kRestarts;
    for (const auto& task : facts.tasks) {
        if (!matches_any(rule.tasks, task.task_code)) continue;
        if (!by_device) {
            auto* restarts = counts_restarts ? &state.restarts[std::string{task.task_code}] : nullptr;
            const auto reading = read_task(rule, task, restarts, now.mono);
            if (reading.condition != Condition::kActive && state.tracks.empty()) continue;
            take(state, {fmt::format("task:{}", task.task_code), task.task_code, {}, {}}, reading, now, out);
            continue;
        }
        for (const auto& device : task.devices) {
            if (!matches_any(rule.devices, device.device_code)) continue;
            const auto reading = read_device(rule, task, device);
            if (reading.condition != Condition::kActive && state.tracks.empty()) continue;
            take(state,
                 {fmt::format("device:{}/{}", task.task_code, device.device_code),
                  task.task_code,
                  device.device_code,
                  {}},
                 reading, now, out);
        }
    }
    if (!counts_restarts || state.restarts.size() <= facts.tasks.size()) return;
    // Tasks that are no more.
    std::erase_if(state.restarts, [&](const auto& entry) {
        return std::ranges::none_of(facts.tasks,
                                    [&](const TaskFact& task) { return task.task_code == entry.first; });
    });
}

void AlertEngine::judge_points(RuleState& state, const AlertFacts& facts, AlertMoment now,
                               AlertOutcome& out) {
    static const std::optional<Sample> kNone;
    for (std::size_t i = 0; i < state.points.size(); ++i) {
        const auto& point = state.points[i];
        const auto at = state.first_sample + i;
        const auto& sample = at < facts.samples.size() ? facts.samples[at] : kNone;
        const auto track = state.tracks.empty() ? state.tracks.end() : state.tracks.find(point.subject);
        const bool open = track != state.tracks.end() && track->second.row;
        const auto reading = read_point(state.rule, sample, state.memory[i], open, now.mono);
        if (track == state.tracks.end() && reading.condition != Condition::kActive) continue;
        take(state, {point.subject, {}, point.device_code, point.point_code}, reading, now, out);
    }
}

void AlertEngine::judge_disk(RuleState& state, const AlertFacts& facts, AlertMoment now, AlertOutcome& out) {
    const auto reading = facts.disk ? read_disk(state.rule, *facts.disk) : Reading{};
    take(state, {std::string{kSystemSubject}, {}, {}, {}}, reading, now, out);
}

void AlertEngine::take(RuleState& state, const Subject& subject, const Reading& reading, AlertMoment now,
                       AlertOutcome& out) {
    auto found = state.tracks.find(subject.key);
    switch (reading.condition) {
        case Condition::kUnknown:
            if (found == state.tracks.end()) return;
            found->second.seen = true;
            found->second.clear_since.reset();
            found->second.over = !found->second.row;
            if (found->second.row && tell(state.rule, found->second, now, out)) {
                out.changed.push_back(*found->second.row);
            }
            return;
        case Condition::kClear: {
            if (found == state.tracks.end()) return;
            auto& track = found->second;
            track.seen = true;
            track.active = false;
            if (!track.clear_since) track.clear_since = now.mono;
            if (!track.row) {
                track.over = true;
            } else if (now.mono - *track.clear_since >= state.rule.clear) {
                resolve(&state.rule, std::move(*track.row), {}, now, out);
                track.row.reset();
                track.over = true;
            }
            return;
        }
        case Condition::kActive:
            // Where the facts know since when, there is nothing to remember before it is time.
            if (found == state.tracks.end()) {
                if (reading.since && now.mono - *reading.since < reading.hold) return;
                found = state.tracks.try_emplace(subject.key).first;
                found->second.since = now.mono;
            }
            take_active(state.rule, found->second, subject, reading, now, out);
            return;
    }
}

void AlertEngine::take_active(const AlertRule& rule, Track& track, const Subject& subject,
                              const Reading& reading, AlertMoment now, AlertOutcome& out) {
    track.seen = true;
    track.clear_since.reset();
    bool changed = false;
    if (!track.row) {
        if (reading.since) track.since = *reading.since;
        if (now.mono - track.since < reading.hold) return;
        open_alert(rule, track, subject, now);
        changed = true;
    } else if (!track.active) {
        ++track.row->alert.count;
        track.row->alert.timestamp = now.utc;
        changed = true;
    }
    track.active = true;
    put_reading(rule, reading, *track.row);
    track.row->alert.last_at = now.utc;
    if (tell(rule, track, now, out)) changed = true;
    if (now.mono - track.kept_at >= kKeepInterval) changed = true;
    if (!changed) return;
    track.kept_at = now.mono;
    out.changed.push_back(*track.row);
}

void AlertEngine::open_alert(const AlertRule& rule, Track& track, const Subject& subject, AlertMoment now) {
    AlertRow row;
    row.rule_id = rule.id;
    row.rule_code = rule.code;
    row.subject = subject.key;
    auto& alert = row.alert;
    alert.id = ++last_id_;
    alert.process_name = subject.task;
    alert.device_code = subject.device;
    alert.point_code = subject.point;
    if (subject.task.empty() && !subject.device.empty()) {
        alert.process_name = task_of_device_(alert.device_code);
    }
    alert.timestamp = alert.first_at = alert.last_at = now.utc;
    track.row = std::move(row);
    track.told_at.reset();
    track.kept_at = now.mono;
}

void AlertEngine::resolve(const AlertRule* rule, AlertRow row, const std::string& why, AlertMoment now,
                          AlertOutcome& out) const {
    auto& alert = row.alert;
    alert.state = AlertState::kResolved;
    alert.timestamp = now.utc;
    alert.context["resolved_at"] = format_rfc3339(now.utc);
    if (!why.empty()) alert.context["resolved_because"] = why;
    row.resolved_at = now.utc;
    if (rule != nullptr && row.notified && !silenced(row, now.utc)) {
        out.notifications.push_back({alert, rule->channels});
    }
    out.changed.push_back(std::move(row));
}

// True when the row changed by it.
bool AlertEngine::tell(const AlertRule& rule, Track& track, AlertMoment now, AlertOutcome& out) const {
    auto& row = *track.row;
    if (row.alert.state != AlertState::kFiring || rule.channels.empty()) return false;
    const bool again =
        rule.repeat > milliseconds{0} && track.told_at && now.mono - *track.told_at >= rule.repeat;
    if ((row.notified && !again) || silenced(row, now.utc)) return false;
    out.notifications.push_back({row.alert, rule.channels});
    track.told_at = now.mono;
    const bool first = !row.notified;
    row.notified = true;
    return first;
}

void AlertEngine::sweep(RuleState& state, AlertMoment now, AlertOutcome& out) const {
    std::erase_if(state.tracks, [&](auto& entry) {
        auto& track = entry.second;
        if (track.seen) return track.over;
        if (track.row) {
            resolve(&state.rule, std::move(*track.row), "what it is about is gone or no longer watched", now,
                    out);
        }
        return true;
    });
}

bool AlertEngine::silenced(const AlertRow& row, UtcTime now) const {
    return std::ranges::any_of(
        silences_, [&](const Silence& silence) { return silence.covers(row.alert, row.rule_code, now); });
}

// --- from people -------------------------------------------------------------------------------------------

AlertEngine::Track* AlertEngine::find_track(std::int64_t id) {
    for (auto& [rule_id, state] : rules_) {
        for (auto& [subject, track] : state.tracks) {
            if (track.row && track.row->alert.id == id) return &track;
        }
    }
    return nullptr;
}

Result<AlertRow> AlertEngine::acknowledge(std::int64_t id, const std::string& by, const std::string& note,
                                          AlertMoment now) {
    auto* track = find_track(id);
    if (track == nullptr) return make_error(ErrorKind::kNotFound, fmt::format("no alert {} is open", id));
    auto& alert = track->row->alert;
    if (alert.state == AlertState::kFiring) {
        alert.state = AlertState::kAcknowledged;
        alert.timestamp = now.utc;
        alert.context["acknowledged_by"] = by;
        alert.context["acknowledged_at"] = format_rfc3339(now.utc);
        if (!note.empty()) alert.context["note"] = note;
    }
    return *track->row;
}

std::vector<AlertRow> AlertEngine::open() const {
    std::vector<AlertRow> rows;
    for (const auto& [id, state] : rules_) {
        for (const auto& [subject, track] : state.tracks) {
            if (track.row) rows.push_back(*track.row);
        }
    }
    std::ranges::sort(rows, {}, [](const AlertRow& row) { return row.alert.id; });
    return rows;
}

}  // namespace fieldwarden::supervisor
