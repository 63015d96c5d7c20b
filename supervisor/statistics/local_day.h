// The days of a time zone: 24 hours, or 23 and 25 where daylight saving begins and ends. Every moment is in
// exactly one of them, also where clocks are put back over midnight.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "supervisor/plant/schedule.h"

namespace fieldwarden::supervisor {

struct LocalDay {
    std::chrono::sys_days date;  // its name
    UtcTime begin{};             // inclusive
    UtcTime end{};               // exclusive, later than begin

    [[nodiscard]] bool holds(UtcTime time) const { return begin <= time && time < end; }
};

LocalDay local_day(Zone zone, UtcTime time);
LocalDay local_day(Zone zone, std::chrono::sys_days date);

// "2026-03-10", years 1970 to 9999; nullopt for anything else.
std::optional<std::chrono::sys_days> parse_day(std::string_view text);
std::string format_day(std::chrono::sys_days day);

}  // namespace fieldwarden::supervisor
