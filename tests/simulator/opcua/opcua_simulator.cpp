#include "tests/simulator/opcua/opcua_simulator.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <future>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/simulator/opcua/channel.h"
#include "tests/simulator/opcua/engine.h"

namespace fieldwarden::simulator::opcua {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kLongestCommand = 64 * 1024;
constexpr std::chrono::milliseconds kAcceptRetry{50};
constexpr std::size_t kMostUnsent = 64U << 20;

}  // namespace

struct OpcUaSimulator::Impl {
    class Connection;
    explicit Impl(SimulatorOptions given)
        : options(std::move(given)),
          engine({.user = options.user, .password = options.password, .many = options.many, .limits = {}}),
          acceptor(io),
          ticker(io),
          retry(io) {}

    Status listen();
    error_code open(tcp::acceptor& at, const tcp::endpoint& endpoint);
    void accept();
    void accept_control();
    void serve_control(const std::shared_ptr<tcp::socket>& socket,
                       const std::shared_ptr<asio::streambuf>& input);
    std::string execute(std::string_view line);
    void tick();
    void deliver(std::vector<Reply>& replies);
    void change_faults(Faults changed);
    void drop();
    bool next_is_spoilt();
    Counters count() const;

    // Runs `work` on the serving thread, or here when it does not run.
    template <class Work>
    auto on_thread(Work work) {
        if (!thread.joinable()) return work();
        std::packaged_task<decltype(work())()> task{std::move(work)};
        auto result = task.get_future();
        asio::post(io, [&task] { task(); });
        return result.get();
    }

    const SimulatorOptions options;
    asio::io_context io{1};
    Engine engine;
    Faults faults;
    tcp::acceptor acceptor;
    asio::steady_timer ticker;
    asio::steady_timer retry;
    tcp::endpoint endpoint;
    std::map<std::uint64_t, std::shared_ptr<Connection>> connections;
    std::uint64_t next_connection = 1;
    std::uint64_t accepted = 0;
    std::uint64_t renewals = 0;  // of connections that are gone
    std::optional<tcp::acceptor> control;
    std::map<tcp::socket*, std::shared_ptr<tcp::socket>> control_clients;
    std::uint16_t control_port = 0;
    std::thread thread;
};

// One client's connection. Kept alive by its pending operations; closed by an error or by close().
class OpcUaSimulator::Impl::Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(tcp::socket socket, Impl& server, std::uint64_t id)
        : socket_(std::move(socket)),
          server_(server),
          id_(id),
          channel_(static_cast<std::uint32_t>(id), server.options.channel_lifetime) {}

    void receive() {
        socket_.async_read_some(asio::buffer(buffer_),
                                [self = shared_from_this()](const error_code& error, std::size_t size) {
                                    if (error) return self->close();
                                    self->handle(std::span{self->buffer_}.first(size));
                                    if (self->socket_.is_open()) self->receive();
                                });
    }
    void close() {
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_both, ignored);
        socket_.close(ignored);
        server_.engine.connection_closed(id_);
        if (server_.connections.erase(id_) == 1) server_.renewals += channel_.renewals();
    }
    void answer(const Reply& reply);
    [[nodiscard]] std::uint64_t renewals() const { return channel_.renewals(); }

  private:
    void handle(std::span<const std::uint8_t> bytes) {
        auto step = channel_.receive(bytes);
        if (server_.faults.reply == ReplyFault::kSilent && server_.faults.after == 0 && step.requests.empty())
            return;
        if (!step.answer.empty()) send(std::move(step.answer), step.close);
        std::vector<Reply> replies;
        for (const auto& request : step.requests)
            server_.engine.handle(id_, request.id, request.body, replies);
        server_.deliver(replies);
        if (step.close && queue_.empty()) close();
    }
    // After the fault's delay; in order.
    void send(Bytes bytes, bool close_after) {
        if (server_.faults.delay.count() == 0) return enqueue(std::move(bytes), close_after);
        const auto timer = std::make_shared<asio::steady_timer>(socket_.get_executor(), server_.faults.delay);
        timer->async_wait([self = shared_from_this(), timer, bytes = std::move(bytes),
                           close_after](const error_code& error) mutable {
            if (!error && self->socket_.is_open()) self->enqueue(std::move(bytes), close_after);
        });
    }
    void enqueue(Bytes bytes, bool close_after) {
        unsent_ += bytes.size();
        if (unsent_ > kMostUnsent) return close();  // it does not read
        close_after_ = close_after_ || close_after;
        queue_.push_back(std::move(bytes));
        if (queue_.size() == 1) write();
    }
    void write() {
        asio::async_write(socket_, asio::buffer(queue_.front()),
                          [self = shared_from_this()](const error_code& error, std::size_t) {
                              if (error) return self->close();
                              self->unsent_ -= self->queue_.front().size();
                              self->queue_.pop_front();
                              if (!self->queue_.empty()) return self->write();
                              if (self->close_after_) self->close();
                          });
    }

    tcp::socket socket_;
    Impl& server_;  // outlives the connection: the io_context is drained before it goes
    const std::uint64_t id_;
    Channel channel_;
    std::array<std::uint8_t, 65536> buffer_{};
    std::deque<Bytes> queue_;
    std::size_t unsent_ = 0;
    bool close_after_ = false;
};

