// Silence: a window of time in which some alerts tell nobody. They still fire, resolve and enter the history.
#pragma once

#include <string>
#include <vector>

#include "supervisor/alerts/alert_rule.h"

namespace fieldwarden::supervisor {

struct Silence {
    std::int64_t id = 0;
    UtcTime starts_at{};
    UtcTime ends_at{};
    // Globs; all of them must match. An alert without a device or point matches only "*" there.
    std::vector<std::string> rules{"*"};
    std::vector<std::string> tasks{"*"};
    std::vector<std::string> devices{"*"};
    std::vector<std::string> points{"*"};
    std::string comment;
    std::string created_by;
    UtcTime created_at{};

    bool operator==(const Silence&) const = default;

    [[nodiscard]] bool covers(const proto::Alert& alert, std::string_view rule_code, UtcTime now) const;
};

// With `active`: whether `now` lies in the window.
proto::Json to_json(const Silence& silence, UtcTime now);
// As rule_from_json. A new silence starts at `now` when it does not say; `created_*` are not read.
Silence silence_from_json(const proto::Json& body, const Silence* stored, UtcTime now,
                          std::vector<RuleProblem>& problems);

}  // namespace fieldwarden::supervisor
