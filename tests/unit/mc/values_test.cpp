// Values in the PLC's order: what is encoded is decoded again, and the order is the PLC's.
#include "worker/drivers/mc/mc_values.h"

#include <gtest/gtest.h>

#include "worker/decode.h"

namespace fieldwarden::worker::mc {
namespace {

using Words = std::vector<std::uint16_t>;

DataType type(std::string_view text) {
    return parse_data_type(text).value();
}

Value decoded(const Words& words, DataType type, ByteOrder order) {
    Value out;
    EXPECT_TRUE(decode_words(words, type, word_order(type, order), 0, out));
    return out;
}

TEST(McValues, TheDefaultIsThePlcsOwnOrder) {
    // FX3U-ENET-ADP 7.3: 0.75 in D0 and D1 is 0000 and 3F40, "12AB" in D2 and D3 is 3231 and 4241.
    EXPECT_EQ(decoded({0x0000, 0x3F40}, type("float32"), ByteOrder::kAbcd), Value{0.75});
    EXPECT_EQ(decoded({0x3231, 0x4241}, type("string(4)"), ByteOrder::kAbcd), Value{std::string{"12AB"}});
    EXPECT_EQ(decoded({0x614E, 0x00BC}, type("int32"), ByteOrder::kAbcd), Value{std::int64_t{12345678}});
    EXPECT_EQ(decoded({0x5678, 0x1234}, type("bcd32"), ByteOrder::kAbcd), Value{std::uint64_t{12345678}});
    EXPECT_EQ(decoded({0, 0, 0, 0x3FF8}, type("float64"), ByteOrder::kAbcd), Value{1.5});
}

TEST(McValues, TheOtherOrdersAreRelativeToIt) {
    const auto uint32 = type("uint32");
    const Value value{std::uint64_t{0x11223344}};
    EXPECT_EQ(encode_value(value, uint32, ByteOrder::kAbcd).value(), (Words{0x3344, 0x1122}));
    EXPECT_EQ(encode_value(value, uint32, ByteOrder::kCdab).value(), (Words{0x1122, 0x3344}));
    EXPECT_EQ(encode_value(value, uint32, ByteOrder::kBadc).value(), (Words{0x4433, 0x2211}));
    EXPECT_EQ(encode_value(value, uint32, ByteOrder::kDcba).value(), (Words{0x2211, 0x4433}));
    const Value text{std::string{"AB"}};
    EXPECT_EQ(encode_value(text, type("string(3)"), ByteOrder::kAbcd).value(), (Words{0x4241, 0}));
    EXPECT_EQ(encode_value(text, type("string(3)"), ByteOrder::kCdab).value(), (Words{0x4241, 0}));
    EXPECT_EQ(encode_value(text, type("string(3)"), ByteOrder::kBadc).value(), (Words{0x4142, 0}));
}

TEST(McValues, WhatIsWrittenIsReadInEveryTypeAndOrder) {
    struct Case {
        const char* type;
        Value value;
    };
    const std::vector<Case> cases{
        {"int16", std::int64_t{-2}},
        {"int16", std::int64_t{-32768}},
        {"uint16", std::uint64_t{65535}},
        {"int32", std::int64_t{-123456789}},
        {"uint32", std::uint64_t{4294967295}},
        {"int64", std::int64_t{-1234567890123456789}},
        {"uint64", std::uint64_t{18446744073709551615U}},
        {"float32", -273.125},
        {"float64", 3.141592653589793},
        {"bcd16", std::uint64_t{9876}},
        {"bcd32", std::uint64_t{98765432}},
        {"string(5)", std::string{"Pump7"}},
    };
    for (const auto order : {ByteOrder::kAbcd, ByteOrder::kBadc, ByteOrder::kCdab, ByteOrder::kDcba}) {
        for (const auto& [name, value] : cases) {
            const auto words = encode_value(value, type(name), order);
            ASSERT_TRUE(words) << words.error().message;
            EXPECT_EQ(words->size(), words_of(type(name)));
            EXPECT_EQ(decoded(*words, type(name), order), value) << name << " " << to_name(order);
        }
    }
}

TEST(McValues, WhatDoesNotFitIsRefused) {
    const auto refused = [](const Value& value, std::string_view name) {
        const auto words = encode_value(value, type(name), ByteOrder::kAbcd);
        EXPECT_FALSE(words) << name;
        EXPECT_TRUE(words || words.error().kind == ErrorKind::kInvalidArgument);
    };
    refused(std::int64_t{32768}, "int16");
    refused(std::int64_t{-32769}, "int16");
    refused(std::int64_t{-1}, "uint16");
    refused(std::uint64_t{65536}, "uint16");
    refused(std::uint64_t{0x80000000}, "int32");
    refused(std::uint64_t{0x8000000000000000}, "int64");
    refused(std::uint64_t{10000}, "bcd16");
    refused(std::int64_t{-1}, "bcd32");
    refused(1e300, "float32");
    refused(std::string{"1"}, "float32");
    refused(1.5, "int16");
    refused(true, "int16");
    refused(std::uint64_t{1}, "bool");
    refused(std::string{"too long"}, "string(7)");
    refused(std::uint64_t{1}, "string(7)");
    refused(Value{}, "uint16");
}

TEST(McValues, NumbersInBitsBeginAnywhere) {
    const Words words{0xABCD, 0x1234, 0x00FF};
    EXPECT_EQ(words_from_bit(words, 0, 2), (Words{0xABCD, 0x1234}));
    EXPECT_EQ(words_from_bit(words, 4, 1), (Words{0x4ABC}));
    EXPECT_EQ(words_from_bit(words, 17, 1), (Words{0x891A}));
    EXPECT_EQ(words_from_bit(words, 40, 1), (Words{0x0000}));  // past the end: zeros
}

}  // namespace
}  // namespace fieldwarden::worker::mc
