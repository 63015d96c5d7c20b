// Simulated Modbus devices: TCP, RTU over TCP and RTU on serial lines, one port each, all served by one
// thread. In `fieldwarden simulate`, and
// inside tests and benchmarks. Not built on the client's library, so that the two do not share their
// mistakes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/modbus_address.h"
#include "common/result.h"
#include "tests/simulator/modbus/faults.h"

namespace fieldwarden::simulator::modbus {

struct SimulatorOptions {
    std::string host = "127.0.0.1";
    // Devices are counted through the three lists, in this order.
    std::vector<std::uint16_t> ports{0};        // Modbus TCP, one device each; 0: any free port
    std::vector<std::uint16_t> rtu_ports = {};  // RTU over TCP
    std::vector<std::string> serial = {};       // RTU on serial ports; see ServedDevice::open_serial()
    std::vector<std::uint8_t> units =
        {};                      // unit ids that exist; empty: all. Others: exception 11, in RTU silence
    std::uint32_t size = 65536;  // addresses per area; beyond: exception 2
    bool static_values = false;  // see signals.h
};

struct DeviceCounters {
    std::uint64_t requests = 0;
    std::uint64_t accepted = 0;  // connections since start
    std::uint32_t connections = 0;
};

// Every method may be called from any thread; start() and stop() from one at a time.
class ModbusSimulator {
  public:
    explicit ModbusSimulator(SimulatorOptions options = {});
    ~ModbusSimulator();  // stop()
    ModbusSimulator(const ModbusSimulator&) = delete;
    ModbusSimulator& operator=(const ModbusSimulator&) = delete;

    // Binds every port, then serves on a thread of its own.
    Status start();
    void stop();

    [[nodiscard]] std::uint16_t port(std::size_t device = 0) const;
    [[nodiscard]] const std::vector<std::uint16_t>& ports() const;  // of all devices; 0: a serial line
    // Answers one line of the control port, see faults.h.
    std::string execute(std::string_view line);

    // In force for every request that arrives after the call has returned.
    void set_faults(Faults faults, std::size_t device = 0);
    void drop_connections(std::size_t device = 0);
    // Pins registers (or bits: 0 and not 0) to values, in all units.
    void pin(ModbusArea area, std::uint16_t offset, const std::vector<std::uint16_t>& values,
             std::size_t device = 0);
    // What a pinned or written place holds.
    [[nodiscard]] std::optional<std::uint16_t> pinned(ModbusArea area, std::uint16_t offset,
                                                      std::size_t device = 0) const;
    [[nodiscard]] DeviceCounters counters(std::size_t device = 0) const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::simulator::modbus
