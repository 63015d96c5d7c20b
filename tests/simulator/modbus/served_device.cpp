#include "tests/simulator/modbus/served_device.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <variant>

namespace fieldwarden::simulator::modbus {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::milliseconds kTrickleInterval{50};
constexpr std::chrono::milliseconds kAcceptRetry{50};
constexpr std::size_t kMostPending = 4096;  // bytes that make no request

Error failed(const std::string& what, const std::string& path) {
    return make_error(ErrorKind::kIo, fmt::format("{} {}: {}", what, path, errno_text(errno)));
}

bool make_raw(int fd) {
    termios settings{};
    if (tcgetattr(fd, &settings) != 0) return false;
    cfmakeraw(&settings);
    return tcsetattr(fd, TCSANOW, &settings) == 0;
}

}  // namespace

// One client's connection, or the line. Kept alive by its pending operation; closed by an error or by
// close().
class Session : public std::enable_shared_from_this<Session> {
  public:
    using Stream = std::variant<tcp::socket, asio::posix::stream_descriptor>;

    Session(Stream stream, asio::io_context& io, ServedDevice& device)
        : stream_(std::move(stream)), timer_(io), device_(device) {}
    void start() { receive(); }
    void close() {
        error_code ignored;
        timer_.cancel();
        if (auto* socket = std::get_if<tcp::socket>(&stream_))
            socket->shutdown(tcp::socket::shutdown_both, ignored);
        std::visit([&](auto& stream) { stream.close(ignored); }, stream_);
        device_.forget(shared_from_this());
    }

  private:
    void receive();
    void handle_received();
    void send();
    void trickle(std::size_t sent);
    void sent(const error_code& error);
    template <class Handler>
    void write(std::size_t at, std::size_t size, Handler handler) {
        const auto bytes = asio::buffer(answer_.bytes.data() + at, size);
        std::visit([&](auto& stream) { asio::async_write(stream, bytes, std::move(handler)); }, stream_);
    }

    Stream stream_;
    asio::steady_timer timer_;
    ServedDevice& device_;  // outlives the session: the io_context is drained before devices go
    std::vector<std::uint8_t> pending_;
    std::array<std::uint8_t, 4096> buffer_{};
    Answer answer_;
};

void Session::receive() {
    auto handler = [self = shared_from_this()](const error_code& error, std::size_t size) {
        if (error) return self->close();
        self->pending_.insert(self->pending_.end(), self->buffer_.begin(),
                              self->buffer_.begin() + static_cast<std::ptrdiff_t>(size));
        self->handle_received();
    };
    std::visit([&](auto& stream) { stream.async_read_some(asio::buffer(buffer_), std::move(handler)); },
               stream_);
}

void Session::handle_received() {
    answer_.bytes.clear();
    answer_.close = false;
    answer_.trickle = false;
    std::size_t used = 0;
    bool slow = false;
    while (!answer_.close) {
        const auto parsed = parse_request(std::span{pending_}.subspan(used), device_.framing());
        if (parsed.kind == Parsed::Kind::kIncomplete) break;
        if (parsed.kind == Parsed::Kind::kNotModbus) return close();
        used += parsed.consumed;
        device_.handle(parsed.request, answer_);
        slow = slow || device_.model().is_slow(parsed.request.unit);
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    if (pending_.size() > kMostPending) pending_.clear();
    if (answer_.bytes.empty()) return answer_.close ? close() : receive();
    if (!slow) return send();
    timer_.expires_after(device_.model().faults.delay);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
        if (!error) self->send();
    });
}

void Session::send() {
    if (answer_.trickle) return trickle(0);
    write(0, answer_.bytes.size(),
          [self = shared_from_this()](const error_code& error, std::size_t) { self->sent(error); });
}

