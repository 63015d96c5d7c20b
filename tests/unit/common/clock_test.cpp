#include "common/clock.h"

#include <gtest/gtest.h>

#include <random>

namespace fieldwarden {

namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

UtcTime at(std::int64_t micros) {
    return UtcTime{microseconds{micros}};
}

TEST(Rfc3339, FormatsMillisecondsAndCutsTheRest) {
    EXPECT_EQ(format_rfc3339(at(0)), "1970-01-01T00:00:00.000Z");
    EXPECT_EQ(format_rfc3339(at(1'795'355'627'123'999)), "2026-11-22T13:53:47.123Z");
    EXPECT_EQ(format_rfc3339(at(-1)), "1969-12-31T23:59:59.999Z") << "before 1970 too, downwards";
}

TEST(Rfc3339, TimesOutsideFourDigitYearsGiveTheNearestInside) {
    EXPECT_EQ(format_rfc3339(at(INT64_MAX)), "9999-12-31T23:59:59.999Z");
    EXPECT_EQ(format_rfc3339(at(INT64_MIN)), "0000-01-01T00:00:00.000Z");
}

TEST(Rfc3339, WhatIsFormattedParsesToTheSameMillisecond) {
    std::mt19937_64 random{3};
    for (int i = 0; i < 5000; ++i) {
        const auto millis = static_cast<std::int64_t>(random() % 250'000'000'000'000) - 60'000'000'000'000;
        const auto time = at(millis * 1000);
        const auto back = parse_rfc3339(format_rfc3339(time));
        ASSERT_TRUE(back) << format_rfc3339(time);
        ASSERT_EQ(*back, time);
    }
}

TEST(Rfc3339, TakesOffsetsAndAnyFractionUpToNineDigits) {
    const auto wanted = *parse_rfc3339("2026-11-22T13:40:27.120Z");
    for (const auto* text :
         {"2026-11-22T13:40:27.12Z", "2026-11-22t13:40:27.120000z", "2026-11-22 13:40:27.120000999Z",
          "2026-11-22T21:40:27.12+08:00", "2026-11-22T08:10:27.12-05:30", "2026-11-22T13:40:27.12-00:00"}) {
        const auto parsed = parse_rfc3339(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(*parsed, wanted) << text;
    }
    EXPECT_EQ(*parse_rfc3339("2026-11-22T13:40:27Z"), wanted - milliseconds{120});
    EXPECT_EQ(*parse_rfc3339("2024-02-29T00:00:00Z") - *parse_rfc3339("2024-02-28T00:00:00Z"), hours{24});
    EXPECT_EQ(*parse_rfc3339("2016-12-31T23:59:60Z"), *parse_rfc3339("2017-01-01T00:00:00Z"))
        << "a leap second";
}

TEST(Rfc3339, RefusesEverythingElse) {
    for (const auto* text : {"",
                             "2026",
                             "2026-11-22",
                             "2026-11-22T13:40",
                             "2026-11-22T13:40:27",
                             "2026-11-22T13:40:27.Z",
                             "2026-11-22T13:40:27.1234567890Z",
                             "2026-13-01T00:00:00Z",
                             "2026-00-01T00:00:00Z",
                             "2026-02-29T00:00:00Z",
                             "2026-11-31T00:00:00Z",
                             "2026-11-22T24:00:00Z",
                             "2026-11-22T13:60:00Z",
                             "2026-11-22T13:40:61Z",
                             "2026-11-22T13:40:27+24:00",
                             "2026-11-22T13:40:27+08:60",
                             "2026-11-22T13:40:27+0800",
                             "2026-11-22T13:40:27ZZ",
                             " 2026-11-22T13:40:27Z",
                             "+026-11-22T13:40:27Z",
                             "2026-11-22T1 :40:27Z",
                             "26-11-22T13:40:27Z"}) {
        const auto refused = parse_rfc3339(text);
        EXPECT_FALSE(refused) << text;
        if (!refused) {
            EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
        }
    }
    EXPECT_LT(parse_rfc3339(std::string(100'000, '9')).error().message.size(), 200U)
        << "the text is cut in the message";
}

TEST(Duration, ReadsEveryUnitAndBareSeconds) {
    EXPECT_EQ(*parse_duration("1500ms"), milliseconds{1500});
    EXPECT_EQ(*parse_duration("30s"), seconds{30});
    EXPECT_EQ(*parse_duration("5m"), minutes{5});
    EXPECT_EQ(*parse_duration("2h"), hours{2});
    EXPECT_EQ(*parse_duration("7d"), hours{168});
    EXPECT_EQ(*parse_duration("10"), seconds{10});
    EXPECT_EQ(*parse_duration("0"), milliseconds{0});
    EXPECT_EQ(*parse_duration("1.5h"), minutes{90});
}

TEST(Duration, RefusesEverythingElse) {
    for (const auto* text : {"", "s", "-1s", "5 m", "5M", "5min", "1h30m", "nan", "inf", "1e400", "1e30d",
                             "infinity", "0x10", "+5s", " 5s", "5s "}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(Duration, WhatIsFormattedParsesToTheSame) {
    EXPECT_EQ(format_duration(milliseconds{1500}), "1500ms");
    EXPECT_EQ(format_duration(milliseconds{60'000}), "1m");
    EXPECT_EQ(format_duration(hours{48}), "2d");
    EXPECT_EQ(format_duration(milliseconds{0}), "0ms");
    std::mt19937_64 random{4};
    for (int i = 0; i < 5000; ++i) {
        const milliseconds duration{static_cast<std::int64_t>(random() % (1ULL << (1 + random() % 41)))};
        const auto back = parse_duration(format_duration(duration));
        ASSERT_TRUE(back) << format_duration(duration);
        ASSERT_EQ(*back, duration);
    }
}

TEST(SystemClock, MovesForward) {
    const auto first = system_clock().mono_now();
    EXPECT_LE(first, system_clock().mono_now());
    EXPECT_GT(system_clock().utc_now(), *parse_rfc3339("2020-01-01T00:00:00Z"));
}

}  // namespace

}  // namespace fieldwarden
