// What goes wrong with a simulated Mitsubishi PLC, and what its control commands know besides the common ones
// of tests/simulator/control_command.h:
//
//   {"protocol":"mc","device":0,"end_code":52961}          every request is answered with this end code (here
//                                                          CEE1); in 1E frames the low byte, and behind 5B
//                                                          the high byte as abnormal code; 0: no longer
//   {"protocol":"mc","device":0,"illegal":["D10-20","X1F"]}  refused with 4031 (1E: 57); numbers in the base
//   of the
//                                                          device; []: none
//   {"protocol":"mc","device":0,"max_points":60}           more points are refused with C051 (1E: 57); 0: all
//   {"protocol":"mc","device":0,"no_random":true}          random reads are refused with C059
//
// Reply faults: wrong_transaction is the serial number + 1 (4E only), wrong_unit the station + 1 (not in 1E),
// wrong_function the subheader of another frame or command, wrong_protocol a first byte no answer begins
// with, oversize_length a header that says 65535 (not in 1E), oversize_count one word more than was asked
// for. A fault that a frame cannot have leaves the answer good.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "tests/simulator/control_command.h"

namespace fieldwarden::simulator::mc {

using simulator::ReplyFault;

struct DeviceRange {
    std::uint8_t code = 0;
    std::uint32_t first = 0;
    std::uint32_t last = 0;
};

struct Faults {
    std::chrono::milliseconds delay{0};
    bool unplugged = false;
    ReplyFault reply = ReplyFault::kNone;
    std::uint32_t after = 0;  // answers that stay good first
    std::uint32_t times = 0;  // 0: until cleared
    std::uint16_t end_code = 0;
    std::vector<DeviceRange> illegal = {};
    std::uint32_t max_points = 0;
    bool no_random = false;
};

// "D10-20", "X1F".
Result<DeviceRange> parse_range(std::string_view text);

struct Command : CommonCommand {
    void apply(Faults& faults) const;

    std::optional<std::uint16_t> end_code;
    std::optional<std::vector<DeviceRange>> illegal;
    std::optional<std::uint32_t> max_points;
    std::optional<bool> no_random;
};

// Refuses unknown members, wrong types and values out of range.
Result<Command> parse_command(std::string_view line);

}  // namespace fieldwarden::simulator::mc
