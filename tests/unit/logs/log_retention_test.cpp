#include "supervisor/logs/log_retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const UtcTime kNow{std::chrono::seconds{1'800'000'000}};

LogFile file(std::string path, std::uint64_t bytes, int days_old, bool rotated = true) {
    LogFile made;
    made.path = std::move(path);
    made.bytes = bytes;
    made.modified = kNow - std::chrono::days{days_old};
    made.rotated = rotated;
    return made;
}

const LogRetention kKeep{std::chrono::days{30}, 1000};

TEST(LogRetention, KeepsWhatIsYoungAndFits) {
    const auto cleaning = clean_logs({file("a", 400, 1), file("b", 600, 30)}, kKeep, kNow);
    EXPECT_THAT(cleaning.remove, IsEmpty());
    EXPECT_EQ(cleaning.bytes_left, 1000U);
    EXPECT_FALSE(cleaning.is_over);
}

TEST(LogRetention, RemovesWhatIsOldUnlessItIsInUse) {
    auto in_use = file("used", 1, 99, false);
    in_use.is_in_use = true;
    EXPECT_THAT(
        clean_logs({file("a", 1, 31), file("b", 1, 29), file("c", 1, 31, false), in_use}, kKeep, kNow).remove,
        UnorderedElementsAre("a", "c"));
}

TEST(LogRetention, RemovesWhatBelongsToNobody) {
    auto orphan = file("orphan", 1, 0);
    orphan.has_owner = false;
    auto current = file("current", 1, 0, false);
    current.has_owner = false;
    EXPECT_THAT(clean_logs({orphan, current, file("a", 1, 0)}, kKeep, kNow).remove,
                UnorderedElementsAre("orphan", "current"));
}

TEST(LogRetention, RotatedFilesGoFirstTheOldestOfThemFirst) {
    const auto cleaning = clean_logs(
        {file("current", 500, 20, false), file("new", 500, 1), file("old", 500, 9), file("mid", 500, 5)},
        kKeep, kNow);
    EXPECT_THAT(cleaning.remove, ElementsAre("old", "mid"));
    EXPECT_EQ(cleaning.bytes_left, 1000U);
}

TEST(LogRetention, FilesInUseStayAndThatIsSaid) {
    auto in_use = file("used", 5000, 0, false);
    in_use.is_in_use = true;
    const auto cleaning = clean_logs({in_use, file("idle", 10, 0, false), file("old", 10, 3)}, kKeep, kNow);
    EXPECT_THAT(cleaning.remove, ElementsAre("old", "idle"));
    EXPECT_TRUE(cleaning.is_over);
    EXPECT_EQ(cleaning.bytes_left, 5000U);
}

}  // namespace
}  // namespace fieldwarden::supervisor
