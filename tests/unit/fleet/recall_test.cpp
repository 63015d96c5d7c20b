// What a sink holds, brought back into the live values.
#include "supervisor/fleet/recall.h"

#include <gmock/gmock.h>

#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RecallTest : public ::testing::Test {
  protected:
    KeptConfigPtr config(const std::string& task, const std::string& sink = "tdengine") {
        const bool tdengine = sink == "tdengine";
        const auto url = tdengine ? "http://127.0.0.1:6041" : "http://127.0.0.1:8086";
        auto plant = small_plant();
        const auto options = tdengine ? "password=secret" : "org=o; bucket=b; token=t";
        EXPECT_TRUE(plant.of(Kind::kSink)
                        .add(with(Kind::kSink, supervisor::sink("TD", sink, url), "options", options)));
        EXPECT_TRUE(plant.of(Kind::kTask)
                        .add(with(Kind::kTask, supervisor::task("T_" + task, "WELD_01"), "sinks", "TD")));
        auto kept = keep_config(TaskCompiler{plant}, "T_" + task);
        EXPECT_TRUE(kept) << kept.error().message;
        return *kept;
    }
    static proto::Reply holding(double value) {
        proto::Reply reply;
        reply.ok = true;
        reply.samples = {{kPoint, Quality::kGood, QualityCode::kNone, UtcTime{5s}, value}};
        return reply;
    }
    void tick() { recall.tick(clock_now); }

    static constexpr PointId kPoint = 77;
    struct Asked {
        proto::QueryStore question;
        Recall::Answered done;
    };
    LiveValues live;
    std::vector<Asked> asked;
    std::vector<std::string> said;
    MonoTime clock_now{1h};
    // The pauses begin at the clock's time.
    class : public Clock {
      public:
        [[nodiscard]] UtcTime utc_now() const override { return {}; }
        [[nodiscard]] MonoTime mono_now() const override { return *now; }
        MonoTime* now = nullptr;
    } clock;
    Recall recall{live, clock,
                  [this](proto::QueryStore question, std::string, Recall::Answered done) {
                      asked.push_back({std::move(question), std::move(done)});
                  },
                  [this](proto::LogLevel, const std::string& line) { said.push_back(line); }};
    void SetUp() override { clock.now = &clock_now; }
};

TEST_F(RecallTest, FillsWhatNobodyHasSentYetAsStale) {
    recall.add(config("T1"));
    tick();
    ASSERT_EQ(asked.size(), 1U);
    const auto& question = asked.front().question;
    EXPECT_EQ(question.task_code, "T_T1");
    EXPECT_EQ(question.sink.sink_code, "TD");
    EXPECT_FALSE(question.range);
    ASSERT_EQ(question.devices.size(), 1U);
    EXPECT_THAT(question.devices.front().address, IsEmpty()) << "no store needs it";
    EXPECT_EQ(question.devices.front().points.size(), 3U);
    asked.front().done(holding(1.5));
    const auto sample = live.get(kPoint);
    ASSERT_TRUE(sample);
    EXPECT_EQ(*sample, (Sample{kPoint, Quality::kBad, QualityCode::kStale, UtcTime{5s}, 1.5}));
    tick();
    EXPECT_EQ(asked.size(), 1U);
    EXPECT_TRUE(recall.empty());
    EXPECT_THAT(said, IsEmpty());
}

TEST_F(RecallTest, ANewerValueStays) {
    const std::vector<Sample> newer{{kPoint, Quality::kGood, QualityCode::kNone, UtcTime{6s}, 2.0}};
    recall.add(config("T1"));
    tick();
    live.put(newer);
    asked.front().done(holding(1.5));
    EXPECT_EQ(live.get(kPoint), newer.front());
}

TEST_F(RecallTest, OnlySinksThatCanBeAsked) {
    recall.add(config("T1", "influxdb"));
    EXPECT_TRUE(recall.empty());
}

TEST_F(RecallTest, OneQuestionAfterTheOther) {
    recall.add(config("T1"));
    recall.add(config("T2"));
    tick();
    tick();
    ASSERT_EQ(asked.size(), 1U);
    asked.front().done(holding(1));
    tick();
    ASSERT_EQ(asked.size(), 2U);
    EXPECT_EQ(asked.back().question.task_code, "T_T2");
}

TEST_F(RecallTest, AStoreThatIsAwayIsAskedAgainAndHeldBackNobody) {
    recall.add(config("T1"));
    recall.add(config("T2"));
    tick();
    proto::Reply away;
    away.error = "tdengine 127.0.0.1: cannot connect";
    asked.back().done(away);
    EXPECT_THAT(said, ElementsAre(HasSubstr("sink TD does not say what it holds of task T_T1")));
    tick();
    EXPECT_EQ(asked.back().question.task_code, "T_T2");
    asked.back().done(holding(1));
    for (unsigned attempt = 2; attempt <= Recall::kMostAttempts; ++attempt) {
        const auto before = asked.size();
        tick();
        EXPECT_EQ(asked.size(), before) << "not yet";
        clock_now += Recall::kRetryInterval;
        tick();
        ASSERT_EQ(asked.size(), before + 1);
        EXPECT_EQ(asked.back().question.task_code, "T_T1");
        asked.back().done(make_error(ErrorKind::kTimeout, "no answer"));
    }
    EXPECT_TRUE(recall.empty());
    EXPECT_EQ(said.size(), 2U) << "the first time and the last";
}

TEST_F(RecallTest, WhenAllProbesAreBusyItWaitsWithoutCountingThat) {
    recall.add(config("T1"));
    for (unsigned i = 0; i < 3 * Recall::kMostAttempts; ++i) {
        tick();
        asked.back().done(make_error(ErrorKind::kBusy, "4 probes are running already"));
        clock_now += 1s;
    }
    EXPECT_THAT(said, IsEmpty());
    EXPECT_FALSE(recall.empty());
}

TEST_F(RecallTest, WhatIsForgottenIsNotFilled) {
    recall.add(config("T1"));
    recall.add(config("T2"));
    tick();
    recall.forget("T_T2");
    recall.forget("T_T1");
    EXPECT_TRUE(recall.empty());
    asked.front().done(holding(1));
    EXPECT_FALSE(live.get(kPoint));
    recall.add(config("T1"));
    tick();
    asked.front().done(holding(2));  // said twice
    EXPECT_FALSE(live.get(kPoint));
    asked.back().done(holding(3));
    EXPECT_EQ(live.get(kPoint)->value, Value{3.0});
}

}  // namespace
}  // namespace fieldwarden::supervisor
