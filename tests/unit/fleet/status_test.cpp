#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <set>
#include <thread>
#include <zmq.hpp>

#include "supervisor/status/live_values.h"
#include "supervisor/status/log_hub.h"
#include "supervisor/status/status_bus.h"
#include "supervisor/status/status_prefixes.h"
#include "supervisor/status/status_pub.h"

namespace fieldwarden::supervisor {
namespace {

using proto::Json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> topics(const std::vector<EventPtr>& events) {
    std::vector<std::string> names;
    for (const auto& event : events) names.push_back(event->topic);
    return names;
}

TEST(StatusBus, EnvelopeCarriesWhatTheContractSays) {
    StatusBus bus{system_clock()};
    const auto event = bus.publish("process_status.T1", "process_status_update", {{"name", "T1"}});
    const auto json = Json::parse(event->envelope());
    EXPECT_EQ(json.at("v"), 1);
    EXPECT_EQ(json.at("seq"), 1);
    EXPECT_EQ(json.at("type"), "process_status_update");
    EXPECT_EQ(json.at("data").at("name"), "T1");
    EXPECT_TRUE(parse_rfc3339(json.at("ts").get<std::string>()));
    EXPECT_EQ(bus.publish("x", "y", {})->seq, 2U);
}

TEST(StatusBus, TextThatIsNotUtf8DoesNotBreakTheEnvelope) {
    StatusBus bus{system_clock()};
    const auto event = bus.publish("log_streams.T1", "log_stream", {{"message", "bad \xff\xfe byte"}}, false);
    EXPECT_TRUE(Json::accept(event->envelope()));
}

TEST(StatusBus, ListenersGetTheirPrefixUntilTheyLeave) {
    StatusBus bus{system_clock()};
    std::vector<std::string> got;
    auto subscription =
        bus.subscribe("process_status.", [&](const EventPtr& event) { got.push_back(event->topic); });
    EXPECT_TRUE(bus.wanted("process_status.T1"));
    EXPECT_FALSE(bus.wanted("data.T1"));
    bus.publish("process_status.T1", "t", {});
    bus.publish("fleet", "t", {});
    subscription = {};
    bus.publish("process_status.T2", "t", {});
    EXPECT_THAT(got, ElementsAre("process_status.T1"));
    EXPECT_FALSE(bus.wanted("process_status.T1"));
}

TEST(StatusBus, AListenerMayPublishAndLeaveFromItsCall) {
    StatusBus bus{system_clock()};
    StatusBus::Subscription subscription;
    int calls = 0;
    subscription = bus.subscribe("a", [&](const EventPtr&) {
        ++calls;
        bus.publish("b", "t", {});
        subscription = {};
    });
    bus.publish("a", "t", {});
    bus.publish("a", "t", {});
    EXPECT_EQ(calls, 1);
}

// The list of listeners changes under the publisher that walks it; AddressSanitizer watches.
TEST(StatusBus, AListenerMayBringOthersInAndThrowThemOut) {
    StatusBus bus{system_clock()};
    std::vector<StatusBus::Subscription> guests;
    const auto host = bus.subscribe("a", [&](const EventPtr&) {
        guests.clear();
        for (int i = 0; i < 3; ++i) guests.push_back(bus.subscribe("a", [](const EventPtr&) {}));
    });
    int later = 0;
    const auto last = bus.subscribe("a", [&](const EventPtr&) { ++later; });
    for (int i = 0; i < 3; ++i) bus.publish("a", "t", {});
    EXPECT_EQ(later, 3);
}

TEST(StatusBus, ManyThreadsComeAndGoWhileOneIsPublishing) {
    StatusBus bus{system_clock()};
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            while (!stop) {
                // Gone with its listener: a call that came after the subscription's end would write to it.
                auto calls = std::make_unique<int>(0);
                const auto subscription = bus.subscribe("x", [&](const EventPtr&) { ++*calls; });
            }
        });
    }
    int heard = 0;
    const auto subscription = bus.subscribe("x", [&](const EventPtr&) { ++heard; });
    for (int i = 0; i < 2'000; ++i) bus.publish("x", "t", {});
    stop = true;
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(heard, 2'000);
}

TEST(StatusBus, LastValuesByPrefixAndVariant) {
    StatusBus bus{system_clock()};
    bus.publish("health_checks.T1", "h", {{"n", 1}}, true, "process_alive");
    bus.publish("health_checks.T1", "h", {{"n", 2}}, true, "connection");
    bus.publish("health_checks.T1", "h", {{"n", 3}}, true, "connection");
    bus.publish("health_checks.T10", "h", {{"n", 4}}, true, "connection");
    bus.publish("log_streams.T1", "l", {}, false);
    EXPECT_EQ(bus.last_values("health_checks.T1").size(), 3U);
    EXPECT_EQ(bus.last_values("health_checks.").size(), 3U);
    EXPECT_EQ(bus.last_value("log_streams.T1"), nullptr);
    EXPECT_EQ(bus.last_value("health_checks."), nullptr);
    EXPECT_EQ(bus.last_value("health_checks.T1")->data().at("n"), 3);
    bus.forget("health_checks.T1");
    EXPECT_THAT(topics(bus.last_values("")), ElementsAre("health_checks.T10"));
}

TEST(StatusBus, AKeptTopicIsTheSameAsItsName) {
    StatusBus bus{system_clock()};
    const auto one = [] { return Json{{"n", 1}}; };
    const auto topic = bus.topic("session.1");
    EXPECT_THAT(bus.last_values(""), IsEmpty()) << "nothing was published";
    EXPECT_EQ(bus.publish_later(topic, "a", one)->topic, "session.1");
    EXPECT_EQ(bus.publish_later("session.1", "b", one)->seq, 2U);
    EXPECT_EQ(bus.last_value("session.1")->type, "b");
    bus.publish("session.1", "c", {});
    bus.publish_later(bus.topic("session.1"), "d", one);
    EXPECT_EQ(bus.last_value("session.1")->type, "d");
    EXPECT_THAT(topics(bus.last_values("session")), ElementsAre("session.1"));

    bus.forget("session.1");
    EXPECT_EQ(bus.last_value("session.1"), nullptr);
    EXPECT_THAT(bus.last_values(""), IsEmpty());
    // Forgotten, said again by name, and then by the topic that was kept all the time.
    bus.publish("session.1", "e", {});
    bus.publish_later(topic, "f", one);
    EXPECT_THAT(topics(bus.last_values("")), ElementsAre("session.1"));
    EXPECT_EQ(bus.last_value("session.1")->type, "f");
    bus.publish("session.1", "g", {});
    EXPECT_EQ(bus.last_value("session.1")->type, "g");
    bus.forget("session.1");
    EXPECT_THAT(bus.last_values(""), IsEmpty());
    bus.publish_later(topic, "h", one);
    EXPECT_EQ(bus.last_value("session.1")->data().at("n"), 1);
}

TEST(StatusPrefixes, CountWhoWantsWhat) {
    using Change = StatusPrefixes::Change;
    StatusPrefixes prefixes;
    const auto take = [&](std::string_view message) { return prefixes.take(message).change; };
    using namespace std::literals;
    EXPECT_EQ(take("\1a"sv), Change::kFirst);
    EXPECT_EQ(take("\1a"sv), Change::kMore);
    EXPECT_EQ(take("\1"sv), Change::kFirst) << "everything";
    EXPECT_EQ(take("\0a"sv), Change::kLess);
    EXPECT_FALSE(prefixes.is_shortest("a", "ab"));
    EXPECT_EQ(take("\0"sv), Change::kLast);
    EXPECT_TRUE(prefixes.is_shortest("a", "ab"));
    EXPECT_EQ(take("\0a"sv), Change::kLast);
    EXPECT_EQ(take("\0a"sv), Change::kNone);
    EXPECT_EQ(take(""sv), Change::kNone);
    EXPECT_EQ(take("\2a"sv), Change::kNone);
    EXPECT_EQ(take("\1" + std::string(StatusPrefixes::kLongest, 'x')), Change::kFirst);
    EXPECT_EQ(take("\1" + std::string(StatusPrefixes::kLongest + 1, 'x')), Change::kRefused);
    for (std::size_t i = prefixes.size(); i < StatusPrefixes::kMost; ++i) take("\1t" + std::to_string(i));
    EXPECT_EQ(take("\1one more"sv), Change::kRefused);
    EXPECT_EQ(take("\1t1"sv), Change::kMore);
}

TEST(StatusBus, TheJournalFillsGapsAndSaysWhenItCannot) {
    StatusBus bus{system_clock(), 5};
    EXPECT_THAT(*bus.since(0, 10), IsEmpty());
    for (int i = 0; i < 8; ++i) bus.publish("t" + std::to_string(i), "t", {});
    EXPECT_THAT(topics(*bus.since(5, 10)), ElementsAre("t5", "t6", "t7"));
    EXPECT_THAT(topics(*bus.since(3, 2)), ElementsAre("t3", "t4"));
    EXPECT_THAT(*bus.since(8, 10), IsEmpty());
    EXPECT_THAT(*bus.since(100, 10), IsEmpty());
    EXPECT_FALSE(bus.since(2, 10).has_value());
    EXPECT_EQ(bus.last_seq(), 8U);
}

TEST(StatusBus, TheJournalIsBoundedInBytesToo) {
    StatusBus bus{system_clock(), 1'000'000};
    const std::string big(1 << 20, 'x');
    for (int i = 0; i < 20; ++i) bus.publish("t", "t", {{"text", big}});
    EXPECT_FALSE(bus.since(0, 100).has_value());
    EXPECT_LE(bus.since(15, 100)->size(), 8U);
}

TEST(StatusBus, TheJournalGivesEventsBackWithTheirData) {
    StatusBus bus{system_clock(), 5};
    const auto published = bus.publish("t", "thing", {{"n", 3}, {"text", "\xff"}});
    const auto kept = bus.since(0, 10)->front();
    EXPECT_EQ(kept->seq, published->seq);
    EXPECT_EQ(kept->type, "thing");
    EXPECT_EQ(kept->envelope(), published->envelope());
    EXPECT_EQ(kept->data().at("n"), 3);
    EXPECT_EQ(kept->data().at("text"), "\xEF\xBF\xBD");
}

TEST(StatusBus, ManyThreadsPublishWithoutHoles) {
    StatusBus bus{system_clock()};
    std::mutex mutex;
    std::set<std::uint64_t> seen;
    const auto subscription = bus.subscribe("", [&](const EventPtr& event) {
        const std::lock_guard lock{mutex};
        seen.insert(event->seq);
    });
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 500; ++i) bus.publish("x", "t", {{"i", i}});
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(seen.size(), 2000U);
    EXPECT_EQ(*seen.rbegin(), 2000U);
}

