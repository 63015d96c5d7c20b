// Writing over every transport: what the device holds afterwards, and what it refuses.
#include <future>
#include <thread>

#include "tests/unit/acquisition/modbus_transports.h"
#include "worker/encode.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using simulator::modbus::ReplyFault;

class ModbusWriteTest : public testing::TestWithParam<Transport> {
  protected:
    void use(std::vector<PointConfig> points, Options options = {}) {
        client_.emplace(device_.config(std::move(points), std::move(options)));
        client_->connect();
    }
    Status write(std::uint32_t point, const Value& value) { return client_->driver->write(point, value); }
    void expect_written(std::uint32_t point, const Value& value) {
        const auto status = write(point, value);
        ASSERT_TRUE(status) << status.error().message;
    }
    // Refused for good; the connection goes on.
    void expect_refused(std::uint32_t point, const Value& value, std::string_view says) {
        const auto status = write(point, value);
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument) << status.error().message;
        EXPECT_NE(status.error().message.find(says), std::string::npos) << status.error().message;
        EXPECT_TRUE(client_->read());
    }
    std::optional<std::uint16_t> holding(std::uint16_t offset) {
        return device_->pinned(ModbusArea::kHoldingRegister, offset);
    }
    std::uint64_t requests() { return device_->counters().requests; }

    SimulatedModbus device_{GetParam()};
    std::optional<ModbusClient> client_;
};

TEST_P(ModbusWriteTest, EveryTypeInEveryOrderIsReadBack) {
    const std::pair<const char*, Value> values[] = {
        {"int16", std::int64_t{-1234}},
        {"uint16", std::uint64_t{54321}},
        {"int32", std::int64_t{-123456789}},
        {"uint32", std::uint64_t{0xFEDCBA98}},
        {"int64", std::int64_t{-1234567890123456789}},
        {"uint64", std::uint64_t{0xFEDCBA9876543210}},
        {"float32", 12.25},
        {"float64", -1.0e-300},
        {"bcd16", std::uint64_t{9876}},
        {"bcd32", std::uint64_t{12345678}},
        {"string(7)", std::string{"Pump 7"}},
        {"string(40)", std::string{"\xE6\xB5\x8B\xE8\xAF\x95"}},
    };
    std::vector<PointConfig> points;
    std::vector<Value> wanted;
    for (const auto order : {ByteOrder::kAbcd, ByteOrder::kDcba, ByteOrder::kBadc, ByteOrder::kCdab}) {
        for (const auto& [type, value] : values) {
            points.push_back(modbus_point(fmt::format("hr:{}", 1000 + 32 * points.size()), type, order));
            wanted.push_back(value);
        }
    }
    use(points);
    for (std::uint32_t i = 0; i < wanted.size(); ++i) expect_written(i, wanted[i]);
    ASSERT_TRUE(client_->read());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        EXPECT_EQ(client_->samples[i].quality, Quality::kGood);
        EXPECT_EQ(client_->samples[i].value, wanted[i])
            << format_data_type(points[i].data_type) << ' ' << to_name(points[i].byte_order);
    }
}

TEST_P(ModbusWriteTest, ASingleRegisterTouchesNoOther) {
    device_->pin(ModbusArea::kHoldingRegister, 9, {1, 2, 3});
    use({modbus_point("hr:10")});
    expect_written(0, std::uint64_t{7});
    EXPECT_EQ(holding(9), 1);
    EXPECT_EQ(holding(10), 7);
    EXPECT_EQ(holding(11), 3);
    EXPECT_EQ(requests(), 1U);
}

TEST_P(ModbusWriteTest, Coils) {
    use({modbus_point("co:5", "bool"), modbus_point("co:65535", "bool")});
    for (const bool on : {true, false, true}) {
        expect_written(0, on);
        expect_written(1, !on);
        EXPECT_EQ(device_->pinned(ModbusArea::kCoil, 5), on ? 1 : 0);
        EXPECT_EQ(device_->pinned(ModbusArea::kCoil, 65535), on ? 0 : 1);
    }
}

TEST_P(ModbusWriteTest, ADeviceWithoutSingleWritesTakesSeveralOfOne) {
    device_->set_faults({.no_functions = {5, 6}});
    use({modbus_point("hr:10"), modbus_point("co:5", "bool")});
    expect_written(0, std::uint64_t{7});
    expect_written(1, true);
    EXPECT_EQ(holding(10), 7);
    EXPECT_EQ(device_->pinned(ModbusArea::kCoil, 5), 1);
    // What it lacks is remembered.
    const auto before = requests();
    expect_written(0, std::uint64_t{8});
    expect_written(1, false);
    EXPECT_EQ(requests() - before, 2U);
    EXPECT_EQ(holding(10), 8);
    EXPECT_EQ(device_->pinned(ModbusArea::kCoil, 5), 0);
}

