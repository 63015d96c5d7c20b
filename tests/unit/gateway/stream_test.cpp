// The outbox and the hub: what a slow or late client gets to see.
#include <gtest/gtest.h>

#include <deque>

#include "supervisor/gateway/hub.h"
#include "supervisor/gateway/outbox.h"

namespace fieldwarden::supervisor::gateway {
namespace {

using proto::Json;

EventPtr event(std::uint64_t seq, const std::string& topic, Json data = Json::object()) {
    // As the supervisor publishes it: of the five checks of a task each is a variant of the topic.
    auto variant = data.value("check_type", std::string{});
    return std::make_shared<const Event>(seq, UtcTime{}, topic, "t", std::move(variant),
                                         [data = std::move(data)] { return data; });
}

std::vector<std::uint64_t> drain(Outbox& outbox) {
    std::vector<std::uint64_t> seqs;
    while (const auto next = outbox.pop()) seqs.push_back(next->seq);
    return seqs;
}

TEST(Outbox, AClientThatKeepsUpSeesEverything) {
    Outbox outbox;
    for (std::uint64_t seq = 1; seq <= 200; ++seq) outbox.push(event(seq, "fleet"));
    EXPECT_EQ(drain(outbox).size(), 200U);
    EXPECT_EQ(outbox.take_missed(), 0U);
}

TEST(Outbox, BehindTheLimitTheLatestValueWins) {
    Outbox outbox;
    std::uint64_t seq = 0;
    const auto push_next = [&] {
        ++seq;
        outbox.push(event(seq, "process_status.T" + std::to_string(seq % 2)));
    };
    while (outbox.size() < Outbox::kKeptApart) push_next();
    for (int i = 0; i < 100; ++i) push_next();
    EXPECT_EQ(outbox.size(), Outbox::kKeptApart);
    EXPECT_EQ(outbox.take_missed(), 100U);
    const auto seqs = drain(outbox);
    EXPECT_EQ(seqs.back(), seq);
    EXPECT_EQ(seqs[seqs.size() - 2], seq - 1);
}

TEST(Outbox, TheFiveChecksOfAProcessDoNotReplaceEachOther) {
    Outbox outbox;
    std::uint64_t seq = 0;
    for (std::size_t i = 0; i < Outbox::kKeptApart; ++i)
        outbox.push(event(++seq, "filler." + std::to_string(i)));
    outbox.push(event(++seq, "health_checks.T1", {{"check_type", "connection"}}));
    outbox.push(event(++seq, "health_checks.T1", {{"check_type", "data_flow"}}));
    EXPECT_EQ(outbox.take_missed(), 0U);
    EXPECT_EQ(outbox.size(), Outbox::kKeptApart + 2);
}

TEST(Outbox, DataThatWaitsIsMergedByPoint) {
    Outbox outbox;
    std::uint64_t seq = 0;
    for (std::size_t i = 0; i < Outbox::kKeptApart; ++i)
        outbox.push(event(++seq, "filler." + std::to_string(i)));
    const auto data = [](const std::string& code, int value) {
        return Json{{"points", Json::array({{{"point_code", code}, {"value", value}}})}};
    };
    // More than are held apart before they are merged, so that both ways of merging are used.
    for (int i = 0; i < 50; ++i) outbox.push(event(++seq, "data.T1", data("P" + std::to_string(i % 5), i)));
    while (outbox.size() > 1) outbox.pop();
    const auto merged = outbox.pop();
    ASSERT_TRUE(merged);
    EXPECT_EQ(merged->seq, seq);
    std::map<std::string, int> values;
    for (const auto& point : merged->data()["points"]) values[point["point_code"]] = point["value"];
    EXPECT_EQ(values,
              (std::map<std::string, int>{{"P0", 45}, {"P1", 46}, {"P2", 47}, {"P3", 48}, {"P4", 49}}));
    EXPECT_EQ(Json::parse(merged->envelope())["data"], merged->data());
}

TEST(Outbox, OfLogLinesTheOldestGo) {
    Outbox outbox;
    for (std::uint64_t seq = 1; seq <= Outbox::kMostLines + 10; ++seq)
        outbox.push(event(seq, "log_streams.T1"));
    EXPECT_EQ(outbox.size(), Outbox::kMostLines);
    EXPECT_EQ(outbox.take_missed(), 10U);
    EXPECT_EQ(drain(outbox).front(), 11U);
}

TEST(Outbox, NeverHoldsMoreThanItsBound) {
    Outbox outbox;
    for (std::uint64_t seq = 1; seq <= Outbox::kMostWaiting + 500; ++seq) {
        outbox.push(event(seq, "connection_status.T." + std::to_string(seq)));
    }
    EXPECT_EQ(outbox.size(), Outbox::kMostWaiting);
    EXPECT_EQ(outbox.take_missed(), 500U);
}

// --- hub ---

class FixedClock : public Clock {
  public:
    UtcTime utc_now() const override { return UtcTime{std::chrono::seconds{1'800'000'000}}; }
    MonoTime mono_now() const override { return MonoTime{}; }
};

class HubTest : public ::testing::Test {
  protected:
    // What was posted to the gateway's thread runs when the test says so.
    void run_posted() {
        while (!posted_.empty()) {
            auto work = std::move(posted_.front());
            posted_.pop_front();
            work();
        }
    }
    std::vector<std::string> received(HubClient& client) {
        run_posted();
        std::vector<std::string> values;
        while (const auto next = client.pop())
            values.push_back(next->topic + "=" + next->data().value("n", ""));
        return values;
    }
    void publish(const std::string& topic, const std::string& n) { bus_.publish(topic, "t", {{"n", n}}); }

    FixedClock clock_;
    StatusBus bus_{clock_, 100};
    std::deque<std::function<void()>> posted_;
    Hub hub_{bus_, [this](std::function<void()> work) { posted_.push_back(std::move(work)); }};
    int wakes_ = 0;
    std::function<void()> wake_ = [this] { ++wakes_; };
};

using Values = std::vector<std::string>;

TEST_F(HubTest, GivesTheLastValuesThenTheChanges) {
    publish("fleet", "1");
    publish("process_status.T1", "1");
    HubClient client(hub_, wake_);
    client.subscribe("process_status", true);
    EXPECT_EQ(wakes_, 1);
    publish("process_status.T1", "2");
    publish("process_status.T2", "1");
    publish("fleet", "2");
    EXPECT_EQ(received(client),
              (Values{"process_status.T1=1", "process_status.T1=2", "process_status.T2=1"}));
}

TEST_F(HubTest, AnEventThatFitsTwoTopicsComesOnce) {
    HubClient client(hub_, wake_);
    client.subscribe("process_status", false);
    client.subscribe("process_status.T1", false);
    publish("process_status.T1", "1");
    EXPECT_EQ(received(client), (Values{"process_status.T1=1"}));
    // The wider topic goes, the narrower stays.
    EXPECT_TRUE(client.unsubscribe("process_status"));
    publish("process_status.T1", "2");
    publish("process_status.T2", "2");
    EXPECT_EQ(received(client), (Values{"process_status.T1=2"}));
    EXPECT_FALSE(client.unsubscribe("process_status"));
}

TEST_F(HubTest, AnEventOnItsWayAtTheSubscriptionComesOnce) {
    // The publisher is faster than the gateway's thread: the event is in the snapshot and on its way as well.
    HubClient early(hub_, wake_);
    early.subscribe("a", false);
    publish("a.1", "1");
    HubClient client(hub_, wake_);
    client.subscribe("a", true);
    publish("a.1", "2");
    EXPECT_EQ(received(client), (Values{"a.1=1", "a.1=2"}));
    EXPECT_EQ(received(early), (Values{"a.1=1", "a.1=2"}));
}

TEST_F(HubTest, SubscribesToTheBusOnlyWhatSomebodyWants) {
    EXPECT_FALSE(bus_.wanted("data.T1"));
    {
        HubClient first(hub_, wake_);
        HubClient second(hub_, wake_);
        first.subscribe("data.T1", false);
        second.subscribe("data.T1", false);
        EXPECT_TRUE(bus_.wanted("data.T1"));
        EXPECT_FALSE(bus_.wanted("data.T2"));
        first.unsubscribe("data.T1");
        EXPECT_TRUE(bus_.wanted("data.T1"));
    }
    EXPECT_FALSE(bus_.wanted("data.T1"));
    EXPECT_EQ(hub_.clients(), 0U);
}

TEST_F(HubTest, ResumesFromTheJournal) {
    publish("a.1", "1");
    const auto seen = bus_.last_seq();
    publish("a.1", "2");
    publish("b", "x");
    publish("a.1", "3");
    HubClient client(hub_, wake_);
    client.subscribe_after({"a."}, seen);
    publish("a.1", "4");
    EXPECT_EQ(received(client), (Values{"a.1=2", "a.1=3", "a.1=4"}));
    EXPECT_EQ(client.take_missed(), 0U);
}

TEST_F(HubTest, WhatTheJournalLostIsMadeUpByTheLastValuesAndCounted) {
    for (int i = 0; i < 300; ++i) publish("a.1", std::to_string(i));
    HubClient client(hub_, wake_);
    client.subscribe_after({"a."}, 5);
    EXPECT_EQ(received(client), (Values{"a.1=299"}));
    EXPECT_GE(client.take_missed(), 1U);
    // Numbers of an earlier run of the server lie ahead of this one's.
    HubClient foreign(hub_, wake_);
    foreign.subscribe_after({"a."}, 1'000'000);
    EXPECT_EQ(received(foreign), (Values{"a.1=299"}));
    EXPECT_GE(foreign.take_missed(), 1U);
}

TEST_F(HubTest, BoundsTheTopicsOfAClient) {
    HubClient client(hub_, wake_);
    for (std::size_t i = 0; i < HubClient::kMostTopics; ++i)
        EXPECT_TRUE(client.subscribe("t" + std::to_string(i), false));
    EXPECT_TRUE(client.full());
    EXPECT_FALSE(client.subscribe("one more", false));
}

TEST_F(HubTest, EventsOnTheirWayOutliveTheirClientAndTheHub) {
    auto hub = std::make_unique<Hub>(
        bus_, [this](std::function<void()> work) { posted_.push_back(std::move(work)); });
    auto client = std::make_unique<HubClient>(*hub, wake_);
    client->subscribe("a", false);
    publish("a", "1");
    client.reset();
    publish("a", "2");
    hub.reset();
    run_posted();
    EXPECT_EQ(wakes_, 0);
}

}  // namespace
}  // namespace fieldwarden::supervisor::gateway
