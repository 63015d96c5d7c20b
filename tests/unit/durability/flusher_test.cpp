#include "worker/flusher.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>

#include "common/sample_block.h"
#include "proto/shapes.h"
#include "tests/unit/durability/spool_fixture.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

// Answers each delivery by the script; keeps what it accepted.
class ScriptedSink : public Sink {
  public:
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        std::function<Status()> open = [] { return Status{}; };
        std::function<DeliveryOutcome(const std::vector<std::vector<std::int64_t>>&)> answer;
        std::vector<std::int64_t> accepted;
        std::vector<std::size_t> batch_sizes;  // records of each delivery
        int opened = 0;
        bool interrupted = false;
        Limits limits{1'000, 1ms};

        // Waits until the state satisfies `done`.
        bool wait(const std::function<bool()>& done) {
            std::unique_lock lock{mutex};
            return changed.wait_for(lock, 30s, done);
        }
    };
    explicit ScriptedSink(std::shared_ptr<State> state) : state_(std::move(state)) {}

    Status open() override {
        const std::lock_guard lock{state_->mutex};
        ++state_->opened;
        state_->changed.notify_all();
        return state_->open();
    }
    DeliveryOutcome deliver(const DeliveryBatch& batch) override {
        std::unique_lock lock{state_->mutex};
        std::vector<std::vector<std::int64_t>> records;
        for (const auto& record : batch.records) {
            auto& numbers = records.emplace_back();
            for (const auto& sample : record.samples) numbers.push_back(std::get<std::int64_t>(sample.value));
            EXPECT_EQ(samples_in_block(record.block), record.samples.size());
        }
        EXPECT_NE(batch.directory, nullptr);
        state_->batch_sizes.push_back(records.size());
        DeliveryOutcome outcome;
        if (state_->answer) {
            outcome = state_->answer(records);
        } else {
            outcome.verdicts.assign(records.size(), Verdict::kAccepted);
        }
        for (std::size_t i = 0; i < outcome.verdicts.size() && i < records.size(); ++i) {
            if (outcome.verdicts[i] != Verdict::kAccepted) continue;
            state_->accepted.insert(state_->accepted.end(), records[i].begin(), records[i].end());
        }
        state_->changed.notify_all();
        return outcome;
    }
    [[nodiscard]] Limits limits() const override { return state_->limits; }
    Result<std::string> probe() override { return std::string{}; }
    void interrupt() override {
        const std::lock_guard lock{state_->mutex};
        state_->interrupted = true;
        state_->changed.notify_all();
    }

  private:
    std::shared_ptr<State> state_;
};

class FlusherTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = "/tmp/fw-flusher-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        directory_ = name;
        spool_ = open_spool(files_, small_spool());
    }
    void TearDown() override {
        flusher_.reset();
        spool_.reset();
        std::filesystem::remove_all(directory_);
    }
    void fill(std::int64_t from, std::int64_t to) {
        for (auto i = from; i < to; ++i) ASSERT_TRUE(append(*spool_, i));
        ASSERT_TRUE(spool_->sync());
    }
    void start() {
        FlusherOptions options;
        options.sink_code = "a";
        options.dead_letters_path = directory_ + "/dead.jsonl";
        options.backoff = {1ms, 2ms, 0.25};
        options.log = [this](proto::LogLevel, std::string text) {
            const std::lock_guard lock{said_mutex_};
            said_.push_back(std::move(text));
        };
        flusher_ = std::make_unique<Flusher>(std::move(options), std::make_unique<ScriptedSink>(sink_),
                                             spool_->reader("a"), system_clock());
        flusher_->start();
    }
    bool accepted(std::size_t count) {
        return sink_->wait([&] { return sink_->accepted.size() >= count; });
    }
    bool settled(std::uint64_t pending) {
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (flusher_->stats().pending != pending && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        return flusher_->stats().pending == pending;
    }
    bool dead(std::uint64_t samples) {
        const auto deadline = std::chrono::steady_clock::now() + 30s;
        while (flusher_->stats().dead != samples && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        return flusher_->stats().dead == samples;
    }
    std::vector<proto::Json> dead_letters() {
        std::vector<proto::Json> letters;
        std::ifstream file{directory_ + "/dead.jsonl"};
        for (std::string line; std::getline(file, line);) letters.push_back(proto::Json::parse(line));
        return letters;
    }

    std::string directory_;
    FaultyFileSystem files_;
    std::unique_ptr<Spool> spool_;
    std::shared_ptr<ScriptedSink::State> sink_ = std::make_shared<ScriptedSink::State>();
    std::unique_ptr<Flusher> flusher_;
    std::mutex said_mutex_;
    std::vector<std::string> said_;
};

TEST_F(FlusherTest, DeliversInOrderAndMovesTheCursor) {
    fill(0, 50);
    start();
    ASSERT_TRUE(accepted(50));
    fill(50, 80);
    ASSERT_TRUE(accepted(80));
    ASSERT_TRUE(settled(0));
    EXPECT_EQ(sink_->accepted, range(0, 80));
    EXPECT_EQ(flusher_->stats().delivered, 80U);
    EXPECT_EQ(flusher_->stats().last_error, "");
}

TEST_F(FlusherTest, CountsWhatIsStoredByItsAge) {
    sink_->answer = [](const auto& records) {
        DeliveryOutcome outcome;
        for (const auto& record : records) {
            outcome.verdicts.push_back(record.front() == 2 ? Verdict::kRejected : Verdict::kAccepted);
        }
        outcome.reason = "2 is not wanted";
        return outcome;
    };
    fill(0, 5);  // of 1970
    // A scan with two times, both of which lie ahead.
    auto early = sample_of(7);
    early.time = system_clock().utc_now() + std::chrono::hours{1};
    auto late = early;
    late.time += std::chrono::hours{1};
    ASSERT_TRUE(spool_->append(SampleBatch{early, early, late}));
    ASSERT_TRUE(spool_->sync());
    start();
    ASSERT_TRUE(settled(0));
    ASSERT_TRUE(dead(1));
    const auto stats = flusher_->stats();
    EXPECT_EQ(stats.delivered, 7U);
    EXPECT_EQ(stats.ages.counts.front(), 3U);
    EXPECT_EQ(stats.ages.counts.back(), 4U) << "what is refused has not arrived";
    EXPECT_GT(stats.ages.sum_s, 4 * 3'600.0);
}

TEST_F(FlusherTest, BatchesAreBoundedBySamples) {
    sink_->limits.samples = 7;
    fill(0, 40);
    start();
    ASSERT_TRUE(accepted(40));
    for (const auto size : sink_->batch_sizes) EXPECT_LE(size, 7U);
}

TEST_F(FlusherTest, WhatIsKeptIsTriedAgainBeforeAnythingNewer) {
    int attempts = 0;
    sink_->answer = [&](const auto& records) {
        DeliveryOutcome outcome;
        if (++attempts <= 3) {
            // The first two pass, the rest does not.
            outcome.verdicts.assign(std::min<std::size_t>(2, records.size()), Verdict::kAccepted);
            outcome.reason = "server is away";
            return outcome;
        }
        outcome.verdicts.assign(records.size(), Verdict::kAccepted);
        return outcome;
    };
    fill(0, 30);
    start();
    ASSERT_TRUE(accepted(30));
    ASSERT_TRUE(settled(0));
    EXPECT_EQ(sink_->accepted, range(0, 30));
    EXPECT_EQ(flusher_->stats().retrying, 0U);
    const std::lock_guard lock{said_mutex_};
    EXPECT_THAT(said_, ::testing::Contains(::testing::HasSubstr("server is away")));
    EXPECT_THAT(said_, ::testing::Contains(::testing::HasSubstr("works again")));
}

TEST_F(FlusherTest, AGapInTheMiddleIsFilledAndNothingIsDeliveredTwice) {
    bool first = true;
    sink_->answer = [&](const auto& records) {
        DeliveryOutcome outcome;
        for (std::size_t i = 0; i < records.size(); ++i) {
            outcome.verdicts.push_back(first && i % 2 == 1 ? Verdict::kKeep : Verdict::kAccepted);
        }
        first = false;
        return outcome;
    };
    fill(0, 20);
    start();
    ASSERT_TRUE(accepted(20));
    ASSERT_TRUE(settled(0));
    auto numbers = sink_->accepted;
    std::sort(numbers.begin(), numbers.end());
    EXPECT_EQ(numbers, range(0, 20));
}

TEST_F(FlusherTest, HonoursRetryAfter) {
    auto asked = std::chrono::steady_clock::time_point{};
    auto again = asked;
    sink_->answer = [&](const auto& records) {
        DeliveryOutcome outcome;
        if (asked == std::chrono::steady_clock::time_point{}) {
            asked = std::chrono::steady_clock::now();
            outcome.retry_after = 60ms;
            outcome.reason = "429";
            return outcome;
        }
        if (again == std::chrono::steady_clock::time_point{}) again = std::chrono::steady_clock::now();
        outcome.verdicts.assign(records.size(), Verdict::kAccepted);
        return outcome;
    };
    fill(0, 3);
    start();
    ASSERT_TRUE(accepted(3));
    EXPECT_GE(again - asked, 60ms);  // own backoff would be 2 ms at most
}

TEST_F(FlusherTest, BisectsDownToThePoisonRecord) {
    sink_->answer = [](const auto& records) {
        DeliveryOutcome outcome;
        for (const auto& numbers : records) {
            if (numbers.front() == 13 || numbers.front() == 14) {
                outcome.bisect = true;
                outcome.reason = "400: cannot parse";
                return outcome;
            }
        }
        outcome.verdicts.assign(records.size(), Verdict::kAccepted);
        return outcome;
    };
    fill(0, 40);
    start();
    ASSERT_TRUE(accepted(38));
    ASSERT_TRUE(settled(0));
    auto expected = range(0, 40);
    expected.erase(expected.begin() + 13, expected.begin() + 15);
    EXPECT_EQ(sink_->accepted, expected);
    EXPECT_EQ(flusher_->stats().dead, 2U);
    const auto letters = dead_letters();
    ASSERT_EQ(letters.size(), 2U);
    EXPECT_EQ(letters[0]["reason"], "400: cannot parse");
    EXPECT_EQ(letters[0]["sink_code"], "a");
    EXPECT_EQ(letters[0]["samples"][0]["point_code"], "P1");
    EXPECT_EQ(letters[0]["samples"][0]["device_code"], "D1");
    EXPECT_EQ(letters[0]["samples"][0]["value"], 13);
    EXPECT_EQ(letters[1]["samples"][0]["value"], 14);
}

TEST_F(FlusherTest, ARejectedRecordIsBuriedAndTheOthersGoOn) {
    sink_->answer = [](const auto& records) {
        DeliveryOutcome outcome;
        for (const auto& numbers : records) {
            outcome.verdicts.push_back(numbers.front() % 10 == 0 ? Verdict::kRejected : Verdict::kAccepted);
        }
        outcome.reason = "no such column";
        return outcome;
    };
    fill(0, 30);
    start();
    ASSERT_TRUE(accepted(27));
    ASSERT_TRUE(settled(0));
    EXPECT_EQ(dead_letters().size(), 3U);
    EXPECT_EQ(flusher_->stats().dead, 3U);
}

TEST_F(FlusherTest, LettersAreCountedAgainAfterARestart) {
    sink_->answer = [](const auto& records) {
        return DeliveryOutcome{std::vector(records.size(), Verdict::kRejected), "refused", {}, false};
    };
    fill(0, 3);
    start();
    ASSERT_TRUE(settled(0));
    EXPECT_EQ(flusher_->stats().dead, 3U);
    flusher_.reset();
    start();
    ASSERT_TRUE(sink_->wait([&] { return sink_->opened == 2; }));
    EXPECT_EQ(flusher_->stats().dead, 3U);
    EXPECT_EQ(flusher_->stats().dead_reason, "refused");
}

TEST_F(FlusherTest, LettersAreDeliveredAgainWhenTold) {
    bool mended = false;
    sink_->answer = [&](const auto& records) {
        return DeliveryOutcome{std::vector(records.size(), mended ? Verdict::kAccepted : Verdict::kRejected),
                               "no such column",
                               {},
                               false};
    };
    fill(0, 200);
    start();
    ASSERT_TRUE(settled(0));
    {
        const std::lock_guard lock{sink_->mutex};
        mended = true;
    }
    std::filesystem::rename(directory_ + "/dead.jsonl", directory_ + "/dead.jsonl.retry.1");
    flusher_->look_at_letters();
    ASSERT_TRUE(accepted(200));
    ASSERT_TRUE(dead(0));
    EXPECT_EQ(sink_->accepted, range(0, 200));
    EXPECT_FALSE(std::filesystem::exists(directory_ + "/dead.jsonl.retry.1"));
    EXPECT_EQ(flusher_->stats().delivered, 200U);
}

TEST_F(FlusherTest, ALetterRefusedAgainGoesBackWithTheNewReason) {
    std::string why = "first";
    sink_->answer = [&](const auto& records) {
        DeliveryOutcome outcome{{}, why, {}, why == "second"};
        for (const auto& numbers : records) {
            if (why == "second" && records.size() > 1) break;  // a batch is refused as a whole
            outcome.verdicts.push_back(why == "first" || numbers.front() == 2 ? Verdict::kRejected
                                                                              : Verdict::kAccepted);
        }
        return outcome;
    };
    fill(0, 5);
    start();
    ASSERT_TRUE(settled(0));
    {
        const std::lock_guard lock{sink_->mutex};
        why = "second";
    }
    std::filesystem::rename(directory_ + "/dead.jsonl", directory_ + "/dead.jsonl.retry.1");
    flusher_->look_at_letters();
    ASSERT_TRUE(accepted(4));
    ASSERT_TRUE(dead(1));
    EXPECT_EQ(sink_->accepted, (std::vector<std::int64_t>{0, 1, 3, 4}));
    const auto letters = dead_letters();
    ASSERT_EQ(letters.size(), 1U);
    EXPECT_EQ(letters[0]["reason"], "second");
    EXPECT_EQ(letters[0]["samples"][0]["value"], 2);
    EXPECT_EQ(flusher_->stats().dead_reason, "second");
}

TEST_F(FlusherTest, LettersThatAreKeptDoNotHoldUpFreshData) {
    bool refusing = true;
    bool away_for_letters = true;
    sink_->answer = [&](const auto& records) {
        DeliveryOutcome outcome{{}, "away", {}, false};
        for (const auto& numbers : records) {
            const bool letter = numbers.front() < 10;
            outcome.verdicts.push_back(letter && refusing           ? Verdict::kRejected
                                       : letter && away_for_letters ? Verdict::kKeep
                                                                    : Verdict::kAccepted);
        }
        return outcome;
    };
    fill(0, 10);
    start();
    ASSERT_TRUE(settled(0));
    {
        const std::lock_guard lock{sink_->mutex};
        refusing = false;
    }
    std::filesystem::rename(directory_ + "/dead.jsonl", directory_ + "/dead.jsonl.retry.1");
    flusher_->look_at_letters();
    fill(10, 60);
    ASSERT_TRUE(accepted(50));
    ASSERT_TRUE(settled(0));
    EXPECT_EQ(sink_->accepted, range(10, 60));
    EXPECT_EQ(flusher_->stats().dead, 10U);
    // The next life takes them up by itself.
    flusher_.reset();
    {
        const std::lock_guard lock{sink_->mutex};
        away_for_letters = false;
    }
    start();
    ASSERT_TRUE(accepted(60));
    ASSERT_TRUE(dead(0));
}

TEST_F(FlusherTest, TornAndHostileLinesDoNotHoldUpTheOthers) {
    sink_->answer = [](const auto& records) {
        return DeliveryOutcome{std::vector(records.size(), Verdict::kRejected), "refused", {}, false};
    };
    fill(0, 2);
    start();
    ASSERT_TRUE(settled(0));
    flusher_.reset();
    std::string good;
    {
        std::ifstream file{directory_ + "/dead.jsonl"};
        good.assign(std::istreambuf_iterator<char>{file}, {});
    }
    std::filesystem::remove(directory_ + "/dead.jsonl");
    {
        std::ofstream file{directory_ + "/dead.jsonl.retry.7", std::ios::binary};
        file << "{\"seq\": 1}\n\n"
             << std::string(100'000, '[') << "\n"
             << std::string("\0\xff{", 3) << "\n"
             << good << good.substr(0, good.size() / 3);
    }
    sink_->answer = nullptr;
    start();
    ASSERT_TRUE(accepted(2));
    ASSERT_TRUE(dead(0));
    EXPECT_EQ(sink_->accepted, range(0, 2));
    std::ifstream aside{directory_ + "/dead.jsonl.unreadable"};
    std::string line;
    ASSERT_TRUE(std::getline(aside, line));
    EXPECT_EQ(line, "{\"seq\": 1}");
}

TEST(DeadLetterLine, RebuildsSamplesAndPointsAsTheyWere) {
    const SampleBatch samples{
        {1, Quality::kGood, QualityCode::kNone, UtcTime{std::chrono::microseconds{1'234'567}}, 5.0},
        {2, Quality::kGood, QualityCode::kNone, {}, std::uint64_t{1} << 63},
        {3, Quality::kBad, QualityCode::kTimeout, {}, {}},
        {4, Quality::kUncertain, QualityCode::kStale, {}, std::string{"\xff\0\"", 3}},
        {9, Quality::kGood, QualityCode::kNone, {}, std::numeric_limits<double>::infinity()}};
    PointDirectory points;
    for (PointId id = 1; id <= 4; ++id) {
        points[id] = {"S", "D", "设备", "T", "P" + std::to_string(id), "kW", {BaseType::kFloat64, 0}, "st"};
    }
    Bytes block;
    encode_sample_block(samples, block);
    std::string name = "/tmp/fw-letters-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    DeadLetters letters{name + "/dead.jsonl", 1U << 20};
    ASSERT_TRUE(letters.add("a", {7, block, samples}, &points, "why", UtcTime{}));
    std::ifstream file{name + "/dead.jsonl"};
    std::string line;
    ASSERT_TRUE(std::getline(file, line));
    const auto letter = parse_dead_letter(line);
    ASSERT_TRUE(letter) << letter.error().message;
    EXPECT_EQ(letter->seq, 7U);
    EXPECT_EQ(letter->samples, samples);
    EXPECT_EQ(letter->points, points);
    EXPECT_EQ(letters.count().samples, 5U);
    for (std::size_t cut = 0; cut < line.size(); ++cut) EXPECT_FALSE(parse_dead_letter(line.substr(0, cut)));
    std::filesystem::remove_all(name);
}

TEST_F(FlusherTest, ARecordThatCannotBeBuriedIsNotLost) {
    std::filesystem::create_directory(directory_ + "/dead.jsonl");  // nothing can be written there
    sink_->answer = [](const auto& records) {
        return DeliveryOutcome{std::vector(records.size(), Verdict::kRejected), "refused", {}, false};
    };
    fill(0, 1);
    start();
    ASSERT_TRUE(sink_->wait([&] { return sink_->batch_sizes.size() >= 3; }));
    EXPECT_EQ(flusher_->stats().pending, 1U);
    std::filesystem::remove(directory_ + "/dead.jsonl");
    ASSERT_TRUE(settled(0));
    EXPECT_EQ(dead_letters().size(), 1U);
}

TEST_F(FlusherTest, OpensAgainUntilTheSinkIsThere) {
    int attempts = 0;
    sink_->open = [&]() -> Status {
        if (++attempts < 4) return make_error(ErrorKind::kUnavailable, "connection refused");
        return {};
    };
    fill(0, 5);
    start();
    ASSERT_TRUE(accepted(5));
    EXPECT_EQ(sink_->opened, 4);
}

TEST_F(FlusherTest, StopDeliversWhatIsThereAndLeavesTheRestToTheNextLife) {
    sink_->limits = {10, 60s};  // it would wait a minute for a tenth sample
    fill(0, 5);
    start();
    flusher_->request_stop(30s);
    flusher_->join();
    EXPECT_EQ(sink_->accepted, range(0, 5));

    sink_->answer = [](const auto&) { return DeliveryOutcome{{}, "away", {}, false}; };
    fill(5, 9);
    start();
    flusher_->request_stop(30s);
    flusher_->join();  // a sink that is away is not waited for
    EXPECT_EQ(spool_->stats().pending, 4U);

    sink_->answer = nullptr;
    sink_->limits.linger = 1ms;
    start();
    ASSERT_TRUE(accepted(9));
    EXPECT_EQ(sink_->accepted, range(0, 9));
}

TEST_F(FlusherTest, AHangingSinkIsInterruptedWhenTheGraceIsOver) {
    std::atomic<bool> hanging{false};
    auto state = sink_;
    class HangingSink : public ScriptedSink {
      public:
        HangingSink(std::shared_ptr<State> state, std::atomic<bool>& hanging)
            : ScriptedSink(state), state_(std::move(state)), hanging_(hanging) {}
        DeliveryOutcome deliver(const DeliveryBatch&) override {
            hanging_ = true;
            state_->wait([&] { return state_->interrupted; });
            return {};
        }

      private:
        std::shared_ptr<State> state_;
        std::atomic<bool>& hanging_;
    };
    fill(0, 1);
    FlusherOptions options;
    options.sink_code = "a";
    options.dead_letters_path = directory_ + "/dead.jsonl";
    flusher_ = std::make_unique<Flusher>(std::move(options), std::make_unique<HangingSink>(state, hanging),
                                         spool_->reader("a"), system_clock());
    flusher_->start();
    while (!hanging) std::this_thread::yield();
    flusher_->request_stop(1ms);
    flusher_->join();
    EXPECT_TRUE(state->interrupted);
    EXPECT_EQ(spool_->stats().pending, 1U);
}

}  // namespace
}  // namespace fieldwarden::worker
