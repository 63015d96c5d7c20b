#include "supervisor/alerts/silence.h"

#include <algorithm>

#include "supervisor/alerts/member_reader.h"

namespace fieldwarden::supervisor {

using proto::Json;

namespace {
constexpr std::chrono::days kLongestSilence{366};
}

bool Silence::covers(const proto::Alert& alert, std::string_view rule_code, UtcTime now) const {
    return now >= starts_at && now < ends_at && matches_any(rules, rule_code) &&
           matches_any(tasks, alert.process_name) && matches_any(devices, alert.device_code) &&
           matches_any(points, alert.point_code);
}

Json to_json(const Silence& silence, UtcTime now) {
    return {{"id", silence.id},
            {"starts_at", format_rfc3339(silence.starts_at)},
            {"ends_at", format_rfc3339(silence.ends_at)},
            {"active", now >= silence.starts_at && now < silence.ends_at},
            {"rules", silence.rules},
            {"tasks", silence.tasks},
            {"devices", silence.devices},
            {"points", silence.points},
            {"comment", silence.comment},
            {"created_by", silence.created_by},
            {"created_at", format_rfc3339(silence.created_at)}};
}

Silence silence_from_json(const Json& body, const Silence* stored, UtcTime now,
                          std::vector<RuleProblem>& problems) {
    Silence silence = stored != nullptr ? *stored : Silence{};
    if (stored == nullptr) silence.starts_at = now;
    MemberReader members{body, problems};
    for (const auto* given_back : {"id", "active", "created_by", "created_at"})
        (void)members.take(given_back);
    members.time("starts_at", silence.starts_at);
    members.time("ends_at", silence.ends_at);
    if (stored == nullptr && !body.contains("ends_at")) {
        members.problem("ends_at", "missing_value", "ends_at is needed: a silence has an end");
    }
    members.globs("rules", silence.rules, kMostGlobs);
    members.globs("tasks", silence.tasks, kMostGlobs);
    members.globs("devices", silence.devices, kMostGlobs);
    members.globs("points", silence.points, kMostGlobs);
    members.text("comment", silence.comment, kLongestAlertText, true);
    members.finish();
    const bool times_are_good =
        std::ranges::none_of(problems, [](const RuleProblem& each) { return each.field.ends_with("s_at"); });
    if (times_are_good) {
        if (silence.ends_at <= silence.starts_at) {
            members.problem("ends_at", "bad_value", "ends_at comes after starts_at");
        } else if (silence.ends_at - silence.starts_at > kLongestSilence) {
            members.problem("ends_at", "bad_value", "a silence is at most 366 days long");
        }
    }
    return silence;
}

}  // namespace fieldwarden::supervisor
