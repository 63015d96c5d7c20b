// A simulated device on its port: a TCP listener with any number of connections, or a serial line.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <set>
#include <string>

#include "tests/simulator/modbus/device_model.h"
#include "tests/simulator/modbus/modbus_simulator.h"

namespace fieldwarden::simulator::modbus {

class Session;

// All calls on the thread that runs `io`, or while none does.
class ServedDevice {
  public:
    ServedDevice(boost::asio::io_context& io, DeviceModel model, Framing framing);
    ~ServedDevice();

    // One of the two, then start().
    Status listen(const boost::asio::ip::tcp::endpoint& endpoint);
    // `path` is a serial port; where nothing is yet, a new pseudo terminal gets a symbolic link there.
    Status open_serial(const std::string& path);
    void start();
    void shut_down();

    void set_faults(Faults faults);
    void drop_connections();
    void forget(const std::shared_ptr<Session>& session) { sessions_.erase(session); }
    void handle(const Request& request, Answer& answer);

    DeviceModel& model() { return model_; }
    [[nodiscard]] Framing framing() const { return framing_; }
    [[nodiscard]] std::uint16_t port() const { return endpoint_.port(); }
    [[nodiscard]] DeviceCounters counters() const;

  private:
    void accept();
    void serve_line(int fd);
    Result<int> plug_in_line();
    void unplug_line();

    boost::asio::io_context& io_;
    DeviceModel model_;
    const Framing framing_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer retry_;
    boost::asio::ip::tcp::endpoint endpoint_;
    std::string serial_path_;  // empty: on TCP
    bool own_terminal_ = false;
    int far_end_ = -1;  // of an own pseudo terminal: kept open, so that a client may come and go
    int next_line_ = -1;
    std::set<std::shared_ptr<Session>> sessions_;
    DeviceCounters counters_;
    std::chrono::steady_clock::time_point started_;
};

}  // namespace fieldwarden::simulator::modbus
