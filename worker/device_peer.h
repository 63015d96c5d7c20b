// The network address in a device's address, whatever its protocol; none for a serial line.
#pragma once

#include <optional>
#include <string_view>

#include "common/device_options.h"

namespace fieldwarden::worker {

inline std::optional<HostPort> device_peer(Protocol protocol, std::string_view address) {
    if (address.starts_with('/')) return std::nullopt;
    // What the protocols' own documents name, for addresses without a port.
    const auto usual = [&]() -> std::uint16_t {
        switch (protocol) {
            case Protocol::kModbusTcp:
            case Protocol::kModbusRtu:
                return kModbusPort;
            case Protocol::kMitsubishiMc:
                return 5007;
            case Protocol::kOpcUa:
                return 4840;
            case Protocol::kMqtt:
                return address.starts_with("mqtts:") ? 8883 : 1883;
        }
        return 0;
    }();
    if (const auto scheme = address.find("://"); scheme != std::string_view::npos) {
        address.remove_prefix(scheme + 3);
    }
    auto peer = parse_host_port(address.substr(0, address.find('/')), usual);
    if (!peer) return std::nullopt;
    return std::move(*peer);
}

}  // namespace fieldwarden::worker
