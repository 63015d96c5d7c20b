// gzip (RFC 1952) . Pure.
#pragma once

#include <string>
#include <string_view>

namespace fieldwarden {

// Empty when zlib has no memory.
std::string gzipped(std::string_view text);

}  // namespace fieldwarden
