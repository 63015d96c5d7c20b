// The simulated PLC's own rules: limits, refusals, control commands.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/simulator/mc/device_model.h"
#include "tests/simulator/mc/mc_simulator.h"

namespace fieldwarden::simulator::mc {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets answer(DeviceModel& model, const Octets& bytes, bool port_1e = false) {
    const auto parsed = parse_request(bytes, port_1e);
    EXPECT_EQ(parsed.kind, Parsed::Kind::kRequest);
    Answer out;
    model.handle(parsed.request, 0, out);
    return out.bytes;
}

Octets request_3e(const Octets& text) {
    Octets out{0x50, 0, 0, 0xFF, 0xFF, 3, 0, static_cast<std::uint8_t>(text.size() + 2), 0, 0, 0};
    out.insert(out.end(), text.begin(), text.end());
    return out;
}

int end_code(const Octets& bytes) {
    return bytes[9] + bytes[10] * 256;
}

TEST(McDeviceModel, RefusesWhatTheManualsForbid) {
    DeviceModel model{10'000, false};
    const auto code = [&](const Octets& text) { return end_code(answer(model, request_3e(text))); };
    EXPECT_EQ(code({1, 4, 0, 0, 0, 0, 0, 0xA8, 0xC0, 3}), 0);             // 960 words
    EXPECT_EQ(code({1, 4, 0, 0, 0, 0, 0, 0xA8, 0xC1, 3}), 0xC051);        // 961
    EXPECT_EQ(code({1, 4, 0, 0, 0, 0, 0, 0xA8, 0, 0}), 0xC051);           // none
    EXPECT_EQ(code({1, 4, 0, 0, 0x0F, 0x27, 0, 0xA8, 2, 0}), 0xC056);     // D9999, 2 words
    EXPECT_EQ(code({1, 4, 1, 0, 0, 0, 0, 0xA8, 1, 0}), 0xC05C);           // bits of D
    EXPECT_EQ(code({1, 4, 0, 0, 0, 0, 0, 0x77, 1, 0}), 0xC05B);           // no such device
    EXPECT_EQ(code({1, 4, 0, 0, 0, 0, 0, 0xC1, 1, 0}), 0xC05B);           // contacts in words
    EXPECT_EQ(code({6, 6, 0, 0}), 0xC059);                                // no such command
    EXPECT_EQ(code({1, 4, 9, 0, 0, 0, 0, 0xA8, 1, 0}), 0xC059);           // no such subcommand
    EXPECT_EQ(code({1, 4, 0, 0, 0, 0, 0, 0xA8, 1, 0, 0}), 0xC061);        // a byte too many
    EXPECT_EQ(code({1, 4, 0, 0, 0, 0, 0, 0xA8}), 0xC061);                 // too few
    EXPECT_EQ(code({1, 0x14, 1, 0, 0, 0, 0, 0x90, 1, 0, 0x20}), 0xC060);  // a bit that is 2
    EXPECT_EQ(code({3, 4, 0, 0, 1, 0, 0, 0, 0, 0xC1}), 0xC05B);           // contacts at random
}

TEST(McDeviceModel, RefusesIn1eWhatTheFxManualForbids) {
    DeviceModel model{10'000, false};
    const auto code = [&](std::uint8_t command, std::uint16_t head, std::uint8_t low, std::uint8_t high,
                          std::uint8_t points) {
        return int{answer(model,
                          {command, 0xFF, 0, 0, static_cast<std::uint8_t>(head),
                           static_cast<std::uint8_t>(head >> 8), 0, 0, low, high, points, 0},
                          true)[1]};
    };
    EXPECT_EQ(code(1, 0, 0x20, 0x44, 64), 0);  // 64 words of D
    EXPECT_EQ(code(1, 0, 0x20, 0x44, 65), 0x57);
    EXPECT_EQ(code(0, 0, 0x20, 0x4D, 0), 0);    // 256 bits of M
    EXPECT_EQ(code(1, 16, 0x20, 0x4D, 32), 0);  // 32 words of M
    EXPECT_EQ(code(1, 16, 0x20, 0x4D, 33), 0x57);
    EXPECT_EQ(code(1, 17, 0x20, 0x4D, 1), 0x58);   // not a multiple of 16
    EXPECT_EQ(code(0, 0, 0x20, 0x44, 1), 0x58);    // bits of D
    EXPECT_EQ(code(0, 0, 0x20, 0x51, 1), 0x56);    // no such device
    EXPECT_EQ(code(1, 199, 0x4E, 0x43, 2), 0x57);  // across C199 and C200
    EXPECT_EQ(code(1, 200, 0x4E, 0x43, 3), 0x57);  // half a counter
    EXPECT_EQ(code(1, 200, 0x4E, 0x43, 4), 0);
    EXPECT_EQ(code(1, 9999, 0x20, 0x44, 2), 0x57);
}

TEST(McDeviceModel, TheCounterCountsReadsThatCoverIt) {
    DeviceModel model{65536, false};
    const auto read = [&](std::uint8_t head, std::uint8_t points) {
        return answer(model, request_3e({1, 4, 0, 0, head, 0, 0, 0xA8, points, 0}))[11];
    };
    EXPECT_EQ(read(0, 2), 1);
    EXPECT_EQ(read(0, 2), 2);
    read(0, 1);
    read(1, 2);
    EXPECT_EQ(read(0, 100), 3);
}

TEST(McCommands, SetWhatTheyNameAndRefuseNonsense) {
    Faults faults;
    parse_command(R"({"delay_ms":50,"illegal":["D10-20","X1F","STN5"],"end_code":52961})")
        .value()
        .apply(faults);
    parse_command(R"({"device":3,"reply":"truncate","times":2,"max_points":7,"no_random":true})")
        .value()
        .apply(faults);
    EXPECT_EQ(faults.delay.count(), 50);
    ASSERT_EQ(faults.illegal.size(), 3U);
    EXPECT_EQ(faults.illegal[0].last, 20U);
    EXPECT_EQ(faults.illegal[1].first, 0x1FU);
    EXPECT_EQ(faults.illegal[2].code, 0xC8);
    EXPECT_EQ(faults.end_code, 0xCEE1);
    EXPECT_EQ(faults.reply, ReplyFault::kTruncate);
    EXPECT_EQ(faults.max_points, 7U);
    EXPECT_TRUE(faults.no_random);
    parse_command(R"({"clear":true})").value().apply(faults);
    EXPECT_TRUE(faults.illegal.empty());
    for (const auto* line : {"", "x", "[]", R"({"colour":1})", R"({"end_code":65536})", R"({"illegal":"D1"})",
                             R"({"illegal":["D20-10"]})", R"({"illegal":["Q1"]})", R"({"illegal":["DFF"]})",
                             R"({"no_random":1})", R"({"exception":4})"}) {
        EXPECT_FALSE(parse_command(line)) << line;
    }
}

TEST(McSimulatorTest, ControlLinesReachTheDevicesAndTellTheirCounters) {
    SimulatorOptions options;
    options.ports_1e = {0};
    McSimulator simulator{options};
    ASSERT_TRUE(simulator.start());
    const auto told = nlohmann::json::parse(simulator.execute(R"({"protocol":"mc","delay_ms":1})"));
    ASSERT_TRUE(told["ok"].get<bool>());
    ASSERT_EQ(told["devices"].size(), 2U);
    EXPECT_EQ(told["devices"][1]["port"], simulator.port(1));
    EXPECT_FALSE(nlohmann::json::parse(simulator.execute(R"({"device":2})"))["ok"].get<bool>());
    EXPECT_FALSE(nlohmann::json::parse(simulator.execute("nonsense"))["ok"].get<bool>());
}

TEST(McParse, WhatIsNotMcClosesTheConnection) {
    for (const auto& bytes :
         {Octets{'G', 'E', 'T', ' '}, Octets{0x50, 1}, Octets{0xFF, 0xFF}, Octets{'5', '0', '0', '1'}}) {
        EXPECT_EQ(parse_request(bytes, false).kind, Parsed::Kind::kNotMc);
    }
    auto huge = request_3e({1, 4, 0, 0});
    huge[7] = 0xFF;
    huge[8] = 0xFF;
    EXPECT_EQ(parse_request(huge, false).kind, Parsed::Kind::kNotMc);
    EXPECT_EQ(parse_request(Octets(12, 0x7F), true).kind, Parsed::Kind::kNotMc);
}

}  // namespace
}  // namespace fieldwarden::simulator::mc
