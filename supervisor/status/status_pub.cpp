#include "supervisor/status/status_pub.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <list>
#include <zmq.hpp>

#include "supervisor/listen_address.h"
#include "supervisor/status/status_prefixes.h"
#include "supervisor/status/zmq_loop.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kReplayBurst = 200;  // messages before the loop's other work has its turn

}  // namespace

Status check_status_endpoint(const std::string& endpoint, bool has_curve_key) {
    if (endpoint.empty()) return {};
    constexpr std::string_view scheme = "tcp://";
    const auto invalid = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("status channel '{}': {}", endpoint, why));
    };
    if (!endpoint.starts_with(scheme)) return invalid("expected tcp://host:port");
    const auto target = parse_listen_address(endpoint.substr(scheme.size()));
    if (!target) return invalid(target.error().message);
    if (!has_curve_key && !is_loopback(target->host)) {
        return invalid(
            "beyond loopback it needs a CURVE key; use tcp://127.0.0.1:port or set "
            "server.status_curve_secret_key");
    }
    return {};
}

struct StatusPub::Impl {
    struct Replay {
        std::vector<EventPtr> events;
        std::size_t next = 0;
    };

    Impl(asio::io_context& loop_, StatusBus& bus_, zmq::socket_t socket_)
        : loop(loop_), bus(bus_), socket(loop_, std::move(socket_)) {}
    ~Impl() { *alive = false; }

    asio::io_context& loop;
    StatusBus& bus;
    ZmqLoopSocket socket;
    std::string bound_tcp;
    StatusPrefixes wanted;
    std::map<std::string, StatusBus::Subscription> subscriptions;  // of every prefix that is wanted
    std::list<Replay> replays;
    bool replay_posted = false;
    std::uint64_t sent = 0;
    std::uint64_t refused = 0;
    std::shared_ptr<bool> alive = std::make_shared<bool>(true);

    void on_client(ZmqFrames& frames) {
        if (frames.size() != 1) return;
        const auto [change, prefix] = wanted.take(as_text(bytes_of(frames.front())));
        switch (change) {
            case StatusPrefixes::Change::kNone:
            case StatusPrefixes::Change::kLess:
                return;
            case StatusPrefixes::Change::kRefused:
                ++refused;
                return;
            case StatusPrefixes::Change::kLast:
                subscriptions.erase(std::string{prefix});
                return;
            case StatusPrefixes::Change::kFirst:
                follow(std::string{prefix});
                break;
            case StatusPrefixes::Change::kMore:
                break;
        }
        // A client that subscribes over and over gets its replays one after the other, not all at once.
        if (replays.size() < StatusPrefixes::kMost) replays.push_back({bus.last_values(prefix)});
        replay_soon();
    }

    void follow(const std::string& prefix) {
        // An event arrives once for every prefix that matches it; it is sent for the shortest of them.
        subscriptions[prefix] = bus.subscribe(prefix, [this, guard = alive, prefix](const EventPtr& event) {
            asio::dispatch(loop, [this, guard, prefix, event] {
                if (*guard && wanted.is_shortest(prefix, event->topic)) send(*event);
            });
        });
    }

    void replay_soon() {
        if (replay_posted || replays.empty()) return;
        replay_posted = true;
        asio::post(loop, [this, guard = alive] {
            if (!*guard) return;
            replay_posted = false;
            replay();
            replay_soon();
        });
    }

    void replay() {
        auto& current = replays.front();
        for (std::size_t i = 0; i < kReplayBurst && current.next < current.events.size(); ++i) {
            const auto& event = current.events[current.next++];
            // What was published since goes out by itself; an older value must not come after it.
            if (is_last(*event)) send(*event);
        }
        if (current.next == current.events.size()) replays.pop_front();
    }

    bool is_last(const Event& event) const {
        const auto values = bus.last_values(event.topic);
        return std::ranges::any_of(values, [&](const auto& value) { return value->seq == event.seq; });
    }

    void send(const Event& event) {
        ZmqFrames frames;
        frames.push_back(zmq_message(event.topic));
        frames.push_back(zmq_message(event.envelope()));
        if (socket.send(frames)) ++sent;
    }
};

Result<std::unique_ptr<StatusPub>> StatusPub::open(asio::io_context& loop, zmq::context_t& context,
                                                   StatusBus& bus, const Options& options) {
    if (const auto allowed = check_status_endpoint(options.tcp_endpoint, !options.curve_secret_key.empty());
        !allowed) {
        return allowed.error();
    }
    const auto endpoint = ipc_endpoint(options.socket_path);
    if (!endpoint) return endpoint.error();
    std::string binding = *endpoint;
    try {
        const auto directory = std::filesystem::path{options.socket_path}.parent_path();
        std::filesystem::create_directories(directory);
        std::filesystem::permissions(directory, std::filesystem::perms::owner_all);

        zmq::socket_t socket{context, zmq::socket_type::xpub};
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::sndhwm, kQueueLimit);
        socket.set(zmq::sockopt::maxmsgsize, std::int64_t{1024});  // of what clients send: subscriptions
        // Every subscription and every end of one is handed up, also the second client's to the same prefix.
        socket.set(zmq::sockopt::xpub_verboser, true);
        socket.bind(binding);
        std::string bound_tcp;
        if (!options.tcp_endpoint.empty()) {
            if (!options.curve_secret_key.empty()) {
                socket.set(zmq::sockopt::curve_server, true);
                socket.set(zmq::sockopt::curve_secretkey, options.curve_secret_key);
            }
            binding = options.tcp_endpoint;
            socket.bind(binding);
            bound_tcp = socket.get(zmq::sockopt::last_endpoint);
        }
        auto impl = std::make_unique<Impl>(loop, bus, std::move(socket));
        impl->bound_tcp = std::move(bound_tcp);
        impl->socket.start([raw = impl.get()](ZmqFrames& frames) { raw->on_client(frames); });
        return std::unique_ptr<StatusPub>{new StatusPub{std::move(impl)}};
    } catch (const std::exception& error) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot open the status channel at {}: {}", binding, error.what()));
    }
}

StatusPub::StatusPub(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
StatusPub::~StatusPub() = default;

const std::string& StatusPub::tcp_endpoint() const {
    return impl_->bound_tcp;
}
std::uint64_t StatusPub::sent() const {
    return impl_->sent;
}
std::uint64_t StatusPub::refused() const {
    return impl_->refused;
}

}  // namespace fieldwarden::supervisor
