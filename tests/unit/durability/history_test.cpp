#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "common/data_paths.h"
#include "common/history/history_reader.h"
#include "common/sample_block.h"
#include "worker/sinks/history/history_sink.h"
#include "worker/sinks/history/history_writer.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

UtcTime at(std::int64_t micros) {
    return UtcTime{std::chrono::microseconds{micros}};
}
constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kStart = 1'700'000'000 * kSecond;

class HistoryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = "/tmp/fw-history-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        data_dir_ = name;
        for (PointId id = 1; id <= 20; ++id) {
            directory_[id] = {
                "S", "D", "Device", "T", fmt::format("P{:02}", id), "V", {BaseType::kFloat32, 0}};
        }
    }
    void TearDown() override {
        writer_.reset();
        std::filesystem::remove_all(data_dir_);
    }
    [[nodiscard]] std::string path() const { return history_file(data_dir_, "T1"); }

    void open(HistoryConfig config = {}, CompactionLimits limits = {}) {
        writer_.reset();
        auto writer = HistoryWriter::open(path(), config, limits);
        ASSERT_TRUE(writer) << writer.error().message;
        writer_ = std::move(*writer);
    }
    Status write(std::uint64_t seq, const SampleBatch& samples) {
        Bytes block;
        encode_sample_block(samples, block);
        const DeliveryRecord record{seq, block, samples};
        return writer_->write({{&record, 1}, &directory_, 1});
    }
    // Does all upkeep that is due.
    void maintain(UtcTime now) {
        for (int i = 0; i < 10'000; ++i) {
            const auto worked = writer_->maintain(now);
            ASSERT_TRUE(worked) << worked.error().message;
            if (!*worked) return;
        }
        FAIL() << "upkeep never ends";
    }
    std::vector<HistoryPoint> query(const HistoryQuery& query) {
        auto found = query_history(data_dir_, "T1", query);
        EXPECT_TRUE(found) << found.error().message;
        return found ? std::move(*found) : std::vector<HistoryPoint>{};
    }
    std::int64_t number(const std::string& sql) {
        auto db = SqlDatabase::open(path(), SqlDatabase::Mode::kReadOnly);
        EXPECT_TRUE(db);
        const auto value = db->integer(sql);
        EXPECT_TRUE(value) << value.error().message;
        return value ? *value : -1;
    }

    std::string data_dir_;
    PointDirectory directory_;
    std::unique_ptr<HistoryWriter> writer_;
};

// The obvious way to answer a query.
class NaiveHistory {
  public:
    void add(const SampleBatch& samples, const PointDirectory& directory) {
        for (const auto& sample : samples) {
            all_[{sample.time, directory.at(sample.point).point_code}] = sample;
        }
    }
    void forget_before(UtcTime time) {
        std::erase_if(all_, [&](const auto& entry) { return entry.first.first < time; });
    }
    [[nodiscard]] std::vector<HistoryPoint> query(const HistoryQuery& query) const {
        std::vector<HistoryPoint> found;
        for (const auto& [key, sample] : all_) {
            const auto& [time, code] = key;
            const bool wanted = query.point_codes.empty() ||
                                std::find(query.point_codes.begin(), query.point_codes.end(), code) !=
                                    query.point_codes.end();
            if (!wanted || (query.start && time < *query.start) || (query.end && time >= *query.end))
                continue;
            found.push_back({code, sample});
        }
        if (query.aggregate != HistoryQuery::none) found = aggregated(query, found);
        if (query.descending) {
            std::stable_sort(found.begin(), found.end(),
                             [](const auto& a, const auto& b) { return a.sample.time > b.sample.time; });
        }
        if (found.size() > query.limit) found.resize(query.limit);
        return found;
    }

  private:
    static std::optional<double> number(const Sample& sample) {
        if (sample.quality == Quality::kBad) return std::nullopt;
        if (const auto* b = std::get_if<bool>(&sample.value)) return *b ? 1 : 0;
        if (const auto* i = std::get_if<std::int64_t>(&sample.value)) return static_cast<double>(*i);
        if (const auto* u = std::get_if<std::uint64_t>(&sample.value)) return static_cast<double>(*u);
        if (const auto* d = std::get_if<double>(&sample.value); d && *d == *d) return *d;
        return std::nullopt;
    }
    static std::vector<HistoryPoint> aggregated(const HistoryQuery& query,
                                                const std::vector<HistoryPoint>& points) {
        const auto length = std::chrono::microseconds{query.interval}.count();
        std::map<std::pair<std::int64_t, std::string>, std::vector<Sample>> buckets;
        for (const auto& [code, sample] : points) {
            if (query.aggregate != HistoryQuery::last && !number(sample)) continue;
            buckets[{sample.time.time_since_epoch().count() / length * length, code}].push_back(sample);
        }
        std::vector<HistoryPoint> results;
        for (auto& [key, samples] : buckets) {
            Sample result = samples.front();
            double sum = 0;
            for (const auto& sample : samples) {
                sum += number(sample).value_or(0);
                const bool smaller = number(sample) && number(result) && *number(sample) < *number(result);
                const bool larger = number(sample) && number(result) && *number(sample) > *number(result);
                if (query.aggregate == HistoryQuery::min && smaller) result = sample;
                if (query.aggregate == HistoryQuery::max && larger) result = sample;
                if (query.aggregate == HistoryQuery::last && sample.time > result.time) result = sample;
            }
            if (query.aggregate == HistoryQuery::avg)
                result.value = sum / static_cast<double>(samples.size());
            result.time = at(key.first);
            results.push_back({key.second, result});
        }
        return results;
    }
    std::map<std::pair<UtcTime, std::string>, Sample> all_;
};

