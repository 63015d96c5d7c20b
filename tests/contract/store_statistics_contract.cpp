// The contract of Store, continued: the minutes of devices in their states.
#include <gtest/gtest.h>

#include "tests/contract/store_contract.h"

namespace fieldwarden::supervisor {

namespace {

using namespace std::chrono_literals;
using Rows = std::vector<StateTime>;

constexpr std::chrono::sys_days kDay{std::chrono::March / 10 / 2026};
constexpr std::chrono::sys_days kNext{std::chrono::March / 11 / 2026};

class StoreStatistics : public StoreTest {
  protected:
    void put(const Rows& rows) {
        const auto done = store_->put_state_times(rows);
        EXPECT_TRUE(done) << done.error().message;
    }
    Rows of(const std::vector<std::string>& devices, std::chrono::sys_days day) {
        auto rows = store_->state_times(devices, day);
        EXPECT_TRUE(rows) << rows.error().message;
        return rows ? *rows : Rows{};
    }
    Rows since(std::chrono::sys_days day) {
        auto rows = store_->state_times_since(day);
        EXPECT_TRUE(rows) << rows.error().message;
        return rows ? *rows : Rows{};
    }
};

TEST_P(StoreStatistics, AreEmptyAtFirst) {
    EXPECT_EQ(of({"W1"}, kDay), Rows{});
    EXPECT_EQ(of({}, kDay), Rows{});
    EXPECT_EQ(since(kDay), Rows{});
    put({});
    EXPECT_TRUE(store_->prune_state_times(kDay));
}

TEST_P(StoreStatistics, AreKeptByDeviceDayAndStateAlsoAfterReopening) {
    const StateTime welding{"W1", kDay, "welding", 90s};
    const StateTime standby{"W1", kDay, "standby", 1us};
    const StateTime later{"W1", kNext, "welding", 24h};
    const StateTime other{"焊机'2", kDay, "welding", 3s};
    put({welding, standby, later, other});
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(of({"W1"}, kDay), (Rows{standby, welding}));
        EXPECT_EQ(of({"W1"}, kNext), (Rows{later}));
        EXPECT_EQ(of({"焊机'2", "NONE", "W1"}, kDay), (Rows{other, standby, welding}))
            << "in the order asked";
        EXPECT_EQ(since(kDay).size(), 4U);
        EXPECT_EQ(since(kNext), (Rows{later}));
        EXPECT_EQ(since(kNext + std::chrono::days{1}), Rows{});
        reopen();
    }
}

TEST_P(StoreStatistics, ALaterTotalTakesThePlaceOfTheOneBefore) {
    put({{"W1", kDay, "welding", 90s}, {"W1", kDay, "alarm", 1s}});
    put({{"W1", kDay, "welding", 100s}});
    put({{"W1", kDay, "welding", 100s}});
    EXPECT_EQ(of({"W1"}, kDay), (Rows{{"W1", kDay, "alarm", 1s}, {"W1", kDay, "welding", 100s}}));
}

TEST_P(StoreStatistics, PruneTakesEarlierDaysOnly) {
    put({{"W1", kDay - std::chrono::days{1}, "a", 1s}, {"W1", kDay, "a", 2s}, {"W1", kNext, "a", 3s}});
    ASSERT_TRUE(store_->prune_state_times(kDay));
    EXPECT_EQ(since(kDay - std::chrono::days{10}), (Rows{{"W1", kDay, "a", 2s}, {"W1", kNext, "a", 3s}}));
    // The pruning of sessions leaves them alone.
    ASSERT_TRUE(store_->prune(UtcTime{} + std::chrono::days{36'500}));
    EXPECT_EQ(since(kDay).size(), 2U);
}

TEST_P(StoreStatistics, ThousandsOfRowsAreOneWrite) {
    Rows rows;
    for (int i = 0; i < 20'000; ++i) rows.push_back({"D" + std::to_string(i), kDay, "welding", 1s * i});
    put(rows);
    for (auto& row : rows) row.spent += 10s;
    put(rows);
    EXPECT_EQ(since(kDay).size(), rows.size());
    EXPECT_EQ(of({"D19999"}, kDay), (Rows{rows.back()}));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreStatistics, testing::ValuesIn(store_implementations()),
                         [](const auto& of) { return of.param.name; });

}  // namespace

}  // namespace fieldwarden::supervisor
