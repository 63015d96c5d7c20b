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
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "supervisor/statistics/local_day.h"
#include "supervisor/statistics/state_time.h"

namespace fieldwarden::supervisor {

using DayOf = std::function<LocalDay(UtcTime)>;

class StateClock {
  public:
    // A state holds until the next word about its device, at most `longest_gap`: when none comes for longer,
    // nobody watched (the machine slept, its clock was set on), and what follows is not counted at all.
    StateClock(DayOf day_of, std::chrono::microseconds longest_gap)
        : day_of_(std::move(day_of)), longest_gap_(longest_gap) {}

    // What an earlier process had counted. To be called before the first observe().
    void restore(std::span<const StateTime> rows);
    // The device is in `state` at `now`. The time since the last word goes to the state before. A time that
    // lies a little before the last one counts nothing twice; one that lies further back than longest_gap is
    // a clock set back, and counting begins anew from there.
    void observe(const std::string& device, UtcTime now, std::string_view state);
    // The device is no longer configured. What it has counted stays.
    void forget(const std::string& device, UtcTime now);

    // The totals that changed since the last call: to be written over those of the same device, day and
    // state.
    std::vector<StateTime> take_changes();
    // Some of what was taken was not written: all totals in memory are changes again.
    void take_back();
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
    };
    using DayTotals = std::map<std::string, Total, std::less<>>;  // by state

    void count(const std::string& device, Running& running, UtcTime now);
    void add(const std::string& device, std::string_view state, UtcTime from, UtcTime to);

    DayOf day_of_;
    std::chrono::microseconds longest_gap_;
    LocalDay day_{};  // the one asked for last
    std::unordered_map<std::string, Running> running_;
    std::map<std::string, std::map<std::chrono::sys_days, DayTotals>> totals_;  // by device
};

}  // namespace fieldwarden::supervisor