void Session::trickle(std::size_t at) {
    if (at == answer_.bytes.size()) return sent({});
    write(at, 1, [self = shared_from_this(), at](const error_code& error, std::size_t) {
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

ServedDevice::ServedDevice(asio::io_context& io, DeviceModel model, Framing framing)
    : io_(io),
      model_(std::move(model)),
      framing_(framing),
      acceptor_(io),
      retry_(io),
      started_(std::chrono::steady_clock::now()) {}

ServedDevice::~ServedDevice() {
    unplug_line();
}

Status ServedDevice::listen(const tcp::endpoint& endpoint) {
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) endpoint_ = acceptor_.local_endpoint(error);
    if (!error) return {};
    return make_error(ErrorKind::kIo,
                      fmt::format("cannot listen on {}:{}: {}", endpoint.address().to_string(),
                                  endpoint.port(), error.message()));
}

Status ServedDevice::open_serial(const std::string& path) {
    serial_path_ = path;
    own_terminal_ = access(path.c_str(), F_OK) != 0;
    const auto fd = plug_in_line();
    if (!fd) return fd.error();
    next_line_ = *fd;
    return {};
}

Result<int> ServedDevice::plug_in_line() {
    if (!own_terminal_) {
        const int fd = open(serial_path_.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 && make_raw(fd)) return fd;
        const auto error = failed("cannot open the serial port", serial_path_);
        if (fd >= 0) close(fd);
        return error;
    }
    const int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    std::array<char, 128> name{};
    bool fine =
        fd >= 0 && grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name.data(), name.size()) == 0;
    if (fine) far_end_ = open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    fine = fine && far_end_ >= 0 && make_raw(far_end_) && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
           symlink(name.data(), serial_path_.c_str()) == 0;
    if (fine) return fd;
    const auto error = failed("cannot make a pseudo terminal at", serial_path_);
    if (fd >= 0) close(fd);
    return error;
}

void ServedDevice::unplug_line() {
    if (next_line_ >= 0) close(std::exchange(next_line_, -1));
    if (far_end_ < 0) return;
    close(std::exchange(far_end_, -1));
    unlink(serial_path_.c_str());
}

void ServedDevice::start() {
    if (serial_path_.empty()) return accept();
    if (next_line_ >= 0) serve_line(std::exchange(next_line_, -1));
}

void ServedDevice::serve_line(int fd) {
    ++counters_.accepted;
    const auto session = std::make_shared<Session>(asio::posix::stream_descriptor{io_, fd}, io_, *this);
    sessions_.insert(session);
    session->start();
}

void ServedDevice::accept() {
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
        const auto session = std::make_shared<Session>(std::move(socket), io_, *this);
        sessions_.insert(session);
        session->start();
        accept();
    });
}

void ServedDevice::set_faults(Faults faults) {
    const bool was_unplugged = model_.faults.unplugged;
    model_.faults = std::move(faults);
    if (model_.faults.unplugged == was_unplugged) return;
    error_code ignored;
    if (model_.faults.unplugged) {
        acceptor_.close(ignored);
        drop_connections();
        unplug_line();
    } else if (!serial_path_.empty()) {
        if (const auto fd = plug_in_line()) serve_line(*fd);
    } else if (listen(endpoint_)) {
        accept();
    }
}

void ServedDevice::drop_connections() {
    const auto sessions = std::exchange(sessions_, {});
    for (const auto& session : sessions) session->close();
}

void ServedDevice::shut_down() {
    error_code ignored;
    acceptor_.close(ignored);
    retry_.cancel();
    drop_connections();
    unplug_line();
}

void ServedDevice::handle(const Request& request, Answer& answer) {
    ++counters_.requests;
    const std::chrono::duration<double> age = std::chrono::steady_clock::now() - started_;
    model_.handle(request, age.count(), answer);
}

DeviceCounters ServedDevice::counters() const {
    auto copy = counters_;
    copy.connections = static_cast<std::uint32_t>(sessions_.size());
    return copy;
}

}  // namespace fieldwarden::simulator::modbus