// Counts down what lets answers pass and what spoils them.
bool OpcUaSimulator::Impl::next_is_spoilt() {
    if (faults.reply == ReplyFault::kNone) return false;
    if (faults.after > 0) {
        --faults.after;
        return false;
    }
    return true;
}

void OpcUaSimulator::Impl::Connection::answer(const Reply& reply) {
    auto& told = server_.faults;
    if (!server_.next_is_spoilt()) return send(channel_.respond(reply.request_id, reply.body), false);
    const auto fault = told.reply;
    if (told.times > 0 && --told.times == 0) told.reply = ReplyFault::kNone;
    auto body = reply.body;
    const auto respond = [&] { return channel_.respond(reply.request_id, body); };
    const auto add_at = [](Bytes& bytes, std::size_t at, std::uint32_t more) {
        Reader reader{std::span<const std::uint8_t>{bytes}.subspan(at, 4)};
        const auto value = reader.u32() + more;
        for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
    };
    // Behind the type (4 bytes, all response types have numbers above 255) and the time (8).
    constexpr std::size_t kHandleAt = 12;
    constexpr std::size_t kSizeAt = 4;
    constexpr std::size_t kChannelAt = 8;
    constexpr std::uint32_t kTwoGigabytes = 0x7FFFFFFF;
    switch (fault) {
        case ReplyFault::kNone:
            return send(respond(), false);
        case ReplyFault::kSilent:
            return;
        case ReplyFault::kDrop:
            return close();
        case ReplyFault::kTruncate:
        case ReplyFault::kHalfThenClose: {
            auto bytes = respond();
            bytes.resize(bytes.size() / 2);
            return send(std::move(bytes), fault == ReplyFault::kHalfThenClose);
        }
        case ReplyFault::kWrongHandle:
            add_at(body, kHandleAt, 1);
            return send(respond(), false);
        case ReplyFault::kWrongRequestId:
            return send(channel_.respond(reply.request_id + 1000, body), false);
        case ReplyFault::kWrongChannel: {
            auto bytes = respond();
            add_at(bytes, kChannelAt, 1);
            return send(std::move(bytes), false);
        }
        case ReplyFault::kBadSequence:
            return send(channel_.respond(reply.request_id, body, 100), false);
        case ReplyFault::kOversizeLength: {
            auto bytes = respond();
            Writer size;
            size.u32(kTwoGigabytes);
            std::copy(size.bytes.begin(), size.bytes.end(), bytes.begin() + kSizeAt);
            return send(std::move(bytes), false);
        }
        case ReplyFault::kGarbage:
            std::fill(body.begin(), body.end(), std::uint8_t{0xFF});
            return send(respond(), false);
    }
}

void OpcUaSimulator::Impl::deliver(std::vector<Reply>& replies) {
    for (const auto& reply : replies) {
        // An answer may close its connection.
        const auto found = connections.find(reply.connection);
        if (found != connections.end()) std::shared_ptr {
                found->second
                } -> answer(reply);
    }
}

