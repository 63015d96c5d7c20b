// Registers → value, for every type in every byte order.
#include "worker/decode.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

namespace fieldwarden::worker {
namespace {

using Words = std::vector<std::uint16_t>;

// The words of a value whose bytes are `big` (most significant first), in the order `order`: the definition
// of CONTRACT 2 spelled out letter by letter, independent of how decode.cpp computes it.
Words ordered(const std::vector<std::uint8_t>& big, ByteOrder order) {
    std::vector<std::size_t> letters;
    const auto n = big.size();
    for (std::size_t i = 0; i < n; ++i) {
        switch (order) {
            case ByteOrder::kAbcd:
                letters.push_back(i);  // ABCDEFGH
                break;
            case ByteOrder::kDcba:
                letters.push_back(n - 1 - i);  // HGFEDCBA
                break;
            case ByteOrder::kBadc:
                letters.push_back(i ^ 1);  // BADCFEHG
                break;
            case ByteOrder::kCdab:
                letters.push_back((n - 1 - i) ^ 1);  // GHEFCDAB
                break;
        }
    }
    Words words;
    for (std::size_t i = 0; i < n; i += 2)
        words.push_back(static_cast<std::uint16_t>(big[letters[i]] << 8 | big[letters[i + 1]]));
    return words;
}

template <class T>
std::vector<std::uint8_t> big_endian(T bits) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = sizeof(T); i-- > 0;)
        bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(bits) >> (8 * i)));
    return bytes;
}

Value decoded(const Words& words, BaseType type, ByteOrder order) {
    Value out;
    EXPECT_TRUE(decode_words(words, {type, 0}, order, std::nullopt, out));
    return out;
}

class EveryOrder : public testing::TestWithParam<ByteOrder> {};

TEST_P(EveryOrder, LettersAreThoseOfTheContract) {
    // 0x41 = 'A' and so on: the words spell the order's own name.
    const auto words = ordered({'A', 'B', 'C', 'D'}, GetParam());
    std::string spelled;
    for (const auto word : words) {
        spelled += static_cast<char>(word >> 8);
        spelled += static_cast<char>(word & 0xFF);
    }
    EXPECT_EQ(spelled, to_name(GetParam()));
    EXPECT_EQ(decoded(words, BaseType::kUint32, GetParam()), Value{std::uint64_t{0x41424344}});
}

TEST_P(EveryOrder, SixteenBits) {
    for (const auto bits :
         std::initializer_list<std::uint16_t>{0x0000, 0x1234, 0x8000, 0xFFFF, 0x7FFF, 0x00FF}) {
        const auto words = ordered(big_endian(bits), GetParam());
        EXPECT_EQ(decoded(words, BaseType::kUint16, GetParam()), Value{std::uint64_t{bits}});
        EXPECT_EQ(decoded(words, BaseType::kInt16, GetParam()),
                  Value{std::int64_t{static_cast<std::int16_t>(bits)}});
    }
}

TEST_P(EveryOrder, ThirtyTwoBits) {
    for (const std::uint32_t bits : {0U, 0x12345678U, 0x80000000U, 0xFFFFFFFFU, 0x0000FFFFU}) {
        const auto words = ordered(big_endian(bits), GetParam());
        EXPECT_EQ(decoded(words, BaseType::kUint32, GetParam()), Value{std::uint64_t{bits}});
        EXPECT_EQ(decoded(words, BaseType::kInt32, GetParam()),
                  Value{std::int64_t{static_cast<std::int32_t>(bits)}});
    }
    for (const float number : {0.0F, -0.0F, 1.5F, -273.15F, 3.4e38F, 1e-40F}) {
        const auto words = ordered(big_endian(std::bit_cast<std::uint32_t>(number)), GetParam());
        EXPECT_EQ(decoded(words, BaseType::kFloat32, GetParam()), Value{static_cast<double>(number)});
    }
}

TEST_P(EveryOrder, SixtyFourBits) {
    for (const std::uint64_t bits : {std::uint64_t{0}, std::uint64_t{0x0123456789ABCDEF},
                                     std::uint64_t{1} << 63, std::numeric_limits<std::uint64_t>::max()}) {
        const auto words = ordered(big_endian(bits), GetParam());
        EXPECT_EQ(decoded(words, BaseType::kUint64, GetParam()), Value{bits});
        EXPECT_EQ(decoded(words, BaseType::kInt64, GetParam()), Value{static_cast<std::int64_t>(bits)});
    }
    const auto words = ordered(big_endian(std::bit_cast<std::uint64_t>(-1234.5678e200)), GetParam());
    EXPECT_EQ(decoded(words, BaseType::kFloat64, GetParam()), Value{-1234.5678e200});
}

