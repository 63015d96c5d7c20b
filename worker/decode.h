// Registers → value. Pure; shared by every driver whose device hands out 16-bit words.
//
// A word holds its two bytes as the device sent them, first byte high. Byte orders are those of
// common/plant_types.h: BADC and DCBA swap the bytes of every word, CDAB and DCBA reverse the order of the
// words. In a string only the bytes of each word are swapped: its words are text in reading order.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/plant_types.h"
#include "common/sample.h"

namespace fieldwarden::worker {

// Decodes the first words_of(type) words; `bit` (0 = least significant) is wanted for a bool and ignored
// otherwise. False, and `out` without a value, when the words hold no such value: a BCD nibble above 9, or
// too few words.
[[nodiscard]] bool decode_words(std::span<const std::uint16_t> words, DataType type, ByteOrder order,
                                std::optional<std::uint8_t> bit, Value& out);

// Valid UTF-8 as it is; every byte that belongs to no valid sequence becomes U+FFFD.
std::string sanitize_utf8(std::string_view bytes);

// --- inline: numbers are decoded for every point of every scan ---------------------------------------------

namespace decoding {

inline std::uint16_t swapped(std::uint16_t word) {
    return static_cast<std::uint16_t>(word << 8 | word >> 8);
}

// The first `Count` words of one number, most significant first, as one integer.
template <std::size_t Count>
std::uint64_t gather(std::span<const std::uint16_t> words, ByteOrder order) {
    const bool reverse_words = order == ByteOrder::kCdab || order == ByteOrder::kDcba;
    const bool swap_bytes = order == ByteOrder::kBadc || order == ByteOrder::kDcba;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto word = words[reverse_words ? Count - 1 - i : i];
        value = value << 16 | (swap_bytes ? swapped(word) : word);
    }
    return value;
}

bool decode_bcd(std::uint64_t packed, unsigned digits, Value& out);
bool decode_text(std::span<const std::uint16_t> words, std::uint16_t length, ByteOrder order, Value& out);

}  // namespace decoding

inline bool decode_words(std::span<const std::uint16_t> words, DataType type, ByteOrder order,
                         std::optional<std::uint8_t> bit, Value& out) {
    using decoding::gather;
    const auto has = [&](std::size_t count) {
        if (words.size() >= count) return true;
        out = std::monostate{};
        return false;
    };
    switch (type.base) {
        case BaseType::kBool:
            if (!has(1)) return false;
            out = (gather<1>(words, order) >> (bit.value_or(0) & 15) & 1) != 0;
            return true;
        case BaseType::kInt16:
            if (!has(1)) return false;
            out = std::int64_t{static_cast<std::int16_t>(gather<1>(words, order))};
            return true;
        case BaseType::kUint16:
            if (!has(1)) return false;
            out = gather<1>(words, order);
            return true;
        case BaseType::kInt32:
            if (!has(2)) return false;
            out = std::int64_t{static_cast<std::int32_t>(gather<2>(words, order))};
            return true;
        case BaseType::kUint32:
            if (!has(2)) return false;
            out = gather<2>(words, order);
            return true;
        case BaseType::kFloat32:
            if (!has(2)) return false;
            out = double{std::bit_cast<float>(static_cast<std::uint32_t>(gather<2>(words, order)))};
            return true;
        case BaseType::kInt64:
            if (!has(4)) return false;
            out = static_cast<std::int64_t>(gather<4>(words, order));
            return true;
        case BaseType::kUint64:
            if (!has(4)) return false;
            out = gather<4>(words, order);
            return true;
        case BaseType::kFloat64:
            if (!has(4)) return false;
            out = std::bit_cast<double>(gather<4>(words, order));
            return true;
        case BaseType::kBcd16:
            return has(1) && decoding::decode_bcd(gather<1>(words, order), 4, out);
        case BaseType::kBcd32:
            return has(2) && decoding::decode_bcd(gather<2>(words, order), 8, out);
        case BaseType::kString:
            return has((type.length + 1U) / 2) && decoding::decode_text(words, type.length, order, out);
    }
    return has(SIZE_MAX);
}

}  // namespace fieldwarden::worker
