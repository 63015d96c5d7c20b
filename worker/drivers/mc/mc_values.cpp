#include "worker/drivers/mc/mc_values.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <limits>

#include "worker/decode.h"

namespace fieldwarden::worker::mc {

namespace {

Error refuse(DataType type, std::string_view why) {
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("the value is no {}: {}", format_data_type(type), why));
}

// A whole number of either kind, when `value` is one between the two.
Result<std::uint64_t> whole(const Value& value, DataType type, std::int64_t least, std::uint64_t most) {
    const auto out_of_range = [&] {
        return refuse(type, fmt::format("it has to lie between {} and {}", least, most));
    };
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        if (*number < least || (*number > 0 && static_cast<std::uint64_t>(*number) > most))
            return out_of_range();
        return static_cast<std::uint64_t>(*number);
    }
    if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        if (*number > most) return out_of_range();
        return *number;
    }
    return refuse(type, "a whole number is wanted");
}

Result<double> real(const Value& value, DataType type) {
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*number);
    return refuse(type, "a number is wanted");
}

std::uint64_t packed_bcd(std::uint64_t number) {
    std::uint64_t packed = 0;
    for (unsigned shift = 0; number != 0; shift += 4, number /= 10) packed |= number % 10 << shift;
    return packed;
}

std::vector<std::uint16_t> spread(std::uint64_t bits, std::size_t count, ByteOrder order) {
    const bool low_first = order == ByteOrder::kAbcd || order == ByteOrder::kBadc;
    const bool swap = order == ByteOrder::kBadc || order == ByteOrder::kDcba;
    std::vector<std::uint16_t> words(count);
    for (std::size_t i = 0; i < count; ++i) {
        const auto word = static_cast<std::uint16_t>(bits >> (16 * i));
        words[low_first ? i : count - 1 - i] = swap ? decoding::swapped(word) : word;
    }
    return words;
}

Result<std::vector<std::uint16_t>> text_words(const Value& value, DataType type, ByteOrder order) {
    const auto* text = std::get_if<std::string>(&value);
    if (text == nullptr) return refuse(type, "a text is wanted");
    if (text->size() > type.length) return refuse(type, fmt::format("it has {} bytes", text->size()));
    const bool swap = order == ByteOrder::kBadc || order == ByteOrder::kDcba;
    std::vector<std::uint16_t> words(words_of(type));
    for (std::size_t i = 0; i < text->size(); ++i) {
        const auto byte = static_cast<std::uint8_t>((*text)[i]);
        words[i / 2] = static_cast<std::uint16_t>(words[i / 2] | byte << (i % 2 == 0 ? 0 : 8));
    }
    if (swap) {
        for (auto& word : words) word = decoding::swapped(word);
    }
    return words;
}

constexpr auto kLeast16 = std::numeric_limits<std::int16_t>::min();
constexpr auto kLeast32 = std::numeric_limits<std::int32_t>::min();
constexpr auto kLeast64 = std::numeric_limits<std::int64_t>::min();

}  // namespace

ByteOrder word_order(DataType type, ByteOrder order) {
    const bool text = type.base == BaseType::kString;
    switch (order) {
        case ByteOrder::kAbcd:
            return text ? ByteOrder::kBadc : ByteOrder::kCdab;
        case ByteOrder::kCdab:
            return text ? ByteOrder::kBadc : ByteOrder::kAbcd;
        case ByteOrder::kBadc:
            return text ? ByteOrder::kAbcd : ByteOrder::kDcba;
        case ByteOrder::kDcba:
            return text ? ByteOrder::kAbcd : ByteOrder::kBadc;
    }
    return order;
}

std::vector<std::uint16_t> words_from_bit(std::span<const std::uint16_t> words, std::size_t at,
                                          std::size_t count) {
    std::vector<std::uint16_t> out(count);
    const auto shift = at % 16;
    for (std::size_t i = 0; i < count; ++i) {
        const auto low = at / 16 + i;
        const auto word = [&](std::size_t n) { return n < words.size() ? words[n] : std::uint16_t{0}; };
        const auto both = static_cast<std::uint32_t>(word(low)) | static_cast<std::uint32_t>(word(low + 1))
                                                                      << 16;
        out[i] = static_cast<std::uint16_t>(both >> shift);
    }
    return out;
}

Result<std::vector<std::uint16_t>> encode_value(const Value& value, DataType type, ByteOrder order) {
    const auto number = [&](std::int64_t least, std::uint64_t most) -> Result<std::vector<std::uint16_t>> {
        const auto bits = whole(value, type, least, most);
        if (!bits) return bits.error();
        return spread(*bits, words_of(type), order);
    };
    const auto bcd = [&](std::uint64_t most) -> Result<std::vector<std::uint16_t>> {
        const auto bits = whole(value, type, 0, most);
        if (!bits) return bits.error();
        return spread(packed_bcd(*bits), words_of(type), order);
    };
    switch (type.base) {
        case BaseType::kBool: {
            const auto* on = std::get_if<bool>(&value);
            if (on == nullptr) return refuse(type, "true or false is wanted");
            return std::vector<std::uint16_t>{static_cast<std::uint16_t>(*on ? 1 : 0)};
        }
        case BaseType::kInt16:
            return number(kLeast16, 0x7FFF);
        case BaseType::kUint16:
            return number(0, 0xFFFF);
        case BaseType::kInt32:
            return number(kLeast32, 0x7FFF'FFFF);
        case BaseType::kUint32:
            return number(0, 0xFFFF'FFFF);
        case BaseType::kInt64:
            return number(kLeast64, std::uint64_t{0x7FFF'FFFF'FFFF'FFFF});
        case BaseType::kUint64:
            return number(0, ~std::uint64_t{0});
        case BaseType::kBcd16:
            return bcd(9999);
        case BaseType::kBcd32:
            return bcd(99'999'999);
        case BaseType::kFloat32: {
            const auto given = real(value, type);
            if (!given) return given.error();
            if (std::isfinite(*given) && std::abs(*given) > std::numeric_limits<float>::max())
                return refuse(type, "it is too large");
            return spread(std::bit_cast<std::uint32_t>(static_cast<float>(*given)), 2, order);
        }
        case BaseType::kFloat64: {
            const auto given = real(value, type);
            if (!given) return given.error();
            return spread(std::bit_cast<std::uint64_t>(*given), 4, order);
        }
        case BaseType::kString:
            return text_words(value, type, order);
    }
    return refuse(type, "unknown type");
}

}  // namespace fieldwarden::worker::mc
