#include "supervisor/gateway/uri.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace fieldwarden::supervisor::gateway {

namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool acceptable(std::string_view decoded) {
    return decoded.find('\0') == std::string_view::npos && valid_utf8(decoded);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool starts_with_language(std::string_view tag, std::string_view language) {
    if (tag.size() < language.size()) return false;
    for (std::size_t i = 0; i < language.size(); ++i) {
        if (lower(tag[i]) != lower(language[i])) return false;
    }
    return tag.size() == language.size() || tag[language.size()] == '-';
}

std::optional<Query> parse_query(std::string_view text) {
    Query query;
    while (!text.empty()) {
        const auto end = std::min(text.find('&'), text.size());
        const auto part = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (part.empty()) continue;
        if (query.size() == kMostQueryParameters) return std::nullopt;
        const auto equals = std::min(part.find('='), part.size());
        auto name = percent_decode(part.substr(0, equals), true);
        auto value = percent_decode(part.substr(std::min(equals + 1, part.size())), true);
        if (!name || !value || !acceptable(*name) || !acceptable(*value)) return std::nullopt;
        query.emplace_back(std::move(*name), std::move(*value));
    }
    return query;
}

}  // namespace

std::string_view HttpRequest::header(std::string_view name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view{} : std::string_view{found->second};
}

std::optional<std::string_view> HttpRequest::query_value(std::string_view name) const {
    for (auto entry = query.rbegin(); entry != query.rend(); ++entry) {
        if (entry->first == name) return entry->second;
    }
    return std::nullopt;
}

const std::string& HttpRequest::param(std::string_view name) const {
    return params.find(name)->second;
}

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string decoded;
    decoded.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%') {
            if (i + 2 >= text.size()) return std::nullopt;
            const int high = hex_digit(text[i + 1]);
            const int low = hex_digit(text[i + 2]);
            if (high < 0 || low < 0) return std::nullopt;
            decoded.push_back(static_cast<char>(high * 16 + low));
            i += 2;
        } else {
            decoded.push_back(plus_is_space && text[i] == '+' ? ' ' : text[i]);
        }
    }
    return decoded;
}

bool valid_utf8(std::string_view text) {
    // RFC 3629, section 4: the table of well-formed byte sequences.
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const auto first = byte(i);
        if (first < 0x80) {
            ++i;
            continue;
        }
        std::size_t more = 0;
        std::uint8_t least = 0x80;
        std::uint8_t most = 0xBF;
        if (first >= 0xC2 && first <= 0xDF) {
            more = 1;
        } else if (first >= 0xE0 && first <= 0xEF) {
            more = 2;
            if (first == 0xE0) least = 0xA0;
            if (first == 0xED) most = 0x9F;
        } else if (first >= 0xF0 && first <= 0xF4) {
            more = 3;
            if (first == 0xF0) least = 0x90;
            if (first == 0xF4) most = 0x8F;
        } else {
            return false;
        }
        if (text.size() - i <= more) return false;
        if (byte(i + 1) < least || byte(i + 1) > most) return false;
        for (std::size_t k = 2; k <= more; ++k) {
            if ((byte(i + k) & 0xC0) != 0x80) return false;
        }
        i += more + 1;
    }
    return true;
}

std::string Target::path() const {
    if (segments.empty()) return "/";
    std::string path;
    for (const auto& segment : segments) {
        path += '/';
        path += segment;
    }
    return path;
}

std::optional<Target> parse_target(std::string_view target) {
    if (target.empty() || target.front() != '/') return std::nullopt;
    if (const auto fragment = target.find('#'); fragment != std::string_view::npos) return std::nullopt;
    Target parsed;
    const auto question = std::min(target.find('?'), target.size());
    auto query = parse_query(target.substr(std::min(question + 1, target.size())));
    if (!query) return std::nullopt;
    parsed.query = std::move(*query);

    auto path = target.substr(1, question - 1);
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        auto segment = percent_decode(path.substr(0, end));
        path.remove_prefix(std::min(end + 1, path.size()));
        if (!segment || segment->empty() || *segment == "." || *segment == ".." || !acceptable(*segment)) {
            return std::nullopt;
        }
        parsed.segments.push_back(std::move(*segment));
    }
    if (parsed.segments.size() >= 2 && parsed.segments[0] == "api" &&
        (parsed.segments[1] == "config" || parsed.segments[1] == "acquisition")) {
        parsed.segments[1] = "v1";
    }
    return parsed;
}

std::string_view preferred_language(std::string_view accept_language,
                                    const std::vector<std::string_view>& offered) {
    // RFC 9110, section 12.5.4: "zh-CN,zh;q=0.9,en;q=0.8".
    std::string_view best = offered.front();
    double best_weight = 0;
    while (!accept_language.empty()) {
        const auto end = std::min(accept_language.find(','), accept_language.size());
        const auto entry = accept_language.substr(0, end);
        accept_language.remove_prefix(std::min(end + 1, accept_language.size()));
        const auto semicolon = std::min(entry.find(';'), entry.size());
        const auto tag = trimmed(entry.substr(0, semicolon));
        double weight = 1;
        const auto parameter = trimmed(entry.substr(std::min(semicolon + 1, entry.size())));
        if (parameter.starts_with("q=")) {
            const auto digits = parameter.substr(2);
            if (std::from_chars(digits.data(), digits.data() + digits.size(), weight).ec != std::errc{})
                continue;
        }
        if (weight <= best_weight) continue;
        for (const auto language : offered) {
            if (starts_with_language(tag, language)) {
                best = language;
                best_weight = weight;
            }
        }
    }
    return best;
}

}  // namespace fieldwarden::supervisor::gateway
