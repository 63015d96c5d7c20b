#include "tests/simulator/modbus/signals.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace fieldwarden::simulator::modbus {

namespace {

constexpr std::size_t kSineSteps = 1024;

// A table, because a load generator computes millions of values a second. `turns` counts whole periods.
double sine(double turns) {
    static const auto table = [] {
        std::array<double, kSineSteps> out{};
        for (std::size_t i = 0; i < kSineSteps; ++i)
            out[i] = std::sin(2 * std::numbers::pi * static_cast<double>(i) / kSineSteps);
        return out;
    }();
    const double part = turns - std::floor(turns);
    return table[static_cast<std::size_t>(part * kSineSteps) % kSineSteps];
}

double ramp(double turns) {
    return turns - std::floor(turns);
}

// Between -1 and 1, never quite repeating: sines whose periods have no common measure.
double wandering(double turns) {
    return (sine(turns) + sine(turns * 2.7183) + sine(turns * 0.3679)) / 3;
}

// The n-th 16-bit word of a value, most significant first.
template <class T>
std::uint16_t word_of(T value, unsigned word, unsigned words) {
    return static_cast<std::uint16_t>(value >> (16 * (words - 1 - word)));
}

// Each value has its own phase, so that neighbours differ.
struct Moment {
    double turns;
    std::uint32_t slot;
};
Moment moment_of(bool input, std::uint8_t unit, std::uint32_t slot, double seconds) {
    const double period = 20.0 + slot % 7 * 5.0;
    const double phase = (slot * 37 % 360 + unit * 11.0 + (input ? 180 : 0)) / 360.0;
    return {seconds / period + phase, slot};
}

float float_signal(const Moment& moment, std::uint8_t unit) {
    switch (moment.slot % 5) {
        case 0:
            return static_cast<float>(50 + 30 * sine(moment.turns));
        case 1:
            return static_cast<float>(100 * ramp(moment.turns));
        case 2:
            return static_cast<float>(220 + 15 * wandering(moment.turns));
        case 3:
            return static_cast<float>(20 + unit);
        default:
            return static_cast<float>(1.5 + 0.4 * sine(moment.turns) + 0.1 * sine(moment.turns * 17.3));
    }
}

std::uint16_t word_signal(const Moment& moment, std::uint16_t offset, double seconds) {
    switch (offset % 5) {
        case 0:
            return static_cast<std::uint16_t>(500 + 400 * sine(moment.turns));
        case 1:
            return static_cast<std::uint16_t>(4095 * ramp(moment.turns));
        case 2:
            return static_cast<std::uint16_t>(2000 + 800 * wandering(moment.turns));
        case 3:
            return static_cast<std::uint16_t>(static_cast<std::uint64_t>(seconds));
        default:
            return offset;
    }
}

std::uint16_t text_word(std::uint8_t unit, std::uint16_t offset) {
    const auto base = offset - offset % 8;
    const auto text = fmt::format("SIM-u{:03}-r{}", unit, base);
    const std::size_t at = offset % 8 * 2U;
    const auto letter = [&](std::size_t i) {
        return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
    };
    return static_cast<std::uint16_t>(letter(at) << 8 | letter(at + 1));
}

std::uint16_t bcd_of(unsigned number) {
    return static_cast<std::uint16_t>(number / 1000 % 10 << 12 | number / 100 % 10 << 8 |
                                      number / 10 % 10 << 4 | number % 10);
}

}  // namespace

std::uint16_t register_value(bool input, std::uint8_t unit, std::uint16_t offset, double seconds) {
    if (offset < 30000) {
        const auto moment = moment_of(input, unit, offset / 2U, seconds);
        return word_of(std::bit_cast<std::uint32_t>(float_signal(moment, unit)), offset % 2, 2);
    }
    if (offset < 50000) return word_signal(moment_of(input, unit, offset, seconds), offset, seconds);
    if (offset < 60000) {
        const auto total = static_cast<std::uint32_t>(seconds * (1 + offset / 2 % 50)) + offset * 100U;
        return word_of(total, offset % 2, 2);
    }
    if (offset < 61000) return text_word(unit, offset);
    if (offset < 62000) {
        const auto moment = moment_of(input, unit, offset / 4U, seconds / 10);
        return word_of(std::bit_cast<std::uint64_t>(1000 + 10 * sine(moment.turns)), offset % 4, 4);
    }
    return bcd_of(static_cast<unsigned>(ramp(moment_of(input, unit, offset, seconds).turns) * 9999));
}

bool bit_value(bool input, std::uint8_t unit, std::uint16_t offset, double seconds) {
    const auto turns = static_cast<std::uint64_t>(seconds / (1 + offset % 10));
    return (turns + offset + unit + (input ? 1 : 0)) % 2 != 0;
}

}  // namespace fieldwarden::simulator::modbus
