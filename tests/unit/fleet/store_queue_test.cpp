#include "supervisor/fleet/store_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "tests/unit/fleet/fake_store.h"

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;
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

// A store that is away until somebody says otherwise, and what its queue said of it.
class AwayStore : public testing::Test {
  protected:
    StoreQueue::Job job(std::string name, ErrorKind while_away = ErrorKind::kUnavailable) {
        return [this, name, while_away](Store&) -> Status {
            ++tries;
            if (away) return make_error(while_away, "down");
            done.push_back(name);
            return {};
        };
    }
    auto on_failure() {
        return [this](const std::string& what, const Error&) { failed.push_back(what); };
    }
    auto say() {
        return [this](const std::string& text) {
            const std::lock_guard lock{mutex};
            said.push_back(text);
        };
    }
    std::string all_said() {
        const std::lock_guard lock{mutex};
        std::string all;
        for (const auto& text : said) all += text + "\n";
        return all;
    }

    FakeStore store;
    std::atomic<bool> away = true;
    std::atomic<int> tries = 0;
    std::vector<std::string> done;  // touched by the queue's thread only, until flush()
    std::vector<std::string> failed;
    std::mutex mutex;
    std::vector<std::string> said;
};

TEST_F(AwayStore, IsWaitedForAndThenEverythingIsWrittenInOrder) {
    StoreQueue queue{store, on_failure(), say()};
    queue.submit("a", {}, job("a"));
    EXPECT_FALSE(queue.flush()) << "nobody waits for a store that is away";
    queue.submit("b", "key", job("b"));
    queue.submit("c", {}, job("c"));
    queue.submit("b2", "key", job("b2"));
    EXPECT_EQ(queue.vitals().depth, 3U);
    EXPECT_FALSE(queue.vitals().last_error.empty());
    away = false;
    while (!queue.flush()) std::this_thread::yield();
    EXPECT_THAT(done, ElementsAre("a", "b2", "c"));
    EXPECT_THAT(failed, ElementsAre());
    EXPECT_EQ(queue.vitals().failed, 0U);
    EXPECT_EQ(queue.vitals().last_error, "");
    EXPECT_THAT(all_said(), testing::HasSubstr("3 writes waited, 0 were given up"));
}

TEST_F(AwayStore, LosesTheOldestOfWhatIsNotReplacedWhenTooMuchWaitsAndSaysSo) {
    StoreQueue queue{store, on_failure(), say(), 4};
    queue.submit("first", {}, job("first"));
    EXPECT_FALSE(queue.flush());
    queue.submit("state", "state", job("state"));
    for (const char* name : {"1", "2", "3", "4", "5"}) queue.submit(name, {}, job(name));
    EXPECT_EQ(queue.vitals().depth, 5U) << "the one that is being tried, and four";
    EXPECT_EQ(queue.vitals().failed, 2U);
    EXPECT_THAT(all_said(), testing::HasSubstr("4 writes wait for the store"));
    away = false;
    while (!queue.flush()) std::this_thread::yield();
    EXPECT_THAT(done, ElementsAre("first", "state", "3", "4", "5"));
    EXPECT_THAT(all_said(), testing::HasSubstr("2 were given up"));
}

TEST_F(AwayStore, WhatIsReplacedIsBoundedToo) {
    StoreQueue queue{store, on_failure(), say(), 2};
    queue.submit("first", {}, job("first"));
    EXPECT_FALSE(queue.flush());
    for (const char* name : {"1", "2", "3"}) queue.submit(name, name, job(name));
    queue.submit("2", "2", job("2 again"));
    away = false;
    while (!queue.flush()) std::this_thread::yield();
    EXPECT_THAT(done, ElementsAre("first", "2 again", "3"));
}

TEST_F(AwayStore, WhatWasPerhapsStoredIsDoneAgainAndItsOwnEffectCountsAsDone) {
    StoreQueue queue{store, on_failure(), say()};
    queue.submit("session 1", {}, [this](Store&) -> Status {
        if (++tries == 1) return make_error(ErrorKind::kTimeout, "broke during the commit");
        return make_error(ErrorKind::kConflict, "is there already");
    });
    while (!queue.flush()) std::this_thread::yield();
    EXPECT_EQ(tries, 2);
    EXPECT_THAT(failed, ElementsAre());
}

// Writes, and then does not say so: the connection breaks during the commit.
class SilentStore : public FakeStore {
  public:
    Status add_audit(const AuditEntry& entry) override {
        ++asked;
        if (loses_request) {
            loses_request = false;
            return make_error(ErrorKind::kTimeout, "broke before the commit");
        }
        const auto added = FakeStore::add_audit(entry);
        if (!added || !loses_answer) return added;
        loses_answer = false;
        return make_error(ErrorKind::kTimeout, "broke during the commit");
    }
    std::atomic<int> asked = 0;
    bool loses_answer = false;
    bool loses_request = false;
};

TEST_F(AwayStore, AnAuditEntryOfUnknownOutcomeIsInTheTrailOnce) {
    SilentStore silent;
    const auto entry = [](UtcTime at) {
        AuditEntry made;
        made.at = at;
        made.actor = {"chen", "operator", "10.0.0.1"};
        made.action = "task.start";
        made.subject = "T1";
        return made;
    };
    const auto written = [&](StoreQueue& queue, UtcTime at) {
        const int before = silent.asked;
        queue.submit_audit(entry(at));
        while (!queue.flush()) std::this_thread::yield();
        return silent.asked - before;
    };
    const auto first = system_clock().utc_now();
    StoreQueue queue{silent, on_failure(), say()};
    silent.loses_answer = true;
    EXPECT_EQ(written(queue, first), 1) << "it is there: it is not written again";
    silent.loses_request = true;
    EXPECT_EQ(written(queue, first + 1s), 2) << "it is not there: it is";
    EXPECT_EQ(written(queue, first + 2s), 1) << "the same at another time is another";
    EXPECT_EQ(silent.audit({}).value().items.size(), 3U);
    EXPECT_THAT(failed, ElementsAre());
}

TEST_F(AwayStore, DoesNotHoldUpTheEnd) {
    {
        StoreQueue queue{store, on_failure(), say()};
        for (int i = 0; i < 3; ++i) queue.submit("n", {}, job("n"));
        EXPECT_FALSE(queue.flush());
    }
    EXPECT_THAT(done, ElementsAre());
    EXPECT_THAT(failed, ElementsAre("n"));
    EXPECT_THAT(all_said(), testing::HasSubstr("2 more writes were given up"));
}

}  // namespace
}  // namespace fieldwarden::supervisor