void expect_equal(const std::vector<HistoryPoint>& found, const std::vector<HistoryPoint>& expected,
                  bool averages) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].point_code, expected[i].point_code) << "at " << i;
        ASSERT_EQ(found[i].sample.time, expected[i].sample.time) << "at " << i;
        if (averages) {
            ASSERT_NEAR(std::get<double>(found[i].sample.value), std::get<double>(expected[i].sample.value),
                        1e-6);
        } else {
            ASSERT_EQ(found[i].sample.value, expected[i].sample.value) << "at " << i;
            ASSERT_EQ(found[i].sample.quality, expected[i].sample.quality) << "at " << i;
        }
    }
}

TEST_F(HistoryTest, NoDatabaseYetIsNoData) {
    EXPECT_TRUE(query({}).empty());
}

TEST_F(HistoryTest, EveryKindOfValueComesBack) {
    open();
    const SampleBatch samples{
        {1, Quality::kGood, QualityCode::kNone, at(kStart), true},
        {2, Quality::kGood, QualityCode::kNone, at(kStart), std::int64_t{-5}},
        {3, Quality::kGood, QualityCode::kNone, at(kStart), std::uint64_t{18'000'000'000'000'000'000U}},
        {4, Quality::kGood, QualityCode::kNone, at(kStart), 1.0 / 3},
        {5, Quality::kGood, QualityCode::kNone, at(kStart), std::string{"文本"}},
        {6, Quality::kBad, QualityCode::kTimeout, at(kStart), {}},
    };
    ASSERT_TRUE(write(1, samples));
    const auto found = query({});
    ASSERT_EQ(found.size(), samples.size());
    for (std::size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i].sample, samples[i]);
}

TEST_F(HistoryTest, ARecordDeliveredTwiceIsStoredOnce) {
    open();
    for (int round = 0; round < 3; ++round) {
        for (std::uint64_t seq = 10; seq < 15; ++seq) {
            ASSERT_TRUE(write(seq, {{1, Quality::kGood, QualityCode::kNone,
                                     at(kStart + static_cast<std::int64_t>(seq)), 1.0}}));
        }
        open();  // as a new process would
    }
    EXPECT_EQ(number("SELECT count(*) FROM frames"), 5);
    EXPECT_EQ(query({}).size(), 5U);
}

TEST_F(HistoryTest, ADeletedPointKeepsItsNameAndACodeMayHaveSeveralIds) {
    open();
    ASSERT_TRUE(write(1, {{1, Quality::kGood, QualityCode::kNone, at(kStart), 1.0}}));
    // P01 is removed and made anew: another id.
    directory_.clear();
    directory_[99] = {"S", "D", "", "", "P01", "", {BaseType::kFloat32, 0}};
    Bytes block;
    const SampleBatch samples{{99, Quality::kGood, QualityCode::kNone, at(kStart + 1), 2.0}};
    encode_sample_block(samples, block);
    const DeliveryRecord record{2, block, samples};
    ASSERT_TRUE(writer_->write({{&record, 1}, &directory_, 2}));
    EXPECT_EQ(query({{"P01"}}).size(), 2U);
}

