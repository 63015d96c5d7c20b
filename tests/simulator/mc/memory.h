// What the devices of a simulated Mitsubishi PLC hold. Values follow from the device number and the time
// since start, until somebody writes: what was written stays.
//
// Words (D W R ZR SD SW Z; each kind with phases of its own), as in tests/simulator/modbus/signals.h, but in
// the PLC's order, the low word first and the first letter of a text in the low byte:
//   0..1          uint32: counts the reads of D that covered both words, from 1 (D only)
//   2..29999      float32 at even numbers      30000..49999  uint16      50000..59999  uint32 at even numbers
//   60000..60999  text, 16 characters in every 8 words          61000..61999  float64 at numbers divisible by
//   4 62000..65535  bcd16
// Current values (TN STN CN): ramps. CN200 and up in 1E frames: uint32 that rise.
// Bits: toggle every 1 + number % 10 seconds, X a second apart from the others.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

namespace fieldwarden::simulator::mc {

// The PLC's devices by their code in 3E frames (SH-080008, device code list).
struct DeviceKind {
    std::uint8_t code;
    std::string_view two;   // letters in ASCII frames of Q series
    std::string_view four;  // and of iQ-R
    std::uint16_t one_e;    // code in 1E frames; 0: none
    bool word;
    bool hexadecimal;
    std::string_view name;  // in the control port's ranges
};
std::span<const DeviceKind> device_kinds();
const DeviceKind* kind_of(std::uint8_t code);

inline constexpr std::uint8_t kD = 0xA8;
inline constexpr std::uint8_t kCn = 0xC5;
inline constexpr std::uint32_t kFirstWideCounter = 200;

class Memory {
  public:
    Memory(std::uint32_t size, bool static_values) : size_(size), static_(static_values) {}

    // Numbers of each kind: size, and 32768 for R.
    [[nodiscard]] std::uint32_t size_of(std::uint8_t code) const;
    [[nodiscard]] std::uint16_t word(std::uint8_t code, std::uint32_t number, double seconds) const;
    [[nodiscard]] bool bit(std::uint8_t code, std::uint32_t number, double seconds) const;
    // Low or high word of a 32-bit counter.
    [[nodiscard]] std::uint16_t wide_counter(std::uint32_t number, bool high, double seconds) const;
    void set_word(std::uint8_t code, std::uint32_t number, std::uint16_t value);
    void set_bit(std::uint8_t code, std::uint32_t number, bool on);
    void set_wide_counter(std::uint32_t number, bool high, std::uint16_t value);
    void count_read() { ++reads_; }

  private:
    std::uint32_t size_;
    bool static_;
    std::uint32_t reads_ = 0;
    std::map<std::pair<std::uint8_t, std::uint32_t>, std::uint16_t> written_;
    std::map<std::pair<std::uint32_t, bool>, std::uint16_t> counters_;
};

}  // namespace fieldwarden::simulator::mc
