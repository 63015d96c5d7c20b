// MQTT 3.1.1 packets of a publisher, written from the standard (OASIS, 29 October 2014): section numbers
// beside each. Nothing of the client under test is in here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwarden::simulator::mqtt {

using Bytes = std::vector<std::uint8_t>;

// 3.1. An empty user name: anonymous. The session is kept.
Bytes connect_packet(std::string_view client_id, std::string_view user, std::string_view password,
                     std::uint16_t keep_alive_s);
// 3.3, quality of service 1.
Bytes publish_packet(std::string_view topic, std::string_view payload, std::uint16_t packet_id, bool retain,
                     bool duplicate);
Bytes ping_packet();        // 3.12
Bytes disconnect_packet();  // 3.14

struct Packet {
    std::uint8_t type = 0;  // the high half of the first byte, table 2.1
    Bytes body;
};
inline constexpr std::uint8_t kConnack = 2;
inline constexpr std::uint8_t kPuback = 4;
inline constexpr std::uint8_t kPingresp = 13;

// Takes one packet from the front of `bytes`, and it out of them. nullopt: not all of it is there yet, or,
// with `broken` set, it is none of what a broker sends to a publisher.
std::optional<Packet> take_packet(Bytes& bytes, bool& broken);

}  // namespace fieldwarden::simulator::mqtt
