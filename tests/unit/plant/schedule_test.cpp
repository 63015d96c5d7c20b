#include "supervisor/plant/schedule.h"

#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

CronExpression cron(std::string_view text) {
    return parse_cron(text).value();
}
Schedule schedule(std::string_view text) {
    return **parse_schedule(text);
}
UtcTime utc(std::string_view text) {
    return parse_rfc3339(text).value();
}
Zone zone(const char* name) {
    return find_zone(name).value();
}
std::string next(std::string_view expression, const char* zone_name, std::string_view after) {
    const auto time = next_time(cron(expression), zone(zone_name), utc(after));
    return time ? format_rfc3339(*time) : "never";
}
std::string last(std::string_view expression, const char* zone_name, std::string_view until) {
    const auto time = last_time(cron(expression), zone(zone_name), utc(until));
    return time ? format_rfc3339(*time) : "never";
}

TEST(ScheduleTime, IsLocal) {
    EXPECT_EQ(next("0 8 * * *", "UTC", "2026-11-22T07:59:59Z"), "2026-11-22T08:00:00.000Z");
    EXPECT_EQ(next("0 8 * * *", "Asia/Shanghai", "2026-11-22T00:00:00Z"), "2026-11-23T00:00:00.000Z");
    EXPECT_EQ(next("0 8 * * *", "America/New_York", "2026-11-22T00:00:00Z"), "2026-11-22T13:00:00.000Z");
}

TEST(ScheduleTime, NextIsAfterAndLastIsAtOrBefore) {
    EXPECT_EQ(next("0 8 * * *", "UTC", "2026-11-22T08:00:00Z"), "2026-11-23T08:00:00.000Z");
    EXPECT_EQ(last("0 8 * * *", "UTC", "2026-11-22T08:00:00Z"), "2026-11-22T08:00:00.000Z");
    EXPECT_EQ(last("0 8 * * *", "UTC", "2026-11-22T07:59:59Z"), "2026-11-21T08:00:00.000Z");
}

TEST(ScheduleTime, FieldsTogether) {
    // 2026-11-22 is a Sunday.
    EXPECT_EQ(next("30 6 * * 1-5", "UTC", "2026-11-20T07:00:00Z"), "2026-11-23T06:30:00.000Z");
    EXPECT_EQ(next("*/15 * * * *", "UTC", "2026-11-22T10:16:00Z"), "2026-11-22T10:30:00.000Z");
    EXPECT_EQ(next("0 0 1 1 *", "UTC", "2026-11-22T00:00:00Z"), "2027-01-01T00:00:00.000Z");
    // Day and weekday both restricted: either is enough.
    EXPECT_EQ(next("0 0 13 * fri", "UTC", "2026-11-22T00:00:00Z"), "2026-11-27T00:00:00.000Z");
    EXPECT_EQ(next("0 0 13 * fri", "UTC", "2026-12-12T00:00:00Z"), "2026-12-13T00:00:00.000Z");
}

TEST(ScheduleTime, TheLeapDay) {
    EXPECT_EQ(next("0 12 29 2 *", "UTC", "2026-11-22T00:00:00Z"), "2028-02-29T12:00:00.000Z");
    EXPECT_EQ(next("0 12 29 2 *", "UTC", "2096-03-01T00:00:00Z"), "2104-02-29T12:00:00.000Z");
    EXPECT_EQ(last("0 12 29 2 *", "UTC", "2104-02-28T00:00:00Z"), "2096-02-29T12:00:00.000Z");
}

