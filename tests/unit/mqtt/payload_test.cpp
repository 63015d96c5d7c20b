#include "worker/drivers/mqtt/payload.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/mqtt_address.h"

namespace fieldwarden::worker::mqtt {
namespace {

using std::int64_t;
using std::uint64_t;

constexpr DataType kBool{BaseType::kBool, 0};
constexpr DataType kInt16{BaseType::kInt16, 0};
constexpr DataType kUint16{BaseType::kUint16, 0};
constexpr DataType kInt64{BaseType::kInt64, 0};
constexpr DataType kUint64{BaseType::kUint64, 0};
constexpr DataType kFloat32{BaseType::kFloat32, 0};
constexpr DataType kFloat64{BaseType::kFloat64, 0};
constexpr DataType kBcd16{BaseType::kBcd16, 0};
constexpr DataType kText8{BaseType::kString, 8};

// nullopt: a mismatch.
std::optional<Value> plain(std::string_view bytes, DataType type) {
    Value value{true};
    if (Payload{bytes}.plain(type, value) == Found::kValue) return value;
    EXPECT_EQ(value, Value{});
    return std::nullopt;
}

std::optional<Value> json(std::string_view bytes, DataType type, std::string_view pointer = "/v") {
    const auto parts = *parse_json_pointer(pointer);
    Value value{true};
    Payload payload{bytes};
    const auto found = payload.member(parts, type, value);
    if (found == Found::kValue) return value;
    EXPECT_EQ(value, Value{});
    return std::nullopt;
}

TEST(MqttPayload, PlainNumbers) {
    EXPECT_EQ(plain("21.5", kFloat64), Value{21.5});
    EXPECT_EQ(plain(" -3\r\n", kInt16), Value{int64_t{-3}});
    EXPECT_EQ(plain("+7", kUint16), Value{uint64_t{7}});
    EXPECT_EQ(plain("1e3", kInt16), Value{int64_t{1000}});
    EXPECT_EQ(plain("-2.50e-1", kFloat32), Value{-0.25});
    EXPECT_EQ(plain("18446744073709551615", kUint64), Value{std::numeric_limits<uint64_t>::max()});
    EXPECT_EQ(plain("-9223372036854775808", kInt64), Value{std::numeric_limits<int64_t>::min()});
}

TEST(MqttPayload, WhatIsNoNumberIsNone) {
    for (const auto* text : {"", " ", "abc", "1 2", "0x10", "1,5", "nan", "inf", "-inf", "Infinity", "1e999",
                             "+-1", "--1", "1.2.3", "true", "e5", "\xFF"}) {
        EXPECT_EQ(plain(text, kFloat64), std::nullopt) << text;
        EXPECT_EQ(plain(text, kInt16), std::nullopt) << text;
    }
}

TEST(MqttPayload, ANumberOutsideTheTypeIsNeverCut) {
    EXPECT_EQ(plain("32767", kInt16), Value{int64_t{32767}});
    EXPECT_EQ(plain("32768", kInt16), std::nullopt);
    EXPECT_EQ(plain("-32768", kInt16), Value{int64_t{-32768}});
    EXPECT_EQ(plain("-32769", kInt16), std::nullopt);
    EXPECT_EQ(plain("65536", kUint16), std::nullopt);
    EXPECT_EQ(plain("-1", kUint16), std::nullopt);
    EXPECT_EQ(plain("1.5", kInt16), std::nullopt);
    EXPECT_EQ(plain("9223372036854775808", kInt64), std::nullopt);
    EXPECT_EQ(plain("1e19", kInt64), std::nullopt);
    EXPECT_EQ(plain("1e19", kUint64), Value{uint64_t{10'000'000'000'000'000'000U}});
    EXPECT_EQ(plain("18446744073709551616", kUint64), std::nullopt);
    EXPECT_EQ(plain("3.5e38", kFloat32), std::nullopt);
    EXPECT_EQ(plain("3.4e38", kFloat32), Value{3.4e38});
    EXPECT_EQ(plain("9999", kBcd16), Value{uint64_t{9999}});
    EXPECT_EQ(plain("10000", kBcd16), std::nullopt);
}

TEST(MqttPayload, Booleans) {
    for (const auto* yes : {"1", "true", "TRUE", "On", " on "})
        EXPECT_EQ(plain(yes, kBool), Value{true}) << yes;
    for (const auto* no : {"0", "false", "False", "OFF"}) EXPECT_EQ(plain(no, kBool), Value{false}) << no;
    for (const auto* none : {"", "2", "yes", "onn", "o", "1.0", "tru"})
        EXPECT_EQ(plain(none, kBool), std::nullopt) << none;
}

TEST(MqttPayload, Text) {
    EXPECT_EQ(plain(" Pump 7 ", kText8), Value{std::string{" Pump 7 "}});
    EXPECT_EQ(plain("", kText8), Value{std::string{}});
    EXPECT_EQ(plain("123456789", kText8), std::nullopt);
    EXPECT_EQ(plain("\xFF"
                    "A",
                    kText8),
              Value{std::string{"\xEF\xBF\xBD"
                                "A"}});
}

TEST(MqttPayload, MembersOfJson) {
    EXPECT_EQ(json(R"({"v":21.5})", kFloat64), Value{21.5});
    EXPECT_EQ(json(R"({"v":-5})", kInt16), Value{int64_t{-5}});
    EXPECT_EQ(json(R"({"v":18446744073709551615})", kUint64), Value{std::numeric_limits<uint64_t>::max()});
    EXPECT_EQ(json(R"({"v":"21.5"})", kFloat64), Value{21.5});
    EXPECT_EQ(json(R"({"v":true})", kBool), Value{true});
    EXPECT_EQ(json(R"({"v":1})", kBool), Value{true});
    EXPECT_EQ(json(R"({"v":"OFF"})", kBool), Value{false});
    EXPECT_EQ(json(R"({"v":true})", kInt16), Value{int64_t{1}});
    EXPECT_EQ(json(R"({"v":"Pump"})", kText8), Value{std::string{"Pump"}});
    EXPECT_EQ(json(R"({"v":3.0})", kInt16), Value{int64_t{3}});
    EXPECT_EQ(json(R"([[1,{"x":7}]])", kInt16, "/0/1/x"), Value{int64_t{7}});
    EXPECT_EQ(json(R"({"a/b":{"~":2}})", kInt16, "/a~1b/~0"), Value{int64_t{2}});
    EXPECT_EQ(json("12", kInt16, ""), Value{int64_t{12}});
}

TEST(MqttPayload, ValuesOfTheWrongKind) {
    for (const auto* text : {R"({"v":null})", R"({"v":[1]})", R"({"v":{}})", R"({"v":"abc"})", R"({"v":1.5})",
                             R"({"v":40000})"}) {
        EXPECT_EQ(json(text, kInt16), std::nullopt) << text;
    }
    EXPECT_EQ(json(R"({"v":5})", kText8), std::nullopt);
    EXPECT_EQ(json(R"({"v":"123456789"})", kText8), std::nullopt);
    EXPECT_EQ(json(R"({"v":2})", kBool), std::nullopt);
    EXPECT_EQ(json(R"({"v":1e999})", kFloat64), std::nullopt);
}

TEST(MqttPayload, MissingIsNotWrong) {
    const auto find = [](std::string_view bytes, std::string_view pointer) {
        Value value;
        Payload payload{bytes};
        const auto parts = *parse_json_pointer(pointer);
        return payload.member(parts, kInt16, value);
    };
    EXPECT_EQ(find(R"({"w":1})", "/v"), Found::kMissing);
    EXPECT_EQ(find("[1]", "/1"), Found::kMissing);
    EXPECT_EQ(find("[1,2]", "/01"), Found::kMissing);
    EXPECT_EQ(find("[1]", "/-"), Found::kMissing);
    EXPECT_EQ(find("[1]", "/99999999999999999999"), Found::kMissing);
    EXPECT_EQ(find("5", "/v"), Found::kMissing);
    EXPECT_EQ(find("", "/v"), Found::kMismatch);
    EXPECT_EQ(find(R"({"v":1)", "/v"), Found::kMismatch);
    EXPECT_EQ(find("{'v':1}", "/v"), Found::kMismatch);
    EXPECT_EQ(find(R"({"v":NaN})", "/v"), Found::kMismatch);
}

TEST(MqttPayload, HostileJson) {
    std::string deep(100'000, '[');
    EXPECT_EQ(json(deep, kInt16), std::nullopt);
    deep.append(100'000, ']');
    EXPECT_EQ(json(deep, kInt16), std::nullopt);
    std::string objects;
    for (int i = 0; i < 1000; ++i) objects += R"({"v":)";
    EXPECT_EQ(json(objects, kInt16), std::nullopt);
    // Brackets in text nest nothing.
    EXPECT_EQ(json(R"({"t":")" + std::string(1000, '[') + R"(\"[","v":1})", kInt16), Value{int64_t{1}});
    // Text that is no UTF-8 does not take the numbers with it.
    EXPECT_EQ(json("{\"t\":\"\xFF\xC0\",\"v\":1}", kInt16), Value{int64_t{1}});
    EXPECT_EQ(json("{\"v\":\"\xFF\"}", kText8), Value{std::string{"\xEF\xBF\xBD"}});
}

TEST(MqttPayload, Times) {
    const auto time = [](std::string_view bytes) -> std::string {
        Payload payload{bytes};
        const auto parts = *parse_json_pointer("/t");
        const auto found = payload.time(parts);
        return found ? format_rfc3339(*found) : "";
    };
    EXPECT_EQ(time(R"({"t":"2026-11-22T13:40:27.123Z"})"), "2026-11-22T13:40:27.123Z");
    EXPECT_EQ(time(R"({"t":"2026-11-22T14:40:27.123+01:00"})"), "2026-11-22T13:40:27.123Z");
    EXPECT_EQ(time(R"({"t":"2026-11-22T13:40:27.123"})"), "2026-11-22T13:40:27.123Z");
    EXPECT_EQ(time(R"({"t":1795354827})"), "2026-11-22T13:40:27.000Z");
    EXPECT_EQ(time(R"({"t":1795354827.123})"), "2026-11-22T13:40:27.123Z");
    EXPECT_EQ(time(R"({"t":1795354827123})"), "2026-11-22T13:40:27.123Z");
    EXPECT_EQ(time(R"({"t":1795354827123000})"), "2026-11-22T13:40:27.123Z");
    EXPECT_EQ(time(R"({"t":1795354827123000000})"), "2026-11-22T13:40:27.123Z");
    EXPECT_EQ(time(R"({"t":"1795354827123"})"), "2026-11-22T13:40:27.123Z");
    for (const auto* none : {R"({"t":-1})", R"({"t":"soon"})", R"({"t":null})", R"({"t":true})", R"({})", "x",
                             R"({"t":1e300})", R"({"t":"1960-01-01T00:00:00Z"})", R"({"t":{}})"}) {
        EXPECT_EQ(time(none), "") << none;
    }
    EXPECT_EQ(epoch_time(std::numeric_limits<double>::quiet_NaN()), std::nullopt);
}

}  // namespace
}  // namespace fieldwarden::worker::mqtt
