#include "worker/outage.h"

#include <gtest/gtest.h>

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

const MonoTime kStart{1h};
const Error kRefused{ErrorKind::kUnavailable, "modbus 10.0.0.5:502: connection refused"};
const Error kSilent{ErrorKind::kTimeout,
                    "modbus 10.0.0.5:502 unit 1: read holding 0..124 timed out after 1000 ms"};
const BackoffPolicy kPolicy{.first = 500ms, .longest = 30s, .jitter = 0};

TEST(Outage, SaysWhatFailedHowOftenAndWhatComesNext) {
    Outage outage{kPolicy};
    EXPECT_EQ(outage.failed(kSilent, kStart, 0).text, kSilent.message + "; reconnecting in 500 ms");
    EXPECT_EQ(outage.failed(kSilent, kStart, 0).text,
              kSilent.message + " (2nd in a row); reconnecting in 1 s");
    EXPECT_EQ(outage.failed(kSilent, kStart, 0).text,
              kSilent.message + " (3rd in a row); reconnecting in 2 s");
}

TEST(Outage, DelayGrowsToItsLongestAndStartsAnewAfterAnAnswer) {
    Outage outage{kPolicy};
    auto delay = 0ms;
    for (int i = 0; i < 20; ++i) delay = outage.failed(kRefused, kStart, 0).delay;
    EXPECT_EQ(delay, 30s);
    ASSERT_TRUE(outage.ended(kStart + 12s));
    EXPECT_EQ(outage.failed(kRefused, kStart, 0).delay, 500ms);
}

TEST(Outage, TellsTheFirstFailureEveryOtherKindAndAReminder) {
    Outage outage{kPolicy};
    EXPECT_TRUE(outage.failed(kRefused, kStart, 0).news);
    EXPECT_FALSE(outage.failed(kRefused, kStart + 1s, 0).news);
    EXPECT_TRUE(outage.failed(kSilent, kStart + 2s, 0).news);
    EXPECT_FALSE(outage.failed(kSilent, kStart + 3s, 0).news);
    EXPECT_TRUE(outage.failed(kSilent, kStart + 2s + kOutageReminder, 0).news);
    EXPECT_FALSE(outage.failed(kSilent, kStart + 3s + kOutageReminder, 0).news);
}

TEST(Outage, EndIsToldOnceWithItsLength) {
    Outage outage{kPolicy};
    EXPECT_FALSE(outage.ended(kStart));
    (void)outage.failed(kRefused, kStart, 0);
    (void)outage.failed(kRefused, kStart + 5s, 0);
    EXPECT_EQ(outage.ended(kStart + 12s), "answers again after 12 s and 2 failures");
    EXPECT_FALSE(outage.ended(kStart + 13s));
}

TEST(Outage, SpeaksDurationsAndOrdinals) {
    EXPECT_EQ(spoken_duration(450ms), "450 ms");
    EXPECT_EQ(spoken_duration(1500ms), "1.5 s");
    EXPECT_EQ(spoken_duration(4s), "4 s");
    EXPECT_EQ(spoken_duration(29'600ms), "30 s");
    EXPECT_EQ(ordinal(1), "1st");
    EXPECT_EQ(ordinal(2), "2nd");
    EXPECT_EQ(ordinal(3), "3rd");
    EXPECT_EQ(ordinal(4), "4th");
    EXPECT_EQ(ordinal(11), "11th");
    EXPECT_EQ(ordinal(12), "12th");
    EXPECT_EQ(ordinal(113), "113th");
    EXPECT_EQ(ordinal(21), "21st");
    EXPECT_EQ(ordinal(20), "20th");
}

}  // namespace
}  // namespace fieldwarden::worker
