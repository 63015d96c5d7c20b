// The device loop with a driver whose device sends by itself, and writing through the loop.
#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/acquisition/scripted_device.h"

namespace fieldwarden::worker {
namespace {

// What the sending device does; tests change it while the loop runs.
struct Sender {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::pair<std::uint32_t, Value>> queue;
    std::vector<std::vector<std::chrono::milliseconds>> subscriptions;
    std::optional<UtcTime> confirmed;
    bool reachable = true;
    bool lost = false;       // the next take() fails
    bool read_lost = false;  // the next read() fails
    bool refuses_subscription = false;
    bool continues = false;
    std::chrono::seconds age{0};  // of values when they come
    bool awake = false;
    bool interrupted = false;
    Value held = std::uint64_t{0};
    std::uint64_t takes = 0;

    template <class Change>
    void set(Change change) {
        const std::lock_guard lock{mutex};
        change(*this);
        changed.notify_all();
    }
    template <class Condition>
    bool wait(Condition condition) {
        std::unique_lock lock{mutex};
        return changed.wait_for(lock, kPatience, [&] { return condition(*this); });
    }
    void send(std::uint32_t point, std::uint64_t value) {
        set([&](Sender& s) {
            s.queue.emplace_back(point, value);
            s.confirmed = system_clock().utc_now();
        });
    }
};

class SendingDriver final : public Driver, public PushSource {
  public:
    SendingDriver(const DeviceConfig& config, Sender& sender) : sender_(sender) {
        for (const auto& point : config.points) ids_.push_back(point.id);
    }
    Status connect() override {
        const std::lock_guard lock{sender_.mutex};
        if (!sender_.reachable) return make_error(ErrorKind::kUnavailable, "scripted: refused");
        return {};
    }
    void disconnect() override {
        const std::lock_guard lock{sender_.mutex};
        sender_.interrupted = false;
        sender_.confirmed.reset();
    }
    ConnectStep failed_step() const override { return ConnectStep::kConnect; }
    Status read(std::span<const std::uint32_t> due, SampleBatch& out) override {
        const std::lock_guard lock{sender_.mutex};
        for (const auto index : due) out.push_back(sample(index, sender_.held));
        if (std::exchange(sender_.read_lost, false))
            return make_error(ErrorKind::kUnavailable, "scripted: lost");
        return {};
    }
    Status write(std::uint32_t, const Value& raw) override {
        const std::lock_guard lock{sender_.mutex};
        sender_.held = raw;
        return {};
    }
    void interrupt() override {
        sender_.set([](Sender& s) { s.interrupted = true; });
    }
    std::uint64_t activity() const override {
        const std::lock_guard lock{sender_.mutex};
        return sender_.takes;
    }
    const DriverStats& stats() const override { return stats_; }
    PushSource* push_source() override { return this; }

    Status subscribe(std::span<const std::chrono::milliseconds> periods) override {
        const std::lock_guard lock{sender_.mutex};
        if (sender_.refuses_subscription) return make_error(ErrorKind::kUnavailable, "scripted: no");
        sender_.subscriptions.emplace_back(periods.begin(), periods.end());
        sender_.changed.notify_all();
        return {};
    }
    Status take(std::chrono::milliseconds wait, std::vector<std::uint32_t>& which,
                SampleBatch& out) override {
        std::unique_lock lock{sender_.mutex};
        sender_.changed.wait_for(lock, wait, [&] {
            return !sender_.queue.empty() || sender_.lost || sender_.awake || sender_.interrupted;
        });
        ++sender_.takes;
        sender_.awake = false;
        for (; !sender_.queue.empty(); sender_.queue.pop_front()) {
            which.push_back(sender_.queue.front().first);
            out.push_back(sample(sender_.queue.front().first, sender_.queue.front().second));
        }
        sender_.changed.notify_all();
        if (std::exchange(sender_.lost, false) || sender_.interrupted) {
            return make_error(ErrorKind::kUnavailable, "scripted: lost");
        }
        return {};
    }
    void wake() override {
        sender_.set([](Sender& s) { s.awake = true; });
    }
    bool values_hold() const override { return true; }
    bool continues() const override {
        const std::lock_guard lock{sender_.mutex};
        return sender_.continues;
    }
    std::optional<UtcTime> confirmed_at() const override {
        const std::lock_guard lock{sender_.mutex};
        return sender_.confirmed;
    }

