#include "worker/sinks/sample_json.h"

#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace fieldwarden::worker {
namespace {

using nlohmann::json;

const UtcTime kTime = UtcTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}} +
                      std::chrono::hours{13} + std::chrono::microseconds{123'456};

const PointDirectory kPoints{
    {1, {"S 1", "D\"1\"", "Device", "T", "温度", "°C", {BaseType::kFloat64, 0}}},
};

std::string json_of(const Sample& sample, const PointDirectory* points = &kPoints) {
    SampleJson writer;
    std::string out;
    return writer.append(out, {{}, points, 1}, sample) ? out : "unknown";
}

TEST(SampleJsonTest, HoldsWhoWhenWhatAndHowGood) {
    const auto read = json::parse(json_of({1, Quality::kGood, QualityCode::kNone, kTime, 21.5}));
    EXPECT_EQ(read, json::parse(R"({"site": "S 1", "device": "D\"1\"", "point": "温度", "value": 21.5,
                                    "timestamp": "2026-11-22T13:00:00.123456Z", "quality": "good"})"));
}

TEST(SampleJsonTest, EveryKindOfValueKeepsItsType) {
    const auto value_of = [](Value value) {
        return json::parse(
            json_of({1, Quality::kGood, QualityCode::kNone, kTime, std::move(value)}))["value"];
    };
    EXPECT_EQ(value_of(true), json(true));
    EXPECT_EQ(value_of(std::int64_t{-5}), json(-5));
    EXPECT_EQ(value_of(std::numeric_limits<std::uint64_t>::max()),
              json(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_TRUE(value_of(5.0).is_number_float());
    EXPECT_EQ(value_of(0.1), json(0.1));
    EXPECT_EQ(value_of(1e300), json(1e300));
    EXPECT_EQ(value_of(std::numeric_limits<double>::infinity()), json(nullptr));
    EXPECT_EQ(value_of(std::string{"a\n\"b\"\xff"}), json("a\n\"b\"\xEF\xBF\xBD"));
    EXPECT_EQ(value_of(std::monostate{}), json(nullptr));
}

TEST(SampleJsonTest, BadSamplesSayWhy) {
    const auto read = json::parse(json_of({1, Quality::kBad, QualityCode::kTimeout, kTime, {}}));
    EXPECT_EQ(read["quality"], "bad");
    EXPECT_EQ(read["quality_code"], "timeout");
}

TEST(SampleJsonTest, APointWithoutANameIsNotWritten) {
    EXPECT_EQ(json_of({2, Quality::kGood, QualityCode::kNone, kTime, 1.0}), "unknown");
    EXPECT_EQ(json_of({1, Quality::kGood, QualityCode::kNone, kTime, 1.0}, nullptr), "unknown");
}

TEST(SampleJsonTest, ANewDirectoryBringsNewNames) {
    SampleJson writer;
    std::string out;
    const Sample sample{1, Quality::kGood, QualityCode::kNone, kTime, 1.0};
    ASSERT_TRUE(writer.append(out, {{}, &kPoints, 1}, sample));
    auto moved = kPoints;
    moved[1].device_code = "D2";
    out.clear();
    ASSERT_TRUE(writer.append(out, {{}, &moved, 2}, sample));
    EXPECT_EQ(json::parse(out)["device"], "D2");
}

}  // namespace
}  // namespace fieldwarden::worker
