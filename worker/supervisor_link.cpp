#include "worker/supervisor_link.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <zmq.hpp>

#include "common/backoff.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

namespace {

constexpr BackoffPolicy kHelloBackoff{milliseconds{1'000}, milliseconds{10'000}, 0.25};
constexpr int kReconnectFirst = 50;       // ms
constexpr int kReconnectLongest = 2'000;  // ms
constexpr int kLinger = 500;              // ms
// Silence of this many heartbeats means that the supervisor behind the connection is not ours any more.
constexpr int kBeatsOfSilence = 3;
constexpr const char* kMonitorEndpoint = "inproc://supervisor-link-events";

}  // namespace

std::uint64_t own_start_ticks() {
    std::ifstream file{"/proc/self/stat"};
    std::string line;
    std::getline(file, line);
    // Field 2 is the program's name in parentheses and may hold spaces.
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream fields{line.substr(name_end + 1)};
    std::string field;
    for (int number = 3; number <= 22; ++number) fields >> field;
    return std::strtoull(field.c_str(), nullptr, 10);
}

struct SupervisorLink::Impl {
    explicit Impl(const Clock& machine_clock) : clock(machine_clock) {}

    const Clock& clock;
    zmq::context_t context{1};
    zmq::socket_t socket;
    zmq::socket_t monitor;
    proto::Hello hello;
    bool connected = false;
    bool welcome = false;
    unsigned hellos = 0;  // since the last connection or Welcome
    MonoTime next_hello{};
    MonoTime heard{};
    milliseconds heartbeat_interval{1'000};
    std::uint64_t malformed = 0;

    bool send(const proto::Message& message) {
        const auto frames = proto::encode(message);
        try {
            const auto header =
                socket.send(zmq::buffer(frames.header), zmq::send_flags::sndmore | zmq::send_flags::dontwait);
            if (!header) return false;
            // The second part of a message never waits.
            return socket.send(zmq::buffer(frames.payload), zmq::send_flags::dontwait).has_value();
        } catch (const zmq::error_t&) {
            return false;
        }
    }

    void read_events() {
        zmq::message_t event;
        zmq::message_t address;
        while (monitor.recv(event, zmq::recv_flags::dontwait)) {
            (void)monitor.recv(address, zmq::recv_flags::dontwait);
            std::uint16_t number = 0;
            if (event.size() < sizeof(number)) continue;
            std::memcpy(&number, event.data(), sizeof(number));
            connected = number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
            // A new connection is a new identity to the supervisor.
            welcome = false;
            hellos = 0;
            next_hello = clock.mono_now();
        }
    }

    // When there is something to do for the link itself, at the latest.
    void keep_up() {
        const auto now = clock.mono_now();
        if (welcome && now - heard > heartbeat_interval * kBeatsOfSilence) {
            welcome = false;
            hellos = 0;
            next_hello = now;
        }
        if (welcome || !connected || now < next_hello) return;
        send(hello);
        next_hello = now + backoff_delay(kHelloBackoff, ++hellos, 0.5);
    }
};

SupervisorLink::SupervisorLink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

SupervisorLink::~SupervisorLink() = default;

Result<std::unique_ptr<SupervisorLink>> SupervisorLink::open(const LaunchEnvironment& environment,
                                                             const Clock& clock) {
    auto impl = std::make_unique<Impl>(clock);
    impl->hello.launch_key = environment.launch_key;
    impl->hello.task_code = environment.task_code;
    impl->hello.session_id = environment.session_id;
    impl->hello.pid = ::getpid();
    impl->hello.start_ticks = own_start_ticks();
    impl->hello.version = FIELDWARDEN_VERSION;
    impl->heard = clock.mono_now();
    try {
        impl->socket = zmq::socket_t{impl->context, zmq::socket_type::dealer};
        auto& socket = impl->socket;
        socket.set(zmq::sockopt::linger, kLinger);
        socket.set(zmq::sockopt::sndhwm, kQueue);
        // Only a connection that stands takes messages: what was said to a dead supervisor is not told to the
        // next one.
        socket.set(zmq::sockopt::immediate, true);
        socket.set(zmq::sockopt::reconnect_ivl, kReconnectFirst);
        socket.set(zmq::sockopt::reconnect_ivl_max, kReconnectLongest);
        socket.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(proto::kMaxPayload));
        if (zmq_socket_monitor(socket.handle(), kMonitorEndpoint,
                               ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) != 0) {
            throw zmq::error_t{};
        }
        impl->monitor = zmq::socket_t{impl->context, zmq::socket_type::pair};
        impl->monitor.set(zmq::sockopt::linger, 0);
        impl->monitor.connect(kMonitorEndpoint);
        socket.connect(environment.endpoint);
    } catch (const zmq::error_t& error) {
        return make_error(ErrorKind::kUnavailable,
                          fmt::format("cannot open the link to the supervisor at {}: {}",
                                      environment.endpoint, error.what()));
    }
    return std::unique_ptr<SupervisorLink>{new SupervisorLink{std::move(impl)}};
}

