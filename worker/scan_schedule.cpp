#include "worker/scan_schedule.h"

#include <algorithm>
#include <map>
#include <utility>

namespace fieldwarden::worker {

namespace {

std::chrono::milliseconds at_least_one_ms(std::chrono::milliseconds period) {
    return std::max(period, std::chrono::milliseconds{1});
}

}  // namespace

ScanSchedule::ScanSchedule(std::span<const PointConfig> points, std::chrono::milliseconds task_period,
                           MonoTime start) {
    std::map<std::chrono::milliseconds, std::size_t> known;  // 0: the task's period
    for (std::uint32_t i = 0; i < points.size(); ++i) {
        const auto own = std::max(points[i].period, std::chrono::milliseconds{0});
        const auto [at, is_new] = known.try_emplace(own, groups_.size());
        if (is_new) {
            const bool of_task = own.count() == 0;
            const auto period = at_least_one_ms(of_task ? task_period : own);
            groups_.push_back(
                {.configured = period, .period = period, .of_task = of_task, .due = start, .points = {}});
        }
        groups_[at->second].points.push_back(i);
    }
}

MonoTime ScanSchedule::next_due() const {
    MonoTime next = MonoTime::max();
    for (const auto& group : groups_) next = std::min(next, group.due);
    return next;
}

// Moves the group past every instant up to `now` and says how many there were.
std::uint64_t ScanSchedule::pass(Group& group, MonoTime now) {
    if (group.due > now) return 0;
    const auto instants = (now - group.due) / group.period + 1;
    group.due += instants * group.period;
    return static_cast<std::uint64_t>(instants);
}

void ScanSchedule::take_due(MonoTime now, std::vector<std::uint32_t>& due) {
    due.clear();
    unsigned groups_taken = 0;
    for (auto& group : groups_) {
        group.taken = group.due <= now;
        if (!group.taken) continue;
        missed_ += pass(group, now) - 1;
        due.insert(due.end(), group.points.begin(), group.points.end());
        ++groups_taken;
    }
    if (groups_taken > 1) std::sort(due.begin(), due.end());
}

void ScanSchedule::scan_done(MonoTime now) {
    for (auto& group : groups_) {
        if (std::exchange(group.taken, false)) missed_ += pass(group, now);
    }
}

void ScanSchedule::due_now(MonoTime now) {
    for (auto& group : groups_) group.due = std::min(group.due, now);
}

void ScanSchedule::skip(MonoTime now) {
    for (auto& group : groups_) pass(group, now);
}

void ScanSchedule::set_task_period(std::chrono::milliseconds period, MonoTime now) {
    for (auto& group : groups_) {
        if (group.of_task) set_period(group, at_least_one_ms(period), now);
    }
}

void ScanSchedule::stretch(std::uint32_t factor, MonoTime now) {
    factor_ = std::max(factor, 1U);
    for (auto& group : groups_) set_period(group, group.configured, now);
}

void ScanSchedule::set_period(Group& group, std::chrono::milliseconds configured, MonoTime now) const {
    const auto last = group.due - group.period;
    group.configured = configured;
    group.period = configured * factor_;
    group.due = std::max(last + group.period, now);
}

}  // namespace fieldwarden::worker
