#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "common/sample_block.h"
#include "tests/contract/sink_contract.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

PointDirectory directory() {
    PointDirectory points;
    for (PointId id = 1; id <= 5; ++id) {
        points[id] = {
            "SITE", "DEV", "Device 设备", "TYPE", fmt::format("POINT_{}", id), "kW", {BaseType::kFloat64, 0}};
    }
    return points;
}

UtcTime moment(int i) {
    return UtcTime{std::chrono::sys_days{std::chrono::year{2026} / 11 / 22}} + std::chrono::milliseconds{i};
}

// Keeps records and what they point to together.
struct Records {
    std::vector<Bytes> blocks;
    std::vector<SampleBatch> samples;
    std::vector<DeliveryRecord> records;
    PointDirectory points = directory();

    // Record `seq` with one sample of every point.
    void add(std::uint64_t seq) {
        SampleBatch batch;
        for (PointId id = 1; id <= 5; ++id) {
            batch.push_back({id, Quality::kGood, QualityCode::kNone, moment(static_cast<int>(seq)),
                             static_cast<double>(seq * 10 + id) / 4});
        }
        add(seq, std::move(batch));
    }
    void add(std::uint64_t seq, SampleBatch batch) {
        samples.push_back(std::move(batch));
        encode_sample_block(samples.back(), blocks.emplace_back());
        records.clear();
        seqs.push_back(seq);
        for (std::size_t i = 0; i < samples.size(); ++i) records.push_back({seqs[i], blocks[i], samples[i]});
    }
    [[nodiscard]] DeliveryBatch batch(std::size_t from = 0) const {
        return {std::span{records}.subspan(from), &points, 1};
    }
    [[nodiscard]] std::vector<StoredSample> expected() const {
        std::vector<StoredSample> all;
        for (const auto& scan : samples) {
            for (const auto& sample : scan) {
                all.push_back(
                    {points.at(sample.point).point_code, sample.time, sample.value, sample.quality});
            }
        }
        std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
            return std::tie(a.time, a.point_code) < std::tie(b.time, b.point_code);
        });
        return all;
    }
    std::vector<std::uint64_t> seqs;
};

bool all_accepted(const DeliveryOutcome& outcome, std::size_t count) {
    return outcome.verdicts == std::vector(count, Verdict::kAccepted);
}

// A store that has just started, or a machine that is busy, may refuse the first attempts: the flusher tries
// again, and so does this.
constexpr auto kPatience = 20s;
constexpr auto kBetweenAttempts = 20ms;

bool opens(Sink& sink) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        const auto opened = sink.open();
        if (opened) return true;
        if (std::chrono::steady_clock::now() > end) {
            ADD_FAILURE() << opened.error().message;
            return false;
        }
        std::this_thread::sleep_for(kBetweenAttempts);
    }
}

// Delivers until nothing is kept.
DeliveryOutcome deliver_at_last(Sink& sink, const DeliveryBatch& batch) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
        auto outcome = sink.deliver(batch);
        const bool kept = outcome.verdicts.size() < batch.records.size() ||
                          std::ranges::find(outcome.verdicts, Verdict::kKeep) != outcome.verdicts.end();
        if (!kept) return outcome;
        if (std::chrono::steady_clock::now() > end) {
            ADD_FAILURE() << outcome.reason;
            return outcome;
        }
        std::this_thread::sleep_for(kBetweenAttempts);
    }
}

TEST_P(SinkContract, StoresWhatItAccepts) {
    const auto store = GetParam().make();
    const auto sink = store->make();
    ASSERT_TRUE(opens(*sink));
    Records records;
    for (std::uint64_t seq = 1; seq <= 20; ++seq) records.add(seq);
    EXPECT_TRUE(all_accepted(deliver_at_last(*sink, records.batch()), 20));
    EXPECT_EQ(store->contents(), records.expected());
}

