// Requests and answers of Modbus without their transport: function code and data (PDU). Pure. Each link puts
// its own frame around a request, and finds out by check_answer() what an answer is worth.
//
// Source: MODBUS Application Protocol V1.1b3, section 6: 6.1 to 6.6 (functions 1 to 6), 6.8 (8), 6.11 (15),
// 6.12 (16), 6.16 (22); section 7 for exceptions.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "common/modbus_address.h"

namespace fieldwarden::worker::modbus {

inline constexpr std::size_t kLongestPdu = 253;  // V1.1b3, 4.1
inline constexpr std::size_t kMostWrittenRegisters = 123;

enum class Function : std::uint8_t {
    kReadCoils = 1,
    kReadDiscreteInputs = 2,
    kReadHoldingRegisters = 3,
    kReadInputRegisters = 4,
    kWriteCoil = 5,
    kWriteRegister = 6,
    kDiagnostics = 8,
    kWriteCoils = 15,
    kWriteRegisters = 16,
    kMaskRegister = 22,
};

// A read: function 1 to 4 follows from the area.
struct ReadCommand {
    std::uint8_t unit = 1;
    ModbusArea area = ModbusArea::kHoldingRegister;
    std::uint16_t offset = 0;
    std::uint16_t count = 1;  // registers or bits, 1 to 125 or 2000
};

// A write of function 5, 6, 15, 16 or 22.
struct WriteCommand {
    std::uint8_t unit = 1;
    Function function = Function::kWriteRegister;
    std::uint16_t offset = 0;
    // The coil (0 or 1), the coils, the register, the registers (at most kMostWrittenRegisters), or the AND
    // and the OR mask.
    std::span<const std::uint16_t> values;
};

struct Request {
    std::uint8_t unit = 1;
    std::uint16_t size = 0;  // of the PDU
    // What a normal answer's PDU has; it follows from the request alone.
    std::uint16_t answer_size = 0;
    std::array<std::uint8_t, kLongestPdu> bytes;  // the PDU; only the first `size` mean something

    [[nodiscard]] std::span<const std::uint8_t> pdu() const { return std::span{bytes}.first(size); }
    [[nodiscard]] std::uint8_t function() const { return bytes[0]; }
};

Request request_of(const ReadCommand& command);
Request request_of(const WriteCommand& command);
// Return Query Data: a device that knows it sends `token` back and does nothing else (V1.1b3, 6.8.1).
Request echo_request(std::uint8_t unit, std::uint16_t token);

enum class Outcome : std::uint8_t {
    kAnswer,     // of a read: `data` holds the bits or registers
    kException,  // the device refused: `exception`
    kTimeout,    // no answer in time; the connection may go on: a late answer will be recognised and dropped
    kTornTimeout,  // an answer began and did not end in time: the connection is out of step
    kSpoiled,      // what came is no whole answer; the link is in step again and may go on
    kGarbled,      // an answer that does not belong to the request: the connection is out of step
    kLost,         // the connection is gone
    kInterrupted,
};

struct Reply {
    Outcome outcome = Outcome::kLost;
    std::uint8_t exception = 0;
    std::span<const std::uint8_t> data;  // valid until the next call
    std::string why;                     // of kSpoiled, kGarbled and kLost
    std::chrono::nanoseconds took{0};    // from the request sent to the answer taken
};

Reply reply_of(Outcome outcome, std::string why = {});

// Whether `pdu`, at least two bytes, is the answer to `request`: kAnswer, kException or kGarbled, with what
// differs. A normal answer has the request's function and exactly its answer_size bytes, and repeats of a
// write what the standard says it repeats.
Reply check_answer(const Request& request, std::span<const std::uint8_t> pdu);

}  // namespace fieldwarden::worker::modbus
