// A serial port of the machine, opened for one process alone.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"

namespace fieldwarden::worker::modbus {

enum class Parity : std::uint8_t { kNone, kEven, kOdd };

struct SerialSettings {
    std::uint32_t baud_rate = 9600;
    Parity parity = Parity::kEven;
    std::uint8_t stop_bits = 1;

    bool operator==(const SerialSettings&) const = default;
};

// "9600 baud, even parity, 1 stop bit".
std::string to_text(const SerialSettings& settings);

// Opens `path` raw, non-blocking, with eight data bits and any baud rate, and empties its buffers. The port
// is locked (flock, so that another task is refused, and TIOCEXCL, so that programs which know no lock are);
// the kernel gives it free when the process ends. Returns the descriptor. The message says why not, without
// naming the port. kConflict: another process has it.
Result<int> open_serial_port(const std::string& path, const SerialSettings& settings);
// Drops what was not sent yet: closing would wait for it.
void close_serial_port(int fd);

}  // namespace fieldwarden::worker::modbus
