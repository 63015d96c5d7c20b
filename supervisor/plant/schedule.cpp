#include "supervisor/plant/schedule.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <chrono>
#include <exception>

namespace fieldwarden::supervisor {

namespace {

using std::chrono::minutes;
using LocalDay = date::local_days;

// 29 February comes every four years, eight around a century that is no leap year.
constexpr int kMostDays = 8 * 366;

bool day_fits(const CronExpression& cron, LocalDay day) {
    const date::year_month_day calendar{day};
    if ((cron.months >> static_cast<unsigned>(calendar.month()) & 1U) == 0) return false;
    const bool day_fits = (cron.days >> static_cast<unsigned>(calendar.day()) & 1U) != 0;
    const bool weekday_fits = (cron.weekdays >> date::weekday{day}.c_encoding() & 1U) != 0;
    if (cron.any_day || cron.any_weekday) return day_fits && weekday_fits;
    return day_fits || weekday_fits;
}

UtcTime utc_of(date::local_time<minutes> local, Zone zone) {
    const auto info = zone->get_info(local);
    if (info.result == date::local_info::nonexistent) return UtcTime{info.first.end.time_since_epoch()};
    return UtcTime{local.time_since_epoch() - info.first.offset};
}

LocalDay day_of(UtcTime time, Zone zone) {
    return date::floor<date::days>(
        zone->to_local(date::sys_time<UtcTime::duration>{time.time_since_epoch()}));
}

// Calls `found` with the times of one day, in order, until it returns true.
template <class Found>
bool times_of_day(const CronExpression& cron, Zone zone, LocalDay day, bool backwards, Found&& found) {
    for (int h = 0; h < 24; ++h) {
        const int hour = backwards ? 23 - h : h;
        if ((cron.hours >> hour & 1U) == 0) continue;
        for (int m = 0; m < 60; ++m) {
            const int minute = backwards ? 59 - m : m;
            if ((cron.minutes >> minute & 1U) == 0) continue;
            if (found(utc_of(day + std::chrono::hours{hour} + minutes{minute}, zone))) return true;
        }
    }
    return false;
}

}  // namespace

Result<Zone> find_zone(const std::string& name) {
    try {
        return name.empty() ? date::current_zone() : date::locate_zone(name);
    } catch (const std::exception&) {
        return make_error(ErrorKind::kInvalidArgument,
                          name.empty() ? std::string{"the system's time zone cannot be found: name one"}
                                       : fmt::format("there is no time zone '{}'; write a name such as "
                                                     "Asia/Shanghai, Europe/Berlin or UTC",
                                                     name.substr(0, 64)));
    }
}

std::optional<UtcTime> next_time(const CronExpression& cron, Zone zone, UtcTime after) {
    std::optional<UtcTime> next;
    // A day earlier: a gap that spans midnight pushes times of one local day into the next.
    auto day = day_of(after, zone) - date::days{1};
    for (int n = 0; n < kMostDays; ++n, day += date::days{1}) {
        if (!day_fits(cron, day)) continue;
        const bool found = times_of_day(cron, zone, day, false, [&](UtcTime time) {
            if (time <= after) return false;
            next = time;
            return true;
        });
        if (found) return next;
    }
    return std::nullopt;
}

std::optional<UtcTime> last_time(const CronExpression& cron, Zone zone, UtcTime until) {
    std::optional<UtcTime> last;
    auto day = day_of(until, zone) + date::days{1};
    for (int n = 0; n < kMostDays; ++n, day -= date::days{1}) {
        if (!day_fits(cron, day)) continue;
        const bool found = times_of_day(cron, zone, day, true, [&](UtcTime time) {
            if (time > until) return false;
            last = time;
            return true;
        });
        if (found) return last;
    }
    return std::nullopt;
}

std::optional<ScheduleEdge> next_edge(const Schedule& schedule, Zone zone, UtcTime after) {
    const auto start = next_time(schedule.start, zone, after);
    const auto stop = schedule.stop ? next_time(*schedule.stop, zone, after) : std::nullopt;
    if (!start && !stop) return std::nullopt;
    if (start && (!stop || *start <= *stop)) return ScheduleEdge{*start, true};
    return ScheduleEdge{*stop, false};
}

std::optional<ScheduleEdge> last_edge(const Schedule& schedule, Zone zone, UtcTime until) {
    const auto start = last_time(schedule.start, zone, until);
    const auto stop = schedule.stop ? last_time(*schedule.stop, zone, until) : std::nullopt;
    if (!start && !stop) return std::nullopt;
    if (start && (!stop || *start >= *stop)) return ScheduleEdge{*start, true};
    return ScheduleEdge{*stop, false};
}

std::optional<bool> missed_edge(const Schedule& schedule, Zone zone, UtcTime now,
                                std::optional<UtcTime> desired_since, bool autostart) {
    const auto edge = last_edge(schedule, zone, now);
    if (!desired_since) return autostart && edge && edge->opens ? std::optional{true} : std::nullopt;
    if (!edge || edge->at <= *desired_since) return std::nullopt;
    return edge->opens;
}

}  // namespace fieldwarden::supervisor
