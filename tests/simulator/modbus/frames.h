// Modbus TCP frames from the server's side, pure: bytes → request, answer → bytes. Written from MODBUS
// Application Protocol V1.1b3 and the TCP/IP Implementation Guide V1.0b, not from the client under test.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/modbus_address.h"

namespace fieldwarden::simulator::modbus {

struct Request {
    std::uint16_t transaction = 0;
    std::uint8_t unit = 0;
    std::uint8_t function = 0;
    // Of a read (functions 1 to 4): what, from where, how much. Otherwise `exception` is set.
    ModbusArea area = ModbusArea::kHoldingRegister;
    std::uint16_t offset = 0;
    std::uint16_t count = 0;
    std::optional<std::uint8_t> exception;  // what to answer instead: 1 other function, 3 bad quantity
};

struct Parsed {
    enum class Kind : std::uint8_t { kIncomplete, kRequest, kNotModbus };
    Kind kind = Kind::kIncomplete;
    std::size_t consumed = 0;  // bytes of the request
    Request request;
};

// Takes the first request off `bytes`. kNotModbus: close the connection.
Parsed parse_request(std::span<const std::uint8_t> bytes);

// Appends an answer; `data` is what follows the byte count.
void append_answer(const Request& request, std::span<const std::uint8_t> data,
                   std::vector<std::uint8_t>& out);
void append_exception(const Request& request, std::uint8_t code, std::vector<std::uint8_t>& out);

}  // namespace fieldwarden::simulator::modbus
