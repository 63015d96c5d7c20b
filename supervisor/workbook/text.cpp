#include "supervisor/workbook/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::array<std::string_view, 4> kWideBlanks{"\u00a0", "\u3000", "\u200b", "\ufeff"};

bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

// Length of the UTF-8 sequence that starts with this byte; 0 for a byte that starts none.
std::size_t sequence_length(unsigned char lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead < 0xE0) return 2;
    if (lead >= 0xE0 && lead < 0xF0) return 3;
    if (lead >= 0xF0 && lead < 0xF5) return 4;
    return 0;
}

}  // namespace

Language language_of(std::string_view accept_language) {
    const auto text = lower_ascii(accept_language);
    const auto zh = text.find("zh");
    const auto en = text.find("en");
    return zh != std::string::npos && (en == std::string::npos || zh < en) ? Language::kChinese
                                                                           : Language::kEnglish;
}

std::string_view trimmed(std::string_view text) {
    for (bool again = true; again;) {
        again = false;
        while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
        while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
        // Only a text that ends in a byte of a longer character can have a wide blank there.
        if (text.empty() || (static_cast<unsigned char>(text.front()) < 0x80 &&
                             static_cast<unsigned char>(text.back()) < 0x80)) {
            break;
        }
        for (const auto blank : kWideBlanks) {
            if (text.starts_with(blank)) {
                text.remove_prefix(blank.size());
                again = true;
            }
            if (text.ends_with(blank)) {
                text.remove_suffix(blank.size());
                again = true;
            }
        }
    }
    return text;
}

bool has_full_width(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == 0xEF || byte == 0xE3 || byte == 0xC2;
    });
}

std::string half_width(std::string_view text, bool except_quoted) {
    std::string out;
    out.reserve(text.size());
    bool quoted = false;
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[i + at]); };
        if (except_quoted && text[i] == '\\' && quoted && i + 1 < text.size()) {
            out.append(text.substr(i, 2));
            i += 2;
            continue;
        }
        if (text[i] == '"') quoted = except_quoted && !quoted;
        const bool three = i + 2 < text.size();
        if (!quoted && three && byte(0) == 0xEF && (byte(1) == 0xBC || byte(1) == 0xBD)) {
            // U+FF01 to U+FF5E stand for U+0021 to U+007E.
            const unsigned code = 0xF000U | ((byte(1) & 0x3FU) << 6U) | (byte(2) & 0x3FU);
            if (code >= 0xFF01 && code <= 0xFF5E) {
                out += static_cast<char>(code - 0xFF01 + 0x21);
                i += 3;
                continue;
            }
        }
        if (!quoted && text.substr(i).starts_with("\u3000")) {
            out += ' ';
            i += 3;
            continue;
        }
        if (!quoted && text.substr(i).starts_with("\u00a0")) {
            out += ' ';
            i += 2;
            continue;
        }
        out += text[i++];
    }
    return out;
}

bool valid_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const auto lead = static_cast<unsigned char>(text[i]);
        const auto length = sequence_length(lead);
        if (length == 0 || i + length > text.size()) return false;
        for (std::size_t k = 1; k < length; ++k) {
            if ((static_cast<unsigned char>(text[i + k]) & 0xC0U) != 0x80U) return false;
        }
        if (length > 2) {
            const auto second = static_cast<unsigned char>(text[i + 1]);
            const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
            const bool surrogate = lead == 0xED && second >= 0xA0;
            const bool beyond = lead == 0xF4 && second >= 0x90;
            if (overlong || surrogate || beyond) return false;
        }
        i += length;
    }
    return true;
}

std::string shortened(std::string_view text, std::size_t most) {
    if (text.size() <= most) return std::string{text};
    std::size_t end = most;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return std::string{text.substr(0, end)} + "…";
}

std::size_t characters(std::string_view text) {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

void append_utf8(std::string& out, std::uint32_t code) {
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) code = 0xFFFD;
    const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((code >> shift) & 0x3FU)); };
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0U | (code >> 6U));
        tail(0);
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0U | (code >> 12U));
        tail(6);
        tail(0);
    } else {
        out += static_cast<char>(0xF0U | (code >> 18U));
        tail(12);
        tail(6);
        tail(0);
    }
}

std::string lower_ascii(std::string_view text) {
    std::string out{text};
    for (char& c : out) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

std::string number_text(double value) {
    if (value == 0) return "0";
    if (std::abs(value) < 1e15 && value == std::trunc(value)) {
        return fmt::format("{}", static_cast<long long>(value));
    }
    return fmt::format("{}", value);
}

std::optional<double> parse_number(std::string_view text) {
    if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
    double value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || rest != text.data() + text.size() || !std::isfinite(value)) {
        return std::nullopt;
    }
    return value;
}

std::string joined(std::span<const std::string> texts, Language language) {
    std::string all;
    for (const auto& text : texts) {
        if (!all.empty()) all += language == Language::kChinese ? "、" : ", ";
        all += text;
    }
    return all;
}

NearestMatch::NearestMatch(std::string_view text)
    : wanted_(lower_ascii(text.substr(0, 64))),
      // A third of the text may be wrong, and at most three edits.
      distance_(std::min<std::size_t>(3, wanted_.size() / 3 + (wanted_.size() >= 2 ? 1 : 0)) + 1) {}

void NearestMatch::offer(std::string_view candidate) {
    const auto name = lower_ascii(candidate.substr(0, 64));
    const auto longer = std::max(name.size(), wanted_.size());
    const auto shorter = std::min(name.size(), wanted_.size());
    if (longer - shorter >= distance_) return;
    // Levenshtein distance with one row, given up once no cell of the row is below the best so far.
    std::array<std::size_t, 65> row;
    for (std::size_t j = 0; j <= name.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= wanted_.size(); ++i) {
        std::size_t diagonal = row[0];
        std::size_t least = row[0] = i;
        for (std::size_t j = 1; j <= name.size(); ++j) {
            const auto substituted = diagonal + (wanted_[i - 1] == name[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
            least = std::min(least, row[j]);
        }
        if (least >= distance_) return;
    }
    if (row[name.size()] < distance_) {
        distance_ = row[name.size()];
        best_ = candidate;
    }
}

}  // namespace fieldwarden::supervisor
