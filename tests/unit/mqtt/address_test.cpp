#include <gtest/gtest.h>

#include "common/mqtt_address.h"

namespace fieldwarden {
namespace {

TEST(MqttAddress, TopicAlone) {
    const auto address = parse_mqtt_address("plant/line1/temp");
    ASSERT_TRUE(address);
    EXPECT_EQ(*address, (MqttAddress{"plant/line1/temp", false, {}}));
}

TEST(MqttAddress, PointerOfJson) {
    EXPECT_EQ(*parse_mqtt_address("a/b#/temp"), (MqttAddress{"a/b", true, {"temp"}}));
    EXPECT_EQ(*parse_mqtt_address("a/b#/axes/0/pos"), (MqttAddress{"a/b", true, {"axes", "0", "pos"}}));
    EXPECT_EQ(*parse_mqtt_address("a#"), (MqttAddress{"a", true, {}}));
    EXPECT_EQ(*parse_mqtt_address("a#/"), (MqttAddress{"a", true, {""}}));
    // RFC 6901, section 5: ~1 is '/', ~0 is '~', and ~01 is "~1".
    EXPECT_EQ(*parse_mqtt_address("a#/m~1n/~01/#"), (MqttAddress{"a", true, {"m/n", "~1", "#"}}));
    EXPECT_EQ(*parse_mqtt_address("$SYS/broker/uptime"), (MqttAddress{"$SYS/broker/uptime", false, {}}));
    EXPECT_EQ(*parse_mqtt_address(" a b /"), (MqttAddress{" a b /", false, {}}));
}

TEST(MqttAddress, WhatIsWrongIsRefused) {
    using namespace std::string_literals;
    for (const auto& text :
         {""s, "#/a"s, "a/+/b"s, "a#b"s, "a#/~"s, "a#/~2"s, "a\0b"s, std::string(70'000, 'a'), "a#" + [] {
              std::string deep;
              for (int i = 0; i < 100; ++i) deep += "/x";
              return deep;
          }()}) {
        const auto address = parse_mqtt_address(text);
        ASSERT_FALSE(address) << text;
        EXPECT_EQ(address.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_LT(address.error().message.size(), 500U);
    }
}

TEST(MqttAddress, WrittenOutItReadsBackTheSame) {
    for (const auto* text : {"a", "a#", "a#/", "a#/m~1n/~01/#", "a/b/c#/0/1"}) {
        EXPECT_EQ(format_mqtt_address(*parse_mqtt_address(text)), text);
    }
}

TEST(MqttBroker, HostPortAndTls) {
    const auto check = [](std::string_view text, const char* host, int port, bool tls) {
        const auto broker = parse_mqtt_broker(text);
        ASSERT_TRUE(broker) << text;
        EXPECT_EQ(broker->peer.host, host);
        EXPECT_EQ(broker->peer.port, port);
        EXPECT_EQ(broker->tls, tls);
    };
    check("mqtt://broker.local", "broker.local", 1883, false);
    check("mqtts://broker.local", "broker.local", 8883, true);
    check("mqtt://10.0.0.1:2000/", "10.0.0.1", 2000, false);
    check("mqtts://[::1]:2000", "::1", 2000, true);
    for (const auto* text : {"", "broker", "http://broker", "mqtt://", "mqtt://a:0", "mqtt://a/path"})
        EXPECT_FALSE(parse_mqtt_broker(text)) << text;
}

TEST(MqttBroker, APasswordInTheAddressIsNotRepeated) {
    const auto broker = parse_mqtt_broker("mqtt://user:secret@host");
    ASSERT_FALSE(broker);
    EXPECT_EQ(broker.error().message.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace fieldwarden
