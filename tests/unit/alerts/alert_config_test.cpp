// Rules, channels and silences over a store, and the whole Alerts object without a fleet.
#include "supervisor/alerts/alert_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/alerts/alerts.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/fleet/fake_store.h"
#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {
namespace {

using proto::Json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using enum AlertDocumentKind;

const Actor kLi{"li", "admin", "10.0.0.1"};

class Config : public testing::Test {
  protected:
    Config() { load(); }
    void load() {
        config_ = std::make_unique<AlertConfig>(store_, system_clock(),
                                                [this](AlertDocumentKind kind) { changed_.push_back(kind); });
        complaints_.clear();
        ASSERT_TRUE(config_->load(complaints_));
    }
    FakeStore store_;
    std::vector<AlertDocumentKind> changed_;
    std::vector<std::string> complaints_;
    std::unique_ptr<AlertConfig> config_;
};

TEST_F(Config, BuiltInOnesAreThereOnceAndStayAsTheyWereChanged) {
    const auto count = config_->rules().size();
    EXPECT_EQ(count, built_in_rules().size());
    ASSERT_TRUE(config_->change(kRule, "disk_low", {{"enabled", false}}, kLi).ok());
    load();
    EXPECT_EQ(config_->rules().size(), count);
    EXPECT_EQ((*config_->show(kRule, "disk_low"))["enabled"], false);
    EXPECT_EQ((*config_->show(kRule, "disk_low"))["built_in"], true);
    const auto refused = config_->remove(kRule, "disk_low", kLi);
    ASSERT_TRUE(refused.error);
    EXPECT_EQ(refused.error->kind, ErrorKind::kConflict);
}

TEST_F(Config, EveryChangeIsStoredAnnouncedAndAudited) {
    const auto before = store_.audits.size();
    const auto made = config_->create(
        kChannel,
        {{"code", "W"}, {"type", "webhook"}, {"options", {{"url", "http://h"}, {"secret", "s3cret"}}}}, kLi);
    ASSERT_TRUE(made.ok());
    const auto id = std::to_string(made.item["id"].get<std::int64_t>());
    ASSERT_TRUE(config_->change(kChannel, id, {{"options", {{"secret", "n3w"}}}}, kLi).ok());
    ASSERT_TRUE(config_->remove(kChannel, "W", kLi).ok());
    EXPECT_THAT(changed_, ElementsAre(kChannel, kChannel, kChannel));
    ASSERT_EQ(store_.audits.size(), before + 3);
    std::vector<std::string> actions;
    for (auto i = before; i < store_.audits.size(); ++i) {
        const auto& entry = store_.audits[i];
        actions.push_back(entry.action);
        EXPECT_EQ(entry.actor.name, "li");
        EXPECT_EQ(entry.subject, "W");
        EXPECT_THAT(entry.detail.dump(), Not(HasSubstr("s3cret")));
        EXPECT_THAT(entry.detail.dump(), Not(HasSubstr("n3w")));
    }
    EXPECT_THAT(actions, ElementsAre("alert_channel.create", "alert_channel.update", "alert_channel.delete"));
}

TEST_F(Config, AChangeThatChangesNothingIsNone) {
    const auto before = store_.audits.size();
    ASSERT_TRUE(config_->change(kRule, "disk_low", *config_->show(kRule, "disk_low"), kLi).ok());
    EXPECT_EQ(store_.audits.size(), before);
}

TEST_F(Config, RefusesWhatDoesNotFit) {
    const auto wrong =
        config_->create(kRule, {{"code", "R"}, {"kind", "sink_down"}, {"channels", {"none"}}}, kLi);
    ASSERT_EQ(wrong.problems.size(), 1U);
    EXPECT_EQ(wrong.problems[0].field, "channels");
    ASSERT_TRUE(config_->create(kChannel, {{"code", "C"}, {"type", "log"}}, kLi).ok());
    ASSERT_TRUE(
        config_->create(kRule, {{"code", "R"}, {"kind", "sink_down"}, {"channels", {"C"}}}, kLi).ok());
    EXPECT_EQ(config_->create(kRule, {{"code", "R"}, {"kind", "sink_down"}}, kLi).error->kind,
              ErrorKind::kConflict);
    EXPECT_EQ(config_->remove(kChannel, "C", kLi).error->kind, ErrorKind::kConflict) << "R uses it";
    EXPECT_EQ(config_->remove(kSilence, "5", kLi).error->kind, ErrorKind::kNotFound);
    EXPECT_EQ(config_->change(kRule, "nothing", Json::object(), kLi).error->kind, ErrorKind::kNotFound);
    EXPECT_TRUE(changed_.size() == 2);
}

TEST_F(Config, WhatIsStoredReadsBack) {
    ASSERT_TRUE(config_
                    ->create(kSilence,
                             {{"ends_at", "2999-01-01T00:00:00Z"},
                              {"starts_at", "2998-12-31T00:00:00Z"},
                              {"tasks", {"T*"}},
                              {"comment", "works"}},
                             kLi)
                    .ok());
    ASSERT_TRUE(config_
                    ->create(kRule,
                             {{"code", "HOT"},
                              {"kind", "threshold"},
                              {"points", {"P*"}},
                              {"parameters", {{"above", 80.5}}},
                              {"for_ms", 5000}},
                             kLi)
                    .ok());
    ASSERT_TRUE(
        config_
            ->create(
                kChannel,
                {{"code", "W"}, {"type", "webhook"}, {"options", {{"url", "http://h"}, {"secret", "s"}}}},
                kLi)
            .ok());
    const auto rules = config_->list(kRule);
    const auto channels = config_->channels();
    const auto silences = config_->silences();
    load();
    EXPECT_TRUE(complaints_.empty());
    EXPECT_EQ(config_->list(kRule), rules);
    EXPECT_EQ(config_->channels(), channels);
    ASSERT_EQ(config_->silences().size(), 1U);
    EXPECT_EQ(config_->silences()[0].created_by, "li");
    EXPECT_EQ(config_->silences()[0].tasks, silences[0].tasks);
    EXPECT_EQ(config_->silences()[0].ends_at, silences[0].ends_at);
}

TEST_F(Config, WhatDoesNotReadIsLeftOutAndNamed) {
    ASSERT_TRUE(
        store_.put_alert_document(kRule, {0, "FUTURE", {{"code", "FUTURE"}, {"kind", "of_magic"}}}, {}));
    load();
    ASSERT_EQ(complaints_.size(), 1U);
    EXPECT_THAT(complaints_[0], HasSubstr("kind is one of"));
    EXPECT_EQ(config_->rules().size(), built_in_rules().size());
}

// The whole object, with a rule on the disk that always holds.
class AlertsTest : public testing::Test {
  protected:
    void SetUp() override { start(); }
    void start() {
        alerts_.reset();
        queue_ = std::make_unique<StoreQueue>(store_, [](const std::string&, const Error&) {});
        alerts_ = std::make_unique<Alerts>(directory_.path().string(), store_, *queue_, bus_, live_,
                                           system_clock(), [](proto::LogLevel, const std::string&) {});
        ASSERT_TRUE(alerts_->open(std::make_shared<const Plant>()));
    }
    void TearDown() override { alerts_.reset(); }
    void always() {
        ASSERT_TRUE(alerts_->config()
                        .create(kRule,
                                {{"code", "full"}, {"kind", "disk_low"}, {"parameters", {{"free_mb", 1e12}}}},
                                kLi)
                        .ok());
        look();
    }
    void look() {
        alerts_->look_soon();
        alerts_->tick({}, system_clock().mono_now());
        queue_->flush();
    }
    FakeStore store_;
    TempDir directory_;
    StatusBus bus_{system_clock()};
    LiveValues live_;
    std::unique_ptr<StoreQueue> queue_;
    std::unique_ptr<Alerts> alerts_;
};

TEST_F(AlertsTest, AnOpenAlertIsALastValueOfItsTopicUntilItIsResolved) {
    always();
    ASSERT_EQ(bus_.last_values("error_alerts.").size(), 1U);
    const auto event = bus_.last_values("error_alerts.").front();
    EXPECT_EQ(event->topic, "error_alerts.supervisor");
    EXPECT_EQ(event->type, "error_alert");
    EXPECT_EQ(event->data()["state"], "firing");
    EXPECT_EQ(store_.alert(event->data()["id"])->alert.state, proto::AlertState::kFiring);
    ASSERT_TRUE(alerts_->config().change(kRule, "full", {{"enabled", false}}, kLi).ok());
    EXPECT_TRUE(bus_.last_values("error_alerts.").empty());
    queue_->flush();
    EXPECT_EQ(store_.alert(event->data()["id"])->alert.state, proto::AlertState::kResolved);
    EXPECT_EQ(alerts_->acknowledge(event->data()["id"], "", kLi).error().kind, ErrorKind::kConflict);
    EXPECT_EQ(alerts_->acknowledge(4711, "", kLi).error().kind, ErrorKind::kNotFound);
}

TEST_F(AlertsTest, AnAcknowledgementIsStoredPublishedAndAudited) {
    always();
    const auto id = alerts_->open_alerts().front().alert.id;
    ASSERT_TRUE(alerts_->acknowledge(id, "seen", kLi));
    EXPECT_EQ(bus_.last_values("error_alerts.").front()->data()["state"], "acknowledged");
    EXPECT_EQ(store_.alert(id)->alert.state, proto::AlertState::kAcknowledged);
    EXPECT_EQ(store_.audits.back().action, "alert.ack");
    EXPECT_EQ(store_.audits.back().actor.name, "li");
}

TEST_F(AlertsTest, TheNextSupervisorGoesOnWithTheSameAlert) {
    always();
    const auto id = alerts_->open_alerts().front().alert.id;
    bus_.forget("error_alerts.supervisor");
    start();
    EXPECT_EQ(bus_.last_values("error_alerts.").size(), 1U) << "shown before the first look";
    look();
    ASSERT_EQ(alerts_->open_alerts().size(), 1U);
    EXPECT_EQ(alerts_->open_alerts().front().alert.id, id);
    EXPECT_EQ(store_.alert_rows.size(), 1U);
}

TEST_F(AlertsTest, TestsAChannelAndSaysWhatCameOfIt) {
    const auto log = alerts_->test_channel("log", kLi);
    ASSERT_TRUE(log);
    EXPECT_TRUE(log->ok);
    ASSERT_TRUE(
        alerts_->config()
            .create(kChannel,
                    {{"code", "W"}, {"type", "webhook"}, {"options", {{"url", "http://127.0.0.1:1/"}}}}, kLi)
            .ok());
    const auto webhook = alerts_->test_channel("W", kLi);
    ASSERT_TRUE(webhook);
    EXPECT_FALSE(webhook->ok);
    EXPECT_THAT(webhook->detail, HasSubstr("127.0.0.1:1"));
    EXPECT_EQ(webhook->error_category, proto::ErrorCategory::kConnectionError);
    EXPECT_EQ(store_.audits.back().action, "alert_channel.test");
    EXPECT_EQ(alerts_->test_channel("none", kLi).error().kind, ErrorKind::kNotFound);
}

TEST_F(AlertsTest, WatchesTheValuesOfThePointsItsRulesName) {
    Plant plant;
    auto record = point("P", "D");
    record.id = 7;
    plant.of(Kind::kPoint).add(record);
    ASSERT_TRUE(
        alerts_->config()
            .create(
                kRule,
                {{"code", "HOT"}, {"kind", "threshold"}, {"points", {"*"}}, {"parameters", {{"above", 80}}}},
                kLi)
            .ok());
    Sample sample;
    sample.point = 7;
    sample.time = system_clock().utc_now();
    sample.value = 99.0;
    live_.put(std::array{sample});
    look();
    EXPECT_TRUE(alerts_->open_alerts().empty()) << "the plant has no such point yet";
    alerts_->take_plant(std::make_shared<const Plant>(std::move(plant)));
    look();
    ASSERT_EQ(alerts_->open_alerts().size(), 1U);
    EXPECT_EQ(alerts_->open_alerts().front().alert.point_code, "P");
}

}  // namespace
}  // namespace fieldwarden::supervisor
