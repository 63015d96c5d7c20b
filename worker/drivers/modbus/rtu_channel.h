// RtuChannel: what carries RTU frames: a serial port that devices of this process share (serial_line.h), or a
// TCP connection to a converter that hands them through (rtu_link.cpp).
//
// Threads. One link's thread owns it; interrupt() and activity() may come from any other.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "common/clock.h"
#include "common/result.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker::modbus {

// What a unit may still send, see RtuLink.
struct UnitState {
    bool owes_an_answer = false;
    bool returns_tokens = false;         // it did once
    std::uint8_t unanswered_tokens = 0;  // one after the other
    std::uint8_t exceptions_due = 0;     // tokens sent since its last answer, less the exceptions to them
};

// What is known of the line at the far end. It outlives connections, because answers do.
struct LineState {
    std::array<UnitState, 256> units{};
    MonoTime last_byte{};  // sent or received by anybody of this process
    bool unclean = false;  // bytes came that were no answer: wait for a longer silence
};

class RtuChannel {
  public:
    virtual ~RtuChannel() = default;
    virtual Status connect() = 0;
    virtual void disconnect() = 0;
    [[nodiscard]] virtual ConnectStep failed_step() const = 0;
    // As Driver::interrupt().
    virtual void interrupt() = 0;
    [[nodiscard]] virtual bool interrupted() const = 0;
    virtual bool pause(std::chrono::milliseconds duration) = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;
    [[nodiscard]] virtual std::uint64_t activity() const = 0;  // as of Link

    // Waits until nobody else uses the line. What follows needs the turn.
    virtual Status begin_turn() { return {}; }
    virtual void end_turn() {}
    [[nodiscard]] virtual LineState& line() = 0;
    // kUnavailable: interrupted, or the connection is gone; the message says why without naming the device.
    virtual Status send(std::span<const std::uint8_t> bytes, MonoTime deadline) = 0;
    // At least one byte; 0 when `deadline` passes before.
    virtual Result<std::size_t> receive(std::span<std::uint8_t> out, MonoTime deadline) = 0;
    // The time the characters take on the line, as far as it is known.
    [[nodiscard]] virtual std::chrono::nanoseconds wire_time(std::size_t bytes) const = 0;
};

}  // namespace fieldwarden::worker::modbus
