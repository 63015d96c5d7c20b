#include "worker/decode.h"

namespace fieldwarden::worker {

namespace {

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

namespace decoding {

bool decode_bcd(std::uint64_t packed, unsigned digits, Value& out) {
    out = std::monostate{};
    std::uint64_t value = 0;
    for (unsigned i = digits; i-- > 0;) {
        const auto digit = packed >> (4 * i) & 0xF;
        if (digit > 9) return false;
        value = value * 10 + digit;
    }
    out = value;
    return true;
}

bool decode_text(std::span<const std::uint16_t> words, std::uint16_t length, ByteOrder order, Value& out) {
    const bool swap_bytes = order == ByteOrder::kBadc || order == ByteOrder::kDcba;
    std::string bytes;
    bytes.reserve(length);
    for (std::size_t i = 0; i < length; ++i) {
        const auto word = swap_bytes ? swapped(words[i / 2]) : words[i / 2];
        const auto c = static_cast<char>(i % 2 == 0 ? word >> 8 : word & 0xFF);
        if (c == '\0') break;
        bytes += c;
    }
    out = sanitize_utf8(bytes);
    return true;
}

}  // namespace decoding

}  // namespace fieldwarden::worker
