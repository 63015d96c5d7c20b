// What goes wrong with a simulated Modbus device, and what its control commands know besides the common ones
// of tests/simulator/control_command.h:
//
//   {"device":0,"exception":4}                     answers every request with this exception; 0: no longer
//   {"device":0,"illegal":["hr:10-20","co:5"]}     these addresses are refused with exception 2; []: none
//   {"device":0,"max_quantity":60}                 more registers or bits are refused with exception 3; 0:
//                                                  all
//   {"device":0,"silent_units":[5]}                these unit ids do not answer
//
// Reply faults: wrong_transaction is the transaction id + 1, wrong_unit the unit id + 1, wrong_function
// another function code, wrong_protocol protocol id 1, oversize_length a header that says 65535,
// oversize_count a byte count of 255.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/modbus_address.h"
#include "common/result.h"
#include "tests/simulator/control_command.h"

namespace fieldwarden::simulator::modbus {

using simulator::ReplyFault;

struct AddressRange {
    ModbusArea area = ModbusArea::kHoldingRegister;
    std::uint16_t first = 0;
    std::uint16_t last = 0;
};

struct Faults {
    std::chrono::milliseconds delay{0};
    bool unplugged = false;
    ReplyFault reply = ReplyFault::kNone;
    std::uint32_t after = 0;  // answers that stay good first
    std::uint32_t times = 0;  // 0: until cleared
    std::uint8_t exception = 0;
    std::vector<AddressRange> illegal = {};
    std::uint16_t max_quantity = 0;
    std::vector<std::uint8_t> silent_units = {};
};

// "hr:10-20", "co:5".
Result<AddressRange> parse_range(std::string_view text);

struct Command : CommonCommand {
    // Applies the command's settings to one device's faults.
    void apply(Faults& faults) const;

    std::optional<std::uint8_t> exception;
    std::optional<std::vector<AddressRange>> illegal;
    std::optional<std::uint16_t> max_quantity;
    std::optional<std::vector<std::uint8_t>> silent_units;
};

// Refuses unknown members, wrong types and values out of range.
Result<Command> parse_command(std::string_view line);

}  // namespace fieldwarden::simulator::modbus
