#include "worker/probe.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/simulator/modbus/modbus_simulator.h"

namespace fieldwarden::worker {
namespace {

using proto::ErrorCategory;
using simulator::modbus::ReplyFault;

class ProbeTest : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(simulator_.start());
        device_.device_code = "PRESS_1";
        device_.address = fmt::format("127.0.0.1:{}", simulator_.port());
        device_.options["timeout_ms"] = "500";
    }
    void add_point(std::string address) {
        PointConfig point;
        point.point_code = "P1";
        point.address = std::move(address);
        point.data_type = {BaseType::kUint16, 0};
        device_.points.push_back(point);
    }
    void expect_failure(std::string_view says, ErrorCategory category) {
        const auto result = test_connection(device_, system_clock());
        EXPECT_FALSE(result.ok);
        EXPECT_NE(result.detail.find(says), std::string::npos) << result.detail;
        EXPECT_EQ(result.error_category, category);
    }
    simulator::modbus::ModbusSimulator simulator_;
    DeviceConfig device_;
};

TEST_F(ProbeTest, ReadsTheFirstPoint) {
    add_point("hr:30000");
    const auto result = test_connection(device_, system_clock());
    EXPECT_TRUE(result.ok) << result.detail;
    EXPECT_FALSE(result.error_category);
    EXPECT_GT(result.latency_ms, 0);
    EXPECT_NE(result.detail.find("P1 (hr:30000)"), std::string::npos) << result.detail;
    EXPECT_EQ(simulator_.counters().requests, 1U);
}

TEST_F(ProbeTest, ADeviceWithoutPointsIsAskedForItsFirstHoldingRegister) {
    EXPECT_TRUE(test_connection(device_, system_clock()).ok);
    // That it has no such register is an answer all the same.
    simulator_.set_faults({.illegal = {{ModbusArea::kHoldingRegister, 0, 100}}});
    const auto result = test_connection(device_, system_clock());
    EXPECT_TRUE(result.ok) << result.detail;
}

TEST_F(ProbeTest, SaysWhichStepFailed) {
    add_point("hr:30000");
    simulator_.set_faults({.reply = ReplyFault::kSilent});
    expect_failure("the connection opens, but reading failed", ErrorCategory::kConnectionError);
    expect_failure("check the unit id", ErrorCategory::kConnectionError);
    simulator_.set_faults({.unplugged = true});
    expect_failure("connecting failed", ErrorCategory::kConnectionError);
    device_.address = "no-such-host.invalid:502";
    expect_failure("looking up the host name failed", ErrorCategory::kConnectionError);
}

TEST_F(ProbeTest, AnIllegalPointIsTheAddresssFault) {
    add_point("hr:30000");
    simulator_.set_faults({.illegal = {{ModbusArea::kHoldingRegister, 30000, 30000}}});
    expect_failure("the device answers, but reading P1 (hr:30000) is bad (illegal_address)",
                   ErrorCategory::kDataCollectionError);
}

TEST_F(ProbeTest, BadConfigurationIsSaidWithoutTouchingTheNetwork) {
    add_point("nowhere:1");
    expect_failure("nowhere:1", ErrorCategory::kConfigurationError);
    EXPECT_EQ(simulator_.counters().accepted, 0U);
}

}  // namespace
}  // namespace fieldwarden::worker
