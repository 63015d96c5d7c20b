// SerialLine: one serial port shared by the devices of this process, each on its own thread. RTU has one
// master: requests take turns, in the order in which they were asked for, so that a device with many requests
// or a silent one delays the others by one request at a time.
//
// Another process with the same port is refused (serial_port.h): devices of one line belong into one task.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>

#include "worker/drivers/modbus/rtu_channel.h"
#include "worker/drivers/modbus/serial_port.h"

namespace fieldwarden::worker::modbus {

class SerialLine {
  public:
    // The line at `path`, the same for every name of the port (/dev/serial/by-id/… too). Lines are kept until
    // the process ends, with what is known of the devices on them.
    static std::shared_ptr<SerialLine> at(const std::string& path);

    explicit SerialLine(std::string path) : path_(std::move(path)) {}
    ~SerialLine();
    SerialLine(const SerialLine&) = delete;
    SerialLine& operator=(const SerialLine&) = delete;

    // Any thread. Opens the port for the first user; others must want the same settings (kConflict). Returns
    // the connection's number, for fd() and detach(): a line that was lost has another one afterwards.
    Result<std::uint64_t> attach(const SerialSettings& settings);
    void detach(std::uint64_t connection);  // the last user closes the port
    // The port is gone: every user's connection ends with it.
    void lose(std::uint64_t connection);
    [[nodiscard]] int fd(std::uint64_t connection) const;  // -1: this connection is over

    // Waits for the turn; false when `interrupted` becomes true, which wake() has to follow.
    bool take_turn(const std::atomic<bool>& interrupted);
    void end_turn();
    void wake();

    // Only with the turn.
    LineState state;

    void moved() { activity_.fetch_add(1, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t activity() const { return activity_.load(std::memory_order_relaxed); }

  private:
    const std::string path_;
    std::atomic<std::uint64_t> activity_ = 0;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    int fd_ = -1;
    SerialSettings settings_;
    std::uint64_t connection_ = 0;
    unsigned users_ = 0;
    bool taken_ = false;
    std::uint64_t next_ticket_ = 0;
    std::deque<std::uint64_t> waiting_;
};

// A link's end of the line at `path`; `path` names it in messages.
std::unique_ptr<RtuChannel> make_serial_channel(std::string path, SerialSettings settings);

}  // namespace fieldwarden::worker::modbus
