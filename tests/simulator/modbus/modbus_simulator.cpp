#include "tests/simulator/modbus/modbus_simulator.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/simulator/modbus/device_model.h"

namespace fieldwarden::simulator::modbus {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kLongestCommand = 64 * 1024;
constexpr std::chrono::milliseconds kTrickleInterval{50};
constexpr std::chrono::milliseconds kAcceptRetry{50};

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
    Device(asio::io_context& io, DeviceModel model)
        : model_(std::move(model)), acceptor_(io), retry_(io), started_(std::chrono::steady_clock::now()) {}

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
    void set_faults(Faults faults) {
        const bool was_unplugged = model_.faults.unplugged;
        model_.faults = std::move(faults);
        if (model_.faults.unplugged == was_unplugged) return;
        error_code ignored;
        if (model_.faults.unplugged) {
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
    void handle(const Request& request, Answer& answer) {
        ++counters_.requests;
        const std::chrono::duration<double> age = std::chrono::steady_clock::now() - started_;
        model_.handle(request, age.count(), answer);
    }

    DeviceModel& model() { return model_; }
    [[nodiscard]] std::uint16_t port() const { return endpoint_.port(); }
    [[nodiscard]] DeviceCounters counters() const {
        auto copy = counters_;
        copy.connections = static_cast<std::uint32_t>(sessions_.size());
        return copy;
    }

  private:
    DeviceModel model_;
    tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    tcp::endpoint endpoint_;
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
        const auto parsed = parse_request(std::span{pending_}.subspan(used));
        if (parsed.kind == Parsed::Kind::kIncomplete) break;
        if (parsed.kind == Parsed::Kind::kNotModbus) return close();
        used += parsed.consumed;
        device_.handle(parsed.request, answer_);
    }
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    if (answer_.bytes.empty()) return answer_.close ? close() : receive();
    const auto delay = device_.model().faults.delay;
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

struct ModbusSimulator::Impl {
    explicit Impl(SimulatorOptions given) : options(std::move(given)) {}

    Status listen();
    Status listen_control(const asio::ip::address& address);
    void accept_control();
    void serve_control(const std::shared_ptr<tcp::socket>& socket,
                       const std::shared_ptr<asio::streambuf>& input);
    std::string execute(std::string_view line);

    // Runs `work` on the serving thread, or here when it does not run.
    template <class Work>
    auto on_thread(Work work) {
        if (!thread.joinable()) return work();
        std::packaged_task<decltype(work())()> task{std::move(work)};
        auto result = task.get_future();
        asio::post(io, [&task] { task(); });
        return result.get();
    }

    SimulatorOptions options;
    asio::io_context io{1};
    std::vector<std::unique_ptr<Device>> devices;
    std::vector<std::uint16_t> ports;
    std::optional<tcp::acceptor> control;
    std::set<std::shared_ptr<tcp::socket>> control_clients;
    std::uint16_t control_port = 0;
    std::thread thread;
};

Status ModbusSimulator::Impl::listen() {
    error_code error;
    const auto address = asio::ip::make_address(options.host, error);
    if (error) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("'{}' is not an IP address to listen on", options.host));
    }
    for (const auto port : options.ports) {
        auto device = std::make_unique<Device>(
            io, DeviceModel{options.units, std::min(options.size, 65536U), options.static_values});
        if (const auto failed = device->listen({address, port})) {
            return make_error(ErrorKind::kIo, fmt::format("cannot listen on {}:{}: {}", options.host, port,
                                                          failed.message()));
        }
        ports.push_back(device->port());
        devices.push_back(std::move(device));
    }
    if (options.control_host.empty()) return {};
    const auto control_address = asio::ip::make_address(options.control_host, error);
    if (error) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("'{}' is not an IP address to listen on", options.control_host));
    }
    return listen_control(control_address);
}

Status ModbusSimulator::Impl::listen_control(const asio::ip::address& address) {
    const tcp::endpoint endpoint{address, options.control_port};
    error_code error;
    control.emplace(io);
    control->open(endpoint.protocol(), error);
    if (!error) control->set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) control->bind(endpoint, error);
    if (!error) control->listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot listen on {}:{} for control: {}", options.control_host,
                                      options.control_port, error.message()));
    }
    control_port = control->local_endpoint(error).port();
    accept_control();
    return {};
}

