// AwayPoints: the points of a device that were last said to be out of reach, and what makes them good again.
//
// A value may carry the device's own time (OPC UA), of days ago when it does not change. Handed on with
// it, it would stand before the outage that is over, and whoever looks for the newest sample would find the
// outage for as long as the value stays the same. And a device that goes on with a subscription of before
// does not repeat what has not changed at all. What was before the worker's start counts as an outage: the
// last that was stored then may be that the device was away. Threads. The device loop's own.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/sample.h"

namespace fieldwarden::worker {

class AwayPoints {
  public:
    // `sends`: the device sends by itself; what it said last of every point is kept for bring_back().
    AwayPoints(std::size_t points, bool sends, UtcTime started);

    struct Samples {
        std::vector<std::uint32_t> which;  // indices of the points of `samples`
        SampleBatch samples;
    };
    // Looks at samples that are about to be handed on, as the driver or the loop made them; which[i] is the
    // index of the point of samples[i]. A value that ends an outage and is older than it gets the time `now`
    // when it was read or said before. One that is new keeps its own time, and is in the answer with `now`:
    // behind the others, past the deadband, since it is the same value.
    Samples look(std::span<const std::uint32_t> which, std::span<Sample> samples, UtcTime now);
    // The device confirms that of what it has not said again nothing changed: what was said last of points
    // that are still away.
    Samples bring_back(UtcTime now);

    [[nodiscard]] bool any() const { return !away_.empty(); }

  private:
    struct Return {
        std::size_t position = 0;  // of the newest sample of the point in the batch
        bool known = false;
    };
    [[nodiscard]] std::optional<UtcTime> since(std::uint32_t index) const;
    void is_back(std::uint32_t index);

    UtcTime started_;
    std::vector<bool> heard_;  // by index: anything but that it is away
    std::size_t unheard_;
    std::unordered_map<std::uint32_t, UtcTime> away_;  // by index: when that was said
    std::vector<Sample> said_;                         // by index; a time of 0: nothing yet
    std::unordered_map<std::uint32_t, Return> returns_;
};

}  // namespace fieldwarden::worker
