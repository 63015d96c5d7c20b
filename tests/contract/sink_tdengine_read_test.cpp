// What the TDengine sink has stored, read back: against the stand-in.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "tests/contract/sink_contract.h"
#include "tests/contract/tdengine_stand_in.h"
#include "worker/sinks/tdengine/stored_rows.h"
#include "worker/sinks/tdengine/tdengine_sink.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using tdengine_stand_in::StandIn;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const UtcTime kTime{1'795'305'600s};

PointIdentity identity(std::string device, std::string point, BaseType type, std::string stable = "pumps") {
    return {"S", std::move(device), "Pump", "T", std::move(point), "", {type, 8}, std::move(stable)};
}
Sample good(PointId point, Value value, UtcTime time = kTime) {
    return {point, Quality::kGood, QualityCode::kNone, time, std::move(value)};
}

class StoredInTdengine : public ::testing::Test {
  protected:
    std::unique_ptr<Sink> make() const {
        auto made =
            make_sink({"TD", "tdengine", server.url(), {{"username", "root"}, {"password", "taosdata"}}}, {});
        EXPECT_TRUE(made) << made.error().message;
        return std::move(*made);
    }
    void store(const SampleBatch& samples) {
        const DeliveryRecord record{1, {}, samples};
        const auto outcome = sink->deliver({{&record, 1}, &points, 1});
        ASSERT_EQ(outcome.verdicts, std::vector(1, Verdict::kAccepted)) << outcome.reason;
    }
    SampleBatch range(const StoredRange& wanted) {
        auto stored = make()->stored_range(points, wanted);
        EXPECT_TRUE(stored) << stored.error().message;
        return stored ? std::move(*stored) : SampleBatch{};
    }
    SampleBatch newest() {
        auto stored = make()->newest(points);
        EXPECT_TRUE(stored) << stored.error().message;
        return stored ? std::move(*stored) : SampleBatch{};
    }

    StandIn server{"root", "taosdata"};
    std::unique_ptr<Sink> sink = make();
    const PointDirectory points{
        {1, identity("D1", "D1_Run", BaseType::kBool)},
        {2, identity("D1", "D1.count", BaseType::kInt32)},
        {3, identity("D1", "D1-total", BaseType::kUint64)},
        {4, identity("D1", "D1_temp", BaseType::kFloat32)},
        {5, identity("D1", "serial", BaseType::kString)},
        {7, identity("It's D2", "It's D2_temp", BaseType::kFloat32)},
        {8, identity("V1", "V1_temp", BaseType::kFloat32, "valves")},
    };
};

TEST_F(StoredInTdengine, TheNewestOfEveryPointComesBackAsItWas) {
    const auto late = kTime + 1s + 234'567us;
    store({good(4, 1.0), good(7, 2.5), good(8, 3.5)});
    store({good(1, true, late),
           good(2, std::int64_t{-5}, late),
           good(3, std::uint64_t{1} << 63, late),
           good(5, std::string{"A'1\n\"温"}, late),
           {4, Quality::kBad, QualityCode::kTimeout, late, std::monostate{}}});
    store({{7, Quality::kUncertain, QualityCode::kNone, late, -1e20}});
    EXPECT_THAT(newest(), UnorderedElementsAre(
                              good(1, true, late), good(2, std::int64_t{-5}, late),
                              good(3, std::uint64_t{1} << 63, late), good(5, std::string{"A'1\n\"温"}, late),
                              Sample{4, Quality::kBad, QualityCode::kNone, late, std::monostate{}},
                              Sample{7, Quality::kUncertain, QualityCode::kNone, late, -1e20}, good(8, 3.5)));
}

// The requests of one scan, and points of other periods, make rows of their own.
TEST_F(StoredInTdengine, TheNewestOfEveryPointWhicheverRowItIsIn) {
    for (int i = 0; i < 200; ++i) store({good(4, 1.0 * i, kTime + i * 1s)});
    store({good(1, true, kTime + 1us), good(2, std::int64_t{7}, kTime + 2us),
           good(5, std::string{"x"}, kTime + 3us)});
    store({good(2, std::int64_t{8}, kTime + 100s + 1us)});
    EXPECT_THAT(newest(), UnorderedElementsAre(good(4, 199.0, kTime + 199s), good(1, true, kTime + 1us),
                                               good(2, std::int64_t{8}, kTime + 100s + 1us),
                                               good(5, std::string{"x"}, kTime + 3us)));
    // Too long ago to be looked for.
    store({good(4, 0.5, kTime + 25h)});
    EXPECT_THAT(newest(), ElementsAre(good(4, 0.5, kTime + 25h)));
}

