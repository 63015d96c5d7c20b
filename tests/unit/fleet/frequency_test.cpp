#include "supervisor/health/frequency.h"

#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A device asked by the clock, window after window.
struct Bench {
    DeviceFrequency state;
    DeviceCounts counts;
    milliseconds period{1000};
    MonoTime now{std::chrono::hours{10}};

    Bench() { adapt_frequency(state, counts, period, now); }

    // One window in which `timeouts` of `scans` scans time out.
    std::optional<std::uint32_t> window(std::uint64_t scans, std::uint64_t timeouts) {
        counts.cycles += scans;
        counts.timeouts += timeouts;
        now += std::max<milliseconds>(seconds{10}, period * state.factor * 10);
        const auto change = adapt_frequency(state, counts, period, now);
        if (!change) return std::nullopt;
        EXPECT_EQ(change->factor, state.factor);
        EXPECT_FALSE(change->why.empty());
        return change->factor;
    }
    // Calm windows until the frequency is restored by one step; how long that took.
    milliseconds until_restored() {
        const auto begin = now;
        for (int n = 0; n < 10'000; ++n) {
            if (window(10, 0)) return std::chrono::duration_cast<milliseconds>(now - begin);
        }
        ADD_FAILURE() << "never restored";
        return {};
    }
};

TEST(Frequency, IsHalvedWhileScansTimeOutAndEndsAtAnEighth) {
    Bench bench;
    EXPECT_EQ(bench.window(10, 3), 2U);
    EXPECT_EQ(bench.window(10, 5), 4U);
    EXPECT_EQ(bench.window(10, 9), 8U);
    EXPECT_EQ(bench.window(10, 9), std::nullopt);
    EXPECT_EQ(bench.state.factor, 8U);
}

TEST(Frequency, AFewTimeoutsAreNormal) {
    Bench bench;
    for (int n = 0; n < 20; ++n) EXPECT_EQ(bench.window(10, 2), std::nullopt);
}

TEST(Frequency, ADeviceThatAnswersNothingIsAwayNotUnderLoad) {
    Bench bench;
    for (int n = 0; n < 20; ++n) EXPECT_EQ(bench.window(10, 10), std::nullopt);
}

TEST(Frequency, IsRestoredStepByStep) {
    Bench bench;
    bench.window(10, 5);
    bench.window(10, 5);
    ASSERT_EQ(bench.state.factor, 4U);
    EXPECT_GE(bench.until_restored(), kCalmTime);
    EXPECT_EQ(bench.state.factor, 2U);
    EXPECT_GE(bench.until_restored(), kCalmTime);
    EXPECT_EQ(bench.state.factor, 1U);
    for (int n = 0; n < 50; ++n) EXPECT_EQ(bench.window(10, 0), std::nullopt);
}

TEST(Frequency, OneTimeoutBeginsTheCalmAnew) {
    Bench bench;
    bench.window(10, 5);
    for (int n = 0; n < 30; ++n) {
        EXPECT_EQ(bench.window(10, 0), std::nullopt);  // 20 s each
        EXPECT_EQ(bench.window(10, 0), std::nullopt);
        EXPECT_EQ(bench.window(10, 1), std::nullopt);
    }
    EXPECT_EQ(bench.state.factor, 2U);
}

TEST(Frequency, RestoringTooEarlyIsLearned) {
    Bench bench;
    bench.window(10, 5);
    auto before = bench.until_restored();
    for (int n = 0; n < 3; ++n) {
        ASSERT_EQ(bench.window(10, 5), 2U) << "it times out again at once";
        const auto needed = bench.until_restored();
        EXPECT_GT(needed, before);
        before = needed;
    }
    for (int n = 0; n < 10; ++n) {
        bench.window(10, 5);
        EXPECT_LE(bench.until_restored(), kLongestCalmTime + minutes{1});
    }
}

TEST(Frequency, NothingIsJudgedWithinAWindow) {
    Bench bench;
    bench.counts = {5, 4};
    bench.now += seconds{9};
    EXPECT_FALSE(adapt_frequency(bench.state, bench.counts, bench.period, bench.now));
    // A slow task is judged over ten of its scans.
    Bench slow;
    slow.period = seconds{60};
    slow.counts = {5, 4};
    slow.now += minutes{9};
    EXPECT_FALSE(adapt_frequency(slow.state, slow.counts, slow.period, slow.now));
    slow.now += minutes{1};
    EXPECT_TRUE(adapt_frequency(slow.state, slow.counts, slow.period, slow.now));
}

TEST(Frequency, CountersThatBeginAnewAreNoNews) {
    Bench bench;
    bench.window(1000, 2);
    bench.counts = {3, 0};  // another process
    bench.now += seconds{30};
    EXPECT_FALSE(adapt_frequency(bench.state, bench.counts, bench.period, bench.now));
    EXPECT_EQ(bench.window(10, 4), 2U);
}

}  // namespace
}  // namespace fieldwarden::supervisor
