// TcpStream: one TCP connection of a driver, every wait bounded and interruptible.
//
// Threads. One thread owns it; interrupt() and wake() may come from any other.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>

#include "common/clock.h"
#include "common/device_options.h"
#include "common/result.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker {

class TcpStream {
  public:
    // `protocol` ("modbus") begins every message: "modbus 10.0.0.5:502: connection refused; …".
    TcpStream(std::string protocol, HostPort peer);
    ~TcpStream();
    TcpStream(const TcpStream&) = delete;
    TcpStream& operator=(const TcpStream&) = delete;

    // Looks the name up and connects to the first address that takes it, all within `timeout`.
    Status connect(std::chrono::milliseconds timeout);
    // Closes, and ends an interrupt().
    void disconnect();
    // Sticky until disconnect(): whoever waits returns kUnavailable, and so does every later call.
    void interrupt();
    // Makes a receive() that waits, or the next one, return early once.
    void wake();
    [[nodiscard]] bool interrupted() const { return interrupted_.load(std::memory_order_acquire); }
    // Waits; true when interrupted. For the pause a device wants between two requests.
    bool pause(std::chrono::milliseconds duration);

    // Sends everything. kTimeout: the peer takes no more bytes; kUnavailable: the connection is gone.
    Status send(std::span<const std::uint8_t> bytes, MonoTime deadline);
    // What is there, at least one byte and at most `out.size()`; 0 when `deadline` passes or wake() is
    // called. kUnavailable: the connection is gone, or was interrupted.
    Result<std::size_t> receive(std::span<std::uint8_t> out, MonoTime deadline);
    // Exactly `out.size()` bytes, regardless of wake(). kTimeout names how many of them came.
    Status receive_all(std::span<std::uint8_t> out, MonoTime deadline);

    [[nodiscard]] bool is_open() const { return fd_ >= 0; }
    [[nodiscard]] int fd() const { return fd_; }                     // stays this stream's
    [[nodiscard]] const std::string& name() const { return name_; }  // "10.0.0.5:502"
    // Of the connect() that failed.
    [[nodiscard]] ConnectStep failed_step() const { return failed_step_; }
    [[nodiscard]] std::uint64_t bytes_sent() const { return bytes_sent_; }
    [[nodiscard]] std::uint64_t bytes_received() const { return bytes_received_; }

    // "<protocol> <name>: <why>".
    [[nodiscard]] Error error(ErrorKind kind, const std::string& why) const;

  private:
    Status fail(ConnectStep step, ErrorKind kind, const std::string& why);
    bool adopt(int fd);
    void close_socket();
    // 0 when `events` hold, ETIMEDOUT, ECANCELED after wake() (only with `wakeable`), or another errno.
    int await(short events, MonoTime deadline, bool wakeable);

    const std::string protocol_;
    const HostPort peer_;
    const std::string name_;
    const int wake_fd_;
    ConnectStep failed_step_ = ConnectStep::kConnect;
    std::uint64_t bytes_sent_ = 0;
    std::uint64_t bytes_received_ = 0;
    bool just_sent_ = false;

    // Guards the descriptor against being closed, and reused, while interrupt() shuts it down.
    std::mutex mutex_;
    std::condition_variable interruption_;
    int fd_ = -1;
    std::atomic<bool> interrupted_ = false;  // changed with the mutex held, for pause()
};

}  // namespace fieldwarden::worker
