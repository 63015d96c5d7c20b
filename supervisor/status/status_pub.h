// StatusPub: the status channel of CONTRACT 4, a ZeroMQ XPUB socket that shows what the status bus says.
//
// Two frames: topic, envelope. A new subscriber is sent the last value of everything its prefix matches. The
// replay goes out on the topics themselves, so others who subscribed to the same topics see the last value
// once more, with the `seq` it had; a subscriber that must not count twice compares `seq`.
// A subscriber that does not read loses messages once kQueueLimit of them wait for it; nothing here ever
// waits. What nobody subscribed to is not asked of the bus (StatusBus::wanted).
// Threads. Made and destroyed on the loop's thread (or while the loop does not run).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/result.h"
#include "supervisor/status/status_bus.h"

namespace boost::asio {
class io_context;
}
namespace zmq {
class context_t;
}

namespace fieldwarden::supervisor {

// Whether the endpoint may be bound: "tcp://host:port" on loopback, any host with a CURVE key. "" is fine.
Status check_status_endpoint(const std::string& endpoint, bool has_curve_key);

class StatusPub {
  public:
    static constexpr int kQueueLimit = 50'000;  // messages per subscriber

    struct Options {
        std::string socket_path;   // run/status.sock; its directory is made with mode 0700
        std::string tcp_endpoint;  // "" = none
        // The server's secret key (Z85, 40 characters) for tcp; "" = none. Whoever knows the public key that
        // belongs to it may subscribe.
        std::string curve_secret_key;
    };
    static Result<std::unique_ptr<StatusPub>> open(boost::asio::io_context& loop, zmq::context_t& context,
                                                   StatusBus& bus, const Options& options);
    ~StatusPub();
    StatusPub(const StatusPub&) = delete;
    StatusPub& operator=(const StatusPub&) = delete;

    // The endpoint really bound for tcp ("tcp://127.0.0.1:0" becomes the chosen port); "" without tcp.
    [[nodiscard]] const std::string& tcp_endpoint() const;
    [[nodiscard]] std::uint64_t sent() const;
    // Subscriptions refused because a client asked for too many or too long prefixes.
    [[nodiscard]] std::uint64_t refused() const;

  private:
    struct Impl;
    explicit StatusPub(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::supervisor
