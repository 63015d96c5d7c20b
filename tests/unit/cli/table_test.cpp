#include "supervisor/cli/table.h"

#include <gtest/gtest.h>

#include "supervisor/cli/json_text.h"
#include "supervisor/cli/text.h"

namespace fieldwarden::supervisor::cli {

namespace {

TEST(Text, WidthCountsTerminalColumns) {
    EXPECT_EQ(display_width(""), 0U);
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("焊机"), 4U);
    EXPECT_EQ(display_width("（全角）"), 8U);
    EXPECT_EQ(display_width("é"), 1U);
    EXPECT_EQ(display_width("e\u0301"), 1U) << "a combining accent takes no column";
    EXPECT_EQ(display_width("🔧"), 2U);
    EXPECT_EQ(display_width("\xff\xfe"), 2U) << "each broken byte shows as one mark";
}

TEST(Text, NothingThatDrivesTheTerminalPasses) {
    EXPECT_EQ(printable("a\x1b[31mred\x07"), "a?[31mred?");
    EXPECT_EQ(printable("two\nlines\tand\rmore"), "two lines and more");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "?31m")
        << "the 8-bit CSI";
    EXPECT_EQ(printable("abc\u202Edcba"), "abc?dcba") << "writing direction turned round";
    EXPECT_EQ(printable("bad \xff byte"), "bad \uFFFD byte");
    EXPECT_EQ(printable("\xe7\x84"), "\uFFFD\uFFFD") << "a character cut short";
    EXPECT_EQ(printable("\xc0\xaf"), "\uFFFD\uFFFD") << "an overlong form";
    EXPECT_EQ(printable("温度 é 🔧"), "温度 é 🔧");
}

TEST(Text, CuttingNeverSplitsACharacter) {
    EXPECT_EQ(cut_to_width("焊机电流", 8), "焊机电流");
    EXPECT_EQ(cut_to_width("焊机电流", 7), "焊机电…");
    EXPECT_EQ(cut_to_width("焊机电流", 6), "焊机…");
    EXPECT_EQ(cut_to_width("焊机电流", 1), "…");
    EXPECT_EQ(cut_to_width("焊机电流", 0), "");
    EXPECT_EQ(cut_to_width("abcdef", 4), "abc…");
    for (std::size_t width = 0; width < 20; ++width) {
        EXPECT_LE(display_width(cut_to_width("a焊b机cé🔧d电流e\u0301f", width)), width);
    }
}

TEST(Text, WrapsAtBlanksAndWithoutThemAnywhere) {
    using Lines = std::vector<std::string>;
    EXPECT_EQ(wrapped("one two three", 80), (Lines{"one two three"}));
    EXPECT_EQ(wrapped("one two three", 7), (Lines{"one two", "three"}));
    EXPECT_EQ(wrapped("one two three", 6), (Lines{"one", "two", "three"}));
    EXPECT_EQ(wrapped("焊接电流过高", 5), (Lines{"焊接", "电流", "过高"}));
    EXPECT_EQ(wrapped("abcdefgh ij", 4), (Lines{"abcd", "efgh", "ij"}));
    EXPECT_EQ(wrapped("", 10), (Lines{""}));
    EXPECT_EQ(wrapped("   ", 2), (Lines{"  "}));
    EXPECT_EQ(wrapped("焊", 0), (Lines{"焊"})) << "a width that holds no character ends as well";
    for (std::size_t width = 2; width < 30; ++width) {
        for (const auto& line : wrapped("a焊 b机cé🔧d电流 e\u0301f   一二三", width)) {
            EXPECT_LE(display_width(line), width) << line;
        }
    }
}

TEST(Table, AlignsMixedScripts) {
    Table table{{{"名称"}, {"N", true}, {"UNIT"}}};
    table.add({{"焊接电流"}, {"1234"}, {"A"}});
    table.add({{"temp"}, {"7"}});
    EXPECT_EQ(table.render(std::nullopt, false),
              "名称         N  UNIT\n"
              "焊接电流  1234  A\n"
              "temp         7  \n");
}