Sample sample(PointId point, std::int64_t value, int second) {
    return {.point = point,
            .quality = Quality::kGood,
            .code = QualityCode::kNone,
            .time = UtcTime{std::chrono::seconds{second}},
            .value = value};
}

TEST(LiveValues, WhatIsSaidLastHoldsAndStaleMarksIt) {
    LiveValues live;
    const SampleBatch batch{sample(1, 10, 100), sample(2, 20, 100)};
    live.put(batch);
    live.put(SampleBatch{sample(1, 9, 90)});
    EXPECT_EQ(live.get(1)->value, Value{std::int64_t{9}}) << "the time is the device's own";
    live.recall(SampleBatch{sample(1, 8, 80), sample(1, 7, 90), sample(4, 8, 80)});
    EXPECT_EQ(live.get(1)->value, Value{std::int64_t{9}}) << "a store tells of the past";
    EXPECT_EQ(live.get(4)->value, Value{std::int64_t{8}});
    live.recall(SampleBatch{sample(1, 10, 100)});
    EXPECT_EQ(live.get(1)->value, Value{std::int64_t{10}});
    const std::vector<PointId> both{2, 3, 1};
    const auto got = live.get(both);
    EXPECT_TRUE(got[0] && !got[1] && got[2]);
    live.mark_stale(std::vector<PointId>{1}, UtcTime{std::chrono::seconds{200}});
    EXPECT_EQ(live.get(1)->quality, Quality::kBad);
    EXPECT_EQ(live.get(1)->code, QualityCode::kStale);
    EXPECT_EQ(live.get(1)->value, Value{std::int64_t{10}}) << "the last value stays to be seen";
    EXPECT_EQ(live.get(2)->quality, Quality::kGood);
    live.forget(both);
    EXPECT_FALSE(live.get(1));
}

