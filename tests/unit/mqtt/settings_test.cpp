#include "worker/drivers/mqtt/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/drivers/mqtt/mqtt_driver.h"

namespace fieldwarden::worker::mqtt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

DeviceConfig device(std::vector<std::string> addresses = {"plant/a", "plant/b#/x", "plant/b#/y"}) {
    DeviceConfig config;
    config.device_code = "D1";
    config.site_code = "S1";
    config.protocol = Protocol::kMqtt;
    config.address = "mqtt://127.0.0.1:1883";
    for (auto& address : addresses) {
        PointConfig point;
        point.id = static_cast<PointId>(10 + config.points.size());
        point.point_code = "P" + std::to_string(config.points.size());
        point.address = std::move(address);
        point.data_type = {BaseType::kFloat64, 0};
        config.points.push_back(std::move(point));
    }
    return config;
}

std::string refusal(const DeviceConfig& config) {
    const auto settings = read_settings(config);
    if (settings) return "";
    EXPECT_EQ(settings.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_THAT(settings.error().message, HasSubstr("D1"));
    return settings.error().message;
}

TEST(MqttSettings, OneFilterForEachTopic) {
    const auto settings = read_settings(device());
    ASSERT_TRUE(settings);
    EXPECT_THAT(settings->filters, ElementsAre("plant/a", "plant/b"));
    EXPECT_EQ(settings->qos, 1);
    EXPECT_FALSE(settings->clean_session);
    EXPECT_FALSE(settings->version5);
}

TEST(MqttSettings, FewerFiltersAsGiven) {
    auto config = device();
    config.options["subscribe"] = "plant/#, other/+/x";
    EXPECT_THAT(read_settings(config)->filters, ElementsAre("plant/#", "other/+/x"));
    config.options["subscribe"] = "plant/a";
    EXPECT_THAT(refusal(config), HasSubstr("point P1"));
    config.options["subscribe"] = "plant/a#";
    EXPECT_THAT(refusal(config), HasSubstr("no topic filter"));
}

TEST(MqttSettings, BadConfigurationSaysWhat) {
    EXPECT_THAT(refusal(device({"ok", "a/+/b"})), HasSubstr("point P1"));
    const auto with = [](const char* name, const char* value) {
        auto config = device();
        config.options[name] = value;
        return refusal(config);
    };
    EXPECT_THAT(with("qos", "3"), HasSubstr("qos"));
    EXPECT_THAT(with("version", "4"), HasSubstr("version"));
    EXPECT_THAT(with("timestamp", "ts"), HasSubstr("timestamp"));
    EXPECT_THAT(with("write_topic", "a/#"), HasSubstr("write_topic"));
    EXPECT_THAT(with("key_file", "/x"), HasSubstr("cert_file"));
    EXPECT_THAT(with("unit_id", "1"), HasSubstr("unknown"));
    auto config = device();
    config.address = "127.0.0.1:1883";
    EXPECT_THAT(refusal(config), HasSubstr("mqtt://"));
}

TEST(MqttSettings, TheClientIdentifierIsStableAndEveryBrokerTakesIt) {
    const auto id = read_settings(device())->client_id;
    EXPECT_EQ(id.size(), 18U);
    EXPECT_EQ(id.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz"), std::string::npos);
    EXPECT_EQ(read_settings(device())->client_id, id);
    auto more = device();
    more.points.push_back(more.points.front());
    more.points.back().id = 99;
    EXPECT_EQ(read_settings(more)->client_id, id);
    auto other = device();
    other.device_code = "D2";
    EXPECT_NE(read_settings(other)->client_id, id);
    auto other_task = device();
    other_task.points.erase(other_task.points.begin());
    EXPECT_NE(read_settings(other_task)->client_id, id);
    auto clean = device();
    clean.options["clean_session"] = "true";
    EXPECT_NE(read_settings(clean)->client_id, read_settings(clean)->client_id);
    clean.options["client_id"] = "mine";
    EXPECT_EQ(read_settings(clean)->client_id, "mine");
}

TEST(MqttWrite, PayloadsOfEveryKind) {
    auto config = device({"t", "t#/a/b", "t#"});
    const auto written = [&](std::size_t point, const Value& value) {
        const auto settings = read_settings(config).value();
        const auto payload = write_payload(settings, settings.points[point], value);
        return payload ? *payload : payload.error().message;
    };
    EXPECT_EQ(written(0, 21.5), "21.5");
    EXPECT_EQ(written(0, true), "true");
    EXPECT_EQ(written(0, std::int64_t{-3}), "-3");
    EXPECT_EQ(written(0, std::string{"on \"x\""}), "on \"x\"");
    EXPECT_THAT(written(1, 1.5), HasSubstr("write_topic"));
    config.options["write_topic"] = "{topic}/set";
    EXPECT_EQ(written(1, 1.5), "1.5");
    config.options["write_payload"] = "value";
    EXPECT_EQ(written(1, 1.5), R"({"value":1.5})");
    EXPECT_EQ(written(0, std::string{"a\"b"}), R"({"value":"a\"b"})");
    config.options["write_payload"] = "member";
    EXPECT_EQ(written(1, true), R"({"a":{"b":true}})");
    EXPECT_EQ(written(2, true), R"({"value":true})");
}

}  // namespace
}  // namespace fieldwarden::worker::mqtt
