#include "worker/drivers/opcua/messages.h"

#include "tests/unit/opcua/opcua_testing.h"

namespace fieldwarden::worker::opcua {
namespace {

template <class Message>
Buffer payload(const Message& message) {
    return encoded([&](Encoder& out) { message.encode(out); });
}

TEST(OpcUaMessages, Hello) {
    Limits limits;
    limits.receive_buffer = 65535;
    limits.send_buffer = 8192;
    limits.max_message = 0x01000000;
    limits.max_chunks = 5;
    EXPECT_EQ(
        encode_hello(limits, "opc.tcp://h"),
        from_hex("48 45 4C 46 2B 00 00 00  00 00 00 00  FF FF 00 00  00 20 00 00  00 00 00 01  05 00 00 00"
                 "0B 00 00 00 6F 70 63 2E 74 63 70 3A 2F 2F 68"));
}

TEST(OpcUaMessages, AcknowledgeAndError) {
    const auto limits =
        decode_acknowledge(from_hex("00 00 00 00 00 20 00 00 FF FF 00 00 00 00 00 01 05 00 00 00"));
    ASSERT_TRUE(limits);
    EXPECT_EQ(*limits, (Limits{8192, 65535, 0x01000000, 5}));
    EXPECT_FALSE(decode_acknowledge(from_hex("00 00 00 00 FF 1F 00 00 FF FF 00 00 00 00 00 01 05 00 00 00")));
    EXPECT_FALSE(decode_acknowledge(from_hex("00 00 00 00 00 20 00 00 FF FF 00 00")));
    const auto error = decode_transport_error(from_hex("00 00 83 80 02 00 00 00 6E 6F"));
    EXPECT_EQ(error.code, 0x80830000U);
    EXPECT_EQ(error.reason, "no");
}

// Part 4, 5.10.2: field by field.
TEST(OpcUaMessages, Read) {
    const ReadItem item{{2, std::string{"T"}}, Attribute::kValue, "3"};
    EXPECT_EQ(payload(ReadRequest{std::span{&item, 1}}),
              from_hex("00 00 00 00 00 00 00 00  02 00 00 00  01 00 00 00"
                       "03 02 00 01 00 00 00 54  0D 00 00 00  01 00 00 00 33  00 00 FF FF FF FF"));
}

TEST(OpcUaMessages, MonitoredItemWithADeadband) {
    const MonitoredItem item{{{0, 5U}, Attribute::kValue, {}}, 7, 100.0, 3, 0.5};
    EXPECT_EQ(payload(CreateMonitoredItemsRequest{9, std::span{&item, 1}}),
              from_hex("09 00 00 00  02 00 00 00  01 00 00 00"
                       "00 05  0D 00 00 00  FF FF FF FF  00 00 FF FF FF FF  02 00 00 00"
                       "07 00 00 00  00 00 00 00 00 00 59 40"
                       "01 00 D4 02 01 10 00 00 00  01 00 00 00  01 00 00 00  00 00 00 00 00 00 E0 3F"
                       "03 00 00 00  01"));
}

TEST(OpcUaMessages, Publish) {
    EXPECT_EQ(payload(PublishRequest{{{9, 4}}}), from_hex("01 00 00 00 09 00 00 00 04 00 00 00"));
    // Subscription 9, available 4, no more, message 4 with one change of handle 7: Byte 42.
    const auto answer = from_hex(
        "09 00 00 00  01 00 00 00 04 00 00 00  00  04 00 00 00  00 00 00 00 00 00 00 00  01 00 00 00"
        "01 00 2B 03 01 0F 00 00 00  01 00 00 00  07 00 00 00  01 03 2A  FF FF FF FF"
        "FF FF FF FF  FF FF FF FF");
    Decoder in{answer};
    PublishResponse response;
    response.decode(in);
    ASSERT_FALSE(in.failed());
    EXPECT_EQ(in.remaining(), 0U);
    EXPECT_EQ(response.subscription, 9U);
    EXPECT_EQ(response.notification.sequence, 4U);
    EXPECT_FALSE(response.notification.keep_alive());
    ASSERT_EQ(response.notification.changes.size(), 1U);
    EXPECT_EQ(response.notification.changes.front().handle, 7U);
    EXPECT_EQ(response.notification.changes.front().value.value,
              scalar(BuiltInType::kByte, std::uint64_t{42}));
    for (std::size_t size = 0; size < answer.size(); ++size) {
        Decoder cut{View{answer}.first(size)};
        PublishResponse torn;
        torn.decode(cut);
        EXPECT_TRUE(cut.failed()) << size;
    }
}

TEST(OpcUaMessages, KeepAliveAndTheEndOfASubscription) {
    const auto keep_alive = from_hex("05 00 00 00  00 00 00 00 00 00 00 00  FF FF FF FF");
    Decoder first{keep_alive};
    Notification nothing;
    nothing.decode(first);
    EXPECT_TRUE(nothing.keep_alive());
    EXPECT_EQ(nothing.sequence, 5U);
    const auto ended = from_hex(
        "05 00 00 00  00 00 00 00 00 00 00 00  01 00 00 00  01 00 34 03 01 05 00 00 00  00 00 0A 80 00");
    Decoder second{ended};
    Notification end;
    end.decode(second);
    ASSERT_FALSE(second.failed());
    EXPECT_FALSE(end.keep_alive());
    EXPECT_EQ(end.status_change, 0x800A0000U);
}

TEST(OpcUaMessages, PathsThatDoNotEndInThisServerAreNoTargets) {
    // One result with two targets: one found to the end, one with a rest.
    const auto answer =
        from_hex("01 00 00 00  00 00 00 00  02 00 00 00  00 07 FF FF FF FF  00 08 01 00 00 00  FF FF FF FF");
    Decoder in{answer};
    TranslateResponse response;
    response.decode(in);
    ASSERT_FALSE(in.failed());
    ASSERT_EQ(response.results.size(), 1U);
    EXPECT_EQ(response.results.front().targets, (std::vector<NodeId>{{0, 7U}}));
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
