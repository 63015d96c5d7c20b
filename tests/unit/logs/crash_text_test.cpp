#include "supervisor/logs/crash_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {
namespace {

using proto::LogEntry;
using proto::LogLevel;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<LogEntry> parse(std::string_view text, const SecretMask& mask = {}) {
    CrashText crash{mask};
    std::vector<LogEntry> entries;
    crash.feed(text, entries);
    crash.flush(entries);
    return entries;
}

LogEntry parse_one(std::string_view text) {
    const auto entries = parse(text);
    EXPECT_EQ(entries.size(), 1U) << text;
    return entries.empty() ? LogEntry{} : entries.front();
}

TEST(CrashText, ALineThatSaysNothingIsInfo) {
    const auto entry = parse_one("hello world\n");
    EXPECT_EQ(entry.level, LogLevel::kInfo);
    EXPECT_EQ(entry.message, "hello world");
    EXPECT_EQ(entry.exception_info, "");
    EXPECT_EQ(entry.log_type, std::nullopt);
}

TEST(CrashText, TagsAndWordsMakeTheLevel) {
    const std::vector<std::pair<std::string_view, LogLevel>> cases{
        {"ERROR: no answer", LogLevel::kError},
        {"ERROR Connection timed out: select", LogLevel::kError},
        {"warning: the clock went back", LogLevel::kWarning},
        {"[2026-11-22 17:08:43.123] [net] [warning] slow", LogLevel::kWarning},
        {"[error] [a.cpp:7] x", LogLevel::kError},
        {"E1122 17:08:43.123456  1234 net.cc:12] broken pipe", LogLevel::kError},
        {"I1122 17:08:43.123456  1234 net.cc:12] error counters reset", LogLevel::kInfo},
        {"F1122 17:08:43.123456  1234 net.cc:12] gone", LogLevel::kCritical},
        {"%3|1700000000.123|FAIL|rdkafka#producer-1| [thrd:b]: refused", LogLevel::kError},
        {"%7|1700000000.123|TICK|rdkafka#producer-1| error", LogLevel::kDebug},
        {"<4>from systemd's convention", LogLevel::kWarning},
        {"connect failed", LogLevel::kError},
        {"libfoo: cannot open shared object file", LogLevel::kError},
        {"read 3 values, no error", LogLevel::kInfo},
        {"terrors are no word of ours", LogLevel::kInfo},
        {"Segmentation fault (core dumped)", LogLevel::kCritical},
        {"fatal: out of luck", LogLevel::kCritical},
        {"free(): invalid pointer", LogLevel::kCritical},
        {"double free or corruption (out)", LogLevel::kCritical},
        {"*** stack smashing detected ***: terminated", LogLevel::kCritical},
        {"pure virtual method called", LogLevel::kCritical},
    };
    for (const auto& [line, level] : cases) {
        EXPECT_EQ(parse_one(std::string{line} + "\n").level, level) << line;
    }
}

TEST(CrashText, TakesTheTextOutOfItsTags) {
    EXPECT_EQ(parse_one("[2026-11-22 17:08:43.123] [net] [warning] slow\n").message, "slow");
    const auto glog = parse_one("E1122 17:08:43.123456  1234 net.cc:12] broken pipe\n");
    EXPECT_EQ(glog.message, "broken pipe");
    EXPECT_EQ(glog.source_file, "net.cc");
    EXPECT_EQ(glog.line_number, 12U);
    EXPECT_EQ(parse_one("%3|1700000000.123|FAIL|rdkafka#producer-1| [thrd:b]: refused\n").message,
              "FAIL|rdkafka#producer-1| [thrd:b]: refused");
    EXPECT_EQ(parse_one("<3>text\n").message, "text");
    const auto spd = parse_one("[error] [src/a.cpp:7] x\n");
    EXPECT_EQ(spd.source_file, "src/a.cpp");
    EXPECT_EQ(spd.line_number, 7U);
    // Brackets without a level are a part of the text.
    EXPECT_EQ(parse_one("[main] started\n").message, "[main] started");
}

TEST(CrashText, AnAssertionNamesItsPlace) {
    const auto entry =
        parse_one("fieldwarden-worker: /src/worker/spool.cpp:123: void f(int): Assertion `x > 0' failed.\n");
    EXPECT_EQ(entry.level, LogLevel::kCritical);
    EXPECT_EQ(entry.log_type, proto::LogType::kException);
    EXPECT_EQ(entry.source_file, "/src/worker/spool.cpp");
    EXPECT_EQ(entry.line_number, 123U);
    EXPECT_THAT(entry.message, HasSubstr("Assertion `x > 0' failed."));
}

TEST(CrashText, AnUncaughtExceptionIsOneEntryWithItsText) {
    const auto entry = parse_one(
        "terminate called after throwing an instance of 'std::runtime_error'\n  what():  no such device\n");
    EXPECT_EQ(entry.level, LogLevel::kCritical);
    EXPECT_EQ(entry.message,
              "terminate called after throwing an instance of 'std::runtime_error': no such device");
    EXPECT_THAT(entry.exception_info, HasSubstr("\n  what():  no such device"));
}

constexpr std::string_view kAsan =
    "=================================================================\n"
    "==4711==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000010 at pc 0x55 bp 0x7f sp "
    "0x7f\n"
    "READ of size 4 at 0x602000000010 thread T0\n"
    "    #0 0x7f in free ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:52\n"
    "    #1 0x55 in decode(int) /src/worker/decode.cpp:31:7\n"
    "    #2 0x55 in main /src/worker/main.cpp:12\n"
    "\n"
    "0x602000000010 is located 0 bytes inside of 4-byte region\n"
    "SUMMARY: AddressSanitizer: heap-use-after-free /src/worker/decode.cpp:31:7 in decode(int)\n"
    "Shadow bytes around the buggy address:\n"
    "  0x0c047fff7fb0: 00 00 00 00\n"
    "==4711==ABORTING\n";

TEST(CrashText, ASanitizersReportIsOneEntry) {
    const auto entries = parse(std::string{"before\n"} + std::string{kAsan} + "after\n");
    ASSERT_EQ(entries.size(), 3U);
    EXPECT_EQ(entries[0].message, "before");
    EXPECT_EQ(entries[2].message, "after");
    const auto& report = entries[1];
    EXPECT_EQ(report.level, LogLevel::kCritical);
    EXPECT_THAT(report.message, testing::StartsWith("AddressSanitizer: heap-use-after-free"));
    EXPECT_EQ(report.source_file, "/src/worker/decode.cpp");
    EXPECT_EQ(report.line_number, 31U);
    EXPECT_THAT(report.exception_info, HasSubstr("Shadow bytes"));
}

TEST(CrashText, OtherSanitizers) {
    const auto race = parse(
        "==================\nWARNING: ThreadSanitizer: data race (pid=1)\n  Write of size 4\n    #0 f "
        "/s/a.cpp:3\n"
        "\nSUMMARY: ThreadSanitizer: data race /s/a.cpp:3 in f\n==================\nnext\n");
    ASSERT_EQ(race.size(), 2U);
    EXPECT_EQ(race[0].message, "ThreadSanitizer: data race (pid=1)");
    EXPECT_EQ(race[0].source_file, "/s/a.cpp");
    EXPECT_EQ(race[1].message, "next");
    const auto undefined = parse_one(
        "/s/b.cpp:9:5: runtime error: signed integer overflow\n    #0 0x5 in f /s/b.cpp:9\nSUMMARY: "
        "UndefinedBehaviorSanitizer: undefined-behavior /s/b.cpp:9:5\n");
    EXPECT_EQ(undefined.level, LogLevel::kCritical);
    EXPECT_EQ(undefined.source_file, "/s/b.cpp");
    EXPECT_EQ(undefined.line_number, 9U);
    const auto leak =
        parse_one("\n==5==ERROR: LeakSanitizer: detected memory leaks\n\nDirect leak of 4 bytes\n");
    EXPECT_EQ(leak.message, "LeakSanitizer: detected memory leaks");
}

TEST(CrashText, IndentedLinesBelongToTheOneAbove) {
    const auto entries = parse("error: bad\n  at x\n\tat y\n./worker(+0x12) [0x55]\nnext\n");
    ASSERT_EQ(entries.size(), 2U);
    EXPECT_EQ(entries[0].message, "error: bad");
    EXPECT_EQ(entries[0].exception_info, "error: bad\n  at x\n\tat y\n./worker(+0x12) [0x55]");
}

TEST(CrashText, OurOwnLineMayBePrinted) {
    LogEntry said;
    said.level = LogLevel::kWarning;
    said.message = "a\tb\nc";
    said.source_file = "x.cpp";
    said.line_number = 5;
    said.log_type = proto::LogType::kSuccess;
    const auto entry = parse_one(to_json(said).dump() + "\n");
    EXPECT_EQ(entry.level, LogLevel::kWarning);
    EXPECT_EQ(entry.message, "a\tb c");
    EXPECT_EQ(entry.line_number, 5U);
    EXPECT_EQ(entry.log_type, std::nullopt) << "what is printed cannot forge the execution log";
}

TEST(CrashText, PiecesOfAnySizeGiveTheSame) {
    const auto text =
        std::string{kAsan} + "x: y.c:1: f: Assertion `a' failed.\nplain\n  more\nlast without an end";
    const auto whole = parse(text);
    for (std::size_t size = 1; size < 40; ++size) {
        SecretMask none;
        CrashText crash{none};
        std::vector<LogEntry> entries;
        for (std::size_t at = 0; at < text.size(); at += size) {
            crash.feed(std::string_view{text}.substr(at, size), entries);
        }
        EXPECT_TRUE(crash.is_open());
        crash.flush(entries);
        EXPECT_FALSE(crash.is_open());
        ASSERT_EQ(entries.size(), whole.size()) << size;
        for (std::size_t i = 0; i < whole.size(); ++i) {
            EXPECT_EQ(entries[i].message, whole[i].message);
            EXPECT_EQ(entries[i].exception_info, whole[i].exception_info);
        }
    }
}

TEST(CrashText, SecretsAreMaskedWhereverTheyStand) {
    SecretMask mask;
    mask.add({"hunter22", "abc", "quo\"ted"});
    const std::string padding(CrashText::kLongestLine - 4, 'x');
    const auto entries = parse(
        "login hunter22 failed\n" + padding + "hunter22\nerror: a\n  hunter22\nabc stays\n" +
            R"({"id":0,"timestamp":"2026-01-01T00:00:00.000Z","level":"info","process_name":"","message":"quo\"ted",)"
            R"("source_file":"","line_number":0,"exception_info":"","log_type":null,"execution_phase":null,)"
            R"("parent_log_id":null,"retry_context":null,"performance_metrics":null})" +
            "\n",
        mask);
    ASSERT_EQ(entries.size(), 5U);
    EXPECT_EQ(entries[0].message, "login *** failed");
    for (const auto& entry : entries) {
        EXPECT_THAT(entry.message, Not(HasSubstr("hunt")));
        EXPECT_THAT(entry.exception_info, Not(HasSubstr("hunt")));
    }
    EXPECT_EQ(entries[3].message, "abc stays") << "too short to be hidden";
    EXPECT_EQ(entries[4].message, "***");
    EXPECT_EQ(parse("x hunt\x1b[1mer22 y\n", mask).at(0).message, "x *** y");
}

