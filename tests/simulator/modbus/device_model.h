// One simulated device without its socket: requests in, bytes to send out, faults included.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "tests/simulator/modbus/faults.h"
#include "tests/simulator/modbus/frames.h"

namespace fieldwarden::simulator::modbus {

using simulator::Answer;

class DeviceModel {
  public:
    DeviceModel(std::vector<std::uint8_t> units, std::uint32_t size, bool static_values)
        : units_(std::move(units)), size_(size), static_(static_values) {}

    // Appends to `answer` what the device says to `request`, `seconds` after its start.
    void handle(const Request& request, double seconds, Answer& answer);
    void pin(ModbusArea area, std::uint16_t offset, const std::vector<std::uint16_t>& values);

    Faults faults;

  private:
    [[nodiscard]] std::uint8_t refusal(const Request& request) const;
    void collect(const Request& request, double seconds);
    std::uint16_t register_at(const Request& request, std::uint16_t offset, double seconds,
                              std::uint32_t count) const;
    static void spoil(ReplyFault fault, const Request& request, std::size_t begin, Answer& answer);

    std::vector<std::uint8_t> units_;
    std::uint32_t size_;
    bool static_;
    std::map<std::pair<ModbusArea, std::uint16_t>, std::uint16_t> pinned_;
    std::map<std::pair<ModbusArea, std::uint8_t>, std::uint32_t> reads_;  // the counters, by unit
    std::vector<std::uint8_t> data_;
    // Static values are computed once per area and unit.
    std::map<std::pair<ModbusArea, std::uint8_t>, std::vector<std::uint8_t>> image_;
};

}  // namespace fieldwarden::simulator::modbus
