// LiveTable: the newest sample of every point of one device, for live displays. Conflating: between two
// takes a point keeps only its newest sample.
//
// A point goes out when its value or quality changed, and otherwise every kRefresh so that its time stays
// fresh. Threads. update: the device's thread; take: the main thread.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <unordered_map>
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
    // The newest sample; its text, if it is one, stands in texts_.
    struct Slot {
        UtcTime time{};
        UtcTime sent{};
        std::uint64_t bits = 0;
        std::uint8_t kind = 0;
        Quality quality = Quality::kGood;
        QualityCode code = QualityCode::kNone;
        bool due = false;
    };
    bool take_value(std::uint32_t index, const Sample& sample);
    std::mutex mutex_;
    std::vector<PointId> ids_;  // sorted; slots_ goes with it
    std::vector<Slot> slots_;
    std::vector<std::uint32_t> due_;
    std::unordered_map<std::uint32_t, std::string> texts_;  // by position in slots_
};

}  // namespace fieldwarden::worker
