#include "tests/simulator/mc/memory.h"

#include <algorithm>
#include <array>

#include "tests/simulator/modbus/signals.h"

namespace fieldwarden::simulator::mc {

namespace {

constexpr std::array<DeviceKind, 28> kKinds{{
    {0x91, "SM", "SM**", 0, false, false, "SM"},      {0xA9, "SD", "SD**", 0, true, false, "SD"},
    {0x9C, "X*", "X***", 0x5820, false, true, "X"},   {0x9D, "Y*", "Y***", 0x5920, false, true, "Y"},
    {0x90, "M*", "M***", 0x4D20, false, false, "M"},  {0x92, "L*", "L***", 0, false, false, "L"},
    {0x93, "F*", "F***", 0x4620, false, false, "F"},  {0x94, "V*", "V***", 0, false, false, "V"},
    {0xA0, "B*", "B***", 0x4220, false, true, "B"},   {0xA8, "D*", "D***", 0x4420, true, false, "D"},
    {0xB4, "W*", "W***", 0x5720, true, true, "W"},    {0xC1, "TS", "TS**", 0x5453, false, false, "TS"},
    {0xC0, "TC", "TC**", 0x5443, false, false, "TC"}, {0xC2, "TN", "TN**", 0x544E, true, false, "TN"},
    {0xC7, "SS", "STS*", 0, false, false, "STS"},     {0xC6, "SC", "STC*", 0, false, false, "STC"},
    {0xC8, "SN", "STN*", 0, true, false, "STN"},      {0xC4, "CS", "CS**", 0x4353, false, false, "CS"},
    {0xC3, "CC", "CC**", 0x4343, false, false, "CC"}, {0xC5, "CN", "CN**", 0x434E, true, false, "CN"},
    {0xA1, "SB", "SB**", 0, false, true, "SB"},       {0xB5, "SW", "SW**", 0, true, true, "SW"},
    {0xA2, "DX", "DX**", 0, false, true, "DX"},       {0xA3, "DY", "DY**", 0, false, true, "DY"},
    {0x98, "S*", "S***", 0x5320, false, false, "S"},  {0xCC, "Z*", "Z***", 0, true, false, "Z"},
    {0xAF, "R*", "R***", 0x5220, true, false, "R"},   {0xB0, "ZR", "ZR**", 0, true, true, "ZR"},
}};

constexpr std::uint32_t kSizeOfR = 32768;
constexpr std::uint8_t kX = 0x9C;
constexpr std::uint8_t kR = 0xAF;

bool is_current_value(std::uint8_t code) {
    return code == 0xC2 || code == 0xC8 || code == kCn;
}

// Of a Modbus register, where the same word stands in the other order.
std::uint16_t mirrored(std::uint32_t number) {
    auto offset = static_cast<std::uint16_t>(number);
    if (offset < 30000 || (offset >= 50000 && offset < 60000))
        offset = static_cast<std::uint16_t>(offset ^ 1);
    if (offset >= 61000 && offset < 62000) {
        // Groups of four start at 61000.
        const auto place = (offset - 61000) % 4;
        offset = static_cast<std::uint16_t>(offset - place + (3 - place));
    }
    return offset;
}

}  // namespace

std::span<const DeviceKind> device_kinds() {
    return kKinds;
}

const DeviceKind* kind_of(std::uint8_t code) {
    const auto found =
        std::find_if(kKinds.begin(), kKinds.end(), [&](const auto& k) { return k.code == code; });
    return found == kKinds.end() ? nullptr : &*found;
}

std::uint32_t Memory::size_of(std::uint8_t code) const {
    return code == kR ? std::min(size_, kSizeOfR) : size_;
}

std::uint16_t Memory::word(std::uint8_t code, std::uint32_t number, double seconds) const {
    if (const auto written = written_.find({code, number}); written != written_.end()) return written->second;
    const double at = static_ ? 0 : seconds;
    if (code == kD && number < 2) {
        const auto count = static_ ? 1 : reads_;
        return static_cast<std::uint16_t>(number == 0 ? count : count >> 16);
    }
    const auto unit = static_cast<std::uint8_t>(code == kD ? 1 : code);
    if (is_current_value(code))
        return modbus::register_value(false, unit, static_cast<std::uint16_t>(30001 + number % 3999 * 5), at);
    const auto value = modbus::register_value(false, unit, mirrored(number), at);
    const auto offset = number & 0xFFFF;
    if (offset >= 60000 && offset < 61000) return static_cast<std::uint16_t>(value << 8 | value >> 8);
    return value;
}

bool Memory::bit(std::uint8_t code, std::uint32_t number, double seconds) const {
    if (const auto written = written_.find({code, number}); written != written_.end())
        return written->second != 0;
    return modbus::bit_value(code == kX, 1, static_cast<std::uint16_t>(number), static_ ? 0 : seconds);
}

std::uint16_t Memory::wide_counter(std::uint32_t number, bool high, double seconds) const {
    if (const auto written = counters_.find({number, high}); written != counters_.end())
        return written->second;
    const auto value = number * 100'000 + static_cast<std::uint32_t>(static_ ? 0 : seconds);
    return static_cast<std::uint16_t>(high ? value >> 16 : value);
}

void Memory::set_word(std::uint8_t code, std::uint32_t number, std::uint16_t value) {
    written_[{code, number}] = value;
}

void Memory::set_bit(std::uint8_t code, std::uint32_t number, bool on) {
    written_[{code, number}] = on ? 1 : 0;
}

void Memory::set_wide_counter(std::uint32_t number, bool high, std::uint16_t value) {
    counters_[{number, high}] = value;
}

}  // namespace fieldwarden::simulator::mc
