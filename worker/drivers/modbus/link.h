// Link: one request and its answer over one Modbus transport. The driver above plans and decodes; a link
// frames, waits and checks that an answer belongs to its request (pdu.h). Two of them: tcp_link.h, and
// rtu_link.h for a serial line or a line behind a TCP converter.
#pragma once

#include <cstdint>
#include <string>

#include "common/result.h"
#include "worker/drivers/driver.h"
#include "worker/drivers/modbus/pdu.h"

namespace fieldwarden::worker::modbus {

class Link {
  public:
    virtual ~Link() = default;
    virtual Status connect() = 0;
    virtual void disconnect() = 0;
    [[nodiscard]] virtual ConnectStep failed_step() const = 0;
    // Sends and waits at most the response timeout. Only while connected.
    virtual Reply exchange(const Request& request) = 0;
    Reply read(const ReadCommand& command) { return exchange(request_of(command)); }
    Reply write(const WriteCommand& command) { return exchange(request_of(command)); }
    // As Driver::interrupt(): any thread, sticky until disconnect().
    virtual void interrupt() = 0;
    // Waits; true when interrupted. For the pause a device wants between two requests.
    virtual bool pause(std::chrono::milliseconds duration) = 0;
    [[nodiscard]] virtual const std::string& name() const = 0;  // "10.0.0.5:502"
    // Rises while something moves that the driver does not see: another device's turn on a shared line, a
    // slow answer coming in. Any thread.
    [[nodiscard]] virtual std::uint64_t activity() const { return 0; }

    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    std::uint64_t stray_answers = 0;  // dropped: late ones, and such as belong to no request
};

}  // namespace fieldwarden::worker::modbus
