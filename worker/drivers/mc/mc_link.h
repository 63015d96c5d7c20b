// One request and its answer over one TCP connection: sends, waits, and makes sure that an answer belongs to
// its request.
//
// 4E frames carry a serial number: an answer to a request that timed out earlier is dropped. 3E and 1E frames
// have none, so that a late answer would pass for the next one: after a timeout their connection is of no use
// any more, and bytes that come unasked end it.
#pragma once

#include <chrono>
#include <vector>

#include "worker/drivers/mc/mc_frame.h"
#include "worker/drivers/tcp_stream.h"

namespace fieldwarden::worker::mc {

struct Timeouts {
    std::chrono::milliseconds connect{3000};
    std::chrono::milliseconds response{1000};
};

enum class Outcome : std::uint8_t {
    kAnswer,       // `words` hold what was asked for
    kRefused,      // `end_code`
    kTimeout,      // no answer in time
    kTornTimeout,  // an answer began and did not end in time: the connection is out of step
    kGarbled,      // an answer that does not belong to the request: the connection is out of step
    kLost,         // the connection is gone
    kInterrupted,
};

struct Reply {
    Outcome outcome = Outcome::kLost;
    std::uint16_t end_code = 0;
    std::uint8_t abnormal = 0;
    std::span<const std::uint16_t> words;  // valid until the next call
    std::string why;                       // of kGarbled and kLost
};

class McLink {
  public:
    McLink(HostPort peer, FrameFormat format, Timeouts timeouts);

    Status connect();
    void disconnect();
    // Sends and waits at most the response timeout. Only while connected.
    Reply exchange(const Request& request);
    // Any thread, sticky until disconnect().
    void interrupt() { stream_.interrupt(); }

    // Whether the connection may go on after Outcome::kTimeout.
    [[nodiscard]] bool survives_timeout() const { return format_.dialect.frame == McFrame::k4e; }
    [[nodiscard]] const FrameFormat& format() const { return format_; }
    [[nodiscard]] TcpStream& stream() { return stream_; }
    [[nodiscard]] const TcpStream& stream() const { return stream_; }

  private:
    // Takes what lies in the socket already.
    Status drain();
    Reply receive(const Request& request);

    TcpStream stream_;
    const FrameFormat format_;
    const Timeouts timeouts_;
    std::uint16_t serial_ = 0;
    std::vector<std::uint16_t> abandoned_;  // serials of this connection that timed out
    std::vector<std::uint8_t> received_;
    std::vector<std::uint16_t> words_;
    bool after_5b_ = false;  // a zero byte may still follow the last answer (1E)
};

}  // namespace fieldwarden::worker::mc
