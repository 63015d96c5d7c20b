#include "common/sample_block.h"

#include <gtest/gtest.h>

#include "tests/unit/common/random_samples.h"

namespace fieldwarden {

namespace {

constexpr UtcTime kNoon{std::chrono::microseconds{1'795'355'627'123'456}};

Bytes encoded(const SampleBatch& samples) {
    Bytes out;
    encode_sample_block(samples, out);
    return out;
}

TEST(SampleBlock, AnyBatchComesBackBitForBit) {
    std::mt19937_64 random{21};
    for (int i = 0; i < 3000; ++i) {
        const auto samples = random_samples(random, 40);
        SampleBatch back;
        const auto decoded = decode_sample_block(encoded(samples), back);
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_TRUE(same_bits(samples, back)) << "batch " << i;
    }
}

TEST(SampleBlock, TheLayoutIsTheOneInTheHeader) {
    const Sample first{300, Quality::kGood, QualityCode::kNone, kNoon, std::int64_t{-2}};
    const Sample second{299, Quality::kBad, QualityCode::kTimeout, kNoon, {}};
    Bytes wanted;
    ByteWriter writer{wanted};
    writer.put<std::uint8_t>(1);  // format
    writer.put_varint(2);         // count
    writer.put<std::uint8_t>(1);  // one time for all
    writer.put<std::int64_t>(kNoon.time_since_epoch().count());
    writer.put_varint(600);                     // zigzag(300)
    writer.put<std::uint8_t>(3);                // signed, good, no code
    writer.put_varint(3);                       // zigzag(-2)
    writer.put_varint(1);                       // zigzag(299 - 300)
    writer.put<std::uint8_t>(2 << 3 | 1 << 5);  // no value, bad, timeout
    EXPECT_EQ(encoded({first, second}), wanted);

    auto later = second;
    later.time += std::chrono::microseconds{1};
    const auto with_deltas = encoded({first, later});
    ASSERT_EQ(with_deltas.size(), wanted.size() + 2) << "two one-byte deltas";
    EXPECT_EQ(with_deltas[2], std::byte{0});
    EXPECT_EQ(encoded({}).size(), 11U);
}

TEST(SampleBlock, AFloatTakesFourBytesAndTheTypicalSampleSeven) {
    SampleBatch samples;
    for (PointId point = 1; point <= 1000; ++point) {
        samples.push_back({point, Quality::kGood, QualityCode::kNone, kNoon, static_cast<double>(1.5F)});
    }
    EXPECT_EQ(encoded(samples).size(), 1U + 2U + 1U + 8U + 1000U * 6U);
}

TEST(SampleBlock, DecodingAppendsAndAFailureLeavesTheBatchAsItWas) {
    const SampleBatch one{{7, Quality::kGood, QualityCode::kNone, kNoon, true}};
    SampleBatch out = one;
    ASSERT_TRUE(decode_sample_block(encoded(one), out));
    EXPECT_EQ(out.size(), 2U);
    auto broken = encoded({one[0], one[0]});
    broken.pop_back();
    ASSERT_FALSE(decode_sample_block(broken, out));
    EXPECT_EQ(out.size(), 2U);
}

TEST(SampleBlock, EveryTruncationAndEveryExtraByteIsRefused) {
    std::mt19937_64 random{22};
    for (int i = 0; i < 50; ++i) {
        auto block = encoded(random_samples(random, 10));
        SampleBatch out;
        for (std::size_t keep = 0; keep < block.size(); ++keep) {
            const auto refused = decode_sample_block(ByteSpan{block}.first(keep), out);
            ASSERT_FALSE(refused) << keep << " of " << block.size();
            ASSERT_EQ(refused.error().kind, ErrorKind::kCorrupt);
        }
        block.push_back(std::byte{0});
        ASSERT_FALSE(decode_sample_block(block, out));
        ASSERT_TRUE(out.empty());
    }
}

// Whatever bytes come, decoding ends, stays in its bounds, and what it accepts can be written again.
TEST(SampleBlock, HostileBytesAreRefusedOrGiveSamplesThatSurviveARoundTrip) {
    std::mt19937_64 random{23};
    int accepted = 0;
    for (int i = 0; i < 30'000; ++i) {
        auto block = encoded(random_samples(random, 8));
        for (auto flips = 1 + random() % 4; flips > 0; --flips) {
            block[random() % block.size()] = static_cast<std::byte>(random());
        }
        SampleBatch out;
        if (!decode_sample_block(block, out)) {
            ASSERT_TRUE(out.empty());
            continue;
        }
        ++accepted;
        SampleBatch again;
        ASSERT_TRUE(decode_sample_block(encoded(out), again));
        ASSERT_TRUE(same_bits(out, again));
    }
    EXPECT_GT(accepted, 100) << "the mutations must reach past the header";
}

TEST(SampleBlock, ACountThatTheBytesCannotHoldIsRefusedBeforeMemoryIsTaken) {
    for (const std::uint64_t count :
         {std::uint64_t{kMaxSamplesPerBlock} + 1, UINT64_MAX, std::uint64_t{51}}) {
        Bytes block;
        ByteWriter writer{block};
        writer.put<std::uint8_t>(1);
        writer.put_varint(count);
        writer.put<std::uint8_t>(1);
        writer.put<std::int64_t>(0);
        block.resize(block.size() + 100);
        SampleBatch out;
        EXPECT_FALSE(decode_sample_block(block, out)) << count;
        EXPECT_EQ(out.capacity(), 0U) << count;
    }
}

TEST(SampleBlock, UnknownFormatsFlagsQualitiesAndPointsAreRefused) {
    const auto block = encoded({{7, Quality::kGood, QualityCode::kNone, kNoon, {}}});
    ASSERT_EQ(block.size(), 13U);
    const auto refused_with = [&](std::size_t at, unsigned value) {
        auto changed = block;
        changed[at] = static_cast<std::byte>(value);
        SampleBatch out;
        return !decode_sample_block(changed, out).has_value();
    };
    EXPECT_TRUE(refused_with(0, 2)) << "format";
    EXPECT_TRUE(refused_with(2, 2)) << "time flag";
    EXPECT_TRUE(refused_with(11, 1)) << "point -1";
    EXPECT_TRUE(refused_with(12, 3U << 3)) << "quality 3";
    EXPECT_TRUE(refused_with(12, 7U << 5)) << "quality code 7";
    EXPECT_FALSE(refused_with(11, 2)) << "point 1 is fine: the test would notice a decoder that refuses all";
}

}  // namespace

}  // namespace fieldwarden
