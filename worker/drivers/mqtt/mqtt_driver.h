// MQTT subscriber: takes the values of points from the messages of a broker (README.md).
//
// What a failure touches:
//   a payload that does not decode    the points of its topic, this time
//   a refused subscription            the points of its filter, until the next connection
//   a message lost to a full queue    nothing but the count (DriverStats::overflowed)
//   a lost connection                 the device: take() returns an error
#pragma once

#include <atomic>
#include <memory>
#include <set>

#include "worker/drivers/driver.h"
#include "worker/drivers/mqtt/inbox.h"
#include "worker/drivers/mqtt/point_table.h"
#include "worker/drivers/mqtt/session.h"
#include "worker/drivers/mqtt/settings.h"

namespace fieldwarden::worker::mqtt {

Result<std::unique_ptr<Driver>> make_mqtt(const DeviceConfig& config);

// The payload of a write; kInvalidArgument: the point is a member of a JSON message and the plain value alone
// would take its place.
Result<std::string> write_payload(const Settings& settings, const Point& point, const Value& raw);

class MqttDriver final : public Driver, public PushSource {
  public:
    explicit MqttDriver(Settings settings);

    Status connect() override;
    void disconnect() override;
    [[nodiscard]] ConnectStep failed_step() const override { return failed_step_; }
    // The last known values. On a connection that was never subscribed (test-connection) it subscribes, and
    // waits up to the time-out for points that have not spoken yet.
    Status read(std::span<const std::uint32_t> due, SampleBatch& out) override;
    Status write(std::uint32_t point, const Value& raw) override;
    void interrupt() override;
    [[nodiscard]] std::uint64_t activity() const override {
        return activity_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const DriverStats& stats() const override { return stats_; }
    PushSource* push_source() override { return this; }

    // Periods mean nothing to a broker: every message counts.
    Status subscribe(std::span<const std::chrono::milliseconds> periods) override;
    Status take(std::chrono::milliseconds wait, std::vector<std::uint32_t>& which, SampleBatch& out) override;
    void wake() override;
    // What may be old after a break is said to be stale: see PointTable::resume().
    [[nodiscard]] bool continues() const override { return false; }
    [[nodiscard]] bool values_hold() const override { return false; }
    [[nodiscard]] std::optional<UtcTime> confirmed_at() const override;

  private:
    // Messages → pending_.
    void process();
    void process_silence();
    void drop_old_subscription(const std::string& topic);
    [[nodiscard]] std::optional<Error> broken() const;
    void moved() { activity_.fetch_add(1, std::memory_order_relaxed); }

    const Settings settings_;
    PointTable table_;
    std::atomic<std::uint64_t> activity_ = 0;
    Inbox inbox_;
    std::unique_ptr<Session> session_;
    ConnectStep failed_step_ = ConnectStep::kConnect;
    bool subscribed_ = false;
    Updates pending_;
    DriverStats stats_;
    // Topics of an earlier configuration that the broker's session still holds.
    std::set<std::string> unsubscribed_;
};

}  // namespace fieldwarden::worker::mqtt