TEST(LiveValues, KeepsOnlyWhatItIsTold) {
    LiveValues live;
    SampleBatch batch;
    for (PointId point = 1; point <= 600; ++point) batch.push_back(sample(point, point, 100));
    batch[299].value = std::string{"text"};
    batch[300].value = std::string{"text"};
    live.put(batch);
    live.keep_only({301, 7, 100'000});
    for (PointId point = 1; point <= 600; ++point) {
        EXPECT_EQ(live.get(point).has_value(), point == 7 || point == 301) << point;
    }
    EXPECT_EQ(live.get(301)->value, Value{std::string{"text"}});
    live.put(SampleBatch{sample(300, 1, 50)});
    EXPECT_EQ(live.get(300)->value, Value{std::int64_t{1}}) << "nothing of the older one is left";
    live.keep_only({});
    EXPECT_FALSE(live.get(7));
}

TEST(LogHub, KeepsTheLastEntriesOldestFirst) {
    LogHub hub{3};
    for (int i = 0; i < 5; ++i) {
        proto::LogEntry entry;
        entry.id = i;
        hub.add("T1", entry);
    }
    const auto entries = hub.recent("T1");
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries.front().id, 2);
    EXPECT_EQ(entries.back().id, 4);
    EXPECT_THAT(hub.recent("T2"), IsEmpty());
    hub.forget("T1");
    EXPECT_THAT(hub.recent("T1"), IsEmpty());
}

class Channel : public testing::Test {
  protected:
    void SetUp() override {
        auto pattern = (std::filesystem::temp_directory_path() / "fw_status_XXXXXX").string();
        directory_ = mkdtemp(pattern.data());
        StatusPub::Options options{(directory_ / "run" / "status.sock").string(), "tcp://127.0.0.1:0", {}};
        auto opened = StatusPub::open(io_, context_, bus_, options);
        ASSERT_TRUE(opened) << opened.error().message;
        pub_ = std::move(*opened);
        thread_ = std::thread{[this] {
            const auto work = boost::asio::make_work_guard(io_);
            io_.run();
        }};
    }
    void TearDown() override {
        io_.stop();
        if (thread_.joinable()) thread_.join();
        pub_.reset();
        std::filesystem::remove_all(directory_);
    }

    zmq::socket_t subscribe(const std::string& prefix, const std::string& endpoint = {}) {
        zmq::socket_t socket{context_, zmq::socket_type::sub};
        socket.set(zmq::sockopt::linger, 0);
        socket.set(zmq::sockopt::rcvtimeo, 10'000);
        socket.set(zmq::sockopt::subscribe, prefix);
        socket.connect(endpoint.empty() ? "ipc://" + (directory_ / "run" / "status.sock").string()
                                        : endpoint);
        return socket;
    }
    static std::pair<std::string, Json> receive(zmq::socket_t& socket) {
        zmq::message_t topic;
        zmq::message_t body;
        if (!socket.recv(topic)) return {"nothing", {}};
        if (!socket.recv(body)) return {"no body", {}};
        return {topic.to_string(), Json::parse(body.to_string())};
    }
    void wait_until_wanted(const std::string& topic) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
        while (!bus_.wanted(topic) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
        ASSERT_TRUE(bus_.wanted(topic));
    }

    std::filesystem::path directory_;
    zmq::context_t context_;
    boost::asio::io_context io_;
    StatusBus bus_{system_clock()};
    std::unique_ptr<StatusPub> pub_;
    std::thread thread_;
};

TEST_F(Channel, ANewSubscriberFirstGetsTheLastValuesOfItsPrefix) {
    bus_.publish("process_status.T1", "process_status_update", {{"n", 1}});
    bus_.publish("process_status.T1", "process_status_update", {{"n", 2}});
    bus_.publish("process_status.T2", "process_status_update", {{"n", 3}});
    bus_.publish("fleet", "processor_status", {{"n", 4}});
    auto socket = subscribe("process_status.");
    auto [topic, body] = receive(socket);
    EXPECT_EQ(topic, "process_status.T1");
    EXPECT_EQ(body.at("data").at("n"), 2);
    EXPECT_EQ(receive(socket).first, "process_status.T2");
    bus_.publish("fleet", "processor_status", {});
    bus_.publish("process_status.T3", "process_status_update", {{"n", 5}});
    EXPECT_EQ(receive(socket).first, "process_status.T3");
}

TEST_F(Channel, ASecondSubscriberToTheSamePrefixIsReplayedToo) {
    bus_.publish("fleet", "processor_status", {{"n", 1}});
    auto first = subscribe("fleet");
    EXPECT_EQ(receive(first).first, "fleet");
    auto second = subscribe("fleet");
    EXPECT_EQ(receive(second).second.at("data").at("n"), 1);
}

TEST_F(Channel, OverlappingPrefixesSendEveryEventOnce) {
    auto all = subscribe("");
    wait_until_wanted("anything");
    auto some = subscribe("process_status.");
    auto same = subscribe("process_status.T1");
    // Replays of an empty bus are empty, so what comes is what is published from here on. A marker tells that
    // all subscriptions have arrived.
    bus_.publish("process_status.T1", "t", {{"marker", true}});
    EXPECT_EQ(receive(all).first, "process_status.T1");
    EXPECT_EQ(receive(some).first, "process_status.T1");
    EXPECT_EQ(receive(same).first, "process_status.T1");
    std::vector<std::uint64_t> seqs;
    for (int i = 0; i < 10; ++i) bus_.publish("process_status.T1", "t", {{"i", i}});
    bus_.publish("end", "t", {});
    while (true) {
        const auto [topic, body] = receive(all);
        if (topic != "process_status.T1") break;
        if (body.at("data").contains("i")) seqs.push_back(body.at("seq"));
    }
    ASSERT_EQ(seqs.size(), 10U);
    for (std::size_t i = 1; i < seqs.size(); ++i) EXPECT_EQ(seqs[i], seqs[i - 1] + 1);
}

TEST_F(Channel, TheBusIsToldWhatNobodyWantsAnyMore) {
    auto first = subscribe("data.T1");
    auto second = subscribe("data.T1");
    wait_until_wanted("data.T1");
    EXPECT_FALSE(bus_.wanted("data.T2"));
    first.close();
    second.close();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{10};
    while (bus_.wanted("data.T1") && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_FALSE(bus_.wanted("data.T1"));
}

TEST_F(Channel, TcpOnLoopbackSpeaksTheSame) {
    bus_.publish("fleet", "processor_status", {{"n", 1}});
    ASSERT_THAT(pub_->tcp_endpoint(), HasSubstr("tcp://127.0.0.1:"));
    auto socket = subscribe("fleet", pub_->tcp_endpoint());
    EXPECT_EQ(receive(socket).first, "fleet");
}

TEST_F(Channel, TheSocketsDirectoryIsPrivate) {
    struct stat info {};
    ASSERT_EQ(stat((directory_ / "run").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(Channel, LongPrefixesAndGarbageAreRefused) {
    auto socket = subscribe(std::string(500, 'x'));
    auto publisher = zmq::socket_t{context_, zmq::socket_type::xsub};
    publisher.set(zmq::sockopt::linger, 0);
    publisher.connect("ipc://" + (directory_ / "run" / "status.sock").string());
    publisher.send(zmq::str_buffer("garbage"), zmq::send_flags::none);
    bus_.publish("fleet", "processor_status", {});
    auto good = subscribe("fleet");
    EXPECT_EQ(receive(good).first, "fleet") << "the channel goes on";
    EXPECT_FALSE(bus_.wanted(std::string(500, 'x')));
}

TEST(StatusPub, RefusesToLeaveLoopbackWithoutAKey) {
    for (const auto* endpoint : {"tcp://0.0.0.0:8701", "tcp://*:8701", "tcp://10.0.0.1:1"}) {
        EXPECT_FALSE(check_status_endpoint(endpoint, false)) << endpoint;
    }
    EXPECT_TRUE(check_status_endpoint("tcp://0.0.0.0:8701", true));
    EXPECT_TRUE(check_status_endpoint("tcp://127.0.0.1:8701", false));
    EXPECT_TRUE(check_status_endpoint("tcp://[::1]:8701", false));
    EXPECT_FALSE(check_status_endpoint("ipc:///tmp/x", false));
}

}  // namespace
}  // namespace fieldwarden::supervisor