// Another task reads other points of the device, and read them last.
TEST_F(StoredInTdengine, TheNewestRowMayHoldNoneOfThePointsAskedFor) {
    store({good(4, 1.0)});
    store({good(2, std::int64_t{7}, kTime + 1s)});
    const auto stored = make()->newest({{4, points.at(4)}});
    ASSERT_TRUE(stored) << stored.error().message;
    EXPECT_THAT(*stored, ElementsAre(good(4, 1.0)));
}

TEST_F(StoredInTdengine, OneQuestionPerSuperTable) {
    store({good(4, 1.0), good(7, 2.0), good(8, 3.0)});
    const auto before = server.statements().size();
    newest();
    const auto all = server.statements();
    std::size_t selects = 0;
    for (auto at = before; at < all.size(); ++at) selects += all[at].find("LAST_ROW") != std::string::npos;
    EXPECT_EQ(selects, 2U);
}

TEST_F(StoredInTdengine, NothingIsThereYetAndNothingIsMade) {
    EXPECT_THAT(newest(), IsEmpty());
    EXPECT_THAT(range({}), IsEmpty());
    EXPECT_TRUE(server.databases().empty());
    store({good(8, 1.0)});
    EXPECT_THAT(newest(), ElementsAre(good(8, 1.0)));
    EXPECT_EQ(server.databases().at("fieldwarden").stables.size(), 1U);
}

TEST_F(StoredInTdengine, WhatLiesBesideAColumnComesBackToo) {
    store({good(2, std::int64_t{1}), good(4, 1.0)});
    store({good(2, 0.5, kTime + 1s), good(4, std::string{"off"}, kTime + 1s)});
    EXPECT_THAT(range({}), ElementsAre(good(2, std::int64_t{1}), good(4, 1.0), good(2, 0.5, kTime + 1s),
                                       good(4, std::string{"off"}, kTime + 1s)));
}

TEST_F(StoredInTdengine, ARangeIsHalfOpenAndLimited) {
    SampleBatch samples;
    for (int i = 0; i < 10; ++i) samples.push_back(good(4, 1.0 * i, kTime + i * 1s));
    // Moments of another point of the device count for nothing when it is not asked for.
    for (int i = 0; i < 10; ++i) samples.push_back(good(2, std::int64_t{i}, kTime + i * 1s + 500ms));
    store(samples);
    const PointDirectory one{{4, points.at(4)}};
    const auto values = [&](const StoredRange& wanted) {
        const auto stored = make()->stored_range(one, wanted);
        std::vector<double> found;
        for (const auto& sample : stored.value()) found.push_back(std::get<double>(sample.value));
        return found;
    };
    EXPECT_THAT(values({kTime + 2s, kTime + 5s, 100, false}), ElementsAre(2, 3, 4));
    EXPECT_THAT(values({kTime + 2s, kTime + 5s, 2, false}), ElementsAre(2, 3));
    EXPECT_THAT(values({kTime + 2s, kTime + 5s, 2, true}), ElementsAre(4, 3));
    EXPECT_THAT(values({{}, kTime + 1s + 1us, 100, false}), ElementsAre(0, 1));
    EXPECT_THAT(values({kTime + 8s + 1us, {}, 100, true}), ElementsAre(9));
    EXPECT_THAT(values({kTime + 20s, {}, 100, false}), IsEmpty());
}

// More rows than one answer takes.
TEST_F(StoredInTdengine, LongRangesAreReadInPages) {
    constexpr int kRows = 60'000;
    for (const bool descending : {false, true}) {
        SCOPED_TRACE(descending);
        SampleBatch samples;
        for (int i = 0; i < kRows; ++i) samples.push_back(good(8, 1.0 * i, kTime + i * 1ms));
        store(samples);
        const PointDirectory one{{8, points.at(8)}};
        const auto stored = make()->stored_range(one, {{}, {}, 1'000'000, descending});
        ASSERT_TRUE(stored) << stored.error().message;
        ASSERT_EQ(stored->size(), static_cast<std::size_t>(kRows));
        if (descending) std::reverse(samples.begin(), samples.end());
        EXPECT_EQ(*stored, samples);
    }
}