TEST_P(EveryOrder, Bcd) {
    EXPECT_EQ(decoded(ordered({0x12, 0x34}, GetParam()), BaseType::kBcd16, GetParam()),
              Value{std::uint64_t{1234}});
    EXPECT_EQ(decoded(ordered({0x98, 0x76, 0x54, 0x32}, GetParam()), BaseType::kBcd32, GetParam()),
              Value{std::uint64_t{98765432}});
    EXPECT_EQ(decoded(ordered({0x00, 0x00}, GetParam()), BaseType::kBcd16, GetParam()),
              Value{std::uint64_t{0}});
}

TEST_P(EveryOrder, BcdNibbleAboveNineIsNoValueWhereverItStands) {
    for (unsigned nibble = 0; nibble < 8; ++nibble) {
        const std::uint32_t bits = 0x11111111U + (0xAU - 1U) * (1U << (4 * nibble));
        Value out{1.0};
        EXPECT_FALSE(decode_words(ordered(big_endian(bits), GetParam()), {BaseType::kBcd32, 0}, GetParam(),
                                  std::nullopt, out))
            << nibble;
        EXPECT_EQ(out, Value{});
    }
}

TEST_P(EveryOrder, BitOfARegister) {
    for (std::uint8_t bit = 0; bit < 16; ++bit) {
        const auto words = ordered(big_endian(static_cast<std::uint16_t>(1U << bit)), GetParam());
        for (std::uint8_t asked = 0; asked < 16; ++asked) {
            Value out;
            ASSERT_TRUE(decode_words(words, {BaseType::kBool, 0}, GetParam(), asked, out));
            EXPECT_EQ(out, Value{asked == bit});
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Orders, EveryOrder,
                         testing::Values(ByteOrder::kAbcd, ByteOrder::kDcba, ByteOrder::kBadc,
                                         ByteOrder::kCdab),
                         [](const auto& order) { return std::string{to_name(order.param)}; });

Value text(const Words& words, std::uint16_t length, ByteOrder order = ByteOrder::kAbcd) {
    Value out;
    EXPECT_TRUE(decode_words(words, {BaseType::kString, length}, order, std::nullopt, out));
    return out;
}

TEST(DecodeText, EndsAtNulOrAtItsLength) {
    EXPECT_EQ(text({0x4142, 0x4300, 0x4445}, 6), Value{std::string{"ABC"}});
    EXPECT_EQ(text({0x4142, 0x4344}, 3), Value{std::string{"ABC"}});
    EXPECT_EQ(text({0x0000}, 2), Value{std::string{}});
}

TEST(DecodeText, ByteSwapHappensWithinWords) {
    EXPECT_EQ(text({0x4241, 0x4443}, 4, ByteOrder::kBadc), Value{std::string{"ABCD"}});
    EXPECT_EQ(text({0x4241, 0x4443}, 4, ByteOrder::kDcba), Value{std::string{"ABCD"}});
    EXPECT_EQ(text({0x4142, 0x4344}, 4, ByteOrder::kCdab), Value{std::string{"ABCD"}});
}

TEST(DecodeText, BytesThatAreNoUtf8BecomeReplacementCharacters) {
    EXPECT_EQ(text({0xFF41}, 2), Value{std::string{"\xEF\xBF\xBD"
                                                   "A"}});
    // A sequence cut by the end of the field.
    EXPECT_EQ(text({0x41E6, 0xB500}, 4), Value{std::string{"A\xEF\xBF\xBD\xEF\xBF\xBD"}});
    EXPECT_EQ(text({0xE6B5, 0x8B41}, 4), Value{std::string{"\xE6\xB5\x8B"
                                                           "A"}});
}

TEST(SanitizeUtf8, RefusesOverlongSurrogateAndTooHigh) {
    const std::string r = "\xEF\xBF\xBD";
    EXPECT_EQ(sanitize_utf8("\xC0\x80"), r + r);
    EXPECT_EQ(sanitize_utf8("\xE0\x80\x80"), r + r + r);
    EXPECT_EQ(sanitize_utf8("\xED\xA0\x80"), r + r + r);
    EXPECT_EQ(sanitize_utf8("\xF4\x90\x80\x80"), r + r + r + r);
    EXPECT_EQ(sanitize_utf8("\xF0\x9F\x98\x80"), "\xF0\x9F\x98\x80");
}

TEST(Decode, TooFewWordsAreNoValue) {
    Value out{1.0};
    EXPECT_FALSE(decode_words(Words{1}, {BaseType::kFloat32, 0}, ByteOrder::kAbcd, std::nullopt, out));
    EXPECT_EQ(out, Value{});
    EXPECT_FALSE(decode_words({}, {BaseType::kUint16, 0}, ByteOrder::kAbcd, std::nullopt, out));
}

TEST(Decode, NotANumberComesThroughAsItIs) {
    const auto value = decoded({0x7FC0, 0x0000}, BaseType::kFloat32, ByteOrder::kAbcd);
    EXPECT_TRUE(std::isnan(std::get<double>(value)));
}

}  // namespace
}  // namespace fieldwarden::worker
