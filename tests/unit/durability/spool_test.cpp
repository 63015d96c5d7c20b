#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "proto/shapes.h"
#include "tests/unit/durability/spool_fixture.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST(SpoolTest, GivesBackWhatWasAppendedInOrder) {
    FaultyFileSystem files;
    auto spool = open_spool(files);
    for (int i = 0; i < 100; i += 2) ASSERT_TRUE(append(*spool, i, 2));
    ASSERT_TRUE(spool->sync());
    auto reader = spool->reader("a");
    const auto taken = drain(*reader);
    EXPECT_EQ(numbers_of(taken), range(0, 100));
    for (std::size_t i = 1; i < taken.size(); ++i) EXPECT_GT(taken[i].seq, taken[i - 1].seq);
    EXPECT_EQ(spool->stats().pending, 0U);
}

TEST(SpoolTest, OnlyDurableRecordsAreRead) {
    FaultyFileSystem files;
    auto spool = open_spool(files);
    ASSERT_TRUE(append(*spool, 0));
    ASSERT_TRUE(spool->sync());
    ASSERT_TRUE(append(*spool, 1));
    auto reader = spool->reader("a");
    EXPECT_EQ(numbers_of(drain(*reader)), range(0, 1));
    EXPECT_EQ(spool->stats().pending, 1U);
    EXPECT_LT(spool->stats().durable_seq, spool->stats().appended_seq);
    ASSERT_TRUE(spool->sync());
    EXPECT_EQ(numbers_of(drain(*reader)), range(1, 2));
}

TEST(SpoolTest, ALargeScanBecomesSeveralRecords) {
    FaultyFileSystem files;
    auto options = small_spool();
    options.segment_bytes = 1 << 20;
    auto spool = open_spool(files, options);
    ASSERT_TRUE(append(*spool, 0, 2 * kSamplesPerRecord + 1));
    ASSERT_TRUE(spool->sync());
    auto reader = spool->reader("a");
    const auto taken = drain(*reader);
    EXPECT_EQ(taken.size(), 3U);
    EXPECT_EQ(numbers_of(taken).size(), 2 * kSamplesPerRecord + 1);
}

TEST(SpoolTest, EachSinkHasItsOwnCursorAndSegmentsGoWhenAllPassed) {
    FaultyFileSystem files;
    auto spool = open_spool(files, small_spool(), {"a", "b"});
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(append(*spool, i));
    ASSERT_TRUE(spool->sync());
    const auto full = spool->stats().bytes;
    auto a = spool->reader("a");
    auto b = spool->reader("b");
    EXPECT_EQ(numbers_of(drain(*a)), range(0, 200));
    EXPECT_EQ(spool->stats().bytes, full) << "sink b still needs every segment";
    EXPECT_EQ(spool->stats().pending, 200U);
    EXPECT_EQ(numbers_of(drain(*b)), range(0, 200));
    EXPECT_LT(spool->stats().bytes, full / 4);
    EXPECT_EQ(spool->stats().pending, 0U);
    EXPECT_EQ(spool->stats().dropped, 0U);
}

TEST(SpoolTest, GoesOnWhereItStoppedAndNeverRepeatsANumber) {
    FaultyFileSystem files;
    std::uint64_t last = 0;
    {
        auto spool = open_spool(files);
        for (int i = 0; i < 30; ++i) ASSERT_TRUE(append(*spool, i));
        ASSERT_TRUE(spool->sync());
        auto reader = spool->reader("a");
        const auto taken = take(*reader, 10);
        ASSERT_TRUE(reader->commit(taken.back().end));
        last = spool->stats().appended_seq;
        EXPECT_EQ(numbers_of(taken), range(0, 10));
    }
    auto spool = open_spool(files);
    EXPECT_EQ(spool->stats().pending, 20U);
    ASSERT_TRUE(append(*spool, 30));
    EXPECT_GT(spool->stats().appended_seq, last);
    ASSERT_TRUE(spool->sync());
    auto reader = spool->reader("a");
    EXPECT_EQ(numbers_of(drain(*reader)), range(10, 31));
}

