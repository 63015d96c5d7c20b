#include "tests/simulator/device_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <set>
#include <thread>

namespace fieldwarden::simulator {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kTrickleInterval{50};
constexpr std::chrono::milliseconds kAcceptRetry{50};
// Nothing a client of ours or of others sends is longer; more without a whole request is nonsense.
constexpr std::size_t kLongestPending = 128 * 1024;

class Device;

// One client's connection. Kept alive by its pending operation; closed by an error or by close().
class Session : public std::enable_shared_from_this<Session> {
  public:
    Session(tcp::socket socket, Device& device)
        : socket_(std::move(socket)), timer_(socket_.get_executor()), device_(device) {}
    void start() { receive(); }
    void close();

  private:
    void receive();
    void handle_received();
    void send();
    void trickle(std::size_t sent);
    void sent(const error_code& error);

    tcp::socket socket_;
    asio::steady_timer timer_;
    Device& device_;  // outlives the session: the io_context is drained before devices go
    std::vector<std::uint8_t> pending_;
    std::array<std::uint8_t, 4096> buffer_{};
    Answer answer_;
};

// A port with its device behind it.
class Device {
  public:
    Device(asio::io_context& io, std::unique_ptr<Responder> responder)
        : responder_(std::move(responder)),
          acceptor_(io),
          retry_(io),
          started_(std::chrono::steady_clock::now()) {}

    error_code listen(const tcp::endpoint& endpoint) {
        error_code error;
        acceptor_.open(endpoint.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(endpoint, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        if (!error) endpoint_ = acceptor_.local_endpoint(error);
        return error;
    }
    void accept() {
        acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
            if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
            if (error) {
                // Out of descriptors, most likely: a later connection may succeed.
                retry_.expires_after(kAcceptRetry);
                retry_.async_wait([this](const error_code& cancelled) {
                    if (!cancelled) accept();
                });
                return;
            }
            ++counters_.accepted;
            error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            const auto session = std::make_shared<Session>(std::move(socket), *this);
            sessions_.insert(session);
            session->start();
            accept();
        });
    }
    void plug(bool in) {
        if (in == plugged_) return;
        plugged_ = in;
        error_code ignored;
        if (!in) {
            acceptor_.close(ignored);
            drop_connections();
        } else if (!listen(endpoint_)) {
            accept();
        }
    }
    void drop_connections() {
        const auto sessions = std::exchange(sessions_, {});
        for (const auto& session : sessions) session->close();
    }
    void shut_down() {
        error_code ignored;
        acceptor_.close(ignored);
        retry_.cancel();
        drop_connections();
    }
    void forget(const std::shared_ptr<Session>& session) { sessions_.erase(session); }
    std::optional<std::size_t> take(std::span<const std::uint8_t> bytes, Answer& answer) {
        const std::chrono::duration<double> age = std::chrono::steady_clock::now() - started_;
        const auto taken = responder_->take(bytes, age.count(), answer);
        if (taken && *taken != 0) ++counters_.requests;
        return taken;
    }

    [[nodiscard]] std::chrono::milliseconds delay() const { return responder_->delay(); }
    [[nodiscard]] std::uint16_t port() const { return endpoint_.port(); }
    [[nodiscard]] DeviceCounters counters() const {
        auto copy = counters_;
        copy.connections = static_cast<std::uint32_t>(sessions_.size());
        return copy;
    }

