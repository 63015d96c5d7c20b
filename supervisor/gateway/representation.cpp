#include "supervisor/gateway/representation.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/gzip.h"

namespace fieldwarden::supervisor::gateway {

namespace {

// Below this a header and a checksum cost what packing saves.
constexpr std::size_t kLeastPacked = 1024;
constexpr std::size_t kTagBytes = 16;

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Calls `look` with each member of a comma-separated list until it returns true.
template <class Look>
bool any_of_list(std::string_view list, Look look) {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (look(trimmed(list.substr(0, comma)))) return true;
        if (comma == std::string_view::npos) break;
        list.remove_prefix(comma + 1);
    }
    return false;
}

std::string_view strong_part(std::string_view tag) {
    return tag.starts_with("W/") ? tag.substr(2) : tag;
}

bool is_text(std::string_view content_type) {
    return content_type.starts_with("text/") || content_type.starts_with("application/json") ||
           content_type.starts_with("application/problem+json") || content_type.starts_with("image/svg+xml");
}

std::string_view header_of(const HttpResponse& response, std::string_view name) {
    const auto found =
        std::ranges::find_if(response.headers, [&](const auto& header) { return header.first == name; });
    return found == response.headers.end() ? std::string_view{} : std::string_view{found->second};
}

}  // namespace

// Weak: the packed form has the same one.
std::string entity_tag(std::string_view content) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(content.data(), content.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string tag = "W/\"";
    for (std::size_t i = 0; i < kTagBytes; ++i) fmt::format_to(std::back_inserter(tag), "{:02x}", digest[i]);
    return tag + '"';
}

bool has_already(std::string_view if_none_match, std::string_view tag) {
    return any_of_list(if_none_match, [&](std::string_view offered) {
        return offered == "*" || (!offered.empty() && strong_part(offered) == strong_part(tag));
    });
}

bool takes_gzip(std::string_view accept_encoding) {
    bool any = false;
    bool named = false;
    bool refused = false;
    any_of_list(accept_encoding, [&](std::string_view coding) {
        const auto semicolon = coding.find(';');
        const auto name = trimmed(coding.substr(0, semicolon));
        double quality = 1;
        if (semicolon != std::string_view::npos) {
            const auto weight = trimmed(coding.substr(semicolon + 1));
            if (weight.starts_with("q=")) {
                const auto [end, error] =
                    std::from_chars(weight.data() + 2, weight.data() + weight.size(), quality);
                if (error != std::errc{}) quality = 0;
            }
        }
        if (name == "gzip" || name == "x-gzip") (quality > 0 ? named : refused) = true;
        if (name == "*" && quality > 0) any = true;
        return false;
    });
    return named || (any && !refused);
}

HttpResponse represent(const HttpRequest& request, HttpResponse response) {
    if (request.method != Method::kGet || response.status != 200 || response.stream) return response;
    // Who is signed in, with the token that guards the session, is kept by nobody.
    if (request.path.starts_with("/api/v1/auth/")) return response;
    std::string tag{header_of(response, "ETag")};
    if (tag.empty()) {
        tag = entity_tag(response.body);
        response.headers.emplace_back("ETag", tag);
    }
    // The client may keep it and has to ask whether it still holds.
    if (header_of(response, "Cache-Control").empty())
        response.headers.emplace_back("Cache-Control", "private, no-cache");
    const bool packs = is_text(response.content_type) && header_of(response, "Content-Encoding").empty();
    if (packs) response.headers.emplace_back("Vary", "Accept-Encoding");
    if (has_already(request.header("if-none-match"), tag)) {
        response.status = 304;
        response.body.clear();
        return response;
    }
    if (!packs || response.body.size() < kLeastPacked || !takes_gzip(request.header("accept-encoding")))
        return response;
    auto packed = gzipped(response.body);
    if (packed.empty() || packed.size() >= response.body.size()) return response;
    response.body = std::move(packed);
    response.headers.emplace_back("Content-Encoding", "gzip");
    return response;
}

}  // namespace fieldwarden::supervisor::gateway
