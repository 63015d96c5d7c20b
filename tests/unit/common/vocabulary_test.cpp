// Data types, Modbus addresses, device options, host:port, backoff.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "common/backoff.h"
#include "common/device_options.h"
#include "common/modbus_address.h"
#include "common/plant_types.h"

namespace fieldwarden {

namespace {

using std::chrono::milliseconds;

// --- data types

TEST(DataTypes, EveryNameParsesAndFormats) {
    for (const auto& entry : EnumNames<BaseType>::table) {
        if (entry.value == BaseType::kString) continue;
        const auto parsed = parse_data_type(entry.name);
        ASSERT_TRUE(parsed) << entry.name;
        EXPECT_EQ(parsed->base, entry.value);
        EXPECT_EQ(format_data_type(*parsed), entry.name);
    }
    for (unsigned length = 1; length <= kLongestString; ++length) {
        const auto text = fmt::format("string({})", length);
        const auto parsed = parse_data_type(text);
        ASSERT_TRUE(parsed) << text;
        EXPECT_EQ(parsed->length, length);
        EXPECT_EQ(format_data_type(*parsed), text);
        EXPECT_EQ(words_of(*parsed), (length + 1) / 2);
    }
}

TEST(DataTypes, RefusesEverythingElse) {
    for (const auto* text : {"", "float", "INT16", "int16 ", "string", "string()", "string(0)", "string(251)",
                             "string(-1)", "string(5", "string(5))", "string(5) ", "string(1e2)",
                             "string( 5)", "int16(2)", "string(99999999999)"}) {
        EXPECT_FALSE(parse_data_type(text)) << text;
    }
}

TEST(DataTypes, TakeTheirWords) {
    const auto words = [](std::string_view text) { return words_of(*parse_data_type(text)); };
    for (const auto* one : {"bool", "int16", "uint16", "bcd16", "string(1)", "string(2)"})
        EXPECT_EQ(words(one), 1) << one;
    for (const auto* two : {"int32", "uint32", "float32", "bcd32"}) EXPECT_EQ(words(two), 2) << two;
    for (const auto* four : {"int64", "uint64", "float64"}) EXPECT_EQ(words(four), 4) << four;
}

// --- Modbus addresses

TEST(ModbusAddressText, ReadsBothNotations) {
    using A = ModbusArea;
    const std::pair<const char*, ModbusAddress> cases[] = {
        {"hr:0", {A::kHoldingRegister, 0, {}, {}}},
        {"HR : 10 . 3 @ 7", {A::kHoldingRegister, 10, 3, 7}},
        {"ir:65535", {A::kInputRegister, 65535, {}, {}}},
        {"co:0@0", {A::kCoil, 0, {}, 0}},
        {"di:12@255", {A::kDiscreteInput, 12, {}, 255}},
        {"40001", {A::kHoldingRegister, 0, {}, {}}},
        {"49999", {A::kHoldingRegister, 9998, {}, {}}},
        {"400001", {A::kHoldingRegister, 0, {}, {}}},
        {"465536", {A::kHoldingRegister, 65535, {}, {}}},
        {"30010.15", {A::kInputRegister, 9, 15, {}}},
        {"00001", {A::kCoil, 0, {}, {}}},
        {"165536@3", {A::kDiscreteInput, 65535, {}, 3}},
    };
    for (const auto& [text, wanted] : cases) {
        const auto parsed = parse_modbus_address(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
        EXPECT_EQ(*parsed, wanted) << text;
    }
}

TEST(ModbusAddressText, RefusesEverythingElse) {
    for (const auto* text : {"",        "hr",       "hr:",      "hr:-1",  "hr:65536",
                             "hr:1.16", "hr:1.",    "hr:1@256", "hr:1@",  "co:1.0",
                             "di:1.0",  "40000",    "400000",   "465537", "20001",
                             "4001",    "4000001",  "x:1",      "hr:1x",  "hr:0x10",
                             "hr:+1",   "hr:1@7@8", "hr:1.2.3", "4000a",  "hr:99999999999999999999",
                             "@7",      ".3"}) {
        const auto refused = parse_modbus_address(text);
        EXPECT_FALSE(refused) << text;
        if (!refused) {
            EXPECT_NE(refused.error().message.find("write 40001"), std::string::npos) << "says what to write";
        }
    }
}

TEST(ModbusAddressText, WhatIsFormattedParsesToTheSame) {
    std::mt19937 random{8};
    for (int i = 0; i < 20'000; ++i) {
        ModbusAddress address;
        address.area = EnumNames<ModbusArea>::table[random() % 4].value;
        address.offset = static_cast<std::uint16_t>(random());
        if (address.is_register() && random() % 2 == 0)
            address.bit = static_cast<std::uint8_t>(random() % 16);
        if (random() % 2 == 0) address.unit_id = static_cast<std::uint8_t>(random());
        const auto back = parse_modbus_address(format_modbus_address(address));
        ASSERT_TRUE(back) << format_modbus_address(address);
        ASSERT_EQ(*back, address);
    }
}

TEST(ModbusTypes, FitTheirPlace) {
    const auto fits = [](std::string_view address, std::string_view type) {
        return check_modbus_type(*parse_modbus_address(address), *parse_data_type(type)).has_value();
    };
    EXPECT_TRUE(fits("co:65535", "bool"));
    EXPECT_FALSE(fits("co:0", "uint16"));
    EXPECT_TRUE(fits("hr:0.3", "bool"));
    EXPECT_FALSE(fits("hr:0.3", "int16"));
    EXPECT_FALSE(fits("hr:0", "bool"));
    for (const auto& [type, words] : {std::pair{"float32", 2}, {"float64", 4}, {"string(250)", 125}}) {
        EXPECT_TRUE(fits(fmt::format("hr:{}", 65536 - words), type)) << type;
        EXPECT_EQ(fits(fmt::format("hr:{}", 65536 - words + 1), type), false)
            << type << " passes the last register";
    }
}

// --- device options

TEST(DeviceOptions, EveryOptionOfEveryProtocolTakesItsFallbackAndItsEnds) {
    for (const auto& protocol : EnumNames<Protocol>::table) {
        for (const auto& spec : device_options(protocol.value)) {
            const std::string name{spec.name};
            const auto check = [&](std::string value) {
                return check_device_options(protocol.value, {{name, std::move(value)}}).has_value();
            };
            if (!spec.fallback.empty()) {
                EXPECT_TRUE(check(std::string{spec.fallback})) << name;
            }
            EXPECT_EQ(text_option(protocol.value, {}, name), spec.fallback) << name;
            EXPECT_EQ(text_option(protocol.value, {{name, "given"}}, name), "given");
            EXPECT_FALSE(spec.help.empty()) << name;
            if (spec.type == OptionSpec::Type::kInteger) {
                EXPECT_TRUE(check(std::to_string(spec.least)) && check(std::to_string(spec.most))) << name;
                EXPECT_FALSE(check(std::to_string(spec.least - 1)) || check(std::to_string(spec.most + 1)))
                    << name;
                EXPECT_FALSE(check("") || check("1.0") || check("0x1") || check(" 1")) << name;
                EXPECT_EQ(integer_option(protocol.value, {}, name), std::stoll(std::string{spec.fallback}));
            }
            if (spec.type == OptionSpec::Type::kChoice) {
                EXPECT_FALSE(check("nonsense") || check("")) << name;
            }
        }
    }
}

TEST(DeviceOptions, AnUnknownOneIsToldWithWhatIsKnown) {
    const auto refused = check_device_options(Protocol::kMqtt, {{"unit_id", "1"}});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("'unit_id' is unknown for mqtt"), std::string::npos);
    EXPECT_NE(refused.error().message.find("qos"), std::string::npos);
}

TEST(HostPortText, ReadsNamesAndBothAddressFamilies) {
    const auto same = [](std::string_view text, std::string_view host, std::uint16_t port) {
        const auto parsed = parse_host_port(text, 502);
        return parsed && parsed->host == host && parsed->port == port;
    };
    EXPECT_TRUE(same("10.0.0.5", "10.0.0.5", 502));
    EXPECT_TRUE(same("10.0.0.5:1502", "10.0.0.5", 1502));
    EXPECT_TRUE(same("plc-7.site_a.local:65535", "plc-7.site_a.local", 65535));
    EXPECT_TRUE(same("[::1]:502", "::1", 502));
    EXPECT_TRUE(same("[fe80::1%eth0]", "fe80::1%eth0", 502));
}

TEST(HostPortText, RefusesEverythingElse) {
    for (const auto* text : {"", ":502", "host:", "host:0", "host:65536", "host:-1", "host:x", "host:1:2",
                             "::1", "[::1", "[]:502", "[::1]502", "[::1]:", "a b:1", "host/path:1",
                             "http://host:1", "host:5 02", "主机:502", "a\n:1"}) {
        EXPECT_FALSE(parse_host_port(text, 502)) << text;
    }
    EXPECT_FALSE(parse_host_port(std::string(254, 'a'), 502));
}

// --- backoff

TEST(Backoff, DoublesUpToTheLongestAndJittersDownwardsOnly) {
    const BackoffPolicy policy{milliseconds{500}, milliseconds{60'000}, 0.25};
    EXPECT_EQ(backoff_delay(policy, 1, 0), milliseconds{500});
    EXPECT_EQ(backoff_delay(policy, 2, 0), milliseconds{1000});
    EXPECT_EQ(backoff_delay(policy, 7, 0), milliseconds{32'000});
    EXPECT_EQ(backoff_delay(policy, 8, 0), milliseconds{60'000});
    EXPECT_EQ(backoff_delay(policy, 8, 1), milliseconds{45'000});
    EXPECT_EQ(backoff_delay(policy, 0, 0), milliseconds{500}) << "before the first attempt as at it";
}

TEST(Backoff, StaysWithinItsBoundsForAnyPolicyAttemptAndDraw) {
    std::mt19937_64 random{9};
    for (int i = 0; i < 20'000; ++i) {
        const BackoffPolicy policy{milliseconds{static_cast<std::int64_t>(random() % 100'000)},
                                   milliseconds{static_cast<std::int64_t>(random() % 10'000'000)},
                                   static_cast<double>(random() % 101) / 100};
        const auto attempt = static_cast<unsigned>(random() >> (random() % 64));
        const auto full = backoff_delay({policy.first, policy.longest, 0}, attempt, 0);
        const auto drawn = backoff_delay(policy, attempt, static_cast<double>(random() % 1000) / 1000);
        ASSERT_LE(drawn, full);
        ASSERT_GE(drawn.count() + 1,
                  static_cast<std::int64_t>(static_cast<double>(full.count()) * (1 - policy.jitter)));
        ASSERT_LE(full, policy.longest);
        ASSERT_GE(full, std::min(policy.first, policy.longest));
        ASSERT_GE(
            backoff_delay({policy.first, policy.longest, 0}, attempt == UINT_MAX ? attempt : attempt + 1, 0),
            full);
    }
}

}  // namespace

}  // namespace fieldwarden
