#include "supervisor/logs/backward_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <thread>

#include "tests/unit/common/temp_dir.h"
#include "tests/unit/logs/log_files.h"

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> rest_of(BackwardLines& lines) {
    std::vector<std::string> all;
    while (const auto line = lines.next()) all.emplace_back(*line);
    return all;
}
std::vector<std::string> all_of(const std::string& path, LogPosition from = {}) {
    BackwardLines lines{path, from};
    return rest_of(lines);
}

struct Files {
    TempDir dir;
    std::string path = dir.file("x.jsonl");
};

TEST(BackwardLines, NoFileHasNoLines) {
    EXPECT_THAT(all_of("/no/such/file"), IsEmpty());
}

TEST(BackwardLines, NewestFirstThroughAllParts) {
    Files files;
    append(files.path + ".2", "1\n2\n");
    append(files.path + ".1", "3\n");
    append(files.path, "4\n\n5\n");
    EXPECT_THAT(all_of(files.path), ElementsAre("5", "", "4", "3", "2", "1"));
}

TEST(BackwardLines, ATornLastLineIsLeftOutAndCounted) {
    Files files;
    append(files.path + ".1", "1\n2\ntorn");
    append(files.path, "3\nto");
    BackwardLines lines{files.path};
    EXPECT_THAT(rest_of(lines), ElementsAre("3", "2", "1"));
    EXPECT_EQ(lines.damaged(), 2U);
}

TEST(BackwardLines, OnlyATornLine) {
    Files files;
    append(files.path, std::string(200'000, 'x'));
    BackwardLines lines{files.path};
    EXPECT_THAT(rest_of(lines), IsEmpty());
    EXPECT_EQ(lines.damaged(), 1U);
}

TEST(BackwardLines, LinesOfEverySizeAroundTheBuffer) {
    Files files;
    std::vector<std::string> expected;
    for (const std::size_t size :
         {0UL, 1UL, 65'535UL, 65'536UL, 65'537UL, 200'000UL, 1UL << 20, 3UL, 70'000UL}) {
        const std::string line(size, static_cast<char>('a' + expected.size()));
        append(files.path, line + "\n");
        expected.insert(expected.begin(), line);
    }
    EXPECT_EQ(all_of(files.path), expected);
}

TEST(BackwardLines, AHugeLineIsSkippedWithinBounds) {
    Files files;
    append(files.path, "first\n" + std::string(5 << 20, 'x') + "\nlast\n");
    BackwardLines lines{files.path};
    EXPECT_THAT(rest_of(lines), ElementsAre("last", "first"));
    EXPECT_EQ(lines.damaged(), 1U);
}

TEST(BackwardLines, GoesOnFromAPlace) {
    Files files;
    append(files.path + ".1", "1\n2\n");
    append(files.path, "3\n4\n5\n");
    BackwardLines lines{files.path};
    std::vector<std::string> seen;
    while (const auto line = lines.next()) {
        const std::string text{*line};
        // A second reader goes on exactly where this one stands, and one behind the line has it again.
        auto after = all_of(files.path, lines.before());
        auto with = all_of(files.path, lines.behind());
        ASSERT_FALSE(with.empty());
        EXPECT_EQ(with.front(), text);
        with.erase(with.begin());
        EXPECT_EQ(after, with);
        seen.push_back(text);
    }
    EXPECT_THAT(seen, ElementsAre("5", "4", "3", "2", "1"));
    EXPECT_THAT(all_of(files.path, lines.before()), IsEmpty());
    // The place of a file that is gone.
    EXPECT_THAT(all_of(files.path, {123'456'789, 5}), IsEmpty());
}

TEST(BackwardLines, ARotationWhileReadingRepeatsAndLosesNothing) {
    Files files;
    RotatingFile writer{files.path, {100, 50}};
    int written = 0;
    const auto write = [&](int count) {
        while (count-- > 0) ASSERT_TRUE(writer.write_line(fmt::format("line {:04}", written++)));
    };
    write(200);
    BackwardLines lines{files.path};
    int expected = written;
    while (const auto line = lines.next()) {
        ASSERT_EQ(*line, fmt::format("line {:04}", --expected));
        if (expected % 3 == 0) write(5);  // pushes every file one name further, now and then
        if (expected == 0) break;
    }
    // The oldest files fall off the end while they wait.
    EXPECT_LT(expected, 150);
}

TEST(BackwardLines, AWriterThatRotatesAllTheTimeDoesNotConfuse) {
    Files files;
    const std::jthread writer{[&](const std::stop_token& stop) {
        RotatingFile file{files.path, {4'000, 8}};
        for (int i = 0; !stop.stop_requested(); ++i) (void)file.write_line(fmt::format("{:09}", i));
    }};
    for (int round = 0; round < 200; ++round) {
        BackwardLines lines{files.path};
        std::int64_t newest = INT64_MAX;
        while (const auto line = lines.next()) {
            ASSERT_EQ(line->size(), 9U);
            const auto number = std::stoll(std::string{*line});
            ASSERT_LT(number, newest);
            newest = number;
        }
    }
}

TEST(BackwardLines, TakesNoLinkAndNoPipe) {
    Files files;
    append(files.dir.file("secret"), "secret\n");
    std::filesystem::create_symlink(files.dir.file("secret"), files.path);
    EXPECT_THAT(all_of(files.path), IsEmpty());
    const auto pipe = files.dir.file("pipe");
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
    EXPECT_THAT(all_of(pipe), IsEmpty());
}

}  // namespace
}  // namespace fieldwarden::supervisor
