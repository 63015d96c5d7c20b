// The MC driver against a healthy PLC and one that refuses: values, planning, isolation of bad addresses.
#include <bit>

#include "tests/unit/mc/driver_fixture.h"

namespace fieldwarden::worker::mc {
namespace {

using namespace std::chrono_literals;

TEST_F(McDriverTest, ReadsEveryKindOfDeviceAndType) {
    simulator_.set("D", 100, {0xFFF9, 0x0008, 0x0000, 0x3F40});
    simulator_.set("D", 200, {0x6F4D, 0x6F74, 0x0072});
    simulator_.set("D", 210, {0x1234, 0x5678, 0x1234, 0x12A4});
    simulator_.set("D", 220, {0, 0, 0, 0x3FF8});
    simulator_.set("W", 0x1A0, {0x2211});
    simulator_.set("ZR", 100, {7});
    simulator_.set("TN", 5, {321});
    simulator_.set("M", 10, {1, 0, 1});
    simulator_.set("X", 0x1F, {1});
    simulator_.set("TS", 3, {1});
    connect_to({point("D100", "int16"), point("D101.3", "bool"), point("D101.2", "bool"),
                point("D102", "float32"), point("D200", "string(6)"), point("D210", "bcd16"),
                point("D211", "bcd32"), point("D213", "bcd16"), point("D220", "float64"),
                point("W1A0", "uint16", ByteOrder::kBadc), point("ZR100"), point("TN5"), point("M10", "bool"),
                point("M11", "bool"), point("X1F", "bool"), point("TS3", "bool")});
    ASSERT_TRUE(read());
    const std::vector<Value> want{std::int64_t{-7},
                                  true,
                                  false,
                                  0.75,
                                  std::string{"Motor"},
                                  std::uint64_t{1234},
                                  std::uint64_t{12345678},
                                  Value{},
                                  1.5,
                                  std::uint64_t{0x1122},
                                  std::uint64_t{7},
                                  std::uint64_t{321},
                                  true,
                                  false,
                                  true,
                                  true};
    for (std::size_t i = 0; i < want.size(); ++i)
        EXPECT_EQ(samples_[i].value, want[i]) << config_.points[i].address;
    EXPECT_EQ(samples_[7].code, QualityCode::kDecode);
    EXPECT_EQ(good(), want.size() - 1);
}

TEST_F(McDriverTest, NumbersInBitDevicesBeginAnywhere) {
    for (std::uint32_t i = 0; i < 32; ++i)
        simulator_.set("M", 105 + i, {static_cast<std::uint16_t>(0x89ABCDEF >> i & 1)});
    connect_to({point("M105", "uint32"), point("M109", "uint16"), point("M105", "bool")});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[0].value, Value{std::uint64_t{0x89ABCDEF}});
    EXPECT_EQ(samples_[1].value, Value{std::uint64_t{0xBCDE}});
    EXPECT_EQ(samples_[2].value, Value{true});
    EXPECT_EQ(driver_->stats().requests, 1U);
}

TEST_F(McDriverTest, TheSimulatorsSignalsAreInThePlcsOrder) {
    connect_to({point("D0", "uint32"), point("D6", "float32"), point("D60000", "string(16)"),
                point("D61000", "float64")});
    for (std::uint64_t n = 1; n <= 3; ++n) {
        ASSERT_TRUE(read());
        EXPECT_EQ(samples_[0].value, Value{n});
    }
    EXPECT_EQ(samples_[1].value, Value{21.0});  // slot 3: constant 20 + unit
    EXPECT_EQ(samples_[2].value, Value{std::string{"SIM-u001-r60000"}});
    EXPECT_NEAR(std::get<double>(samples_[3].value), 1000, 10);
}

TEST_F(McDriverTest, LongReadsAreSplitAtTheLimitOfTheFrame) {
    connect_to(row("D", 0, 2000));
    EXPECT_EQ(requests_of_a_read(), 3U);
    EXPECT_EQ(good(), 2000U);
    connect_to(row("D", 0, 200), {{"frame", "1E"}});
    EXPECT_EQ(requests_of_a_read(), 4U);
    EXPECT_EQ(good(), 200U);
    connect_to(row("D", 0, 200), {{"max_words", "50"}, {"random_read", "off"}});
    EXPECT_EQ(requests_of_a_read(), 4U);
    connect_to(row("M", 0, 600, "bool"), {{"frame", "1E"}});
    EXPECT_EQ(requests_of_a_read(), 2U);
    EXPECT_EQ(good(), 600U);
}

TEST_F(McDriverTest, ScatteredAddressesShareRandomReads) {
    std::vector<PointConfig> points;
    for (unsigned i = 0; i < 300; ++i) {
        points.push_back(point(fmt::format("D{}", i * 100), i % 2 == 0 ? "float32" : "uint16"));
        simulator_.set("D", i * 100, {static_cast<std::uint16_t>(i), 0});
    }
    simulator_.set("M", 5000, {1});
    simulator_.set("W", 0x7F0, {77});
    points.push_back(point("M5000", "bool"));
    points.push_back(point("W7F0"));
    connect_to(points);
    EXPECT_EQ(requests_of_a_read(), 2U);  // 302 devices, 192 a frame
    EXPECT_EQ(good(), points.size());
    for (unsigned i = 0; i < 300; ++i) {
        const auto want = i % 2 == 0 ? Value{double{std::bit_cast<float>(i)}} : Value{std::uint64_t{i}};
        ASSERT_EQ(samples_[i].value, want) << i;
    }
    EXPECT_EQ(samples_[300].value, Value{true});
    EXPECT_EQ(samples_[301].value, Value{std::uint64_t{77}});
    for (const auto& [name, value] : Options{{"encoding", "ascii"}, {"series", "iqr"}, {"frame", "4E"}}) {
        connect_to(points, {{name, value}});
        ASSERT_TRUE(read());
        EXPECT_EQ(samples_[298].value, Value{double{std::bit_cast<float>(298U)}}) << name;
        EXPECT_EQ(good(), points.size());
    }
    connect_to(points, {{"random_read", "off"}});
    EXPECT_EQ(requests_of_a_read(), 302U);
}

TEST_F(McDriverTest, ADeviceWithoutRandomReadsIsReadInBatches) {
    std::vector<PointConfig> points;
    for (unsigned i = 0; i < 20; ++i) points.push_back(point(fmt::format("D{}", i * 100)));
    set_faults({.no_random = true});
    connect_to(points);
    EXPECT_EQ(requests_of_a_read(), 21U);
    EXPECT_EQ(good(), 20U);
    EXPECT_EQ(requests_of_a_read(), 20U);  // remembered
    set_faults({});
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    EXPECT_EQ(requests_of_a_read(), 1U);  // another connection, another chance
}

TEST_F(McDriverTest, AnySubsetOfPointsInAnyOrder) {
    connect_to(row("D", 30000, 300));
    const std::vector<std::uint32_t> due{299, 0, 150};
    SampleBatch out(1);  // appended to, not overwritten
    ASSERT_TRUE(driver_->read(due, out));
    ASSERT_EQ(out.size(), 4U);
    for (std::size_t i = 0; i < due.size(); ++i) {
        EXPECT_EQ(out[i + 1].point, 100 + due[i]);
        EXPECT_EQ(out[i + 1].quality, Quality::kGood);
    }
}

TEST_F(McDriverTest, FxCountersAre32BitsWideFrom200On) {
    simulator_.set("CN", 199, {1234}, 1);
    connect_to({point("CN199", "int16"), point("CN200", "int32"), point("CN210", "uint32"),
                point("Y7", "bool"), point("Y10", "bool")},
               {{"frame", "1E"}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 5U);
    EXPECT_EQ(samples_[0].value, Value{std::int64_t{1234}});
    EXPECT_GE(std::get<std::int64_t>(samples_[1].value), 20'000'000);
    EXPECT_GE(std::get<std::uint64_t>(samples_[2].value), 21'000'000U);
    EXPECT_EQ(driver_->stats().requests, 3U);  // CN below 200, CN above, Y
}

// --- refusals
// -----------------------------------------------------------------------------------------------

class RefusalTest : public McDriverTest, public testing::WithParamInterface<const char*> {};

TEST_P(RefusalTest, OneIllegalWordCostsNoOtherPoint) {
    set_faults({});
    connect_to(row("D", 30000, 60), {{"frame", GetParam()}});
    set_faults({.illegal = {{simulator::mc::kD, 30040, 30040}}});
    for (int scan = 0; scan < 3; ++scan) {
        ASSERT_TRUE(read());
        EXPECT_EQ(good(), 59U);
        EXPECT_EQ(samples_[40].code, QualityCode::kIllegalAddress);
        EXPECT_EQ(samples_[40].value, Value{});
    }
    // The search is done once; later scans take one request on each side, or one random read for both.
    EXPECT_LE(requests_of_a_read(), 2U);
}

TEST_P(RefusalTest, OneIllegalBitCostsNoOtherPoint) {
    connect_to(row("M", 1000, 200, "bool"), {{"frame", GetParam()}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 200U);
    set_faults({.illegal = {{0x90, 1077, 1077}}});
    for (int scan = 0; scan < 3; ++scan) {
        ASSERT_TRUE(read());
        EXPECT_EQ(good(), 199U);
        EXPECT_EQ(samples_[77].code, QualityCode::kIllegalAddress);
    }
    EXPECT_LE(requests_of_a_read(), 3U);
}

TEST_P(RefusalTest, BitsNobodyAskedForDoNotSpoilThoseBesideThem) {
    set_faults({});
    connect_to(row("M", 1003, 10, "bool"), {{"frame", GetParam()}});
    set_faults({.illegal = {{0x90, 1000, 1002}, {0x90, 1013, 1030}}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 10U);
    EXPECT_EQ(requests_of_a_read(), 1U);
    EXPECT_EQ(good(), 10U);
}

TEST_P(RefusalTest, AnIllegalAddressIsTriedAgainAndComesBack) {
    connect_to(row("D", 30000, 10), {{"frame", GetParam()}, {"illegal_retry_s", "1"}});
    set_faults({.illegal = {{simulator::mc::kD, 30003, 30004}}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 8U);
    set_faults({});
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (good() < 10) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        ASSERT_TRUE(read());
    }
    ASSERT_TRUE(read());
    EXPECT_EQ(requests_of_a_read(), 1U);  // coalesced as ever
}

TEST_P(RefusalTest, AnUnmappedGapIsLearntAndSteppedAround) {
    auto points = row("D", 100, 5);
    for (auto& more : row("D", 115, 5)) points.push_back(more);
    connect_to(points, {{"frame", GetParam()}});
    set_faults({.illegal = {{simulator::mc::kD, 107, 107}}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 10U);
    EXPECT_LE(requests_of_a_read(), 2U);
    EXPECT_EQ(good(), 10U);
}

TEST_P(RefusalTest, ADeviceThatTakesFewPointsAtOnceLosesNone) {
    connect_to(row("D", 30000, 60), {{"frame", GetParam()}});
    set_faults({.max_points = 20});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 60U);
}

TEST_P(RefusalTest, ManyIllegalAddressesAreFoundOverSeveralReads) {
    auto points = row("D", 30000, 600);
    points.push_back(point("D30700"));
    connect_to(points, {{"frame", GetParam()}});
    set_faults({.illegal = {{simulator::mc::kD, 30000, 30599}}});
    std::uint64_t last = 0;
    for (int scan = 0; scan < 20; ++scan) {
        last = requests_of_a_read();
        EXPECT_LE(last, kSearchRequestsPerRead + kProbesPerRead + 40U);
        EXPECT_EQ(samples_[0].code, QualityCode::kIllegalAddress);
        EXPECT_EQ(samples_[599].code, QualityCode::kIllegalAddress);
    }
    EXPECT_EQ(good(), 1U);
    EXPECT_EQ(last, 1U);
}

TEST_P(RefusalTest, BeingBusyIsToldAndLeavesTheConnection) {
    const bool one_e = std::string_view{GetParam()} == "1E";
    connect_to(row("D", 0, 2), {{"frame", GetParam()}});
    set_faults({.end_code = static_cast<std::uint16_t>(one_e ? 0x60 : 0xCEE0)});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[0].code, QualityCode::kTimeout);
    EXPECT_EQ(driver_->stats().exceptions, 1U);
    const auto& text = driver_->stats().last_refusal;
    EXPECT_EQ(
        text,
        fmt::format("mc 127.0.0.1:{}: read 2 words from D0: the device answers {}", simulator_.port(device_),
                    one_e ? "60 (the monitoring timer ran out before the CPU answered); raise "
                            "monitoring_timer_ms, or read less often"
                          : "CEE0 (the device is busy with another request); read less often, or use "
                            "fewer connections"));
    set_faults({});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 2U);
    EXPECT_TRUE(driver_->stats().last_refusal.empty());
    EXPECT_EQ(simulator_.counters(device_).accepted, 1U);
}

TEST_P(RefusalTest, AnUnknownCommandMarksItsPointsWithoutASearch) {
    const bool one_e = std::string_view{GetParam()} == "1E";
    connect_to(row("D", 0, 50), {{"frame", GetParam()}});
    set_faults({.end_code = static_cast<std::uint16_t>(one_e ? 0x50 : 0xC059)});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[30].code, QualityCode::kIllegalAddress);
    EXPECT_LE(driver_->stats().requests, 1U + kProbesPerRead);
}

TEST_P(RefusalTest, ACpuThatCannotBeReachedIsDisconnected) {
    const bool one_e = std::string_view{GetParam()} == "1E";
    connect_to(row("D", 0, 5), {{"frame", GetParam()}});
    set_faults({.end_code = static_cast<std::uint16_t>(one_e ? 0x105B : 0xC05F)});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[0].code, QualityCode::kDisconnected);
    set_faults({});
    ASSERT_TRUE(read());  // the zero byte behind an abnormal code does not disturb
    EXPECT_EQ(good(), 5U);
}

