#include "common/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace fieldwarden {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(kSpace);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Error bad(std::string message) {
    return make_error(ErrorKind::kInvalidArgument, std::move(message));
}

Status add(Options& options, std::string_view key, std::string value) {
    std::string name{trimmed(key)};
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (name.empty()) return bad("options: a value without a name; write key=value");
    // A JSON member may be named anything; what the text form could not say is refused in both.
    const auto unsayable = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f ||
               std::string_view{"=;\"\\{}"}.find(c) != std::string_view::npos;
    };
    if (std::any_of(name.begin(), name.end(), unsayable)) {
        return bad(
            fmt::format("options: the name '{}' holds a character that no option has", name.substr(0, 64)));
    }
    if (!options.emplace(name, std::move(value)).second) {
        return bad(fmt::format("options: '{}' is given twice", name.substr(0, 64)));
    }
    return {};
}

Result<Options> from_json_object(std::string_view text) {
    // The parser keeps the last of two members of one name without a word.
    std::set<std::string> names;
    std::optional<std::string> twice;
    const auto watch = [&](int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        if (event == nlohmann::json::parse_event_t::key && depth == 1 && !twice) {
            auto name = value.get<std::string>();
            if (!names.insert(name).second) twice = std::move(name);
        }
        return true;
    };
    const auto parsed = nlohmann::json::parse(text, watch, false);
    if (twice) return bad(fmt::format("options: '{}' is given twice", twice->substr(0, 64)));
    if (!parsed.is_object()) return bad("options: starts with '{' but is not a JSON object");
    Options options;
    for (const auto& [key, value] : parsed.items()) {
        if (value.is_structured()) {
            return bad(fmt::format(
                "options: '{}' holds a nested value; only text, numbers and true/false are allowed",
                key.substr(0, 64)));
        }
        std::string cell;
        if (value.is_string()) {
            cell = value.get<std::string>();
        } else if (!value.is_null()) {
            cell = value.dump();
        }
        if (auto added = add(options, key, std::move(cell)); !added) return added.error();
    }
    return options;
}

// Takes one value up to the next ';' (or the closing quote) and moves `pos` behind the separator.
Result<std::string> take_value(std::string_view text, std::size_t& pos) {
    pos = std::min(text.find_first_not_of(kSpace, pos), text.size());
    if (pos == text.size() || text[pos] != '"') {
        const auto end = std::min(text.find(';', pos), text.size());
        std::string value{trimmed(text.substr(pos, end - pos))};
        pos = std::min(end + 1, text.size());
        return value;
    }
    std::string value;
    for (++pos; pos < text.size(); ++pos) {
        if (text[pos] == '"') {
            const auto end = std::min(text.find(';', pos), text.size());
            if (!trimmed(text.substr(pos + 1, end - pos - 1)).empty()) {
                return bad("options: text after a closing quote; separate parts with ';'");
            }
            pos = std::min(end + 1, text.size());
            return value;
        }
        if (text[pos] == '\\' && pos + 1 < text.size()) ++pos;
        value += text[pos];
    }
    return bad("options: a quote is not closed");
}

}  // namespace

Result<Options> parse_options(std::string_view text) {
    text = trimmed(text);
    if (!text.empty() && text.front() == '{') return from_json_object(text);
    Options options;
    std::size_t pos = 0;
    while (pos < text.size()) {
        const auto equals = text.find('=', pos);
        const auto semicolon = std::min(text.find(';', pos), text.size());
        if (equals == std::string_view::npos || equals > semicolon) {
            const auto part = trimmed(text.substr(pos, semicolon - pos));
            if (!part.empty()) {
                return bad(
                    fmt::format("options: '{}' has no '='; write key=value; key=value", part.substr(0, 64)));
            }
            pos = semicolon + 1;
            continue;
        }
        const auto key = text.substr(pos, equals - pos);
        pos = equals + 1;
        auto value = take_value(text, pos);
        if (!value) return value.error();
        if (auto added = add(options, key, std::move(*value)); !added) return added.error();
    }
    return options;
}

std::string format_options(const Options& options) {
    std::string text;
    for (const auto& [key, value] : options) {
        if (!text.empty()) text += "; ";
        text += key;
        text += '=';
        const bool plain = value.find_first_of(";\"\\\r\n") == std::string::npos && trimmed(value) == value;
        if (plain) {
            text += value;
            continue;
        }
        text += '"';
        for (const char c : value) {
            if (c == '"' || c == '\\') text += '\\';
            text += c;
        }
        text += '"';
    }
    return text;
}

}  // namespace fieldwarden