// Random data, random queries, every stage of compaction in between: always what the naive model says.
TEST_F(HistoryTest, AnswersAsANaiveModelAtEveryStageOfCompaction) {
    CompactionLimits limits;
    limits.window_samples = 400;
    limits.slice_samples = 90;
    limits.frames_per_delete = 3;
    open({}, limits);
    NaiveHistory naive;
    std::minstd_rand random{7};
    const auto roll = [&](std::int64_t sides) { return static_cast<std::int64_t>(random()) / 3 % sides; };
    std::int64_t now = kStart;
    for (std::uint64_t seq = 1; seq <= 300; ++seq) {
        now += 1 + roll(kSecond);
        if (roll(40) == 0) now -= roll(20 * kSecond);  // the clock is set back
        SampleBatch samples;
        for (PointId id = 1; id <= 20; ++id) {
            if (roll(3) == 0) continue;
            Sample sample{id, Quality::kGood, QualityCode::kNone, at(now), static_cast<double>(roll(1'000))};
            if (roll(10) == 0) sample = {id, Quality::kBad, QualityCode::kTimeout, at(now), {}};
            if (roll(15) == 0) sample.value = std::string{"text"};
            samples.push_back(sample);
        }
        ASSERT_TRUE(write(seq, samples));
        naive.add(samples, directory_);
        for (auto steps = roll(4); steps > 0; --steps) ASSERT_TRUE(writer_->maintain(at(now)));
        if (roll(25) == 0) open({}, limits);  // killed in the middle of a compaction

        HistoryQuery q;
        for (auto count = roll(4); count > 0; --count)
            q.point_codes.push_back(fmt::format("P{:02}", 1 + roll(20)));
        if (roll(2) == 0) q.start = at(kStart + roll(now - kStart + 1));
        if (roll(2) == 0)
            q.end = q.start.value_or(at(kStart)) + std::chrono::microseconds{roll(60 * kSecond)};
        q.descending = roll(2) == 0;
        q.limit = static_cast<std::size_t>(1 + roll(200));
        std::sort(q.point_codes.begin(), q.point_codes.end());
        q.point_codes.erase(std::unique(q.point_codes.begin(), q.point_codes.end()), q.point_codes.end());
        SCOPED_TRACE(fmt::format("after record {}", seq));
        expect_equal(query(q), naive.query(q), false);
        q.aggregate = static_cast<HistoryQuery::Aggregate>(1 + roll(4));
        q.interval = std::chrono::milliseconds{1 + roll(10'000)};
        SCOPED_TRACE(
            fmt::format("aggregate {} every {} ms", static_cast<int>(q.aggregate), q.interval.count()));
        expect_equal(query(q), naive.query(q), q.aggregate == HistoryQuery::avg);
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(number("SELECT count(*) FROM windows WHERE complete = 1"), 3);
    maintain(at(now + 3'600 * kSecond));
    EXPECT_EQ(number("SELECT count(*) FROM frames"), 0);
    expect_equal(query({{}, {}, {}, 100'000}), naive.query({{}, {}, {}, 100'000}), false);
}

// A spool delivers its last batches again after a crash, wherever in their interval they lie.
TEST_F(HistoryTest, AveragesCountASampleThatCameTwiceOnce) {
    open();
    const auto sample = [](std::int64_t second) {
        const auto value = static_cast<double>(second * second);
        return Sample{1, Quality::kGood, QualityCode::kNone, at(kStart + second * kSecond), value};
    };
    std::vector<std::int64_t> order;
    for (std::int64_t second = 0; second < 200; ++second) order.push_back(second);
    for (std::int64_t second = 50; second < 180; ++second) order.push_back(second);
    for (const std::int64_t second : {7, 100, 7, 199, 0, 42}) order.push_back(second);
    std::uint64_t seq = 0;
    for (const auto second : order) ASSERT_TRUE(write(++seq, {sample(second)}));
    std::map<UtcTime, std::pair<double, int>> expected;
    const auto interval = 60s;
    for (std::int64_t second = 0; second < 200; ++second) {
        const auto time = (kStart + second * kSecond) / (60 * kSecond) * (60 * kSecond);
        auto& [sum, count] = expected[at(time)];
        sum += static_cast<double>(second * second);
        ++count;
    }
    for (const bool descending : {false, true}) {
        HistoryQuery q;
        q.aggregate = HistoryQuery::avg;
        q.interval = interval;
        q.descending = descending;
        const auto found = query(q);
        ASSERT_EQ(found.size(), expected.size());
        for (const auto& [code, average] : found) {
            const auto& [sum, count] = expected.at(average.time);
            EXPECT_NEAR(std::get<double>(average.value), sum / count, 1e-6) << descending;
        }
    }
}

TEST_F(HistoryTest, ForgetsByAge) {
    HistoryConfig config;
    config.max_age = 1h;
    CompactionLimits limits;
    limits.window_samples = 20;
    open(config, limits);
    for (std::int64_t minute = 0; minute < 180; ++minute) {
        const auto now = at(kStart + minute * 60 * kSecond);
        ASSERT_TRUE(write(static_cast<std::uint64_t>(minute + 1),
                          {{1, Quality::kGood, QualityCode::kNone, now, 1.0}}));
        maintain(now);
    }
    const auto now = kStart + 179 * 60 * kSecond;
    maintain(at(now + 3 * 60 * kSecond));
    const auto left = query({{}, {}, {}, 100'000});
    ASSERT_FALSE(left.empty());
    EXPECT_EQ(left.back().sample.time, at(now));
    // Whole windows of 20 minutes go.
    EXPECT_LT(left.front().sample.time, at(now - 55 * 60 * kSecond));
    EXPECT_GT(left.front().sample.time, at(now - 85 * 60 * kSecond));
}

TEST_F(HistoryTest, StaysWithinItsSizeAndGivesSpaceBack) {
    HistoryConfig config;
    config.max_bytes = 1 << 20;
    config.max_age = std::chrono::hours{24 * 365};
    CompactionLimits limits;
    limits.window_samples = 4'000;
    open(config, limits);
    std::minstd_rand random{3};
    constexpr int kRounds = 150;
    for (int round = 0; round < kRounds; ++round) {
        const auto now = at(kStart + round * kSecond);
        SampleBatch samples;
        for (int i = 0; i < 2'000; ++i) {
            samples.push_back({static_cast<PointId>(1 + i % 20), Quality::kGood, QualityCode::kNone,
                               now + std::chrono::microseconds{i / 20 * 1'000},
                               static_cast<double>(random())});
        }
        ASSERT_TRUE(write(static_cast<std::uint64_t>(round + 1), samples));
        if (round % 10 == 9) maintain(now + std::chrono::minutes{2 * round});
    }
    maintain(at(kStart) + std::chrono::hours{100});
    EXPECT_LE(
        number("SELECT (page_count - freelist_count) * 4096 FROM pragma_page_count, pragma_freelist_count"),
        1 << 20);
    EXPECT_LE(std::filesystem::file_size(path()), 2U << 20);
    const auto newest = query({{"P01"}, {}, {}, 1, true});
    ASSERT_EQ(newest.size(), 1U);
    EXPECT_GE(newest[0].sample.time, at(kStart + (kRounds - 1) * kSecond));
}

TEST_F(HistoryTest, AReaderWorksBesideTheWriterAndAfterAKill) {
    open();
    ASSERT_TRUE(write(1, {{1, Quality::kGood, QualityCode::kNone, at(kStart), 1.0}}));
    EXPECT_EQ(query({}).size(), 1U);
    // A copy taken now is what a killed process leaves: a database with a log that was never checkpointed.
    const std::string copy = data_dir_ + "/copy";
    std::filesystem::create_directories(copy + "/history");
    for (const char* suffix : {"", "-wal"})
        std::filesystem::copy_file(path() + suffix, history_file(copy, "T1") + suffix);
    const auto found = query_history(copy, "T1", {});
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ(found->size(), 1U);
    writer_.reset();
    EXPECT_EQ(query({}).size(), 1U);
}

TEST_F(HistoryTest, DamageIsSaidAndDoesNotStopNewData) {
    std::filesystem::create_directories(data_dir_ + "/history");
    std::ofstream{path()} << std::string(8'192, 'x');
    const auto found = query_history(data_dir_, "T1", {});
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::kCorrupt);
    EXPECT_THAT(found.error().message, ::testing::HasSubstr("T1.db"));

    auto sink = make_history_sink({"history", "history", "", {}}, {data_dir_, "T1", {}});
    ASSERT_TRUE(sink);
    ASSERT_TRUE((*sink)->open());
    EXPECT_TRUE(query({}).empty());
    std::size_t aside = 0;
    for (const auto& entry : std::filesystem::directory_iterator(data_dir_ + "/history")) {
        if (entry.path().filename().string().find("damaged") != std::string::npos) ++aside;
    }
    EXPECT_EQ(aside, 1U);
}

TEST_F(HistoryTest, RefusesQueriesThatMakeNoSense) {
    open();
    HistoryQuery no_interval;
    no_interval.aggregate = HistoryQuery::avg;
    EXPECT_EQ(query_history(data_dir_, "T1", no_interval).error().kind, ErrorKind::kInvalidArgument);
    HistoryQuery backwards;
    backwards.start = at(2);
    backwards.end = at(1);
    EXPECT_EQ(query_history(data_dir_, "T1", backwards).error().kind, ErrorKind::kInvalidArgument);
    EXPECT_TRUE(query({{"no such point"}}).empty());
    EXPECT_TRUE(query({{}, {}, {}, 0}).empty());
}

TEST_F(HistoryTest, TaskCodesCannotLeaveTheFolder) {
    EXPECT_EQ(history_file("/d", "../../etc/passwd"), "/d/history/%2E.%2F..%2Fetc%2Fpasswd.db");
    EXPECT_EQ(history_file("/d", "任务-1"), "/d/history/任务-1.db");
    EXPECT_NE(history_file("/d", "a%2Fb"), history_file("/d", "a/b"));
}

}  // namespace
}  // namespace fieldwarden::worker