// Berlin: 2026-03-29 02:00 → 03:00 (UTC 01:00), 2026-10-25 03:00 → 02:00 (UTC 01:00).
TEST(ScheduleTime, ASkippedTimeComesRightAfterTheGap) {
    EXPECT_EQ(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00.000Z");
    EXPECT_EQ(next("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z"), "2026-03-30T00:30:00.000Z");
    EXPECT_EQ(last("30 2 * * *", "Europe/Berlin", "2026-03-29T12:00:00Z"), "2026-03-29T01:00:00.000Z");
}

TEST(ScheduleTime, ARepeatedTimeComesOnce) {
    EXPECT_EQ(next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00.000Z");
    EXPECT_EQ(next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00.000Z");
}

TEST(ScheduleTime, AWholeDayMayBeSkipped) {
    // Samoa had no 30 December 2011: clocks went from the end of the 29th to the start of the 31st.
    EXPECT_EQ(next("0 12 30 12 *", "Pacific/Apia", "2011-12-29T00:00:00Z"), "2011-12-30T10:00:00.000Z");
}

// Every minute of a year around both changes: next and last agree and never go back.
TEST(ScheduleTime, NextAndLastAreInverse) {
    for (const char* name : {"Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Shanghai"}) {
        const auto expression = cron("17,48 1-3 * * *");
        auto at = utc("2026-01-01T00:00:00Z");
        const auto end = utc("2027-01-01T00:00:00Z");
        while (at < end) {
            const auto following = next_time(expression, zone(name), at);
            ASSERT_TRUE(following);
            ASSERT_GT(*following, at);
            ASSERT_EQ(last_time(expression, zone(name), *following), following);
            ASSERT_LE(*last_time(expression, zone(name), *following - std::chrono::seconds{1}),
                      at + std::chrono::seconds{0})
                << name << " " << format_rfc3339(at);
            at = *following;
        }
    }
}

TEST(ScheduleZone, UnknownNamesAreRefused) {
    for (const char* name : {"Asia/Peking2", "../etc/passwd", "8", "utc+8 "}) {
        const auto found = find_zone(name);
        ASSERT_FALSE(found) << name;
        EXPECT_NE(found.error().message.find(name), std::string::npos);
    }
    EXPECT_TRUE(find_zone(""));
}

TEST(ScheduleEdges, AlternateAcrossTheWeekend) {
    const auto plan = schedule("start=0 8 * * 1-5; stop=0 18 * * 1-5");
    const auto zone_cn = zone("Asia/Shanghai");
    const auto friday_noon = utc("2026-11-20T04:00:00Z");
    EXPECT_EQ(*last_edge(plan, zone_cn, friday_noon), (ScheduleEdge{utc("2026-11-20T00:00:00Z"), true}));
    EXPECT_EQ(*next_edge(plan, zone_cn, friday_noon), (ScheduleEdge{utc("2026-11-20T10:00:00Z"), false}));
    const auto sunday = utc("2026-11-22T04:00:00Z");
    EXPECT_EQ(*last_edge(plan, zone_cn, sunday), (ScheduleEdge{utc("2026-11-20T10:00:00Z"), false}));
    EXPECT_EQ(*next_edge(plan, zone_cn, sunday), (ScheduleEdge{utc("2026-11-23T00:00:00Z"), true}));
}

TEST(ScheduleEdges, OpeningWinsWhereBothFallTogether) {
    // Stop at every full hour, start at eight: at eight it opens.
    const auto plan = schedule("start=0 8 * * *; stop=0 * * * *");
    const auto eight = utc("2026-11-22T08:00:00Z");
    EXPECT_TRUE(last_edge(plan, zone("UTC"), eight)->opens);
    EXPECT_TRUE(next_edge(plan, zone("UTC"), eight - std::chrono::seconds{1})->opens);
}

TEST(MissedEdge, OnlyWhatNobodyDecidedSince) {
    const auto plan = schedule("start=0 8 * * *; stop=0 18 * * *");
    const auto in_zone = zone("UTC");
    const auto at = [](int hour) { return utc("2026-11-22T00:00:00Z") + std::chrono::hours{hour}; };
    // Away over the opening: started. Away over the closing: stopped.
    EXPECT_EQ(missed_edge(plan, in_zone, at(9), at(7), false), true);
    EXPECT_EQ(missed_edge(plan, in_zone, at(19), at(9), false), false);
    // Away over both: only the last counts.
    EXPECT_EQ(missed_edge(plan, in_zone, at(33), at(7), false), true);
    // A person stopped or started it since: that stands.
    EXPECT_EQ(missed_edge(plan, in_zone, at(10), at(9), true), std::nullopt);
    EXPECT_EQ(missed_edge(plan, in_zone, at(20), at(19), false), std::nullopt);
    // At the very moment of the edge.
    EXPECT_EQ(missed_edge(plan, in_zone, at(8), at(8), false), std::nullopt);
    // Never decided: autostart within the window only.
    EXPECT_EQ(missed_edge(plan, in_zone, at(9), std::nullopt, true), true);
    EXPECT_EQ(missed_edge(plan, in_zone, at(19), std::nullopt, true), std::nullopt);
    EXPECT_EQ(missed_edge(plan, in_zone, at(9), std::nullopt, false), std::nullopt);
}

}  // namespace
}  // namespace fieldwarden::supervisor
