// Value → registers: the inverse of decode.h, with the same words and byte orders. Pure; shared by every
// driver that writes words.
#pragma once

#include <cstdint>
#include <vector>

#include "common/plant_types.h"
#include "common/result.h"
#include "common/sample.h"

namespace fieldwarden::worker {

// `out` becomes the words_of(type) words that decode_words() turns into `value` again. An integer may come
// signed or unsigned. A float32 takes the nearest number it has; NaN and infinity pass. Text is padded with
// zero bytes, the spare byte of an odd length included.
//
// kInvalidArgument, and `out` empty, when the type cannot hold the value: a number beyond its range, digits
// beyond a BCD's, text longer than its bytes or with a zero byte inside, a value of another kind. A bool is
// refused: it is one bit of a word whose others are not known here.
Status encode_words(const Value& value, DataType type, ByteOrder order, std::vector<std::uint16_t>& out);

}  // namespace fieldwarden::worker
