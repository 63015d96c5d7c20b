// A subscription whose messages get lost, and one whose connection or session does: against the simulated
// server, which can be told to lose them. (node-opcua in tests/system/test_opcua_peer.py loses nothing.)
#include <gmock/gmock.h>

#include "tests/simulator/opcua/opcua_simulator.h"
#include "tests/unit/opcua/opcua_testing.h"
#include "worker/drivers/opcua/opcua_driver.h"

namespace fieldwarden::worker::opcua {
namespace {

using namespace std::chrono_literals;
using simulator::opcua::Scalar;
using testing::ElementsAre;

class OpcUaSubscription : public testing::Test {
  protected:
    void SetUp() override {
        ASSERT_TRUE(server_.start());
        server_.pin("Many.0", {Scalar{0.0}});
        DeviceConfig config;
        config.device_code = "D1";
        config.protocol = Protocol::kOpcUa;
        config.address = fmt::format("opc.tcp://127.0.0.1:{}", server_.port());
        config.options = {{"timeout_ms", "2000"}, {"queue_size", "10"}};
        PointConfig point;
        point.id = 7;
        point.point_code = "P1";
        point.address = "ns=2;s=Many.0";
        point.data_type = {BaseType::kInt32, 0};
        config.points = {point};
        driver_ = std::move(*make_opcua(config));
        open();
        EXPECT_THAT(take_until(0), ElementsAre(0));
    }
    void open() {
        const auto connected = driver_->connect();
        ASSERT_TRUE(connected) << connected.error().message;
        const std::vector<std::chrono::milliseconds> periods{10ms};
        const auto subscribed = driver_->push_source()->subscribe(periods);
        ASSERT_TRUE(subscribed) << subscribed.error().message;
    }
    void send(int value) { ASSERT_TRUE(server_.pin("Many.0", {Scalar{static_cast<double>(value)}})); }
    // The server has numbered a message that holds it.
    void send_and_lose(int value, simulator::opcua::SubscriptionFaults more = {}) {
        const auto before = server_.counters().notifications;
        more.lose_messages = 1;
        server_.set_subscription_faults(more);
        send(value);
        more.lose_messages = 0;
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (server_.counters().notifications == before && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        ASSERT_GT(server_.counters().notifications, before);
        server_.set_subscription_faults(more);
    }
    // What came, up to this value.
    std::vector<std::int64_t> take_until(std::int64_t last) {
        std::vector<std::int64_t> got;
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (got.empty() || got.back() != last) {
            std::vector<std::uint32_t> which;
            SampleBatch samples;
            const auto taken = driver_->push_source()->take(50ms, which, samples);
            for (const auto& sample : samples) {
                if (sample.quality == Quality::kGood) got.push_back(std::get<std::int64_t>(sample.value));
            }
            if (!taken || std::chrono::steady_clock::now() > deadline) {
                ADD_FAILURE() << (taken ? "it did not come" : taken.error().message);
                break;
            }
        }
        return got;
    }
    // Until the driver says that its connection is broken.
    void take_to_the_break() {
        std::vector<std::uint32_t> which;
        SampleBatch samples;
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (driver_->push_source()->take(50ms, which, samples)) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        }
        driver_->disconnect();
    }

