// DeviceLoop: one thread that acquires from one device. It owns the driver, keeps the schedule, backs off
// when the device is away, runs each scan through the pipeline and hands the batch on. A slow device delays
// only itself.
//
// Schedule. Absolute: the n-th scan of a period group is due at start + n × period, so a slow scan does not
// drift the next. A scan that is due while the last one still runs is counted as missed, never queued. A
// device that sends by itself (PushSource) is not scanned: what it sends is handed on as it comes, and the
// schedule counts the cycles. Device trouble is not process trouble. While the device is away every due scan
// gives its points bad quality (disconnected or timeout) once per change and the loop reconnects with
// backoff; nothing escapes to the worker.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/sample.h"
#include "common/task_config.h"
#include "proto/shapes.h"
#include "proto/wire.h"
#include "worker/drivers/driver.h"
#include "worker/point_write.h"

namespace fieldwarden::worker {

// Read by the heartbeat thread at any time; a consistent copy.
struct DeviceSnapshot {
    std::uint64_t loop_ticks = 0;
    std::uint64_t cycles = 0;
    std::uint64_t missed_cycles = 0;
    std::uint64_t points_read = 0;
    std::uint64_t points_good = 0;
    std::uint64_t errors = 0;
    double cycle_ms = 0;
    double response_ms = 0;
    std::optional<UtcTime> last_read_time;
    std::optional<UtcTime> last_good_time;
    proto::DeviceProgress progress;
    proto::ConnectionStatus connection;
    std::uint64_t connection_version =
        0;  // rises with every change of `connection` worth telling the supervisor
};

struct DeviceEvents {
    // A scan's samples after the pipeline (deadband applied: only what is to be delivered). Called on the
    // device's thread; may block when the spool is full and told to block.
    std::function<void(SampleBatch&& samples)> on_samples;
    // The newest sample of every point read, before the deadband, for live displays. Same thread.
    std::function<void(const SampleBatch& samples)> on_live;
    // A line for the log. Same thread.
    std::function<void(proto::LogLevel level, std::string message)> on_log;
};

class DeviceLoop {
  public:
    // `config` is kept by copy, its points only until start() has made the driver of them. `make` makes the
    // driver (make_driver in production; tests pass a scripted one).
    using DriverFactory = std::function<Result<std::unique_ptr<Driver>>(const DeviceConfig&)>;
    DeviceLoop(DeviceConfig config, std::chrono::milliseconds task_period, DeviceEvents events,
               DriverFactory make, const Clock& clock);
    ~DeviceLoop();  // stop()
    DeviceLoop(const DeviceLoop&) = delete;
    DeviceLoop& operator=(const DeviceLoop&) = delete;

    // Thread safe, all of them. start() fails only on a configuration that the driver refuses.
    Status start(bool paused);
    // Interrupts a blocked read, joins the thread. The last complete scan has been handed on.
    void stop();
    // The connection is kept alive, the schedule keeps its phase. Of what a device sends by itself meanwhile
    // the newest of each point is handed on with resume(), unless the subscription is lost before.
    void pause();
    void resume();
    void set_period(std::chrono::milliseconds task_period);  // points with a period of their own keep it
    void set_period_factor(std::uint32_t factor);            // of every period; 1: as configured
    void reset_connection();
    // One scan of all points now, beside the schedule; also while paused. Waits at most `deadline`. The
    // samples are returned, not handed to on_samples.
    Result<SampleBatch> acquire_once(std::chrono::milliseconds deadline);
    // Writes a point of the device, reads it back and compares; also while paused. kInvalidArgument: not
    // writable, or the value does not fit. The sample is in engineering units.
    Result<ReadBack> write(PointId point, const Value& engineering, std::chrono::milliseconds deadline);
    [[nodiscard]] bool may_write(PointId point) const;
    // What the driver has counted; kTimeout while it is busy with a longer call.
    Result<proto::DeviceDiagnostics> diagnostics(std::chrono::milliseconds deadline);
    [[nodiscard]] DeviceSnapshot snapshot() const;
    // Whether this is the configuration it was made with.
    [[nodiscard]] bool is_made_of(const DeviceConfig& config) const;
    // A run limit: the loop pauses itself after this many further scans and calls `done` once. 0: none.
    void set_cycle_limit(std::uint64_t cycles, std::function<void()> done);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace fieldwarden::worker
