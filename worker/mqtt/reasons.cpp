#include <fmt/format.h>

#include "worker/mqtt/connection.h"

namespace fieldwarden::worker::mqtt {

Error broker_error(const ConnectionSettings& settings, ErrorKind kind, std::string_view why) {
    const auto& peer = settings.broker.peer;
    return make_error(
        kind, fmt::format("{} {}:{}: {}", settings.broker.tls ? "mqtts" : "mqtt", peer.host, peer.port, why));
}

std::string_view connack_text(int code) {
    switch (code) {
        case 1:
            return "it does not speak this version of MQTT; try option version";
        case 2:
            return "it does not take the client identifier; check option client_id";
        case 3:
            return "the service is not available";
        case 4:
            return "user name or password is wrong";
        case 5:
            return "this client is not authorised; check user name, password and the broker's access list";
        default:
            return reason_text(code);
    }
}

std::string_view reason_text(int code) {
    switch (code) {
        case 0x80:
            return "unspecified error";
        case 0x81:
            return "malformed packet";
        case 0x82:
            return "protocol error";
        case 0x83:
            return "implementation specific error";
        case 0x84:
            return "it does not speak this version of MQTT; try option version";
        case 0x85:
            return "it does not take the client identifier; check option client_id";
        case 0x86:
            return "user name or password is wrong";
        case 0x87:
            return "not authorised; check the broker's access list";
        case 0x88:
            return "the broker is not available";
        case 0x89:
            return "the broker is busy";
        case 0x8A:
            return "this client is banned";
        case 0x8B:
            return "the broker shuts down";
        case 0x8D:
            return "keep-alive time-out";
        case 0x8E:
            return "another client signed in with the same client identifier; give each its own client_id";
        case 0x8F:
            return "the topic filter is not valid there";
        case 0x90:
            return "the topic name is not valid there";
        case 0x93:
            return "more messages at once than agreed";
        case 0x95:
            return "the packet is too large for it";
        case 0x97:
            return "the quota is used up";
        case 0x98:
            return "administrative action";
        case 0x99:
            return "the payload's format is not valid there";
        case 0x9A:
            return "retained messages are not supported";
        case 0x9B:
            return "this quality of service is not supported; try option qos";
        case 0x9C:
        case 0x9D:
            return "the service has moved to another server";
        case 0x9E:
            return "shared subscriptions are not supported";
        case 0x9F:
            return "connections come too fast";
        case 0xA1:
            return "subscription identifiers are not supported";
        case 0xA2:
            return "wildcard subscriptions are not supported; leave option subscribe empty";
        default:
            return "a reason the standard does not know";
    }
}

}  // namespace fieldwarden::worker::mqtt
