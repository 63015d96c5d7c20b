#include "supervisor/fleet/store_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "tests/unit/fleet/fake_store.h"

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;

TEST(StoreQueue, KeepsTheOrderAndCoalescesByKey) {
    FakeStore store;
    StoreQueue queue{store, [](const std::string&, const Error&) {}};
    std::promise<void> gate;
    auto opened = gate.get_future().share();
    std::vector<std::string> done;  // touched by the queue's thread only, until flush()
    const auto job = [&](std::string name) {
        return [&done, name](Store&) -> Status {
            done.push_back(name);
            return {};
        };
    };
    queue.submit("gate", {}, [opened](Store&) -> Status {
        opened.wait();
        return {};
    });
    queue.submit("a1", "a", job("a1"));
    queue.submit("b", {}, job("b"));
    queue.submit("a2", "a", job("a2"));
    queue.submit("c", {}, job("c"));
    queue.submit("a3", "a", job("a3"));
    gate.set_value();
    queue.flush();
    EXPECT_THAT(done, ElementsAre("a3", "b", "c"));
    queue.submit("a4", "a", job("a4"));
    queue.flush();
    EXPECT_THAT(done, ElementsAre("a3", "b", "c", "a4"));
    EXPECT_EQ(queue.vitals().depth, 0U);
    EXPECT_EQ(queue.vitals().done, 5U);
}

TEST(StoreQueue, TriesAgainWhatMayPassAndReportsWhatDoesNot) {
    FakeStore store;
    std::vector<std::string> reported;
    std::atomic<int> tries = 0;
    {
        StoreQueue queue{store, [&](const std::string& what, const Error&) { reported.push_back(what); }};
        queue.submit("busy", {}, [&](Store&) -> Status {
            if (++tries < 3) return make_error(ErrorKind::kBusy, "locked");
            return {};
        });
        queue.submit("wrong", {}, [&](Store&) -> Status {
            ++tries;
            return make_error(ErrorKind::kConflict, "no");
        });
        queue.flush();
        EXPECT_EQ(queue.vitals().failed, 1U);
    }
    EXPECT_EQ(tries, 4);
    EXPECT_THAT(reported, ElementsAre("wrong"));
}

TEST(StoreQueue, DestructionWritesWhatIsQueued) {
    FakeStore store;
    std::atomic<int> done = 0;
    {
        StoreQueue queue{store, [](const std::string&, const Error&) {}};
        for (int i = 0; i < 100; ++i) {
            queue.submit("n", {}, [&](Store&) -> Status {
                ++done;
                return {};
            });
        }
    }
    EXPECT_EQ(done, 100);
}

}  // namespace
}  // namespace fieldwarden::supervisor
