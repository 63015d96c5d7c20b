#include "supervisor/statistics/state_clock.h"

#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;
using States = std::map<std::string, std::chrono::microseconds>;

LocalDay utc_day(UtcTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    return {day, day, day + 24h};
}

const UtcTime kNoon = parse_rfc3339("2026-03-10T12:00:00Z").value();
const std::chrono::sys_days kDay = std::chrono::floor<std::chrono::days>(kNoon);

class StateClockTest : public ::testing::Test {
  protected:
    StateClock clock_{utc_day, 60s};
};

TEST_F(StateClockTest, CountsTimeToTheStateBefore) {
    clock_.observe("W1", kNoon, "welding");
    clock_.observe("W1", kNoon + 20s, "standby");
    clock_.observe("W1", kNoon + 50s, "welding");
    clock_.observe("W1", kNoon + 55s, "welding");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 25s}, {"standby", 30s}}));
    EXPECT_EQ(clock_.states_of("W2", kDay), States{});
    EXPECT_EQ(clock_.states_of("W1", kDay + std::chrono::days{1}), States{});
}

TEST_F(StateClockTest, AGapInWhichNobodyWatchedIsNotCounted) {
    clock_.observe("W1", kNoon, "welding");
    clock_.observe("W1", kNoon + 60s, "welding");
    clock_.observe("W1", kNoon + 60s + 5min, "alarm");
    clock_.observe("W1", kNoon + 60s + 5min + 10s, "alarm");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 120s}, {"alarm", 10s}}));
    // Nor does a clock set on by a century fill the days between.
    clock_.observe("W1", kNoon + std::chrono::days{36'500}, "alarm");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 120s}, {"alarm", 70s}}));
    EXPECT_EQ(clock_.take_changes().size(), 2U);
}

TEST_F(StateClockTest, DaysChangeAtMidnight) {
    const UtcTime midnight = kDay + std::chrono::days{1};
    clock_.observe("W1", midnight - 10s, "welding");
    clock_.observe("W1", midnight + 5s, "welding");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 10s}}));
    EXPECT_EQ(clock_.states_of("W1", kDay + std::chrono::days{1}), (States{{"welding", 5s}}));
    // Another device still tells of the day before.
    clock_.observe("W2", midnight - 20s, "alarm");
    clock_.observe("W2", midnight + 1s, "alarm");
    EXPECT_EQ(clock_.states_of("W2", kDay), (States{{"alarm", 20s}}));
    EXPECT_EQ(clock_.states_of("W2", kDay + std::chrono::days{1}), (States{{"alarm", 1s}}));
}

TEST_F(StateClockTest, TimeGoingBackALittleCountsNothingTwice) {
    clock_.observe("W1", kNoon, "welding");
    clock_.observe("W1", kNoon + 30s, "welding");
    clock_.observe("W1", kNoon + 10s, "standby");
    clock_.observe("W1", kNoon + 40s, "standby");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 30s}, {"standby", 10s}}));
}

TEST_F(StateClockTest, AClockSetBackDoesNotStopTheCount) {
    clock_.observe("W1", kNoon, "welding");
    clock_.observe("W1", kNoon - 3h, "welding");
    clock_.observe("W1", kNoon - 3h + 20s, "welding");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 20s}}));
}

TEST_F(StateClockTest, ARestartGoesOnFromWhatWasWritten) {
    clock_.observe("W1", kNoon, "welding");
    clock_.observe("W1", kNoon + 30s, "welding");
    const auto written = clock_.take_changes();
    EXPECT_EQ(written, (std::vector<StateTime>{{"W1", kDay, "welding", 30s}}));
    EXPECT_TRUE(clock_.take_changes().empty());

    StateClock next(utc_day, 60s);
    next.restore(written);
    EXPECT_TRUE(next.take_changes().empty());
    next.observe("W1", kNoon + 1h, "welding");  // what lies between belongs to nobody
    next.observe("W1", kNoon + 1h + 5s, "welding");
    EXPECT_EQ(next.take_changes(), (std::vector<StateTime>{{"W1", kDay, "welding", 35s}}));
}

TEST_F(StateClockTest, WhatWasNotWrittenIsAChangeAgain) {
    clock_.observe("W1", kNoon, "welding");
    clock_.observe("W1", kNoon + 30s, "alarm");
    EXPECT_EQ(clock_.take_changes().size(), 1U);
    clock_.take_back();
    clock_.observe("W1", kNoon + 40s, "alarm");
    EXPECT_EQ(clock_.take_changes(),
              (std::vector<StateTime>{{"W1", kDay, "alarm", 10s}, {"W1", kDay, "welding", 30s}}));
    EXPECT_TRUE(clock_.take_changes().empty());
}

TEST_F(StateClockTest, AForgottenDeviceKeepsItsTotals) {
    clock_.observe("W1", kNoon, "welding");
    clock_.forget("W1", kNoon + 10s);
    clock_.forget("W1", kNoon + 20s);
    clock_.observe("W1", kNoon + 30s, "welding");  // configured again
    clock_.observe("W1", kNoon + 35s, "welding");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 15s}}));
}

TEST_F(StateClockTest, DropsOldDaysOnceTheyAreWritten) {
    clock_.observe("W1", kNoon, "welding");
    clock_.observe("W1", kNoon + 10s, "welding");
    clock_.drop_before(kDay + std::chrono::days{1});
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 10s}}));
    clock_.take_changes();
    clock_.drop_before(kDay);
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 10s}}));
    clock_.drop_before(kDay + std::chrono::days{1});
    EXPECT_EQ(clock_.states_of("W1", kDay), States{});
}

}  // namespace
}  // namespace fieldwarden::supervisor
