#include "supervisor/gateway/security_headers.h"

#include <array>

namespace fieldwarden::supervisor::gateway {

namespace {

constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kHeaders{{
    {"X-Content-Type-Options", "nosniff"},
    {"Cache-Control", "no-store"},
    {"Referrer-Policy", "no-referrer"},
    {"X-Frame-Options", "DENY"},
    {"Content-Security-Policy", "frame-ancestors 'none'"},
    {"Strict-Transport-Security", "max-age=31536000"},  // the last one: only over TLS
}};

}  // namespace

std::span<const std::pair<std::string_view, std::string_view>> security_headers(bool secure) {
    return std::span{kHeaders}.first(secure ? kHeaders.size() : kHeaders.size() - 1);
}

}  // namespace fieldwarden::supervisor::gateway
