#include "worker/live_table.h"

#include <algorithm>

namespace fieldwarden::worker {

LiveTable::LiveTable(const std::vector<PointConfig>& points) {
    for (const auto& point : points) ids_.push_back(point.id);
    std::sort(ids_.begin(), ids_.end());
    slots_.resize(ids_.size());
}

void LiveTable::update(const SampleBatch& samples) {
    const std::lock_guard lock{mutex_};
    std::size_t guess = 0;  // points come mostly in the order of their ids
    for (const auto& sample : samples) {
        if (guess >= ids_.size() || ids_[guess] != sample.point) {
            const auto found = std::lower_bound(ids_.begin(), ids_.end(), sample.point);
            if (found == ids_.end() || *found != sample.point) continue;
            guess = static_cast<std::size_t>(found - ids_.begin());
        }
        auto& slot = slots_[guess];
        const bool changed = slot.newest.value != sample.value || slot.newest.quality != sample.quality ||
                             slot.newest.code != sample.code || slot.sent == UtcTime{};
        slot.newest = sample;
        if (!slot.due && (changed || sample.time - slot.sent >= kRefresh)) {
            slot.due = true;
            due_.push_back(static_cast<std::uint32_t>(guess));
        }
        ++guess;
    }
}

void LiveTable::take(SampleBatch& out) {
    const std::lock_guard lock{mutex_};
    for (const auto index : due_) {
        auto& slot = slots_[index];
        slot.due = false;
        slot.sent = slot.newest.time;
        out.push_back(slot.newest);
    }
    due_.clear();
}

void LiveTable::resend() {
    const std::lock_guard lock{mutex_};
    due_.clear();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        slots_[i].due = slots_[i].newest.time != UtcTime{};
        if (slots_[i].due) due_.push_back(static_cast<std::uint32_t>(i));
    }
}

}  // namespace fieldwarden::worker
