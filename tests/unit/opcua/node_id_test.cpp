#include "common/node_id.h"

#include <gtest/gtest.h>

namespace fieldwarden {
namespace {

TEST(NodeIdText, EveryKindIsReadAndWrittenBack) {
    for (const char* const text :
         {"i=0", "i=2258", "i=4294967295", "ns=2;i=1001", "ns=65535;s=Temp", "s=a;b=c",
          "ns=3;s=\"DB\".\"Arr\"[0]", "ns=2;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63",
          "ns=2;b=M/RbKBsRVkePCePcx24oRA==", "b=AA==", "s= "}) {
        const auto id = parse_node_id(text);
        ASSERT_TRUE(id) << text;
        EXPECT_EQ(format_node_id(*id), text);
    }
    EXPECT_EQ(format_node_id(parse_node_id("ns=0;i=5").value()), "i=5");
    EXPECT_EQ(std::get<Guid>(parse_node_id("g=72962b91-fa75-4ae6-8d28-b404dc7daf63")->identifier).bytes[0],
              0x72);
}

TEST(NodeIdText, WhatIsNoneIsRefusedWithHelp) {
    for (const char* const text :
         {"", "?", "Temp", "i=", "s=", "i=-1", "i=4294967296", "i=1x", "ns=2", "ns=;i=1", "ns=65536;i=1",
          "ns=2;x=1", "ns=2;g=72962B91-FA75-4AE6-8D28-B404DC7DAF6",
          "ns=2;g=72962B91FFA75-4AE6-8D28-B404DC7DAF63", "b=A", "b=A===", "b=!!!!", "i=1;ns=2"}) {
        const auto id = parse_node_id(text);
        ASSERT_FALSE(id) << text;
        EXPECT_EQ(id.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_NE(id.error().message.find("ns=2;s=Temp"), std::string::npos);
    }
    EXPECT_FALSE(parse_node_id("s=" + std::string(kLongestNodeIdText, 'x')));
}

TEST(OpcUaAddress, ElementsOfArrays) {
    const auto element = parse_opcua_address("ns=2;i=7[3]");
    ASSERT_TRUE(element);
    EXPECT_EQ(format_node_id(element->node), "ns=2;i=7");
    EXPECT_EQ(element->index, std::vector<std::uint32_t>{3});
    EXPECT_FALSE(element->whole);

    const auto named = parse_opcua_address("ns=2;s=Curve[1,20]");
    ASSERT_TRUE(named);
    EXPECT_EQ(format_node_id(named->node), "ns=2;s=Curve");
    EXPECT_EQ(named->index, (std::vector<std::uint32_t>{1, 20}));
    EXPECT_EQ(format_node_id(named->whole.value()), "ns=2;s=Curve[1,20]");

    // No index: the brackets belong to the name.
    for (const char* const text : {"s=a[]", "s=a[x]", "s=a[1", "s=a[-1]", "s=a[1,]", "s=[1]x", "s=a[03]"}) {
        const auto plain = parse_opcua_address(text);
        ASSERT_TRUE(plain) << text;
        EXPECT_TRUE(plain->index.empty()) << text;
        EXPECT_EQ(format_node_id(plain->node), text);
    }
    EXPECT_FALSE(parse_opcua_address("i=7[x]"));
    EXPECT_FALSE(parse_opcua_address("[1]"));
    EXPECT_FALSE(parse_opcua_address("i=7[1,1,1,1,1,1,1,1,1]"));
}

TEST(OpcUaAddress, BrowsePaths) {
    const auto path = parse_opcua_address("path:/Objects/2:Boiler/2:Temp[4]");
    ASSERT_TRUE(path);
    EXPECT_EQ(path->path, (std::vector<BrowseName>{{0, "Objects"}, {2, "Boiler"}, {2, "Temp"}}));
    EXPECT_EQ(path->index, std::vector<std::uint32_t>{4});
    const auto escaped = parse_opcua_address("path:/a&/b/3:x&:y&&/&[1&]/Name:with colon");
    ASSERT_TRUE(escaped);
    EXPECT_EQ(escaped->path,
              (std::vector<BrowseName>{{0, "a/b"}, {3, "x:y&"}, {0, "[1]"}, {0, "Name:with colon"}}));
    EXPECT_TRUE(escaped->index.empty());
    for (const char* const text :
         {"path:", "path:Objects", "path:/", "path://a", "path:/a/", "path:/a&", "path:/2:"})
        EXPECT_FALSE(parse_opcua_address(text)) << text;
    std::string deep = "path:";
    for (int i = 0; i < 65; ++i) deep += "/a";
    EXPECT_FALSE(parse_opcua_address(deep));
}

TEST(OpcUaAddress, SurvivesBeingWritten) {
    for (const char* const text : {"path:/Objects/2:Boiler/2:Temp[4]", "path:/a&/b/3:x&:y&&",
                                   "path:/1&:2/x[1,2]", "ns=2;s=Curve[1,20]", "i=5[0]", "path:/a&[3&]"}) {
        const auto address = parse_opcua_address(text);
        ASSERT_TRUE(address) << text;
        const auto again = parse_opcua_address(format_opcua_address(*address));
        ASSERT_TRUE(again) << format_opcua_address(*address);
        EXPECT_EQ(*again, *address) << text;
    }
}

TEST(Base64, AllLengths) {
    const std::string bytes{
        "\x00\xff\x10"
        "abc",
        6};
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
        const auto part = bytes.substr(0, size);
        EXPECT_EQ(decode_base64(encode_base64(part)), part);
    }
    EXPECT_EQ(encode_base64("Man"), "TWFu");
    EXPECT_EQ(encode_base64("Ma"), "TWE=");
    EXPECT_EQ(encode_base64("M"), "TQ==");
    EXPECT_FALSE(decode_base64("TQ="));
    EXPECT_FALSE(decode_base64("T=Q="));
}

}  // namespace
}  // namespace fieldwarden
