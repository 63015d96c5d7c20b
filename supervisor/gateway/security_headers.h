// What every response says to browsers, whatever it answers; the one place. A handler that knows better (the
// console's pages and their cacheable assets) gives the same header itself.
#pragma once

#include <span>
#include <string_view>
#include <utility>

namespace fieldwarden::supervisor::gateway {

// `secure`: the connection is TLS, and browsers are told to stay with it (RFC 6797).
std::span<const std::pair<std::string_view, std::string_view>> security_headers(bool secure);

}  // namespace fieldwarden::supervisor::gateway
