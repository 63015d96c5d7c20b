// McDriver::write in every frame kind.
#include "tests/unit/mc/driver_fixture.h"

namespace fieldwarden::worker::mc {
namespace {

using simulator::ReplyFault;

class WriteTest : public McDriverTest,
                  public testing::WithParamInterface<std::pair<const char*, const char*>> {
  protected:
    Options options() const { return {{"frame", GetParam().first}, {"encoding", GetParam().second}}; }
};

TEST_P(WriteTest, WhatIsWrittenIsReadBack) {
    const std::vector<std::pair<PointConfig, Value>> cases{
        {point("D100", "int16"), std::int64_t{-5}},
        {point("D101", "uint16"), std::uint64_t{65535}},
        {point("D102", "float32"), -12.5},
        {point("D104", "int32", ByteOrder::kCdab), std::int64_t{-123456}},
        {point("D106", "float64"), 2.5e-7},
        {point("D110", "int64"), std::int64_t{-1234567890123}},
        {point("D114", "bcd32"), std::uint64_t{12345678}},
        {point("D116", "string(7)"), std::string{"Motor 7"}},
        {point("M7", "bool"), true},
        {point("M8", "bool"), false},
        {point("M20", "uint16"), std::uint64_t{0xA5C3}},
        {point("Y5", "bool"), true},
        {point("R9", "uint32"), std::uint64_t{0xDEADBEEF}},
        {point("TN3", "uint16"), std::uint64_t{500}},
    };
    std::vector<PointConfig> points;
    for (const auto& [config, value] : cases) points.push_back(config);
    connect_to(points, options());
    for (std::uint32_t i = 0; i < cases.size(); ++i) {
        const auto status = driver_->write(i, cases[i].second);
        ASSERT_TRUE(status) << status.error().message;
    }
    ASSERT_TRUE(read());
    for (std::size_t i = 0; i < cases.size(); ++i)
        EXPECT_EQ(samples_[i].value, cases[i].second) << config_.points[i].address;
    EXPECT_EQ(simulator_.get("D", 102, device_), 0x0000);
    EXPECT_EQ(simulator_.get("D", 103, device_), 0xC148);  // the low word first
    EXPECT_EQ(simulator_.get("D", 116, device_), 0x6F4D);  // "Mo", the first letter low
}

TEST_P(WriteTest, WritingBesideOtherBitsLeavesThemAlone) {
    simulator_.set("M", 96, std::vector<std::uint16_t>(32, 1), 0);
    simulator_.set("M", 96, std::vector<std::uint16_t>(32, 1), 1);
    connect_to({point("M100", "uint16"), point("M120", "bool")}, options());
    ASSERT_TRUE(driver_->write(0, std::uint64_t{0}));
    ASSERT_TRUE(driver_->write(1, false));
    for (std::uint32_t i = 96; i < 128; ++i)
        EXPECT_EQ(simulator_.get("M", i, device_), (i >= 100 && i < 116) || i == 120 ? 0 : 1) << i;
}

TEST_P(WriteTest, WhatCannotBeWrittenIsRefusedAndTheConnectionStays) {
    connect_to({point("X1", "bool"), point("D0.3", "bool"), point("D1"), point("D60")}, options());
    const auto refused = [&](std::uint32_t index, const Value& value, std::string_view says) {
        const auto status = driver_->write(index, value);
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_NE(status.error().message.find(says), std::string::npos) << status.error().message;
    };
    refused(0, true, "an input cannot be written");
    refused(1, true, "one bit of a word");
    refused(2, std::string{"x"}, "whole number");
    refused(2, std::uint64_t{70000}, "between 0 and 65535");
    EXPECT_EQ(driver_->stats().requests, 0U);
    set_faults({.illegal = {{simulator::mc::kD, 60, 60}}});
    refused(3, std::uint64_t{1}, "write D60: the device answers");
    EXPECT_EQ(driver_->stats().exceptions, 1U);
    set_faults({.end_code = 0x55});
    refused(3, std::uint64_t{1}, "allow online change");
    set_faults({});
    ASSERT_TRUE(driver_->write(3, std::uint64_t{77}));
    EXPECT_EQ(simulator_.get("D", 60, device_), 77);
    EXPECT_EQ(simulator_.counters(device_).accepted, 1U);
}

TEST_P(WriteTest, NoAnswerOrAWrongOneIsAnErrorOfTheConnection) {
    auto given = options();
    given["timeout_ms"] = "200";
    connect_to({point("D100")}, given);
    set_faults({.reply = ReplyFault::kSilent});
    auto status = driver_->write(0, std::uint64_t{1});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
    EXPECT_NE(status.error().message.find("write 1 words to D100 timed out"), std::string::npos)
        << status.error().message;
    set_faults({.reply = ReplyFault::kHalfThenClose});
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    status = driver_->write(0, std::uint64_t{1});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable) << status.error().message;
    driver_->disconnect();
    EXPECT_FALSE(driver_->write(0, std::uint64_t{1}));
}

INSTANTIATE_TEST_SUITE_P(Frames, WriteTest,
                         testing::Values(std::pair{"3E", "binary"}, std::pair{"3E", "ascii"},
                                         std::pair{"4E", "binary"}, std::pair{"4E", "ascii"},
                                         std::pair{"1E", "binary"}, std::pair{"1E", "ascii"}),
                         [](const auto& kind) {
                             return fmt::format("f{}_{}", kind.param.first, kind.param.second);
                         });

TEST_F(McDriverTest, FxCountersAreWrittenWhole) {
    connect_to({point("CN210", "int32")}, {{"frame", "1E"}});
    ASSERT_TRUE(driver_->write(0, std::int64_t{-70000}));
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[0].value, Value{std::int64_t{-70000}});
}

}  // namespace
}  // namespace fieldwarden::worker::mc
