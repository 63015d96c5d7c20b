#include "supervisor/logs/log_search.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/common/temp_dir.h"
#include "tests/unit/logs/log_files.h"

namespace fieldwarden::supervisor {
namespace {

using proto::LogLevel;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class LogSearch : public testing::Test {
  protected:
    void add(std::size_t file, const proto::LogEntry& entry) { append(files_[file], log_line(entry) + "\n"); }
    LogPage search(const LogQuery& query = {}, const LogSearchLimits& limits = {}) {
        auto page = search_logs(files_, query, limits);
        EXPECT_TRUE(page);
        return page ? *page : LogPage{};
    }
    TempDir dir_;
    std::vector<std::string> files_{dir_.file("a.jsonl"), dir_.file("b.jsonl")};
};

TEST_F(LogSearch, NothingOnDiskIsAnEmptyPage) {
    const auto page = search();
    EXPECT_THAT(page.hits, IsEmpty());
    EXPECT_EQ(page.before, std::nullopt);
    EXPECT_TRUE(page.complete);
}

TEST_F(LogSearch, SeveralFilesAreOneStreamInTheOrderOfTime) {
    for (const int second : {1, 4, 5}) add(0, log_entry(second, fmt::format("a{}", second)));
    for (const int second : {0, 2, 3, 6}) add(1, log_entry(second, fmt::format("b{}", second)));
    EXPECT_THAT(messages(search()), ElementsAre("b0", "a1", "b2", "b3", "a4", "a5", "b6"));
    LogQuery last;
    last.limit = 3;
    const auto page = search(last);
    EXPECT_THAT(messages(page), ElementsAre("a4", "a5", "b6"));
    EXPECT_TRUE(page.before.has_value());
}

TEST_F(LogSearch, EveryFilter) {
    add(0, log_entry(0, "Debug THING", LogLevel::kDebug));
    add(0, log_entry(1, "info thing \"quoted\""));
    auto typed = log_entry(2, "warning other", LogLevel::kWarning);
    typed.log_type = proto::LogType::kTimeout;
    typed.execution_phase = proto::ExecutionPhase::kRetry;
    add(0, typed);
    auto failed = log_entry(3, "error x", LogLevel::kError);
    failed.exception_info = "a stack with Thing in it";
    add(0, failed);
    const auto found = [&](auto change) {
        LogQuery query;
        change(query);
        std::string seconds;
        for (const auto& hit : search(query).hits) seconds += std::to_string(hit.entry.id - 1);
        return seconds;
    };
    EXPECT_EQ(found([](LogQuery& q) { q.least = LogLevel::kWarning; }), "23");
    EXPECT_EQ(found([](LogQuery& q) { q.type = proto::LogType::kTimeout; }), "2");
    EXPECT_EQ(found([](LogQuery& q) { q.type = proto::LogType::kSuccess; }), "");
    EXPECT_EQ(found([](LogQuery& q) { q.phase = proto::ExecutionPhase::kRetry; }), "2");
    EXPECT_EQ(found([](LogQuery& q) { q.q = "tHing"; }), "013");
    EXPECT_EQ(found([](LogQuery& q) { q.q = "\"QUOTED\""; }), "1");
    EXPECT_EQ(found([](LogQuery& q) { q.q = "message"; }), "") << "a member's name is no text";
    EXPECT_EQ(found([](LogQuery& q) { q.since = at_second(1); }), "123");
    EXPECT_EQ(found([](LogQuery& q) { q.until = at_second(1); }), "01");
    EXPECT_EQ(found([](LogQuery& q) {
                  q.since = at_second(1);
                  q.until = at_second(2);
                  q.least = LogLevel::kWarning;
              }),
              "2");
}

TEST_F(LogSearch, PagesGoBackWithoutGapOrRepetition) {
    for (int second = 0; second < 100; ++second) {
        add(second % 3 == 0 ? 1 : 0, log_entry(second, std::to_string(second)));
    }
    for (const std::size_t limit : {1UL, 7UL, 50UL, 99UL, 100UL}) {
        std::vector<std::string> all;
        LogQuery query;
        query.limit = limit;
        for (int pages = 0; pages < 200; ++pages) {
            const auto page = search(query);
            const auto texts = messages(page);
            all.insert(all.begin(), texts.begin(), texts.end());
            if (!page.before) break;
            query.before = *page.before;
        }
        ASSERT_THAT(all, SizeIs(100)) << limit;
        for (int second = 0; second < 100; ++second)
            EXPECT_EQ(all[static_cast<std::size_t>(second)], std::to_string(second));
    }
}

TEST_F(LogSearch, PagesStayThoughTheFilesRotate) {
    RotatingFile writer{files_[0], {3'000, 100}};
    for (int second = 0; second < 60; ++second)
        ASSERT_TRUE(writer.write_line(log_line(log_entry(second, std::to_string(second)))));
    LogQuery query;
    query.limit = 7;
    std::vector<std::string> all;
    for (int written = 60; written < 400; ++written) {
        const auto page = search(query);
        const auto texts = messages(page);
        all.insert(all.begin(), texts.begin(), texts.end());
        ASSERT_TRUE(writer.write_line(log_line(log_entry(written, "later"))));
        if (!page.before) break;
        query.before = *page.before;
    }
    ASSERT_THAT(all, SizeIs(60));
    EXPECT_EQ(all.front(), "0");
    EXPECT_EQ(all.back(), "59");
}

TEST_F(LogSearch, DamagedLinesAreSkippedAndCounted) {
    add(0, log_entry(0, "good"));
    append(files_[0], "{\"id\": 5, \"times\n\xff\xfe\n{}\n" + std::string(2 << 20, 'x') + "\n");
    add(0, log_entry(1, "also good"));
    append(files_[0], "{\"torn");
    const auto page = search();
    EXPECT_THAT(messages(page), ElementsAre("good", "also good"));
    EXPECT_EQ(page.damaged_lines, 5U);
}

TEST_F(LogSearch, TheBudgetEndsAPageAndItsCursorLeadsOn) {
    const std::string padding(1'000, 'x');
    add(0, log_entry(0, "needle"));
    for (int second = 1; second < 2'000; ++second) add(0, log_entry(second, padding));
    LogQuery query;
    query.q = "needle";
    std::size_t pages = 0;
    std::vector<std::string> found;
    while (++pages < 100) {
        const auto page = search(query, {.max_bytes = 200'000});
        EXPECT_LE(page.scanned_bytes, 400'000U);
        for (const auto& text : messages(page)) found.push_back(text);
        if (!page.before) break;
        EXPECT_FALSE(page.complete);
        query.before = *page.before;
    }
    EXPECT_THAT(found, ElementsAre("needle"));
    EXPECT_GT(pages, 5U);
    EXPECT_LT(pages, 50U);
}

TEST_F(LogSearch, AnAnswerIsBounded) {
    for (int second = 0; second < 100; ++second) add(0, log_entry(second, std::string(5'000, 'x')));
    const auto page = search({}, {.max_answer_bytes = 50'000});
    EXPECT_LT(page.hits.size(), 11U);
    EXPECT_FALSE(page.complete);
    EXPECT_TRUE(page.before.has_value());
}

TEST_F(LogSearch, ASearchThatStopsAtSinceReadsNoFurther) {
    for (int second = 0; second < 5'000; ++second) add(0, log_entry(second, std::string(500, 'x')));
    LogQuery query;
    query.since = at_second(4'990);
    const auto page = search(query);
    EXPECT_THAT(page.hits, SizeIs(10));
    EXPECT_EQ(page.before, std::nullopt);
    EXPECT_LT(page.scanned_bytes, 200'000U);
}

TEST_F(LogSearch, ForeignCursorsAreRefused) {
    LogQuery query;
    for (const auto* cursor : {"x", "1", "1.2", "1.2.3", "1.2.3.4.5.6.7", "1.2.3.4.5x", "-1.2.3.4.5",
                               "1.2.3.4.", "99999999999999999999999.1.1.1.1"}) {
        query.before = cursor;
        const auto page = search_logs(files_, query);
        ASSERT_FALSE(page) << cursor;
        EXPECT_EQ(page.error().kind, ErrorKind::kInvalidArgument);
    }
    query.before = "18446744073709551615.1.18446744073709551615.1.18446744073709551615";
    EXPECT_TRUE(search_logs(files_, query));
}

TEST_F(LogSearch, SeveralStreamsGiveTheirNewest) {
    for (int second = 0; second < 30; ++second) {
        add(static_cast<std::size_t>(second % 2), log_entry(second, std::to_string(second)));
    }
    const std::vector<std::vector<std::string>> streams{{files_[0]}, {files_[1]}, {dir_.file("none.jsonl")}};
    LogQuery query;
    query.limit = 4;
    auto page = search_streams(streams, query);
    EXPECT_THAT(messages(page), ElementsAre("26", "27", "28", "29"));
    EXPECT_TRUE(page.complete);
    query.until = at_second(10);
    EXPECT_THAT(messages(search_streams(streams, query)), ElementsAre("7", "8", "9", "10"));
    query.until.reset();
    page = search_streams(streams, query, {.max_bytes = 100});
    EXPECT_FALSE(page.complete) << "the second stream was not looked at";
}

TEST_F(LogSearch, WhatTheDiskLacksComesFromMemory) {
    for (const int second : {1, 2, 3, 5}) add(0, log_entry(second, std::to_string(second)));
    std::vector<proto::LogEntry> recent;
    for (const int second : {2, 3, 4, 5, 6}) recent.push_back(log_entry(second, std::to_string(second)));
    LogQuery query;
    auto page = search(query);
    add_recent(page, recent, query);
    EXPECT_THAT(messages(page), ElementsAre("1", "2", "3", "4", "5", "6"));
    EXPECT_EQ(page.before, std::nullopt);

    query.limit = 3;
    page = search(query);
    EXPECT_THAT(messages(page), ElementsAre("2", "3", "5"));
    add_recent(page, recent, query);
    EXPECT_THAT(messages(page), ElementsAre("4", "5", "6"));
    ASSERT_TRUE(page.before);
    query.before = *page.before;
    page = search(query);
    add_recent(page, recent, query);
    EXPECT_THAT(messages(page), ElementsAre("1", "2", "3")) << "nothing was pushed off both pages";
}

}  // namespace
}  // namespace fieldwarden::supervisor
