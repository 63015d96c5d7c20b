#include "supervisor/statistics/local_day.h"

#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;

Zone zone(const char* name) {
    const auto found = find_zone(name);
    EXPECT_TRUE(found) << name;
    return *found;
}
UtcTime at(const char* time) {
    return parse_rfc3339(time).value();
}
std::chrono::microseconds length(const char* name, const char* time) {
    const auto day = local_day(zone(name), at(time));
    return day.end - day.begin;
}

TEST(LocalDay, BeginsAtTheZonesMidnight) {
    const auto day = local_day(zone("Asia/Shanghai"), at("2026-03-10T16:30:00Z"));
    EXPECT_EQ(format_day(day.date), "2026-03-11");
    EXPECT_EQ(day.begin, at("2026-03-10T16:00:00Z"));
    EXPECT_EQ(day.end, at("2026-03-11T16:00:00Z"));
    EXPECT_TRUE(day.holds(day.begin));
    EXPECT_FALSE(day.holds(day.end));
    const auto same = local_day(zone("Asia/Shanghai"), *parse_day("2026-03-11"));
    EXPECT_EQ(same.begin, day.begin);
    EXPECT_EQ(same.end, day.end);
}

TEST(LocalDay, IsAsLongAsDaylightSavingMakesIt) {
    EXPECT_EQ(length("Europe/Berlin", "2026-03-28T12:00:00Z"), 24h);
    EXPECT_EQ(length("Europe/Berlin", "2026-03-29T12:00:00Z"), 23h);
    EXPECT_EQ(length("Europe/Berlin", "2026-10-25T12:00:00Z"), 25h);
    EXPECT_EQ(length("Etc/UTC", "2026-10-25T12:00:00Z"), 24h);
}

// Zones that change at midnight, leave out a day or have odd offsets: the days follow each other without gap
// or overlap, and each holds the times that it is said to.
TEST(LocalDay, DaysFollowEachOther) {
    for (const auto* name :
         {"America/Sao_Paulo", "Asia/Beirut", "America/Havana", "Pacific/Apia", "Asia/Kathmandu",
          "America/St_Johns", "Pacific/Kiritimati", "Africa/Cairo", "America/Asuncion"}) {
        const auto here = zone(name);
        UtcTime time = at("2004-01-01T00:00:00Z");
        auto day = local_day(here, time);
        while (time < at("2019-01-01T00:00:00Z")) {
            ASSERT_TRUE(day.holds(time)) << name << " " << format_rfc3339(time);
            ASSERT_LE(day.end - day.begin, 25h) << name << " " << format_rfc3339(time);
            const auto next = local_day(here, day.end);
            ASSERT_EQ(next.begin, day.end) << name << " " << format_rfc3339(time);
            ASSERT_GT(next.date, day.date) << name << " " << format_rfc3339(time);
            ASSERT_EQ(local_day(here, day.end - 1us).date, day.date) << name << " " << format_rfc3339(time);
            day = next;
            time = day.begin;
        }
    }
}

TEST(LocalDay, ReadsAndWritesItsName) {
    for (const auto* text : {"1970-01-01", "2026-03-31", "2024-02-29", "9999-12-31"}) {
        ASSERT_TRUE(parse_day(text)) << text;
        EXPECT_EQ(format_day(*parse_day(text)), text);
    }
    for (const auto* text :
         {"", "2026-3-31", "2026-02-29", "2026-13-01", "2026-00-10", "2026-01-00", "1969-12-31", "2026/01/01",
          "20260101", "2026-01-01T00:00:00Z", " 2026-01-01", "+026-01-01", "2026--1-01", "today"}) {
        EXPECT_FALSE(parse_day(text)) << text;
    }
}

}  // namespace
}  // namespace fieldwarden::supervisor
