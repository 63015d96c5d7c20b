#include "supervisor/fleet/proc_info.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "supervisor/fleet/sampler.h"
#include "supervisor/fleet/worker_launch.h"

namespace fieldwarden::supervisor {
namespace {

TEST(ProcInfo, ParsesFieldsBehindAHostileName) {
    const auto stat =
        parse_proc_stat("42 (a) S 1 (x) ) R 1 2 3 4 5 6 7 8 9 10 100 20 13 14 15 16 17 18 987654 20 21\n");
    ASSERT_TRUE(stat);
    EXPECT_EQ(stat->state, 'R');
    EXPECT_EQ(stat->cpu_ticks, 120U);
    EXPECT_EQ(stat->start_ticks, 987654U);
}

TEST(ProcInfo, RefusesWhatIsNoStat) {
    for (const auto* text :
         {"", "42", "42 (x)", "42 (x) R 1 2 3", "42 (x) R a b c d e f g h i j k l m n o p q r s"}) {
        EXPECT_FALSE(parse_proc_stat(text)) << text;
    }
}

TEST(ProcInfo, KnowsThisProcess) {
    const auto ticks = start_ticks_of(getpid());
    ASSERT_TRUE(ticks);
    EXPECT_GT(*ticks, 0U);
    EXPECT_LE(mono_of_ticks(*ticks), std::chrono::steady_clock::now() + std::chrono::milliseconds{50});
    EXPECT_GT(*private_bytes(getpid()), 100'000U);
    EXPECT_GE(open_descriptors(), 3U);
    EXPECT_FALSE(start_ticks_of(999'999'999));
}

TEST(ProcInfo, FindsProcessesByTheirEnvironment) {
    const auto path = environment_of(getpid(), "PATH");
    ASSERT_TRUE(path);
    EXPECT_EQ(*path, getenv("PATH"));
    EXPECT_FALSE(environment_of(getpid(), "NO_SUCH_VARIABLE"));
    EXPECT_TRUE(processes_with_environment("NO_SUCH_VARIABLE", "x").empty());
}

TEST(Sampler, GivesCpuFromTheSecondSampleOn) {
    ResourceSampler sampler;
    const auto start = std::chrono::steady_clock::now();
    const auto first = sampler.sample(getpid(), start);
    ASSERT_TRUE(first);
    EXPECT_EQ(first->cpu_percent, 0);
    EXPECT_GT(first->memory_mb, 0.1);
    // Work until the kernel has counted a tick for it.
    const auto before = read_proc_stat(getpid())->cpu_ticks;
    const auto deadline = start + std::chrono::seconds{20};
    volatile std::uint64_t sum = 0;
    while (read_proc_stat(getpid())->cpu_ticks < before + 3 && std::chrono::steady_clock::now() < deadline) {
        for (int i = 0; i < 100'000; ++i) sum = sum + static_cast<std::uint64_t>(i);
    }
    const auto second = sampler.sample(getpid(), std::chrono::steady_clock::now());
    ASSERT_TRUE(second);
    EXPECT_GT(second->cpu_percent, 0);
    EXPECT_FALSE(sampler.sample(999'999'999, std::chrono::steady_clock::now()));
}

TEST(LaunchGate, LimitsStartsPerSecondAndAllowsABurst) {
    LaunchGate gate{100};
    const auto start = MonoTime{} + std::chrono::hours{1};
    int admitted = 0;
    while (gate.admit(start)) ++admitted;
    EXPECT_EQ(admitted, 50);
    for (int ms = 1; ms <= 1000; ++ms) {
        while (gate.admit(start + std::chrono::milliseconds{ms})) ++admitted;
    }
    EXPECT_NEAR(admitted, 150, 1);
}

}  // namespace
}  // namespace fieldwarden::supervisor
