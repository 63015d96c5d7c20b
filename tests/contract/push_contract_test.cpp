// What worker/drivers/driver.h promises of a PushSource, asked of every driver that is one. A new driver is
// one more DeviceUnderTest and one line at the end.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <future>
#include <map>
#include <numeric>

#include "tests/simulator/opcua/opcua_simulator.h"
#include "tests/unit/mqtt/broker.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

constexpr auto kDeadline = 30s;

// A device of one protocol that sends by itself: kPoints points of int32, the last one text.
class DeviceUnderTest {
  public:
    static constexpr std::uint32_t kPoints = 20;
    virtual ~DeviceUnderTest() = default;
    // kPoints points with ids 1000 and up; short timeouts.
    virtual DeviceConfig config() = 0;
    virtual std::string malformed_address() = 0;  // no address of this protocol
    virtual std::string unknown_address() = 0;    // well written, but the device has nothing there
    virtual void unplug() = 0;
    virtual void heal() = 0;
    // The device changes these points, in this order, and says so.
    virtual void send(std::uint32_t point, std::span<const int> values) = 0;
    virtual void send_text_that_is_no_utf8() = 0;  // "\xFF" and "A"
};

class MqttBroker final : public DeviceUnderTest {
  public:
    DeviceConfig config() override {
        DeviceConfig config;
        config.device_code = "CONTRACT";
        config.protocol = Protocol::kMqtt;
        config.address = broker_.address();
        config.options["timeout_ms"] = "2000";
        config.options["clean_session"] = "true";
        for (std::uint32_t i = 0; i < kPoints; ++i) {
            PointConfig point;
            point.id = 1000 + i;
            point.point_code = fmt::format("P{}", i);
            point.address = topic(i);
            point.data_type =
                i + 1 == kPoints ? DataType{BaseType::kString, 4} : DataType{BaseType::kInt32, 0};
            config.points.push_back(point);
        }
        return config;
    }
    std::string malformed_address() override { return "a/+/b"; }
    std::string unknown_address() override { return topic(0) + "#/nothing"; }
    void unplug() override { broker_.kill(); }
    void heal() override { broker_.start(); }
    void send(std::uint32_t point, std::span<const int> values) override {
        std::string lines;
        for (const int value : values) lines += fmt::format("{}\n", value);
        EXPECT_TRUE(broker_.publish({"-q", "1", "-t", topic(point), "-l"}, lines));
    }
    void send_text_that_is_no_utf8() override {
        EXPECT_TRUE(broker_.publish(topic(kPoints - 1),
                                    "\xFF"
                                    "A"));
    }

  private:
    static std::string topic(std::uint32_t point) { return fmt::format("contract/{}", point); }
    testing_mqtt::Broker broker_;
};

class OpcUaServer final : public DeviceUnderTest {
  public:
    OpcUaServer() {
        EXPECT_TRUE(server_.start());
        for (std::uint32_t i = 0; i + 1 < kPoints; ++i) send(i, std::array{0});
        EXPECT_TRUE(server_.pin("Text", {std::string{"A"}}));
    }
    DeviceConfig config() override {
        DeviceConfig config;
        config.device_code = "CONTRACT";
        config.protocol = Protocol::kOpcUa;
        config.address = fmt::format("opc.tcp://127.0.0.1:{}", server_.port());
        config.options["timeout_ms"] = "2000";
        for (std::uint32_t i = 0; i < kPoints; ++i) {
            PointConfig point;
            point.id = 1000 + i;
            point.point_code = fmt::format("P{}", i);
            const bool text = i + 1 == kPoints;
            point.address = text ? "ns=2;s=Text" : "ns=2;s=" + node(i);
            point.data_type = text ? DataType{BaseType::kString, 4} : DataType{BaseType::kInt32, 0};
            config.points.push_back(point);
        }
        return config;
    }
    std::string malformed_address() override { return "ns=x;s=y"; }
    std::string unknown_address() override { return "ns=2;s=Nowhere"; }
    void unplug() override { server_.set_faults({.unplugged = true}); }
    void heal() override { server_.set_faults({}); }
    void send(std::uint32_t point, std::span<const int> values) override {
        std::vector<simulator::opcua::Scalar> scalars;
        for (const int value : values) scalars.emplace_back(static_cast<double>(value));
        EXPECT_TRUE(server_.pin(node(point), scalars));
    }
    void send_text_that_is_no_utf8() override {
        EXPECT_TRUE(server_.pin("Text", {std::string{"\xFF"
                                                     "A"}}));
    }

  private:
    static std::string node(std::uint32_t point) { return fmt::format("Many.{}", point); }
    simulator::opcua::OpcUaSimulator server_;
};

struct Implementation {
    const char* name;
    std::unique_ptr<DeviceUnderTest> (*make)();
};

void PrintTo(const Implementation& implementation, std::ostream* out) {
    *out << implementation.name;
}

