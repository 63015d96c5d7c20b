// Simulated Mitsubishi PLCs: one port each, all served by one thread. In `fieldwarden simulate`, and inside
// tests and benchmarks. Not built on the client's codec, so that the two do not share their mistakes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/result.h"
#include "tests/simulator/device_server.h"
#include "tests/simulator/mc/faults.h"

namespace fieldwarden::simulator::mc {

struct SimulatorOptions {
    std::string host = "127.0.0.1";
    std::vector<std::uint16_t> ports{0};       // 3E and 4E; one device each; 0: any free port
    std::vector<std::uint16_t> ports_1e = {};  // 1E, the devices behind those
    std::uint32_t size = 65536;                // numbers of each kind of device; beyond: C056, in 1E 57
    bool static_values = false;
};

using simulator::DeviceCounters;

// Every method may be called from any thread; start() and stop() from one at a time.
class McSimulator {
  public:
    explicit McSimulator(SimulatorOptions options = {});
    ~McSimulator();  // stop()
    McSimulator(const McSimulator&) = delete;
    McSimulator& operator=(const McSimulator&) = delete;

    // Binds every port, then serves on a thread of its own.
    Status start();
    void stop();

    [[nodiscard]] std::uint16_t port(std::size_t device = 0) const;
    // Of the 3E and 4E devices, then of the 1E devices.
    [[nodiscard]] const std::vector<std::uint16_t>& ports() const;

    // In force for every request that arrives after the call has returned.
    void set_faults(Faults faults, std::size_t device = 0);
    void drop_connections(std::size_t device = 0);
    // Writes words (of a word device) or bits (0 and not 0) by the device's name: "D", 100.
    void set(std::string_view name, std::uint32_t number, const std::vector<std::uint16_t>& values,
             std::size_t device = 0);
    // Reads one back.
    [[nodiscard]] std::uint16_t get(std::string_view name, std::uint32_t number,
                                    std::size_t device = 0) const;
    [[nodiscard]] DeviceCounters counters(std::size_t device = 0) const;
    // Answers one line of the control port.
    std::string execute(std::string_view line);

  private:
    class Port;
    SimulatorOptions options_;
    std::vector<Port*> devices_;  // owned by the server
    DeviceServer server_;
};

}  // namespace fieldwarden::simulator::mc