TEST_P(SinkContract, ASecondDeliveryChangesNothing) {
    const auto store = GetParam().make();
    Records records;
    for (std::uint64_t seq = 1; seq <= 10; ++seq) records.add(seq);
    {
        const auto sink = store->make();
        ASSERT_TRUE(opens(*sink));
        EXPECT_TRUE(all_accepted(deliver_at_last(*sink, records.batch()), 10));
        EXPECT_TRUE(all_accepted(deliver_at_last(*sink, records.batch()), 10));
    }
    // After a crash the flusher delivers from its cursor on: some old records, then new ones.
    const auto sink = store->make();
    ASSERT_TRUE(opens(*sink));
    records.add(11);
    EXPECT_TRUE(all_accepted(deliver_at_last(*sink, records.batch(4)), 7));
    EXPECT_EQ(store->contents(), records.expected());
}

TEST_P(SinkContract, KeepsEveryKindOfSample) {
    const auto store = GetParam().make();
    const auto sink = store->make();
    ASSERT_TRUE(opens(*sink));
    Records records;
    records.add(1,
                {{1, Quality::kGood, QualityCode::kNone, moment(1), -1.5},
                 {2, Quality::kUncertain, QualityCode::kStale, moment(1), 2.0},
                 {3, Quality::kGood, QualityCode::kNone, moment(1), std::string{"läuft; \"quoted\", 中文"}}});
    EXPECT_TRUE(all_accepted(deliver_at_last(*sink, records.batch()), 1));
    auto expected = records.expected();
    if (!store->keeps_text()) {
        std::erase_if(expected,
                      [](const auto& each) { return std::holds_alternative<std::string>(each.value); });
    }
    if (!store->keeps_quality()) {
        for (auto& each : expected) each.quality = Quality::kGood;
    }
    EXPECT_EQ(store->contents(), expected);
}

TEST_P(SinkContract, KeepsWhatItCannotStoreNowAndTakesItLater) {
    const auto store = GetParam().make();
    const auto sink = store->make();
    ASSERT_TRUE(opens(*sink));
    Records records;
    records.add(1);
    EXPECT_TRUE(all_accepted(deliver_at_last(*sink, records.batch()), 1));
    records.add(2);
    store->break_store(true);
    const auto kept = sink->deliver(records.batch(1));
    for (const auto verdict : kept.verdicts) EXPECT_EQ(verdict, Verdict::kKeep);
    EXPECT_FALSE(kept.reason.empty());
    EXPECT_FALSE(kept.bisect);
    store->break_store(false);
    EXPECT_TRUE(all_accepted(deliver_at_last(*sink, records.batch(1)), 1));
    EXPECT_EQ(store->contents(), records.expected());
}

TEST_P(SinkContract, TakesAnEmptyBatchAndAPointItHasNoNameFor) {
    const auto store = GetParam().make();
    const auto sink = store->make();
    ASSERT_TRUE(opens(*sink));
    EXPECT_TRUE(sink->deliver({{}, nullptr, 0}).verdicts.empty());
    Records records;
    records.add(1);
    const auto known = records.expected();
    SampleBatch nameless{{4'000'000, Quality::kGood, QualityCode::kNone, moment(9), 1.0}};
    Bytes block;
    encode_sample_block(nameless, block);
    records.records.push_back({2, block, nameless});
    const auto outcome = deliver_at_last(*sink, records.batch());
    ASSERT_EQ(outcome.verdicts.size(), 2U);
    EXPECT_EQ(outcome.verdicts[0], Verdict::kAccepted);
    EXPECT_NE(outcome.verdicts[1], Verdict::kKeep) << "it would be tried for ever";
    EXPECT_EQ(store->contents(), known);
}

TEST_P(SinkContract, ProbesWithoutLeavingATrace) {
    const auto store = GetParam().make();
    const auto probed = store->make()->probe();
    ASSERT_TRUE(probed) << probed.error().message;
    EXPECT_FALSE(probed->empty());
    EXPECT_TRUE(store->contents().empty());
}

TEST_P(SinkContract, HasUsableLimits) {
    const auto limits = GetParam().make()->make()->limits();
    EXPECT_GE(limits.samples, 1U);
    EXPECT_LE(limits.samples, 100'000U);
    EXPECT_LE(limits.linger, 5s);
}

}  // namespace
}  // namespace fieldwarden::worker
