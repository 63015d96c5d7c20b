// One simulated Mitsubishi PLC without its socket: requests in, bytes to send out, faults included. Its
// limits are those of R/Q/L Ethernet ports (SH-080008, appendix 5) and of the FX3U-ENET (9.3.1).
#pragma once

#include <vector>

#include "tests/simulator/mc/faults.h"
#include "tests/simulator/mc/frames.h"
#include "tests/simulator/mc/memory.h"
#include "tests/simulator/reply_faults.h"

namespace fieldwarden::simulator::mc {

class DeviceModel {
  public:
    DeviceModel(std::uint32_t size, bool static_values) : memory(size, static_values) {}

    // Appends to `answer` what the PLC says to `request`, `seconds` after its start.
    void handle(const Request& request, double seconds, Answer& answer);

    Memory memory;
    Faults faults;

  private:
    [[nodiscard]] std::uint16_t refusal(const Request& request) const;
    [[nodiscard]] std::uint16_t refusal_3e(const Request& request) const;
    [[nodiscard]] std::uint16_t refusal_1e(const Request& request) const;
    [[nodiscard]] bool illegal(const Place& place, std::uint32_t count) const;
    [[nodiscard]] bool outside(const Place& place, std::uint32_t count) const;
    void read(const Request& request, double seconds);
    void write(const Request& request);
    [[nodiscard]] std::uint16_t word_at(const Place& place, std::uint32_t index, double seconds) const;

    std::vector<std::uint16_t> values_;
};

}  // namespace fieldwarden::simulator::mc
