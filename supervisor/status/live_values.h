// LiveValues: the latest sample of every point, fed by the workers' live frames, read by realtime-data, the
// session WebSocket and `points`. Served from memory, never by a query per request. Threads. All methods are
// thread safe.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/sample.h"

namespace fieldwarden::supervisor {

class LiveValues {
  public:
    // What a worker says now. The last one said holds, whatever time it carries: that is the device's own for
    // some protocols, and a clock may be set back.
    void put(std::span<const Sample> samples);
    // What a store says of the past: only where nothing newer is held.
    void recall(std::span<const Sample> samples);
    [[nodiscard]] std::optional<Sample> get(PointId point) const;
    // In the order asked; a point without a sample gives nullopt.
    [[nodiscard]] std::vector<std::optional<Sample>> get(std::span<const PointId> points) const;
    // Marks the points' last samples bad/stale at `now`: their task stopped or its worker died.
    void mark_stale(std::span<const PointId> points, UtcTime now);
    void forget(std::span<const PointId> points);
    // Forgets every point but these.
    void keep_only(std::vector<PointId> points);

  private:
    // A sample in 24 bytes. Texts, which are rare, stand beside in texts_.
    struct Slot {
        UtcTime time{};
        std::uint64_t bits = 0;  // of a number or a truth value
        std::uint8_t kind = 0;   // position in Value
        Quality quality = Quality::kGood;
        QualityCode code = QualityCode::kNone;
        bool held = false;
    };
    // Numbers of points are given one after the other, so those of a task lie on few pages.
    static constexpr PointId kPageSlots = 256;
    struct Page {
        std::array<Slot, kPageSlots> slots{};
        std::size_t held = 0;
    };

    [[nodiscard]] const Slot* find(PointId point) const;
    [[nodiscard]] Slot* find(PointId point) {
        return const_cast<Slot*>(static_cast<const LiveValues*>(this)->find(point));
    }
    void put(const Sample& sample);
    [[nodiscard]] Sample sample_of(PointId point, const Slot& slot) const;

    mutable std::shared_mutex mutex_;
    std::unordered_map<PointId, std::unique_ptr<Page>> pages_;  // by number / kPageSlots
    std::unordered_map<PointId, std::string> texts_;
};

}  // namespace fieldwarden::supervisor
