#include "proto/delivery_ages.h"

#include <gtest/gtest.h>

#include <numeric>

namespace fieldwarden::proto {
namespace {

using namespace std::chrono_literals;

TEST(DeliveryAges, EverySampleIsInOneBucket) {
    DeliveryAges ages;
    ages.add(-5s, 1);
    ages.add(100ms, 2);
    ages.add(101ms, 4);
    ages.add(3'600s, 8);
    ages.add(3'601s, 16);
    EXPECT_EQ(ages.counts.front(), 3U)
        << "a clock that is ahead counts as now; a bound belongs to its bucket";
    EXPECT_EQ(ages.counts[1], 4U);
    EXPECT_EQ(ages.counts[kDeliveryAgeBounds.size() - 1], 8U);
    EXPECT_EQ(ages.counts.back(), 16U);
    EXPECT_EQ(std::accumulate(ages.counts.begin(), ages.counts.end(), std::uint64_t{0}), 31U);
    EXPECT_DOUBLE_EQ(ages.sum_s, 2 * 0.1 + 4 * 0.101 + 8 * 3'600.0 + 16 * 3'601.0);
}

TEST(DeliveryAges, WhatCameSinceIsTheDifference) {
    DeliveryAges before;
    before.add(200ms, 5);
    auto later = before;
    later.add(200ms, 1);
    later.add(2s, 3);
    const auto more = later.since(before);
    EXPECT_EQ(more.counts[1], 1U);
    EXPECT_EQ(more.counts[4], 3U);
    EXPECT_NEAR(more.sum_s, 6.2, 1e-9);
    auto both = before;
    both += more;
    EXPECT_EQ(both.counts, later.counts);
}

TEST(DeliveryAges, ACounterThatBeganAnewIsTakenWhole) {
    DeliveryAges before;
    before.add(200ms, 5);
    DeliveryAges anew;
    anew.add(200ms, 2);
    anew.add(30s, 9);
    EXPECT_EQ(anew.since(before), anew);
}

}  // namespace
}  // namespace fieldwarden::proto
