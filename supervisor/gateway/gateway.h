// The gateway: HTTP, WebSocket and server-sent events over the running supervisor (CONTRACT 3).
//
// Threads. One thread of its own drives all sockets; API calls run on a small pool and may block there in
// Control and Store. State is seen only through the services below: nothing here owns any.
// Lifetime. Every service outlives the Gateway. Stop order: Gateway first, then Control, then the rest; a
// Control that is stopping answers kUnavailable, so that calls in progress end soon.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/plant_types.h"
#include "common/result.h"
#include "proto/shapes.h"
#include "supervisor/control.h"
#include "supervisor/settings.h"
#include "supervisor/status/live_values.h"
#include "supervisor/status/status_bus.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

class Alerts;

struct Services {
    Control& control;
    StatusBus& bus;
    LiveValues& live;
    Store& store;
    Alerts& alerts;
    const Settings& settings;
    const Clock& clock;
    std::string version;
    int listener = -1;  // a socket that listens already and is to be served; −1: none
    // What this build can run: configuration for others is refused.
    std::vector<Protocol> protocols{Protocol::kModbusTcp, Protocol::kModbusRtu, Protocol::kMitsubishiMc,
                                    Protocol::kOpcUa, Protocol::kMqtt};
    std::vector<std::string_view> sink_types{"history", "influxdb", "kafka", "postgres", "tdengine", "mqtt"};
    // Where the gateway's own log lines go; called from any thread.
    std::function<void(proto::LogLevel, std::string_view)> log = [](proto::LogLevel, std::string_view) {};
    // Called once in the life of a store, from start(): the first administrator and the one-time password,
    // which is kept nowhere. For the terminal or the journal, never for a file.
    std::function<void(std::string_view username, std::string_view password)> announce_password =
        [](std::string_view, std::string_view) {};
};

// The bearer token of the first administrator: <data-dir>/admin.token, created (mode 0600, 32 random bytes in
// base64url) when it is missing. The CLI on the same machine reads the same file.
Result<std::string> load_or_create_admin_token(const std::string& data_dir);

class Gateway {
  public:
    explicit Gateway(Services services);
    ~Gateway();  // stop()
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    // Binds settings.server.listen (port 0: any free one) and serves from then on. Returns the port in force.
    // kInvalidArgument for an address that does not parse or one beyond loopback without
    // allow_insecure_listen, kIo when it cannot be bound or the data directory cannot be written.
    Result<std::uint16_t> start();

    // A descriptor of the listening socket for whoever takes over: connections wait in it from stop() on. The
    // caller's to close; −1 when the gateway does not listen.
    [[nodiscard]] int keep_listener() const;

    // Refuses new connections, lets calls in progress finish (bounded by a few seconds), closes the streams
    // with a going-away notice and joins every thread. Safe to call twice.
    void stop();

  private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace fieldwarden::supervisor
