#include "worker/drivers/opcua/values.h"

#include <cmath>
#include <limits>

#include "tests/unit/opcua/opcua_testing.h"

namespace fieldwarden::worker::opcua {
namespace {

using enum BuiltInType;

constexpr DataType kBool{BaseType::kBool, 0};
constexpr DataType kI16{BaseType::kInt16, 0};
constexpr DataType kU16{BaseType::kUint16, 0};
constexpr DataType kI32{BaseType::kInt32, 0};
constexpr DataType kU32{BaseType::kUint32, 0};
constexpr DataType kI64{BaseType::kInt64, 0};
constexpr DataType kU64{BaseType::kUint64, 0};
constexpr DataType kF32{BaseType::kFloat32, 0};
constexpr DataType kF64{BaseType::kFloat64, 0};
constexpr DataType text(std::uint16_t length) {
    return {BaseType::kString, length};
}

Value taken(Variant given, DataType type) {
    const auto converted = to_point(given, type);
    // Exactly one of the two says something.
    EXPECT_EQ(std::holds_alternative<std::monostate>(converted.value), !converted.why.empty())
        << converted.why;
    return converted.value;
}

TEST(OpcUaValues, WholeNumbersFitOrAreNone) {
    for (const std::int64_t number :
         {std::int64_t{INT64_MIN}, std::int64_t{INT32_MIN} - 1, std::int64_t{INT32_MIN}, std::int64_t{-32769},
          std::int64_t{-32768}, std::int64_t{-1}, std::int64_t{0}, std::int64_t{32767}, std::int64_t{32768},
          std::int64_t{65535}, std::int64_t{65536}, std::int64_t{INT32_MAX}, std::int64_t{UINT32_MAX},
          std::int64_t{UINT32_MAX} + 1, std::int64_t{INT64_MAX}}) {
        const auto given = scalar(kInt64, number);
        EXPECT_EQ(taken(given, kI16), number >= -32768 && number <= 32767 ? Value{number} : Value{});
        EXPECT_EQ(taken(given, kI32), number >= INT32_MIN && number <= INT32_MAX ? Value{number} : Value{});
        EXPECT_EQ(taken(given, kI64), Value{number});
        const Value natural = static_cast<std::uint64_t>(number);
        EXPECT_EQ(taken(given, kU16), number >= 0 && number <= 65535 ? natural : Value{});
        EXPECT_EQ(taken(given, kU32), number >= 0 && number <= UINT32_MAX ? natural : Value{});
        EXPECT_EQ(taken(given, kU64), number >= 0 ? natural : Value{});
    }
    EXPECT_EQ(taken(scalar(kUInt64, std::uint64_t{UINT64_MAX}), kU64), Value{std::uint64_t{UINT64_MAX}});
    EXPECT_EQ(taken(scalar(kUInt64, std::uint64_t{UINT64_MAX}), kI64), Value{});
}

TEST(OpcUaValues, FractionsAreNoWholeNumbers) {
    EXPECT_EQ(taken(scalar(kDouble, 5.0), kI16), Value{std::int64_t{5}});
    EXPECT_EQ(taken(scalar(kDouble, -32768.0), kI16), Value{std::int64_t{-32768}});
    for (const double number :
         {5.5, 32768.0, -32769.0, std::nan(""), std::numeric_limits<double>::infinity()})
        EXPECT_EQ(taken(scalar(kDouble, number), kI16), Value{}) << number;
    // The edges of 64 bits are no doubles.
    EXPECT_EQ(taken(scalar(kDouble, 9223372036854775808.0), kI64), Value{});
    EXPECT_EQ(taken(scalar(kDouble, -9223372036854775808.0), kI64), Value{std::int64_t{INT64_MIN}});
    EXPECT_EQ(taken(scalar(kDouble, 18446744073709551616.0), kU64), Value{});
    EXPECT_EQ(taken(scalar(kDouble, 18446744073709549568.0), kU64),
              Value{std::uint64_t{18446744073709549568U}});
    EXPECT_EQ(taken(scalar(kDouble, -0.5), kU64), Value{});
}

TEST(OpcUaValues, FloatingPoint) {
    EXPECT_EQ(taken(scalar(kDouble, 0.1), kF32), Value{double{0.1F}});
    EXPECT_EQ(taken(scalar(kDouble, 1e300), kF32), Value{});
    EXPECT_EQ(taken(scalar(kDouble, 1e300), kF64), Value{1e300});
    EXPECT_EQ(taken(scalar(kInt32, std::int64_t{-7}), kF64), Value{-7.0});
    EXPECT_EQ(taken(scalar(kUInt64, std::uint64_t{UINT64_MAX}), kF64), Value{18446744073709551616.0});
}

TEST(OpcUaValues, Booleans) {
    EXPECT_EQ(taken(scalar(kBoolean, true), kBool), Value{true});
    EXPECT_EQ(taken(scalar(kByte, std::uint64_t{0}), kBool), Value{false});
    EXPECT_EQ(taken(scalar(kByte, std::uint64_t{2}), kBool), Value{});
    EXPECT_EQ(taken(scalar(kString, std::string{"true"}), kBool), Value{});
    EXPECT_EQ(taken(scalar(kBoolean, true), kU16), Value{std::uint64_t{1}});
}

TEST(OpcUaValues, BinaryCodedDecimals) {
    const DataType bcd16{BaseType::kBcd16, 0};
    const DataType bcd32{BaseType::kBcd32, 0};
    EXPECT_EQ(taken(scalar(kUInt16, std::uint64_t{0x1234}), bcd16), Value{std::uint64_t{1234}});
    EXPECT_EQ(taken(scalar(kUInt16, std::uint64_t{0x12A4}), bcd16), Value{});
    EXPECT_EQ(taken(scalar(kUInt32, std::uint64_t{0x12345}), bcd16), Value{});
    EXPECT_EQ(taken(scalar(kUInt32, std::uint64_t{0x98765432}), bcd32), Value{std::uint64_t{98765432}});
    const auto written = to_device(std::uint64_t{1234}, bcd16, kUInt16);
    ASSERT_TRUE(written);
    EXPECT_EQ(written->values.front(), Value{std::uint64_t{0x1234}});
    EXPECT_FALSE(to_device(std::uint64_t{12345}, bcd16, kUInt32));
}

TEST(OpcUaValues, Texts) {
    EXPECT_EQ(taken(scalar(kString, std::string{"abc"}), text(3)), Value{std::string{"abc"}});
    EXPECT_EQ(taken(scalar(kString, std::string{"abcd"}), text(3)), Value{});
    EXPECT_EQ(taken(scalar(kString, std::string{"\xFF"
                                                "A"}),
                    text(2)),
              Value{std::string{"\xEF\xBF\xBD"
                                "A"}});
    EXPECT_EQ(taken(scalar(kString, std::string{}), text(3)), Value{std::string{}});
    EXPECT_EQ(taken(scalar(kString, std::monostate{}), text(3)), Value{});
    EXPECT_EQ(taken(scalar(kByteString, std::string{"\x00\x01", 2}), text(4)), Value{std::string{"AAE="}});
    EXPECT_EQ(taken(scalar(kFloat, double{0.1F}), text(9)), Value{std::string{"0.1"}});
    EXPECT_EQ(taken(scalar(kStatusCode, std::uint64_t{0x80340000}), text(20)),
              Value{std::string{"BadNodeIdUnknown"}});
    EXPECT_EQ(taken(scalar(kDateTime, std::int64_t{0}), text(30)), Value{});
    EXPECT_EQ(taken(scalar(kDateTime, to_date_time(UtcTime{})), text(30)),
              Value{std::string{"1970-01-01T00:00:00.000Z"}});
}

TEST(OpcUaValues, Nothing) {
    EXPECT_EQ(taken({}, kF64), Value{});
    EXPECT_EQ(taken(scalar(kExtensionObject, std::monostate{}), text(250)), Value{});
    EXPECT_EQ(taken(scalar(kDateTime, std::int64_t{0}), kI64), Value{});
    EXPECT_EQ(taken(scalar(kLocalizedText, std::string{"5"}), kI64), Value{});
}

TEST(OpcUaValues, ArraysAreTextAsAWhole) {
    const auto numbers = array_of(kInt16, {std::int64_t{1}, std::int64_t{-2}});
    EXPECT_EQ(taken(numbers, text(10)), Value{std::string{"[1,-2]"}});
    EXPECT_EQ(taken(numbers, text(5)), Value{});
    EXPECT_EQ(taken(numbers, kI16), Value{});
    EXPECT_EQ(taken(array_of(kFloat, {double{0.1F}, std::nan("")}), text(20)),
              Value{std::string{"[0.1,null]"}});
    EXPECT_EQ(
        taken(array_of(kInt16, {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}}, {2, 2}),
              text(20)),
        Value{std::string{"[[1,2],[3,4]]"}});
    EXPECT_EQ(taken(array_of(kString, {std::string{"\xFF"}, std::monostate{}}), text(20)),
              Value{std::string{"[\"\xEF\xBF\xBD\",null]"}});
    EXPECT_EQ(taken(array_of(kBoolean, std::vector<Value>(1000, true)), text(250)), Value{});
    Variant mixed;
    mixed.type = kVariant;
    mixed.is_array = true;
    mixed.nested = {scalar(kInt16, std::int64_t{1}), scalar(kString, std::string{"x"}), Variant{}, numbers};
    EXPECT_EQ(taken(mixed, text(40)), Value{std::string{"[1,\"x\",null,[1,-2]]"}});
}

TEST(OpcUaValues, AnElementIsAnArrayOfOne) {
    EXPECT_EQ(element_to_point(array_of(kInt16, {std::int64_t{5}}), kI16).value, Value{std::int64_t{5}});
    for (const auto& given :
         {array_of(kInt16, {}), array_of(kInt16, {std::int64_t{5}, std::int64_t{6}}),
          scalar(kString, std::string{"x"}), scalar(kInt16, std::int64_t{5}), Variant{}}) {
        const auto refused = element_to_point(given, kI16);
        EXPECT_EQ(refused.value, Value{});
        EXPECT_FALSE(refused.why.empty());
    }
}

TEST(OpcUaValues, WhatIsWrittenFitsTheVariable) {
    EXPECT_FALSE(to_device(std::int64_t{256}, kI32, kByte));
    EXPECT_FALSE(to_device(std::int64_t{-1}, kI32, kUInt64));
    EXPECT_FALSE(to_device(1.5, kF64, kInt32));
    EXPECT_FALSE(to_device(1e300, kF64, kFloat));
    EXPECT_FALSE(to_device(std::string{"5"}, text(5), kInt32));
    EXPECT_FALSE(to_device(true, kBool, kString));
    EXPECT_FALSE(to_device(std::int64_t{5}, kI32, kExtensionObject));
    EXPECT_FALSE(to_device(std::string{"no guid"}, text(9), kGuid));
    EXPECT_FALSE(to_device(std::string{"yesterday"}, text(9), kDateTime));
    EXPECT_FALSE(to_device(std::int64_t{INT64_MAX}, kI64, kDateTime));
    EXPECT_EQ(to_device(2.0, kF64, kInt32)->values.front(), Value{std::int64_t{2}});
    EXPECT_EQ(to_device(true, kBool, kByte)->values.front(), Value{std::uint64_t{1}});
    const auto refused = to_device(std::int64_t{256}, kI32, kByte);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(refused.error().message.find("Byte"), std::string::npos);
}

TEST(OpcUaValues, TimesThatAreNotPlausibleAreNotTaken) {
    const auto now = UtcTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};
    const auto source = now - std::chrono::hours{100};
    const auto server = now - std::chrono::seconds{1};
    EXPECT_EQ(sample_time({{}, 0, source, server}, now), source);
    EXPECT_EQ(sample_time({{}, 0, std::nullopt, server}, now), server);
    EXPECT_EQ(sample_time({{}, 0, UtcTime{}, server}, now), server);
    EXPECT_EQ(sample_time({{}, 0, now + std::chrono::hours{25}, server}, now), server);
    EXPECT_EQ(sample_time({{}, 0, UtcTime{}, UtcTime{}}, now), now);
}

