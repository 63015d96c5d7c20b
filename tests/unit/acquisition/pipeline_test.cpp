#include "worker/pipeline.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace fieldwarden::worker {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Sample good(Value value) {
    return {.point = 7, .quality = Quality::kGood, .code = QualityCode::kNone, .value = std::move(value)};
}
Sample bad(QualityCode code) {
    return {.point = 7, .quality = Quality::kBad, .code = code};
}

// One point, one sample at a time.
class OnePoint {
  public:
    explicit OnePoint(PointConfig config) : points_{std::move(config)}, pipeline_(points_) {}

    Sample convert(Sample sample) const {
        pipeline_.convert(kDue, std::span{&sample, 1});
        return sample;
    }
    // Whether the sample is delivered.
    bool passes(Sample sample) {
        SampleBatch batch{std::move(sample)};
        pipeline_.convert(kDue, batch);
        changes.clear();
        pipeline_.filter(kDue, batch, changes);
        return !batch.empty();
    }
    Pipeline& pipeline() { return pipeline_; }
    std::vector<Pipeline::Change> changes;

  private:
    static constexpr std::array<std::uint32_t, 1> kDue{0};
    std::vector<PointConfig> points_;
    Pipeline pipeline_;
};

TEST(PipelineConvert, IntegersStayIntegersWithoutScaling) {
    const OnePoint plain{{}};
    EXPECT_EQ(plain.convert(good(std::int64_t{-5})).value, Value{std::int64_t{-5}});
    // 2^63 + 1 has no double.
    EXPECT_EQ(plain.convert(good((std::uint64_t{1} << 63) + 1)).value, Value{(std::uint64_t{1} << 63) + 1});
}

TEST(PipelineConvert, ScalesThenOffsets) {
    PointConfig config;
    config.scale = 0.1;
    config.offset = -40;
    const OnePoint scaled{config};
    EXPECT_DOUBLE_EQ(std::get<double>(scaled.convert(good(std::int64_t{650})).value), 25.0);
    EXPECT_DOUBLE_EQ(std::get<double>(scaled.convert(good(std::uint64_t{400})).value), 0.0);
    EXPECT_DOUBLE_EQ(std::get<double>(scaled.convert(good(400.0)).value), 0.0);
    // An offset alone makes a double as well.
    config.scale = 1;
    EXPECT_EQ(OnePoint{config}.convert(good(std::int64_t{40})).value, Value{0.0});
}

TEST(PipelineConvert, BoolAndTextPassUnscaled) {
    PointConfig config;
    config.scale = 2;
    config.max_value = 0;
    const OnePoint scaled{config};
    EXPECT_EQ(scaled.convert(good(true)), good(true));
    EXPECT_EQ(scaled.convert(good(std::string{"run"})), good(std::string{"run"}));
}

TEST(PipelineConvert, OutOfRangeKeepsItsValue) {
    PointConfig config;
    config.scale = 0.1;
    config.min_value = 0;
    config.max_value = 10;
    const OnePoint ranged{config};
    EXPECT_EQ(ranged.convert(good(std::int64_t{0})).quality, Quality::kGood);
    EXPECT_EQ(ranged.convert(good(std::int64_t{100})).quality, Quality::kGood);
    const auto over = ranged.convert(good(std::int64_t{101}));
    EXPECT_EQ(over.quality, Quality::kBad);
    EXPECT_EQ(over.code, QualityCode::kOutOfRange);
    EXPECT_DOUBLE_EQ(std::get<double>(over.value), 10.1);
    EXPECT_EQ(ranged.convert(good(std::int64_t{-1})).code, QualityCode::kOutOfRange);
}

TEST(PipelineConvert, OneSidedRange) {
    PointConfig config;
    config.min_value = 5;
    const OnePoint ranged{config};
    EXPECT_EQ(ranged.convert(good(1e300)).quality, Quality::kGood);
    EXPECT_EQ(ranged.convert(good(4.9)).code, QualityCode::kOutOfRange);
}

TEST(PipelineConvert, WhatIsNotFiniteIsBadWithoutAValue) {
    PointConfig config;
    for (const double number : {kNan, std::numeric_limits<double>::infinity()}) {
        const auto sample = OnePoint{config}.convert(good(number));
        EXPECT_EQ(sample.code, QualityCode::kDecode);
        EXPECT_EQ(sample.quality, Quality::kBad);
        EXPECT_EQ(sample.value, Value{});
    }
    config.scale = 1e300;
    EXPECT_EQ(OnePoint{config}.convert(good(1e300)).code, QualityCode::kDecode);
}

TEST(PipelineConvert, BadSamplesAreNotTouched) {
    PointConfig config;
    config.scale = 3;
    EXPECT_EQ(OnePoint{config}.convert(bad(QualityCode::kTimeout)), bad(QualityCode::kTimeout));
}

TEST(PipelineFilter, WithoutDeadbandEveryGoodSampleIsDelivered) {
    OnePoint point{{}};
    EXPECT_TRUE(point.passes(good(1.0)));
    EXPECT_TRUE(point.passes(good(1.0)));
}

