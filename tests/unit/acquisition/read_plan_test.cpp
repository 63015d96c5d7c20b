#include "worker/drivers/read_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

constexpr std::uint8_t kHolding = 3;
constexpr std::uint8_t kCoils = 0;

ReadPoint words_at(std::uint32_t offset, std::uint32_t count = 1, std::uint32_t index = 0) {
    return {.index = index, .unit = 1, .area = kHolding, .offset = offset, .count = count};
}
ReadPoint bit_at(std::uint32_t offset) {
    return {.unit = 1, .area = kCoils, .is_bit = true, .offset = offset, .count = 1};
}

// "0..124 130..131": what a plan reads.
std::string ranges(const std::vector<ReadRequest>& plan) {
    std::string text;
    for (const auto& request : plan) {
        text += (text.empty() ? "" : " ") + std::to_string(request.span.begin) + ".." +
                std::to_string(request.span.end - 1);
    }
    return text;
}

TEST(PlanReads, NothingToRead) {
    EXPECT_TRUE(plan_reads({}, {}).empty());
}

TEST(PlanReads, NeighboursShareARequestInWhateverOrderTheyCome) {
    EXPECT_EQ(ranges(plan_reads({words_at(4, 2), words_at(0, 2), words_at(2, 2)}, {})), "0..5");
}

TEST(PlanReads, BridgesGapsUpToMaxGap) {
    const ReadLimits limits{.max_gap = 3};
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(4)}, limits)), "0..4");
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(5)}, limits)), "0..0 5..5");
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(1), words_at(3)}, {.max_gap = 0})), "0..1 3..3");
}

TEST(PlanReads, ARequestHoldsNoMoreThanTheLimit) {
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(124)}, {.max_gap = 200})), "0..124");
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(125)}, {.max_gap = 200})), "0..0 125..125");
    // A value is never torn: 124..125 does not fit any more.
    EXPECT_EQ(ranges(plan_reads({words_at(0, 124), words_at(124, 2)}, {})), "0..123 124..125");
}

TEST(PlanReads, HundredPointsWithOneRegisterGapsFitTwoRequests) {
    std::vector<ReadPoint> points;
    for (std::uint32_t i = 0; i < 100; ++i) points.push_back(words_at(2 * i));
    EXPECT_EQ(plan_reads(points, {}).size(), 2U);
    // As float32 the same spacing covers 299 registers: three requests are the least the protocol allows.
    points.clear();
    for (std::uint32_t i = 0; i < 100; ++i) points.push_back(words_at(3 * i, 2));
    EXPECT_EQ(plan_reads(points, {}).size(), 3U);
}

TEST(PlanReads, AddressPlusCountPasses65535) {
    EXPECT_EQ(ranges(plan_reads({words_at(65535), words_at(65532, 4)}, {})), "65532..65535");
    EXPECT_EQ(ranges(plan_reads({bit_at(65535), bit_at(63536)}, {.max_gap = 3000})), "63536..65535");
}

TEST(PlanReads, OverlappingAndEqualPointsAreReadOnce) {
    const auto plan =
        plan_reads({words_at(0, 4, 0), words_at(1, 2, 1), words_at(1, 2, 2), words_at(2, 4, 3)}, {});
    ASSERT_EQ(plan.size(), 1U);
    EXPECT_EQ(ranges(plan), "0..5");
    EXPECT_EQ(plan[0].points.size(), 4U);
    // A short point inside a long one does not shorten the request.
    EXPECT_EQ(ranges(plan_reads({words_at(0, 10), words_at(1), words_at(10)}, {.max_gap = 0})), "0..10");
}

TEST(PlanReads, LanesAreKeptApart) {
    auto other_unit = words_at(1);
    other_unit.unit = 2;
    auto other_area = words_at(1);
    other_area.area = 2;
    auto other_period = words_at(1);
    other_period.period = 5s;
    EXPECT_EQ(plan_reads({words_at(0), other_unit}, {}).size(), 2U);
    EXPECT_EQ(plan_reads({words_at(0), other_area}, {}).size(), 2U);
    EXPECT_EQ(plan_reads({words_at(0), other_period}, {}).size(), 2U);
}

TEST(PlanReads, BitsHaveTheirOwnLimit) {
    std::vector<ReadPoint> points;
    for (std::uint32_t i = 0; i < 2001; ++i) points.push_back(bit_at(i));
    EXPECT_EQ(ranges(plan_reads(points, {})), "0..1999 2000..2000");
    EXPECT_EQ(plan_reads(points, {.max_bits = 100}).size(), 21U);
}

