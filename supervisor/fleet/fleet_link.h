// FleetLink: the supervisor's end of the wire (proto/wire.h), a Unix socket at run/control.sock.
//
// A connection is nobody until it has sent Hello with a launch key that is expected; until then a payload may
// have 4 KiB and everything else is refused, counted and forgotten. From then on the connection speaks for
// the worker that the key was given to; a later Hello with the same key (a reconnect) moves the worker to the
// new connection. Threads. Loop thread only; handlers are called on it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/result.h"
#include "proto/wire.h"

namespace boost::asio {
class io_context;
}

namespace fieldwarden::supervisor {

// Names one launched or adopted worker process; never reused.
using WorkerId = std::uint64_t;

struct LinkCounters {
    std::uint64_t received = 0;
    std::uint64_t malformed = 0;    // did not decode, or not a worker's message
    std::uint64_t stranger = 0;     // anything but Hello from a connection that proved no key
    std::uint64_t refused = 0;      // Hello with a key nobody was given
    std::uint64_t send_failed = 0;  // the worker is gone or does not read
};

class FleetLink {
  public:
    static constexpr std::size_t kStrangerPayload = 4096;
    // What a worker may send at once: live samples and answers of its largest task. Larger closes the
    // connection before it takes memory.
    static constexpr std::size_t kLargestFromWorker = 16U << 20;
    // What may wait for a worker that does not read, beside one message of any size. A worker reads its link
    // in its own main loop; more than this means that it hangs, and the supervisor has other means for that.
    static constexpr std::size_t kMostQueued = 1U << 20;
    static constexpr std::size_t kMostStrangers = 4096;

    struct Handlers {
        // The key is right. nullopt: welcome (the handler sends Welcome itself); a text: refused with it.
        std::function<std::optional<std::string>(WorkerId, const proto::Hello&)> on_hello;
        std::function<void(WorkerId, proto::Message&&)> on_message;
        // The worker closed its connection, or its end did; all it said has been told before.
        std::function<void(WorkerId)> on_gone;
    };

    // The directory of the socket is made with mode 0700.
    static Result<std::unique_ptr<FleetLink>> open(boost::asio::io_context& loop,
                                                   const std::string& socket_path, Handlers handlers);
    ~FleetLink();
    FleetLink(const FleetLink&) = delete;
    FleetLink& operator=(const FleetLink&) = delete;

    // A worker with this key may say Hello from now on, until forget().
    void expect(const std::string& launch_key, WorkerId worker);
    void forget(WorkerId worker);
    [[nodiscard]] bool is_connected(WorkerId worker) const;
    // False when the worker is not connected or does not take it.
    bool send(WorkerId worker, const proto::Message& message);

    [[nodiscard]] const std::string& path() const;  // for the worker's environment
    [[nodiscard]] const LinkCounters& counters() const;

  private:
    struct Impl;
    explicit FleetLink(std::shared_ptr<Impl> impl);
    std::shared_ptr<Impl> impl_;
};

// 32 random bytes in hex.
std::string make_launch_key();

}  // namespace fieldwarden::supervisor
