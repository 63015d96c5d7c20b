// Link: one request and its answer over one Modbus transport. The driver above plans and decodes; a link
// frames, waits and checks that an answer belongs to its request. TCP today; RTU is another link under the
// same driver.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "common/modbus_address.h"
#include "common/result.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker::modbus {

// A read: function 1 to 4 follows from the area (V1.1b3, 6.1 to 6.4).
struct ReadCommand {
    std::uint8_t unit = 1;
    ModbusArea area = ModbusArea::kHoldingRegister;
    std::uint16_t offset = 0;
    std::uint16_t count = 1;  // registers or bits, 1 to 125 or 2000
};

std::uint8_t function_of(ModbusArea area);
// Bytes of data in a normal answer.
std::size_t answer_bytes(const ReadCommand& command);

enum class Outcome : std::uint8_t {
    kAnswer,     // `data` holds answer_bytes() bytes
    kException,  // the device refused: `exception`
    kTimeout,    // no answer in time; the connection may go on: a late answer will be recognised and dropped
    kTornTimeout,  // an answer began and did not end in time: the connection is out of step
    kGarbled,      // an answer that does not belong to the request: the connection is out of step
    kLost,         // the connection is gone
    kInterrupted,
};

struct Reply {
    Outcome outcome = Outcome::kLost;
    std::uint8_t exception = 0;
    std::span<const std::uint8_t> data;  // valid until the next call
    std::string why;                     // of kGarbled and kLost
};

class Link {
  public:
    virtual ~Link() = default;
    virtual Status connect() = 0;
    virtual void disconnect() = 0;
    [[nodiscard]] virtual ConnectStep failed_step() const = 0;
    // Sends and waits at most the response timeout. Only while connected.
    virtual Reply read(const ReadCommand& command) = 0;
    // As Driver::interrupt(): any thread, sticky until disconnect().
    virtual void interrupt() = 0;
    // Waits; true when interrupted. For the pause a device wants between two requests.
    virtual bool pause(std::chrono::milliseconds duration) = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;  // "10.0.0.5:502"

    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
};

}  // namespace fieldwarden::worker::modbus