class PushContract : public testing::TestWithParam<Implementation> {
  protected:
    void SetUp() override {
        device_ = GetParam().make();
        config_ = device_->config();
        make();
    }
    void make() {
        auto made = make_driver(config_);
        ASSERT_TRUE(made) << made.error().message;
        driver_ = std::move(*made);
        push_ = driver_->push_source();
        ASSERT_NE(push_, nullptr);
        periods_.assign(config_.points.size(), 10ms);
    }
    void open() {
        const auto connected = driver_->connect();
        ASSERT_TRUE(connected) << connected.error().message;
        const auto subscribed = push_->subscribe(periods_);
        ASSERT_TRUE(subscribed) << subscribed.error().message;
    }
    // The samples of each point, until `enough` says so. Each is checked for its shape.
    using ByPoint = std::map<std::uint32_t, SampleBatch>;
    ByPoint take_until(const std::function<bool(const ByPoint&)>& enough) {
        ByPoint got;
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (!enough(got)) {
            std::vector<std::uint32_t> which;
            SampleBatch samples;
            status_ = push_->take(50ms, which, samples);
            EXPECT_EQ(which.size(), samples.size());
            for (std::size_t i = 0; i < samples.size(); ++i) {
                const auto& sample = samples[i];
                EXPECT_EQ(sample.point, config_.points[which[i]].id);
                EXPECT_NE(sample.time, UtcTime{});
                EXPECT_EQ(sample.quality == Quality::kGood, sample.code == QualityCode::kNone);
                EXPECT_EQ(sample.quality == Quality::kBad, sample.value == Value{});
                got[which[i]].push_back(sample);
            }
            if (!status_) break;
            if (std::chrono::steady_clock::now() > deadline) {
                ADD_FAILURE() << "what was waited for did not come";
                break;
            }
        }
        return got;
    }
    static std::vector<std::int64_t> good(const ByPoint& got, std::uint32_t point) {
        std::vector<std::int64_t> out;
        if (!got.contains(point)) return out;
        for (const auto& sample : got.at(point))
            if (sample.quality == Quality::kGood) out.push_back(std::get<std::int64_t>(sample.value));
        return out;
    }
    // The last good value of the point is `value`.
    ByPoint take_value(std::uint32_t point, std::int64_t value) {
        return take_until([&](const ByPoint& got) {
            const auto values = good(got, point);
            return !values.empty() && values.back() == value;
        });
    }
    void send(std::uint32_t point, std::initializer_list<int> values) {
        device_->send(point, std::vector<int>{values});
    }

    std::unique_ptr<DeviceUnderTest> device_;
    DeviceConfig config_;
    std::unique_ptr<Driver> driver_;
    PushSource* push_ = nullptr;
    std::vector<std::chrono::milliseconds> periods_;
    Status status_;
};

TEST_P(PushContract, BadConfigurationIsRefused) {
    config_.points[3].address = device_->malformed_address();
    const auto made = make_driver(config_);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(made.error().message.find("P3"), std::string::npos) << made.error().message;
}

TEST_P(PushContract, EveryPointIsHeard) {
    open();
    for (std::uint32_t i = 0; i + 1 < DeviceUnderTest::kPoints; ++i) send(i, {static_cast<int>(100 + i)});
    const auto got = take_until([&](const ByPoint& so_far) {
        for (std::uint32_t i = 0; i + 1 < DeviceUnderTest::kPoints; ++i) {
            const auto values = good(so_far, i);
            if (values.empty() || values.back() != 100 + i) return false;
        }
        return true;
    });
    EXPECT_TRUE(status_);
    EXPECT_GT(driver_->stats().updates, 0U);
    EXPECT_GT(driver_->stats().bytes_received, 0U);
    EXPECT_EQ(driver_->stats().overflowed, 0U);
}

TEST_P(PushContract, TheSamplesOfAPointKeepTheirOrder) {
    open();
    send(5, {1, 2, 3, 4, 5, 6, 7, 8, 9});
    const auto values = good(take_value(5, 9), 5);
    EXPECT_TRUE(std::is_sorted(values.begin(), values.end()));
}

TEST_P(PushContract, TextIsValidUtf8) {
    open();
    device_->send_text_that_is_no_utf8();
    const Value wanted{
        std::string{"\xEF\xBF\xBD"
                    "A"}};
    take_until([&](const ByPoint& got) {
        const auto found = got.find(DeviceUnderTest::kPoints - 1);
        return found != got.end() && found->second.back().value == wanted;
    });
}

TEST_P(PushContract, AnAddressTheDeviceDoesNotHaveIsBadOnceAndAlone) {
    config_.points[3].address = device_->unknown_address();
    make();
    open();
    send(0, {1});
    const auto got =
        take_until([](const ByPoint& so_far) { return so_far.contains(3) && !good(so_far, 0).empty(); });
    ASSERT_EQ(got.at(3).size(), 1U);
    EXPECT_EQ(got.at(3).front().code, QualityCode::kIllegalAddress);
    send(0, {2});
    EXPECT_FALSE(take_value(0, 2).contains(3));
    EXPECT_FALSE(driver_->stats().last_refusal.empty() && driver_->stats().exceptions == 0 &&
                 driver_->stats().updates == 0);
}

TEST_P(PushContract, SubscribingAgainChangesNothing) {
    open();
    send(0, {1});
    take_value(0, 1);
    periods_.assign(config_.points.size(), 20ms);
    ASSERT_TRUE(push_->subscribe(periods_));
    send(0, {2});
    take_value(0, 2);
}

