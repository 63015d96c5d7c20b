// Sample blocks: the compact byte form of a batch of samples, the same in the spool, the embedded history and
// the live frames between worker and supervisor.
//
// Layout (little-endian; varint = LEB128; zigzag = signed mapped to unsigned, small magnitudes first):
//
//   u8      format          1
//   varint  count           number of samples
//   u8      time flag       1 = every sample carries base_time and no deltas are stored, 0 = deltas stored
//   i64     base_time       microseconds since 1970-01-01T00:00:00Z, time of the first sample
//   count × {
//     zigzag  point - previous point (the first: point - 0)
//     u8      tag            bits 0-2 value kind (0 none, 1 false, 2 true, 3 signed, 4 unsigned, 5 float64, 6
//     text,
//                            7 float32: a double that a float holds exactly)
//                            bits 3-4 quality, bits 5-7 quality code
//     zigzag  time - previous time, microseconds (the first: time - base_time); present when the time flag is
//     0 value   signed: zigzag; unsigned: varint; float64: 8 bytes; float32: 4 bytes; text: varint length +
//     bytes
//   }
#pragma once

#include <span>

#include "common/bytes.h"
#include "common/sample.h"

namespace fieldwarden {

// No block holds more samples than this; a decoder refuses a larger count before it allocates.
inline constexpr std::size_t kMaxSamplesPerBlock = 1'000'000;

// Appends the block of `samples` to `out`. At most kMaxSamplesPerBlock samples.
void encode_sample_block(std::span<const Sample> samples, Bytes& out);

// Appends the samples of one block to `out`. On failure `out` is as it was. Safe on hostile bytes: memory is
// bounded by the size of `block`.
Status decode_sample_block(ByteSpan block, SampleBatch& out);

}  // namespace fieldwarden
