// What bench_drivers compares: one row per protocol, each with its server, our driver's configuration and the
// plainest client of the same protocol. A new protocol is one file with its rows and one line in kProtocols
// of bench_drivers.cpp.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/task_config.h"

namespace fieldwarden::bench {

// Takes the same values from the server as the driver, checks nothing and keeps nothing.
class PlainClient {
  public:
    virtual ~PlainClient() = default;
    virtual bool read_all() = 0;  // Row::values of every point; false: the connection broke
};

// To whom a server that sends by itself sends.
enum class Side : std::uint8_t { kDriver, kPlain };

struct Row {
    std::string name;
    unsigned values = 1;  // of each point, that driver and plain client take in one go
    // In a child process: starts the server and returns its address; it lives until the process ends.
    std::function<std::string(unsigned points)> serve;
    // Of a server that sends by itself, in the same process: `values` values of every point, to one side's
    // points. Empty: the clients ask.
    std::function<void(Side side, unsigned points)> send = {};
    // The device with `points` points of type float32 (or what the protocol has instead).
    std::function<DeviceConfig(const std::string& address, unsigned points)> device;
    std::function<std::unique_ptr<PlainClient>(const std::string& address, unsigned points)> plain;
};

// A client of request and answer over one blocking TCP connection: sends what it is given, and takes as many
// bytes as it is told.
struct Exchange {
    std::vector<std::uint8_t> request;
    std::size_t answer_size = 0;
};
std::unique_ptr<PlainClient> make_plain_tcp(const std::string& address, std::vector<Exchange> exchanges);

// A blocking TCP connection to host:port; -1: refused.
int connect_plain(const std::string& address);

std::vector<Row> mc_rows();
std::vector<Row> modbus_rows();
std::vector<Row> mqtt_rows();
std::vector<Row> opcua_rows();

}  // namespace fieldwarden::bench
