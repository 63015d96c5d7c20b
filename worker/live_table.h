// LiveTable: the newest sample of every point of one device, for live displays. Conflating: between two
// takes a point keeps only its newest sample.
//
// A point goes out when its value or quality changed, and otherwise every kRefresh so that its time stays
// fresh. Threads. update: the device's thread; take: the main thread.
#pragma once

#include <chrono>
#include <mutex>
#include <vector>

#include "common/sample.h"
#include "common/task_config.h"

namespace fieldwarden::worker {

class LiveTable {
  public:
    static constexpr std::chrono::seconds kRefresh{5};

    explicit LiveTable(const std::vector<PointConfig>& points);
    void update(const SampleBatch& samples);
    // Moves what is to be sent behind `out`.
    void take(SampleBatch& out);
    // Everything goes out again with the next take: a new listener has nothing yet.
    void resend();

  private:
    struct Slot {
        Sample newest;
        UtcTime sent{};
        bool due = false;
    };
    std::mutex mutex_;
    std::vector<PointId> ids_;  // sorted; slots_ goes with it
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> due_;
};

}  // namespace fieldwarden::worker