struct HandClock : Clock {
    UtcTime utc{std::chrono::sys_days{std::chrono::year{2026} / 1 / 1}};
    MonoTime mono{1h};
    [[nodiscard]] UtcTime utc_now() const override { return utc; }
    [[nodiscard]] MonoTime mono_now() const override { return mono; }
};

TEST(SpoolTest, ASpoolThatWasDeletedStartsBehindItsOldNumbers) {
    HandClock clock;
    std::uint64_t old = 0;
    for (int life = 0; life < 3; ++life) {
        FaultyFileSystem files;
        auto spool = *Spool::open(small_spool(), files, clock);
        ASSERT_TRUE(spool->set_directory(directory_of("D")));
        ASSERT_TRUE(spool->set_sinks({"a"}));
        ASSERT_TRUE(append(*spool, 0));
        EXPECT_GT(spool->stats().appended_seq, old);
        for (int i = 1; i < 50; ++i) ASSERT_TRUE(append(*spool, i));
        old = spool->stats().appended_seq;
        clock.utc += 1s;
    }
}

TEST(SpoolTest, SamplesKeepTheDirectoryTheyWereAcquiredUnder) {
    FaultyFileSystem files;
    auto spool = open_spool(files, small_spool(), {"a"}, "OLD");
    ASSERT_TRUE(append(*spool, 0));
    ASSERT_TRUE(spool->set_directory(directory_of("NEW")));
    ASSERT_TRUE(append(*spool, 1));
    ASSERT_TRUE(spool->sync());
    auto reader = spool->reader("a");
    const auto taken = drain(*reader);
    ASSERT_EQ(taken.size(), 2U);
    EXPECT_EQ(taken[0].device, "OLD");
    EXPECT_EQ(taken[1].device, "NEW");
}