TEST(Table, FitsTheTerminalByCuttingWhatMayShrink) {
    Table table{{{"CODE"}, {"ERROR", false, true}}};
    table.add({{"T1"}, {"连接 10.0.0.5:502 timed out after 1000 ms"}});
    for (const auto& line : table.lines(24, false)) EXPECT_LE(display_width(line), 24U) << line;
    EXPECT_NE(table.render(24, false).find("…"), std::string::npos);
    EXPECT_EQ(table.render(std::nullopt, false).find("…"), std::string::npos) << "a pipe gets everything";
    for (const auto& line : table.lines(1, false)) EXPECT_LE(display_width(line), 4U + 2U + 8U);
}

TEST(Table, LeavesOutWhatMattersLeastWhenCuttingIsNotEnough) {
    Table table{{{.title = "CODE", .shrinks = true, .narrowest = 4},
                 {.title = "PID", .right = true, .leaves = 2},
                 {.title = "STATE"},
                 {.title = "UP", .leaves = 1}}};
    table.add({{"WELDING"}, {"12345"}, {"GOOD"}, {"3s"}});
    EXPECT_EQ(table.render(25, false), "CODE       PID  STATE  UP\nWELDING  12345  GOOD   3s\n");
    EXPECT_EQ(table.render(22, false), "CODE    PID  STATE  UP\nWEL…  12345  GOOD   3s\n");
    EXPECT_EQ(table.render(21, false), "CODE     STATE  UP\nWELDING  GOOD   3s\n");
    EXPECT_FALSE(table.cuts(21));
    EXPECT_TRUE(table.cuts(13));
    EXPECT_FALSE(table.cuts(std::nullopt));
    EXPECT_EQ(table.render(13, false), "CODE    STATE\nWELDI…  GOOD\n");
    EXPECT_EQ(table.render(1, false), "CODE  STATE\nWEL…  GOOD\n") << "what stays is not cut further";
}

TEST(Table, ColoursOnlyWhenAskedAndNeverCountsThemAsWidth) {
    Table table{{{"A"}, {"B"}}};
    table.add({{"x", Style::kBad}, {"y"}});
    EXPECT_EQ(table.render(std::nullopt, false), "A  B\nx  y\n");
    EXPECT_EQ(table.render(std::nullopt, true), "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
}

TEST(JsonText, ReadsAnyShapeWithoutThrowing) {
    const auto json = Json::parse(R"({"s": "text", "n": 4.5, "t": true, "o": {"a": 1}, "l": [1, 2]})");
    EXPECT_EQ(text_of(json, "s"), "text");
    EXPECT_EQ(text_of(json, "n"), "4.5");
    EXPECT_EQ(text_of(json, "none"), "");
    EXPECT_EQ(text_of(json, "o"), "{\"a\":1}");
    EXPECT_EQ(number_of(json, "s"), 0.0);
    EXPECT_FALSE(flag_of(json, "s"));
    EXPECT_EQ(items_of(member(json, "l")).size(), 2U);
    EXPECT_TRUE(items_of(json).empty());
    EXPECT_EQ(text_of(Json(nullptr), "s"), "");
    EXPECT_EQ(problem_of(Json::parse(R"({"error": {"status": 409, "detail": "runs already"}})")),
              "runs already");
    EXPECT_EQ(problem_of(Json::parse(R"({"error": null})")), "");
}

TEST(JsonText, ShortFormsOfSpansAndNumbers) {
    EXPECT_EQ(short_span(-1), "0s");
    EXPECT_EQ(short_span(59.9), "59s");
    EXPECT_EQ(short_span(61), "1m 1s");
    EXPECT_EQ(short_span(3 * 3600 + 120), "3h 2m");
    EXPECT_EQ(short_span(93'784), "1d 2h");
    EXPECT_EQ(short_number(9999), "9999");
    EXPECT_EQ(short_number(12'345), "12.3k");
    EXPECT_EQ(short_number(1'234'567), "1.2M");
}

}  // namespace

}  // namespace fieldwarden::supervisor::cli
