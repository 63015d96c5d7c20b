// Values in the words of a Mitsubishi PLC, pure.
//
// A PLC keeps the low word of a long value first, and the first character of a text in the low byte of its
// word. A point's byte_order is relative to that: ABCD, the default, is the PLC's own order, so that a
// float32 of the PLC's program is right without a thought. CDAB swaps the words (high word first), BADC the
// bytes of each word, DCBA both. In a text only the bytes of each word are swapped (BADC and DCBA).
//   Source: SH-080008, section 8.1 "Read data, write data"; FX3U-ENET-ADP user's manual, section 7.3.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "common/plant_types.h"
#include "common/result.h"
#include "common/sample.h"

namespace fieldwarden::worker::mc {

// The order that decode_words() needs for a point of this type and byte order.
ByteOrder word_order(DataType type, ByteOrder order);

// The 16 × words_of(type) bits from bit `at` of `words` on: a number in bit devices, which may begin
// anywhere.
std::vector<std::uint16_t> words_from_bit(std::span<const std::uint16_t> words, std::size_t at,
                                          std::size_t count);

// The words of a value, as they go to the device. A text is filled up with zeros. kInvalidArgument when the
// value is not of the type or does not fit it.
Result<std::vector<std::uint16_t>> encode_value(const Value& value, DataType type, ByteOrder order);

}  // namespace fieldwarden::worker::mc
