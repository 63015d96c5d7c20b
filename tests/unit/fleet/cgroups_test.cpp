#include "supervisor/fleet/cgroups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace fieldwarden::supervisor {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

// A directory with the files of a cgroup. The kernel makes them with the group; here the test does.
class CgroupsTest : public testing::Test {
  protected:
    CgroupsTest() {
        auto pattern = (fs::temp_directory_path() / "fw_cgroup_XXXXXX").string();
        root_ = mkdtemp(pattern.data());
        write("cgroup.controllers", "cpuset cpu io memory pids\n");
        write("cgroup.subtree_control", "");
        fs::create_directory(root_ / "task-T1");
        for (const auto* file : {"memory.max", "cpu.max", "cgroup.procs"})
            write(fs::path{"task-T1"} / file, "");
    }
    ~CgroupsTest() override { fs::remove_all(root_); }

    void write(const fs::path& name, const std::string& text) { std::ofstream{root_ / name} << text; }
    std::string read(const fs::path& name) {
        std::stringstream text;
        text << std::ifstream{root_ / name}.rdbuf();
        return text.str();
    }

    fs::path root_;
};

TEST_F(CgroupsTest, PlacesAProcessUnderItsLimits) {
    auto cgroups = Cgroups::open(root_);
    ASSERT_TRUE(cgroups) << cgroups.error().message;
    ASSERT_TRUE(cgroups->place("T1", 4711, {.memory_bytes = 64 << 20, .cpu_percent = 150}));
    EXPECT_EQ(read("task-T1/memory.max"), "67108864");
    EXPECT_EQ(read("task-T1/cpu.max"), "150000 100000");
    EXPECT_EQ(read("task-T1/cgroup.procs"), "4711");
}

TEST_F(CgroupsTest, NoLimitIsMax) {
    auto cgroups = Cgroups::open(root_);
    ASSERT_TRUE(cgroups);
    ASSERT_TRUE(cgroups->place("T1", 1, {}));
    EXPECT_EQ(read("task-T1/memory.max"), "max");
    EXPECT_EQ(read("task-T1/cpu.max"), "max 100000");
}

TEST_F(CgroupsTest, AGroupWithoutItsControllersIsRefused) {
    write("cgroup.controllers", "pids\n");
    const auto cgroups = Cgroups::open(root_);
    ASSERT_FALSE(cgroups);
    EXPECT_THAT(cgroups.error().message, HasSubstr("'memory' is not delegated"));
}

TEST_F(CgroupsTest, ADirectoryThatIsNoGroupIsRefused) {
    EXPECT_THAT(Cgroups::open(root_ / "task-T1").error().message, HasSubstr("no cgroup v2 directory"));
    EXPECT_THAT(Cgroups::open(root_ / "nowhere").error().message, HasSubstr("no cgroup v2 directory"));
}

TEST_F(CgroupsTest, KillsForMemoryAreCounted) {
    auto cgroups = Cgroups::open(root_);
    ASSERT_TRUE(cgroups);
    EXPECT_EQ(cgroups->memory_kills("T1"), std::nullopt);
    write("task-T1/memory.events", "low 0\nhigh 0\nmax 17\noom 3\noom_kill 2\n");
    EXPECT_EQ(cgroups->memory_kills("T1"), 2U);
}

}  // namespace
}  // namespace fieldwarden::supervisor