INSTANTIATE_TEST_SUITE_P(Frames, RefusalTest, testing::Values("3E", "4E", "1E"),
                         [](const auto& frame) { return std::string{"f"} + frame.param; });

TEST_F(McDriverTest, AnIllegalAddressAmongScatteredOnesIsBadAlone) {
    std::vector<PointConfig> points;
    for (unsigned i = 0; i < 100; ++i) points.push_back(point(fmt::format("D{}", i * 100)));
    connect_to(points);
    set_faults({.illegal = {{simulator::mc::kD, 5000, 5000}}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 99U);
    EXPECT_EQ(samples_[50].code, QualityCode::kIllegalAddress);
    EXPECT_EQ(requests_of_a_read(), 1U);  // the others share one random read again
    EXPECT_EQ(good(), 99U);
}

// --- bad configuration
// --------------------------------------------------------------------------------------

TEST(McConfiguration, WhatDoesNotParseIsRefusedBeforeAnyNetwork) {
    const auto refused = [](Options options, PointConfig extra, std::string_view says) {
        DeviceConfig config;
        config.device_code = "PRESS_1";
        config.protocol = Protocol::kMitsubishiMc;
        config.address = "127.0.0.1:5007";
        config.options = std::move(options);
        config.points = {point("D0"), std::move(extra)};
        const auto made = make_driver(config);
        ASSERT_FALSE(made) << says;
        EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_NE(made.error().message.find("PRESS_1"), std::string::npos) << made.error().message;
        EXPECT_NE(made.error().message.find(says), std::string::npos) << made.error().message;
    };
    refused({{"colour", "red"}}, point("D1"), "colour");
    refused({{"frame", "5E"}}, point("D1"), "3E|4E|1E");
    refused({}, point("Q1"), "point Q1");
    refused({}, point("D1", "bool"), "needs its bit");
    refused({{"frame", "1E"}, {"series", "iqr"}}, point("D1"), "1E frames are for");
    refused({{"series", "a"}}, point("D1"), "1E frames only");
    refused({{"max_words", "10"}}, point("D1", "string(250)"), "max_words");
    refused({{"frame", "1E"}}, point("D1", "string(250)"), "takes 125 words");
    refused({{"series", "fx"}, {"encoding", "ascii"}}, point("X10", "bool"), "not certain");
    refused({{"frame", "1E"}}, point("X8", "bool"), "octal");
    refused({{"monitoring_timer_ms", "-1"}}, point("D1"), "monitoring_timer_ms");
}

}  // namespace
}  // namespace fieldwarden::worker::mc
