#include "supervisor/statistics/state_clock.h"

#include <algorithm>

namespace fieldwarden::supervisor {

void StateClock::restore(std::span<const StateTime> rows) {
    for (const auto& row : rows) totals_[row.device][row.day][row.state].spent = row.spent;
}

void StateClock::observe(const std::string& device, UtcTime now, std::string_view state) {
    const auto [found, is_new] = running_.try_emplace(device, Running{std::string(state), now});
    if (is_new) return;
    auto& running = found->second;
    count(device, running, now);
    running.state = state;
}

void StateClock::forget(const std::string& device, UtcTime now) {
    const auto found = running_.find(device);
    if (found == running_.end()) return;
    count(device, found->second, now);
    running_.erase(found);
}

void StateClock::count(const std::string& device, Running& running, UtcTime now) {
    const auto from = running.counted_to;
    if (now <= from && now >= from - longest_gap_) return;
    running.counted_to = now;
    if (now > from) add(device, running.state, from, std::min(now, from + longest_gap_));
}

void StateClock::add(const std::string& device, std::string_view state, UtcTime from, UtcTime to) {
    while (from < to) {
        if (!day_.holds(from)) day_ = day_of_(from);
        const auto until = std::min(day_.end, to);
        auto& states = totals_[device][day_.date];
        auto found = states.find(state);
        if (found == states.end()) found = states.emplace(std::string(state), Total{}).first;
        found->second.spent += until - from;
        found->second.changed = true;
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

void StateClock::take_back() {
    for (auto& [device, days] : totals_) {
        for (auto& [day, states] : days) {
            for (auto& [state, total] : states) total.changed = true;
        }
    }
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
