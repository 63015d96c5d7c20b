// LiveValues: the latest sample of every point, fed by the workers' live frames, read by realtime-data, the
// session WebSocket and `points`. Served from memory, never by a query per request. Threads. All methods are
// thread safe.
#pragma once

#include <optional>
#include <shared_mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/sample.h"

namespace fieldwarden::supervisor {

class LiveValues {
  public:
    // Older samples than the one held are ignored.
    void put(std::span<const Sample> samples);
    [[nodiscard]] std::optional<Sample> get(PointId point) const;
    // In the order asked; a point without a sample gives nullopt.
    [[nodiscard]] std::vector<std::optional<Sample>> get(std::span<const PointId> points) const;
    // Marks the points' last samples bad/stale at `now`: their task stopped or its worker died.
    void mark_stale(std::span<const PointId> points, UtcTime now);
    void forget(std::span<const PointId> points);

  private:
    mutable std::shared_mutex mutex_;
    std::unordered_map<PointId, Sample> samples_;
};

}  // namespace fieldwarden::supervisor
