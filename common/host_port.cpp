#include "common/host_port.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace fieldwarden {

Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("address '{}': {}; write host:port, as in 192.168.0.10:{}",
                                      text.substr(0, 128), why, default_port));
    };
    HostPort out{{}, default_port};
    std::string_view port;
    if (!text.empty() && text.front() == '[') {
        const auto close = text.find(']');
        if (close == std::string_view::npos) return refuse("the bracket of an IPv6 address is not closed");
        out.host = text.substr(1, close - 1);
        const auto rest = text.substr(close + 1);
        if (!rest.empty() && rest.front() != ':') return refuse("after ] comes :port");
        if (!rest.empty()) port = rest.substr(1);
        if (!rest.empty() && port.empty()) return refuse("the port is missing");
    } else {
        const auto colon = text.find(':');
        out.host = text.substr(0, colon);
        if (colon != std::string_view::npos) {
            port = text.substr(colon + 1);
            if (port.empty()) return refuse("the port is missing");
            if (port.find(':') != std::string_view::npos) return refuse("an IPv6 address stands in brackets");
        }
    }
    if (out.host.empty() || out.host.size() > 253) return refuse("the host is missing or too long");
    const bool plain = std::all_of(out.host.begin(), out.host.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
               c == '-' || c == '_' || c == ':' || c == '%';
    });
    if (!plain) return refuse("the host holds a character that no host name has");
    if (!port.empty()) {
        const auto [rest, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (error != std::errc{} || rest != port.data() + port.size() || out.port == 0) {
            return refuse("the port is 1 to 65535");
        }
    }
    return out;
}

}  // namespace fieldwarden
