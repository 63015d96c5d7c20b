// Modbus TCP and RTU over TCP, both against the simulator.
#include <fmt/format.h>

#include "bench/drivers/rows.h"
#include "tests/simulator/modbus/frames.h"
#include "tests/simulator/modbus/modbus_simulator.h"

namespace fieldwarden::bench {

namespace {

using simulator::modbus::Framing;

constexpr unsigned kFloatsPerRequest = 62;  // 124 of 125 registers
constexpr unsigned kFirstRegister = 2;      // where the simulator's floats begin

std::string serve(Framing framing) {
    simulator::modbus::SimulatorOptions options;
    options.static_values = true;
    if (framing == Framing::kRtu) options.ports.swap(options.rtu_ports);
    // Lives as long as the process.
    auto* simulator = new simulator::modbus::ModbusSimulator{options};
    return simulator->start() ? fmt::format("127.0.0.1:{}", simulator->port()) : std::string{};
}

DeviceConfig device(Protocol protocol, const std::string& address, unsigned points) {
    DeviceConfig config;
    config.device_code = "BENCH";
    config.protocol = protocol;
    config.address = address;
    for (unsigned i = 0; i < points; ++i) {
        PointConfig point;
        point.id = i + 1;
        point.point_code = fmt::format("P{}", i);
        point.address = fmt::format("hr:{}", kFirstRegister + 2 * i);
        point.data_type = {BaseType::kFloat32, 0};
        config.points.push_back(point);
    }
    return config;
}

std::vector<Exchange> exchanges(Framing framing, unsigned points) {
    std::vector<Exchange> out;
    for (unsigned first = 0; first < points; first += kFloatsPerRequest) {
        const unsigned registers = 2 * std::min(kFloatsPerRequest, points - first);
        const unsigned offset = kFirstRegister + 2 * first;
        std::vector<std::uint8_t> pdu;
        for (const unsigned byte : {1U, 3U, offset >> 8, offset & 0xFF, registers >> 8, registers & 0xFF})
            pdu.push_back(static_cast<std::uint8_t>(byte));
        if (framing == Framing::kTcp) {
            std::vector<std::uint8_t> frame{0, 1, 0, 0, 0, 6};
            frame.insert(frame.end(), pdu.begin(), pdu.end());
            out.push_back({std::move(frame), 9 + 2 * registers});
        } else {
            const auto checksum = simulator::modbus::rtu_checksum(pdu);
            pdu.push_back(static_cast<std::uint8_t>(checksum));
            pdu.push_back(static_cast<std::uint8_t>(checksum >> 8));
            out.push_back({std::move(pdu), 5 + 2 * registers});
        }
    }
    return out;
}

Row row(std::string name, Protocol protocol, Framing framing) {
    return {
        .name = std::move(name),
        .serve = [framing](unsigned) { return serve(framing); },
        .device = [protocol](const std::string& address,
                             unsigned points) { return device(protocol, address, points); },
        .plain = [framing](const std::string& address,
                           unsigned points) { return make_plain_tcp(address, exchanges(framing, points)); }};
}

}  // namespace

std::vector<Row> modbus_rows() {
    return {row("Modbus TCP", Protocol::kModbusTcp, Framing::kTcp),
            row("Modbus RTU over TCP", Protocol::kModbusRtu, Framing::kRtu)};
}

}  // namespace fieldwarden::bench
