#include "supervisor/statistics/state_clock.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

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
    clock_.advance(kNoon + 55s);
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 25s}, {"standby", 30s}}));
    EXPECT_EQ(clock_.states_of("W2", kDay), States{});
    EXPECT_EQ(clock_.states_of("W1", kDay + std::chrono::days{1}), States{});
}

TEST_F(StateClockTest, AStateThatIsNotConfirmedBecomesUnknown) {
    clock_.observe("W1", kNoon, "welding");
    for (int i = 1; i <= 300; ++i) clock_.advance(kNoon + i * 1s);
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 60s}, {"unknown", 240s}}));
    clock_.observe("W1", kNoon + 310s, "alarm");
    clock_.advance(kNoon + 320s);
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 60s}, {"unknown", 250s}, {"alarm", 10s}}));
}

TEST_F(StateClockTest, DaysChangeAtMidnight) {
    const UtcTime midnight = kDay + std::chrono::days{1};
    clock_.observe("W1", midnight - 10s, "welding");
    clock_.observe("W1", midnight + 5s, "welding");
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 10s}}));
    EXPECT_EQ(clock_.states_of("W1", kDay + std::chrono::days{1}), (States{{"welding", 5s}}));
    // Several days of silence are each counted in full.
    clock_.advance(midnight + std::chrono::days{2});
    EXPECT_EQ(clock_.states_of("W1", kDay + std::chrono::days{1}),
              (States{{"welding", 65s}, {"unknown", 24h - 65s}}));
    EXPECT_EQ(clock_.states_of("W1", kDay + std::chrono::days{2}), (States{{"unknown", 24h}}));
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
    // Nor does a mere advance make an older confirmation out of a later one.
    clock_.advance(kNoon - 6h);
    clock_.advance(kNoon - 6h + 90s);
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 80s}, {"unknown", 30s}}));
}

TEST_F(StateClockTest, ARestartGoesOnFromWhatWasWritten) {
    clock_.observe("W1", kNoon, "welding");
    clock_.advance(kNoon + 30s);
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

TEST_F(StateClockTest, AForgottenDeviceKeepsItsTotals) {
    clock_.observe("W1", kNoon, "welding");
    clock_.forget("W1", kNoon + 10s);
    clock_.forget("W1", kNoon + 20s);
    clock_.advance(kNoon + 30s);
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 10s}}));
}

TEST_F(StateClockTest, DropsOldDaysOnceTheyAreWritten) {
    clock_.observe("W1", kNoon, "welding");
    clock_.advance(kNoon + 10s);
    clock_.drop_before(kDay + std::chrono::days{1});
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 10s}}));
    clock_.take_changes();
    clock_.drop_before(kDay);
    EXPECT_EQ(clock_.states_of("W1", kDay), (States{{"welding", 10s}}));
    clock_.drop_before(kDay + std::chrono::days{1});
    EXPECT_EQ(clock_.states_of("W1", kDay), States{});
}

class MachineDay : public ::testing::Test {
  protected:
    void SetUp() override {
        ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
        ::tzset();
    }
    void TearDown() override {
        ::unsetenv("TZ");
        ::tzset();
    }
    static std::chrono::microseconds length(const char* time) {
        const auto day = machine_day(parse_rfc3339(time).value());
        return day.end - day.begin;
    }
};

TEST_F(MachineDay, IsAsLongAsDaylightSavingMakesIt) {
    EXPECT_EQ(length("2026-03-28T12:00:00Z"), 24h);
    EXPECT_EQ(length("2026-03-29T12:00:00Z"), 23h);
    EXPECT_EQ(length("2026-10-25T12:00:00Z"), 25h);
    const auto day = machine_day(parse_rfc3339("2026-07-01T22:30:00Z").value());
    EXPECT_EQ(day.date, std::chrono::sys_days{std::chrono::July / 2 / 2026});
    EXPECT_EQ(day.begin, parse_rfc3339("2026-07-01T22:00:00Z").value());
}

}  // namespace
}  // namespace fieldwarden::supervisor
