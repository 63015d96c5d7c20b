#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <set>

#include "tests/contract/tdengine_sql.h"
#include "worker/sinks/tdengine/columns.h"
#include "worker/sinks/tdengine/insert_sql.h"
#include "worker/sinks/tdengine/names.h"
#include "worker/sinks/tdengine/sql_link.h"

namespace fieldwarden::worker::tdengine {
namespace {

TEST(TdengineNames, ColumnsAreThePointsCodesWithoutTheDevice) {
    EXPECT_EQ(column_of("D1", "D1_Temp"), "temp");
    EXPECT_EQ(column_of("D1", "D1.a.b-c"), "a_b_c");
    EXPECT_EQ(column_of("D1", "D1-x"), "x");
    EXPECT_EQ(column_of("D1", "D10_x"), "d10_x");
    EXPECT_EQ(column_of("D1", "D1_"), "d1_");
    EXPECT_EQ(column_of("D1", "D1"), "d1");
    EXPECT_EQ(column_of("D1", "value"), "value") << "reserved words stay: names are quoted";
}

TEST(TdengineNames, WhatDoesNotFitGetsAChecksum) {
    std::set<std::string> seen;
    const std::string longest(200, 'a');
    for (const std::string& code :
         {std::string{"ts"}, std::string{"name"}, std::string{"device_code"}, std::string{"tbname"},
          std::string{"温度"}, std::string{"湿度"}, std::string{"a b"}, std::string{"1"}, std::string{"_c0"},
          std::string{"x_q"}, std::string{"x_text"}, std::string{"x_num"}, longest, longest + "b"}) {
        const auto column = column_of("D", code);
        EXPECT_TRUE(seen.insert(column).second) << column;
        EXPECT_TRUE(is_plain_name(column)) << column;
        EXPECT_LE(column.size() + kTextSuffix.size(), kLongestColumn) << column;
        EXPECT_EQ(column, column_of("D", code));
        EXPECT_EQ(column[column.size() - 9], '_') << column;
    }
}

TEST(TdengineNames, PointsOfOneDeviceNeverShareAColumn) {
    const auto point = [](std::string device, std::string code) {
        return PointIdentity{"", std::move(device), "", "", std::move(code), "", {BaseType::kBool, 0}};
    };
    const auto names = name_columns({{1, point("D", "Temp")},
                                     {2, point("D", "TEMP")},
                                     {3, point("D", "D_temp")},
                                     {4, point("E", "temp")},
                                     {5, point("D", "a.b")},
                                     {6, point("D", "a_b")},
                                     {7, point("D", "again")},
                                     {8, point("D", "again")}});
    EXPECT_EQ(std::set<std::string>({names.at(1), names.at(2), names.at(3), names.at(5), names.at(6)}).size(),
              5U);
    EXPECT_EQ(names.at(4), "temp");
    EXPECT_NE(names.at(1), "temp") << "or it would change its column when the other is removed";
    EXPECT_EQ(names.at(7), "again");
    EXPECT_EQ(names.at(8), "again") << "the same point, removed and made anew";
}

TEST(TdengineNames, TablesKeepTheirCaseAndHoldNothingOdd) {
    EXPECT_EQ(table_of("Pump-1"), "t_Pump-1");
    EXPECT_EQ(table_of("a.b").substr(0, 6), "t_a_b_");
    EXPECT_NE(table_of("a.b"), table_of("a_b"));
    EXPECT_NE(table_of("a`b"), table_of("a.b"));
    EXPECT_LE(table_of(std::string(500, 'x')).size(), kLongestTable);
    EXPECT_NE(table_of(std::string(500, 'x')), table_of(std::string(501, 'x')));
    PointIdentity point{"", "D", "", "", "P", "", {BaseType::kBool, 0}};
    EXPECT_EQ(super_table_of(point), "st_points");
    point.type_code = "Pump";
    EXPECT_EQ(super_table_of(point), "st_Pump");
    point.stable_name = "pumps";
    EXPECT_EQ(super_table_of(point), "pumps");
}

// Any text, made mostly of what is special, comes back as it was.
TEST(TdengineNames, TextsReadBack) {
    std::mt19937 random{11};
    const std::string_view alphabet = "ab'\"\\`%_nrt\n\r\t中();--";
    for (int i = 0; i < 20'000; ++i) {
        std::string text;
        for (auto length = random() % 14; text.size() < length;) text += alphabet[random() % alphabet.size()];
        std::string literal;
        append_text(literal, text);
        const auto words = tdengine_stand_in::split_sql(literal);
        ASSERT_EQ(words.size(), 2U) << literal;
        ASSERT_EQ(words[0].kind, tdengine_stand_in::Word::Kind::kText);
        ASSERT_EQ(words[0].text, text) << literal;
    }
    std::string literal;
    append_text(literal, std::string_view{"a\0b", 3});
    EXPECT_EQ(literal, "'ab'");
}

TEST(TdengineColumns, IntegersAtTheirLimitsGoWhereTheyFit) {
    const auto column_for = [](const char* type, const Value& value) {
        SuperTable table;
        table.columns["c"] = {type, 0};
        ColumnPlan plan{table};
        const auto cells =
            plan.place("c", {BaseType::kInt64, 0}, {1, Quality::kGood, QualityCode::kNone, {}, value});
        return cells->front().column;
    };
    EXPECT_EQ(column_for("TINYINT", std::int64_t{127}), "c");
    EXPECT_EQ(column_for("TINYINT", std::int64_t{128}), "c_num");
    EXPECT_EQ(column_for("TINYINT", std::int64_t{-127}), "c");
    EXPECT_EQ(column_for("TINYINT", std::int64_t{-128}), "c_num") << "is NULL in some versions";
    EXPECT_EQ(column_for("BIGINT", std::numeric_limits<std::int64_t>::max()), "c");
    EXPECT_EQ(column_for("BIGINT", std::numeric_limits<std::int64_t>::min()), "c_num");
    EXPECT_EQ(column_for("BIGINT", std::uint64_t{1} << 63), "c_num");
    EXPECT_EQ(column_for("BIGINT UNSIGNED", std::int64_t{-1}), "c_num");
    EXPECT_EQ(column_for("BIGINT UNSIGNED", std::uint64_t{1} << 63), "c");
    EXPECT_EQ(column_for("FLOAT", 1e39), "c_num");
    EXPECT_EQ(column_for("FLOAT", 1e38), "c");
    EXPECT_EQ(column_for("INT", true), "c");
    EXPECT_EQ(column_for("BOOL", true), "c");
    EXPECT_EQ(column_for("BOOL", std::int64_t{1}), "c_num");
    EXPECT_EQ(column_for("VARBINARY", 1.0), "c_num");
    EXPECT_EQ(column_for("VARBINARY", std::string{"x"}), "c_text");
}

TEST(TdengineColumns, LiteralsSayTheirType) {
    const auto literal = [](BaseType base, const Value& value) {
        ColumnPlan plan{SuperTable{}};
        const auto cells = plan.place("c", {base, 8}, {1, Quality::kGood, QualityCode::kNone, {}, value});
        return cells->front().literal;
    };
    EXPECT_EQ(literal(BaseType::kFloat64, 5.0), "5.0");
    EXPECT_EQ(literal(BaseType::kFloat64, std::int64_t{5}), "5.0");
    EXPECT_EQ(literal(BaseType::kFloat64, 1e300), "1e+300");
    EXPECT_EQ(literal(BaseType::kInt16, std::int64_t{-5}), "-5");
    EXPECT_EQ(literal(BaseType::kBool, true), "true");
    EXPECT_EQ(literal(BaseType::kString, std::string{"it's"}), "'it\\'s'");
    EXPECT_EQ(literal(BaseType::kFloat64, std::nan("")), "0") << "the quality alone";
    EXPECT_EQ(literal(BaseType::kFloat64, -HUGE_VAL), "0");
}

TEST(TdengineColumns, ChangesAreNotedOnceAndAtTheirLargest) {
    SuperTable table;
    table.columns["there"] = {"NCHAR", 64};
    ColumnPlan plan{table};
    for (const std::size_t length : {70U, 10U, 200U, 100U}) {
        for (const char* column : {"there", "fresh"}) {
            ASSERT_TRUE(plan.place(column, {BaseType::kString, 8},
                                   {1, Quality::kGood, QualityCode::kNone, {}, std::string(length, 'x')}));
        }
    }
    std::map<std::string, std::pair<std::string, bool>> changes;
    for (const auto& change : plan.changes())
        changes[change.name] = {declaration(change.column), change.widen};
    EXPECT_EQ(plan.changes().size(), 4U);
    EXPECT_EQ(changes["there"], (std::pair<std::string, bool>{"NCHAR(256)", true}));
    EXPECT_EQ(changes["fresh"], (std::pair<std::string, bool>{"NCHAR(256)", false}));
    EXPECT_EQ(changes["fresh_q"], (std::pair<std::string, bool>{"TINYINT", false}));
    EXPECT_FALSE(plan.place("c", {BaseType::kString, 8},
                            {1, Quality::kGood, QualityCode::kNone, {}, std::string(kLongestText + 1, 'x')}));
}

TEST(TdengineInsert, NamesTheColumnsOfEachRowAndATableOnceAStatement) {
    TableRows a{"`t_a` USING `s` (`g`) TAGS ('a')", "ts", {}};
    a.rows[1] = {{"x", "1"}, {"x_q", "0"}};
    a.rows[2] = {{"x", "2"}, {"x_q", "0"}};
    a.rows[3] = {{"y", "3"}};
    TableRows b{"`t_b`", "ts", {}};
    b.rows[1] = {{"x", "9"}};
    EXPECT_EQ(
        insert_statements({a, b}),
        (std::vector<std::string>{"INSERT INTO `t_a` USING `s` (`g`) TAGS ('a') (`ts`,`x`,`x_q`) VALUES "
                                  "(1,1,0)(2,2,0) `t_b` (`ts`,`x`) VALUES (1,9)",
                                  "INSERT INTO `t_a` USING `s` (`g`) TAGS ('a') (`ts`,`y`) VALUES (3,3)"}));
    EXPECT_TRUE(insert_statements({}).empty());
    EXPECT_TRUE(insert_statements({{"`t`", "ts", {}}}).empty());
}

TEST(TdengineInsert, StaysWithinTheLimitAndLosesNothing) {
    std::mt19937 random{3};
    for (int round = 0; round < 200; ++round) {
        std::vector<TableRows> tables;
        std::size_t rows = 0;
        for (int table = 0; table < 4; ++table) {
            TableRows each{"`t" + std::to_string(table) + "`", "ts", {}};
            for (unsigned row = 0; row < random() % 30; ++row) {
                each.rows[row]["c" + std::to_string(random() % 3)] = std::string(1 + random() % 40, '1');
            }
            rows += each.rows.size();
            tables.push_back(std::move(each));
        }
        std::size_t found = 0;
        for (const auto& statement : insert_statements(tables, 160)) {
            ASSERT_LE(statement.size(), 160U);
            ASSERT_TRUE(statement.starts_with("INSERT INTO `t"));
            tdengine_stand_in::split_sql(statement);
            for (auto at = statement.find(" VALUES "); at != std::string::npos;
                 at = statement.find(" VALUES ", at + 1)) {
                for (auto end = at + 8; end < statement.size() && statement[end] == '(';) {
                    ++found;
                    end = statement.find(')', end) + 1;
                }
            }
        }
        ASSERT_EQ(found, rows);
    }
}

TEST(TdengineFaults, CodesMeanTheSameWithTheirHighBit) {
    EXPECT_EQ(fault_of(0x2600), Fault::kRefused);
    EXPECT_EQ(fault_of(0x80002600), Fault::kRefused);
    EXPECT_EQ(fault_of(-2'147'473'920), Fault::kRefused) << "0x80002600 as a signed number";
    EXPECT_EQ(fault_of(0x2603), Fault::kSchema);
    EXPECT_EQ(fault_of(0x0388), Fault::kDatabase);
    EXPECT_EQ(fault_of(0), Fault::kNone);
    EXPECT_TRUE(says_exists(0x8000036B));
    for (std::int64_t code = 1; code < 0x10000; ++code) EXPECT_NE(fault_of(code), Fault::kNone);
}

}  // namespace
}  // namespace fieldwarden::worker::tdengine
