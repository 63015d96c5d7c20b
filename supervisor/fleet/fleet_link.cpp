#include "supervisor/fleet/fleet_link.h"

#include <fmt/format.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "proto/frame_stream.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;

namespace {

constexpr int kBacklog = 1024;  // a thousand workers may return at once
constexpr std::size_t kReadSize = 64U << 10;
constexpr std::string_view kUnknownKey =
    "this launch key is unknown to the supervisor: the worker is not part of its fleet and has to leave";

// The messages that travel from worker to supervisor; the order is that of proto::Message.
bool is_from_worker(const proto::Message& message) {
    static const auto last = proto::Message{proto::Finished{}}.index();
    return message.index() <= last;
}

}  // namespace

// Sockets are read and written here without Asio's buffers: one read serves many messages, and what a worker
// is told goes out at once. Asio says when there is something to read or room to write.
struct FleetLink::Impl : std::enable_shared_from_this<Impl> {
    struct Connection {
        Connection(asio::io_context& loop, int fd) : socket(loop, fd) {}

        Descriptor socket;
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

    Impl(asio::io_context& io, int fd, std::string socket_path, Handlers its_handlers)
        : loop(io), listener(io, fd), path(std::move(socket_path)), handlers(std::move(its_handlers)) {}

    asio::io_context& loop;
    Descriptor listener;
    const std::string path;
    const Handlers handlers;
    std::unordered_map<std::string, WorkerId> by_key;
    std::unordered_map<WorkerId, Worker> workers;
    std::unordered_set<ConnectionPtr> connections;
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
            if (connections.size() - std::min(connections.size(), workers.size()) >= kMostStrangers) {
                ++counters.stranger;
                ::close(fd);
                continue;
            }
            const auto connection = std::make_shared<Connection>(loop, fd);
            connections.insert(connection);
            read_more(connection);
        }
    }

    void read_more(const ConnectionPtr& connection) {
        connection->socket.async_wait(
            Descriptor::wait_read, [self = shared_from_this(), connection](boost::system::error_code error) {
                if (error || self->closing) return;
                if (self->read_some(connection)) self->read_more(connection);
            });
    }

    // False: the connection is closed.
    bool read_some(const ConnectionPtr& connection) {
        for (;;) {
            const auto got =
                ::recv(connection->socket.native_handle(), read_buffer.data(), read_buffer.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && errno == EAGAIN) return true;
            if (got <= 0) return close(connection);
            ByteSpan bytes{read_buffer.data(), static_cast<std::size_t>(got)};
            for (;;) {
                const auto frame = connection->reader.next(bytes);
                if (!frame) {
                    ++counters.malformed;
                    return close(connection);
                }
                if (!frame->whole) break;
                on_frame(connection, *frame);
                if (!connection->socket.is_open()) return false;
            }
            // A short read has emptied the socket; a long one comes again after the others had their turn.
            return true;
        }
    }

    bool close(const ConnectionPtr& connection) {
        if (connections.erase(connection) == 0) return false;
        boost::system::error_code ignored;
        connection->socket.close(ignored);
        const auto worker = std::exchange(connection->worker, std::nullopt);
        if (!worker) return false;
        workers.at(*worker).connection = nullptr;
        if (handlers.on_gone) handlers.on_gone(*worker);
        return false;
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
            const auto put = ::send(connection->socket.native_handle(), unsent.data() + connection->sent,
                                    unsent.size() - connection->sent, MSG_NOSIGNAL);
            if (put >= 0) {
                connection->sent += static_cast<std::size_t>(put);
                continue;
            }
            if (errno == EINTR) continue;
            if (errno == EAGAIN) {
                write_more(connection);
                return true;
            }
            break;
        }
        const bool all = connection->sent == unsent.size();
        connection->sent = 0;
        // What a large configuration took is given back.
        unsent.size() > kReadSize ? Bytes{}.swap(unsent) : unsent.clear();
        return all;
    }

    void write_more(const ConnectionPtr& connection) {
        if (std::exchange(connection->waits_for_room, true)) return;
        connection->socket.async_wait(
            Descriptor::wait_write, [self = shared_from_this(), connection](boost::system::error_code error) {
                connection->waits_for_room = false;
                if (!error && !self->closing) self->write_some(connection);
            });
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
    auto impl = std::make_shared<Impl>(loop, fd, socket_path, std::move(handlers));
    impl->accept_more();
    return std::unique_ptr<FleetLink>{new FleetLink{std::move(impl)}};
}

FleetLink::FleetLink(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

FleetLink::~FleetLink() {
    // Waits that are still in the loop hold the Impl and find it closed.
    impl_->closing = true;
    boost::system::error_code ignored;
    impl_->listener.close(ignored);
    for (const auto& connection : impl_->connections) connection->socket.close(ignored);
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
