// DeviceSet: the device loops of a task, by device code. Takes a new configuration by restarting only the
// devices that changed, and adds the loops' counters up so that they never go back.
//
// Threads. The main thread, except loops() and loop_of(): what they return may be used by another thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proto/wire.h"
#include "worker/device_loop.h"
#include "worker/live_table.h"
#include "worker/log_function.h"

namespace fieldwarden::worker {

class DeviceSet {
  public:
    struct Handlers {
        std::function<void(SampleBatch&&)> on_samples;  // on a device's thread
        LogFunction log;
        std::function<void()> on_limit_reached;  // once, when every device has made its cycles; any thread
    };
    DeviceSet(Handlers handlers, const Clock& clock, DeviceLoop::DriverFactory make = make_driver);
    ~DeviceSet();

    // Starts, restarts and stops loops until they are those of `config`. kInvalidArgument: a device's
    // configuration is refused by its driver; nothing was changed then.
    Status apply(const TaskConfig& config, bool paused);
    // Ends acquisition for good; what the loops counted can still be reported.
    void stop();
    void pause();
    void resume();
    void set_period(std::chrono::milliseconds period);
    // False: no such device.
    bool set_period_factor(const std::string& device_code, std::uint32_t factor);
    // An empty code: all. False: no such device.
    bool reset_connection(const std::string& device_code);
    [[nodiscard]] std::vector<std::shared_ptr<DeviceLoop>> loops() const;
    // The loop of the device that may write this point; null: none of them.
    [[nodiscard]] std::shared_ptr<DeviceLoop> loop_of(PointId point) const;

    // Fills in the acquisition part of a heartbeat. Turns `loop_ticks` only when every loop has turned since
    // the last call, so that one stuck loop among many shows.
    void report(proto::Heartbeat& beat);
    // Connections that changed since the last call; all of them when `all`.
    std::vector<proto::ConnectionStatus> connections(bool all);
    // Samples for the live view; `all`: of every point.
    SampleBatch live(bool all);

  private:
    struct Device {
        std::shared_ptr<DeviceLoop> loop;
        std::shared_ptr<LiveTable> live;
        std::uint64_t told_connection = 0;
        std::uint64_t seen_ticks = 0;
    };
    struct Counters {
        std::uint64_t cycles = 0;
        std::uint64_t missed_cycles = 0;
        std::uint64_t points_read = 0;
        std::uint64_t points_good = 0;
        std::uint64_t errors = 0;
        void add(const DeviceSnapshot& snapshot);
    };
    void retire(Device& device);

    Handlers handlers_;
    const Clock& clock_;
    DeviceLoop::DriverFactory make_;
    std::map<std::string, Device> devices_;
    std::chrono::milliseconds period_{0};
    Counters retired_;
    std::uint64_t rounds_ = 0;
    std::optional<std::uint64_t> cycle_limit_;
    std::shared_ptr<std::atomic<std::int64_t>> running_to_limit_;
};

}  // namespace fieldwarden::worker