  private:
    Sample sample(std::uint32_t index, const Value& value) const {
        Sample made;
        made.point = ids_[index];
        made.time = system_clock().utc_now() - sender_.age;
        made.value = value;
        return made;
    }
    Sender& sender_;
    std::vector<PointId> ids_;
    DriverStats stats_;
};

class DevicePush : public testing::Test {
  protected:
    std::unique_ptr<DeviceLoop> make(DeviceConfig config = device(),
                                     std::chrono::milliseconds period = 20ms) {
        return std::make_unique<DeviceLoop>(
            std::move(config), period, catcher_.events(),
            [this](const DeviceConfig& given) -> Result<std::unique_ptr<Driver>> {
                return std::unique_ptr<Driver>{std::make_unique<SendingDriver>(given, sender_)};
            },
            system_clock());
    }
    Sender sender_;
    Catcher catcher_;
};

TEST_F(DevicePush, WhatIsSentIsHandedOnInOrderAndNothingElse) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 1; }));
    for (std::uint64_t i = 1; i <= 5; ++i) sender_.send(1, i);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return samples.size() >= 5; }));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().cycles > 5; })) << "the schedule counts on";
    loop->stop();
    const auto samples = catcher_.samples();
    ASSERT_EQ(samples.size(), 5U);
    for (std::uint64_t i = 0; i < 5; ++i) {
        EXPECT_EQ(samples[i].point, 11U);
        EXPECT_EQ(samples[i].value, Value{i + 1});
    }
    EXPECT_EQ(loop->snapshot().points_read, 5U);
}

TEST_F(DevicePush, PeriodsAreToldAndToldAgainWhenTheyChange) {
    auto config = device();
    config.points[1].period = 70ms;
    auto loop = make(std::move(config), 20ms);
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 1; }));
    loop->set_period(30ms);
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 2; }));
    loop->set_period_factor(2);
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 3; }));
    loop->stop();
    using Periods = std::vector<std::chrono::milliseconds>;
    EXPECT_EQ(sender_.subscriptions[0], (Periods{20ms, 70ms}));
    EXPECT_EQ(sender_.subscriptions[1], (Periods{30ms, 70ms}));
    EXPECT_EQ(sender_.subscriptions[2], (Periods{60ms, 140ms}));
}

TEST_F(DevicePush, ALostConnectionMakesEveryPointBadAndIsOpenedAgain) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    sender_.send(0, 1);
    sender_.send(1, 1);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return samples.size() >= 2; }));
    sender_.set([](Sender& s) {
        s.lost = true;
        s.reachable = false;
    });
    ASSERT_TRUE(catcher_.wait(
        [](const auto& samples) { return with_code(samples, QualityCode::kDisconnected) >= 2; }));
    EXPECT_FALSE(loop->snapshot().connection.is_connected);
    sender_.set([](Sender& s) { s.reachable = true; });
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 2; }));
    sender_.send(0, 2);
    ASSERT_TRUE(
        catcher_.wait([](const auto& samples) { return samples.back().value == Value{std::uint64_t{2}}; }));
    EXPECT_TRUE(eventually([&] { return loop->snapshot().connection.is_connected; }));
}

TEST_F(DevicePush, ARefusedSubscriptionIsALostConnection) {
    sender_.refuses_subscription = true;
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().connection.connection_errors > 1; }));
    sender_.set([](Sender& s) { s.refuses_subscription = false; });
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 1; }));
}