TEST(PipelineFilter, DeadbandMeasuresFromTheLastDelivered) {
    PointConfig config;
    config.deadband = 1.0;
    OnePoint point{config};
    EXPECT_TRUE(point.passes(good(10.0)));
    EXPECT_FALSE(point.passes(good(10.5)));
    EXPECT_FALSE(point.passes(good(10.9)));
    EXPECT_TRUE(point.passes(good(11.0)));  // a creeping value does not slip through
    EXPECT_FALSE(point.passes(good(10.1)));
    EXPECT_TRUE(point.passes(good(10.0)));
}

TEST(PipelineFilter, DeadbandIsInEngineeringUnits) {
    PointConfig config;
    config.deadband = 1.0;
    config.scale = 0.1;
    OnePoint point{config};
    EXPECT_TRUE(point.passes(good(std::int64_t{100})));
    EXPECT_FALSE(point.passes(good(std::int64_t{109})));
    EXPECT_TRUE(point.passes(good(std::int64_t{110})));
}

TEST(PipelineFilter, DeadbandZeroDeliversEverySample) {
    PointConfig config;
    config.deadband = 0.0;
    OnePoint point{config};
    EXPECT_TRUE(point.passes(good(1.0)));
    EXPECT_TRUE(point.passes(good(1.0)));
}

TEST(PipelineFilter, ChangeOfQualityIsAlwaysDelivered) {
    PointConfig config;
    config.deadband = 1000.0;
    OnePoint point{config};
    EXPECT_TRUE(point.passes(good(1.0)));
    EXPECT_TRUE(point.passes(bad(QualityCode::kTimeout)));
    EXPECT_FALSE(point.passes(bad(QualityCode::kTimeout)));
    EXPECT_TRUE(point.passes(bad(QualityCode::kDisconnected)));
    EXPECT_FALSE(point.passes(bad(QualityCode::kDisconnected)));
    EXPECT_TRUE(point.passes(good(1.0)));
    EXPECT_FALSE(point.passes(good(1.0)));
}

TEST(PipelineFilter, FirstSampleIsDeliveredWhateverItIs) {
    PointConfig config;
    config.deadband = 5.0;
    EXPECT_TRUE(OnePoint{config}.passes(good(0.0)));
    EXPECT_TRUE(OnePoint{config}.passes(good(kNan)));
    EXPECT_TRUE(OnePoint{config}.passes(bad(QualityCode::kDisconnected)));
}

TEST(PipelineFilter, NotANumberDoesNotStickInTheDeadband) {
    PointConfig config;
    config.deadband = 1.0;
    OnePoint point{config};
    EXPECT_TRUE(point.passes(good(1.0)));
    EXPECT_TRUE(point.passes(good(kNan)));
    EXPECT_FALSE(point.passes(good(kNan)));
    EXPECT_TRUE(point.passes(good(1.0)));
    EXPECT_TRUE(point.passes(good(2.0)));
}

TEST(PipelineFilter, OutOfRangeValuesAreAllDelivered) {
    PointConfig config;
    config.deadband = 100.0;
    config.max_value = 10;
    OnePoint point{config};
    EXPECT_TRUE(point.passes(good(11.0)));
    EXPECT_TRUE(point.passes(good(11.0)));
}

TEST(PipelineFilter, BoolWithDeadbandIsDeliveredOnChange) {
    PointConfig config;
    config.deadband = 0.5;
    OnePoint point{config};
    EXPECT_TRUE(point.passes(good(false)));
    EXPECT_FALSE(point.passes(good(false)));
    EXPECT_TRUE(point.passes(good(true)));
}

TEST(PipelineFilter, CountsGoodPointsAndTellsChanges) {
    OnePoint point{{}};
    EXPECT_EQ(point.pipeline().points_good(), 0U);
    point.passes(good(1.0));
    EXPECT_EQ(point.pipeline().points_good(), 1U);
    EXPECT_TRUE(point.changes.empty());
    point.passes(bad(QualityCode::kIllegalAddress));
    EXPECT_EQ(point.pipeline().points_good(), 0U);
    ASSERT_EQ(point.changes.size(), 1U);
    EXPECT_EQ(point.changes[0].before, QualityCode::kNone);
    EXPECT_EQ(point.changes[0].after, QualityCode::kIllegalAddress);
    point.passes(bad(QualityCode::kIllegalAddress));
    EXPECT_TRUE(point.changes.empty());
}

TEST(PipelineFilter, KeepsTheOrderOfWhatItDelivers) {
    std::vector<PointConfig> points(4);
    points[1].deadband = 10;
    points[2].deadband = 10;
    Pipeline pipeline{points};
    const std::vector<std::uint32_t> due{0, 1, 2, 3};
    std::vector<Pipeline::Change> changes;
    const auto scan = [&](double value) {
        SampleBatch batch;
        for (PointId id = 0; id < 4; ++id) {
            batch.push_back(good(value));
            batch.back().point = id;
        }
        pipeline.filter(due, batch, changes);
        std::vector<PointId> ids;
        for (const auto& sample : batch) ids.push_back(sample.point);
        return ids;
    };
    EXPECT_EQ(scan(1), (std::vector<PointId>{0, 1, 2, 3}));
    EXPECT_EQ(scan(2), (std::vector<PointId>{0, 3}));
}

}  // namespace
}  // namespace fieldwarden::worker
