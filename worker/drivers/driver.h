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

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/sample.h"
#include "common/task_config.h"
#include "proto/browse.h"
#include "worker/drivers/response_times.h"

namespace fieldwarden::worker {

// Where a connection attempt failed, so that test-connection can say what to check.
enum class ConnectStep : std::uint8_t { kResolve, kConnect, kHandshake, kSignIn, kRead };

// Counters since the driver was made; read by the device loop after each scan.
struct DriverStats {
    std::uint64_t requests = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t exceptions = 0;      // the device answered with a protocol error
    std::uint64_t broken_answers = 0;  // an answer that does not decode or belongs to no request
    std::uint64_t lost_connections = 0;
    std::uint64_t updates = 0;     // samples the device sent by itself (PushSource)
    std::uint64_t overflowed = 0;  // of them, dropped because they were not taken in time
    std::uint64_t bytes_sent = 0;
    std::uint64_t bytes_received = 0;
    double last_response_ms = 0;  // mean of the last read()
    ResponseTimes response_times;
    // The last trouble that left the connection usable: an exception, a unit that does not answer.
    std::string last_refusal;
};

// A driver whose device sends by itself (OPC UA subscriptions, MQTT) is a PushSource besides. The device loop
// calls subscribe() after every connect() and then take() instead of read(); read() is left for
// acquire_once. All calls on the device's thread but wake().
class PushSource {
  public:
    virtual ~PushSource() = default;

    // Asks the device for every point; periods[i] is how often point i is wanted at most (a sampling
    // interval, where the protocol has one). Called again when periods change. A point the device does not
    // know is no error: take() yields it once, as bad. An error ends the connection, as of Driver::read().
    virtual Status subscribe(std::span<const std::chrono::milliseconds> periods) = 0;

    // Waits at most `wait` until there is something, and moves it out: which[i] is the index of the point of
    // out[i]; the samples of one point are in the order the device sent them, and there may be several.
    // Returns early, perhaps with nothing, after wake(). What is not taken in time is kept in a bounded
    // queue, the oldest dropped first and counted (DriverStats::overflowed). An error: the connection is no
    // longer usable; what came before is in `out` all the same. After disconnect() one call with no wait
    // gives what had come before it: a broker that was told of it does not send it again.
    virtual Status take(std::chrono::milliseconds wait, std::vector<std::uint32_t>& which,
                        SampleBatch& out) = 0;
    virtual void wake() = 0;

    // Whether a value holds when take() gives it, whatever time it carries. Not so with a broker, which
    // passes on what was said once, perhaps by somebody who is gone.
    [[nodiscard]] virtual bool values_hold() const = 0;
    // Whether the last subscribe() goes on with what the device kept of an earlier connection: a point of
    // which nothing comes then still has the value that was taken last.
    [[nodiscard]] virtual bool continues() const = 0;
    // When the device last said something that confirms the newest values: a value, or a keep-alive that
    // means "nothing changed". nullopt: it has not yet.
    [[nodiscard]] virtual std::optional<UtcTime> confirmed_at() const = 0;
};

// A driver whose device can list what it holds (OPC UA). While connected; `node` empty: the root. An unknown
// node is kNotFound.
class Browser {
  public:
    virtual ~Browser() = default;
    virtual Result<proto::BrowsePage> browse(const std::string& node) = 0;
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
    // was read, or the device's own time of the value where the protocol carries one. Returns an error when
    // the connection is no longer usable: then every point not read is in `out` as bad, and the device loop
    // calls disconnect() and backs off. A device that answers "illegal address" is no error here: only that
    // point is bad.
    virtual Status read(std::span<const std::uint32_t> due, SampleBatch& out) = 0;

    // Writes one point (index into DeviceConfig::points). `raw` is in the point's data type and range: the
    // caller has undone scale and offset and checked it. Success means the device said yes. kInvalidArgument:
    // this point cannot be written (an input, a read-only node), or the device refused the value; the
    // connection stays usable. Other kinds as of read(): the connection is no longer usable.
    virtual Status write(std::uint32_t point, const Value& raw) = 0;

    // Makes a blocked connect(), read(), take() or write() return soon. Any thread. Sticky: until the next
    // disconnect(), all of them fail at once, so an interrupt between two calls is not lost.
    virtual void interrupt() = 0;
    // Rises with every request sent and every answer taken. Any thread: it tells a long scan from a hang.
    [[nodiscard]] virtual std::uint64_t activity() const = 0;

    [[nodiscard]] virtual const DriverStats& stats() const = 0;

    // Optional capabilities; null: the device is polled, and cannot be browsed.
    virtual PushSource* push_source() { return nullptr; }
    virtual Browser* browser() { return nullptr; }
};

// Makes the driver of `config.protocol`. Fails with kInvalidArgument when an address or option does not
// parse: bad configuration, never retried. Does not touch the network. The driver copies what it needs of
// `config`, which does not outlive this call: the points of a device are too many to be kept twice.
Result<std::unique_ptr<Driver>> make_driver(const DeviceConfig& config);

}  // namespace fieldwarden::worker