TEST_F(DevicePush, AKeepAliveKeepsGoodDataFresh) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    sender_.send(0, 1);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return !samples.empty(); }));
    const auto later = system_clock().utc_now() + 1h;
    sender_.set([&](Sender& s) {
        s.confirmed = later;
        s.awake = true;
    });
    ASSERT_TRUE(eventually([&] { return loop->snapshot().last_good_time == later; }));
    EXPECT_EQ(catcher_.samples().size(), 1U);
}

TEST_F(DevicePush, OfWhatComesDuringAPauseTheNewestIsHandedOnWithResume) {
    auto loop = make();
    ASSERT_TRUE(loop->start(true));
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 1; }));
    sender_.send(0, 1);
    sender_.send(1, 7);
    sender_.send(0, 2);
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.queue.empty(); }));
    EXPECT_TRUE(catcher_.samples().empty());
    loop->resume();
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 2; }));
    sender_.send(0, 3);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return samples.size() >= 3; }));
    loop->stop();
    std::vector<std::pair<PointId, Value>> got;
    for (const auto& sample : catcher_.samples()) got.emplace_back(sample.point, sample.value);
    EXPECT_EQ(got, (std::vector<std::pair<PointId, Value>>{
                       {10U, std::uint64_t{2}}, {11U, std::uint64_t{7}}, {10U, std::uint64_t{3}}}));
}

TEST_F(DevicePush, WhatCameDuringAPauseGoesWithTheConnection) {
    auto loop = make();
    ASSERT_TRUE(loop->start(true));
    sender_.send(0, 1);
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.queue.empty(); }));
    sender_.set([](Sender& s) {
        s.lost = true;
        s.reachable = false;
    });
    ASSERT_TRUE(eventually([&] { return loop->snapshot().connection.connection_errors > 0; }));
    loop->resume();
    ASSERT_TRUE(catcher_.wait(
        [](const auto& samples) { return with_code(samples, QualityCode::kDisconnected) >= 2; }));
    loop->stop();
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kNone), 0U);
}

// The last that was stored before the start may be that the device was away.
TEST_F(DevicePush, AnOldValueHoldsFromTheStartOnWhateverTheDeadband) {
    sender_.age = 1h;
    auto config = device();
    config.points[0].deadband = 5;
    auto loop = make(std::move(config));
    const auto started = system_clock().utc_now();
    ASSERT_TRUE(loop->start(false));
    sender_.send(0, 1);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return samples.size() >= 2; }));
    sender_.send(0, 2);
    sender_.send(0, 7);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return samples.size() >= 3; }));
    loop->stop();
    const auto samples = catcher_.samples();
    ASSERT_EQ(samples.size(), 3U);
    EXPECT_EQ(std::get<std::uint64_t>(samples[0].value), 1U);
    EXPECT_LT(samples[0].time, started);
    EXPECT_EQ(std::get<std::uint64_t>(samples[1].value), 1U);
    EXPECT_GE(samples[1].time, started);
    EXPECT_EQ(std::get<std::uint64_t>(samples[2].value), 7U) << "2 lies within the deadband";
    EXPECT_LT(samples[2].time, started);
}

// Values of the first point that came after it was said to be away.
SampleBatch after_outage(const SampleBatch& samples) {
    SampleBatch after;
    bool was_away = false;
    for (const auto& sample : samples) {
        if (sample.point != 10) continue;
        if (sample.code == QualityCode::kDisconnected)
            was_away = true;
        else if (was_away)
            after.push_back(sample);
    }
    return after;
}

TEST_F(DevicePush, WhatDidNotChangeDuringAnOutageIsGoodAgain) {
    sender_.continues = true;
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    sender_.send(0, 1);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return !samples.empty(); }));
    sender_.set([](Sender& s) { s.lost = true; });
    ASSERT_TRUE(catcher_.wait(
        [](const auto& samples) { return with_code(samples, QualityCode::kDisconnected) >= 2; }));
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 2; }));
    sender_.set([](Sender& s) {
        s.confirmed = system_clock().utc_now() + 1h;  // a keep-alive
        s.awake = true;
    });
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return !after_outage(samples).empty(); }));
    loop->stop();
    const auto after = after_outage(catcher_.samples());
    ASSERT_EQ(after.size(), 1U);
    EXPECT_EQ(after.front().value, Value{std::uint64_t{1}});
    EXPECT_GT(after.front().time, catcher_.samples().front().time);
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kNone), 2U) << "nothing was ever said of the other";
}