TEST_P(ModbusWriteTest, ABitLeavesTheOthersOfItsRegister) {
    for (const bool mask_write : {true, false}) {
        device_->set_faults({});
        if (!mask_write) device_->set_faults({.no_functions = {22}});
        for (const auto order : {ByteOrder::kAbcd, ByteOrder::kDcba, ByteOrder::kBadc, ByteOrder::kCdab}) {
            std::vector<PointConfig> points;
            for (int bit = 0; bit < 16; ++bit)
                points.push_back(modbus_point(fmt::format("hr:10.{}", bit), "bool", order));
            use(points);
            for (std::uint32_t bit = 0; bit < 16; ++bit) {
                for (const bool on : {true, false}) {
                    device_->pin(ModbusArea::kHoldingRegister, 10, {0xA5C3});
                    ASSERT_TRUE(client_->read());
                    auto wanted = client_->samples;
                    expect_written(bit, on);
                    ASSERT_TRUE(client_->read());
                    for (std::uint32_t other = 0; other < 16; ++other) {
                        EXPECT_EQ(client_->samples[other].value,
                                  other == bit ? Value{on} : wanted[other].value);
                    }
                }
            }
        }
    }
}

TEST_P(ModbusWriteTest, InputsAreNotWritten) {
    use({modbus_point("ir:10"), modbus_point("di:5", "bool")});
    expect_refused(0, std::uint64_t{1}, "inputs cannot be written");
    expect_refused(1, true, "inputs cannot be written");
}

TEST_P(ModbusWriteTest, WhatDoesNotFitIsRefusedBeforeItIsSent) {
    use({modbus_point("hr:10"), modbus_point("hr:11.3", "bool"), modbus_point("hr:20", "string(248)")});
    expect_refused(0, std::uint64_t{65536}, "does not fit uint16");
    expect_refused(0, true, "does not fit uint16");
    expect_refused(1, std::uint64_t{1}, "not true or false");
    const auto before = requests();
    expect_refused(2, std::string{"x"}, "at most 123 registers");
    EXPECT_EQ(requests() - before, 2U);  // both of the read behind it
}

TEST_P(ModbusWriteTest, ARefusalIsTheDevicesOwnText) {
    device_->set_faults({.illegal = {{ModbusArea::kHoldingRegister, 10, 10}}});
    use({modbus_point("hr:10"), modbus_point("hr:12", "float32")});
    expect_refused(0, std::uint64_t{1},
                   "unit 1: write holding 10..10: the device answers exception 2 (illegal data address)");
    device_->set_faults({.no_functions = {16}});
    expect_refused(1, 1.5, "exception 1 (illegal function)");
    device_->set_faults({.exception = 6});
    const auto before = client_->driver->stats().exceptions;
    const auto status = write(0, std::uint64_t{1});
    EXPECT_EQ(client_->driver->stats().exceptions - before, 1U);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(status.error().message.find("busy"), std::string::npos);
}

TEST_P(ModbusWriteTest, NoAnswerMeansNobodyKnows) {
    use({modbus_point("hr:10")});
    device_->set_faults({.reply = ReplyFault::kSilent});
    const auto status = write(0, std::uint64_t{1});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
    EXPECT_NE(status.error().message.find("timed out after 300 ms; whether the device took the value is not "
                                          "known"),
              std::string::npos)
        << status.error().message;
    EXPECT_EQ(client_->driver->stats().timeouts, 1U);
    device_->set_faults({});
    client_->driver->disconnect();
    client_->connect();
    expect_written(0, std::uint64_t{2});
    EXPECT_EQ(holding(10), 2);
}

TEST_P(ModbusWriteTest, AWrongRepeatIsNoSuccess) {
    use({modbus_point("hr:10")});
    for (const auto fault : {ReplyFault::kWrongUnit, ReplyFault::kWrongFunction, ReplyFault::kTruncate,
                             ReplyFault::kOversizeCount, ReplyFault::kHalfThenClose, ReplyFault::kDrop}) {
        // The repeat holds 000A 0001: a count of FF makes it another offset.
        device_->set_faults({.reply = fault});
        const auto status = write(0, std::uint64_t{1});
        EXPECT_FALSE(status) << to_name(fault);
        device_->set_faults({});
        if (GetParam() == Transport::kSerial &&
            (fault == ReplyFault::kHalfThenClose || fault == ReplyFault::kDrop)) {
            // The line is gone with it.
            device_->set_faults({.unplugged = true});
            device_->set_faults({});
        }
        client_->driver->disconnect();
        client_->connect();
    }
}

TEST_P(ModbusWriteTest, InterruptEndsAWriteThatWaits) {
    use({modbus_point("hr:10")}, {{"timeout_ms", "600000"}});
    device_->set_faults({.reply = ReplyFault::kSilent});
    const auto before = client_->driver->stats().requests;
    auto blocked = std::async(std::launch::async, [&] { return write(0, std::uint64_t{1}); });
    while (requests() == before) std::this_thread::yield();
    client_->driver->interrupt();
    ASSERT_EQ(blocked.wait_for(20s), std::future_status::ready);
    EXPECT_FALSE(blocked.get());
    EXPECT_FALSE(write(0, std::uint64_t{1}));
}

TEST_P(ModbusWriteTest, WritingUnconnectedIsAnError) {
    use({modbus_point("hr:10")});
    client_->driver->disconnect();
    const auto status = write(0, std::uint64_t{1});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
    // Nothing was sent: there is no doubt about it.
    EXPECT_EQ(status.error().message.find("not known"), std::string::npos) << status.error().message;
}

INSTANTIATE_TEST_SUITE_P(Transports, ModbusWriteTest,
                         testing::Values(Transport::kTcp, Transport::kRtuTcp, Transport::kSerial),
                         testing::PrintToStringParamName());

}  // namespace
}  // namespace fieldwarden::worker
