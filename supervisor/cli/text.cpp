#include "supervisor/cli/text.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace fieldwarden::supervisor::cli {

namespace {

struct Range {
    char32_t first;
    char32_t last;
};

// East Asian Width W and F (Unicode 15, EastAsianWidth.txt), joined where only unassigned code points lie
// between.
constexpr std::array kWide{
    Range{0x1100, 0x115F},   Range{0x231A, 0x231B},   Range{0x23E9, 0x23EC},   Range{0x2614, 0x2615},
    Range{0x26A1, 0x26A1},   Range{0x2705, 0x2705},   Range{0x274C, 0x274C},   Range{0x2753, 0x2755},
    Range{0x2795, 0x2797},   Range{0x2E80, 0x303E},   Range{0x3041, 0x33FF},   Range{0x3400, 0x4DBF},
    Range{0x4E00, 0x9FFF},   Range{0xA000, 0xA4CF},   Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},
    Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},   Range{0xFF01, 0xFF60},   Range{0xFFE0, 0xFFE6},
    Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD},
};
constexpr std::array kZero{
    Range{0x0300, 0x036F}, Range{0x200B, 0x200D}, Range{0x20D0, 0x20FF},
    Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}, Range{0xFEFF, 0xFEFF},
};
constexpr std::array kUnsafe{
    Range{0x00, 0x1F}, Range{0x7F, 0x9F}, Range{0x200E, 0x200F}, Range{0x2028, 0x202E}, Range{0x2066, 0x2069},
};

bool in(std::span<const Range> ranges, char32_t c) {
    const auto after = std::upper_bound(ranges.begin(), ranges.end(), c,
                                        [](char32_t v, const Range& r) { return v < r.first; });
    return after != ranges.begin() && c <= std::prev(after)->last;
}

std::size_t width_of(char32_t c) {
    if (c < 0x300) return 1;
    if (in(kZero, c)) return 0;
    return in(kWide, c) ? 2 : 1;
}

constexpr char32_t kBroken = 0xFFFD;

// Decodes one character and moves past it; kBroken for a byte that begins none.
char32_t take_character(std::string_view text, std::size_t& pos) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const auto lead = byte(pos++);
    if (lead < 0x80) return lead;
    const unsigned more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - pos < more) return kBroken;
    char32_t c = lead & (0x3FU >> more);
    for (unsigned i = 0; i < more; ++i) {
        if ((byte(pos + i) & 0xC0) != 0x80) return kBroken;
        c = c << 6 | (byte(pos + i) & 0x3F);
    }
    constexpr std::array<char32_t, 4> kLeast{0, 0x80, 0x800, 0x10000};
    if (c < kLeast[more] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return kBroken;
    pos += more;
    return c;
}

}  // namespace

std::size_t display_width(std::string_view utf8) {
    std::size_t width = 0;
    for (std::size_t pos = 0; pos < utf8.size();) width += width_of(take_character(utf8, pos));
    return width;
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t pos = 0; pos < text.size();) {
        const auto start = pos;
        const char32_t c = take_character(text, pos);
        if (c == '\n' || c == '\r' || c == '\t') {
            out += ' ';
        } else if (in(kUnsafe, c)) {
            out += '?';
        } else if (c == kBroken) {
            out += "\uFFFD";
        } else {
            out += text.substr(start, pos - start);
        }
    }
    return out;
}

std::string cut_to_width(std::string_view utf8, std::size_t width) {
    if (display_width(utf8) <= width) return std::string{utf8};
    if (width == 0) return {};
    std::size_t used = 0;
    std::size_t end = 0;
    for (std::size_t pos = 0; pos < utf8.size();) {
        used += width_of(take_character(utf8, pos));
        if (used > width - 1) break;
        end = pos;
    }
    return std::string{utf8.substr(0, end)} + "…";
}

std::vector<std::string> wrapped(std::string_view utf8, std::size_t width) {
    width = std::max<std::size_t>(width, 2);
    std::vector<std::string> lines;
    while (display_width(utf8) > width) {
        std::size_t used = 0;
        std::size_t end = 0;  // bytes of the line
        std::size_t blank = std::string_view::npos;
        for (std::size_t pos = 0; pos < utf8.size();) {
            const auto start = pos;
            used += width_of(take_character(utf8, pos));
            if (utf8[start] == ' ' && start > 0) blank = start;
            if (used > width) break;
            end = pos;
        }
        if (blank != std::string_view::npos) end = blank;
        lines.emplace_back(utf8.substr(0, end));
        utf8.remove_prefix(end);
        while (utf8.starts_with(' ')) utf8.remove_prefix(1);
    }
    if (!utf8.empty() || lines.empty()) lines.emplace_back(utf8);
    return lines;
}

}  // namespace fieldwarden::supervisor::cli
