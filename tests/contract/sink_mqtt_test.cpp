#include <fmt/format.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "common/sample_block.h"
#include "tests/contract/sink_contract.h"
#include "tests/unit/mqtt/broker.h"
#include "worker/sinks/mqtt/mqtt_sink.h"
#include "worker/sinks/mqtt/topic_template.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing_mqtt::Broker;

constexpr const char* kOpen = "allow_anonymous true\nmax_queued_messages 0\n";

std::optional<UtcTime> time_of(const std::string& text) {
    std::tm parts{};
    int micros = 0;
    if (std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%dZ", &parts.tm_year, &parts.tm_mon, &parts.tm_mday,
                    &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &micros) != 7) {
        return std::nullopt;
    }
    parts.tm_year -= 1900;
    parts.tm_mon -= 1;
    return UtcTime{std::chrono::seconds{::timegm(&parts)} + std::chrono::microseconds{micros}};
}

Value value_of(const json& value) {
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number_float()) return value.get<double>();
    if (value.is_number()) return value.get<std::int64_t>();
    if (value.is_string()) return value.get<std::string>();
    return {};
}

// What an independent subscriber with a session of its own was sent. MQTT stores nothing, so a second
// delivery is a second message: samples are told apart by point and time, as every subscriber can.
class MqttStore : public SinkUnderTest {
  public:
    explicit MqttStore(std::map<std::string, std::string> options = {}, const char* conf = kOpen)
        : broker_(conf), options_(std::move(options)) {
        // Comes, subscribes and goes: from here on the broker keeps for it what is published.
        EXPECT_TRUE(broker_.run(subscriber({"-E"})));
    }
    std::unique_ptr<Sink> make() override { return make({}); }
    std::unique_ptr<Sink> make(std::map<std::string, std::string> more) {
        auto options = options_;
        options["timeout_ms"] = "1000";
        options["connect_timeout_ms"] = "1000";
        for (auto& [name, value] : more) options[name] = value;
        SinkConfig config{"out", "mqtt", broker_.address(), {}};
        for (const auto& [name, value] : options) config.options[name] = value;
        auto sink = mqtt::make_mqtt_sink(config, {"/nowhere", "TASK", {}});
        EXPECT_TRUE(sink) << sink.error().message;
        return std::move(*sink);
    }
    std::vector<std::string> lines() {
        // It leaves when a second has passed; what the broker kept comes at once.
        std::string command;
        for (const auto& word : subscriber({"-v", "-W", "1"})) command += fmt::format("'{}' ", word);
        const auto file = broker_.file("collected");
        broker_.run({"sh", "-c", fmt::format("{} > '{}'", command, file)});
        std::ifstream in{file};
        for (std::string line; std::getline(in, line);) lines_.push_back(line);
        return lines_;
    }
    std::vector<StoredSample> contents() override {
        std::map<std::pair<UtcTime, std::string>, StoredSample> distinct;
        for (const auto& line : lines()) {
            const auto parsed = json::parse(line.substr(line.find(' ') + 1));
            for (const auto& each : parsed.is_array() ? parsed : json::array({parsed})) {
                const auto time = time_of(each.at("timestamp"));
                const auto quality = from_name<Quality>(each.at("quality").get<std::string>());
                EXPECT_TRUE(time && quality) << line;
                if (!time || !quality) continue;
                const auto point = each.at("point").get<std::string>();
                const auto [at, fresh] =
                    distinct.emplace(std::pair{*time, point},
                                     StoredSample{point, *time, value_of(each.at("value")), *quality});
                if (!fresh) {
                    EXPECT_EQ(at->second.value, value_of(each.at("value"))) << "a repetition differs";
                }
            }
        }
        std::vector<StoredSample> stored;
        for (auto& [key, sample] : distinct) stored.push_back(std::move(sample));
        return stored;
    }
    void break_store(bool broken) override { broken ? broker_.stop() : broker_.start(); }
    Broker& broker() { return broker_; }

    // The retained message of a topic.
    std::string retained(const std::string& topic) {
        const auto file = broker_.file("retained");
        broker_.run({"sh", "-c",
                     fmt::format("mosquitto_sub -h 127.0.0.1 -p {} -t '{}' -C 1 -W 20 > '{}'", broker_.port(),
                                 topic, file)});
        std::ifstream in{file};
        std::string line;
        std::getline(in, line);
        return line;
    }

