#include "worker/live_table.h"

#include <algorithm>

#include "common/value_bits.h"

namespace fieldwarden::worker {

LiveTable::LiveTable(const std::vector<PointConfig>& points) {
    for (const auto& point : points) ids_.push_back(point.id);
    std::sort(ids_.begin(), ids_.end());
    slots_.resize(ids_.size());
}

// Whether it is another value than the one held.
bool LiveTable::take_value(std::uint32_t index, const Sample& sample) {
    auto& slot = slots_[index];
    const auto bits = bits_of(sample.value);
    const auto kind = static_cast<std::uint8_t>(sample.value.index());
    bool other = slot.bits != bits || slot.kind != kind;
    slot.bits = bits;
    slot.kind = kind;
    if (is_text(sample.value)) {
        auto& held = texts_[index];
        other = other || held != std::get<std::string>(sample.value);
        held = std::get<std::string>(sample.value);
    } else if (!texts_.empty()) {
        texts_.erase(index);
    }
    return other;
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
        const bool new_value = take_value(static_cast<std::uint32_t>(guess), sample);
        const bool changed =
            new_value || slot.quality != sample.quality || slot.code != sample.code || slot.sent == UtcTime{};
        slot.time = sample.time;
        slot.quality = sample.quality;
        slot.code = sample.code;
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
        slot.sent = slot.time;
        auto& sample = out.emplace_back(Sample{.point = ids_[index],
                                               .quality = slot.quality,
                                               .code = slot.code,
                                               .time = slot.time,
                                               .value = {}});
        const auto text = texts_.empty() ? texts_.end() : texts_.find(index);
        sample.value = text == texts_.end() ? value_of(slot.kind, slot.bits) : Value{text->second};
    }
    due_.clear();
}

void LiveTable::resend() {
    const std::lock_guard lock{mutex_};
    due_.clear();
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        slots_[i].due = slots_[i].time != UtcTime{};
        if (slots_[i].due) due_.push_back(static_cast<std::uint32_t>(i));
    }
}

}  // namespace fieldwarden::worker
