#include "worker/drivers/mqtt/point_table.h"

#include <gtest/gtest.h>

namespace fieldwarden::worker::mqtt {
namespace {

using namespace std::chrono_literals;

constexpr UtcTime kNow = std::chrono::sys_days{std::chrono::year{2026} / 11 / 22};

class MqttPointTable : public testing::Test {
  protected:
    MqttPointTable() {
        add("plain", {BaseType::kFloat64, 0});
        add("json#/a", {BaseType::kInt16, 0});
        add("json#/b", {BaseType::kInt16, 0});
    }
    void add(std::string_view address, DataType type) {
        settings_.points.push_back({.id = static_cast<PointId>(100 + settings_.points.size()),
                                    .type = type,
                                    .address = *parse_mqtt_address(address)});
    }
    PointTable& table() {
        if (!table_) table_.emplace(settings_);
        return *table_;
    }
    static Message message(std::string topic, std::string payload) {
        Message out;
        out.topic = std::move(topic);
        out.payload = std::move(payload);
        out.qos = 1;
        static int next = 0;
        out.packet_id = ++next;
        out.arrived = kNow;
        out.arrived_mono = MonoTime{} + 1h;
        return out;
    }
    SampleBatch apply(const Message& message) {
        Updates out;
        table().apply(message, out);
        EXPECT_EQ(out.which.size(), out.samples.size());
        for (std::size_t i = 0; i < out.which.size(); ++i) {
            EXPECT_EQ(out.samples[i].point, settings_.points[out.which[i]].id);
            const bool is_bad = out.samples[i].quality == Quality::kBad;
            EXPECT_EQ(out.samples[i].value == Value{}, is_bad);
        }
        return out.samples;
    }

