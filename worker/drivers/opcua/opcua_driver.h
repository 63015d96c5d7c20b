// OPC UA client: reads, writes, browses and subscribes to the variables of one server. README.md says what it
// can do; the sources of the protocol facts are named in the files of each part.
//
// What a failure touches:
//   status of one value            the point alone; a bad status is its quality, the status name in
//   last_refusal refused service                the points of the request, this time; a request too large is
//   halved no answer, broken answer,      the connection: read(), take() and write() return an error. The
//   session is lost connection                kept for the next connect(), and so are its subscriptions
//   session gone on the server     likewise, and the next connect() makes a new one
#pragma once

#include "worker/drivers/opcua/browse.h"
#include "worker/drivers/opcua/point_table.h"
#include "worker/drivers/opcua/subscription.h"

namespace fieldwarden::worker::opcua {

Result<std::unique_ptr<Driver>> make_opcua(const DeviceConfig& config);

class OpcUaDriver final : public Driver, private PushSource, private Browser {
  public:
    struct Settings {
        SessionSettings session;
        SubscriptionSettings subscription;
        bool poll = false;
        std::chrono::seconds illegal_retry{60};
    };
    OpcUaDriver(HostPort peer, PointTable points, Settings settings);
    ~OpcUaDriver() override { session_.disconnect(); }

    Status connect() override;
    void disconnect() override;
    [[nodiscard]] ConnectStep failed_step() const override { return failed_step_; }
    Status read(std::span<const std::uint32_t> due, SampleBatch& out) override;
    Status write(std::uint32_t point, const Value& raw) override;
    void interrupt() override { line_.interrupt(); }
    [[nodiscard]] std::uint64_t activity() const override { return line_.activity(); }
    [[nodiscard]] const DriverStats& stats() const override { return stats_; }
    PushSource* push_source() override { return poll_ ? nullptr : this; }
    Browser* browser() override { return this; }

  private:
    Status subscribe(std::span<const std::chrono::milliseconds> periods) override;
    Status take(std::chrono::milliseconds wait, std::vector<std::uint32_t>& which, SampleBatch& out) override;
    void wake() override { subscription_.wake(); }
    [[nodiscard]] bool values_hold() const override { return true; }
    [[nodiscard]] bool continues() const override { return subscription_.continues(); }
    [[nodiscard]] std::optional<UtcTime> confirmed_at() const override {
        return subscription_.confirmed_at();
    }
    Result<proto::BrowsePage> browse(const std::string& node) override;

    Status not_connected();
    Status prepare();
    Status read_batch(std::span<const std::uint32_t> due, std::span<Sample> out);
    Result<BuiltInType> type_for_write(std::uint32_t point);
    void count_bytes();
    void tell(std::size_t point, const std::string& why);

    Line line_;
    DriverStats stats_;
    PointTable points_;
    Session session_;
    ServerLimits limits_;
    NodeTypes types_;
    Subscription subscription_;
    const bool poll_;
    const std::chrono::seconds illegal_retry_;
    ConnectStep failed_step_ = ConnectStep::kConnect;
    MonoTime resolve_at_{};
    std::map<std::uint32_t, BuiltInType> write_types_;
    std::size_t troubles_ = 0;  // of the read in progress
};

}  // namespace fieldwarden::worker::opcua
