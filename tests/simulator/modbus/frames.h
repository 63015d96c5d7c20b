// Modbus frames from the server's side, TCP and RTU, pure: bytes → request, answer → bytes. Written from
// MODBUS Application Protocol V1.1b3, the TCP/IP Implementation Guide V1.0b and the Serial Line Guide V1.02,
// not from the client under test.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/modbus_address.h"

namespace fieldwarden::simulator::modbus {

enum class Framing : std::uint8_t { kTcp, kRtu };

struct Request {
    Framing framing = Framing::kTcp;
    std::uint16_t transaction = 0;
    std::uint8_t unit = 0;
    std::uint8_t function = 0;
    // Functions 1 to 6, 15, 16 and 22: what, from where, how much.
    ModbusArea area = ModbusArea::kHoldingRegister;
    std::uint16_t offset = 0;
    std::uint16_t count = 0;
    // Of a write: coils (0 or 1), registers, or the AND and the OR mask.
    std::vector<std::uint16_t> values;
    std::vector<std::uint8_t> repeat;       // of a write, and of an echo: what the answer repeats
    std::optional<std::uint8_t> exception;  // what to answer instead: 1 other function, 3 bad quantity
};

struct Parsed {
    enum class Kind : std::uint8_t { kIncomplete, kRequest, kNotModbus };
    Kind kind = Kind::kIncomplete;
    std::size_t consumed = 0;  // bytes of the request
    Request request;
};

// Takes the first request off `bytes`. kNotModbus (TCP only): close the connection. In RTU bytes before the
// first request with a right checksum are skipped.
Parsed parse_request(std::span<const std::uint8_t> bytes, Framing framing = Framing::kTcp);

std::uint16_t rtu_checksum(std::span<const std::uint8_t> bytes);

// Appends an answer; `data` is what follows the byte count of a read.
void append_answer(const Request& request, std::span<const std::uint8_t> data,
                   std::vector<std::uint8_t>& out);
void append_exception(const Request& request, std::uint8_t code, std::vector<std::uint8_t>& out);

}  // namespace fieldwarden::simulator::modbus