void OpcUaSimulator::Impl::tick() {
    ticker.expires_after(Engine::kTick);
    ticker.async_wait([this](const error_code& error) {
        if (error) return;
        std::vector<Reply> replies;
        engine.tick(replies);
        deliver(replies);
        tick();
    });
}

void OpcUaSimulator::Impl::drop() {
    while (!connections.empty()) std::shared_ptr {
            connections.begin()->second
            } -> close();
}

void OpcUaSimulator::Impl::change_faults(Faults changed) {
    const bool was_unplugged = faults.unplugged;
    faults = changed;
    if (faults.unplugged == was_unplugged) return;
    error_code ignored;
    if (faults.unplugged) {
        acceptor.close(ignored);
        drop();
    } else if (!open(acceptor, endpoint)) {
        accept();
    }
}

Counters OpcUaSimulator::Impl::count() const {
    const auto of_engine = engine.counters();
    Counters out{.requests = of_engine.requests,
                 .accepted = accepted,
                 .renewals = renewals,
                 .notifications = of_engine.notifications,
                 .connections = connections.size(),
                 .sessions = of_engine.sessions,
                 .subscriptions = of_engine.subscriptions,
                 .monitored_items = of_engine.monitored_items,
                 .republished = of_engine.republished,
                 .transfers = of_engine.transfers};
    for (const auto& [id, connection] : connections) out.renewals += connection->renewals();
    return out;
}

error_code OpcUaSimulator::Impl::open(tcp::acceptor& at, const tcp::endpoint& where) {
    error_code error;
    at.open(where.protocol(), error);
    if (!error) at.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) at.bind(where, error);
    if (!error) at.listen(asio::socket_base::max_listen_connections, error);
    return error;
}

Status OpcUaSimulator::Impl::listen() {
    const auto bind = [&](tcp::acceptor& at, const std::string& host, std::uint16_t port) -> Status {
        error_code error;
        const auto address = asio::ip::make_address(host, error);
        if (error) {
            return make_error(ErrorKind::kInvalidArgument,
                              fmt::format("'{}' is not an IP address to listen on", host));
        }
        if (const auto failed = open(at, {address, port})) {
            return make_error(ErrorKind::kIo,
                              fmt::format("cannot listen on {}:{}: {}", host, port, failed.message()));
        }
        return {};
    };
    if (const auto status = bind(acceptor, options.host, options.port); !status) return status;
    error_code ignored;
    endpoint = acceptor.local_endpoint(ignored);
    if (options.control_host.empty()) return {};
    control.emplace(io);
    if (const auto status = bind(*control, options.control_host, options.control_port); !status)
        return status;
    control_port = control->local_endpoint(ignored).port();
    return {};
}

void OpcUaSimulator::Impl::accept() {
    acceptor.async_accept([this](const error_code& error, tcp::socket socket) {
        if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
        if (error) {
            // Out of descriptors, most likely: a later connection may succeed.
            retry.expires_after(kAcceptRetry);
            retry.async_wait([this](const error_code& cancelled) {
                if (!cancelled) accept();
            });
            return;
        }
        ++accepted;
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        const auto id = next_connection++;
        const auto connection = std::make_shared<Connection>(std::move(socket), *this, id);
        connections[id] = connection;
        connection->receive();
        accept();
    });
}

// --- control -----------------------------------------------------------------------------------------------

void OpcUaSimulator::Impl::accept_control() {
    control->async_accept([this](const error_code& error, tcp::socket socket) {
        if (error == asio::error::operation_aborted || !control->is_open()) return;
        if (!error) {
            auto client = std::make_shared<tcp::socket>(std::move(socket));
            control_clients[client.get()] = client;
            serve_control(client, std::make_shared<asio::streambuf>(kLongestCommand));
        }
        accept_control();
    });
}

