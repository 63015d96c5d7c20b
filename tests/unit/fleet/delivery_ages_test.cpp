// What the supervisor makes of the sinks' counters: one that never goes back, whatever becomes of the
// workers.
#include <gtest/gtest.h>

#include "supervisor/fleet/task_runtime.h"

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;

proto::Heartbeat beat_of(std::vector<std::pair<std::string, std::uint64_t>> stored) {
    proto::Heartbeat beat;
    for (auto& [sink, samples] : stored) {
        auto& row = beat.sinks.emplace_back();
        row.sink_code = sink;
        row.ages.add(2s, samples);
    }
    return beat;
}

class DeliveryAgesOfATask : public ::testing::Test {
  protected:
    void begin_worker(bool adopted = false) {
        task_.worker.emplace();
        task_.worker->adopted = adopted;
    }
    void beat(std::vector<std::pair<std::string, std::uint64_t>> stored) {
        now_ += 1s;
        task_.take_beat(beat_of(std::move(stored)), now_, UtcTime{});
    }
    std::uint64_t stored(const std::string& sink) {
        const auto found = task_.delivery_ages.find(sink);
        return found == task_.delivery_ages.end() ? 0 : found->second.counts[4];
    }

    TaskRuntime task_;
    MonoTime now_{};
};

TEST_F(DeliveryAgesOfATask, AWorkerThatEndsTakesNothingWithIt) {
    begin_worker();
    beat({{"A", 10}, {"B", 1}});
    beat({{"A", 30}, {"B", 1}});
    EXPECT_EQ(stored("A"), 30U);
    begin_worker();
    beat({});  // before it has its configuration
    EXPECT_EQ(stored("A"), 30U);
    beat({{"A", 5}, {"B", 2}});
    EXPECT_EQ(stored("A"), 35U);
    EXPECT_EQ(stored("B"), 3U);
    EXPECT_DOUBLE_EQ(task_.delivery_ages["A"].sum_s, 70.0);
}

TEST_F(DeliveryAgesOfATask, WhatAnAdoptedWorkerStoredBeforeWasCountedThen) {
    begin_worker(true);
    beat({{"A", 1'000}});
    EXPECT_EQ(stored("A"), 0U);
    beat({{"A", 1'004}});
    EXPECT_EQ(stored("A"), 4U);
}

TEST_F(DeliveryAgesOfATask, ASinkThatWasTakenAwayAndCameBackBeginsAnew) {
    begin_worker();
    beat({{"A", 10}});
    beat({{"A", 3}});  // both within a second
    EXPECT_EQ(stored("A"), 13U);
}

}  // namespace
}  // namespace fieldwarden::supervisor
