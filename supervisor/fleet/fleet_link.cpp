#include "supervisor/fleet/fleet_link.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <optional>
#include <unordered_map>

#include "proto/frame_stream.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

namespace {

constexpr int kBacklog = 1024;  // a thousand workers may return at once
constexpr std::size_t kReadSize = 64U << 10;
constexpr int kMostAtOnce = 256;
// Small fleets are heard at once; 500 workers every 2.5 milliseconds, a thousand every ten.
constexpr std::chrono::nanoseconds kRestPerPair{10};
constexpr std::chrono::microseconds kShortestRest{500};
constexpr std::chrono::microseconds kLongestRest{10'000};
constexpr std::string_view kUnknownKey =
    "this launch key is unknown to the supervisor: the worker is not part of its fleet and has to leave";

// The messages that travel from worker to supervisor; the order is that of proto::Message.
bool is_from_worker(const proto::Message& message) {
    static const auto last = proto::Message{proto::Finished{}}.index();
    return message.index() <= last;
}

}  // namespace

// The sockets are read and written here, behind one descriptor that Asio waits for (an epoll set of their
// own): a thousand workers say two thousand things a second, and to be woken for each costs more than to hear
// it. So after a round the link rests for a moment, and the next round hears all who spoke meanwhile. During
// a rest the set is not among what Asio watches, or each of them would wake the loop all the same.
struct FleetLink::Impl : std::enable_shared_from_this<Impl> {
    struct Connection {
        explicit Connection(int descriptor) : fd(descriptor) {}
        ~Connection() { close(); }
        Connection(const Connection&) = delete;
        Connection& operator=(const Connection&) = delete;
        void close() {
            if (fd >= 0) ::close(std::exchange(fd, -1));
        }

        int fd;
        proto::FrameReader reader{kStrangerPayload};
        Bytes unsent;
        std::size_t sent = 0;  // of `unsent`
        bool waits_for_room = false;
        std::optional<WorkerId> worker;
    };
    using ConnectionPtr = std::shared_ptr<Connection>;
    struct Worker {
        std::string key;
        ConnectionPtr connection;  // null: not connected
    };

    Impl(asio::io_context& io, int listening, int epoll, std::string socket_path, Handlers its_handlers)
        : listener(io, listening),
          poller(epoll),
          loop(io),
          rest(io),
          path(std::move(socket_path)),
          handlers(std::move(its_handlers)) {}
    ~Impl() { ::close(poller); }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    Descriptor listener;
    const int poller;
    asio::io_context& loop;
    std::optional<Descriptor> bell;  // the set, while somebody who speaks is to wake the loop
    asio::steady_timer rest;
    const std::string path;
    const Handlers handlers;
    std::unordered_map<std::string, WorkerId> by_key;
    std::unordered_map<WorkerId, Worker> workers;
    std::unordered_map<int, ConnectionPtr> connections;  // by descriptor
    LinkCounters counters;
    Bytes read_buffer = Bytes(kReadSize);
    bool closing = false;

    // --- connections ---------------------------------------------------------------------------------------

    void accept_more() {
        listener.async_wait(Descriptor::wait_read,
                            [self = shared_from_this()](boost::system::error_code error) {
                                if (error || self->closing) return;
                                self->accept_all();
                                self->accept_more();
                            });
    }