TEST_P(PushContract, TheNewestValueIsConfirmed) {
    open();
    const auto before = system_clock().utc_now();
    send(0, {1});
    take_value(0, 1);
    const auto confirmed = push_->confirmed_at();
    ASSERT_TRUE(confirmed);
    EXPECT_GE(*confirmed, before - 1ms);
}

TEST_P(PushContract, AReadTellsWhatIsKnown) {
    open();
    send(1, {7});
    take_value(1, 7);
    SampleBatch out(1);
    const std::vector<std::uint32_t> due{1};
    ASSERT_TRUE(driver_->read(due, out));
    ASSERT_EQ(out.size(), 2U);
    EXPECT_EQ(out[1].value, Value{std::int64_t{7}});
    EXPECT_EQ(out[1].quality, Quality::kGood);
}

TEST_P(PushContract, UnconnectedEverythingIsAnError) {
    EXPECT_FALSE(push_->subscribe(periods_));
    std::vector<std::uint32_t> which;
    SampleBatch samples;
    EXPECT_FALSE(push_->take(1ms, which, samples));
    const std::vector<std::uint32_t> due{0, 1};
    EXPECT_FALSE(driver_->read(due, samples));
    ASSERT_EQ(samples.size(), 2U);
    EXPECT_EQ(samples[0].quality, Quality::kBad);
}

TEST_P(PushContract, ConnectSaysWhyItFailedAndMayBeTriedAgain) {
    device_->unplug();
    const auto status = driver_->connect();
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_FALSE(status.error().message.empty());
    EXPECT_EQ(driver_->failed_step(), ConnectStep::kConnect);
    device_->heal();
    driver_->disconnect();
    open();
    send(0, {3});
    take_value(0, 3);
}

TEST_P(PushContract, WhenItGoesOnWhatIsNotSaidIsAsItWas) {
    open();
    EXPECT_FALSE(push_->continues()) << "there was no connection before";
    send(0, {1});
    take_value(0, 1);
    device_->unplug();
    take_until([](const ByPoint&) { return false; });
    device_->heal();
    driver_->disconnect();
    send(1, {3});
    open();
    if (!push_->continues()) return;
    take_value(1, 3);
    SampleBatch out;
    const std::vector<std::uint32_t> due{0};
    ASSERT_TRUE(driver_->read(due, out));
    EXPECT_EQ(out.front().value, Value{std::int64_t{1}});
    driver_->disconnect();
    open();
    EXPECT_FALSE(push_->continues()) << "it had said goodbye";
}

TEST_P(PushContract, ALostConnectionIsAnErrorAndComesBack) {
    open();
    send(0, {1});
    take_value(0, 1);
    device_->unplug();
    take_until([](const ByPoint&) { return false; });
    ASSERT_FALSE(status_);
    EXPECT_NE(status_.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_GT(driver_->stats().lost_connections, 0U);
    device_->heal();
    driver_->disconnect();
    open();
    send(0, {2});
    take_value(0, 2);
}

TEST_P(PushContract, WakeEndsAWaitOnce) {
    open();
    auto waiting = std::async(std::launch::async, [&] {
        std::vector<std::uint32_t> which;
        SampleBatch samples;
        Status status;
        // A device may have sent first values, which end a wait too.
        do {
            which.clear();
            status = push_->take(10min, which, samples);
        } while (status && !which.empty());
        return status;
    });
    push_->wake();
    if (waiting.wait_for(200ms) != std::future_status::ready) push_->wake();
    ASSERT_EQ(waiting.wait_for(kDeadline), std::future_status::ready);
    EXPECT_TRUE(waiting.get());
}

TEST_P(PushContract, InterruptIsHeardFromAnotherThreadAndIsSticky) {
    open();
    auto waiting = std::async(std::launch::async, [&] {
        std::vector<std::uint32_t> which;
        SampleBatch samples;
        while (push_->take(10min, which, samples)) {
        }
    });
    driver_->interrupt();
    ASSERT_EQ(waiting.wait_for(kDeadline), std::future_status::ready);
    EXPECT_FALSE(driver_->connect());
    EXPECT_FALSE(push_->subscribe(periods_));
    driver_->disconnect();
    open();
    send(0, {1});
    take_value(0, 1);
}

TEST_P(PushContract, DisconnectMayBeCalledAtAnyTime) {
    driver_->disconnect();
    open();
    driver_->disconnect();
    driver_->disconnect();
    EXPECT_FALSE(push_->subscribe(periods_));
}

INSTANTIATE_TEST_SUITE_P(
    Drivers, PushContract,
    testing::Values(
        Implementation{"mqtt",
                       [] { return std::unique_ptr<DeviceUnderTest>{std::make_unique<MqttBroker>()}; }},
        Implementation{"opcua",
                       [] { return std::unique_ptr<DeviceUnderTest>{std::make_unique<OpcUaServer>()}; }}),
    [](const auto& implementation) { return std::string{implementation.param.name}; });

}  // namespace
}  // namespace fieldwarden::worker
