#include "common/node_id.h"

#include <fmt/format.h>

#include <charconv>

namespace fieldwarden {

namespace {

constexpr std::size_t kMostSteps = 64;
constexpr std::size_t kMostDimensions = 8;
constexpr std::string_view kPathPrefix = "path:";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

template <class T>
bool whole_number(std::string_view text, T& value) {
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return !text.empty() && error == std::errc{} && rest == text.data() + text.size();
}

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

Error bad(std::string_view text, std::string_view why) {
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("OPC UA address '{}': {}; write ns=2;s=Temp, ns=2;i=1001, ns=2;g=<guid>, "
                                  "ns=2;b=<base64> or path:/Objects/2:Boiler/2:Temp, with [3] for an element "
                                  "of an array",
                                  text.substr(0, 100), why));
}

// Takes "[1,2]" off the end of `text`. False when there is none; brackets without numbers are none.
bool take_index(std::string_view& text, std::vector<std::uint32_t>& index) {
    if (text.size() < 3 || text.back() != ']') return false;
    const auto open = text.rfind('[');
    if (open == std::string_view::npos || open == 0) return false;
    auto inside = text.substr(open + 1, text.size() - open - 2);
    std::vector<std::uint32_t> numbers;
    for (;;) {
        const auto comma = inside.find(',');
        std::uint32_t number = 0;
        const auto digits = inside.substr(0, comma);
        // "[03]" is a part of a name: written back it would be another one.
        const bool plain = digits == "0" || !digits.starts_with('0');
        if (!plain || !whole_number(digits, number) || numbers.size() == kMostDimensions) return false;
        numbers.push_back(number);
        if (comma == std::string_view::npos) break;
        inside.remove_prefix(comma + 1);
    }
    text = text.substr(0, open);
    index = std::move(numbers);
    return true;
}

// One more than the number of escapes before the end is even: the last sign is not escaped.
bool escaped_at(std::string_view text, std::size_t at) {
    bool escaped = false;
    while (at > 0 && text[at - 1] == '&') {
        escaped = !escaped;
        --at;
    }
    return escaped;
}

Result<OpcUaAddress> parse_path(std::string_view whole) {
    OpcUaAddress address;
    auto rest = whole.substr(kPathPrefix.size());
    const auto open = rest.rfind('[');
    if (open != std::string_view::npos && !escaped_at(rest, open)) take_index(rest, address.index);
    if (rest.empty() || rest.front() != '/') return bad(whole, "a path begins with /Objects");
    rest.remove_prefix(1);
    for (;;) {
        BrowseName step;
        bool numbered = false;
        bool ended = true;
        std::size_t i = 0;
        for (; i < rest.size(); ++i) {
            const char c = rest[i];
            if (c == '&') {
                if (++i == rest.size()) return bad(whole, "'&' stands before the sign that it takes");
                step.name += rest[i];
            } else if (c == '/') {
                ended = false;
                break;
            } else if (c == ':' && !numbered && whole_number(step.name, step.ns)) {
                numbered = true;
                step.name.clear();
            } else {
                step.name += c;
            }
        }
        if (step.name.empty()) return bad(whole, "a step of the path has no name");
        if (address.path.size() == kMostSteps) return bad(whole, "the path has more than 64 steps");
        address.path.push_back(std::move(step));
        if (ended) return address;
        rest.remove_prefix(i + 1);
    }
}

std::string escaped(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == '/' || c == ':' || c == '&' || c == '[' || c == ']') out += '&';
        out += c;
    }
    return out;
}