  private:
    std::unique_ptr<Responder> responder_;
    tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    tcp::endpoint endpoint_;
    bool plugged_ = true;
    std::set<std::shared_ptr<Session>> sessions_;
    DeviceCounters counters_;
    std::chrono::steady_clock::time_point started_;
};

void Session::close() {
    error_code ignored;
    timer_.cancel();
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    device_.forget(shared_from_this());
}

void Session::receive() {
    socket_.async_read_some(
        asio::buffer(buffer_), [self = shared_from_this()](const error_code& error, std::size_t size) {
            if (error) return self->close();
            self->pending_.insert(self->pending_.end(), self->buffer_.begin(),
                                  self->buffer_.begin() + static_cast<std::ptrdiff_t>(size));
            self->handle_received();
        });
}

void Session::handle_received() {
    answer_.bytes.clear();
    answer_.close = false;
    answer_.trickle = false;
    std::size_t used = 0;
    while (!answer_.close) {
        const auto taken = device_.take(std::span{pending_}.subspan(used), answer_);
        if (!taken) return close();
        if (*taken == 0) break;
        used += *taken;
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    if (pending_.size() > kLongestPending) return close();
    if (answer_.bytes.empty()) return answer_.close ? close() : receive();
    const auto delay = device_.delay();
    if (delay.count() == 0) return send();
    timer_.expires_after(delay);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
        if (!error) self->send();
    });
}

void Session::send() {
    if (answer_.trickle) return trickle(0);
    asio::async_write(
        socket_, asio::buffer(answer_.bytes),
        [self = shared_from_this()](const error_code& error, std::size_t) { self->sent(error); });
}

void Session::trickle(std::size_t at) {
    if (at == answer_.bytes.size()) return sent({});
    asio::async_write(socket_, asio::buffer(answer_.bytes.data() + at, 1),
                      [self = shared_from_this(), at](const error_code& error, std::size_t) {
                          if (error) return self->close();
                          self->timer_.expires_after(kTrickleInterval);
                          self->timer_.async_wait([self, at](const error_code& cancelled) {
                              if (!cancelled) self->trickle(at + 1);
                          });
                      });
}

void Session::sent(const error_code& error) {
    if (error || answer_.close) return close();
    receive();
}

}  // namespace

struct DeviceServer::Impl {
    asio::io_context io{1};
    std::vector<std::unique_ptr<Device>> devices;
    std::vector<std::uint16_t> ports;
    std::thread thread;
};

DeviceServer::DeviceServer() : impl_(std::make_unique<Impl>()) {}

DeviceServer::~DeviceServer() {
    stop();
}

Status DeviceServer::add(const std::string& host, std::uint16_t port, std::unique_ptr<Responder> responder) {
    error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("'{}' is not an IP address to listen on", host));
    }
    auto device = std::make_unique<Device>(impl_->io, std::move(responder));
    if (const auto failed = device->listen({address, port})) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot listen on {}:{}: {}", host, port, failed.message()));
    }
    impl_->ports.push_back(device->port());
    impl_->devices.push_back(std::move(device));
    return {};
}

void DeviceServer::start() {
    for (const auto& device : impl_->devices) device->accept();
    impl_->thread = std::thread([this] {
        // Ended by stop(), not by running out of work: an unplugged device has none.
        const auto work = asio::make_work_guard(impl_->io);
        impl_->io.run();
    });
}

void DeviceServer::stop() {
    if (!impl_->thread.joinable()) return;
    asio::post(impl_->io, [this] {
        for (const auto& device : impl_->devices) device->shut_down();
        impl_->io.stop();
    });
    impl_->thread.join();
    // Handlers of the closed sockets run to their end, so that no session outlives its device.
    impl_->io.restart();
    impl_->io.poll();
}

void DeviceServer::post_or_run(const std::function<void()>& work) const {
    if (!impl_->thread.joinable()) return work();
    asio::post(impl_->io, work);  // a copy: the caller's does not live as long
}

const std::vector<std::uint16_t>& DeviceServer::ports() const {
    return impl_->ports;
}

void DeviceServer::plug(std::size_t device, bool in) {
    impl_->devices.at(device)->plug(in);
}

void DeviceServer::drop_connections(std::size_t device) {
    impl_->devices.at(device)->drop_connections();
}

DeviceCounters DeviceServer::counters(std::size_t device) const {
    return impl_->devices.at(device)->counters();
}

}  // namespace fieldwarden::simulator
