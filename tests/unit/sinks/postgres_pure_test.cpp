#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "worker/sinks/postgres/copy_rows.h"
#include "worker/sinks/postgres/settings.h"
#include "worker/sinks/postgres/sqlstate.h"
#include "worker/sinks/postgres/table_name.h"

namespace fieldwarden::worker::postgres {
namespace {

using std::chrono::sys_days;
using std::chrono::year;

std::string hex(std::string_view bytes) {
    std::string out;
    for (const char c : bytes) {
        constexpr std::string_view kDigits = "0123456789abcdef";
        out += kDigits[static_cast<unsigned char>(c) >> 4];
        out += kDigits[static_cast<unsigned char>(c) & 15];
    }
    return out;
}

// The row without its head up to `value`.
std::string tail_of(Value value, Quality quality = Quality::kGood) {
    const PointIdentity point{"S", "D", "", "", "P", "", {BaseType::kFloat64, 0}};
    std::string row;
    append_copy_row(row, point,
                    {1, quality, QualityCode::kNone, UtcTime{sys_days{year{2000} / 1 / 1}}, value});
    constexpr std::size_t kHead = 2 + 4 + 8 + 3 * (4 + 1);
    return hex(std::string_view{row}.substr(kHead));
}

constexpr const char* kNull = "ffffffff";

TEST(CopyRows, ARowIsAsTheManualSays) {
    const PointIdentity point{"S\xC3\xBC", "D", "", "", "P", "", {BaseType::kFloat64, 0}};
    std::string row;
    append_copy_row(row, point,
                    {1, Quality::kBad, QualityCode::kNone,
                     UtcTime{sys_days{year{2000} / 1 / 1}} - std::chrono::microseconds{1}, 1.5});
    EXPECT_EQ(hex(row),
              "0007"
              "00000008ffffffffffffffff"
              "0000000353c3bc"
              "0000000144"
              "0000000150"
              "000000083ff8000000000000"
              "ffffffff"
              "000000020002");
    std::string frame;
    append_copy_header(frame);
    append_copy_trailer(frame);
    EXPECT_EQ(hex(frame),
              "5047434f50590aff0d0a00"
              "0000000000000000"
              "ffff");
}

TEST(CopyRows, ValuesTakeTheirColumns) {
    const std::string good = "000000020000";
    EXPECT_EQ(tail_of(Value{}), kNull + std::string{kNull} + good);
    EXPECT_EQ(tail_of(true), "000000083ff0000000000000" + std::string{kNull} + good);
    EXPECT_EQ(tail_of(false), "000000080000000000000000" + std::string{kNull} + good);
    EXPECT_EQ(tail_of(std::string{"a"}), kNull + std::string{"0000000161"} + good);
    EXPECT_EQ(tail_of(std::string{}), kNull + std::string{"00000000"} + good);
    EXPECT_EQ(tail_of(1.0, Quality::kUncertain),
              "000000083ff0000000000000" + std::string{kNull} + "000000020001");
}

TEST(CopyRows, WholeNumbersBeyondADoubleAreKeptAsText) {
    constexpr std::int64_t kLast = std::int64_t{1} << 53;
    const auto has_text = [](Value value) { return tail_of(std::move(value)).substr(24, 8) != kNull; };
    for (const auto exact : {std::int64_t{0}, std::int64_t{-1}, kLast, -kLast}) EXPECT_FALSE(has_text(exact));
    for (const auto rounded : {kLast + 1, -kLast - 1, std::numeric_limits<std::int64_t>::min(),
                               std::numeric_limits<std::int64_t>::max()}) {
        EXPECT_TRUE(has_text(rounded));
    }
    EXPECT_FALSE(has_text(static_cast<std::uint64_t>(kLast)));
    EXPECT_TRUE(has_text(static_cast<std::uint64_t>(kLast) + 1));
    EXPECT_EQ(tail_of(std::numeric_limits<std::uint64_t>::max()).substr(24),
              "00000014" + hex("18446744073709551615") + "000000020000");
}

TEST(CopyRows, TextIsMadeValid) {
    EXPECT_EQ(tail_of(std::string{"\0\xC3", 2}), kNull + ("00000006" + hex("\uFFFD\uFFFD")) + "000000020000");
}

TEST(CopyRows, TimesBeginWithTheJulianDays) {
    const UtcTime first{sys_days{year{-4713} / 11 / 24}};
    EXPECT_TRUE(fits_timestamptz(first));
    EXPECT_FALSE(fits_timestamptz(first - std::chrono::microseconds{1}));
    EXPECT_FALSE(fits_timestamptz(UtcTime::min()));
    EXPECT_TRUE(fits_timestamptz(UtcTime::max()));
}

TEST(TableNames, AreParsedAndQuoted) {
    const auto plain = parse_table_name("points");
    ASSERT_TRUE(plain);
    EXPECT_EQ(sql_name(*plain), "\"points\"");
    const auto odd = parse_table_name("My.Ta\"ble; DROP");
    ASSERT_TRUE(odd);
    EXPECT_EQ(sql_name(*odd), "\"My\".\"Ta\"\"ble; DROP\"");
    EXPECT_EQ(sql_partition_name(*odd, sys_days{year{2026} / 1 / 2}), "\"My\".\"Ta\"\"ble; DROP_20260102\"");
    EXPECT_EQ(sql_default_partition_name(*plain), "\"points_default\"");
    EXPECT_EQ(quoted_literal("it's"), "'it''s'");
    for (const std::string bad : {"", ".", "a.", ".a", "a.b.c"}) EXPECT_FALSE(parse_table_name(bad)) << bad;
    EXPECT_FALSE(parse_table_name(std::string_view{"a\0b", 3}));
    EXPECT_TRUE(parse_table_name(std::string(54, 'x')));
    EXPECT_FALSE(parse_table_name(std::string(55, 'x')));
}

TEST(SqlStates, SayWhatBecomesOfTheData) {
    for (const char* data : {"22003", "22021", "23502", "23505", "54000"}) {
        EXPECT_EQ(trouble_of(data, ""), Trouble::kData) << data;
    }
    EXPECT_EQ(trouble_of("23514", "my_check"), Trouble::kData);
    EXPECT_EQ(trouble_of("23514", ""), Trouble::kSchema) << "no partition for a row";
    for (const char* schema : {"42P01", "42501", "42703", "3F000", "0A000"}) {
        EXPECT_EQ(trouble_of(schema, ""), Trouble::kSchema) << schema;
    }
    EXPECT_EQ(trouble_of("28P01", ""), Trouble::kSignIn);
    for (const char* later :
         {"08006", "57P01", "57014", "53100", "53300", "40001", "40P01", "55P03", "25006", "XX000", ""}) {
        EXPECT_EQ(trouble_of(later, ""), Trouble::kUnavailable) << later;
    }
}

TEST(PostgresSettings, TheOptionsPasswordWinsAndIsNotShown) {
    const auto settings =
        read_settings({"pg",
                       "postgres",
                       "postgresql://u:old@db.example:5433/plant?sslmode=require&keepalives_idle=5",
                       {{"password", "geheim"}, {"table", "a.b"}}},
                      {"", "TASK", {}, {}});
    ASSERT_TRUE(settings);
    EXPECT_EQ(settings->label, "postgres db.example:5433/plant, table a.b");
    const auto value = [&](std::string_view keyword) {
        std::string all;
        for (const auto& [name, text] : settings->connection)
            if (name == keyword) all += text + ";";
        return all;
    };
    EXPECT_EQ(value("password"), "geheim;");
    EXPECT_EQ(value("keepalives_idle"), "5;") << "the url's own word stands";
    EXPECT_EQ(value("sslmode"), "require;");
    EXPECT_EQ(value("application_name"), "fieldwarden TASK/pg;");
}

}  // namespace
}  // namespace fieldwarden::worker::postgres