TEST(SpoolTest, DirectoryBytesComeBackEqual) {
    auto directory = directory_of("设备-1");
    directory[4'000'000'000] = {"", "", "", "", "", "", {BaseType::kString, 250}, "st_welding"};
    const auto encoded = encode_directory(directory);
    const auto decoded = decode_directory(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(*decoded, directory);
    for (std::size_t cut = 0; cut < encoded.size(); ++cut) {
        EXPECT_FALSE(decode_directory(ByteSpan{encoded}.first(cut))) << "cut at " << cut;
    }
}

TEST(SpoolTest, ASecondOwnerIsRefused) {
    FaultyFileSystem files;
    auto first = open_spool(files);
    const auto second = Spool::open(small_spool(), files, system_clock());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::kBusy);
    EXPECT_THAT(second.error().message, HasSubstr("in use"));
    first.reset();
    EXPECT_TRUE(Spool::open(small_spool(), files, system_clock()));
}

TEST(SpoolTest, DropsTheOldestWhenFullAndCountsExactlyWhatNoSinkGot) {
    FaultyFileSystem files;
    auto options = small_spool();
    options.limits.max_bytes = 3'000;
    std::vector<std::string> said;
    options.log = [&](proto::LogLevel, std::string text) { said.push_back(std::move(text)); };
    auto spool = open_spool(files, options);
    auto reader = spool->reader("a");
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(append(*spool, i));
    ASSERT_TRUE(spool->sync());
    const auto held = take(*reader);  // in the sink's hands when its segments are dropped
    for (int i = 10; i < 300; ++i) ASSERT_TRUE(append(*spool, i));
    ASSERT_TRUE(spool->sync());
    EXPECT_LE(spool->stats().bytes, 3'000U);
    ASSERT_TRUE(reader->commit(held.back().end));
    const auto rest = numbers_of(drain(*reader));
    ASSERT_FALSE(rest.empty());
    EXPECT_EQ(rest.back(), 299);
    EXPECT_EQ(rest, range(rest.front(), 300)) << "only the oldest are missing";
    EXPECT_EQ(spool->stats().dropped, 300U - numbers_of(held).size() - rest.size());
    EXPECT_THAT(said, ::testing::Contains(HasSubstr("dropped the oldest segment")));
}

TEST(SpoolTest, BlocksWhenFullUntilASinkMakesRoom) {
    FaultyFileSystem files;
    auto options = small_spool();
    options.limits.max_bytes = 3'000;
    options.limits.when_full = SpoolFullPolicy::kBlock;
    auto spool = open_spool(files, options);
    auto reader = spool->reader("a");
    std::atomic<int> appended{0};
    std::thread producer{[&] {
        for (int i = 0; i < 300; ++i) {
            ASSERT_TRUE(append(*spool, i));
            ++appended;
        }
    }};
    std::vector<std::int64_t> got;
    while (got.size() < 300) {
        ASSERT_TRUE(spool->sync());
        const auto some = numbers_of(drain(*reader));
        got.insert(got.end(), some.begin(), some.end());
        std::this_thread::yield();
    }
    producer.join();
    EXPECT_EQ(got, range(0, 300));
    EXPECT_EQ(spool->stats().dropped, 0U);
}

TEST(SpoolTest, ABlockedAppendCanBeInterrupted) {
    FaultyFileSystem files;
    auto options = small_spool();
    options.limits.max_bytes = 2'000;
    options.limits.when_full = SpoolFullPolicy::kBlock;
    auto spool = open_spool(files, options);
    std::atomic<bool> refused{false};
    std::thread producer{[&] {
        for (int i = 0;; ++i) {
            if (const auto status = append(*spool, i); !status) {
                EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
                refused = true;
                return;
            }
        }
    }};
    spool->interrupt_appends(true);
    producer.join();
    EXPECT_TRUE(refused);
}

TEST(SpoolTest, ARecordThatCanNeverFitIsRefused) {
    FaultyFileSystem files;
    auto options = small_spool();
    options.limits.max_bytes = 2'000;
    auto spool = open_spool(files, options);
    const auto status = append(*spool, 0, 1'000);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTooLarge);
    EXPECT_TRUE(append(*spool, 0));
}

TEST(SpoolTest, SegmentsOlderThanMaxAgeGo) {
    HandClock clock;
    FaultyFileSystem files;
    auto options = small_spool();
    options.limits.max_age = 24h;
    auto spool = *Spool::open(options, files, clock);
    ASSERT_TRUE(spool->set_directory(directory_of("D")));
    ASSERT_TRUE(spool->set_sinks({"a"}));
    for (int i = 0; i < 5; ++i) {
        ASSERT_TRUE(append(*spool, i));
        clock.utc += 12h;
        clock.mono += 12h;
    }
    ASSERT_TRUE(spool->sync());
    ASSERT_TRUE(spool->enforce_age());
    auto reader = spool->reader("a");
    // Number 2 is exactly as old as allowed.
    EXPECT_EQ(numbers_of(drain(*reader)), range(2, 5));
    EXPECT_EQ(spool->stats().dropped, 2U);
}

TEST(SpoolTest, RemovedSinksHoldNothingBack) {
    FaultyFileSystem files;
    auto spool = open_spool(files, small_spool(), {"a", "gone"});
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(*spool, i));
    ASSERT_TRUE(spool->sync());
    auto a = spool->reader("a");
    drain(*a);
    EXPECT_EQ(spool->stats().pending, 100U);
    ASSERT_TRUE(spool->set_sinks({"a"}));
    EXPECT_EQ(spool->stats().pending, 0U);
    EXPECT_LT(spool->stats().bytes, 1'000U);
    for (const auto& path : files.paths()) EXPECT_THAT(path, ::testing::Not(HasSubstr("cursor.gone")));
}

TEST(SpoolTest, ADamagedRecordCostsItselfOnly) {
    FaultyFileSystem files;
    auto options = small_spool();
    options.segment_bytes = 1 << 20;
    auto spool = open_spool(files, options);
    std::vector<std::uint64_t> starts;
    const std::string path = [&] {
        for (const auto& p : files.paths()) {
            if (p.ends_with(".seg")) return p;
        }
        return std::string{};
    }();
    for (int i = 0; i < 20; ++i) {
        starts.push_back(files.size_of(path));
        ASSERT_TRUE(append(*spool, i));
    }
    ASSERT_TRUE(spool->sync());
    files.flip(path, starts[5] + kRecordHeaderBytes + 3);  // in the payload: its length is still true
    auto reader = spool->reader("a");
    auto numbers = numbers_of(drain(*reader));
    auto expected = range(0, 20);
    expected.erase(expected.begin() + 5);
    EXPECT_EQ(numbers, expected);
}

TEST(SpoolTest, ADamagedLengthCostsTheRestOfItsSegmentAndIsCounted) {
    FaultyFileSystem files;
    auto spool = open_spool(files);
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(append(*spool, i));
    ASSERT_TRUE(spool->sync());
    std::vector<std::string> segments;
    for (const auto& path : files.paths()) {
        if (path.ends_with(".seg")) segments.push_back(path);
    }
    ASSERT_GE(segments.size(), 3U);
    const auto start = read_segment_start(**files.open(segments[0], OpenMode::kRead), segments[0]);
    ASSERT_TRUE(start);
    files.flip(segments[0], start->first_record + 6);  // the length, third byte
    auto reader = spool->reader("a");
    const auto numbers = numbers_of(drain(*reader));
    ASSERT_FALSE(numbers.empty());
    EXPECT_EQ(numbers, range(numbers.front(), 60));
    EXPECT_EQ(spool->stats().damaged, static_cast<std::uint64_t>(numbers.front()));
    EXPECT_EQ(spool->stats().pending, 0U);
}

TEST(SpoolTest, EverySingleBitFlipIsSurvived) {
    // Whatever bit of whatever file turns over: the spool opens, gives no wrong number, and takes new ones.
    FaultyFileSystem clean;
    {
        auto spool = open_spool(clean);
        for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(*spool, i));
    }
    const auto paths = clean.paths();
    for (const auto& path : paths) {
        for (std::uint64_t byte = 0; byte < clean.size_of(path); byte += 3) {
            FaultyFileSystem files;
            {
                auto spool = open_spool(files);
                for (int i = 0; i < 40; ++i) ASSERT_TRUE(append(*spool, i));
            }
            // Segment names hold the clock: the same file by its place in the list.
            const auto same = files.paths()[static_cast<std::size_t>(
                std::find(paths.begin(), paths.end(), path) - paths.begin())];
            if (byte >= files.size_of(same)) continue;
            files.flip(same, byte);
            auto spool = open_spool(files);
            ASSERT_NE(spool, nullptr);
            ASSERT_TRUE(append(*spool, 40));
            ASSERT_TRUE(spool->sync());
            auto reader = spool->reader("a");
            const auto numbers = numbers_of(drain(*reader));
            ASSERT_FALSE(numbers.empty());
            EXPECT_EQ(numbers.back(), 40);
            EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
            for (const auto number : numbers) EXPECT_TRUE(number >= 0 && number <= 40);
        }
    }
}

TEST(SpoolTest, ManyThreadsAppendWhileOneReads) {
    FaultyFileSystem unused;
    auto options = small_spool();
    options.directory = ::testing::TempDir() + "fw-spool-threads";
    options.segment_bytes = 20'000;
    options.background_sync = true;
    options.limits.fsync_window = 1ms;
    auto& files = real_file_system();
    auto spool = open_spool(files, options);
    ASSERT_NE(spool, nullptr);
    constexpr int kThreads = 4;
    constexpr int kEach = 500;
    std::vector<std::thread> producers;
    for (int t = 0; t < kThreads; ++t) {
        producers.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                const Sample sample = sample_of(t * kEach + i, static_cast<PointId>(t + 1));
                ASSERT_TRUE(spool->append({&sample, 1}));
            }
        });
    }
    std::map<int, int> next;
    int got = 0;
    auto reader = spool->reader("a");
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (got < kThreads * kEach && std::chrono::steady_clock::now() < deadline) {
        reader->wait(100, 1ms, std::chrono::steady_clock::now() + 100ms);
        for (const auto& one : drain(*reader)) {
            for (const auto number : one.numbers) {
                const int t = static_cast<int>(number) / kEach;
                EXPECT_EQ(static_cast<int>(number) % kEach, next[t]++) << "order of thread " << t;
                ++got;
            }
        }
    }
    for (auto& producer : producers) producer.join();
    EXPECT_EQ(got, kThreads * kEach);
    reader.reset();
    spool.reset();
    std::system(("rm -rf " + options.directory).c_str());
}

}  // namespace
}  // namespace fieldwarden::worker
