#include "supervisor/workbook/problem_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "workbook_testing.h"

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Problems problems_at(std::initializer_list<std::pair<std::string, std::uint32_t>> places) {
    Problems problems;
    for (const auto& [sheet, row] : places)
        problems.add({.code = ProblemCode::kBadValue, .sheet = sheet, .row = row});
    return problems;
}

std::vector<std::tuple<std::string, std::string, std::string>> told(const std::vector<NeighbourCell>& cells) {
    std::vector<std::tuple<std::string, std::string, std::string>> all;
    for (const auto& cell : cells) all.emplace_back(cell.cell, cell.column, cell.text);
    return all;
}

TEST(ProblemRows, HaveTheCellsOfTheirRowUnderTheWorkbooksOwnHeaders) {
    const auto book =
        table({{"points",
                {{""}, {"point_code", "", "设备编码"}, {"P1", "note", "D1"}, {"P2", "", "D2", "beyond"}}}});
    const auto rows = problem_rows(book, problems_at({{"points", 4}, {"points", 3}, {"points", 3}}));
    ASSERT_THAT(rows, SizeIs(2));
    EXPECT_THAT(told(rows.at({"points", 3})),
                ElementsAre(std::tuple{"A3", "point_code", "P1"}, std::tuple{"B3", "", "note"},
                            std::tuple{"C3", "设备编码", "D1"}));
    EXPECT_THAT(told(rows.at({"points", 4})),
                ElementsAre(std::tuple{"A4", "point_code", "P2"}, std::tuple{"C4", "设备编码", "D2"},
                            std::tuple{"D4", "", "beyond"}));
}

TEST(ProblemRows, ShowNoSecretInAnyColumn) {
    const auto book = table({{"sinks",
                              {{"sink_code", "url", "options", "password", "remark"},
                               {"S", "http://u:hidden1@h/?token=hidden2", "token=hidden3; org=o", "hidden4",
                                "password=hidden5"}}}});
    const auto rows = problem_rows(book, problems_at({{"sinks", 2}}));
    ASSERT_THAT(rows, SizeIs(1));
    for (const auto& cell : rows.begin()->second)
        EXPECT_THAT(cell.text, Not(HasSubstr("hidden"))) << cell.column;
    EXPECT_THAT(rows.begin()->second[2].text, HasSubstr("org=o"));
}

TEST(ProblemRows, AreBounded) {
    TestRows wide{{}, {}};
    for (int i = 0; i < 100; ++i) {
        wide[0].push_back("column" + std::to_string(i));
        wide[1].push_back(std::string(1000, 'x'));
    }
    TestRows many(1000, {"x"});
    const auto book = table({{"points", wide}, {"tasks", many}});
    const auto row = problem_rows(book, problems_at({{"points", 2}})).at({"points", 2});
    EXPECT_THAT(row, SizeIs(kMostCellsOfRow));
    EXPECT_LE(row.front().text.size(), kLongestNeighbourText + 3);
    Problems problems;
    for (std::uint32_t i = 2; i <= 1000; ++i) problems.add({.sheet = "tasks", .row = i});
    EXPECT_THAT(problem_rows(book, problems), SizeIs(kMostProblemRows));
}

TEST(ProblemRows, OfWhatIsNotThereAreNone) {
    const auto book = table({{"points", {{"point_code"}, {"P1"}}}});
    EXPECT_THAT(problem_rows(book, problems_at({{"points", 0}, {"points", 99}, {"other", 2}, {"", 2}})),
                IsEmpty());
}

TEST(ProblemRows, AreGivenToTheProblemsOfTheirRow) {
    const auto book = table({{"points", {{"point_code"}, {"P1"}}}});
    const auto problems = problems_at({{"points", 2}, {"points", 0}, {"points", 2}});
    auto list = to_json(problems.errors());
    put_row_cells(list, problem_rows(book, problems));
    const proto::Json cells =
        proto::Json::array({{{"cell", "A2"}, {"column", "point_code"}, {"text", "P1"}}});
    EXPECT_EQ(list[0]["row_cells"], cells);
    EXPECT_FALSE(list[1].contains("row_cells"));
    EXPECT_EQ(list[2]["row_cells"], cells);
}

}  // namespace
}  // namespace fieldwarden::supervisor
