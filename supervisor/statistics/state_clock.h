// StateClock: how long each device was in which state, by local day. Pure: it has no clock, no thread and no
// store of its own; the times given to it are those at which the supervisor learned of something, not the
// samples' own. Threads: for one thread at a time.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"

namespace fieldwarden::supervisor {

// A day of a time zone: 24 hours, or 23 and 25 where daylight saving begins and ends.
struct LocalDay {
    std::chrono::sys_days date;  // its name
    UtcTime begin;               // inclusive
    UtcTime end;                 // exclusive, later than begin
};
using DayOf = std::function<LocalDay(UtcTime)>;

// The day in the machine's time zone (TZ, /etc/localtime).
LocalDay machine_day(UtcTime time);

// Nothing is known: before the first word of a device, and when the last one is too old.
inline constexpr std::string_view kUnknownState = "unknown";

struct StateTime {
    std::string device;
    std::chrono::sys_days day;
    std::string state;
    std::chrono::microseconds spent{0};

    bool operator==(const StateTime&) const = default;
};

class StateClock {
  public:
    // A state holds for `stale_after` beyond the last time it was confirmed; what follows is unknown.
    StateClock(DayOf day_of, std::chrono::microseconds stale_after)
        : day_of_(std::move(day_of)), stale_after_(stale_after) {}

    // What an earlier process had counted. To be called before the first observe().
    void restore(std::span<const StateTime> rows);
    // The device is in `state` at `now`. The time since the last word goes to the state before. A time that
    // lies a little before the last one counts nothing twice; one that lies further back than stale_after is
    // a clock set back, and counting begins anew from there.
    void observe(const std::string& device, UtcTime now, std::string_view state);
    // Counts up to `now` for all devices, without confirming any state.
    void advance(UtcTime now);
    // The device is no longer configured. What it has counted stays.
    void forget(const std::string& device, UtcTime now);

    // The totals that changed since the last call: to be written over those of the same device, day and
    // state.
    std::vector<StateTime> take_changes();
    // Ends the memory of days before `day`, except of totals not yet taken.
    void drop_before(std::chrono::sys_days day);
    [[nodiscard]] std::map<std::string, std::chrono::microseconds> states_of(const std::string& device,
                                                                             std::chrono::sys_days day) const;

  private:
    struct Total {
        std::chrono::microseconds spent{0};
        bool changed = false;
    };
    struct Running {
        std::string state;
        UtcTime counted_to;
        UtcTime confirmed;
    };
    using DayTotals = std::map<std::string, Total, std::less<>>;  // by state

    void count(const std::string& device, Running& running, UtcTime now);
    void add(const std::string& device, std::string_view state, UtcTime from, UtcTime to);

    DayOf day_of_;
    std::chrono::microseconds stale_after_;
    std::map<std::string, Running> running_;
    std::map<std::string, std::map<std::chrono::sys_days, DayTotals>> totals_;  // by device
};

}  // namespace fieldwarden::supervisor
