#include "tests/simulator/mqtt/packets.h"

#include <gtest/gtest.h>

namespace fieldwarden::simulator::mqtt {
namespace {

// Laid out by hand from MQTT 3.1.1, sections 3.1 and 3.3.
TEST(MqttPackets, Connect) {
    EXPECT_EQ(connect_packet("ab", "", "", 30),
              (Bytes{0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x00, 0, 30, 0, 2, 'a', 'b'}));
    EXPECT_EQ(connect_packet("a", "u", "p", 0x102),
              (Bytes{0x10, 19, 0, 4, 'M', 'Q', 'T', 'T', 4, 0xC0, 1, 2, 0, 1, 'a', 0, 1, 'u', 0, 1, 'p'}));
}

TEST(MqttPackets, Publish) {
    EXPECT_EQ(publish_packet("a/b", "7", 10, false, false),
              (Bytes{0x32, 8, 0, 3, 'a', '/', 'b', 0, 10, '7'}));
    EXPECT_EQ(publish_packet("a", "", 0x1234, true, true), (Bytes{0x3B, 5, 0, 1, 'a', 0x12, 0x34}));
    // Table 2.4: 128 takes two bytes of length.
    const auto longer = publish_packet("a", std::string(123, 'x'), 1, false, false);
    EXPECT_EQ(longer[1], 0x80);
    EXPECT_EQ(longer[2], 0x01);
    EXPECT_EQ(longer.size(), 131U);
}

TEST(MqttPackets, AnswersAreTakenOneByOne) {
    Bytes bytes{0x20, 2, 1, 5, 0x40, 2, 0, 9, 0xD0};
    bool broken = false;
    const auto connack = take_packet(bytes, broken);
    ASSERT_TRUE(connack);
    EXPECT_EQ(connack->type, kConnack);
    EXPECT_EQ(connack->body, (Bytes{1, 5}));
    EXPECT_EQ(take_packet(bytes, broken)->type, kPuback);
    EXPECT_FALSE(take_packet(bytes, broken));
    bytes.push_back(0);
    EXPECT_EQ(take_packet(bytes, broken)->type, kPingresp);
    EXPECT_FALSE(broken);
    EXPECT_TRUE(bytes.empty());
}

TEST(MqttPackets, WhatIsNoAnswerIsBroken) {
    for (auto bytes : {Bytes{0x30, 2, 0, 0}, Bytes{0x20, 1, 0}, Bytes{0x20, 0x80, 0x80}, Bytes{0xFF, 0xFF}}) {
        bool broken = false;
        EXPECT_FALSE(take_packet(bytes, broken));
        EXPECT_TRUE(broken);
    }
}

}  // namespace
}  // namespace fieldwarden::simulator::mqtt
