#include "worker/drivers/mqtt/topic.h"

#include <gtest/gtest.h>

namespace fieldwarden::worker::mqtt {
namespace {

// The examples of MQTT 3.1.1, section 4.7.
TEST(MqttTopic, TheStandardsExamples) {
    EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1"));
    EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1/ranking"));
    EXPECT_TRUE(matches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
    EXPECT_TRUE(matches("sport/#", "sport"));
    EXPECT_TRUE(matches("#", "anything/at/all"));
    EXPECT_TRUE(matches("sport/tennis/+", "sport/tennis/player1"));
    EXPECT_FALSE(matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    EXPECT_FALSE(matches("sport/+", "sport"));
    EXPECT_TRUE(matches("sport/+", "sport/"));
    EXPECT_TRUE(matches("+/+", "/finance"));
    EXPECT_TRUE(matches("/+", "/finance"));
    EXPECT_FALSE(matches("+", "/finance"));
    EXPECT_FALSE(matches("#", "$SYS/broker"));
    EXPECT_FALSE(matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    EXPECT_TRUE(matches("$SYS/#", "$SYS/monitor/Clients"));
    EXPECT_TRUE(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
}

TEST(MqttTopic, LevelsAreComparedWhole) {
    EXPECT_TRUE(matches("a/b", "a/b"));
    EXPECT_FALSE(matches("a/b", "a/bc"));
    EXPECT_FALSE(matches("a/b", "A/b"));
    EXPECT_FALSE(matches("a", "a/"));
    EXPECT_FALSE(matches("a/", "a"));
    EXPECT_TRUE(matches("a//b", "a//b"));
    EXPECT_FALSE(matches("a/+/b", "a/b"));
    EXPECT_TRUE(matches("a/+/b", "a//b"));
    EXPECT_FALSE(matches("a/b/#", "a"));
    EXPECT_FALSE(matches("", "a"));
    EXPECT_FALSE(matches("a", ""));
}

TEST(MqttTopic, WhatAFilterMayBe) {
    for (const auto* filter : {"#", "+", "a", "a/#", "+/a/+", "/", "a//", "+/#", "$SYS/#"})
        EXPECT_TRUE(is_filter(filter)) << filter;
    for (const auto* filter : {"", "a#", "#/a", "a/#/b", "a+", "+a", "a/b+/c", "##"})
        EXPECT_FALSE(is_filter(filter)) << filter;
}

}  // namespace
}  // namespace fieldwarden::worker::mqtt