TEST(CrashText, IsBounded) {
    const auto huge = parse_one(std::string(3 << 20, 'x') + "\n");
    EXPECT_LE(huge.message.size(), CrashText::kLongestLine + 40);
    EXPECT_THAT(huge.message, HasSubstr("bytes more)"));
    std::string block = "error: bad\n";
    for (int i = 0; i < 10'000; ++i) block += "  frame\n";
    const auto entry = parse_one(block);
    EXPECT_LE(entry.exception_info.size(), CrashText::kMostBlockBytes + 40);
    EXPECT_THAT(entry.exception_info, HasSubstr("more lines)"));
}

TEST(CrashText, HostileBytesBecomeCleanText) {
    std::string all;
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
    for (const auto& entry : parse("\x1b[31mred\x1b[0m \xff\xc3\x28 \x7f\xc2\x9b end\n" + all + all)) {
        EXPECT_TRUE(valid_utf8(entry.message));
        for (const char c : entry.message) {
            EXPECT_FALSE((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f);
        }
    }
    EXPECT_EQ(parse_one("\x1b[31mred\x1b[0m\n").message, "red");
    EXPECT_THAT(parse("\n\n   \n"), IsEmpty());
}

TEST(CrashText, AfterASkipTheRestOfTheLineIsNoLine) {
    SecretMask none;
    CrashText crash{none};
    std::vector<LogEntry> entries;
    crash.feed("begun", entries);
    crash.skip(entries);
    crash.feed("ly a rest\nwhole\n", entries);
    crash.flush(entries);
    ASSERT_EQ(entries.size(), 1U);
    EXPECT_EQ(entries[0].message, "whole");
}

TEST(ParseLogLine, TakesOnlyWhatIsOurs) {
    LogEntry entry;
    LogEntry said;
    said.message = "m";
    const auto good = to_json(said).dump();
    EXPECT_TRUE(parse_log_line(good, entry));
    EXPECT_EQ(entry.message, "m");
    for (std::size_t cut = 0; cut < good.size(); ++cut) {
        EXPECT_FALSE(parse_log_line(std::string_view{good}.substr(0, cut), entry)) << cut;
    }
    for (const auto* bad : {"", "{}", "[]", "null", "{\"id\":\"x\"}", "\xff\xfe"}) {
        EXPECT_FALSE(parse_log_line(bad, entry)) << bad;
    }
    EXPECT_FALSE(parse_log_line(std::string(100'000, '{') + "}", entry));
    EXPECT_FALSE(parse_log_line("{\"a\":" + std::string(5'000, '[') + std::string(5'000, ']') + "}", entry));
}

}  // namespace
}  // namespace fieldwarden::supervisor
