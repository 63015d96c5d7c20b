// A ZeroMQ socket served by the supervisor's loop.
//
// The descriptor of a ZeroMQ socket is edge-triggered and speaks for the socket's mailbox, not for its
// messages: it must be drained before every wait, and a send may swallow the edge. This class keeps both
// rules.
// Threads. Loop thread only.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>
#include <zmq.hpp>

#include "common/bytes.h"
#include "common/result.h"

namespace fieldwarden::supervisor {

using ZmqFrames = std::vector<zmq::message_t>;

class ZmqLoopSocket {
  public:
    // `socket` is configured and bound already.
    ZmqLoopSocket(boost::asio::io_context& loop, zmq::socket_t socket);
    ~ZmqLoopSocket();
    ZmqLoopSocket(const ZmqLoopSocket&) = delete;
    ZmqLoopSocket& operator=(const ZmqLoopSocket&) = delete;

    // Calls `on_message` with every message that arrives, at most kBurst of them before the loop's other work
    // has its turn.
    void start(std::function<void(ZmqFrames&)> on_message);
    // Never blocks. False when the message could not be queued: the peer is gone or its queue is full.
    bool send(ZmqFrames& frames);

  private:
    static constexpr int kBurst = 256;
    void wait();
    void drain();
    void drain_soon();

    boost::asio::io_context& loop_;
    zmq::socket_t socket_;
    boost::asio::posix::stream_descriptor descriptor_;
    std::function<void(ZmqFrames&)> on_message_;
    bool waiting_ = false;
    bool drain_posted_ = false;
    // Handlers already queued in the loop must not reach into a destroyed socket.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

zmq::message_t zmq_message(ByteSpan bytes);
inline zmq::message_t zmq_message(std::string_view text) {
    return zmq_message(as_bytes(text));
}
ByteSpan bytes_of(const zmq::message_t& message);

// "ipc:///run/…": refuses a path longer than the operating system takes (107 bytes).
Result<std::string> ipc_endpoint(const std::string& path);

}  // namespace fieldwarden::supervisor