TEST(OpcUaValues, StatusAndValueTogether) {
    const auto now = UtcTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}};
    const auto value = scalar(kInt16, std::int64_t{5});
    const auto good = take_value({value, 0, {}, {}}, kI16, false, now);
    EXPECT_EQ(good.sample, (Sample{0, Quality::kGood, QualityCode::kNone, now, std::int64_t{5}}));
    EXPECT_TRUE(good.why.empty());
    const auto uncertain = take_value({value, 0x40900000, {}, {}}, kI16, false, now);
    EXPECT_EQ(uncertain.sample, (Sample{0, Quality::kUncertain, QualityCode::kStale, now, std::int64_t{5}}));
    EXPECT_EQ(uncertain.why, "UncertainLastUsableValue");
    const auto bad = take_value({value, 0x80340000, {}, {}}, kI16, false, now);
    EXPECT_EQ(bad.sample, (Sample{0, Quality::kBad, QualityCode::kIllegalAddress, now, {}}));
    const auto unfit = take_value({value, 0x40900000, {}, {}}, text(0), false, now);
    EXPECT_EQ(unfit.sample, (Sample{0, Quality::kBad, QualityCode::kDecode, now, {}}));
}

TEST(OpcUaValues, TypesOfTheWorkbookAreOnesItTakes) {
    for (int number = 0; number <= 25; ++number) {
        const auto name = workbook_type(static_cast<BuiltInType>(number));
        EXPECT_TRUE(name.empty() || parse_data_type(name)) << name;
    }
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
