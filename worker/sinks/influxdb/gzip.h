// gzip (RFC 1952) of a request's body. Pure.
#pragma once

#include <string>
#include <string_view>

namespace fieldwarden::worker::influxdb {

// Empty when zlib has no memory.
std::string gzipped(std::string_view text);

}  // namespace fieldwarden::worker::influxdb
