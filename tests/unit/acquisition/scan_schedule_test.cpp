#include "worker/scan_schedule.h"

#include <gtest/gtest.h>

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using Due = std::vector<std::uint32_t>;

const MonoTime kStart{1h};

std::vector<PointConfig> points(std::initializer_list<std::chrono::milliseconds> periods) {
    std::vector<PointConfig> out;
    for (const auto period : periods) {
        out.emplace_back();
        out.back().period = period;
    }
    return out;
}

// A schedule driven by hand.
struct Driven {
    ScanSchedule schedule;
    Due due;

    Driven(std::initializer_list<std::chrono::milliseconds> periods, std::chrono::milliseconds task)
        : schedule(points(periods), task, kStart) {}
    Due take(std::chrono::milliseconds at) {
        schedule.take_due(kStart + at, due);
        return due;
    }
    void done(std::chrono::milliseconds at) { schedule.scan_done(kStart + at); }
    std::chrono::milliseconds next() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(schedule.next_due() - kStart);
    }
};

TEST(ScanSchedule, FirstScanIsDueAtOnceAndThenByTheClock) {
    Driven run{{0ms, 0ms}, 100ms};
    EXPECT_EQ(run.next(), 0ms);
    EXPECT_EQ(run.take(0ms), (Due{0, 1}));
    run.done(30ms);
    EXPECT_EQ(run.next(), 100ms);
    EXPECT_EQ(run.take(99ms), Due{});
    // Woken a little late: the next instant does not drift.
    EXPECT_EQ(run.take(107ms), (Due{0, 1}));
    run.done(140ms);
    EXPECT_EQ(run.next(), 200ms);
    EXPECT_EQ(run.schedule.missed(), 0U);
}

TEST(ScanSchedule, InstantsDuringTheOwnScanAreMissedAndNotQueued) {
    Driven run{{0ms}, 100ms};
    run.take(0ms);
    run.done(250ms);  // 100 and 200 passed
    EXPECT_EQ(run.schedule.missed(), 2U);
    EXPECT_EQ(run.next(), 300ms);
    run.take(300ms);
    run.done(400ms);  // ends on an instant: that one has passed as well
    EXPECT_EQ(run.schedule.missed(), 3U);
    EXPECT_EQ(run.next(), 500ms);
}

TEST(ScanSchedule, GroupsRunOnTheirOwnPeriodsAndMeet) {
    Driven run{{0ms, 300ms, 0ms}, 100ms};
    EXPECT_EQ(run.take(0ms), (Due{0, 1, 2}));
    run.done(1ms);
    EXPECT_EQ(run.take(100ms), (Due{0, 2}));
    run.done(101ms);
    EXPECT_EQ(run.take(200ms), (Due{0, 2}));
    run.done(201ms);
    EXPECT_EQ(run.take(300ms), (Due{0, 1, 2}));
}

TEST(ScanSchedule, AGroupDelayedByAnotherIsServedLateNotMissed) {
    Driven run{{100ms, 150ms}, 1000ms};
    EXPECT_EQ(run.take(0ms), (Due{0, 1}));
    run.done(10ms);
    EXPECT_EQ(run.take(100ms), (Due{0}));
    run.done(180ms);  // 150 of the other group passed meanwhile
    EXPECT_EQ(run.schedule.missed(), 0U);
    EXPECT_EQ(run.next(), 150ms);
    EXPECT_EQ(run.take(180ms), (Due{1}));
    EXPECT_EQ(run.schedule.missed(), 0U);
    EXPECT_EQ(run.next(), 200ms);
}

TEST(ScanSchedule, OfSeveralLateInstantsOneIsServed) {
    Driven run{{0ms}, 100ms};
    EXPECT_EQ(run.take(350ms), (Due{0}));  // 0, 100, 200, 300: a connect took that long
    EXPECT_EQ(run.schedule.missed(), 3U);
    EXPECT_EQ(run.next(), 400ms);
}

TEST(ScanSchedule, SkippingKeepsThePhaseAndCountsNothing) {
    Driven run{{0ms}, 100ms};
    run.take(0ms);
    run.done(1ms);
    run.schedule.skip(kStart + 777ms);
    EXPECT_EQ(run.schedule.missed(), 0U);
    EXPECT_EQ(run.next(), 800ms);
}

TEST(ScanSchedule, NewPeriodCountsFromTheLastScanAndSparesOwnPeriods) {
    Driven run{{0ms, 5000ms}, 60'000ms};
    run.take(0ms);
    run.done(1ms);
    run.schedule.set_task_period(1s, kStart + 300ms);
    EXPECT_EQ(run.next(), 1000ms);
    EXPECT_EQ(run.take(1000ms), (Due{0}));
    run.done(1001ms);
    // From long to short after more than the new period: at once.
    run.schedule.set_task_period(100ms, kStart + 1700ms);
    EXPECT_EQ(run.next(), 1700ms);
    // From short to long: one new period after the last.
    run.take(1700ms);
    run.done(1701ms);
    run.schedule.set_task_period(10s, kStart + 1750ms);
    EXPECT_EQ(run.next(), 5000ms);  // the point with its own period
    EXPECT_EQ(run.take(5000ms), (Due{1}));
}

TEST(ScanSchedule, StretchingMultipliesEveryPeriodAndGivesItBack) {
    Driven run{{0ms, 500ms}, 100ms};
    run.take(0ms);
    run.done(1ms);
    run.schedule.stretch(4, kStart + 50ms);
    EXPECT_EQ(run.next(), 400ms);
    EXPECT_EQ(run.take(400ms), (Due{0}));
    run.done(401ms);
    // A new period of the task is stretched as well.
    run.schedule.set_task_period(200ms, kStart + 410ms);
    EXPECT_EQ(run.next(), 1200ms);
    EXPECT_EQ(run.take(1200ms), (Due{0}));
    run.done(1201ms);
    run.schedule.stretch(1, kStart + 1300ms);
    EXPECT_EQ(run.next(), 1300ms);  // the 500 ms of the other point are long over
    EXPECT_EQ(run.take(1300ms), (Due{1}));
    EXPECT_EQ(run.next(), 1400ms);
    EXPECT_EQ(run.schedule.missed(), 0U);
}

TEST(ScanSchedule, WithoutPointsNothingIsEverDue) {
    ScanSchedule schedule{{}, 1s, kStart};
    EXPECT_EQ(schedule.next_due(), MonoTime::max());
    Due due{1, 2};
    schedule.take_due(kStart + 1h, due);
    EXPECT_TRUE(due.empty());
}

TEST(ScanSchedule, PeriodsBelowAMillisecondAreOne) {
    Driven run{{0ms}, 0ms};
    EXPECT_EQ(run.take(0ms), (Due{0}));
    run.done(0ms);
    EXPECT_EQ(run.next(), 1ms);
}

}  // namespace
}  // namespace fieldwarden::worker