void ModbusSimulator::Impl::accept_control() {
    control->async_accept([this](const error_code& error, tcp::socket socket) {
        if (error == asio::error::operation_aborted || !control->is_open()) return;
        if (!error) {
            auto client = std::make_shared<tcp::socket>(std::move(socket));
            control_clients.insert(client);
            serve_control(client, std::make_shared<asio::streambuf>(kLongestCommand));
        }
        accept_control();
    });
}

void ModbusSimulator::Impl::serve_control(const std::shared_ptr<tcp::socket>& socket,
                                          const std::shared_ptr<asio::streambuf>& input) {
    asio::async_read_until(
        *socket, *input, '\n', [this, socket, input](const error_code& error, std::size_t length) {
            if (error) {
                control_clients.erase(socket);
                return;
            }
            const std::string line{asio::buffers_begin(input->data()),
                                   asio::buffers_begin(input->data()) + static_cast<std::ptrdiff_t>(length)};
            input->consume(length);
            const auto answer = std::make_shared<std::string>(execute(line) + "\n");
            asio::async_write(*socket, asio::buffer(*answer),
                              [this, socket, input, answer](const error_code& failed, std::size_t) {
                                  if (failed) {
                                      control_clients.erase(socket);
                                      return;
                                  }
                                  serve_control(socket, input);
                              });
        });
}

std::string ModbusSimulator::Impl::execute(std::string_view line) {
    using Json = nlohmann::json;
    const auto refuse = [](const std::string& why) {
        return Json{{"ok", false}, {"error", why}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    };
    const auto command = parse_command(line);
    if (!command) return refuse(command.error().message);
    if (command->device && *command->device >= devices.size())
        return refuse(fmt::format("there are {} devices, counted from 0", devices.size()));
    Json told = Json::array();
    for (std::size_t i = 0; i < devices.size(); ++i) {
        if (command->device && *command->device != i) continue;
        auto& device = *devices[i];
        auto faults = device.model().faults;
        command->apply(faults);
        device.set_faults(std::move(faults));
        if (command->drop) device.drop_connections();
        const auto counters = device.counters();
        told.push_back({{"device", i},
                        {"port", device.port()},
                        {"requests", counters.requests},
                        {"accepted", counters.accepted},
                        {"connections", counters.connections}});
    }
    return Json{{"ok", true}, {"devices", std::move(told)}}.dump();
}

ModbusSimulator::ModbusSimulator(SimulatorOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

ModbusSimulator::~ModbusSimulator() {
    stop();
}

Status ModbusSimulator::start() {
    if (const auto listening = impl_->listen(); !listening) return listening;
    for (const auto& device : impl_->devices) device->accept();
    impl_->thread = std::thread([this] {
        // Ended by stop(), not by running out of work: an unplugged device has none.
        const auto work = asio::make_work_guard(impl_->io);
        impl_->io.run();
    });
    return {};
}

void ModbusSimulator::stop() {
    if (!impl_->thread.joinable()) return;
    asio::post(impl_->io, [this] {
        for (const auto& device : impl_->devices) device->shut_down();
        error_code ignored;
        if (impl_->control) impl_->control->close(ignored);
        for (const auto& client : impl_->control_clients) client->close(ignored);
        impl_->io.stop();
    });
    impl_->thread.join();
    // Handlers of the closed sockets run to their end, so that no session outlives its device.
    impl_->io.restart();
    impl_->io.poll();
}

std::uint16_t ModbusSimulator::port(std::size_t device) const {
    return impl_->ports.at(device);
}
const std::vector<std::uint16_t>& ModbusSimulator::ports() const {
    return impl_->ports;
}
std::uint16_t ModbusSimulator::control_port() const {
    return impl_->control_port;
}

void ModbusSimulator::set_faults(Faults faults, std::size_t device) {
    impl_->on_thread([&] { impl_->devices.at(device)->set_faults(std::move(faults)); });
}

void ModbusSimulator::drop_connections(std::size_t device) {
    impl_->on_thread([&] { impl_->devices.at(device)->drop_connections(); });
}

void ModbusSimulator::pin(ModbusArea area, std::uint16_t offset, const std::vector<std::uint16_t>& values,
                          std::size_t device) {
    impl_->on_thread([&] { impl_->devices.at(device)->model().pin(area, offset, values); });
}

DeviceCounters ModbusSimulator::counters(std::size_t device) const {
    return impl_->on_thread([&] { return impl_->devices.at(device)->counters(); });
}

}  // namespace fieldwarden::simulator::modbus
