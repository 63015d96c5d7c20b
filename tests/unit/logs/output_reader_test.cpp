#include "supervisor/logs/output_reader.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/common/temp_dir.h"
#include "tests/unit/logs/log_files.h"

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;
using proto::LogEntry;
using proto::LogLevel;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class OutputReaderTest : public testing::Test {
  protected:
    OutputReaderTest() : writer_(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
    ~OutputReaderTest() override { ::close(writer_); }

    void print(const std::string& text) {
        ASSERT_EQ(::write(writer_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    }
    std::vector<std::string> turn(std::chrono::milliseconds after = 100ms) {
        now_ += after;
        std::vector<LogEntry> out;
        flood_ = reader_.turn(at_second(0), now_, out);
        return texts(out);
    }
    std::vector<std::string> finish() {
        std::vector<LogEntry> out;
        reader_.finish(at_second(0), now_, out);
        return texts(out);
    }
    static std::vector<std::string> texts(const std::vector<LogEntry>& entries) {
        std::vector<std::string> all;
        for (const auto& entry : entries) all.push_back(entry.message);
        return all;
    }
    [[nodiscard]] std::uint64_t size() const { return std::filesystem::file_size(path_); }

    TempDir dir_;
    std::string path_ = dir_.file("T.crash");
    std::string place_ = dir_.file("T.place");
    int writer_;
    OutputReader reader_{path_, place_, 0};
    MonoTime now_{1h};
    bool flood_ = false;
};

TEST_F(OutputReaderTest, LinesComeWhenTheNextBeginsOrAfterAQuietMoment) {
    EXPECT_THAT(turn(), IsEmpty());
    print("one\ntwo\n");
    EXPECT_THAT(turn(), ElementsAre("one"));
    EXPECT_THAT(turn(100ms), IsEmpty());
    EXPECT_THAT(turn(500ms), ElementsAre("two"));
    print("error: three\n");
    EXPECT_THAT(turn(), IsEmpty());
    print("  more of it\nfour");
    EXPECT_THAT(turn(), IsEmpty()) << "a line without its end may be more of it";
    EXPECT_THAT(finish(), ElementsAre("error: three", "four"));
    EXPECT_THAT(finish(), IsEmpty());
}

TEST_F(OutputReaderTest, AFileThatIsNotThereYetIsNoMatter) {
    OutputReader reader{dir_.file("later.crash"), place_, 0};
    std::vector<LogEntry> out;
    EXPECT_FALSE(reader.turn(at_second(0), now_, out));
    append(dir_.file("later.crash"), "there\n");
    reader.finish(at_second(0), now_, out);
    EXPECT_THAT(texts(out), ElementsAre("there"));
}

TEST_F(OutputReaderTest, OfAFloodTheNewestIsReadAndTheRestIsCountedAndSaid) {
    std::string text;
    std::uint64_t printed = 0;
    int line = 0;
    std::size_t given = 0;
    std::vector<std::string> said;
    for (int round = 0; round < 40; ++round) {
        text.clear();
        for (int i = 0; i < 10'000; ++i) text += fmt::format("line {:08} of a flood\n", line++);
        print(text);
        printed += text.size();
        for (const auto& message : turn(50ms)) {
            ++given;
            if (message.find("prints too much") != std::string::npos) said.push_back(message);
        }
        EXPECT_TRUE(flood_);
        EXPECT_LE(size(), OutputReader::kFileLimit);
    }
    print("the last words\n");
    const auto last = finish();
    EXPECT_THAT(last, testing::Contains("the last words"));
    const auto& counters = reader_.counters();
    EXPECT_LT(given, 1'500U);
    EXPECT_GT(counters.lines_dropped, 0U);
    EXPECT_GT(counters.bytes_trimmed, printed / 2);
    // What was read, skipped and dropped is all there was.
    EXPECT_GT(counters.bytes_skipped, printed * 8 / 10);
    EXPECT_LT(counters.bytes_skipped, printed);
    ASSERT_FALSE(said.empty());
    EXPECT_LE(said.size(), 4U) << "once a second";
}

TEST_F(OutputReaderTest, ChatterDoesNotDrownWhatWentWrong) {
    std::string text;
    for (int i = 0; i < 2'000; ++i) text += "chatter\n";
    print(text + "error: broken\nx: y.c:1: f: Assertion `a' failed.\nend\n");
    const auto texts = turn();
    EXPECT_THAT(texts, testing::Contains("error: broken"));
    EXPECT_THAT(texts, testing::Contains("x: y.c:1: f: Assertion `a' failed."));
    EXPECT_GT(reader_.counters().lines_dropped, 1'000U);
}

TEST_F(OutputReaderTest, SecretsAreMaskedAlsoWhereAFloodIsCut) {
    reader_.hide({"hunter22"});
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += "xhunter22";
    for (int round = 0; round < 5; ++round) {
        print(text + "\n");
        for (const auto& message : turn(1s)) {
            EXPECT_THAT(message, Not(HasSubstr("hunter")));
            EXPECT_THAT(message, Not(HasSubstr("unter22")));
        }
    }
    for (const auto& message : finish()) EXPECT_THAT(message, Not(HasSubstr("nter22")));
}

TEST_F(OutputReaderTest, AFileCutFromOutsideIsReadAnew) {
    print("one\ntwo\nthree\n");
    (void)turn();
    ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
    print("new\n");
    (void)turn();
    EXPECT_THAT(finish(), ElementsAre("new"));
}

TEST_F(OutputReaderTest, TheNextReaderGoesOnWhereThisOneStopped) {
    print("one\n");
    (void)turn();
    (void)turn(1s);
    print("two\n");
    OutputReader next{path_, place_, 0};
    next.resume();
    std::vector<LogEntry> out;
    next.finish(at_second(0), now_, out);
    EXPECT_THAT(texts(out), ElementsAre("two"));
    // Without a place, or with that of another file, from the beginning.
    for (const auto* place : {"", "garbage", "1 2"}) {
        std::ofstream{place_, std::ios::trunc} << place;
        OutputReader other{path_, place_, 0};
        other.resume();
        out.clear();
        other.finish(at_second(0), now_, out);
        EXPECT_THAT(texts(out), ElementsAre("one", "two")) << place;
    }
}

}  // namespace
}  // namespace fieldwarden::supervisor
