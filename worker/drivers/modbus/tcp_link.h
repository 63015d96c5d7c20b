// Modbus TCP over libmodbus (Modbus Messaging on TCP/IP Implementation Guide V1.0b, section 3).
//
// libmodbus 3.1.6 holds the connection, reads the answer frame and keeps its deadline. Three things it does
// not do are done here, with these reasons:
// - It does not compare the unit id of an answer, compares the protocol id wrongly, and ignores the length
//   field: every answer is checked here against the request, whole.
// - Its connect cannot be interrupted and gives each of a name's addresses the whole timeout: the socket is
//   connected here and handed to it.
// - modbus_send_raw_request sends transaction id 0 always, so a late answer would pass for the next one:
//   requests are sent here, with rising ids.
// libmodbus waits with select(2): a descriptor of 1024 or more is refused, because it would write beyond its
// fd_set.
#pragma once

#include <memory>
#include <vector>

#include "worker/drivers/modbus/link.h"
#include "worker/drivers/tcp_stream.h"

struct _modbus;

namespace fieldwarden::worker::modbus {

struct TcpTimeouts {
    std::chrono::milliseconds connect{3000};
    std::chrono::milliseconds response{1000};
};

class TcpLink final : public Link {
  public:
    TcpLink(HostPort peer, TcpTimeouts timeouts);

    Status connect() override;
    void disconnect() override;
    [[nodiscard]] ConnectStep failed_step() const override { return stream_.failed_step(); }
    Reply read(const ReadCommand& command) override;
    void interrupt() override { stream_.interrupt(); }
    bool pause(std::chrono::milliseconds duration) override { return stream_.pause(duration); }
    [[nodiscard]] const std::string& name() const override { return stream_.name(); }

  private:
    struct FreeContext {
        void operator()(_modbus* context) const;
    };
    Reply receive(const ReadCommand& command, std::uint16_t transaction);

    TcpStream stream_;
    const TcpTimeouts timeouts_;
    std::unique_ptr<_modbus, FreeContext> context_;
    std::uint16_t transaction_ = 0;
    // Requests of this connection that timed out: their answers may still come and are dropped.
    std::vector<std::uint16_t> abandoned_;
    std::vector<std::uint8_t> frame_;
};

}  // namespace fieldwarden::worker::modbus
