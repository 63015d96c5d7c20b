#include "tests/simulator/modbus/modbus_simulator.h"

#include <fmt/format.h>

#include <algorithm>

#include "tests/simulator/control_answer.h"
#include "tests/simulator/modbus/device_model.h"

namespace fieldwarden::simulator::modbus {

class ModbusSimulator::Port final : public Responder {
  public:
    explicit Port(DeviceModel given) : model(std::move(given)) {}

    std::optional<std::size_t> take(std::span<const std::uint8_t> bytes, double seconds,
                                    Answer& answer) override {
        const auto parsed = parse_request(bytes);
        if (parsed.kind == Parsed::Kind::kIncomplete) return 0;
        if (parsed.kind == Parsed::Kind::kNotModbus) return std::nullopt;
        model.handle(parsed.request, seconds, answer);
        return parsed.consumed;
    }
    [[nodiscard]] std::chrono::milliseconds delay() const override { return model.faults.delay; }

    DeviceModel model;
};

ModbusSimulator::ModbusSimulator(SimulatorOptions options) : options_(std::move(options)) {}

ModbusSimulator::~ModbusSimulator() {
    stop();
}

Status ModbusSimulator::start() {
    for (const auto port : options_.ports) {
        auto device = std::make_unique<Port>(
            DeviceModel{options_.units, std::min(options_.size, 65536U), options_.static_values});
        devices_.push_back(device.get());
        if (auto added = server_.add(options_.host, port, std::move(device)); !added) return added;
    }
    server_.start();
    return {};
}

void ModbusSimulator::stop() {
    server_.stop();
}

std::uint16_t ModbusSimulator::port(std::size_t device) const {
    return server_.ports().at(device);
}
const std::vector<std::uint16_t>& ModbusSimulator::ports() const {
    return server_.ports();
}

void ModbusSimulator::set_faults(Faults faults, std::size_t device) {
    server_.on_thread([&] {
        devices_.at(device)->model.faults = std::move(faults);
        server_.plug(device, !devices_.at(device)->model.faults.unplugged);
    });
}

void ModbusSimulator::drop_connections(std::size_t device) {
    server_.on_thread([&] { server_.drop_connections(device); });
}

void ModbusSimulator::pin(ModbusArea area, std::uint16_t offset, const std::vector<std::uint16_t>& values,
                          std::size_t device) {
    server_.on_thread([&] { devices_.at(device)->model.pin(area, offset, values); });
}

DeviceCounters ModbusSimulator::counters(std::size_t device) const {
    return server_.on_thread([&] { return server_.counters(device); });
}

std::string ModbusSimulator::execute(std::string_view line) {
    const auto command = parse_command(line);
    if (!command) return refusal_line(command.error().message);
    return server_.on_thread([&] {
        return apply_command(*command, server_, [&](std::size_t device) -> Faults& {
            return devices_.at(device)->model.faults;
        });
    });
}

}  // namespace fieldwarden::simulator::modbus
