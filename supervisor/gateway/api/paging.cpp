#include "supervisor/gateway/api/paging.h"

#include <algorithm>

#include "common/node_id.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::size_t kLongestCursor = 4096;

// At a character's boundary.
std::string_view cut_text(std::string_view text) {
    if (text.size() <= kLongestSortText) return text;
    auto end = kLongestSortText;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    return text.substr(0, end);
}

// Base64 as addresses take it (RFC 4648, section 5).
void for_addresses(std::string& text) {
    while (!text.empty() && text.back() == '=') text.pop_back();
    std::replace(text.begin(), text.end(), '+', '-');
    std::replace(text.begin(), text.end(), '/', '_');
}

std::string from_addresses(std::string_view text) {
    std::string plain{text};
    std::replace(plain.begin(), plain.end(), '-', '+');
    std::replace(plain.begin(), plain.end(), '_', '/');
    plain.append((4 - plain.size() % 4) % 4, '=');
    return plain;
}

bool is_value(const Json& value) {
    return value.is_null() || value.is_boolean() || value.is_number() || value.is_string();
}

}  // namespace

Json sort_text(std::string_view text) {
    return std::string{cut_text(text)};
}

Json sort_value(const Json& member) {
    return member.is_string() ? sort_text(member.get_ref<const std::string&>()) : member;
}

bool before(const Place& a, const Place& b) {
    if (a.value < b.value) return true;
    return !(b.value < a.value) && a.id < b.id;
}

std::string write_cursor(std::string_view order, const Place& place) {
    const Json json = Json::array({order, place.value, place.id});
    auto text = encode_base64(json.dump(-1, ' ', false, Json::error_handler_t::replace));
    for_addresses(text);
    return text;
}

std::optional<Place> read_cursor(std::string_view text, std::string_view order) {
    if (text.empty() || text.size() > kLongestCursor) return std::nullopt;
    const auto plain = decode_base64(from_addresses(text));
    if (!plain) return std::nullopt;
    const auto json = Json::parse(*plain, nullptr, false);
    if (!json.is_array() || json.size() != 3) return std::nullopt;
    const auto& id = json[2];
    if (json[0] != order || !is_value(json[1]) || !(id.is_number_integer() || id.is_string()))
        return std::nullopt;
    return Place{json[1], id};
}

}  // namespace fieldwarden::supervisor::gateway
