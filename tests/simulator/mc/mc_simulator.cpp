#include "tests/simulator/mc/mc_simulator.h"

#include <stdexcept>

#include "tests/simulator/control_answer.h"
#include "tests/simulator/mc/device_model.h"

namespace fieldwarden::simulator::mc {

namespace {

const DeviceKind& kind_named(std::string_view name) {
    for (const auto& kind : device_kinds()) {
        if (kind.name == name) return kind;
    }
    throw std::invalid_argument("no such device");
}

}  // namespace

class McSimulator::Port final : public Responder {
  public:
    Port(DeviceModel given, bool port_1e) : model(std::move(given)), port_1e_(port_1e) {}

    std::optional<std::size_t> take(std::span<const std::uint8_t> bytes, double seconds,
                                    Answer& answer) override {
        const auto parsed = parse_request(bytes, port_1e_);
        if (parsed.kind == Parsed::Kind::kIncomplete) return 0;
        if (parsed.kind == Parsed::Kind::kNotMc) return std::nullopt;
        model.handle(parsed.request, seconds, answer);
        return parsed.consumed;
    }
    [[nodiscard]] std::chrono::milliseconds delay() const override { return model.faults.delay; }

    DeviceModel model;

  private:
    bool port_1e_;
};

McSimulator::McSimulator(SimulatorOptions options) : options_(std::move(options)) {}

McSimulator::~McSimulator() {
    stop();
}

Status McSimulator::start() {
    const auto add = [&](std::uint16_t port, bool port_1e) {
        auto device = std::make_unique<Port>(DeviceModel{options_.size, options_.static_values}, port_1e);
        devices_.push_back(device.get());
        return server_.add(options_.host, port, std::move(device));
    };
    for (const auto port : options_.ports) {
        if (auto added = add(port, false); !added) return added;
    }
    for (const auto port : options_.ports_1e) {
        if (auto added = add(port, true); !added) return added;
    }
    server_.start();
    return {};
}

void McSimulator::stop() {
    server_.stop();
}

std::uint16_t McSimulator::port(std::size_t device) const {
    return server_.ports().at(device);
}
const std::vector<std::uint16_t>& McSimulator::ports() const {
    return server_.ports();
}

void McSimulator::set_faults(Faults faults, std::size_t device) {
    server_.on_thread([&] {
        devices_.at(device)->model.faults = std::move(faults);
        server_.plug(device, !devices_.at(device)->model.faults.unplugged);
    });
}

void McSimulator::drop_connections(std::size_t device) {
    server_.on_thread([&] { server_.drop_connections(device); });
}

void McSimulator::set(std::string_view name, std::uint32_t number, const std::vector<std::uint16_t>& values,
                      std::size_t device) {
    const auto& kind = kind_named(name);
    server_.on_thread([&] {
        auto& memory = devices_.at(device)->model.memory;
        for (std::uint32_t i = 0; i < values.size(); ++i) {
            if (kind.word) {
                memory.set_word(kind.code, number + i, values[i]);
            } else {
                memory.set_bit(kind.code, number + i, values[i] != 0);
            }
        }
    });
}

std::uint16_t McSimulator::get(std::string_view name, std::uint32_t number, std::size_t device) const {
    const auto& kind = kind_named(name);
    return server_.on_thread([&]() -> std::uint16_t {
        const auto& memory = devices_.at(device)->model.memory;
        if (kind.word) return memory.word(kind.code, number, 0);
        return memory.bit(kind.code, number, 0) ? 1 : 0;
    });
}

DeviceCounters McSimulator::counters(std::size_t device) const {
    return server_.on_thread([&] { return server_.counters(device); });
}

std::string McSimulator::execute(std::string_view line) {
    const auto command = parse_command(line);
    if (!command) return refusal_line(command.error().message);
    return server_.on_thread([&] {
        return apply_command(*command, server_, [&](std::size_t device) -> Faults& {
            return devices_.at(device)->model.faults;
        });
    });
}

}  // namespace fieldwarden::simulator::mc
