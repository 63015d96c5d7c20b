#include "supervisor/plant/cells.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace fieldwarden::supervisor {

namespace {

using Texts = std::vector<std::string>;

TEST(Cells, GiveBackWhatTheyWereMadeOf) {
    const Texts texts{"W1", "", "温度 1", std::string{"a\0b", 3}, ""};
    const Cells cells{texts};
    ASSERT_EQ(cells.size(), 5U);
    EXPECT_EQ(cells.strings(), texts);
    EXPECT_EQ(cells.front(), "W1");
    EXPECT_EQ(cells.back(), "");
    EXPECT_EQ(cells[3], (std::string_view{"a\0b", 3}));
    EXPECT_TRUE(Cells{}.empty());
    EXPECT_EQ(Cells{}.strings(), Texts{});
}

// The width of the offsets changes at 255 and at 65,535 bytes.
TEST(Cells, OfEverySizeAreWhole) {
    for (const std::size_t size : {0U, 1U, 127U, 254U, 255U, 256U, 65'534U, 65'535U, 65'536U, 200'000U}) {
        const Texts texts{"first", std::string(size, 'x'), "", "last"};
        EXPECT_EQ(Cells{texts}.strings(), texts) << size;
        const Texts alone{std::string(size, 'y')};
        EXPECT_EQ(Cells{alone}.strings(), alone) << size;
    }
}

TEST(Cells, ACopyKeepsItsTextWhenTheOtherChanges) {
    Cells cells{"a", "b"};
    const auto copy = cells;
    const auto view = copy[1];
    cells.set(1, "changed");
    cells.resize(3);
    EXPECT_EQ(view, "b");
    EXPECT_EQ(copy, (Cells{"a", "b"}));
    EXPECT_EQ(cells, (Cells{"a", "changed", ""}));
    cells.set(0, cells[1]);
    EXPECT_EQ(cells.front(), "changed") << "a cell set to its neighbour's text";
    cells = Cells{};
    EXPECT_TRUE(cells.empty());
    EXPECT_EQ(view, "b");
}

TEST(Cells, AreEqualByTextAlone) {
    EXPECT_EQ((Cells{"ab", "c"}), (Cells{"ab", "c"}));
    EXPECT_NE((Cells{"ab", "c"}), (Cells{"a", "bc"})) << "the same bytes, other cells";
    EXPECT_NE((Cells{"a"}), (Cells{"a", ""}));
    EXPECT_NE(Cells{}, Cells{""});
}

// Run under ThreadSanitizer too: plants are copied on one thread and dropped on another.
TEST(Cells, AreSharedBetweenThreads) {
    const Cells cells{"shared", "text"};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&cells] {
            for (int round = 0; round < 10'000; ++round) {
                const auto copy = cells;
                ASSERT_EQ(copy[1], "text");
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(cells[0], "shared");
}

}  // namespace

}  // namespace fieldwarden::supervisor
