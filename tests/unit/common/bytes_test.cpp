#include "common/bytes.h"

#include <gtest/gtest.h>

#include <random>

#include "common/enum_table.h"
#include "common/hash.h"
#include "common/result.h"
#include "common/sample.h"

namespace fieldwarden {

namespace {

TEST(Bytes, WhatIsWrittenIsReadBack) {
    Bytes out;
    ByteWriter writer{out};
    writer.put<std::uint8_t>(0xAB);
    writer.put<std::int32_t>(-5);
    writer.put(2.5);
    writer.put(Quality::kBad);
    writer.put_text("焊机");
    writer.put_varint(300);
    ByteReader reader{out};
    EXPECT_EQ(reader.get<std::uint8_t>(), 0xAB);
    EXPECT_EQ(reader.get<std::int32_t>(), -5);
    EXPECT_EQ(reader.get<double>(), 2.5);
    EXPECT_EQ(reader.get<Quality>(), Quality::kBad);
    EXPECT_EQ(reader.get_text(), "焊机");
    EXPECT_EQ(reader.get_varint(), 300U);
    EXPECT_EQ(reader.remaining(), 0U);
    EXPECT_FALSE(reader.failed());
}

TEST(Bytes, TheLayoutIsLittleEndianAndSevenBitsAByte) {
    Bytes out;
    ByteWriter writer{out};
    writer.put<std::uint32_t>(0x01020304);
    writer.put_varint(0);
    writer.put_varint(127);
    writer.put_varint(128);
    EXPECT_EQ(as_text(out), std::string_view("\x04\x03\x02\x01\x00\x7f\x80\x01", 8));
}

TEST(Bytes, VarintsOfEveryLengthComeBack) {
    std::mt19937_64 random{1};
    for (int i = 0; i < 5000; ++i) {
        const std::uint64_t value = i == 0 ? UINT64_MAX : random() >> (random() % 64);
        Bytes out;
        ByteWriter{out}.put_varint(value);
        EXPECT_LE(out.size(), 10U);
        ByteReader reader{out};
        ASSERT_EQ(reader.get_varint(), value);
        ASSERT_EQ(reader.remaining(), 0U);
    }
}

TEST(Bytes, AReaderNeverPassesItsEndAndStaysFailed) {
    const Bytes three(3, std::byte{0xFF});
    ByteReader numbers{three};
    EXPECT_EQ(numbers.get<std::uint32_t>(), 0U);
    EXPECT_TRUE(numbers.failed());
    EXPECT_EQ(numbers.get<std::uint8_t>(), 0) << "later reads give zero";
    EXPECT_EQ(numbers.remaining(), 0U);

    ByteReader endless{three};  // a varint that never ends
    EXPECT_EQ(endless.get_varint(), 0U);
    EXPECT_TRUE(endless.failed());
    const Bytes eleven(11, std::byte{0xFF});
    ByteReader too_long{eleven};
    EXPECT_EQ(too_long.get_varint(), 0U);
    EXPECT_TRUE(too_long.failed());

    Bytes lying;  // a text that claims more than there is
    ByteWriter{lying}.put_varint(UINT64_MAX);
    ByteReader text{lying};
    EXPECT_EQ(text.get_text(), "");
    EXPECT_TRUE(text.failed());
}

TEST(Crc32c, MatchesThePublishedVectors) {
    EXPECT_EQ(crc32c(as_bytes("123456789")), 0xE3069283U);       // RFC 3720 B.4's polynomial, check value
    EXPECT_EQ(crc32c(Bytes(32, std::byte{0})), 0x8A9136AAU);     // RFC 3720 B.4: 32 bytes of zeroes
    EXPECT_EQ(crc32c(Bytes(32, std::byte{0xFF})), 0x62A8AB43U);  // 32 bytes of ones
    EXPECT_EQ(crc32c({}), 0U);
}

TEST(EnumTable, NamesAndValuesAreOneToOne) {
    for (const auto& entry : EnumNames<QualityCode>::table) {
        EXPECT_EQ(to_name(entry.value), entry.name);
        EXPECT_EQ(from_name<QualityCode>(entry.name), entry.value);
    }
    EXPECT_EQ(from_name<Quality>("Good"), std::nullopt);
    EXPECT_EQ(to_name(static_cast<Quality>(99)), "?");
    EXPECT_EQ(all_names<Quality>(), "good, uncertain, bad");
}

TEST(ResultTest, CarriesAValueOrAnErrorAndNeverBoth) {
    const Result<int> fine = 5;
    const Result<int> failed = make_error(ErrorKind::kNotFound, "no such thing");
    EXPECT_EQ(*fine, 5);
    EXPECT_FALSE(failed);
    EXPECT_EQ(failed.error().kind, ErrorKind::kNotFound);
    EXPECT_THROW(static_cast<void>(failed.value()), std::logic_error);
}

TEST(ErrnoText, SpellsTheErrorOut) {
    EXPECT_EQ(errno_text(ENOENT), "No such file or directory");
}

}  // namespace

}  // namespace fieldwarden
