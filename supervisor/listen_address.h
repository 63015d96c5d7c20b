// Addresses this program listens on: like the address of a device, but port 0 (any free one) is allowed.
#pragma once

#include <string>

#include "common/device_options.h"
#include "common/result.h"

namespace fieldwarden::supervisor {

Result<HostPort> parse_listen_address(const std::string& text);
// 127.0.0.0/8, ::1 or "localhost". A name is not looked up: what is not surely loopback is not loopback.
bool is_loopback(const std::string& host);

}  // namespace fieldwarden::supervisor
