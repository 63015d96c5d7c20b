#include "worker/drivers/opcua/binary.h"

#include "tests/unit/opcua/opcua_testing.h"

namespace fieldwarden::worker::opcua {
namespace {

// The examples of OPC UA Part 6, 5.2.2.2 to 5.2.2.9.
TEST(OpcUaBinary, ExamplesOfTheStandard) {
    EXPECT_EQ(encoded([](Encoder& out) { out.put(std::int32_t{1'000'000'000}); }), from_hex("00 CA 9A 3B"));
    EXPECT_EQ(encoded([](Encoder& out) { out.put(-6.5F); }), from_hex("00 00 D0 C0"));
    EXPECT_EQ(encoded([](Encoder& out) { out.text("水Boy"); }), from_hex("06 00 00 00 E6 B0 B4 42 6F 79"));
    EXPECT_EQ(encoded([](Encoder& out) { out.node(parse_node_id("ns=1;s=Hot水").value()); }),
              from_hex("03 01 00 06 00 00 00 48 6F 74 E6 B0 B4"));
    EXPECT_EQ(encoded([](Encoder& out) { out.node({0, 72U}); }), from_hex("00 48"));
    EXPECT_EQ(encoded([](Encoder& out) { out.node({5, 1025U}); }), from_hex("01 05 01 04"));
    EXPECT_EQ(encoded([](Encoder& out) {
                  out.node(parse_node_id("g=72962B91-FA75-4AE6-8D28-B404DC7DAF63").value());
              }),
              from_hex("04 00 00 91 2B 96 72 75 FA E6 4A 8D 28 B4 04 DC 7D AF 63"));
}

TEST(OpcUaBinary, NodeIdsOfEveryEncoding) {
    for (const char* const text :
         {"i=0", "i=255", "i=256", "ns=255;i=65535", "ns=256;i=1", "i=65536", "ns=3;s=x",
          "ns=9;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "ns=2;b=AAEC"}) {
        const auto id = parse_node_id(text).value();
        const auto bytes = encoded([&](Encoder& out) { out.node(id); });
        Decoder in{bytes};
        EXPECT_EQ(in.node(), id) << text;
        EXPECT_EQ(in.remaining(), 0U);
        // Cut anywhere it fails, and gives no bytes of somebody else.
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            Decoder cut{View{bytes}.first(size)};
            (void)cut.node();
            EXPECT_TRUE(cut.failed()) << text << " cut to " << size;
        }
    }
    const auto unknown = from_hex("06 00 00");
    Decoder in{unknown};
    (void)in.node();
    EXPECT_TRUE(in.failed());
}

TEST(OpcUaBinary, ExpandedNodeIdsOfOtherServersAreKnownAsSuch) {
    bool remote = true;
    const auto local = from_hex("00 07");
    EXPECT_EQ(Decoder{local}.expanded_node(&remote), (NodeId{0, 7U}));
    EXPECT_FALSE(remote);
    const auto other = from_hex("C0 07 01 00 00 00 61 02 00 00 00");
    Decoder in{other};
    EXPECT_EQ(in.expanded_node(&remote), (NodeId{0, 7U}));
    EXPECT_TRUE(remote);
    EXPECT_EQ(in.remaining(), 0U);
}

TEST(OpcUaBinary, DateTimes) {
    const auto time =
        UtcTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}} + std::chrono::microseconds{1};
    EXPECT_EQ(from_date_time(to_date_time(time)), time);
    EXPECT_EQ(to_date_time(UtcTime{}), 116'444'736'000'000'000);
    EXPECT_FALSE(from_date_time(0));
    EXPECT_FALSE(from_date_time(-1));
    EXPECT_FALSE(from_date_time(INT64_MAX));
    EXPECT_TRUE(from_date_time(1));
}

TEST(OpcUaBinary, VariantsOfEveryWritableType) {
    const std::vector<Variant> variants{
        scalar(BuiltInType::kBoolean, true),
        scalar(BuiltInType::kSByte, std::int64_t{-128}),
        scalar(BuiltInType::kByte, std::uint64_t{255}),
        scalar(BuiltInType::kInt16, std::int64_t{-2}),
        scalar(BuiltInType::kUInt16, std::uint64_t{65535}),
        scalar(BuiltInType::kInt32, std::int64_t{INT32_MIN}),
        scalar(BuiltInType::kUInt32, std::uint64_t{UINT32_MAX}),
        scalar(BuiltInType::kInt64, std::int64_t{INT64_MIN}),
        scalar(BuiltInType::kUInt64, std::uint64_t{UINT64_MAX}),
        scalar(BuiltInType::kFloat, 1.5),
        scalar(BuiltInType::kDouble, -1e300),
        scalar(BuiltInType::kString, std::string{"a\0b", 3}),
        scalar(BuiltInType::kDateTime, std::int64_t{5}),
        scalar(BuiltInType::kGuid, std::string{"72962B91-FA75-4AE6-8D28-B404DC7DAF63"}),
        scalar(BuiltInType::kByteString, std::string{"\xff"}),
        scalar(BuiltInType::kXmlElement, std::string{"<a/>"}),
        scalar(BuiltInType::kStatusCode, std::uint64_t{0x80350000}),
        scalar(BuiltInType::kLocalizedText, std::string{"Ventil"}),
        array_of(BuiltInType::kInt16, {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}},
                 {2, 2}),
        array_of(BuiltInType::kString, {std::string{}, std::string{"x"}}),
        array_of(BuiltInType::kDouble, {}),
        Variant{},
    };
    for (const auto& variant : variants) {
        const auto bytes = encoded([&](Encoder& out) { out.variant(variant); });
        Decoder in{bytes};
        EXPECT_EQ(in.variant(), variant) << type_name(variant.type);
        EXPECT_FALSE(in.failed());
        EXPECT_EQ(in.remaining(), 0U);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            Decoder cut{View{bytes}.first(size)};
            (void)cut.variant();
            EXPECT_TRUE(cut.failed()) << type_name(variant.type) << " cut to " << size;
        }
    }
}

TEST(OpcUaBinary, NullStringsAreNoValueAndEmptyOnesAre) {
    const auto null = from_hex("0C FF FF FF FF");
    EXPECT_EQ(Decoder{null}.variant(), scalar(BuiltInType::kString, std::monostate{}));
    const auto empty = from_hex("0C 00 00 00 00");
    EXPECT_EQ(Decoder{empty}.variant(), scalar(BuiltInType::kString, std::string{}));
}

TEST(OpcUaBinary, VariantsNestOnlyAsDeepAsAllowed) {
    for (unsigned depth = 1; depth <= 20; ++depth) {
        // Arrays of one Variant, the innermost a Byte.
        Buffer bytes;
        for (unsigned i = 1; i < depth; ++i) {
            const auto shell = from_hex("98 01 00 00 00");
            bytes.insert(bytes.end(), shell.begin(), shell.end());
        }
        bytes.push_back(3);
        bytes.push_back(9);
        Decoder in{bytes};
        (void)in.variant();
        EXPECT_EQ(in.failed(), depth > kMostNesting) << depth;
    }
    // A scalar Variant in a Variant is not allowed at all.
    const auto scalar_variant = from_hex("18 03 09");
    Decoder in{scalar_variant};
    (void)in.variant();
    EXPECT_TRUE(in.failed());
    // DiagnosticInfos in one another.
    const Buffer diagnostics(1000, 0x40);
    Decoder deep{diagnostics};
    deep.skip_diagnostics();
    EXPECT_TRUE(deep.failed());
}

TEST(OpcUaBinary, LengthsThatLieAllocateNothing) {
    for (const char* const text : {
             "86 FF FF FF 7F 01",                                               // Int32[2147483647]
             "81 FF FF FF 7F",                                                  // Boolean[…]
             "0C FF FF FF 7F 61",                                               // a string
             "98 FF FF FF 7F",                                                  // Variant[…]
             "C6 01 00 00 00 05 00 00 00 02 00 00 00 FF FF FF 7F FF FF FF 7F",  // dimensions beyond the array
             "C6 01 00 00 00 05 00 00 00 02 00 00 00 FF FF FF FF 01 00 00 00",  // a negative dimension
             "16 00 00 01 FF FF FF 7F",                                         // an ExtensionObject's body
             "80 01 00 00 00",                                                  // an array of nothing
             "3F",                                                              // no such type, cut
         }) {
        const auto bytes = from_hex(text);
        Decoder in{bytes};
        const auto variant = in.variant();
        EXPECT_TRUE(in.failed()) << text;
        EXPECT_LE(variant.values.capacity(), 16U) << text;
    }
    // One byte an element: bounded by the number of elements too.
    Buffer many{0x81};
    Encoder out{many};
    out.put(static_cast<std::int32_t>(kMostElements + 1));
    many.resize(many.size() + kMostElements + 1);
    Decoder in{many};
    (void)in.variant();
    EXPECT_TRUE(in.failed());
}

TEST(OpcUaBinary, ManyDimensionsOfOneAreRefused) {
    Buffer bytes = from_hex("C3 01 00 00 00 07");
    Encoder out{bytes};
    out.put(std::int32_t{1000});
    for (int i = 0; i < 1000; ++i) out.put(std::int32_t{1});
    Decoder in{bytes};
    (void)in.variant();
    EXPECT_TRUE(in.failed());
}

TEST(OpcUaBinary, DataValuesWithEveryField) {
    const auto bytes =
        from_hex("3F 03 2A 00 00 35 80 00 80 3E D5 DE B1 9D 01 05 00 00 80 3E D5 DE B1 9D 01 06 00");
    Decoder in{bytes};
    const auto value = in.data_value();
    EXPECT_FALSE(in.failed());
    EXPECT_EQ(in.remaining(), 0U);
    EXPECT_EQ(value.value, scalar(BuiltInType::kByte, std::uint64_t{42}));
    EXPECT_EQ(value.status, 0x80350000U);
    EXPECT_EQ(value.source_time, UtcTime{});
    EXPECT_EQ(value.server_time, UtcTime{});
    const auto nothing = from_hex("00");
    EXPECT_EQ(Decoder{nothing}.data_value(), DataValue{});
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
