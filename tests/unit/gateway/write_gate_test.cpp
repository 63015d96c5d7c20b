#include "supervisor/gateway/write_gate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace fieldwarden::supervisor::gateway {
namespace {

using namespace std::chrono_literals;

TEST(WriteGate, OnePointHasToRest) {
    WriteGate gate;
    const MonoTime start{1h};
    EXPECT_FALSE(gate.admit("P", start));
    EXPECT_EQ(gate.admit("P", start), WriteGate::kBetweenWrites);
    EXPECT_EQ(gate.admit("P", start + 150ms), 50ms);
    EXPECT_FALSE(gate.admit("Q", start + 150ms));
    EXPECT_FALSE(gate.admit("P", start + 200ms));
}

TEST(WriteGate, AllPointsTogetherHaveALimitThatPassesWithTheSecond) {
    WriteGate gate;
    const MonoTime start{1h};
    for (std::size_t i = 0; i < WriteGate::kMostPerSecond; ++i) {
        EXPECT_FALSE(gate.admit(fmt::format("P{}", i), start));
    }
    EXPECT_EQ(gate.admit("Q", start + 400ms), 600ms);
    EXPECT_FALSE(gate.admit("Q", start + 1s));
}

}  // namespace
}  // namespace fieldwarden::supervisor::gateway
