// Driver: how the worker talks to one device. One folder per protocol under worker/drivers, one row in
// registry.cpp, one line in worker/CMakeLists.txt.
//
// Threads. A driver belongs to its device's thread: every call comes from that thread, except interrupt() and
// activity().
// Time. Every call returns within the timeouts of the device's options; a driver never sleeps to pace itself
// (the device loop schedules) and never retries a connection (the device loop backs off). Values. A driver
// returns raw values in the point's data type (bool, signed, unsigned, double, text); scale, range and
// deadband are the pipeline's work. Text is valid UTF-8: undecodable bytes become U+FFFD.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/result.h"
#include "common/sample.h"
#include "common/task_config.h"

namespace fieldwarden::worker {

// Where a connection attempt failed, so that test-connection can say what to check.
enum class ConnectStep : std::uint8_t { kResolve, kConnect, kHandshake, kSignIn, kRead };

// Counters since the driver was made; read by the device loop after each scan.
struct DriverStats {
    std::uint64_t requests = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t exceptions = 0;  // the device answered with a protocol error
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    double last_response_ms = 0;  // mean of the last read()
    // The last trouble that left the connection usable: an exception, a unit that does not answer.
    std::string last_refusal;
};

class Driver {
  public:
    virtual ~Driver() = default;

    // Opens the connection. On failure the message is a full sentence for the operator and `failed_step()` is
    // set.
    virtual Status connect() = 0;
    virtual void disconnect() = 0;
    [[nodiscard]] virtual ConnectStep failed_step() const = 0;

    // Reads the points named by `due` (indices into DeviceConfig::points, each at most once) and appends
    // exactly one sample per index to `out`, in the order of `due`, each with its own quality and the time it
    // was read. Returns an error when the
    // connection is no longer usable: then every point not read is in `out` as bad, and the device loop calls
    // disconnect() and backs off. A device that answers "illegal address" is no error here: only that point
    // is bad.
    virtual Status read(std::span<const std::uint32_t> due, SampleBatch& out) = 0;

    // Makes a blocked connect() or read() return soon. Any thread. Sticky: until the next disconnect(),
    // connect() and read() fail at once, so an interrupt between two calls is not lost.
    virtual void interrupt() = 0;
    // Rises with every request sent and every answer taken. Any thread: it tells a long scan from a hang.
    [[nodiscard]] virtual std::uint64_t activity() const = 0;

    [[nodiscard]] virtual const DriverStats& stats() const = 0;
};

// Makes the driver of `config.protocol`. Fails with kInvalidArgument when an address or option does not
// parse: bad configuration, never retried. Does not touch the network. The driver copies what it needs of
// `config`, which does not outlive this call: the points of a device are too many to be kept twice.
Result<std::unique_ptr<Driver>> make_driver(const DeviceConfig& config);

}  // namespace fieldwarden::worker
