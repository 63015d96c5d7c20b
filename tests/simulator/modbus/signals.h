// What the registers of a simulated Modbus device hold. Every unit id has all four areas, full width; values
// follow from the address, the unit and the time since start alone, so that 65,536 registers cost no memory.
//
// Holding and input registers (input registers run half a period behind):
//
//   0..1          uint32 ABCD: counts the reads of this area that covered both registers, from 1. A read that
//                 was lost or done twice shows in the values.
//   2..29999      float32 ABCD at even offsets, by (offset / 2) % 5:
//                   0 sine 50 ± 30      1 ramp 0 to 100      2 wandering 220 ± 15      3 constant 20 + unit
//                   4 noisy sine 1.5 ± 0.5
//   30000..49999  uint16, by offset % 5:
//                   0 sine 500 ± 400    1 ramp 0 to 4095     2 wandering 2000 ± 800
//                   3 status word: bits toggle, bit n every 2^n s  4 constant = offset
//   50000..59999  uint32 ABCD at even offsets: totals that rise steadily
//   60000..60999  text, 16 characters in every 8 registers: "SIM-u001-r60000"
//   61000..61999  float64 at offsets divisible by four: slow sine 1000 ± 10
//   62000..65535  bcd16: a ramp 0000 to 9999
//
// Coils and discrete inputs: toggle every 1 + offset % 10 seconds.
//
// Static: the time stands at zero and the counter does not count (benchmarks).
#pragma once

#include <cstdint>

namespace fieldwarden::simulator::modbus {

inline constexpr std::uint32_t kCounterWords = 2;

// One register, except of the counter. `seconds` since the simulator started.
std::uint16_t register_value(bool input, std::uint8_t unit, std::uint16_t offset, double seconds);
bool bit_value(bool input, std::uint8_t unit, std::uint16_t offset, double seconds);

}  // namespace fieldwarden::simulator::modbus