    simulator::opcua::OpcUaSimulator server_;
    std::unique_ptr<Driver> driver_;
};

TEST_F(OpcUaSubscription, ALostMessageIsAskedForAgain) {
    send_and_lose(1);
    send(2);
    EXPECT_THAT(take_until(2), ElementsAre(1, 2)) << "in its place";
    EXPECT_EQ(server_.counters().republished, 1U);
    EXPECT_EQ(driver_->stats().overflowed, 0U);
}

TEST_F(OpcUaSubscription, SeveralLostMessagesAreAskedForOneByOne) {
    for (int value = 1; value <= 5; ++value) send_and_lose(value);
    send(6);
    EXPECT_THAT(take_until(6), ElementsAre(1, 2, 3, 4, 5, 6));
    EXPECT_EQ(server_.counters().republished, 5U);
}

TEST_F(OpcUaSubscription, WhatTheServerHasDroppedIsCountedAndTheNewestValueComesAnew) {
    send_and_lose(1, {.keep_no_messages = true});
    send(2);
    // Once from the message behind the gap, once from the subscription that is made anew.
    EXPECT_THAT(take_until(2), ElementsAre(2));
    EXPECT_THAT(take_until(2), ElementsAre(2));
    EXPECT_EQ(server_.counters().republished, 0U);
    EXPECT_EQ(server_.counters().subscriptions, 1U) << "the old one is deleted";
    EXPECT_EQ(driver_->stats().overflowed, 1U);
    send(3);
    EXPECT_THAT(take_until(3), ElementsAre(3));
}

// The session is still there: its subscription goes on, and what was sent meanwhile comes.
TEST_F(OpcUaSubscription, ABrokenConnectionLosesNothing) {
    const auto before = server_.counters().subscriptions;
    server_.drop_connections();
    take_to_the_break();
    send(1);
    open();
    EXPECT_THAT(take_until(1), ElementsAre(1));
    EXPECT_EQ(server_.counters().subscriptions, before);
    EXPECT_EQ(server_.counters().sessions, 1U);
}

// Sent into the broken connection.
TEST_F(OpcUaSubscription, AMessageLostWithTheConnectionIsAskedForAgain) {
    send_and_lose(1);
    server_.drop_connections();
    take_to_the_break();
    open();
    send(2);
    EXPECT_THAT(take_until(2), ElementsAre(1, 2));
    EXPECT_EQ(server_.counters().republished, 1U);
}

TEST_F(OpcUaSubscription, AServerThatWasRestartedGetsANewSubscription) {
    server_.drop_connections();
    take_to_the_break();
    server_.forget_sessions();
    send(1);
    open();
    EXPECT_THAT(take_until(1), ElementsAre(1));
    EXPECT_EQ(server_.counters().subscriptions, 1U);
    EXPECT_EQ(server_.counters().transfers, 0U);
}

// The session is gone, the subscription is not: the new session takes it over.
TEST_F(OpcUaSubscription, ASubscriptionThatOutlivesItsSessionIsTakenOver) {
    server_.drop_connections();
    take_to_the_break();
    server_.end_sessions();
    send(1);
    open();
    EXPECT_THAT(take_until(1), ElementsAre(1));
    EXPECT_EQ(server_.counters().transfers, 1U);
    EXPECT_EQ(server_.counters().subscriptions, 1U);
    send(2);
    EXPECT_THAT(take_until(2), ElementsAre(2));
}

// The connection is whole, and the server's word about the session comes as the answer to a request.
TEST_F(OpcUaSubscription, ASubscriptionWhoseSessionTheServerEndsOnALiveConnectionIsTakenOver) {
    server_.end_sessions();
    for (int value = 1; value <= 3; ++value) send(value);
    SampleBatch samples;
    const std::vector<std::uint32_t> due{0};
    EXPECT_FALSE(driver_->read(due, samples));
    driver_->disconnect();
    open();
    EXPECT_THAT(take_until(3), ElementsAre(1, 2, 3));
    EXPECT_EQ(server_.counters().transfers, 1U);
    EXPECT_EQ(server_.counters().subscriptions, 1U);
    send(4);
    EXPECT_THAT(take_until(4), ElementsAre(4));
}

// A goodbye that was heard leaves nothing to take over.
TEST_F(OpcUaSubscription, AClosedSessionIsFollowedByANewSubscription) {
    driver_->disconnect();
    EXPECT_EQ(server_.counters().subscriptions, 0U);
    send(1);
    open();
    EXPECT_THAT(take_until(1), ElementsAre(1));
    EXPECT_EQ(server_.counters().transfers, 0U);
    EXPECT_EQ(server_.counters().subscriptions, 1U);
}

TEST_F(OpcUaSubscription, AServerThatTransfersNothingGetsANewSubscription) {
    server_.set_subscription_faults({.refuse_transfers = true});
    server_.drop_connections();
    take_to_the_break();
    server_.end_sessions();
    send(1);
    open();
    EXPECT_EQ(take_until(1).back(), 1);
    EXPECT_EQ(server_.counters().transfers, 0U);
    send(2);
    EXPECT_THAT(take_until(2), ElementsAre(2)) << "what the old one sends goes nowhere";
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
