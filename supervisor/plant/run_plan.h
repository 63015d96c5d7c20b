// When a task runs and for how long: the `schedule` and `run_limit` cells (CONTRACT 2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/task_config.h"

namespace fieldwarden::supervisor {

// A five-field cron expression, "minute hour day month weekday", as sets: bit n stands for the value n.
// Fields take *, numbers, ranges (1-5), steps (*/15, 8-18/2) and lists of these; months and weekdays also
// their English names; weekday 0 and 7 are Sunday. As in cron(8), when both day and weekday are restricted,
// either one is enough.
struct CronExpression {
    std::uint64_t minutes = 0;  // 0 to 59
    std::uint32_t hours = 0;    // 0 to 23
    std::uint32_t days = 0;     // 1 to 31
    std::uint16_t months = 0;   // 1 to 12
    std::uint8_t weekdays = 0;  // 0 (Sunday) to 6
    bool any_day = false;       // the day field is *
    bool any_weekday = false;   // the weekday field is *

    bool operator==(const CronExpression&) const = default;
};
// Refuses what can never come (30 February).
Result<CronExpression> parse_cron(std::string_view text);

// "start=0 8 * * 1-5; stop=0 18 * * 1-5; tz=Asia/Shanghai". A start without a stop runs until its run limit
// or a person ends it. Without tz the times are those of server.time_zone.
struct Schedule {
    CronExpression start;
    std::optional<CronExpression> stop;
    std::string time_zone;  // IANA name; "" = that of the settings

    bool operator==(const Schedule&) const = default;
};
// nullopt for an empty cell.
Result<std::optional<Schedule>> parse_schedule(std::string_view text);

// "" (continuous), "cycles=N", "duration=1h".
Result<RunLimit> parse_run_limit(std::string_view text);

}  // namespace fieldwarden::supervisor