TEST(PlanReads, DoesNotReadAcrossAForbiddenSpan) {
    const std::vector<Span> forbidden{{1, kHolding, 2, 4}};
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(1), words_at(4), words_at(5)}, {}, forbidden)),
              "0..1 4..5");
    // Touching a part of it is allowed, and so is the same span elsewhere.
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(2)}, {}, forbidden)), "0..2");
    auto other = forbidden;
    other[0].unit = 2;
    EXPECT_EQ(ranges(plan_reads({words_at(0), words_at(5)}, {}, other)), "0..5");
}

// --- refusals
// ------------------------------------------------------------------------------------------------

// A device that refuses requests by rules the plan does not know.
struct Refuser {
    std::set<std::uint32_t> illegal;
    std::uint32_t most = 125;
    unsigned requests = 0;

    bool answers(const Span& span) {
        ++requests;
        const auto hit = illegal.lower_bound(span.begin);
        return span.end - span.begin <= most && (hit == illegal.end() || *hit >= span.end);
    }
    [[nodiscard]] bool legal(const ReadPoint& point) const {
        const auto hit = illegal.lower_bound(point.offset);
        return point.count <= most && (hit == illegal.end() || *hit >= point.end());
    }
};

// One scan as a driver does it. Returns the indices read; what was refused is learnt.
struct Scan {
    std::multiset<std::uint32_t> good;
    unsigned refused = 0;
};
Scan scan(LearningPlan& plan, Refuser& device) {
    Scan result;
    const auto take = [&](const ReadRequest& request) {
        for (const auto& point : request.points) result.good.insert(point.index);
    };
    const auto requests = plan.requests();
    for (const auto& request : requests) {
        if (device.answers(request.span)) {
            take(request);
            continue;
        }
        ++result.refused;
        RefusalSearch search{request};
        while (search.next()) {
            if (device.answers(search.next()->span)) {
                take(*search.next());
                search.answered();
            } else {
                search.refused();
            }
        }
        plan.learn(search);
    }
    return result;
}

std::vector<ReadPoint> row(std::uint32_t count) {
    std::vector<ReadPoint> points;
    for (std::uint32_t i = 0; i < count; ++i) points.push_back(words_at(i, 1, i));
    return points;
}

TEST(RefusalSearch, OneIllegalPointCostsNoOther) {
    for (std::uint32_t culprit = 0; culprit < 125; ++culprit) {
        LearningPlan plan{row(125), {}};
        Refuser device{.illegal = {culprit}};
        EXPECT_EQ(scan(plan, device).good.size(), 124U);
        EXPECT_LE(device.requests, 1 + 2 * 7U) << culprit;  // 2^7 > 125
        ASSERT_EQ(plan.illegal().size(), 1U);
        EXPECT_EQ(plan.illegal()[0].span.begin, culprit);
        // From now on the good ones cost one request, or two around the culprit.
        device.requests = 0;
        EXPECT_EQ(scan(plan, device).good.size(), 124U);
        EXPECT_EQ(device.requests, culprit == 0 || culprit == 124 ? 1U : 2U);
    }
}

TEST(RefusalSearch, AnIllegalGapCostsNoPoint) {
    std::vector<ReadPoint> points;
    for (std::uint32_t i = 0; i < 20; ++i) points.push_back(words_at(5 * i, 2, i));
    LearningPlan plan{points, {}};
    Refuser device{.illegal = {33}};  // between 30..31 and 35..36
    EXPECT_EQ(scan(plan, device).good.size(), 20U);
    EXPECT_TRUE(plan.illegal().empty());
    EXPECT_EQ(ranges(plan.requests()), "0..31 35..96");
}

TEST(RefusalSearch, ADeviceThatTakesFewerRegistersIsLearnt) {
    LearningPlan plan{row(125), {}};
    Refuser device{.illegal = {}, .most = 10};
    EXPECT_EQ(scan(plan, device).good.size(), 125U);
    unsigned scans = 1;
    while (scan(plan, device).refused != 0) ASSERT_LT(++scans, 10U);
    EXPECT_TRUE(plan.illegal().empty());
    EXPECT_LE(plan.requests().size(), 25U);  // 13 at best
}

