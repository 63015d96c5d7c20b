// The samples of a polling driver's read() in progress, found by point index. A driver fills in what it
// hears, request by request and in any order; what nobody filled in stays bad, not connected.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "common/clock.h"
#include "common/sample.h"
#include "worker/drivers/read_plan.h"

namespace fieldwarden::worker {

class ReadSlots {
  public:
    explicit ReadSlots(std::size_t points) : slot_(points, 0) {}

    // Appends to `out` a sample for each of `due`, with the id of its point. `out` is not touched by anybody
    // else until end().
    template <class Points>
    void begin(std::span<const std::uint32_t> due, const Points& points, SampleBatch& out) {
        const auto base = out.size();
        out.resize(base + due.size());
        out_ = &out;
        const auto now = system_clock().utc_now();
        for (std::size_t i = 0; i < due.size(); ++i) {
            slot_[due[i]] = static_cast<std::uint32_t>(base + i + 1);
            auto& sample = out[base + i];
            sample.point = points[due[i]].id;
            sample.quality = Quality::kBad;
            sample.code = QualityCode::kDisconnected;
            sample.time = now;
        }
    }
    void end(std::span<const std::uint32_t> due) {
        for (const auto index : due) slot_[index] = 0;
        out_ = nullptr;
    }

    // nullptr: the point is not due.
    [[nodiscard]] Sample* find(std::uint32_t point) const {
        const auto slot = slot_[point];
        return slot == 0 ? nullptr : &(*out_)[slot - 1];
    }
    [[nodiscard]] bool any_due(const ReadRequest& request) const {
        return std::any_of(request.points.begin(), request.points.end(),
                           [&](const ReadPoint& place) { return slot_[place.index] != 0; });
    }

    // The value is in `sample` already, where it is valid.
    static void settle(Sample& sample, bool valid, UtcTime now) {
        sample.quality = valid ? Quality::kGood : Quality::kBad;
        sample.code = valid ? QualityCode::kNone : QualityCode::kDecode;
        sample.time = now;
    }
    // Those of the points that are due have no value, and this is why.
    void mark(std::span<const ReadPoint> points, QualityCode code) {
        const auto now = system_clock().utc_now();
        for (const auto& place : points) {
            auto* const sample = find(place.index);
            if (sample == nullptr) continue;
            sample->quality = Quality::kBad;
            sample->code = code;
            sample->time = now;
            sample->value = std::monostate{};
        }
    }

  private:
    std::vector<std::uint32_t> slot_;  // by point index: 1 + place in `*out_`; 0: not due
    SampleBatch* out_ = nullptr;
};

}  // namespace fieldwarden::worker
