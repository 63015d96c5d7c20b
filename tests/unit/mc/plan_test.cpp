// The planner: limits, alignment, and when a random read pays.
#include "worker/drivers/mc/mc_plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>

namespace fieldwarden::worker::mc {
namespace {

const McDialect kQ{};
const McDialect kFx{.frame = McFrame::k1e, .series = McSeries::kFx};

FrameFormat format_of(const Options& options, Encoding encoding = Encoding::kBinary) {
    FrameFormat format;
    format.dialect = mc_dialect(options);
    format.encoding = encoding;
    return format;
}

ReadRequest read_of(const char* address, std::uint32_t count, const McDialect& dialect = kQ) {
    const auto parsed = parse_mc_address(address, dialect).value();
    auto point = place_of(parsed, {BaseType::kUint16, 0}, dialect, 0, {});
    point.count = count;
    return {{0, point.area, point.offset, point.end()}, {point}};
}

TEST(FrameLimits, AreThoseOfTheManuals) {
    EXPECT_EQ(frame_limits(format_of({})), (FrameLimits{960, 960, 7168, 192, 960, 7168}));
    EXPECT_EQ(frame_limits(format_of({}, Encoding::kAscii)), (FrameLimits{960, 960, 3584, 192, 960, 3584}));
    EXPECT_EQ(frame_limits(format_of({{"series", "iqr"}})).random, 96U);
    EXPECT_EQ(frame_limits(format_of({{"frame", "1E"}})), (FrameLimits{64, 32, 256, 0, 64, 160}));
    EXPECT_EQ(frame_limits(format_of({{"series", "fx"}}, Encoding::kAscii)).words, 480U);
}

TEST(Wires, BitsAreReadInWordsFromAMultipleOfSixteen) {
    const auto wire = batch_wire(read_of("M100", 20), false);
    EXPECT_EQ(wire.request.operation, Operation::kReadWords);
    EXPECT_EQ(wire.request.head, (DeviceRef{McDevice::kM, 96}));
    EXPECT_EQ(wire.request.points, 2U);
    EXPECT_EQ(wire.parts[0].first, 96U);
    const auto exact = batch_wire(read_of("M100", 20), true);
    EXPECT_EQ(exact.request.operation, Operation::kReadBits);
    EXPECT_EQ(exact.request.head, (DeviceRef{McDevice::kM, 100}));
    EXPECT_EQ(exact.request.points, 20U);
    EXPECT_EQ(exact.parts[0].words, 2U);
}

TEST(Wires, NoReadOfALanePassesTheFramesLimits) {
    for (const auto& format :
         {format_of({}), format_of({{"frame", "1E"}}), format_of({}, Encoding::kAscii)}) {
        const auto limits = frame_limits(format);
        for (const bool exact : {false, true}) {
            std::vector<ReadPoint> points;
            std::mt19937 random{7};
            for (std::uint32_t i = 0; i < 2000; ++i) {
                auto point = place_of({McDevice::kM, static_cast<std::uint32_t>(random() % 20'000), {}},
                                      {BaseType::kBool, 0}, format.dialect, i, {});
                points.push_back(point);
            }
            std::set<std::uint32_t> seen;
            for (const auto& read : plan_reads(points, lane_limits(limits, 960, 512, exact))) {
                const auto wire = batch_wire(read, exact);
                EXPECT_LE(wire.request.points, exact ? limits.bits : limits.bit_words);
                for (const auto& point : read.points) {
                    EXPECT_TRUE(seen.insert(point.index).second);
                    EXPECT_GE(point.offset, wire.parts[0].first);
                    EXPECT_LE(point.end(), wire.parts[0].first + wire.parts[0].words * 16);
                }
            }
            EXPECT_EQ(seen.size(), points.size());
        }
    }
}

TEST(Wires, RandomReadsPutTheFirstOfAnOddNumberOfWordsAmongTheWords) {
    const std::vector<ReadRequest> reads{read_of("D10", 3), read_of("M40", 5), read_of("W20", 4),
                                         read_of("R7", 1)};
    std::vector<const ReadRequest*> pointers;
    for (const auto& read : reads) pointers.push_back(&read);
    const auto wire = random_wire(pointers);
    EXPECT_EQ(wire.request.words,
              (std::vector<DeviceRef>{{McDevice::kD, 10}, {McDevice::kM, 32}, {McDevice::kR, 7}}));
    EXPECT_EQ(wire.request.dwords,
              (std::vector<DeviceRef>{{McDevice::kD, 11}, {McDevice::kW, 0x20}, {McDevice::kW, 0x22}}));
    // The answer: D10 M32 R7, D11 D12, W20 W21, W22 W23.
    const std::vector<std::uint16_t> answer{10, 32, 7, 11, 12, 20, 21, 22, 23};
    std::vector<std::uint16_t> words;
    gather(wire.parts[0], answer, words);
    EXPECT_EQ(words, (std::vector<std::uint16_t>{10, 11, 12}));
    gather(wire.parts[1], answer, words);
    EXPECT_EQ(words, (std::vector<std::uint16_t>{32}));
    EXPECT_EQ(wire.parts[1].first, 32U);
    gather(wire.parts[2], answer, words);
    EXPECT_EQ(words, (std::vector<std::uint16_t>{20, 21, 22, 23}));
    gather(wire.parts[3], answer, words);
    EXPECT_EQ(words, (std::vector<std::uint16_t>{7}));
}

TEST(Wires, WideCountersAreTwoWordsEachAndNeverMixedWithNarrowOnes) {
    const auto narrow = place_of({McDevice::kCn, 199, {}}, {BaseType::kInt16, 0}, kFx, 0, {});
    const auto wide = place_of({McDevice::kCn, 200, {}}, {BaseType::kInt32, 0}, kFx, 1, {});
    const auto next = place_of({McDevice::kCn, 201, {}}, {BaseType::kInt32, 0}, kFx, 2, {});
    const auto reads = plan_reads({narrow, wide, next},
                                  lane_limits(frame_limits(format_of({{"frame", "1E"}})), 960, 32, false));
    ASSERT_EQ(reads.size(), 2U);
    const auto wire = batch_wire(reads[1], false);
    EXPECT_EQ(wire.request.head, (DeviceRef{McDevice::kCn, 200}));
    EXPECT_EQ(wire.request.points, 4U);
}

std::size_t cost(const std::vector<Step>& steps, const std::vector<Load>& loads) {
    std::size_t sum = 0;
    for (const auto& step : steps) {
        sum += kRoundTrip;
        for (const auto read : step.reads)
            sum += step.random ? kLookup * ((loads[read].words + 1) / 2) : loads[read].words;
    }
    return sum;
}

TEST(Combine, ScatteredWordsShareOneRandomRead) {
    const std::vector<Load> loads(50, Load{1, true});
    const auto steps = combine(loads, 192);
    ASSERT_EQ(steps.size(), 1U);
    EXPECT_TRUE(steps[0].random);
    EXPECT_EQ(combine(loads, 0).size(), 50U);
}

TEST(Combine, OneReadAloneStaysABatch) {
    EXPECT_EQ(combine(std::vector<Load>{{1, true}}, 192), (std::vector<Step>{{false, {0}}}));
    EXPECT_TRUE(combine(std::vector<Load>{}, 192).empty());
}

TEST(Combine, LongReadsAndThoseThatMayNotStayBatches) {
    const std::vector<Load> loads{{960, true}, {1, false}, {1, true}, {2, true}};
    EXPECT_EQ(combine(loads, 192), (std::vector<Step>{{false, {0}}, {false, {1}}, {true, {2, 3}}}));
}

TEST(Combine, EveryLoadOnceWithinTheLimitAndNeverDearerThanBatches) {
    std::mt19937 random{42};
    for (int round = 0; round < 500; ++round) {
        std::vector<Load> loads(random() % 80);
        for (auto& load : loads)
            load = {static_cast<std::uint32_t>(1 + random() % (round % 2 == 0 ? 12 : 400)),
                    random() % 8 != 0};
        const std::uint32_t most = round % 3 == 0 ? 96 : 192;
        const auto steps = combine(loads, most);
        std::multiset<std::size_t> seen;
        for (const auto& step : steps) {
            std::uint32_t devices = 0;
            for (const auto read : step.reads) {
                seen.insert(read);
                devices += (loads[read].words + 1) / 2;
                EXPECT_TRUE(!step.random || loads[read].may_combine);
            }
            EXPECT_TRUE(!step.random || devices <= most);
            EXPECT_TRUE(step.random || step.reads.size() == 1);
        }
        EXPECT_EQ(seen.size(), loads.size());
        EXPECT_EQ(std::set<std::size_t>(seen.begin(), seen.end()).size(), loads.size());
        EXPECT_LE(cost(steps, loads), cost(combine(loads, 0), loads));
    }
}

}  // namespace
}  // namespace fieldwarden::worker::mc
