#include "supervisor/statistics/local_day.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace fieldwarden::supervisor {

namespace {

// Midnight; the first of two, and the end of the gap where there is none.
UtcTime begin_of(Zone zone, std::chrono::sys_days date) {
    const date::local_time<std::chrono::days> midnight{date.time_since_epoch()};
    const auto info = zone->get_info(midnight);
    if (info.result == date::local_info::nonexistent) return UtcTime{info.first.end.time_since_epoch()};
    return UtcTime{midnight.time_since_epoch() - info.first.offset};
}

}  // namespace

LocalDay local_day(Zone zone, std::chrono::sys_days date) {
    const auto begin = begin_of(zone, date);
    return {date, begin, std::max(begin_of(zone, date + std::chrono::days{1}), begin)};
}

LocalDay local_day(Zone zone, UtcTime time) {
    const auto local = zone->to_local(date::sys_time<UtcTime::duration>{time.time_since_epoch()});
    const auto date = std::chrono::sys_days{std::chrono::floor<std::chrono::days>(local.time_since_epoch())};
    // What the clocks show is a neighbouring day's where they are put back over midnight; and a zone may
    // leave out a day altogether, which then is empty.
    for (const int days_on : {0, 1, -1, 2, -2}) {
        const auto day = local_day(zone, date + std::chrono::days{days_on});
        if (day.holds(time)) return day;
    }
    return {date, time, time + std::chrono::hours{1}};
}

std::optional<std::chrono::sys_days> parse_day(std::string_view text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
    const auto number = [&](std::size_t from, std::size_t count) {
        int value = -1;
        const auto* end = text.data() + from + count;
        const auto [rest, error] = std::from_chars(text.data() + from, end, value);
        return error == std::errc{} && rest == end ? value : -1;
    };
    const int year = number(0, 4);
    const int month = number(5, 2);
    const int day = number(8, 2);
    if (year < 1970 || month < 0 || day < 0) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) return std::nullopt;
    return std::chrono::sys_days{date};
}

std::string format_day(std::chrono::sys_days day) {
    const std::chrono::year_month_day date{day};
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

}  // namespace fieldwarden::supervisor
