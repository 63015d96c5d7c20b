// The request target (RFC 3986): percent-decoding, path and query. Pure; safe on any bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor::gateway {

inline constexpr std::size_t kMostQueryParameters = 64;

// nullopt for a '%' without two hex digits. `plus_is_space`: as in a query.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

bool valid_utf8(std::string_view text);

struct Target {
    std::vector<std::string> segments;  // decoded; a trailing slash leaves none
    Query query;

    // "/" + the segments joined by "/".
    [[nodiscard]] std::string path() const;
};

// Takes the origin form ("/a/b?c=d"). Resolves the aliases: /api/config and /api/acquisition are /api/v1.
// nullopt when it is malformed: no leading '/', a bad escape, bytes that are not UTF-8 after decoding, a NUL,
// "." or ".." as a segment, or too many parameters.
std::optional<Target> parse_target(std::string_view target);

// The best of `offered` for an Accept-Language header; the first when nothing fits.
std::string_view preferred_language(std::string_view accept_language,
                                    const std::vector<std::string_view>& offered);

}  // namespace fieldwarden::supervisor::gateway
