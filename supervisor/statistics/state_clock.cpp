#include "supervisor/statistics/state_clock.h"

#include <algorithm>
#include <ctime>

namespace fieldwarden::supervisor {

LocalDay machine_day(UtcTime time) {
    const auto seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(
            std::chrono::floor<std::chrono::seconds>(time)));
    std::tm local{};
    ::localtime_r(&seconds, &local);
    const auto midnight = [&](int days_on) {
        std::tm at{};
        at.tm_year = local.tm_year;
        at.tm_mon = local.tm_mon;
        at.tm_mday = local.tm_mday + days_on;
        at.tm_isdst = -1;  // as the zone says for that hour
        return UtcTime{std::chrono::seconds{std::mktime(&at)}};
    };
    const std::chrono::year_month_day date{std::chrono::year{local.tm_year + 1900},
                                           std::chrono::month{static_cast<unsigned>(local.tm_mon + 1)},
                                           std::chrono::day{static_cast<unsigned>(local.tm_mday)}};
    // Where daylight saving skips midnight, mktime may give an hour that belongs to a neighbouring day; the
    // interval always holds the time asked about.
    const auto begin = std::min(midnight(0), time);
    return {std::chrono::sys_days{date}, begin, std::max(midnight(1), time + std::chrono::microseconds{1})};
}

void StateClock::restore(std::span<const StateTime> rows) {
    for (const auto& row : rows) totals_[row.device][row.day][row.state].spent = row.spent;
}

void StateClock::observe(const std::string& device, UtcTime now, std::string_view state) {
    const auto [found, is_new] = running_.try_emplace(device, Running{std::string(state), now, now});
    if (is_new) return;
    auto& running = found->second;
    count(device, running, now);
    running.state = state;
    running.confirmed = now;
}

void StateClock::advance(UtcTime now) {
    for (auto& [device, running] : running_) count(device, running, now);
}

void StateClock::forget(const std::string& device, UtcTime now) {
    const auto found = running_.find(device);
    if (found == running_.end()) return;
    count(device, found->second, now);
    running_.erase(found);
}

void StateClock::count(const std::string& device, Running& running, UtcTime now) {
    if (now < running.counted_to - stale_after_) {
        running.counted_to = now;
        running.confirmed = std::min(running.confirmed, now);
        return;
    }
    if (now <= running.counted_to) return;
    const auto known_to = std::clamp(running.confirmed + stale_after_, running.counted_to, now);
    add(device, running.state, running.counted_to, known_to);
    add(device, kUnknownState, known_to, now);
    running.counted_to = now;
}

void StateClock::add(const std::string& device, std::string_view state, UtcTime from, UtcTime to) {
    while (from < to) {
        const auto day = day_of_(from);
        const auto until = std::min(day.end, to);
        auto& states = totals_[device][day.date];
        auto& total = states.try_emplace(std::string(state)).first->second;
        total.spent += until - from;
        total.changed = true;
        from = until;
    }
}

std::vector<StateTime> StateClock::take_changes() {
    std::vector<StateTime> changes;
    for (auto& [device, days] : totals_) {
        for (auto& [day, states] : days) {
            for (auto& [state, total] : states) {
                if (!total.changed) continue;
                changes.push_back({device, day, state, total.spent});
                total.changed = false;
            }
        }
    }
    return changes;
}

void StateClock::drop_before(std::chrono::sys_days day) {
    for (auto device = totals_.begin(); device != totals_.end();) {
        auto& days = device->second;
        std::erase_if(days, [&](const auto& entry) {
            return entry.first < day &&
                   std::ranges::none_of(entry.second, [](const auto& state) { return state.second.changed; });
        });
        device = days.empty() ? totals_.erase(device) : std::next(device);
    }
}

std::map<std::string, std::chrono::microseconds> StateClock::states_of(const std::string& device,
                                                                       std::chrono::sys_days day) const {
    std::map<std::string, std::chrono::microseconds> states;
    const auto days = totals_.find(device);
    if (days == totals_.end()) return states;
    const auto found = days->second.find(day);
    if (found == days->second.end()) return states;
    for (const auto& [state, total] : found->second) states.emplace(state, total.spent);
    return states;
}

}  // namespace fieldwarden::supervisor
