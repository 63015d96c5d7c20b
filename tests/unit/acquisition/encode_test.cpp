// Value → registers: whatever decode_words() reads is written back word for word, for every type in every
// order.
#include "worker/encode.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "worker/decode.h"

namespace fieldwarden::worker {
namespace {

using Words = std::vector<std::uint16_t>;

constexpr ByteOrder kOrders[] = {ByteOrder::kAbcd, ByteOrder::kDcba, ByteOrder::kBadc, ByteOrder::kCdab};

Words encoded(const Value& value, DataType type, ByteOrder order = ByteOrder::kAbcd) {
    Words words;
    const auto status = encode_words(value, type, order, words);
    EXPECT_TRUE(status) << status.error().message;
    return words;
}

void expect_refused(const Value& value, DataType type) {
    Words words{1, 2, 3};
    const auto status = encode_words(value, type, ByteOrder::kAbcd, words);
    ASSERT_FALSE(status) << format_data_type(type);
    EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(status.error().message.find(format_data_type(type)), std::string::npos);
    EXPECT_TRUE(words.empty());
}

// The words survive the way through a value and back.
void expect_words_survive(const Words& words, DataType type) {
    for (const auto order : kOrders) {
        Value value;
        ASSERT_TRUE(decode_words(words, type, order, std::nullopt, value));
        ASSERT_EQ(encoded(value, type, order), words) << format_data_type(type) << ' ' << to_name(order);
    }
}

TEST(Encode, EverySixteenBitPatternComesBack) {
    for (unsigned bits = 0; bits <= 0xFFFF; ++bits) {
        const Words words{static_cast<std::uint16_t>(bits)};
        expect_words_survive(words, {BaseType::kInt16, 0});
        expect_words_survive(words, {BaseType::kUint16, 0});
    }
}

TEST(Encode, EveryBcd16ValueComesBack) {
    for (const auto order : kOrders) {
        for (std::uint64_t number = 0; number <= 9999; ++number) {
            Value back;
            ASSERT_TRUE(decode_words(encoded(number, {BaseType::kBcd16, 0}, order), {BaseType::kBcd16, 0},
                                     order, std::nullopt, back));
            ASSERT_EQ(back, Value{number});
        }
    }
    EXPECT_EQ(encoded(std::uint64_t{1234}, {BaseType::kBcd16, 0}), (Words{0x1234}));
}

// Patterns that differ in every byte, the edges of every type, and many by chance.
TEST(Encode, WiderPatternsComeBack) {
    std::mt19937_64 random{20240101};
    std::vector<std::uint64_t> patterns{0,
                                        1,
                                        0x0123456789ABCDEF,
                                        0xFEDCBA9876543210,
                                        0x8000000000000000,
                                        0x7FFFFFFFFFFFFFFF,
                                        0xFFFFFFFFFFFFFFFF,
                                        0x80000000,
                                        0x7FFFFFFF,
                                        0xFFFFFFFF};
    for (int i = 0; i < 20000; ++i) patterns.push_back(random());
    for (const auto bits : patterns) {
        const auto word = [&](unsigned at) { return static_cast<std::uint16_t>(bits >> (16 * at)); };
        const Words two{word(1), word(0)};
        const Words four{word(3), word(2), word(1), word(0)};
        expect_words_survive(two, {BaseType::kInt32, 0});
        expect_words_survive(two, {BaseType::kUint32, 0});
        expect_words_survive(four, {BaseType::kInt64, 0});
        expect_words_survive(four, {BaseType::kUint64, 0});
        for (const auto order : kOrders) {
            // A NaN keeps being one, not its payload.
            for (const auto type : {BaseType::kFloat32, BaseType::kFloat64}) {
                const auto& words = type == BaseType::kFloat32 ? two : four;
                Value value;
                ASSERT_TRUE(decode_words(words, {type, 0}, order, std::nullopt, value));
                const auto again = encoded(value, {type, 0}, order);
                if (!std::isnan(std::get<double>(value))) {
                    ASSERT_EQ(again, words);
                    continue;
                }
                Value back;
                ASSERT_TRUE(decode_words(again, {type, 0}, order, std::nullopt, back));
                ASSERT_TRUE(std::isnan(std::get<double>(back)));
            }
        }
    }
}

TEST(Encode, Bcd32ComesBack) {
    std::mt19937 random{7};
    for (const auto order : kOrders) {
        for (int i = 0; i < 10000; ++i) {
            const std::uint64_t number = i == 0 ? 0 : i == 1 ? 99'999'999 : random() % 100'000'000;
            Value back;
            ASSERT_TRUE(decode_words(encoded(number, {BaseType::kBcd32, 0}, order), {BaseType::kBcd32, 0},
                                     order, std::nullopt, back));
            ASSERT_EQ(back, Value{number});
        }
    }
    EXPECT_EQ(encoded(std::uint64_t{98765432}, {BaseType::kBcd32, 0}, ByteOrder::kCdab),
              (Words{0x5432, 0x9876}));
}

TEST(Encode, TextOfEveryLengthComesBack) {
    const std::string letters = "Pump 7 \xE6\xB5\x8B and a longer name";
    for (std::uint16_t length = 1; length <= 30; ++length) {
        for (std::size_t size = 0; size <= length && size <= letters.size(); ++size) {
            const auto text = sanitize_utf8(letters.substr(0, size));
            if (text.size() != size) continue;  // cut inside a character
            for (const auto order : kOrders) {
                const DataType type{BaseType::kString, length};
                const auto words = encoded(text, type, order);
                ASSERT_EQ(words.size(), words_of(type));
                Value back;
                ASSERT_TRUE(decode_words(words, type, order, std::nullopt, back));
                ASSERT_EQ(back, Value{text});
            }
        }
    }
    EXPECT_EQ(encoded(std::string{"ABC"}, {BaseType::kString, 6}), (Words{0x4142, 0x4300, 0}));
    EXPECT_EQ(encoded(std::string{"ABC"}, {BaseType::kString, 3}, ByteOrder::kBadc), (Words{0x4241, 0x0043}));
}

TEST(Encode, IntegersMayComeSignedOrUnsigned) {
    EXPECT_EQ(encoded(std::int64_t{5}, {BaseType::kUint16, 0}), (Words{5}));
    EXPECT_EQ(encoded(std::uint64_t{5}, {BaseType::kInt32, 0}), (Words{0, 5}));
    EXPECT_EQ(encoded(std::int64_t{-2}, {BaseType::kInt16, 0}), (Words{0xFFFE}));
}

TEST(Encode, FloatsTakeTheNearestNumber) {
    EXPECT_EQ(encoded(0.1, {BaseType::kFloat32, 0}), (Words{0x3DCC, 0xCCCD}));
    EXPECT_EQ(encoded(3.4028235e38, {BaseType::kFloat32, 0}), (Words{0x7F7F, 0xFFFF}));
    EXPECT_EQ(encoded(std::numeric_limits<double>::infinity(), {BaseType::kFloat32, 0}), (Words{0x7F80, 0}));
    expect_refused(3.5e38, {BaseType::kFloat32, 0});
    expect_refused(-1e300, {BaseType::kFloat32, 0});
    // Half a step beyond the largest float rounds to infinity.
    expect_refused(std::ldexp(2 - std::ldexp(1.0, -24), 127), {BaseType::kFloat32, 0});
    EXPECT_EQ(encoded(std::nextafter(std::ldexp(2 - std::ldexp(1.0, -24), 127), 0), {BaseType::kFloat32, 0}),
              (Words{0x7F7F, 0xFFFF}));
}

TEST(Encode, WhatATypeCannotHoldIsRefused) {
    expect_refused(std::int64_t{32768}, {BaseType::kInt16, 0});
    expect_refused(std::int64_t{-32769}, {BaseType::kInt16, 0});
    expect_refused(std::uint64_t{65536}, {BaseType::kUint16, 0});
    expect_refused(std::int64_t{-1}, {BaseType::kUint16, 0});
    expect_refused(std::int64_t{-1}, {BaseType::kUint64, 0});
    expect_refused(std::uint64_t{1} << 31, {BaseType::kInt32, 0});
    expect_refused(std::uint64_t{1} << 32, {BaseType::kUint32, 0});
    expect_refused(std::uint64_t{1} << 63, {BaseType::kInt64, 0});
    expect_refused(std::uint64_t{10000}, {BaseType::kBcd16, 0});
    expect_refused(std::uint64_t{100'000'000}, {BaseType::kBcd32, 0});
    expect_refused(std::int64_t{-1}, {BaseType::kBcd16, 0});
    expect_refused(std::string{"four"}, {BaseType::kString, 3});
    expect_refused(std::string{"a\0b", 3}, {BaseType::kString, 8});
    expect_refused(std::uint64_t{5}, {BaseType::kString, 8});
    expect_refused(true, {BaseType::kUint16, 0});
    expect_refused(true, {BaseType::kBool, 0});
    expect_refused(1.5, {BaseType::kInt16, 0});
    expect_refused(std::uint64_t{1}, {BaseType::kFloat32, 0});
    expect_refused(Value{}, {BaseType::kInt16, 0});
}

}  // namespace
}  // namespace fieldwarden::worker
