// The same small life of a spool, broken off or disturbed at every single file operation.
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "tests/unit/durability/spool_fixture.h"

namespace fieldwarden::worker {
namespace {

// What a sink has seen, over all lives of the spool.
struct SinkView {
    std::map<std::uint64_t, std::vector<std::int64_t>> by_seq;
    std::set<std::int64_t> numbers;
    std::int64_t highest = -1;

    void take(const std::vector<Taken>& taken) {
        for (const auto& one : taken) {
            const auto [at, added] = by_seq.emplace(one.seq, one.numbers);
            EXPECT_EQ(at->second, one.numbers) << "number " << one.seq << " came back with other samples";
            for (const auto number : one.numbers) {
                if (added) {
                    EXPECT_TRUE(numbers.insert(number).second) << number << " came under two numbers";
                    EXPECT_GT(number, highest) << "out of order";
                }
                highest = std::max(highest, number);
            }
        }
    }
};

struct Life {
    std::int64_t next = 0;                // the next number to append
    std::set<std::int64_t> acknowledged;  // append() took them
    std::set<std::int64_t> durable;       // and a later sync() succeeded
    std::map<std::string, SinkView> sinks;
    std::set<std::int64_t> attempted;
};

constexpr int kSteps = 30;

// Appends, syncs, reads and commits. With `stubborn`, what fails is tried again, as a worker does; otherwise
// failures are passed over, as nobody is left to try.
void live(FaultyFileSystem& files, Life& life, bool stubborn) {
    const auto insist = [&](auto&& action) {
        auto done = action();
        for (int i = 0; stubborn && !done && i < 20; ++i) done = action();
        if (stubborn) {
            EXPECT_TRUE(done) << done.error().message;
        }
        return done.has_value();
    };
    Result<std::unique_ptr<Spool>> opened = make_error(ErrorKind::kIo, "");
    if (!insist([&]() -> Status {
            opened = Spool::open(small_spool(), files, system_clock());
            return opened ? Status{} : Status{opened.error()};
        })) {
        return;
    }
    auto& spool = **opened;
    if (!insist([&] { return spool.set_directory(directory_of("D1")); })) return;
    if (!insist([&] { return spool.set_sinks({"a", "b"}); })) return;
    auto a = spool.reader("a");
    auto b = spool.reader("b");
    const auto read = [&](SpoolReader& reader, const std::string& sink) {
        auto batch = reader.read(10);
        if (!batch || batch->records.empty()) return;
        std::vector<Taken> taken;
        for (const auto& record : batch->records) {
            SampleBatch decoded;
            ASSERT_TRUE(decode_sample_block(record.block, decoded));
            Taken one{record.seq, {}, record.end, {}};
            for (const auto& sample : decoded) one.numbers.push_back(std::get<std::int64_t>(sample.value));
            taken.push_back(std::move(one));
        }
        life.sinks[sink].take(taken);
        (void)reader.commit(taken.back().end);
    };
    for (int step = 0; step < kSteps; ++step) {
        const std::int64_t first = life.next;
        const std::int64_t count = 1 + step % 3;
        life.next += count;
        for (auto i = first; i < first + count; ++i) life.attempted.insert(i);
        if (insist([&] { return append(spool, first, count); })) {
            for (auto i = first; i < first + count; ++i) life.acknowledged.insert(i);
        }
        if (step % 3 == 2 && insist([&] { return spool.sync(); })) life.durable = life.acknowledged;
        if (step % 4 == 3) read(*a, "a");
        if (step % 11 == 10) read(*b, "b");
        if (step == 17) insist([&] { return spool.set_directory(directory_of("D2")); });
    }
}

// The next process: reads everything for both sinks and checks the promises.
void check(FaultyFileSystem& files, Life& life, const std::set<std::int64_t>& owed) {
    auto spool = open_spool(files, small_spool(), {"a", "b"});
    ASSERT_NE(spool, nullptr);
    // Something new still goes in, behind everything else.
    const std::int64_t fresh = life.next;
    life.attempted.insert(fresh);
    ASSERT_TRUE(append(*spool, fresh));
    ASSERT_TRUE(spool->sync());
    for (const std::string sink : {"a", "b"}) {
        auto reader = spool->reader(sink);
        auto& view = life.sinks[sink];
        view.take(drain(*reader));
        for (const auto number : view.numbers) EXPECT_TRUE(life.attempted.contains(number)) << number;
        for (const auto number : owed)
            EXPECT_TRUE(view.numbers.contains(number)) << sink << " lost " << number;
        EXPECT_TRUE(view.numbers.contains(fresh));
    }
    EXPECT_EQ(spool->stats().pending, 0U);
    EXPECT_EQ(spool->stats().dropped, 0U);
}

std::uint64_t operations_of_one_life() {
    FaultyFileSystem files;
    Life life;
    live(files, life, true);
    return files.operations();
}

FaultyFileSystem::Fault dead_from(std::uint64_t n, bool torn) {
    return [n, torn](std::uint64_t at) -> FaultyFileSystem::Verdict {
        if (at < n) return {};
        return {EIO, torn && at == n, true};
    };
}

TEST(SpoolFaultTest, AProcessKilledAtAnyOperationLosesNothingItHadTaken) {
    const auto operations = operations_of_one_life();
    ASSERT_GT(operations, 60U);
    for (std::uint64_t n = 1; n <= operations; ++n) {
        for (const bool torn : {false, true}) {
            SCOPED_TRACE(fmt::format("killed at operation {}{}", n, torn ? ", torn" : ""));
            FaultyFileSystem files;
            Life life;
            files.set_fault(dead_from(n, torn));
            live(files, life, false);
            files.set_fault(nullptr);
            check(files, life, life.acknowledged);
            if (::testing::Test::HasFailure()) return;
        }
    }
}

TEST(SpoolFaultTest, APowerCutAtAnyOperationLosesNothingThatWasSynced) {
    const auto operations = operations_of_one_life();
    for (std::uint64_t n = 1; n <= operations; ++n) {
        for (unsigned seed = 1; seed <= 8; ++seed) {
            SCOPED_TRACE(fmt::format("power cut at operation {}, seed {}", n, seed));
            FaultyFileSystem files;
            Life life;
            files.set_fault(dead_from(n, seed % 2 == 0));
            live(files, life, false);
            std::minstd_rand random{seed * 7'919 + static_cast<unsigned>(n)};
            files.cut_power(random);
            check(files, life, life.durable);
            if (::testing::Test::HasFailure()) return;
        }
    }
}

TEST(SpoolFaultTest, AnyOperationThatFailsForAWhileCostsNothing) {
    const auto operations = operations_of_one_life();
    for (const int error : {EIO, ENOSPC}) {
        for (std::uint64_t n = 1; n <= operations; ++n) {
            for (const std::uint64_t times : {1U, 3U}) {
                SCOPED_TRACE(fmt::format("operations {} to {} fail with {}", n, n + times - 1, error));
                FaultyFileSystem files;
                Life life;
                files.set_fault([=](std::uint64_t at) -> FaultyFileSystem::Verdict {
                    return at >= n && at < n + times ? FaultyFileSystem::Verdict{error, at % 2 == 0, false}
                                                     : FaultyFileSystem::Verdict{};
                });
                live(files, life, true);
                files.set_fault(nullptr);
                ASSERT_EQ(life.acknowledged.size(), static_cast<std::size_t>(life.next));
                if (error == ENOSPC) {
                    // drop_oldest may make room on a full disk at the cost of the oldest.
                    auto spool = open_spool(files, small_spool(), {"a", "b"});
                    ASSERT_NE(spool, nullptr);
                    continue;
                }
                check(files, life, life.acknowledged);
                if (::testing::Test::HasFailure()) return;
            }
        }
    }
}

TEST(SpoolFaultTest, RandomLivesInARow) {
    // Several processes one after another, each killed or its power cut at a random moment.
    for (unsigned seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        std::minstd_rand random{seed};
        FaultyFileSystem files;
        Life life;
        std::set<std::int64_t> owed;
        for (int round = 0; round < 5; ++round) {
            const bool power = random() / 3 % 2 == 0;
            files.set_fault(dead_from(files.operations() + 1 + random() / 5 % 90, random() / 3 % 2 == 0));
            life.acknowledged.clear();
            life.durable.clear();
            live(files, life, false);
            files.set_fault(nullptr);
            if (power) files.cut_power(random);
            // What earlier rounds owe and was read back after them is safe; this round's debt comes on top.
            const auto& kept = power ? life.durable : life.acknowledged;
            owed.insert(kept.begin(), kept.end());
            if (power) {
                // An older record that only a kill had spared may be gone with the power.
                std::erase_if(owed, [&](std::int64_t number) { return !kept.contains(number); });
            }
        }
        check(files, life, owed);
        if (::testing::Test::HasFailure()) return;
    }
}

}  // namespace
}  // namespace fieldwarden::worker
