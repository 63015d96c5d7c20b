// Modbus TCP (Modbus Messaging on TCP/IP Implementation Guide V1.0b, section 3) over a TcpStream.
//
// The frame is read here and not by libmodbus 3.1.6, because its client
// - does not compare the unit id of an answer, compares the protocol id wrongly, ignores the length field and
//   sends every raw request with transaction id 0, so that a late answer passes for the next one;
// - waits with select(2), which overruns its fd_set from descriptor 1024 on, and cannot be interrupted while
//   it connects;
// - takes three waits and three reads for one answer, where one of each will do.
// Here every answer is checked whole against its request: transaction, protocol, length, unit, function, byte
// count.
#pragma once

#include <array>
#include <vector>

#include "worker/drivers/modbus/link.h"
#include "worker/drivers/tcp_stream.h"

namespace fieldwarden::worker::modbus {

struct TcpTimeouts {
    std::chrono::milliseconds connect{3000};
    std::chrono::milliseconds response{1000};
};

class TcpLink final : public Link {
  public:
    TcpLink(HostPort peer, TcpTimeouts timeouts);

    Status connect() override;
    void disconnect() override { stream_.disconnect(); }
    [[nodiscard]] ConnectStep failed_step() const override { return stream_.failed_step(); }
    Reply exchange(const Request& request) override;
    void interrupt() override { stream_.interrupt(); }
    bool pause(std::chrono::milliseconds duration) override { return stream_.pause(duration); }
    [[nodiscard]] const std::string& name() const override { return stream_.name(); }

  private:
    static constexpr std::size_t kHeader = 7;  // MBAP: transaction 2, protocol 2, length 2, unit 1
    static constexpr std::size_t kLongestFrame = kHeader + kLongestPdu;

    Reply receive(const Request& request, MonoTime deadline);
    Reply judge(const Request& request, std::span<const std::uint8_t> frame) const;
    Reply stream_failed(const Error& error) const;
    std::optional<Reply> fill(std::size_t wanted, MonoTime deadline);

    TcpStream stream_;
    const TcpTimeouts timeouts_;
    std::uint16_t transaction_ = 0;
    // Requests of this connection that timed out: their answers may still come and are dropped.
    std::vector<std::uint16_t> abandoned_;
    // What has come: one frame, or less, or the beginning of the next one behind it.
    std::array<std::uint8_t, 2 * kLongestFrame> bytes_{};
    std::size_t have_ = 0;
    std::size_t used_ = 0;  // bytes of the frame that the last reply's data points into
};

}  // namespace fieldwarden::worker::modbus