void OpcUaSimulator::Impl::serve_control(const std::shared_ptr<tcp::socket>& socket,
                                         const std::shared_ptr<asio::streambuf>& input) {
    asio::async_read_until(
        *socket, *input, '\n', [this, socket, input](const error_code& error, std::size_t length) {
            if (error) {
                control_clients.erase(socket.get());
                return;
            }
            const std::string line{asio::buffers_begin(input->data()),
                                   asio::buffers_begin(input->data()) + static_cast<std::ptrdiff_t>(length)};
            input->consume(length);
            const auto answer = std::make_shared<std::string>(execute(line) + "\n");
            asio::async_write(*socket, asio::buffer(*answer),
                              [this, socket, input, answer](const error_code& failed, std::size_t) {
                                  if (failed) {
                                      control_clients.erase(socket.get());
                                      return;
                                  }
                                  serve_control(socket, input);
                              });
        });
}

std::string OpcUaSimulator::Impl::execute(std::string_view line) {
    using Json = nlohmann::json;
    const auto refuse = [](const std::string& why) {
        return Json{{"ok", false}, {"error", why}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    };
    const auto command = parse_command(line);
    if (!command) return refuse(command.error().message);
    if (command->clear) engine.clear_faults();
    if (command->forget_sessions) engine.forget_sessions();
    auto changed = faults;
    command->apply(changed);
    change_faults(changed);
    if (command->drop) drop();
    if (command->service_status) engine.fail_services(*command->service_status);
    if (!command->node.empty() && !engine.set_fault(signal(command->node), command->node_status))
        return refuse("there is no node " + command->node);
    if (!command->pin.empty() && !engine.pin_scalars(signal(command->pin), command->values))
        return refuse("there is no node " + command->pin);
    const auto counters = count();
    return Json{{"ok", true},
                {"requests", counters.requests},
                {"accepted", counters.accepted},
                {"connections", counters.connections},
                {"sessions", counters.sessions},
                {"subscriptions", counters.subscriptions},
                {"monitored_items", counters.monitored_items},
                {"notifications", counters.notifications},
                {"renewals", counters.renewals}}
        .dump();
}

// --- the outside -------------------------------------------------------------------------------------------

OpcUaSimulator::OpcUaSimulator(SimulatorOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

OpcUaSimulator::~OpcUaSimulator() {
    stop();
}

Status OpcUaSimulator::start() {
    auto& self = *impl_;
    if (const auto status = self.listen(); !status) return status;
    self.accept();
    if (self.control) self.accept_control();
    self.tick();
    self.thread = std::thread([&self] { self.io.run(); });
    return {};
}

void OpcUaSimulator::stop() {
    auto& self = *impl_;
    if (!self.thread.joinable()) return;
    asio::post(self.io, [&self] {
        error_code ignored;
        self.acceptor.close(ignored);
        self.ticker.cancel();
        self.retry.cancel();
        self.drop();
        if (self.control) self.control->close(ignored);
        for (const auto& [key, client] : self.control_clients) client->close(ignored);
        self.control_clients.clear();
        self.io.stop();
    });
    self.thread.join();
}

std::uint16_t OpcUaSimulator::port() const {
    return impl_->endpoint.port();
}

std::uint16_t OpcUaSimulator::control_port() const {
    return impl_->control_port;
}

void OpcUaSimulator::set_faults(Faults faults) {
    impl_->on_thread([&] { impl_->change_faults(faults); });
}

void OpcUaSimulator::drop_connections() {
    impl_->on_thread([&] { impl_->drop(); });
}

void OpcUaSimulator::set_subscription_faults(SubscriptionFaults faults) {
    impl_->on_thread([&] { impl_->engine.set_subscription_faults(faults); });
}

void OpcUaSimulator::end_sessions() {
    impl_->on_thread([&] { impl_->engine.end_sessions(); });
}

void OpcUaSimulator::forget_sessions() {
    impl_->on_thread([&] { impl_->engine.forget_sessions(); });
}

bool OpcUaSimulator::set_node_status(const std::string& name, std::optional<StatusCode> code) {
    return impl_->on_thread([&] { return impl_->engine.set_fault(signal(name), code); });
}

bool OpcUaSimulator::pin(const std::string& name, const std::vector<Scalar>& values) {
    return impl_->on_thread([&] { return impl_->engine.pin_scalars(signal(name), values); });
}

Counters OpcUaSimulator::counters() const {
    return impl_->on_thread([&] { return impl_->count(); });
}

}  // namespace fieldwarden::simulator::opcua
