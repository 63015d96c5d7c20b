// Simulated sensors that publish to a broker: `fieldwarden simulate --mqtt-broker HOST:PORT`. MQTT 3.1.1 at
// quality of service 1, retained on request. While the broker is away messages wait, kMostWaiting at most,
// the oldest dropped; what was not acknowledged is sent again with the DUP flag.
//
// Topics, for each device "dev0", "dev1", …, every period:
//
//   sim/<device>/counter    "0", "1", …: one more each period, so that a lost message shows
//   sim/<device>/sine       50 ± 30 with a period of 60 s, as in "61.25"
//   sim/<device>/ramp       0 to 100 in 100 s
//   sim/<device>/toggle     "true" and "false", a second each
//   sim/<device>/text       "pump 0": the number of the device
//   sim/<device>/state      all of them: {"counter":…,"sine":…,"ramp":…,"toggle":…,"text":…,"time":"…Z"}
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "common/device_options.h"
#include "common/result.h"

namespace fieldwarden::simulator::mqtt {

inline constexpr std::size_t kMostWaiting = 100'000;
inline constexpr std::size_t kMostInFlight = 20;

struct PublisherOptions {
    HostPort broker;
    unsigned devices = 1;
    std::chrono::milliseconds period{1000};
    std::string user = {};  // empty: anonymous
    std::string password = {};
    std::string client_id = "fieldwarden-simulator";
    bool retain = false;
};

struct PublisherCounters {
    std::uint64_t made = 0;
    std::uint64_t acknowledged = 0;
    std::uint64_t dropped = 0;
    std::uint64_t connections = 0;
};

class MqttPublisher {
  public:
    explicit MqttPublisher(PublisherOptions options);
    ~MqttPublisher();  // stop()
    MqttPublisher(const MqttPublisher&) = delete;
    MqttPublisher& operator=(const MqttPublisher&) = delete;

    // Publishes on a thread of its own; connects, and connects again, until stop().
    void start();
    void stop();
    // Any thread.
    [[nodiscard]] PublisherCounters counters() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::simulator::mqtt
