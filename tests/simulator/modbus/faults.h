// What goes wrong with a simulated device, and the control port's line protocol.
//
// The control port takes JSON objects, one a line, and answers each with one line. A command names a device
// by its place (0 is the first; without "device": all of them) and sets what it names; the rest stays.
//
//   {"device":0,"delay_ms":50}                     answers come this much later
//   {"device":0,"unplugged":true}                  closes every connection and refuses new ones; false: back
//   {"device":0,"drop":true}                       closes every connection once
//   {"device":0,"reply":"wrong_unit","times":3}    spoils the next answers (times 0 or absent: all of them);
//                                                  "after":2 lets two answers pass first
//   {"device":0,"exception":4}                     answers every request with this exception; 0: no longer
//   {"device":0,"illegal":["hr:10-20","co:5"]}     these addresses are refused with exception 2; []: none
//   {"device":0,"max_quantity":60}                 more registers or bits are refused with exception 3; 0:
//   all
//   {"device":0,"silent_units":[5]}                these unit ids do not answer
//   {"device":0,"slow_units":[5]}                  delay_ms is theirs alone; []: everybody's
//   {"device":0,"no_functions":[6,22]}             these function codes are refused with exception 1; []:
//   none
//   {"device":0,"silent_functions":[8]}            these function codes get no answer; []: all do
//   {"device":0,"clear":true}                      everything is well again (also plugged in)
//   {"device":0}                                   nothing; the answer tells the counters
//
// Answer: {"ok":true,"devices":[{"device":0,"port":…,"requests":…,"accepted":…,"connections":…}]} or
// {"ok":false,"error":"…"}.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/enum_table.h"
#include "common/modbus_address.h"
#include "common/result.h"

namespace fieldwarden::simulator::modbus {

enum class ReplyFault : std::uint8_t {
    kNone,
    kSilent,            // no answer
    kDrop,              // closes instead of answering
    kWrongTransaction,  // transaction id + 1
    kWrongUnit,         // unit id + 1
    kWrongFunction,     // another function code, data unchanged
    kWrongProtocol,     // protocol id 1
    kTruncate,          // half an answer, then silence
    kHalfThenClose,     // half an answer, then closes
    kOversizeLength,    // the header's length says 65535
    kOversizeCount,     // the byte count says 255
    kDuplicate,         // the answer twice
    kTrickle,           // one byte every 50 ms
    kWrongCrc,          // the last byte of the answer inverted; in RTU that is the checksum
    kNoise,             // four bytes of noise before the answer
    // In RTU, which has no such fields, wrong_transaction, wrong_protocol and oversize_length are wrong_crc.
};

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
    std::vector<std::uint8_t> slow_units = {};
    std::vector<std::uint8_t> no_functions = {};
    std::vector<std::uint8_t> silent_functions = {};
};

// "hr:10-20", "co:5".
Result<AddressRange> parse_range(std::string_view text);

struct Command {
    std::optional<std::size_t> device;
    bool drop = false;
    // Applies the command's settings to one device's faults.
    void apply(Faults& faults) const;

    bool clear = false;
    std::optional<std::chrono::milliseconds> delay;
    std::optional<bool> unplugged;
    std::optional<ReplyFault> reply;
    std::uint32_t after = 0;
    std::uint32_t times = 0;
    std::optional<std::uint8_t> exception;
    std::optional<std::vector<AddressRange>> illegal;
    std::optional<std::uint16_t> max_quantity;
    std::optional<std::vector<std::uint8_t>> silent_units;
    std::optional<std::vector<std::uint8_t>> slow_units;
    std::optional<std::vector<std::uint8_t>> no_functions;
    std::optional<std::vector<std::uint8_t>> silent_functions;
};

// Refuses unknown members, wrong types and values out of range.
Result<Command> parse_command(std::string_view line);

}  // namespace fieldwarden::simulator::modbus

namespace fieldwarden {
template <>
struct EnumNames<simulator::modbus::ReplyFault> {
    using E = simulator::modbus::ReplyFault;
    static constexpr std::array<EnumName<E>, 15> table{{
        {E::kNone, "none"},
        {E::kSilent, "silent"},
        {E::kDrop, "drop"},
        {E::kWrongTransaction, "wrong_transaction"},
        {E::kWrongUnit, "wrong_unit"},
        {E::kWrongFunction, "wrong_function"},
        {E::kWrongProtocol, "wrong_protocol"},
        {E::kTruncate, "truncate"},
        {E::kHalfThenClose, "half_then_close"},
        {E::kOversizeLength, "oversize_length"},
        {E::kOversizeCount, "oversize_count"},
        {E::kDuplicate, "duplicate"},
        {E::kTrickle, "trickle"},
        {E::kWrongCrc, "wrong_crc"},
        {E::kNoise, "noise"},
    }};
};
}  // namespace fieldwarden
