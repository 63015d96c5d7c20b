#include "common/options.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

namespace fieldwarden {

namespace {

TEST(OptionsText, ReadsPairsInAnyLayout) {
    const Options wanted{{"max_gap", "8"}, {"unit_id", "3"}};
    for (const auto* text : {"unit_id=3; max_gap=8", " UNIT_ID = 3 ;Max_Gap=8;; ", "max_gap=8\n;unit_id=3",
                             R"({"unit_id": 3, "Max_Gap": "8"})", "unit_id=\"3\"; max_gap=\"8\" ;"}) {
        const auto parsed = parse_options(text);
        ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
        EXPECT_EQ(*parsed, wanted) << text;
    }
    for (const auto* empty : {"", "  ", ";", " ; ;", "{}"})
        EXPECT_TRUE(parse_options(empty)->empty()) << empty;
}

TEST(OptionsText, ValuesKeepTheirText) {
    const auto parsed = parse_options(R"(a="x; y=\"z\" \\"; b=p=q; c=; d= two words ; e=C:\dir)");
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(
        *parsed,
        (Options{{"a", "x; y=\"z\" \\"}, {"b", "p=q"}, {"c", ""}, {"d", "two words"}, {"e", "C:\\dir"}}));
    const auto json =
        parse_options(R"({"t": true, "n": null, "f": 0.5, "i": -7, "s": " spaced ", "u": "焊"})");
    ASSERT_TRUE(json);
    EXPECT_EQ(*json,
              (Options{{"t", "true"}, {"n", ""}, {"f", "0.5"}, {"i", "-7"}, {"s", " spaced "}, {"u", "焊"}}));
}

TEST(OptionsText, RefusesWhatIsNoOption) {
    for (const auto* text : {"unit_id",
                             "=3",
                             " = 3",
                             "a=1; a=2",
                             "a=1; A=2",
                             "a=\"open",
                             "a=\"x\" y",
                             "a=1; b",
                             "{",
                             "{a=1}",
                             R"({"a": {"b": 1}})",
                             R"({"a": [1]})",
                             R"({"a": 1, "a": 2})",
                             R"({"a": 1, "A": 2})",
                             R"({"": 1})",
                             R"({"a": 1} x)",
                             R"({"a;b": 1})",
                             R"({"a=b": 1})",
                             R"({"a\nb": 1})",
                             R"({"\"": 1})",
                             "{\"a\": \"\xff\"}"}) {
        const auto refused = parse_options(text);
        EXPECT_FALSE(refused) << text;
        if (!refused) {
            EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
        }
    }
}

TEST(OptionsText, AnythingParsedIsFormattedAndReadBackTheSame) {
    std::mt19937 random{5};
    const std::string_view letters = "ab=;\" \\{}:,\n\t1焊";
    int understood = 0;
    for (int i = 0; i < 50'000; ++i) {
        std::string text;
        for (auto n = random() % 14; n > 0; --n) text += letters[random() % letters.size()];
        const auto parsed = parse_options(text);
        if (!parsed) continue;
        ++understood;
        const auto again = parse_options(format_options(*parsed));
        ASSERT_TRUE(again) << text << " → " << format_options(*parsed) << ": " << again.error().message;
        ASSERT_EQ(*again, *parsed) << text;
    }
    EXPECT_GT(understood, 1000);
}

TEST(OptionsText, AnyValueSurvivesFormatting) {
    std::mt19937 random{6};
    const std::string_view letters = "a;=\"\\ \n\r\t{}'x";
    for (int i = 0; i < 20'000; ++i) {
        Options options;
        for (auto keys = random() % 4; keys > 0; --keys) {
            std::string value;
            for (auto n = random() % 8; n > 0; --n) value += letters[random() % letters.size()];
            options[fmt::format("key_{}", keys)] = value;
        }
        const auto back = parse_options(format_options(options));
        ASSERT_TRUE(back) << format_options(options);
        ASSERT_EQ(*back, options) << format_options(options);
    }
}

}  // namespace

}  // namespace fieldwarden
