#include "supervisor/status/live_values.h"

#include <mutex>

namespace fieldwarden::supervisor {

void LiveValues::put(std::span<const Sample> samples) {
    const std::unique_lock lock{mutex_};
    for (const auto& sample : samples) {
        const auto [held, added] = samples_.try_emplace(sample.point, sample);
        if (!added && sample.time >= held->second.time) held->second = sample;
    }
}

std::optional<Sample> LiveValues::get(PointId point) const {
    const std::shared_lock lock{mutex_};
    const auto held = samples_.find(point);
    return held == samples_.end() ? std::nullopt : std::optional{held->second};
}

std::vector<std::optional<Sample>> LiveValues::get(std::span<const PointId> points) const {
    std::vector<std::optional<Sample>> found;
    found.reserve(points.size());
    const std::shared_lock lock{mutex_};
    for (const auto point : points) {
        const auto held = samples_.find(point);
        found.push_back(held == samples_.end() ? std::nullopt : std::optional{held->second});
    }
    return found;
}

void LiveValues::mark_stale(std::span<const PointId> points, UtcTime now) {
    const std::unique_lock lock{mutex_};
    for (const auto point : points) {
        const auto held = samples_.find(point);
        // A value that was bad already keeps the reason it had.
        if (held == samples_.end() || held->second.quality == Quality::kBad) continue;
        held->second.quality = Quality::kBad;
        held->second.code = QualityCode::kStale;
        held->second.time = std::max(held->second.time, now);
    }
}

void LiveValues::forget(std::span<const PointId> points) {
    const std::unique_lock lock{mutex_};
    for (const auto point : points) samples_.erase(point);
}

}  // namespace fieldwarden::supervisor
