#include "worker/decode.h"

#include <bit>
#include <utility>

namespace fieldwarden::worker {

namespace {

struct Order {
    bool swap_bytes;
    bool reverse_words;
};

Order order_of(ByteOrder order) {
    switch (order) {
        case ByteOrder::kAbcd:
            return {false, false};
        case ByteOrder::kDcba:
            return {true, true};
        case ByteOrder::kBadc:
            return {true, false};
        case ByteOrder::kCdab:
            return {false, true};
    }
    return {false, false};
}

std::uint16_t swapped(std::uint16_t word) {
    return static_cast<std::uint16_t>(word << 8 | word >> 8);
}

// The first `Count` words of one number, most significant first, as one integer. Unrolled: this runs for
// every value of every scan.
template <std::size_t Count>
std::uint64_t gather(std::span<const std::uint16_t> words, Order order) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < Count; ++i) {
        const auto word = words[order.reverse_words ? Count - 1 - i : i];
        value = value << 16 | (order.swap_bytes ? swapped(word) : word);
    }
    return value;
}

std::optional<std::uint64_t> from_bcd(std::uint64_t packed, unsigned digits) {
    std::uint64_t value = 0;
    for (unsigned i = digits; i-- > 0;) {
        const auto digit = packed >> (4 * i) & 0xF;
        if (digit > 9) return std::nullopt;
        value = value * 10 + digit;
    }
    return value;
}

std::string text_of(std::span<const std::uint16_t> words, std::size_t length, bool swap_bytes) {
    std::string bytes;
    bytes.reserve(length);
    for (std::size_t i = 0; i < length; ++i) {
        const auto word = swap_bytes ? swapped(words[i / 2]) : words[i / 2];
        const auto c = static_cast<char>(i % 2 == 0 ? word >> 8 : word & 0xFF);
        if (c == '\0') break;
        bytes += c;
    }
    return sanitize_utf8(bytes);
}

// Length of the valid UTF-8 sequence at the start of `bytes`, 0 when there is none (RFC 3629: no overlong
// form, no surrogate, nothing above U+10FFFF).
std::size_t sequence_length(std::string_view bytes) {
    const auto at = [&](std::size_t i) {
        return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
    };
    const auto follows = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
    const unsigned lead = at(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const unsigned least = lead == 0xE0 ? 0xA0 : 0x80;
        const unsigned most = lead == 0xED ? 0x9F : 0xBF;
        return at(1) >= least && at(1) <= most && follows(2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const unsigned least = lead == 0xF0 ? 0x90 : 0x80;
        const unsigned most = lead == 0xF4 ? 0x8F : 0xBF;
        return at(1) >= least && at(1) <= most && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

std::string sanitize_utf8(std::string_view bytes) {
    std::string out;
    out.reserve(bytes.size());
    while (!bytes.empty()) {
        const auto length = sequence_length(bytes);
        if (length == 0) {
            out += "\xEF\xBF\xBD";
            bytes.remove_prefix(1);
        } else {
            out += bytes.substr(0, length);
            bytes.remove_prefix(length);
        }
    }
    return out;
}

bool decode_words(std::span<const std::uint16_t> words, DataType type, ByteOrder order,
                  std::optional<std::uint8_t> bit, Value& out) {
    const auto no_value = [&] {
        out = std::monostate{};
        return false;
    };
    if (words.size() < words_of(type)) return no_value();
    const auto how = order_of(order);
    switch (type.base) {
        case BaseType::kBool:
            out = (gather<1>(words, how) >> (bit.value_or(0) & 15) & 1) != 0;
            return true;
        case BaseType::kInt16:
            out = std::int64_t{static_cast<std::int16_t>(gather<1>(words, how))};
            return true;
        case BaseType::kInt32:
            out = std::int64_t{static_cast<std::int32_t>(gather<2>(words, how))};
            return true;
        case BaseType::kInt64:
            out = static_cast<std::int64_t>(gather<4>(words, how));
            return true;
        case BaseType::kUint16:
            out = gather<1>(words, how);
            return true;
        case BaseType::kUint32:
            out = gather<2>(words, how);
            return true;
        case BaseType::kUint64:
            out = gather<4>(words, how);
            return true;
        case BaseType::kFloat32:
            out = double{std::bit_cast<float>(static_cast<std::uint32_t>(gather<2>(words, how)))};
            return true;
        case BaseType::kFloat64:
            out = std::bit_cast<double>(gather<4>(words, how));
            return true;
        case BaseType::kBcd16:
        case BaseType::kBcd32: {
            const auto value = type.base == BaseType::kBcd16 ? from_bcd(gather<1>(words, how), 4)
                                                             : from_bcd(gather<2>(words, how), 8);
            if (!value) return no_value();
            out = *value;
            return true;
        }
        case BaseType::kString:
            out = text_of(words, type.length, how.swap_bytes);
            return true;
    }
    return no_value();
}

}  // namespace fieldwarden::worker