    Settings settings_;
    std::optional<PointTable> table_;
};

TEST_F(MqttPointTable, OneMessageBringsAllItsPoints) {
    EXPECT_EQ(table().points_of("json"), 2U);
    EXPECT_EQ(table().points_of("other"), 0U);
    const auto samples = apply(message("json", R"({"a":1,"b":2})"));
    ASSERT_EQ(samples.size(), 2U);
    EXPECT_EQ(samples[0], (Sample{101, Quality::kGood, QualityCode::kNone, kNow, std::int64_t{1}}));
    EXPECT_EQ(samples[1], (Sample{102, Quality::kGood, QualityCode::kNone, kNow, std::int64_t{2}}));
    EXPECT_TRUE(apply(message("other", "1")).empty());
}

TEST_F(MqttPointTable, WhatDoesNotDecodeIsBadAndCounted) {
    const auto samples = apply(message("json", R"({"a":1,"b":"x"})"));
    ASSERT_EQ(samples.size(), 2U);
    EXPECT_EQ(samples[0].quality, Quality::kGood);
    EXPECT_EQ(samples[1].code, QualityCode::kDecode);
    EXPECT_EQ(table().undecodable, 1U);
    EXPECT_NE(table().last_refusal.find("json#/b"), std::string::npos) << table().last_refusal;
    auto large = message("plain", "");
    large.too_large = true;
    EXPECT_EQ(apply(large).at(0).code, QualityCode::kDecode);
}

TEST_F(MqttPointTable, AMissingMemberIsNoNewsButAMisspeltOneShows) {
    auto samples = apply(message("json", R"({"a":1})"));
    ASSERT_EQ(samples.size(), 2U);
    EXPECT_EQ(samples[1].code, QualityCode::kIllegalAddress);
    EXPECT_EQ(apply(message("json", R"({"a":2})")).size(), 1U);
    samples = apply(message("json", R"({"b":3})"));
    ASSERT_EQ(samples.size(), 1U);
    EXPECT_EQ(samples[0].point, 102U);
    EXPECT_EQ(samples[0].quality, Quality::kGood);
    EXPECT_EQ(apply(message("json", R"({"a":4})")).size(), 1U);
    EXPECT_EQ(table().last(2, kNow).value, Value{std::int64_t{3}});
}

TEST_F(MqttPointTable, TheTimeInThePayloadCounts) {
    settings_.timestamp = *parse_json_pointer("/t");
    EXPECT_EQ(apply(message("json", R"({"a":1,"t":"2026-11-21T00:00:00Z"})")).at(0).time, kNow - 24h);
    EXPECT_EQ(apply(message("json", R"({"a":1})")).at(0).time, kNow);
    EXPECT_EQ(apply(message("plain", "1")).at(0).time, kNow);
    // A clock that was never set, and one that runs ahead.
    EXPECT_EQ(apply(message("json", R"({"a":1,"t":86400})")).at(0).time, kNow);
    EXPECT_EQ(apply(message("json", R"({"a":1,"t":"2099-01-01T00:00:00Z"})")).at(0).time, kNow);
}

TEST_F(MqttPointTable, ARetainedValueIsUncertainUntilALiveOneComes) {
    auto retained = message("plain", "1.5");
    retained.retained = true;
    const auto samples = apply(retained);
    ASSERT_EQ(samples.size(), 1U);
    EXPECT_EQ(samples[0], (Sample{100, Quality::kUncertain, QualityCode::kStale, kNow, 1.5}));
    EXPECT_EQ(apply(message("plain", "1.5")).at(0).quality, Quality::kGood);
    // The same again with a second subscription says nothing new, and must not undo what is known.
    retained.packet_id = 9999;
    EXPECT_TRUE(apply(retained).empty());
    table().begin_connection();
    retained.packet_id = 9998;
    EXPECT_EQ(apply(retained).at(0).quality, Quality::kUncertain);
}

TEST_F(MqttPointTable, RetainedAsTheOptionSays) {
    auto retained = message("plain", "1.5");
    retained.retained = true;
    settings_.retained = RetainedUse::kTrust;
    EXPECT_EQ(apply(retained).at(0).quality, Quality::kGood);
    settings_.retained = RetainedUse::kIgnore;
    retained.packet_id = 9999;
    retained.payload = "2.5";
    EXPECT_TRUE(apply(retained).empty());
}

TEST_F(MqttPointTable, ARetainedValueThatTellsItsTimeIsAsOldAsThat) {
    settings_.timestamp = *parse_json_pointer("/t");
    settings_.stale_after = 1h;
    auto retained = message("json", R"({"a":1,"b":1,"t":"2026-11-21T23:30:00Z"})");
    retained.retained = true;
    EXPECT_EQ(apply(retained).at(0).quality, Quality::kGood);
    retained = message("json", R"({"a":1,"b":1,"t":"2026-11-21T22:30:00Z"})");
    retained.retained = true;
    const auto old = apply(retained).at(0);
    EXPECT_EQ(old.quality, Quality::kBad);
    EXPECT_EQ(old.code, QualityCode::kStale);
}

TEST_F(MqttPointTable, ARedeliveryIsNoSecondSample) {
    auto first = message("plain", "1");
    EXPECT_EQ(apply(first).size(), 1U);
    auto again = first;
    again.duplicate = true;
    EXPECT_TRUE(apply(again).empty());
    EXPECT_EQ(table().duplicates, 1U);
    // The identifier is used again for another message.
    again.payload = "2";
    EXPECT_EQ(apply(again).size(), 1U);
    // The same value sent twice is two messages.
    again.duplicate = false;
    EXPECT_EQ(apply(again).size(), 1U);
    // A redelivery of something this process never saw.
    auto unseen = message("plain", "3");
    unseen.duplicate = true;
    EXPECT_EQ(apply(unseen).size(), 1U);
    // Identifiers mean nothing at QoS 0.
    auto at_most_once = message("plain", "4");
    at_most_once.qos = 0;
    at_most_once.packet_id = 0;
    EXPECT_EQ(apply(at_most_once).size(), 1U);
    at_most_once.duplicate = true;
    EXPECT_EQ(apply(at_most_once).size(), 1U);
}

TEST_F(MqttPointTable, DeliveriesRememberedAreBounded) {
    auto first = message("plain", "1");
    first.packet_id = 60'000;
    apply(first);
    for (int i = 1; i <= static_cast<int>(kRememberedDeliveries); ++i) {
        auto next = message("plain", "1");
        next.packet_id = i;
        apply(next);
    }
    first.duplicate = true;
    EXPECT_EQ(apply(first).size(), 1U);
}

TEST_F(MqttPointTable, SilenceIsToldOnce) {
    settings_.stale_after = 10s;
    const MonoTime start{1h};
    table().watch(start);
    Updates out;
    table().go_stale(start + 9s, kNow, out);
    EXPECT_TRUE(out.samples.empty());
    auto late = message("plain", "1");
    late.arrived_mono = start + 5s;
    apply(late);
    table().go_stale(start + 10s, kNow, out);
    ASSERT_EQ(out.which, (std::vector<std::uint32_t>{1, 2}));
    EXPECT_EQ(out.samples[0].quality, Quality::kBad);
    EXPECT_EQ(out.samples[0].code, QualityCode::kStale);
    EXPECT_EQ(table().next_stale(), start + 15s);
    out = {};
    table().go_stale(start + 15s, kNow, out);
    EXPECT_EQ(out.which, (std::vector<std::uint32_t>{0}));
    out = {};
    table().go_stale(start + 60s, kNow, out);
    EXPECT_TRUE(out.samples.empty());
    // It speaks again, and falls silent again.
    late = message("plain", "2");
    late.arrived_mono = start + 61s;
    EXPECT_EQ(apply(late).at(0).quality, Quality::kGood);
    table().go_stale(start + 200s, kNow, out);
    EXPECT_EQ(out.which, (std::vector<std::uint32_t>{0}));
}

TEST_F(MqttPointTable, NeverStaleByDefault) {
    table().watch(MonoTime{});
    EXPECT_EQ(table().next_stale(), std::nullopt);
}

TEST_F(MqttPointTable, AResumedSessionKeepsWhatWasSaidLast) {
    apply(message("plain", "1.5"));
    apply(message("json", R"({"a":1,"b":"x"})"));
    table().begin_connection();
    Updates out;
    table().resume(kNow + 1min, out);
    ASSERT_EQ(out.which, (std::vector<std::uint32_t>{0, 1}));
    EXPECT_EQ(out.samples[0], (Sample{100, Quality::kUncertain, QualityCode::kStale, kNow + 1min, 1.5}));
}

TEST_F(MqttPointTable, NothingKnownIsStale) {
    const auto sample = table().last(0, kNow);
    EXPECT_EQ(sample, (Sample{100, Quality::kBad, QualityCode::kStale, kNow, {}}));
    EXPECT_FALSE(table().has_spoken(0));
}

}  // namespace
}  // namespace fieldwarden::worker::mqtt