TEST(RefusalSearch, ADeviceThatChangesItsMindTeachesNothing) {
    // Both points cover the same registers: the halves are the whole.
    RefusalSearch search{plan_reads({words_at(0, 2, 0), words_at(0, 2, 1)}, {})[0]};
    while (search.next()) search.answered();
    EXPECT_TRUE(search.illegal().empty());
    EXPECT_TRUE(search.borders().empty());
}

TEST(RefusalSearch, ASinglePointIsFoundGuiltyWithoutAnotherRequest) {
    const RefusalSearch search{plan_reads({words_at(7)}, {})[0]};
    EXPECT_FALSE(search.next());
    EXPECT_EQ(search.illegal().size(), 1U);
}

TEST(LearningPlan, ARestoredPointJoinsTheOthersAgain) {
    LearningPlan plan{row(10), {}};
    Refuser device{.illegal = {4}};
    scan(plan, device);
    ASSERT_EQ(ranges(plan.requests()), "0..3 5..9");
    plan.restore(plan.illegal()[0].points);
    EXPECT_EQ(ranges(plan.requests()), "0..9");
    EXPECT_TRUE(plan.illegal().empty());
    // A point it does not hold as illegal is not added a second time.
    plan.restore(std::vector<ReadPoint>{words_at(4, 1, 4)});
    EXPECT_EQ(plan.requests()[0].points.size(), 10U);
}

// For random layouts and devices: every point the device would give is read good, exactly once, in the first
// scan already; every other stands alone as illegal; learning ends; the requests stay bounded.
TEST(RefusalSearch, PropertiesOverRandomLayoutsAndDevices) {
    std::mt19937 random{20260407};
    const auto draw = [&](std::uint32_t least, std::uint32_t most) {
        return std::uniform_int_distribution<std::uint32_t>{least, most}(random);
    };
    for (int round = 0; round < 3000; ++round) {
        std::vector<ReadPoint> points;
        const auto count = draw(1, 60);
        const auto width = draw(20, 400);
        constexpr std::uint32_t kSizes[] = {1, 1, 2, 2, 4, 8};
        for (std::uint32_t i = 0; i < count; ++i)
            points.push_back(words_at(draw(0, width), kSizes[draw(0, 5)], i));
        Refuser device;
        for (auto bad = draw(0, 6); bad > 0; --bad) device.illegal.insert(draw(0, width + 8));
        if (draw(0, 3) == 0) device.most = draw(8, 40);
        const ReadLimits limits{.max_words = draw(8, 125), .max_gap = draw(0, 20)};

        std::multiset<std::uint32_t> legal;
        std::set<std::uint32_t> illegal;
        for (const auto& point : points) {
            if (device.legal(point)) {
                legal.insert(point.index);
            } else {
                illegal.insert(point.index);
            }
        }
        LearningPlan plan{points, limits};
        const auto planned = plan.requests().size();
        unsigned scans = 0;
        for (;;) {
            device.requests = 0;
            const auto before = plan.requests().size();
            const auto result = scan(plan, device);
            ASSERT_EQ(result.good, legal) << "round " << round << " scan " << scans;
            ASSERT_LE(device.requests, before + 2 * count) << "round " << round;
            if (result.refused == 0) break;
            ASSERT_LE(++scans, 2 * count) << "learning does not end; round " << round;
        }
        std::set<std::uint32_t> found;
        for (const auto& request : plan.illegal()) {
            ASSERT_EQ(request.points.size(), 1U);
            ASSERT_TRUE(found.insert(request.points[0].index).second);
        }
        ASSERT_EQ(found, illegal) << "round " << round;
        // Coalescing survives: every further request is owed to something that is really in the way.
        if (device.most >= limits.max_words) {
            ASSERT_LE(plan.requests().size(), planned + illegal.size() + device.illegal.size())
                << "round " << round;
        }
    }
}

// Whatever the device answers, even at random, a search ends within its bound.
TEST(RefusalSearch, EndsWhateverTheDeviceAnswers) {
    std::mt19937 random{7};
    for (int round = 0; round < 2000; ++round) {
        const auto count = 1 + random() % 125;
        RefusalSearch search{plan_reads(row(static_cast<std::uint32_t>(count)), {})[0]};
        unsigned requests = 0;
        while (search.next()) {
            ASSERT_LE(++requests, 2 * count);
            if (random() % 3 == 0) {
                search.refused();
            } else {
                search.answered();
            }
        }
    }
}

}  // namespace
}  // namespace fieldwarden::worker
