#include "supervisor/listen_address.h"

#include <boost/asio/ip/address.hpp>

namespace fieldwarden::supervisor {

namespace {
constexpr std::uint16_t kDefaultPort = 8700;
}  // namespace

Result<HostPort> parse_listen_address(const std::string& text) {
    if (!text.ends_with(":0")) return parse_host_port(text, kDefaultPort);
    auto parsed = parse_host_port(text.substr(0, text.size() - 1) + "1", kDefaultPort);
    if (parsed) parsed->port = 0;
    return parsed;
}

bool is_loopback(const std::string& host) {
    if (host == "localhost") return true;
    boost::system::error_code error;
    const auto address = boost::asio::ip::make_address(host, error);
    return !error && address.is_loopback();
}

}  // namespace fieldwarden::supervisor
