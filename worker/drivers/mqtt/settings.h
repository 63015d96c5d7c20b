// A device's configuration, read once: the broker, the options (common/device_options.cpp) and the points.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/mqtt_address.h"
#include "common/task_config.h"
#include "worker/mqtt/connection.h"

namespace fieldwarden::worker::mqtt {

enum class RetainedUse : std::uint8_t { kUse, kTrust, kIgnore };
enum class WritePayload : std::uint8_t { kPlain, kValue, kMember };

struct Point {
    PointId id = 0;
    DataType type;
    MqttAddress address;
};

struct Settings : ConnectionSettings {
    bool clean_session = false;
    std::uint32_t session_expiry_s = 0;
    int qos = 1;
    // What is subscribed to: the option `subscribe`, or every point's topic once.
    std::vector<std::string> filters;
    bool filters_are_topics = true;

    RetainedUse retained = RetainedUse::kUse;
    std::optional<std::vector<std::string>> timestamp;
    std::chrono::milliseconds stale_after{0};
    std::size_t queue_size = 10'000;
    std::size_t max_payload_bytes = 262'144;
    std::string write_topic;
    WritePayload write_payload = WritePayload::kPlain;

    std::vector<Point> points;
};

// kInvalidArgument names the device, and the point where it is one's fault.
Result<Settings> read_settings(const DeviceConfig& config);

// "fw" and 16 digits: within what every broker takes (MQTT 3.1.1, section 3.1.3.1). Always the same for a
// device, so that the session is found again. Its lowest point id goes in as well, because two tasks may
// share a device but not, as a rule, its points: two clients of one identifier would throw each other out.
std::string derived_client_id(const DeviceConfig& config);

}  // namespace fieldwarden::worker::mqtt
