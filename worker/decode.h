// Registers → value. Pure; shared by every driver whose device hands out 16-bit words.
//
// A word holds its two bytes as the device sent them, first byte high. Byte orders are those of
// common/plant_types.h: BADC and DCBA swap the bytes of every word, CDAB and DCBA reverse the order of the
// words. In a string only the bytes of each word are swapped: its words are text in reading order.
#pragma once

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

}  // namespace fieldwarden::worker
