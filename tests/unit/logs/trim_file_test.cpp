#include "common/log/trim_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/unit/common/temp_dir.h"
#include "tests/unit/logs/log_files.h"

namespace fieldwarden {
namespace {

using supervisor::append;

std::string content(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

TEST(TrimFile, LeavesWhatIsWithinTheLimitOrNotThere) {
    TempDir dir;
    const auto path = dir.file("x");
    EXPECT_EQ(trim_front(path, 100, 10).value(), 0U);
    append(path, std::string(100, 'x'));
    EXPECT_EQ(trim_front(path, 100, 10).value(), 0U);
    EXPECT_EQ(content(path).size(), 100U);
    EXPECT_FALSE(trim_front(dir.path().string(), 0, 0)) << "a directory";
}

TEST(TrimFile, KeepsTheNewestPartAndTheWriterGoesOnBehindIt) {
    TempDir dir;
    const auto path = dir.file("x");
    const int writer = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(writer, 0);
    std::string text;
    for (int i = 0; i < 10'000; ++i) text += fmt::format("line {:06}\n", i);
    ASSERT_EQ(::write(writer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    const auto gone = trim_front(path, 50'000, 20'000);
    ASSERT_TRUE(gone) << gone.error().message;
    ASSERT_GT(*gone, 0U);
    EXPECT_EQ(content(path), text.substr(*gone)) << "what was at `gone` is now at 0";
    EXPECT_GE(content(path).size(), 20'000U);
    EXPECT_LE(content(path).size(), 50'000U);
    ASSERT_EQ(::write(writer, "more\n", 5), 5);
    EXPECT_EQ(content(path), text.substr(*gone) + "more\n");
    ::close(writer);
}

TEST(TrimFile, OfADescriptorThatCanOnlyBeWritten) {
    TempDir dir;
    const auto path = dir.file("x");
    const int writer = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ASSERT_GE(writer, 0);
    const std::string text(100'000, 'x');
    ASSERT_EQ(::write(writer, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    const auto gone = trim_front(writer, 50'000, 10'000);
    ASSERT_TRUE(gone);
    EXPECT_EQ(content(path).size(), text.size() - *gone);
    EXPECT_LT(content(path).size(), 20'000U);
    ::close(writer);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    EXPECT_EQ(trim_front(ends[1], 0, 0).value(), 0U) << "a terminal, a pipe: nothing to be kept small";
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace fieldwarden
