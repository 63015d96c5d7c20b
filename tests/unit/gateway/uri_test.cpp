#include "supervisor/gateway/uri.h"

#include <gtest/gtest.h>

namespace fieldwarden::supervisor::gateway {
namespace {

TEST(PercentDecode, TakesHexOfEitherCase) {
    EXPECT_EQ(percent_decode("a%2Fb%2fc"), "a/b/c");
    EXPECT_EQ(percent_decode("a+b"), "a+b");
    EXPECT_EQ(percent_decode("a+b", true), "a b");
}

TEST(PercentDecode, RefusesBrokenEscapes) {
    for (const auto* text : {"%", "%4", "abc%", "%zz", "%4g", "%%41"})
        EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(Utf8, AcceptsWellFormedRefusesTheRest) {
    for (const std::string_view good :
         {"", "abc", "站点", "\xF0\x9F\x98\x80", "\xC2\x80", "\xEF\xBF\xBF", "\xF4\x8F\xBF\xBF"}) {
        EXPECT_TRUE(valid_utf8(good)) << good;
    }
    for (const std::string_view bad :
         {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
          "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xC2", "\xE4\xB8", "\xF0\x9F\x98", "a\xFF"}) {
        EXPECT_FALSE(valid_utf8(bad));
    }
}

TEST(Target, SplitsPathAndQuery) {
    const auto target = parse_target("/api/v1/tasks/T%201/?q=a%26b&sort=-name&flag&q=c+d");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->segments, (std::vector<std::string>{"api", "v1", "tasks", "T 1"}));
    EXPECT_EQ(target->path(), "/api/v1/tasks/T 1");
    EXPECT_EQ(target->query, (Query{{"q", "a&b"}, {"sort", "-name"}, {"flag", ""}, {"q", "c d"}}));
}

TEST(Target, KnowsTheRootAndTheAliases) {
    ASSERT_TRUE(parse_target("/"));
    EXPECT_TRUE(parse_target("/")->segments.empty());
    EXPECT_EQ(parse_target("/?a=b")->query.size(), 1U);
    EXPECT_EQ(parse_target("/api/config/import-jobs/")->path(), "/api/v1/import-jobs");
    EXPECT_EQ(parse_target("/api/acquisition/sessions/start_task/")->path(), "/api/v1/sessions/start_task");
    EXPECT_EQ(parse_target("/other/config/x")->path(), "/other/config/x");
}

TEST(Target, RefusesWhatNobodySendsInGoodFaith) {
    for (const auto* text : {"", "api", "http://x/y", "*", "/a//b", "//", "/a/../b", "/a/./b", "/%2e%2e/b",
                             "/a%00b", "/%FF", "/a?x=%FF", "/a?x=%00", "/a?%", "/a#b", "/a?x=%C0%AF"}) {
        EXPECT_FALSE(parse_target(text)) << text;
    }
    std::string many = "/a?";
    for (std::size_t i = 0; i <= kMostQueryParameters; ++i) many += "x=1&";
    EXPECT_FALSE(parse_target(many));
}

TEST(Target, AnEscapedSlashStaysInItsSegment) {
    const auto target = parse_target("/api/v1/tasks/a%2Fb");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->segments.back(), "a/b");
}

}  // namespace
}  // namespace fieldwarden::supervisor::gateway
