// When a task's schedule says start and when it says stop, in local time of a zone: pure functions over the
// calendar of the time zone database (date::, the library that became std::chrono's calendar).
//
// Daylight saving. Clocks skip local times in spring: what was due then is due at the moment after the gap.
// They repeat local times in autumn: what is due then is due once, at the first of the two.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "supervisor/plant/run_plan.h"

namespace date {
class time_zone;
}

namespace fieldwarden::supervisor {

// A zone of the IANA database ("Asia/Shanghai"); "" is the system's own. Never null. kInvalidArgument for a
// name that is in no database.
using Zone = const date::time_zone*;
Result<Zone> find_zone(const std::string& name);

// The first time after `after`, the last at or before `until`; nullopt when there is none within eight years.
std::optional<UtcTime> next_time(const CronExpression& cron, Zone zone, UtcTime after);
std::optional<UtcTime> last_time(const CronExpression& cron, Zone zone, UtcTime until);

// The moment a schedule opens or closes. When both fall on one moment, it opens.
struct ScheduleEdge {
    UtcTime at{};
    bool opens = false;

    bool operator==(const ScheduleEdge&) const = default;
};
std::optional<ScheduleEdge> next_edge(const Schedule& schedule, Zone zone, UtcTime after);
std::optional<ScheduleEdge> last_edge(const Schedule& schedule, Zone zone, UtcTime until);

// What a task should be at `now` after a time in which nobody looked (the supervisor was away): true:
// started, false: stopped, nullopt: as it is. `desired_since`: when somebody last said what it should be,
// nullopt when nobody ever did; then only an autostart task is started, when its window is open.
std::optional<bool> missed_edge(const Schedule& schedule, Zone zone, UtcTime now,
                                std::optional<UtcTime> desired_since, bool autostart);

}  // namespace fieldwarden::supervisor