TEST_F(DevicePush, OfANewSubscriptionOnlyWhatComesIsGood) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    sender_.send(0, 1);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return !samples.empty(); }));
    sender_.set([](Sender& s) { s.lost = true; });
    ASSERT_TRUE(catcher_.wait(
        [](const auto& samples) { return with_code(samples, QualityCode::kDisconnected) >= 2; }));
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 2; }));
    sender_.send(1, 2);
    sender_.send(1, 3);
    ASSERT_TRUE(
        catcher_.wait([](const auto& samples) { return samples.back().value == Value{std::uint64_t{3}}; }));
    loop->stop();
    EXPECT_TRUE(after_outage(catcher_.samples()).empty());
}

// The value was taken, so the device does not say it again.
TEST_F(DevicePush, WhatCameDuringAPauseOutlivesAConnectionWhoseSubscriptionGoesOn) {
    sender_.continues = true;
    auto loop = make();
    ASSERT_TRUE(loop->start(true));
    sender_.send(0, 1);
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.queue.empty(); }));
    sender_.set([](Sender& s) { s.lost = true; });
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 2; }));
    EXPECT_TRUE(catcher_.samples().empty());
    loop->resume();
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return !samples.empty(); }));
    loop->stop();
    EXPECT_EQ(catcher_.samples().front().value, Value{std::uint64_t{1}});
}

TEST_F(DevicePush, AWaitingSourceIsWokenForWorkAndForTheEnd) {
    auto loop = make(device(), 60s);
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 1; }));
    const auto once = loop->acquire_once(10s);
    ASSERT_TRUE(once) << once.error().message;
    EXPECT_EQ(once->size(), 2U);
    const auto counted = loop->diagnostics(10s);
    ASSERT_TRUE(counted);
    EXPECT_EQ(counted->device_code, "PRESS_1");
    loop->stop();
}

TEST_F(DevicePush, AReadThatFindsTheConnectionLostLeadsToANewSubscription) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    sender_.send(0, 1);
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return !samples.empty(); }));
    sender_.set([](Sender& s) { s.read_lost = true; });
    ASSERT_TRUE(loop->acquire_once(10s));
    EXPECT_TRUE(sender_.wait([](const Sender& s) { return s.subscriptions.size() == 2; }));
}

TEST_F(DevicePush, WritesAreScaledCheckedAndReadBack) {
    auto config = device();
    config.points[1].writable = true;
    config.points[1].scale = 0.5;
    auto loop = make(std::move(config));
    ASSERT_TRUE(loop->start(true));
    EXPECT_TRUE(loop->may_write(11));
    EXPECT_FALSE(loop->may_write(10));
    const auto written = loop->write(11, 21.0, 10s);
    ASSERT_TRUE(written) << written.error().message;
    EXPECT_TRUE(written->confirmed);
    EXPECT_EQ(sender_.held, Value{std::uint64_t{42}});
    EXPECT_EQ(written->sample.value, Value{21.0}) << "in engineering units";
    const auto read_only = loop->write(10, 1.0, 10s);
    ASSERT_FALSE(read_only);
    EXPECT_EQ(read_only.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_FALSE(loop->write(11, -1.0, 10s)) << "uint16 holds no negative number";
    EXPECT_EQ(sender_.held, Value{std::uint64_t{42}});
}

TEST_F(DevicePush, AWriteToADeviceThatIsAwaySaysSo) {
    sender_.reachable = false;
    auto config = device();
    config.points[0].writable = true;
    auto loop = make(std::move(config));
    ASSERT_TRUE(loop->start(false));
    const auto written = loop->write(10, 1.0, 10s);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(written.error().message.find("scripted: refused"), std::string::npos);
}

}  // namespace
}  // namespace fieldwarden::worker