// `whole` is what the message names.
Result<NodeId> parse_node_id_of(std::string_view text, std::string_view whole) {
    if (text.size() > kLongestNodeIdText) return bad(whole, "longer than 4096 characters");
    NodeId id;
    auto rest = text;
    if (rest.starts_with("ns=")) {
        const auto semicolon = rest.find(';');
        if (semicolon == std::string_view::npos || !whole_number(rest.substr(3, semicolon - 3), id.ns))
            return bad(whole, "the namespace index is 0 to 65535, then ';'");
        rest.remove_prefix(semicolon + 1);
    }
    if (rest.size() < 3 || rest[1] != '=') return bad(whole, "no i=, s=, g= or b= with a value");
    const auto value = rest.substr(2);
    switch (rest[0]) {
        case 'i': {
            std::uint32_t number = 0;
            if (!whole_number(value, number)) return bad(whole, "a numeric identifier is 0 to 4294967295");
            id.identifier = number;
            return id;
        }
        case 's':
            id.identifier = std::string{value};
            return id;
        case 'g': {
            const auto guid = parse_guid(value);
            if (!guid) return bad(whole, "a GUID is 8-4-4-4-12 hexadecimal digits");
            id.identifier = *guid;
            return id;
        }
        case 'b': {
            auto bytes = decode_base64(value);
            if (!bytes) return bad(whole, "an opaque identifier is base64");
            id.identifier = OpaqueId{std::move(*bytes)};
            return id;
        }
        default:
            return bad(whole, "no i=, s=, g= or b=");
    }
}

std::string format_index(const std::vector<std::uint32_t>& index) {
    return index.empty() ? std::string{} : fmt::format("[{}]", fmt::join(index, ","));
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
        const auto left = bytes.size() - i;
        for (std::size_t k = 0; k < 4; ++k) text += k <= left ? kBase64[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::optional<std::string> decode_base64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const bool pad = i + k >= text.size() - padding;
            const auto digit = pad ? 0 : kBase64.find(text[i + k]);
            if (digit == std::string_view::npos) return std::nullopt;
            group = group << 6 | static_cast<std::uint32_t>(digit);
        }
        const auto take = i + 4 == text.size() ? 3 - padding : 3;
        for (std::size_t k = 0; k < take; ++k) bytes += static_cast<char>(group >> (16 - 8 * k) & 0xff);
    }
    return bytes;
}

Result<Guid> parse_guid(std::string_view text) {
    const auto refuse = [&] { return make_error(ErrorKind::kInvalidArgument, "not a GUID"); };
    if (text.size() != 36) return refuse();
    Guid guid;
    std::size_t digits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (text[i] != '-') return refuse();
            continue;
        }
        const int digit = hex_digit(text[i]);
        if (digit < 0) return refuse();
        auto& byte = guid.bytes[digits / 2];
        byte = static_cast<std::uint8_t>(byte << 4 | digit);
        ++digits;
    }
    return guid;
}

std::string format_guid(const Guid& guid) {
    std::string text;
    for (std::size_t i = 0; i < guid.bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += fmt::format("{:02X}", guid.bytes[i]);
    }
    return text;
}

Result<NodeId> parse_node_id(std::string_view text) {
    return parse_node_id_of(text, text);
}

std::string format_node_id(const NodeId& id) {
    const auto prefix = id.ns == 0 ? std::string{} : fmt::format("ns={};", id.ns);
    if (const auto* number = std::get_if<std::uint32_t>(&id.identifier))
        return fmt::format("{}i={}", prefix, *number);
    if (const auto* text = std::get_if<std::string>(&id.identifier))
        return fmt::format("{}s={}", prefix, *text);
    if (const auto* guid = std::get_if<Guid>(&id.identifier))
        return fmt::format("{}g={}", prefix, format_guid(*guid));
    return fmt::format("{}b={}", prefix, encode_base64(std::get<OpaqueId>(id.identifier).bytes));
}

Result<OpcUaAddress> parse_opcua_address(std::string_view text) {
    if (text.size() > kLongestNodeIdText) return bad(text, "longer than 4096 characters");
    if (text.starts_with(kPathPrefix)) return parse_path(text);
    OpcUaAddress address;
    auto base = text;
    const bool indexed = take_index(base, address.index);
    auto node = parse_node_id_of(base, text);
    if (!node) return node.error();
    address.node = std::move(*node);
    if (indexed && std::holds_alternative<std::string>(address.node.identifier)) {
        const auto whole = parse_node_id(text);
        if (whole) address.whole = *whole;
    }
    return address;
}

std::string format_opcua_address(const OpcUaAddress& address) {
    if (address.path.empty()) return format_node_id(address.node) + format_index(address.index);
    std::string text{kPathPrefix};
    for (const auto& step : address.path) {
        text += step.ns == 0 ? fmt::format("/{}", escaped(step.name))
                             : fmt::format("/{}:{}", step.ns, escaped(step.name));
    }
    return text + format_index(address.index);
}

}  // namespace fieldwarden
