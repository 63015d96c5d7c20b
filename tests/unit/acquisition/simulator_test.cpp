// The simulator's pure parts: frames, commands, signals. Its server is tested through every client of it.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <set>

#include "tests/simulator/modbus/device_model.h"
#include "tests/simulator/modbus/signals.h"

namespace fieldwarden::simulator::modbus {
namespace {

using Bytes8 = std::vector<std::uint8_t>;

Bytes8 request(std::uint8_t function, std::uint16_t offset, std::uint16_t count, std::uint8_t unit = 1) {
    return {0x12,
            0x34,
            0,
            0,
            0,
            6,
            unit,
            function,
            static_cast<std::uint8_t>(offset >> 8),
            static_cast<std::uint8_t>(offset),
            static_cast<std::uint8_t>(count >> 8),
            static_cast<std::uint8_t>(count)};
}

TEST(ParseRequest, TakesOneRequestAtATime) {
    auto bytes = request(3, 0x6B, 3);
    const auto more = request(1, 19, 37);
    bytes.insert(bytes.end(), more.begin(), more.end());
    const auto first = parse_request(bytes);
    ASSERT_EQ(first.kind, Parsed::Kind::kRequest);
    EXPECT_EQ(first.consumed, 12U);
    EXPECT_EQ(first.request.transaction, 0x1234);
    EXPECT_EQ(first.request.area, ModbusArea::kHoldingRegister);
    EXPECT_EQ(first.request.offset, 0x6B);
    EXPECT_EQ(first.request.count, 3);
    EXPECT_FALSE(first.request.exception);
    EXPECT_EQ(parse_request(std::span{bytes}.subspan(12)).request.area, ModbusArea::kCoil);
}

TEST(ParseRequest, EveryPrefixIsIncomplete) {
    const auto bytes = request(4, 0, 1);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_EQ(parse_request(std::span{bytes}.first(size)).kind, Parsed::Kind::kIncomplete) << size;
}

TEST(ParseRequest, WhatIsNotModbusClosesTheConnection) {
    auto bytes = request(3, 0, 1);
    bytes[3] = 1;
    EXPECT_EQ(parse_request(bytes).kind, Parsed::Kind::kNotModbus);
    for (const int length : {0, 1, 255, 65535}) {
        bytes = request(3, 0, 1);
        bytes[4] = static_cast<std::uint8_t>(length >> 8);
        bytes[5] = static_cast<std::uint8_t>(length);
        EXPECT_EQ(parse_request(bytes).kind, Parsed::Kind::kNotModbus) << length;
    }
}

TEST(ParseRequest, WrongFunctionAndQuantityAreExceptions) {
    EXPECT_EQ(parse_request(request(7, 0, 1)).request.exception, 1);
    EXPECT_EQ(parse_request(request(5, 0, 1)).request.exception, 3);  // neither 0000 nor FF00
    EXPECT_EQ(parse_request(request(3, 0, 0)).request.exception, 3);
    EXPECT_EQ(parse_request(request(3, 0, 126)).request.exception, 3);
    EXPECT_FALSE(parse_request(request(3, 0, 125)).request.exception);
    EXPECT_EQ(parse_request(request(1, 0, 2001)).request.exception, 3);
    EXPECT_FALSE(parse_request(request(2, 0, 2000)).request.exception);
}

Bytes8 answer(DeviceModel& model, const Bytes8& bytes, double seconds = 0) {
    Answer out;
    model.handle(parse_request(bytes).request, seconds, out);
    return out.bytes;
}

TEST(DeviceModelTest, AnswersAsTheStandardSays) {
    DeviceModel model{{}, 65536, false};
    model.pin(ModbusArea::kHoldingRegister, 0x6B, {0x022B, 0x0000, 0x0064});  // V1.1b3, 6.3
    EXPECT_EQ(answer(model, request(3, 0x6B, 3)),
              (Bytes8{0x12, 0x34, 0, 0, 0, 9, 1, 3, 6, 0x02, 0x2B, 0x00, 0x00, 0x00, 0x64}));
    model.pin(ModbusArea::kCoil, 19, {1, 0, 1, 1, 0, 0, 1, 1, 1, 1});  // V1.1b3, 6.1: CD …, LSB first
    EXPECT_EQ(answer(model, request(1, 19, 10)), (Bytes8{0x12, 0x34, 0, 0, 0, 5, 1, 1, 2, 0xCD, 0x03}));
}

// A request around `pdu`, which is everything behind the unit id.
Bytes8 around(const Bytes8& pdu) {
    Bytes8 bytes{0x12, 0x34, 0, 0, 0, static_cast<std::uint8_t>(pdu.size() + 1), 1};
    bytes.insert(bytes.end(), pdu.begin(), pdu.end());
    return bytes;
}

// V1.1b3, 6.5, 6.6, 6.11, 6.12 and 6.16.
TEST(DeviceModelTest, TakesWritesAsTheStandardSays) {
    DeviceModel model{{}, 65536, false};
    EXPECT_EQ(answer(model, around({5, 0, 0xAC, 0xFF, 0})), around({5, 0, 0xAC, 0xFF, 0}));
    EXPECT_EQ(model.pinned(ModbusArea::kCoil, 0xAC), 1);
    EXPECT_EQ(answer(model, around({6, 0, 1, 0, 3})), around({6, 0, 1, 0, 3}));
    EXPECT_EQ(model.pinned(ModbusArea::kHoldingRegister, 1), 3);
    EXPECT_EQ(answer(model, around({15, 0, 0x13, 0, 10, 2, 0xCD, 1})), around({15, 0, 0x13, 0, 10}));
    const std::vector<std::uint16_t> coils{1, 0, 1, 1, 0, 0, 1, 1, 1, 0};
    for (std::uint16_t i = 0; i < coils.size(); ++i)
        EXPECT_EQ(model.pinned(ModbusArea::kCoil, static_cast<std::uint16_t>(0x13 + i)), coils[i]);
    EXPECT_EQ(answer(model, around({16, 0, 1, 0, 2, 4, 0, 0x0A, 1, 2})), around({16, 0, 1, 0, 2}));
    EXPECT_EQ(model.pinned(ModbusArea::kHoldingRegister, 1), 0x000A);
    EXPECT_EQ(model.pinned(ModbusArea::kHoldingRegister, 2), 0x0102);
    model.pin(ModbusArea::kHoldingRegister, 4, {0x12});
    EXPECT_EQ(answer(model, around({22, 0, 4, 0, 0xF2, 0, 0x25})), around({22, 0, 4, 0, 0xF2, 0, 0x25}));
    EXPECT_EQ(model.pinned(ModbusArea::kHoldingRegister, 4), 0x17);
}

TEST(DeviceModelTest, RefusesWrongWrites) {
    DeviceModel model{{}, 100, false};
    const auto exception = [&](const Bytes8& pdu) { return answer(model, around(pdu))[8]; };
    EXPECT_EQ(exception({5, 0, 1, 0x12, 0x34}), 3);
    EXPECT_EQ(exception({6, 0, 100, 0, 1}), 2);
    EXPECT_EQ(exception({16, 0, 1, 0, 2, 3, 0, 1, 0}), 3);
    EXPECT_EQ(exception({16, 0, 1, 0, 2, 4, 0, 1}), 3);
    EXPECT_EQ(exception({16, 0, 1, 0, 0, 0}), 3);
    EXPECT_EQ(exception({15, 0, 1, 0, 9, 1, 0xFF}), 3);
    EXPECT_EQ(exception({22, 0, 1, 0, 1}), 3);
    EXPECT_EQ(exception({8, 0, 0, 1, 2}), 1);  // of serial lines alone
    model.faults.no_functions = {6};
    EXPECT_EQ(exception({6, 0, 1, 0, 1}), 1);
}

TEST(DeviceModelTest, OnALineOnlyItsOwnUnitsAnswer) {
    DeviceModel model{{1}, 100, false};
    const auto said = [&](Bytes8 frame) {
        const auto checksum = rtu_checksum(frame);
        frame.push_back(static_cast<std::uint8_t>(checksum));
        frame.push_back(static_cast<std::uint8_t>(checksum >> 8));
        Answer out;
        const auto parsed = parse_request(frame, Framing::kRtu);
        EXPECT_EQ(parsed.kind, Parsed::Kind::kRequest);
        EXPECT_EQ(parsed.consumed, frame.size());
        model.handle(parsed.request, 0, out);
        return out.bytes;
    };
    EXPECT_EQ(said({1, 8, 0, 0, 0xA5, 0x37}), (Bytes8{1, 8, 0, 0, 0xA5, 0x37, 0xDA, 0x8D}));
    EXPECT_TRUE(said({2, 3, 0, 0, 0, 1}).empty());
    EXPECT_TRUE(said({0, 6, 0, 5, 0, 1}).empty());
    EXPECT_EQ(said({1, 3, 0, 0, 0, 0}).size(), 5U);
}

TEST(DeviceModelTest, RefusesWhatIsBeyondItsSizeAndUnits) {
    DeviceModel model{{1, 2}, 100, false};
    EXPECT_EQ(answer(model, request(3, 98, 2)).size(), 13U);
    EXPECT_EQ(answer(model, request(3, 99, 2)), (Bytes8{0x12, 0x34, 0, 0, 0, 3, 1, 0x83, 2}));
    EXPECT_EQ(answer(model, request(3, 65535, 125))[8], 2);
    EXPECT_EQ(answer(model, request(3, 0, 2, 7)), (Bytes8{0x12, 0x34, 0, 0, 0, 3, 7, 0x83, 11}));
}

TEST(DeviceModelTest, CounterCountsReadsThatCoverIt) {
    DeviceModel model{{}, 65536, false};
    const auto count = [&](std::uint8_t unit) { return answer(model, request(3, 0, 2, unit)).back(); };
    EXPECT_EQ(count(1), 1);
    EXPECT_EQ(count(1), 2);
    EXPECT_EQ(count(2), 1);
    answer(model, request(3, 0, 1));
    answer(model, request(3, 1, 2));
    EXPECT_EQ(count(1), 3);
}

TEST(DeviceModelTest, FaultsLastAsLongAsTheyAreTold) {
    DeviceModel model{{}, 65536, true};
    model.faults.reply = ReplyFault::kWrongUnit;
    model.faults.after = 1;
    model.faults.times = 2;
    const auto unit = [&] { return answer(model, request(3, 5, 1))[6]; };
    EXPECT_EQ(unit(), 1);
    EXPECT_EQ(unit(), 2);
    EXPECT_EQ(unit(), 2);
    EXPECT_EQ(unit(), 1);
}

TEST(DeviceModelTest, StaticValuesStandStillAndAgreeWithTimeZero) {
    DeviceModel model{{}, 65536, true};
    DeviceModel lively{{}, 65536, false};
    EXPECT_EQ(answer(model, request(3, 2, 120), 5), answer(model, request(3, 2, 120), 500));
    EXPECT_EQ(answer(model, request(3, 2, 120), 5), answer(lively, request(3, 2, 120), 0));
    EXPECT_NE(answer(lively, request(3, 2, 120), 5), answer(lively, request(3, 2, 120), 0));
}

TEST(Signals, FloatsArePlausibleAndLively) {
    for (std::uint16_t offset = 2; offset < 200; offset = static_cast<std::uint16_t>(offset + 2)) {
        std::set<float> seen;
        for (double seconds = 0; seconds < 100; seconds += 1) {
            const auto high = register_value(false, 1, offset, seconds);
            const auto low = register_value(false, 1, static_cast<std::uint16_t>(offset + 1), seconds);
            const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(high) << 16 |
                                                    static_cast<std::uint32_t>(low));
            ASSERT_TRUE(std::isfinite(value));
            ASSERT_GE(value, 0);
            ASSERT_LE(value, 300);
            seen.insert(value);
        }
        const bool constant = offset / 2 % 5 == 3;
        EXPECT_EQ(seen.size() == 1, constant) << offset;
    }
}

TEST(Commands, SetWhatTheyNameAndKeepTheRest) {
    Faults faults;
    parse_command(R"({"delay_ms":50,"illegal":["hr:10-20","40031"]})").value().apply(faults);
    parse_command(R"({"device":3,"reply":"truncate","times":2,"silent_units":[5]})").value().apply(faults);
    EXPECT_EQ(faults.delay, std::chrono::milliseconds{50});
    ASSERT_EQ(faults.illegal.size(), 2U);
    EXPECT_EQ(faults.illegal[0].last, 20);
    EXPECT_EQ(faults.illegal[1].first, 30);
    EXPECT_EQ(faults.reply, ReplyFault::kTruncate);
    EXPECT_EQ(faults.times, 2U);
    EXPECT_EQ(faults.silent_units, (std::vector<std::uint8_t>{5}));
    parse_command(R"({"clear":true,"unplugged":true})").value().apply(faults);
    EXPECT_EQ(faults.delay.count(), 0);
    EXPECT_TRUE(faults.unplugged);
}

TEST(Commands, NonsenseIsRefused) {
    for (const auto* line :
         {"", "x", "[]", "1", R"({"colour":1})", R"({"delay_ms":-1})", R"({"delay_ms":1e9})",
          R"({"delay_ms":"5"})", R"({"reply":"loud"})", R"({"reply":3})", R"({"illegal":"hr:1"})",
          R"({"illegal":["hr:20-10"]})", R"({"illegal":["hr:1-"]})", R"({"illegal":["hr:1.3"]})",
          R"({"silent_units":[256]})", R"({"device":-1})", R"({"unplugged":1})", "{\"device\":1"}) {
        EXPECT_FALSE(parse_command(line)) << line;
    }
    EXPECT_FALSE(parse_command(std::string(60'000, '[')));
}

}  // namespace
}  // namespace fieldwarden::simulator::modbus
