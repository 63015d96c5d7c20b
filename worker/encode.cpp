#include "worker/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <optional>

namespace fieldwarden::worker {

namespace {

Error refused(DataType type, std::string_view why) {
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("the value does not fit {}: {}", format_data_type(type), why));
}

std::uint16_t swapped(std::uint16_t word) {
    return static_cast<std::uint16_t>(word << 8 | word >> 8);
}

// The low 16·count bits of `value`, laid out as decoding::gather() reads them.
void scatter(std::uint64_t value, std::size_t count, ByteOrder order, std::vector<std::uint16_t>& out) {
    const bool reverse_words = order == ByteOrder::kCdab || order == ByteOrder::kDcba;
    const bool swap_bytes = order == ByteOrder::kBadc || order == ByteOrder::kDcba;
    out.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto word = static_cast<std::uint16_t>(value >> (16 * (count - 1 - i)));
        out[reverse_words ? count - 1 - i : i] = swap_bytes ? swapped(word) : word;
    }
}

// The bits of an integer of at most `most`, and at least `least` where it is negative; nullopt: out of range
// or no integer.
std::optional<std::uint64_t> integer_bits(const Value& value, std::int64_t least, std::uint64_t most) {
    if (const auto* number = std::get_if<std::uint64_t>(&value))
        return *number <= most ? std::optional{*number} : std::nullopt;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        const bool fits = *number < 0 ? *number >= least : static_cast<std::uint64_t>(*number) <= most;
        return fits ? std::optional{static_cast<std::uint64_t>(*number)} : std::nullopt;
    }
    return std::nullopt;
}

template <class T>
std::optional<std::uint64_t> bits_in(const Value& value) {
    return integer_bits(value, static_cast<std::int64_t>(std::numeric_limits<T>::min()),
                        static_cast<std::uint64_t>(std::numeric_limits<T>::max()));
}

std::optional<std::uint64_t> bcd_bits(const Value& value, unsigned digits) {
    std::uint64_t most = 1;
    for (unsigned i = 0; i < digits; ++i) most *= 10;
    auto number = integer_bits(value, 0, most - 1);
    if (!number) return std::nullopt;
    std::uint64_t packed = 0;
    for (unsigned i = 0; i < digits; ++i, *number /= 10) packed |= *number % 10 << (4 * i);
    return packed;
}

std::optional<std::uint64_t> float32_bits(double number) {
    constexpr double kBeyond = 0x1.ffffffp+127;  // from here on the nearest float32 is infinity
    if (std::isfinite(number) && std::abs(number) >= kBeyond) return std::nullopt;
    return std::bit_cast<std::uint32_t>(static_cast<float>(number));
}

Status encode_text(const std::string& text, DataType type, ByteOrder order, std::vector<std::uint16_t>& out) {
    if (text.size() > type.length) return refused(type, fmt::format("it has {} bytes as UTF-8", text.size()));
    if (text.find('\0') != std::string::npos)
        return refused(type, "it holds a zero byte, which ends a text in the device");
    const bool swap_bytes = order == ByteOrder::kBadc || order == ByteOrder::kDcba;
    out.assign((type.length + 1U) / 2, 0);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool high = (i % 2 == 0) != swap_bytes;
        const auto byte = static_cast<unsigned char>(text[i]);
        out[i / 2] = static_cast<std::uint16_t>(out[i / 2] | byte << (high ? 8 : 0));
    }
    return {};
}

}  // namespace

Status encode_words(const Value& value, DataType type, ByteOrder order, std::vector<std::uint16_t>& out) {
    out.clear();
    std::optional<std::uint64_t> bits;
    const auto number = [&]() -> std::optional<double> {
        if (const auto* real = std::get_if<double>(&value)) return *real;
        return std::nullopt;
    }();
    switch (type.base) {
        case BaseType::kBool:
            return refused(type, "a single bit is not written as a word");
        case BaseType::kInt16:
            bits = bits_in<std::int16_t>(value);
            break;
        case BaseType::kUint16:
            bits = bits_in<std::uint16_t>(value);
            break;
        case BaseType::kInt32:
            bits = bits_in<std::int32_t>(value);
            break;
        case BaseType::kUint32:
            bits = bits_in<std::uint32_t>(value);
            break;
        case BaseType::kInt64:
            bits = bits_in<std::int64_t>(value);
            break;
        case BaseType::kUint64:
            bits = bits_in<std::uint64_t>(value);
            break;
        case BaseType::kFloat32:
            if (number) bits = float32_bits(*number);
            break;
        case BaseType::kFloat64:
            if (number) bits = std::bit_cast<std::uint64_t>(*number);
            break;
        case BaseType::kBcd16:
            bits = bcd_bits(value, 4);
            break;
        case BaseType::kBcd32:
            bits = bcd_bits(value, 8);
            break;
        case BaseType::kString: {
            const auto* text = std::get_if<std::string>(&value);
            if (text == nullptr) return refused(type, "it is no text");
            return encode_text(*text, type, order, out);
        }
    }
    if (!bits) return refused(type, "it is out of range, or of another kind");
    scatter(*bits, words_of(type), order, out);
    return {};
}

}  // namespace fieldwarden::worker
