// Line: the TCP connection under a secure channel. It differs from TcpStream in how it is interrupted: once
// the connection stands, interrupt() wakes whoever waits and leaves the socket whole, so that disconnect()
// can still close the session on the server. Servers hold few sessions, and one that is left open blocks a
// place until it times out.
//
// Threads. One thread owns it; interrupt(), wake() and activity() may come from any other.
#pragma once

#include <atomic>

#include "worker/drivers/opcua/binary.h"
#include "worker/drivers/tcp_stream.h"

namespace fieldwarden::worker::opcua {

class Line {
  public:
    explicit Line(HostPort peer) : stream_("opcua", std::move(peer)) {}

    Status connect(std::chrono::milliseconds timeout);
    // Closes, and opens the way for connect() without ending an interrupt().
    void hang_up();
    // Closes, and ends an interrupt().
    void disconnect();
    // Sticky until disconnect().
    void interrupt();
    // Makes a receive() that waits, or the next one, return early once.
    void wake() { stream_.wake(); }
    [[nodiscard]] bool interrupted() const { return interrupted_.load(std::memory_order_acquire); }

    Status send(View bytes, MonoTime deadline);
    // As TcpStream::receive().
    Result<std::size_t> receive(std::span<std::uint8_t> out, MonoTime deadline);
    // The farewell goes on in spite of an interrupt.
    void begin_farewell() { farewell_ = true; }
    // Interrupted, and not saying farewell: nothing is to be sent or waited for.
    [[nodiscard]] bool called_off() const { return interrupted() && !farewell_; }

    [[nodiscard]] bool is_open() const { return stream_.is_open(); }
    [[nodiscard]] const TcpStream& stream() const { return stream_; }
    [[nodiscard]] Error error(ErrorKind kind, const std::string& why) const {
        return stream_.error(kind, why);
    }
    [[nodiscard]] std::uint64_t activity() const { return activity_.load(std::memory_order_relaxed); }
    void moved() {  // one writer: no locked add is needed
        activity_.store(activity_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }

  private:
    TcpStream stream_;
    std::atomic<bool> interrupted_ = false;
    std::atomic<bool> standing_ = false;
    bool farewell_ = false;
    std::atomic<std::uint64_t> activity_ = 0;
};

}  // namespace fieldwarden::worker::opcua
