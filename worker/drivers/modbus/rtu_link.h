// Modbus RTU: one request and its answer over an RtuChannel.
//
// The serial port and its frames are handled here and not by libmodbus 3.1.6, because its RTU backend waits
// with select(2) on the port alone, where no other thread can interrupt it; sleeps after errors; gives a
// caller an answer of the right unit, function and length whatever request it belongs to; and knows neither
// a port that several devices share nor one that another process holds.
//
// An RTU answer names its unit and function but not its request, so a late one could pass for the answer to
// the next request of the same shape. Three things keep that from happening:
// - Before a request the line has to be silent, and what came until then is dropped.
// - A frame from another unit, of another function or of another length is dropped, and the wait goes on.
// - A unit that owes an answer is in doubt. Before its next request it is asked to return a token (function
//   8; V1.1b3, 6.8.1): a line keeps order, so whatever comes before the token is late. A device without
//   function 8 answers with an exception, which does not say to which token: as many are waited for as tokens
//   were sent. A unit that twice leaves the token unanswered is asked directly: it may be one that ignores
//   what it does not know. One that has returned a token before knows it, and is asked more often.
//
// Time: an answer has the response timeout, and besides the time that both frames take on the line. The wait
// for a turn comes on top: at most one request of every other device.
#pragma once

#include <memory>

#include "common/device_options.h"
#include "worker/drivers/modbus/link.h"
#include "worker/drivers/modbus/rtu_channel.h"
#include "worker/drivers/modbus/rtu_frame.h"

namespace fieldwarden::worker::modbus {

struct RtuTiming {
    std::chrono::milliseconds response{1000};
    std::chrono::nanoseconds silence{0};  // before a request
};

class RtuLink final : public Link {
  public:
    RtuLink(std::unique_ptr<RtuChannel> channel, RtuTiming timing);

    Status connect() override { return channel_->connect(); }
    void disconnect() override { channel_->disconnect(); }
    [[nodiscard]] ConnectStep failed_step() const override { return channel_->failed_step(); }
    Reply exchange(const Request& request) override;
    void interrupt() override { channel_->interrupt(); }
    bool pause(std::chrono::milliseconds duration) override { return channel_->pause(duration); }
    [[nodiscard]] const std::string& name() const override { return channel_->name(); }
    [[nodiscard]] std::uint64_t activity() const override { return channel_->activity(); }

  private:
    Reply settle_then_talk(const Request& request);
    std::optional<Reply> settle(std::uint8_t unit);
    Reply talk(const Request& request);
    std::optional<Reply> await_silence();
    Reply failed(const Error& error) const;

    std::unique_ptr<RtuChannel> channel_;
    const RtuTiming timing_;
    std::uint16_t token_;
    std::array<std::uint8_t, kLongestPdu> answer_{};
};

// A converter ("RTU over TCP"): `peer` hands the bytes of the line through.
std::unique_ptr<RtuChannel> make_tcp_channel(HostPort peer, std::chrono::milliseconds connect_timeout);

}  // namespace fieldwarden::worker::modbus