TEST_F(StoredInTdengine, InADatabaseOfMilliseconds) {
    server.run("", "CREATE DATABASE IF NOT EXISTS fieldwarden PRECISION 'ms'");
    store({good(4, 1.0, kTime), good(4, 2.0, kTime + 5ms), good(4, 3.0, kTime + 6ms)});
    EXPECT_THAT(range({kTime + 4ms + 1us, kTime + 5ms + 1us, 10, false}),
                ElementsAre(good(4, 2.0, kTime + 5ms)));
    EXPECT_THAT(newest(), ElementsAre(good(4, 3.0, kTime + 6ms)));
}

TEST_F(StoredInTdengine, SaysWhyItCannotRead) {
    store({good(4, 1.0)});
    const auto wrong = make_sink({"TD", "tdengine", server.url(), {{"password", "wr'ong"}}}, {});
    const auto refused = (*wrong)->newest(points);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kUnavailable);
    EXPECT_THAT(refused.error().message, HasSubstr("check username, password"));
    server.intercept([](const std::string& sql) -> std::optional<ScriptedReply> {
        if (!sql.starts_with("SELECT `device_code`")) return std::nullopt;
        return http_reply(200, R"({"code":0,"data":[["D1"]]})");
    });
    const auto odd = make()->newest(points);
    ASSERT_FALSE(odd);
    EXPECT_THAT(odd.error().message, HasSubstr("not what was asked for"));
    server.intercept([](const std::string& sql) -> std::optional<ScriptedReply> {
        if (!sql.starts_with("SELECT `device_code`")) return std::nullopt;
        return http_reply(200, std::string(std::size_t{17} << 20, ' '));
    });
    const auto long_answer = make()->newest(points);
    ASSERT_FALSE(long_answer);
    EXPECT_THAT(long_answer.error().message, HasSubstr("longer than"));
    server.intercept({});
    server.stop();
    EXPECT_FALSE(make()->newest(points));
}

TEST(StoredRows, TimesInEveryNotation) {
    using tdengine::time_of;
    EXPECT_EQ(time_of("2026-11-22T00:00:00.5Z", "ms").value(), kTime + 500ms);
    EXPECT_EQ(time_of("2026-11-22T08:00:00.123456+08:00", "us").value(), kTime + 123'456us);
    EXPECT_EQ(time_of("2026-11-22T00:00:00.123456789Z", "ns").value(), kTime + 123'456us);
    EXPECT_EQ(time_of("1795305600001", "ms").value(), kTime + 1ms);
    EXPECT_EQ(time_of("1795305600000001", "us").value(), kTime + 1us);
    EXPECT_EQ(time_of("1795305600000001999", "ns").value(), kTime + 1us);
    for (const auto* text : {"", "soon", "9223372036854775807", "2026-11-22"}) {
        EXPECT_FALSE(time_of(text, "ms")) << text;
    }
}

TEST(StoredRows, WhatAColumnCannotHoldIsRefused) {
    using namespace tdengine;
    const PointsByColumn points{{"a", {1, {BaseType::kInt32, 0}}}};
    const auto add = [&](const std::string& type, const std::string& quality, const std::string& value) {
        const std::vector<StoredColumn> columns{{"a", type, false, false}};
        SampleBatch samples;
        return add_samples({"D", "2026-11-22T00:00:00Z", quality, value}, columns, points, "us", samples)
                   .has_value() &&
               samples.size() == 1;
    };
    EXPECT_TRUE(add("BIGINT", "0", "-5"));
    EXPECT_TRUE(add("DOUBLE", "1", "1e300"));
    EXPECT_TRUE(add("BOOL", "2", "false"));
    EXPECT_TRUE(add("BIGINT", "2", ""));
    EXPECT_FALSE(add("BIGINT", "3", "1"));
    EXPECT_FALSE(add("BIGINT", "x", "1"));
    EXPECT_FALSE(add("BIGINT", "0", "1.5"));
    EXPECT_FALSE(add("BIGINT UNSIGNED", "0", "-1"));
    EXPECT_FALSE(add("BOOL", "0", "1"));
    EXPECT_FALSE(add("DOUBLE", "0", "warm"));
}

}  // namespace
}  // namespace fieldwarden::worker
