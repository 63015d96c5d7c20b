// MQTT point addresses (CONTRACT 2): <topic>[#[<JSON pointer>]].
//
//   plant/line1/temp          the payload itself is the value
//   plant/line1#/temp         the member "temp" of the JSON object in the payload
//   plant/line1#/axes/0/pos   deeper, and through arrays
//   plant/line1#              the payload is one JSON value
//
// A topic has no wildcards, so the first '#' ends it. Topics: MQTT 3.1.1 and 5.0, section 4.7. JSON pointers:
// RFC 6901.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/device_options.h"
#include "common/result.h"

namespace fieldwarden {

inline constexpr std::size_t kLongestTopic = 65'535;  // bytes; MQTT 3.1.1, section 1.5.3
inline constexpr std::size_t kDeepestPointer = 32;

struct MqttAddress {
    std::string topic;
    bool is_json = false;
    std::vector<std::string> pointer;  // its parts, unescaped; empty with is_json: the whole document

    bool operator==(const MqttAddress&) const = default;
};

Result<MqttAddress> parse_mqtt_address(std::string_view text);
std::string format_mqtt_address(const MqttAddress& address);

// The parts of an RFC 6901 pointer: "/a~1b/0" → "a/b", "0"; "" → none.
Result<std::vector<std::string>> parse_json_pointer(std::string_view text);

// mqtt://host[:1883] or mqtts://host[:8883]. User and password are options, not part of the address.
struct MqttBroker {
    HostPort peer;
    bool tls = false;
};
Result<MqttBroker> parse_mqtt_broker(std::string_view text);

inline constexpr std::uint16_t kMqttPort = 1883;  // IANA
inline constexpr std::uint16_t kMqttTlsPort = 8883;

}  // namespace fieldwarden
