#include "tests/simulator/modbus/modbus_simulator.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "tests/simulator/modbus/served_device.h"

namespace fieldwarden::simulator::modbus {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

}  // namespace

struct ModbusSimulator::Impl {
    explicit Impl(SimulatorOptions given) : options(std::move(given)) {}

    Status listen();
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
    std::vector<std::unique_ptr<ServedDevice>> devices;
    std::vector<std::uint16_t> ports;
    std::thread thread;
};

Status ModbusSimulator::Impl::listen() {
    error_code error;
    const auto address = asio::ip::make_address(options.host, error);
    if (error) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("'{}' is not an IP address to listen on", options.host));
    }
    const auto add = [&](Framing framing) -> ServedDevice& {
        devices.push_back(std::make_unique<ServedDevice>(
            io, DeviceModel{options.units, std::min(options.size, 65536U), options.static_values}, framing));
        return *devices.back();
    };
    const auto add_ports = [&](const std::vector<std::uint16_t>& numbers, Framing framing) -> Status {
        for (const auto port : numbers) {
            auto& device = add(framing);
            if (auto listening = device.listen({address, port}); !listening) return listening;
            ports.push_back(device.port());
        }
        return {};
    };
    if (auto added = add_ports(options.ports, Framing::kTcp); !added) return added;
    if (auto added = add_ports(options.rtu_ports, Framing::kRtu); !added) return added;
    for (const auto& path : options.serial) {
        if (auto opened = add(Framing::kRtu).open_serial(path); !opened) return opened;
        ports.push_back(0);
    }
    return {};
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
    for (const auto& device : impl_->devices) device->start();
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
std::string ModbusSimulator::execute(std::string_view line) {
    return impl_->on_thread([&] { return impl_->execute(line); });
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

std::optional<std::uint16_t> ModbusSimulator::pinned(ModbusArea area, std::uint16_t offset,
                                                     std::size_t device) const {
    return impl_->on_thread([&] { return impl_->devices.at(device)->model().pinned(area, offset); });
}

DeviceCounters ModbusSimulator::counters(std::size_t device) const {
    return impl_->on_thread([&] { return impl_->devices.at(device)->counters(); });
}

}  // namespace fieldwarden::simulator::modbus
