#include "tests/simulator/mqtt/packets.h"

namespace fieldwarden::simulator::mqtt {

namespace {

constexpr std::size_t kLongestAnswer = 64;

void add_u16(Bytes& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

// 1.5.3
void add_text(Bytes& out, std::string_view text) {
    add_u16(out, text.size());
    out.insert(out.end(), text.begin(), text.end());
}

// 2.2.3: seven bits a byte, the lowest first.
Bytes packet(std::uint8_t first, const Bytes& body) {
    Bytes out{first};
    auto left = body.size();
    do {
        const auto digit = static_cast<std::uint8_t>(left % 128);
        left /= 128;
        out.push_back(left > 0 ? static_cast<std::uint8_t>(digit | 128) : digit);
    } while (left > 0);
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

}  // namespace

Bytes connect_packet(std::string_view client_id, std::string_view user, std::string_view password,
                     std::uint16_t keep_alive_s) {
    Bytes body;
    add_text(body, "MQTT");
    body.push_back(4);  // the level of 3.1.1
    body.push_back(user.empty() ? 0x00 : 0xC0);
    add_u16(body, keep_alive_s);
    add_text(body, client_id);
    if (!user.empty()) {
        add_text(body, user);
        add_text(body, password);
    }
    return packet(0x10, body);
}

Bytes publish_packet(std::string_view topic, std::string_view payload, std::uint16_t packet_id, bool retain,
                     bool duplicate) {
    Bytes body;
    add_text(body, topic);
    add_u16(body, packet_id);
    body.insert(body.end(), payload.begin(), payload.end());
    return packet(static_cast<std::uint8_t>(0x32 | (retain ? 1 : 0) | (duplicate ? 8 : 0)), body);
}

Bytes ping_packet() {
    return {0xC0, 0};
}

Bytes disconnect_packet() {
    return {0xE0, 0};
}

std::optional<Packet> take_packet(Bytes& bytes, bool& broken) {
    if (bytes.size() < 2) return std::nullopt;
    // CONNACK, PUBACK and PINGRESP are two or four bytes long: one byte of length.
    const std::size_t size = bytes[1];
    if (size > kLongestAnswer) {
        broken = true;
        return std::nullopt;
    }
    if (bytes.size() < 2 + size) return std::nullopt;
    Packet out;
    out.type = static_cast<std::uint8_t>(bytes[0] >> 4);
    out.body.assign(bytes.begin() + 2, bytes.begin() + 2 + static_cast<std::ptrdiff_t>(size));
    bytes.erase(bytes.begin(), bytes.begin() + 2 + static_cast<std::ptrdiff_t>(size));
    const std::size_t wanted = out.type == kPingresp ? 0 : 2;
    broken = (out.type != kConnack && out.type != kPuback && out.type != kPingresp) || size != wanted;
    if (broken) return std::nullopt;
    return out;
}

}  // namespace fieldwarden::simulator::mqtt