  private:
    std::vector<std::string> subscriber(std::vector<std::string> more) {
        std::vector<std::string> words{"mosquitto_sub",
                                       "-h",
                                       "127.0.0.1",
                                       "-p",
                                       std::to_string(broker_.port()),
                                       "-i",
                                       "collector",
                                       "-c",
                                       "-q",
                                       "1",
                                       "-t",
                                       "fieldwarden/SITE/#"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    Broker broker_;
    std::map<std::string, std::string> options_;
    std::vector<std::string> lines_;
};

SinkCase mqtt_case(std::string name, std::map<std::string, std::string> options) {
    return {std::move(name), [options] { return std::make_unique<MqttStore>(options); }};
}

INSTANTIATE_TEST_SUITE_P(Mqtt, SinkContract,
                         ::testing::Values(mqtt_case("mqtt", {}), mqtt_case("mqtt5", {{"version", "5"}}),
                                           mqtt_case("mqtt_batch", {{"batch", "true"}})),
                         [](const auto& param) { return param.param.name; });

// One scan of device DEV with `points` samples.
struct Scan {
    explicit Scan(PointId points, std::string text = {}) {
        for (PointId id = 1; id <= points; ++id) {
            directory[id] = {"SITE", "DEV", "", "T", fmt::format("P{}", id), "", {BaseType::kFloat64, 0}};
            samples.push_back({id, Quality::kGood, QualityCode::kNone, UtcTime{1s}, Value{1.5}});
            if (!text.empty()) samples.back().value = text;
        }
        encode_sample_block(samples, block);
        record = {1, block, samples};
    }
    DeliveryBatch batch() const { return {std::span{&record, 1}, &directory, 1}; }
    PointDirectory directory;
    SampleBatch samples;
    Bytes block;
    DeliveryRecord record;
};

TEST(MqttSink, TopicsAndPayloads) {
    MqttStore store;
    Scan scan{2};
    scan.directory[2].point_code = "a/b+#";
    ASSERT_EQ(store.make()->deliver(scan.batch()).verdicts, std::vector{Verdict::kAccepted});
    const auto lines = store.lines();
    ASSERT_EQ(lines.size(), 2U);
    EXPECT_EQ(lines[0], R"(fieldwarden/SITE/DEV/P1 {"site":"SITE","device":"DEV","point":"P1",)"
                        R"("timestamp":"1970-01-01T00:00:01.000000Z","value":1.5,"quality":"good"})");
    EXPECT_TRUE(lines[1].starts_with("fieldwarden/SITE/DEV/a_b__ {")) << lines[1];
}

TEST(MqttSink, ABatchIsOneMessageOfADevice) {
    MqttStore store;
    ASSERT_EQ(store.make({{"batch", "true"}})->deliver(Scan{3}.batch()).verdicts,
              std::vector{Verdict::kAccepted});
    const auto lines = store.lines();
    ASSERT_EQ(lines.size(), 1U);
    EXPECT_TRUE(lines[0].starts_with("fieldwarden/SITE/DEV [{")) << lines[0];
    EXPECT_EQ(json::parse(lines[0].substr(lines[0].find(' '))).size(), 3U);
}

TEST(MqttSink, MoreMessagesThanTheWindowHolds) {
    MqttStore store;
    for (const auto* version : {"3.1.1", "5"}) {
        const auto sink = store.make({{"version", version}});
        EXPECT_EQ(sink->deliver(Scan{1000}.batch()).verdicts, std::vector{Verdict::kAccepted});
    }
    EXPECT_EQ(store.contents().size(), 1000U);
}

TEST(MqttSink, SaysThatItComesAndGoes) {
    MqttStore store;
    auto sink = store.make();
    ASSERT_TRUE(sink->open());
    EXPECT_EQ(store.retained("fieldwarden/status/TASK/out"), "online");
    sink.reset();
    EXPECT_EQ(store.retained("fieldwarden/status/TASK/out"), "offline");
}

TEST(MqttSink, TheBrokerTellsItsLastWill) {
    MqttStore store;
    const auto sink = store.make({{"client_id", "mine"}});
    ASSERT_TRUE(sink->open());
    EXPECT_EQ(store.retained("fieldwarden/status/TASK/out"), "online");
    // Another client of its name: the broker cuts the connection, as it does when a process dies.
    ASSERT_TRUE(store.broker().publish({"-i", "mine", "-t", "x", "-n"}));
    EXPECT_EQ(store.retained("fieldwarden/status/TASK/out"), "offline");
    // And the sink comes back by itself.
    Scan scan{1};
    DeliveryOutcome outcome;
    for (int attempt = 0; attempt < 3 && outcome.verdicts != std::vector{Verdict::kAccepted}; ++attempt) {
        outcome = sink->deliver(scan.batch());
    }
    EXPECT_EQ(outcome.verdicts, std::vector{Verdict::kAccepted}) << outcome.reason;
    EXPECT_EQ(store.retained("fieldwarden/status/TASK/out"), "online");
}

TEST(MqttSink, WhatTheAccessListRefusesIsRejectedWithMqtt5) {
    MqttStore store{{{"version", "5"}}};
    std::ofstream{store.broker().file("acl")} << "topic readwrite fieldwarden/SITE/DEV/P1\n"
                                                 "topic readwrite fieldwarden/SITE/END\n"
                                                 "topic readwrite fieldwarden/status/#\n";
    store.broker().configure("allow_anonymous true\nacl_file {dir}/acl\n");
    store.broker().stop();
    store.broker().start();
    const auto sink = store.make();
    EXPECT_EQ(sink->deliver(Scan{1}.batch()).verdicts, std::vector{Verdict::kAccepted});
    const auto refused = sink->deliver(Scan{2}.batch());
    EXPECT_EQ(refused.verdicts, std::vector{Verdict::kRejected});
    EXPECT_NE(refused.reason.find("not authorised"), std::string::npos) << refused.reason;
    EXPECT_NE(refused.reason.find("fieldwarden/SITE/DEV/P2"), std::string::npos) << refused.reason;
    // The connection stands, and what is allowed goes on.
    EXPECT_EQ(sink->deliver(Scan{1}.batch()).verdicts, std::vector{Verdict::kAccepted});
}

TEST(MqttSink, APacketTooLargeIsRejectedAndTheOthersGoOn) {
    MqttStore store{{{"version", "5"}}, "allow_anonymous true\nmax_packet_size 2000\n"};
    const auto sink = store.make();
    const auto refused = sink->deliver(Scan{1, std::string(5000, 'x')}.batch());
    EXPECT_EQ(refused.verdicts, std::vector{Verdict::kRejected});
    EXPECT_NE(refused.reason.find("too large"), std::string::npos) << refused.reason;
    EXPECT_EQ(sink->deliver(Scan{1}.batch()).verdicts, std::vector{Verdict::kAccepted});
}

TEST(MqttSink, KeepsWhileTheBrokerIsFrozenAndDeliversAfterwards) {
    MqttStore store;
    const auto sink = store.make();
    ASSERT_TRUE(sink->open());
    store.broker().freeze();
    Scan scan{3};
    const auto kept = sink->deliver(scan.batch());
    EXPECT_EQ(kept.verdicts, std::vector{Verdict::kKeep});
    EXPECT_NE(kept.reason.find("did not acknowledge"), std::string::npos) << kept.reason;
    store.broker().thaw();
    EXPECT_EQ(sink->deliver(scan.batch()).verdicts, std::vector{Verdict::kAccepted});
    EXPECT_EQ(store.contents().size(), 3U);
}

TEST(MqttSink, InterruptEndsAWait) {
    MqttStore store;
    const auto sink = store.make({{"timeout_ms", "600000"}});
    ASSERT_TRUE(sink->open());
    store.broker().freeze();
    std::thread other{[&] { sink->interrupt(); }};
    EXPECT_EQ(sink->deliver(Scan{1}.batch()).verdicts, std::vector{Verdict::kKeep});
    other.join();
    store.broker().thaw();
}

TEST(MqttSink, AWrongPasswordIsSaid) {
    MqttStore store{{}, "allow_anonymous true\n"};
    store.broker().configure("allow_anonymous false\n");
    store.broker().stop();
    store.broker().start();
    for (const auto* version : {"3.1.1", "5"}) {
        const auto opened =
            store.make({{"version", version}, {"username", "u"}, {"password", "geheim"}})->open();
        ASSERT_FALSE(opened);
        EXPECT_NE(opened.error().message.find("refuses the sign-in"), std::string::npos)
            << opened.error().message;
        EXPECT_EQ(opened.error().message.find("geheim"), std::string::npos);
    }
}

TEST(MqttSinkTopic, Templates) {
    using mqtt::check_topic_template;
    using mqtt::fill_topic;
    using mqtt::without_point;
    for (const auto* wrong : {"", "a/+", "a/#", "a/{what}", "a/{site", "a}"}) {
        EXPECT_FALSE(check_topic_template(wrong)) << wrong;
    }
    EXPECT_TRUE(check_topic_template("{task}/{sink}/{site}-{device}/{point}"));
    EXPECT_EQ(fill_topic("a/{site}/{point}", {"{point}", "", "x"}), "a/{point}/x")
        << "codes are no templates";
    EXPECT_EQ(fill_topic("{site}/{device}", {"", "a\x01/b"}), "_/a__b");
    EXPECT_EQ(*without_point("a/{point}/b"), "a/b");
    EXPECT_EQ(*without_point("{point}/b"), "b");
    EXPECT_EQ(*without_point("a/{point}"), "a");
    EXPECT_FALSE(without_point("a/p{point}"));
    EXPECT_FALSE(without_point("{point}"));
}

}  // namespace
}  // namespace fieldwarden::worker