    void accept_all() {
        for (;;) {
            const int fd =
                ::accept4(listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
            if (fd < 0) return;
            const auto connection = std::make_shared<Connection>(fd);
            if (connections.size() - std::min(connections.size(), workers.size()) >= kMostStrangers ||
                !watch(*connection, EPOLL_CTL_ADD)) {
                ++counters.stranger;
                continue;
            }
            connections.emplace(fd, connection);
        }
    }

    bool watch(const Connection& connection, int operation) {
        epoll_event event{};
        event.events = EPOLLIN | (connection.waits_for_room ? EPOLLOUT : 0U);
        event.data.fd = connection.fd;
        return ::epoll_ctl(poller, operation, connection.fd, &event) == 0;
    }

    void serve_more() {
        if (!bell) {
            const int fd = ::fcntl(poller, F_DUPFD_CLOEXEC, 0);
            if (fd < 0) return serve_after(kLongestRest);  // out of descriptors
            bell.emplace(loop, fd);
        }
        bell->async_wait(Descriptor::wait_read, [self = shared_from_this()](boost::system::error_code error) {
            if (!error && !self->closing) self->serve();
        });
    }

    void serve_after(std::chrono::microseconds pause) {
        bell.reset();
        rest.expires_after(pause);
        rest.async_wait([self = shared_from_this()](boost::system::error_code error) {
            if (!error && !self->closing) self->serve();
        });
    }

    void serve() {
        std::array<epoll_event, kMostAtOnce> events{};
        const int ready = ::epoll_wait(poller, events.data(), kMostAtOnce, 0);
        for (int i = 0; i < ready; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            // Closed by what was heard before it in this round; its number is not given again meanwhile.
            const auto found = connections.find(event.data.fd);
            if (found == connections.end()) continue;
            const auto connection = found->second;
            if ((event.events & EPOLLOUT) != 0) write_some(connection);
            if ((event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read_some(connection);
            if (closing) return;
        }
        // What a round costs by itself counts for the more, the more workers there are to hear in one.
        const auto pairs = static_cast<std::int64_t>(workers.size() * workers.size());
        const auto pause =
            std::min(kLongestRest, std::chrono::floor<std::chrono::microseconds>(kRestPerPair * pairs));
        if (pause < kShortestRest || ready == kMostAtOnce || ready == 0) return serve_more();
        serve_after(pause);
    }

    // One read: a socket that holds more is ready again in the next round, when the others had their turn.
    void read_some(const ConnectionPtr& connection) {
        const auto got = ::recv(connection->fd, read_buffer.data(), read_buffer.size(), 0);
        if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
        if (got <= 0) return close(connection);
        ByteSpan bytes{read_buffer.data(), static_cast<std::size_t>(got)};
        for (;;) {
            const auto frame = connection->reader.next(bytes);
            if (!frame) {
                ++counters.malformed;
                return close(connection);
            }
            if (!frame->whole) return;
            on_frame(connection, *frame);
            if (connection->fd < 0) return;
        }
    }

    void close(const ConnectionPtr& connection) {
        if (connections.erase(connection->fd) == 0) return;
        connection->close();
        const auto worker = std::exchange(connection->worker, std::nullopt);
        if (!worker) return;
        workers.at(*worker).connection = nullptr;
        if (handlers.on_gone) handlers.on_gone(*worker);
    }

    // --- what comes ----------------------------------------------------------------------------------------

    void on_frame(const ConnectionPtr& connection, const proto::FrameReader::Frame& frame) {
        ++counters.received;
        auto message = proto::decode(frame.header, frame.payload);
        if (!message || !is_from_worker(*message)) {
            ++counters.malformed;
            return;
        }
        if (const auto* hello = std::get_if<proto::Hello>(&*message)) {
            on_hello(connection, *hello);
        } else if (!connection->worker) {
            ++counters.stranger;
        } else {
            handlers.on_message(*connection->worker, std::move(*message));
        }
    }

    void on_hello(const ConnectionPtr& connection, const proto::Hello& hello) {
        const auto found = by_key.find(hello.launch_key);
        if (found == by_key.end()) return refuse(connection, std::string{kUnknownKey});
        const auto id = found->second;
        if (connection->worker && connection->worker != id) {
            return refuse(connection, "this connection already speaks for another worker");
        }
        const auto before = workers.at(id).connection;
        bind(id, connection);
        if (auto why = handlers.on_hello(id, hello)) {
            refuse(connection, std::move(*why));
            if (workers.contains(id)) bind(id, before == connection ? nullptr : before);
        }
    }

    void bind(WorkerId id, const ConnectionPtr& connection) {
        auto& worker = workers.at(id);
        if (worker.connection != nullptr) {
            worker.connection->worker.reset();
            worker.connection->reader.set_largest_payload(kStrangerPayload);
        }
        worker.connection = connection;
        if (connection == nullptr) return;
        connection->worker = id;
        connection->reader.set_largest_payload(kLargestFromWorker);
    }

    void refuse(const ConnectionPtr& connection, std::string why) {
        ++counters.refused;
        send(connection, proto::Refuse{std::move(why)});
    }

    // --- what goes -----------------------------------------------------------------------------------------

    bool send(const ConnectionPtr& connection, const proto::Message& message) {
        const auto waiting = connection->unsent.size() - connection->sent;
        if (waiting > kMostQueued || !proto::append_frame(message, connection->unsent)) {
            ++counters.send_failed;
            return false;
        }
        if (write_some(connection)) return true;
        ++counters.send_failed;
        return false;
    }

    // False: the peer is gone. The reader finds that out as well, and closes.
    bool write_some(const ConnectionPtr& connection) {
        auto& unsent = connection->unsent;
        while (connection->sent < unsent.size()) {
            const auto put = ::send(connection->fd, unsent.data() + connection->sent,
                                    unsent.size() - connection->sent, MSG_NOSIGNAL);
            if (put >= 0) {
                connection->sent += static_cast<std::size_t>(put);
                continue;
            }
            if (errno == EINTR) continue;
            if (errno == EAGAIN) {
                wait_for_room(*connection, true);
                return true;
            }
            break;
        }
        wait_for_room(*connection, false);
        const bool all = connection->sent == unsent.size();
        connection->sent = 0;
        // What a large configuration took is given back.
        unsent.size() > kReadSize ? Bytes{}.swap(unsent) : unsent.clear();
        return all;
    }

    void wait_for_room(Connection& connection, bool wanted) {
        if (std::exchange(connection.waits_for_room, wanted) != wanted) watch(connection, EPOLL_CTL_MOD);
    }
};

Result<std::unique_ptr<FleetLink>> FleetLink::open(asio::io_context& loop, const std::string& socket_path,
                                                   Handlers handlers) {
    const auto address = proto::unix_address(socket_path);
    if (!address) return address.error();
    const auto refuse = [&](const std::string& why) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot open the workers' link at {}: {}", socket_path, why));
    };
    std::error_code error;
    const auto directory = std::filesystem::path{socket_path}.parent_path();
    std::filesystem::create_directories(directory, error);
    if (!error) std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
    if (error) return refuse(error.message());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return refuse(errno_text(errno));
    // What a supervisor that died has left; the instance lock says that there is no other one.
    ::unlink(socket_path.c_str());
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
        ::listen(fd, kBacklog) != 0) {
        const auto why = errno_text(errno);
        ::close(fd);
        return refuse(why);
    }
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) {
        const auto why = errno_text(errno);
        ::close(fd);
        return refuse(why);
    }
    auto impl = std::make_shared<Impl>(loop, fd, poller, socket_path, std::move(handlers));
    impl->accept_more();
    impl->serve_more();
    return std::unique_ptr<FleetLink>{new FleetLink{std::move(impl)}};
}

FleetLink::FleetLink(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

FleetLink::~FleetLink() {
    // Waits that are still in the loop hold the Impl and find it closed.
    impl_->closing = true;
    boost::system::error_code ignored;
    impl_->listener.close(ignored);
    if (impl_->bell) impl_->bell->close(ignored);
    impl_->rest.cancel();
    impl_->connections.clear();
    impl_->workers.clear();
}

void FleetLink::expect(const std::string& launch_key, WorkerId worker) {
    impl_->by_key[launch_key] = worker;
    impl_->workers[worker].key = launch_key;
}

void FleetLink::forget(WorkerId worker) {
    const auto found = impl_->workers.find(worker);
    if (found == impl_->workers.end()) return;
    impl_->bind(worker, nullptr);
    impl_->by_key.erase(found->second.key);
    impl_->workers.erase(found);
}

bool FleetLink::is_connected(WorkerId worker) const {
    const auto found = impl_->workers.find(worker);
    return found != impl_->workers.end() && found->second.connection != nullptr;
}

bool FleetLink::send(WorkerId worker, const proto::Message& message) {
    const auto found = impl_->workers.find(worker);
    if (found == impl_->workers.end() || found->second.connection == nullptr) return false;
    return impl_->send(found->second.connection, message);
}

const std::string& FleetLink::path() const {
    return impl_->path;
}
const LinkCounters& FleetLink::counters() const {
    return impl_->counters;
}

std::string make_launch_key() {
    std::array<unsigned char, 32> bytes{};
    std::size_t filled = 0;
    while (filled < bytes.size()) {
        const auto got = getrandom(bytes.data() + filled, bytes.size() - filled, 0);
        if (got > 0) filled += static_cast<std::size_t>(got);
    }
    std::string text;
    for (const auto byte : bytes) text += fmt::format("{:02x}", byte);
    return text;
}

}  // namespace fieldwarden::supervisor
