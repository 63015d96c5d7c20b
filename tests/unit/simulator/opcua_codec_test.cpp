#include "tests/simulator/opcua/codec.h"

#include <gtest/gtest.h>

#include <limits>

namespace fieldwarden::simulator::opcua {
namespace {

template <class Write>
Bytes written(Write write) {
    Writer writer;
    write(writer);
    return writer.bytes;
}

// The examples of OPC 10000-6, section 5.2.2.
TEST(OpcUaCodec, TheStandardsExamples) {
    EXPECT_EQ(written([](auto& w) { w.i32(1'000'000'000); }), (Bytes{0x00, 0xCA, 0x9A, 0x3B}));
    EXPECT_EQ(written([](auto& w) { w.float32(-6.5F); }), (Bytes{0x00, 0x00, 0xD0, 0xC0}));
    EXPECT_EQ(written([](auto& w) {
                  w.string(
                      "\xE6\xB0\xB4"
                      "Boy");
              }),
              (Bytes{0x06, 0, 0, 0, 0xE6, 0xB0, 0xB4, 0x42, 0x6F, 0x79}));
    EXPECT_EQ(written([](auto& w) { w.node_id(numeric(72)); }), (Bytes{0x00, 0x48}));
    EXPECT_EQ(written([](auto& w) { w.node_id(numeric(1025, 5)); }), (Bytes{0x01, 0x05, 0x01, 0x04}));
    EXPECT_EQ(written([](auto& w) {
                  w.node_id({1, std::string{"Hot\xE6\xB0\xB4"}});
              }),
              (Bytes{0x03, 0x01, 0x00, 0x06, 0, 0, 0, 0x48, 0x6F, 0x74, 0xE6, 0xB0, 0xB4}));
}

TEST(OpcUaCodec, NodeIdsOfEveryKindReadBack) {
    const std::array<std::uint8_t, 16> guid{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    for (const auto& id : {numeric(0), numeric(255), numeric(256), numeric(65535, 255), numeric(65536, 1),
                           numeric(1, 256), numeric(0xFFFFFFFF, 0xFFFF), NodeId{2, std::string{}},
                           NodeId{2, std::string{"x"}}, NodeId{3, guid}, NodeId{4, Bytes{1, 2, 3}}}) {
        const auto bytes = written([&](auto& w) { w.node_id(id); });
        Reader reader{bytes};
        EXPECT_EQ(reader.node_id(), id);
        EXPECT_TRUE(reader.good());
        EXPECT_EQ(reader.left(), 0U);
    }
}

TEST(OpcUaCodec, VariantsOfEveryTypeReadBack) {
    const std::vector<Variant> all{
        {},
        {Type::kBoolean, false, {std::uint64_t{1}}},
        {Type::kSByte, false, {std::int64_t{-128}}},
        {Type::kByte, false, {std::uint64_t{255}}},
        {Type::kInt16, false, {std::int64_t{-32768}}},
        {Type::kUInt16, false, {std::uint64_t{65535}}},
        {Type::kInt32, true, {std::int64_t{-1}, std::int64_t{1}}},
        {Type::kUInt32, true, {}},
        {Type::kInt64, false, {std::numeric_limits<std::int64_t>::min()}},
        {Type::kUInt64, false, {std::numeric_limits<std::uint64_t>::max()}},
        {Type::kFloat, false, {-0.5}},
        {Type::kDouble, true, {1e300, -2.5}},
        {Type::kString, true, {std::string{}, std::string{"x"}}},
        {Type::kDateTime, false, {std::int64_t{1}}},
        {Type::kGuid, false, {std::string(16, 'g')}},
        {Type::kByteString, false, {std::string{"\0\1", 2}}},
        {Type::kStatusCode, false, {std::uint64_t{0x80340000}}},
        {Type::kNodeId, false, {NodeId{2, std::string{"x"}}}},
        {Type::kLocalizedText, false, {std::string{"text"}}},
    };
    for (const auto& value : all) {
        const auto bytes = written([&](auto& w) { w.variant(value); });
        Reader reader{bytes};
        EXPECT_EQ(reader.variant(), value) << static_cast<int>(value.type);
        EXPECT_TRUE(reader.good());
        EXPECT_EQ(reader.left(), 0U);
        // Every shorter message is refused, and nothing is read beyond it.
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            Reader cut{std::span{bytes}.first(size)};
            (void)cut.variant();
            EXPECT_FALSE(cut.good()) << static_cast<int>(value.type) << " at " << size;
        }
    }
}

TEST(OpcUaCodec, LengthsThatCannotBeAreNotBelieved) {
    for (const auto& bytes : {Bytes{0xFF, 0xFF, 0xFF, 0x7F}, Bytes{0x05, 0, 0, 0, 'a'}}) {
        Reader reader{bytes};
        EXPECT_EQ(reader.string(), "");
        EXPECT_FALSE(reader.good());
    }
    const Bytes null{0xFF, 0xFF, 0xFF, 0xFF};
    Reader reader{null};
    EXPECT_EQ(reader.string(), "");
    EXPECT_TRUE(reader.good());
}

TEST(OpcUaCodec, DiagnosticsMayNotNestForEver) {
    const Bytes deep(100, 0x40);
    Reader reader{deep};
    reader.diagnostic_info();
    EXPECT_FALSE(reader.good());
}

}  // namespace
}  // namespace fieldwarden::simulator::opcua
