#include "supervisor/fleet/restart_policy.h"

#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

RestartSettings settings() {
    RestartSettings s;
    s.jitter = 0;
    return s;
}

constexpr MonoTime at(seconds since) {
    return MonoTime{} + std::chrono::hours{1000} + since;
}

TEST(RestartPolicy, FirstRestartIsAtOnceThenTheWaitDoubles) {
    auto s = settings();
    s.max_attempts = 10;
    DeathHistory history;
    std::vector<milliseconds> delays;
    for (int i = 0; i < 9; ++i) {
        auto decision = after_death(history, seconds{1}, at(seconds{i}), s, 0);
        EXPECT_FALSE(decision.give_up);
        EXPECT_EQ(decision.attempt, static_cast<unsigned>(i + 1));
        delays.push_back(decision.delay);
        history = decision.history;
    }
    const std::vector<milliseconds> expected{milliseconds{0},     milliseconds{500},   milliseconds{1000},
                                             milliseconds{2000},  milliseconds{4000},  milliseconds{8000},
                                             milliseconds{16000}, milliseconds{32000}, milliseconds{60000}};
    EXPECT_EQ(delays, expected);
}

TEST(RestartPolicy, GivesUpAfterTheAllowedDeathsWithinTheWindow) {
    const auto s = settings();
    DeathHistory history;
    for (int i = 0; i < 3; ++i) {
        auto decision = after_death(history, seconds{1}, at(seconds{i * 10}), s, 0);
        EXPECT_FALSE(decision.give_up) << i;
        history = decision.history;
    }
    EXPECT_TRUE(after_death(history, seconds{1}, at(seconds{30}), s, 0).give_up);
}

TEST(RestartPolicy, DeathsOutsideTheWindowDoNotCount) {
    const auto s = settings();
    const DeathHistory history{at(seconds{0}), at(seconds{1}), at(seconds{2})};
    const auto decision = after_death(history, seconds{1}, at(minutes{5} + seconds{2}), s, 0);
    EXPECT_FALSE(decision.give_up);
    EXPECT_EQ(decision.attempt, 2U);  // the death exactly a window ago still counts
}

TEST(RestartPolicy, AStableRunForgetsEarlierDeaths) {
    const auto s = settings();
    const DeathHistory history{at(seconds{0}), at(seconds{1}), at(seconds{2})};
    const auto stable = after_death(history, s.stable_period, at(seconds{62}), s, 0);
    EXPECT_FALSE(stable.give_up);
    EXPECT_EQ(stable.delay, milliseconds{0});
    EXPECT_EQ(stable.history.size(), 1U);
    const auto short_of_it = after_death(history, s.stable_period - milliseconds{1}, at(seconds{62}), s, 0);
    EXPECT_TRUE(short_of_it.give_up);
}

TEST(RestartPolicy, NoAttemptsAllowedGivesUpAtOnce) {
    auto s = settings();
    s.max_attempts = 0;
    EXPECT_TRUE(after_death({}, seconds{1}, at(seconds{0}), s, 0).give_up);
}

TEST(RestartPolicy, JitterShortensNeverLengthens) {
    auto s = settings();
    s.jitter = 0.25;
    const DeathHistory history{at(seconds{0})};
    for (const double random : {0.0, 0.3, 0.999}) {
        const auto delay = after_death(history, seconds{1}, at(seconds{1}), s, random).delay;
        EXPECT_GE(delay, milliseconds{375});
        EXPECT_LE(delay, milliseconds{500});
    }
    EXPECT_NE(after_death(history, seconds{1}, at(seconds{1}), s, 0.0).delay,
              after_death(history, seconds{1}, at(seconds{1}), s, 0.9).delay);
}

TEST(RestartPolicy, HistoryStaysBoundedInAnEndlessCrashLoop) {
    auto s = settings();
    s.max_attempts = 1000;
    DeathHistory history;
    auto now = at(seconds{0});
    for (int i = 0; i < 5000; ++i) {
        auto decision = after_death(history, milliseconds{10}, now, s, 0.5);
        now += decision.delay + milliseconds{10};
        history = decision.history;
        ASSERT_LE(history.size(), 1001U);
    }
}

}  // namespace
}  // namespace fieldwarden::supervisor