std::uint32_t SupervisorLink::wait(std::span<const int> descriptors, milliseconds timeout) {
    impl_->keep_up();
    std::vector<zmq::pollitem_t> items{{impl_->socket.handle(), 0, ZMQ_POLLIN, 0},
                                       {impl_->monitor.handle(), 0, ZMQ_POLLIN, 0}};
    for (const int fd : descriptors) items.push_back({nullptr, fd, ZMQ_POLLIN, 0});
    try {
        zmq::poll(items, timeout);
    } catch (const zmq::error_t&) {
        return 0;  // interrupted by a signal: the caller's loop comes round again
    }
    if ((items[1].revents & ZMQ_POLLIN) != 0) {
        impl_->read_events();
        impl_->keep_up();
    }
    std::uint32_t ready = 0;
    for (std::size_t i = 0; i < descriptors.size(); ++i) {
        if ((items[i + 2].revents & ZMQ_POLLIN) != 0) ready |= 1U << i;
    }
    return ready;
}

std::optional<proto::Message> SupervisorLink::receive() {
    for (;;) {
        std::vector<zmq::message_t> frames;
        try {
            for (;;) {
                zmq::message_t frame;
                if (!impl_->socket.recv(frame, zmq::recv_flags::dontwait)) return std::nullopt;
                const bool more = frame.more();
                // Frames beyond those of a message are read away, not kept.
                if (frames.size() < 3) frames.push_back(std::move(frame));
                if (!more) break;
            }
        } catch (const zmq::error_t&) {
            return std::nullopt;
        }
        const auto bytes = [](const zmq::message_t& frame) {
            return ByteSpan{static_cast<const std::byte*>(frame.data()), frame.size()};
        };
        if (frames.size() == 2) {
            auto message = proto::decode(bytes(frames[0]), bytes(frames[1]));
            if (message) {
                impl_->heard = impl_->clock.mono_now();
                return std::move(*message);
            }
        }
        ++impl_->malformed;
    }
}

bool SupervisorLink::send(const proto::Message& message) {
    return impl_->welcome && impl_->send(message);
}

void SupervisorLink::describe(const std::string& task_code, std::int64_t session_id,
                              std::uint64_t config_revision) {
    impl_->hello.task_code = task_code;
    impl_->hello.session_id = session_id;
    impl_->hello.config_revision = config_revision;
}

void SupervisorLink::welcomed(milliseconds heartbeat_interval) {
    impl_->welcome = true;
    impl_->heartbeat_interval = heartbeat_interval;
    impl_->hellos = 0;
}

bool SupervisorLink::is_welcome() const {
    return impl_->welcome;
}

milliseconds SupervisorLink::silence() const {
    return std::chrono::duration_cast<milliseconds>(impl_->clock.mono_now() - impl_->heard);
}

std::uint64_t SupervisorLink::malformed() const {
    return impl_->malformed;
}

}  // namespace fieldwarden::worker
