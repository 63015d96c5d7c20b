// host:port, as addresses of devices and stores are written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden {

// host:port ("[::1]:502" for IPv6). A missing port takes `default_port`.
struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port);

}  // namespace fieldwarden
