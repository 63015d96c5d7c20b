#include "supervisor/status/live_values.h"

#include <algorithm>
#include <mutex>

#include "common/value_bits.h"

namespace fieldwarden::supervisor {

const LiveValues::Slot* LiveValues::find(PointId point) const {
    const auto page = pages_.find(point / kPageSlots);
    if (page == pages_.end()) return nullptr;
    const auto& slot = page->second->slots[point % kPageSlots];
    return slot.held ? &slot : nullptr;
}

Sample LiveValues::sample_of(PointId point, const Slot& slot) const {
    Sample sample{.point = point, .quality = slot.quality, .code = slot.code, .time = slot.time, .value = {}};
    const auto text = texts_.empty() ? texts_.end() : texts_.find(point);
    sample.value = text == texts_.end() ? value_of(slot.kind, slot.bits) : Value{text->second};
    return sample;
}

void LiveValues::put(const Sample& sample) {
    auto& page = pages_[sample.point / kPageSlots];
    if (!page) page = std::make_unique<Page>();
    auto& slot = page->slots[sample.point % kPageSlots];
    if (!slot.held) ++page->held;
    const auto kind = static_cast<std::uint8_t>(sample.value.index());
    if (is_text(sample.value)) {
        texts_[sample.point] = std::get<std::string>(sample.value);
    } else if (!texts_.empty()) {
        texts_.erase(sample.point);
    }
    slot = {sample.time, bits_of(sample.value), kind, sample.quality, sample.code, true};
}

void LiveValues::put(std::span<const Sample> samples) {
    const std::unique_lock lock{mutex_};
    for (const auto& sample : samples) put(sample);
}

void LiveValues::recall(std::span<const Sample> samples) {
    const std::unique_lock lock{mutex_};
    for (const auto& sample : samples) {
        const auto* slot = find(sample.point);
        if (slot == nullptr || slot->time < sample.time) put(sample);
    }
}

std::optional<Sample> LiveValues::get(PointId point) const {
    const std::shared_lock lock{mutex_};
    const auto* slot = find(point);
    return slot == nullptr ? std::nullopt : std::optional{sample_of(point, *slot)};
}

std::vector<std::optional<Sample>> LiveValues::get(std::span<const PointId> points) const {
    std::vector<std::optional<Sample>> found;
    found.reserve(points.size());
    const std::shared_lock lock{mutex_};
    for (const auto point : points) {
        const auto* slot = find(point);
        found.push_back(slot == nullptr ? std::nullopt : std::optional{sample_of(point, *slot)});
    }
    return found;
}

void LiveValues::mark_stale(std::span<const PointId> points, UtcTime now) {
    const std::unique_lock lock{mutex_};
    for (const auto point : points) {
        auto* slot = find(point);
        // A value that was bad already keeps the reason it had.
        if (slot == nullptr || slot->quality == Quality::kBad) continue;
        slot->quality = Quality::kBad;
        slot->code = QualityCode::kStale;
        slot->time = std::max(slot->time, now);
    }
}

void LiveValues::forget(std::span<const PointId> points) {
    const std::unique_lock lock{mutex_};
    for (const auto point : points) {
        const auto page = pages_.find(point / kPageSlots);
        if (page == pages_.end()) continue;
        auto& slot = page->second->slots[point % kPageSlots];
        if (!slot.held) continue;
        slot = {};
        texts_.erase(point);
        if (--page->second->held == 0) pages_.erase(page);
    }
}

void LiveValues::keep_only(std::vector<PointId> points) {
    std::ranges::sort(points);
    const std::unique_lock lock{mutex_};
    std::erase_if(pages_, [&](auto& entry) {
        auto& [number, page] = entry;
        for (PointId at = 0; at < kPageSlots && page->held != 0; ++at) {
            auto& slot = page->slots[at];
            const auto point = number * kPageSlots + at;
            if (!slot.held || std::ranges::binary_search(points, point)) continue;
            slot = {};
            texts_.erase(point);
            --page->held;
        }
        return page->held == 0;
    });
}

}  // namespace fieldwarden::supervisor
