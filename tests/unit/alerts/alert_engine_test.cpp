// Firing, counting, resolving and telling, whatever the rule.
#include <gmock/gmock.h>

#include "tests/unit/alerts/alert_bench.h"

namespace fieldwarden::supervisor {
namespace {

using proto::AlertState;
using proto::ProcessState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Engine : public AlertBench {
  protected:
    // A rule whose condition a test switches by hand.
    static AlertRule switchable(milliseconds hold = {}, milliseconds clear = {}) {
        auto rule = rule_of(RuleKind::kSinkDown);
        rule.hold = hold;
        rule.clear = clear;
        return rule;
    }
    void on(const std::string& code = "T1") { task(code).retrying = 5; }
    void off(const std::string& code = "T1") { task(code).retrying = 0; }
    void unknown(const std::string& code = "T1") { task(code).reported = false; }
};

TEST_F(Engine, FiresAtOnceWithoutAHoldAndResolvesAtOnce) {
    use({switchable()});
    look();
    EXPECT_EQ(open(), 0U);
    on();
    pass(Seconds{1});
    const auto fired = only();
    EXPECT_EQ(fired.id, 1);
    EXPECT_EQ(fired.state, AlertState::kFiring);
    EXPECT_EQ(fired.process_name, "T1");
    EXPECT_EQ(fired.count, 1U);
    EXPECT_EQ(fired.first_at, now_.utc);
    EXPECT_EQ(fired.last_at, now_.utc);
    EXPECT_EQ(fired.error_type, "connection_error");
    EXPECT_FALSE(fired.suggested_action.empty());
    EXPECT_EQ(fired.context["rule"], "R");
    EXPECT_THAT(told(), ElementsAre("firing 1"));
    run(Seconds{5});
    EXPECT_THAT(told(), IsEmpty()) << "told once";
    const auto last_seen = now_.utc;
    off();
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
    EXPECT_THAT(told(), ElementsAre("resolved 1"));
    EXPECT_EQ(kept(1).state, AlertState::kResolved);
    EXPECT_EQ(kept(1).timestamp, now_.utc);
    EXPECT_EQ(kept(1).last_at, last_seen);
    EXPECT_EQ(history_[1].resolved_at, now_.utc);
}

TEST_F(Engine, AConditionThatDoesNotLastIsNoAlert) {
    use({switchable(Seconds{10})});
    for (int i = 0; i < 5; ++i) {
        on();
        run(Seconds{9});
        off();
        pass(Seconds{1});
    }
    EXPECT_TRUE(history_.empty());
    on();
    pass(Seconds{1});  // seen
    run(Seconds{9});
    EXPECT_EQ(open(), 0U);
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
}

TEST_F(Engine, ResolvesOnlyAfterTheConditionHasBeenOverLongEnough) {
    use({switchable({}, Seconds{10})});
    on();
    pass(Seconds{1});
    off();
    run(Seconds{10});
    EXPECT_EQ(open(), 1U);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Engine, FlappingIsOneAlertThatCounts) {
    use({switchable({}, Seconds{10})});
    for (int i = 0; i < 20; ++i) {
        on();
        run(Seconds{3});
        off();
        run(Seconds{3});
    }
    EXPECT_EQ(only().id, 1);
    EXPECT_EQ(only().count, 20U);
    EXPECT_THAT(told(), ElementsAre("firing 1"));
    run(Seconds{10});
    EXPECT_THAT(told(), ElementsAre("resolved 1"));
}

TEST_F(Engine, WithoutAClearTimeFlappingIsManyAlerts) {
    use({switchable()});
    for (int i = 0; i < 3; ++i) {
        on();
        pass(Seconds{1});
        off();
        pass(Seconds{1});
    }
    EXPECT_EQ(history_.size(), 3U);
    EXPECT_THAT(told(),
                ElementsAre("firing 1", "resolved 1", "firing 2", "resolved 2", "firing 3", "resolved 3"));
}

TEST_F(Engine, NothingKnownHoldsAnAlertAsItIs) {
    use({switchable({}, Seconds{5})});
    on();
    pass(Seconds{1});
    unknown();
    run(Seconds{100});
    EXPECT_EQ(open(), 1U);
    EXPECT_EQ(only().count, 1U);
    task().reported = true;
    off();
    run(Seconds{3});
    unknown();
    run(Seconds{10});
    task().reported = true;
    run(Seconds{5});
    EXPECT_EQ(open(), 1U) << "time in which nothing was known is no time in which it was over";
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Engine, NothingKnownIsNoTimeTheConditionHeld) {
    use({switchable(Seconds{10})});
    on();
    run(Seconds{8});
    unknown();
    run(Seconds{5});
    task().reported = true;
    run(Seconds{10});
    EXPECT_EQ(open(), 0U);
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
}

TEST_F(Engine, StepsOfTheWallClockMoveNothing) {
    use({switchable(Seconds{10}, Seconds{10})});
    on();
    pass(Seconds{1});
    now_.utc += std::chrono::hours{5};
    run(Seconds{9});
    EXPECT_EQ(open(), 0U) << "a step forward fires nothing early";
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    now_.utc -= std::chrono::hours{48};
    off();
    run(Seconds{10});
    EXPECT_EQ(open(), 1U);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U) << "a step back holds nothing up";
}

TEST_F(Engine, OneAlertPerSubject) {
    auto first = switchable();
    auto second = switchable();
    second.id = 2;
    second.code = "R2";
    use({first, second});
    on("T1");
    on("T2");
    pass(Seconds{1});
    EXPECT_EQ(open(), 4U);
    run(Seconds{10});
    EXPECT_EQ(history_.size(), 4U);
    off("T1");
    pass(Seconds{1});
    EXPECT_EQ(open(), 2U);
}

TEST_F(Engine, GlobsChooseTheTasks) {
    auto rule = switchable();
    rule.tasks = {"LINE_*", "X"};
    use({rule});
    for (const auto* code : {"LINE_1", "X", "X2", "OTHER"}) on(code);
    pass(Seconds{1});
    EXPECT_EQ(open(), 2U);
}

TEST_F(Engine, ASubjectThatIsGoneResolvesItsAlert) {
    use({switchable({}, std::chrono::hours{1})});
    on();
    pass(Seconds{1});
    tasks_.clear();
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
    EXPECT_THAT(kept(1).context["resolved_because"].get<std::string>(), HasSubstr("gone"));
    EXPECT_THAT(told(), ElementsAre("firing 1", "resolved 1"));
}

TEST_F(Engine, ADeviceThatLeavesItsTaskResolvesItsAlert) {
    auto rule = rule_of(RuleKind::kConnection);
    use({rule});
    away();
    pass(Seconds{1});
    EXPECT_EQ(only().device_code, "D1");
    task().devices.clear();
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Engine, ARuleThatIsRemovedOrDisabledResolvesItsAlerts) {
    use({switchable()});
    on();
    pass(Seconds{1});
    use({});
    EXPECT_EQ(open(), 0U);
    EXPECT_THAT(kept(1).context["resolved_because"].get<std::string>(), HasSubstr("removed or disabled"));
    use({switchable()});
    pass(Seconds{1});
    auto off_rule = switchable();
    off_rule.enabled = false;
    use({off_rule});
    EXPECT_EQ(open(), 0U);
    EXPECT_EQ(history_.size(), 2U);
}

TEST_F(Engine, ARuleThatIsChangedKeepsItsAlerts) {
    use({switchable()});
    on();
    on("T2");
    pass(Seconds{1});
    told();
    auto changed = switchable(Seconds{30}, Seconds{3});
    changed.severity = proto::Severity::kCritical;
    changed.message = "{task} in trouble: {value}";
    changed.tasks = {"T1"};
    use({changed});
    EXPECT_EQ(open(), 2U) << "nothing is judged before the next look";
    pass(Seconds{1});
    const auto alert = only();
    EXPECT_EQ(alert.id, 1);
    EXPECT_EQ(alert.severity, proto::Severity::kCritical);
    EXPECT_EQ(alert.message, "T1 in trouble: 5");
    EXPECT_EQ(kept(2).state, AlertState::kResolved) << "T2 is no longer in scope";
    EXPECT_THAT(told(), ElementsAre("resolved 2"));
}

TEST_F(Engine, AnAcknowledgedAlertIsToldOfOnceMoreWhenItIsOver) {
    auto rule = switchable({}, Seconds{5});
    rule.repeat = Seconds{20};
    use({rule});
    on();
    pass(Seconds{1});
    EXPECT_THAT(told(), ElementsAre("firing 1"));
    const auto done = engine_.acknowledge(1, "li", "on my way", now_);
    ASSERT_TRUE(done);
    EXPECT_EQ(done->alert.state, AlertState::kAcknowledged);
    EXPECT_EQ(done->alert.context["acknowledged_by"], "li");
    EXPECT_EQ(done->alert.context["note"], "on my way");
    for (int i = 0; i < 10; ++i) {
        off();
        run(Seconds{3});
        on();
        run(Seconds{30});
    }
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(only().state, AlertState::kAcknowledged) << "coming back does not undo it";
    EXPECT_EQ(only().context["acknowledged_by"], "li");
    EXPECT_EQ(only().count, 11U);
    off();
    run(Seconds{6});
    EXPECT_THAT(told(), ElementsAre("resolved 1"));
    EXPECT_EQ(kept(1).context["acknowledged_by"], "li") << "the history knows who";
}

TEST_F(Engine, AcknowledgingTwiceKeepsTheFirstAndOnlyOpenAlertsCan) {
    use({switchable()});
    on();
    pass(Seconds{1});
    ASSERT_TRUE(engine_.acknowledge(1, "li", "", now_));
    ASSERT_TRUE(engine_.acknowledge(1, "wang", "", now_));
    EXPECT_EQ(only().context["acknowledged_by"], "li");
    const auto none = engine_.acknowledge(7, "li", "", now_);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
    off();
    pass(Seconds{1});
    EXPECT_FALSE(engine_.acknowledge(1, "li", "", now_));
}

TEST_F(Engine, ToldAgainAsOftenAsTheRuleSays) {
    auto rule = switchable();
    rule.repeat = Seconds{60};
    use({rule});
    on();
    pass(Seconds{1});
    run(Seconds{185});
    EXPECT_THAT(told(), ElementsAre("firing 1", "firing 1", "firing 1", "firing 1"));
}

TEST_F(Engine, WithoutChannelsNobodyIsTold) {
    auto rule = switchable();
    rule.channels = {};
    use({rule});
    on();
    pass(Seconds{1});
    off();
    pass(Seconds{1});
    EXPECT_THAT(told(), IsEmpty());
    EXPECT_EQ(history_.size(), 1U);
}

Silence window(UtcTime from, std::chrono::seconds length) {
    Silence silence;
    silence.id = 1;
    silence.starts_at = from;
    silence.ends_at = from + length;
    return silence;
}

TEST_F(Engine, ASilenceHoldsBackWhatIsToldButNotTheHistory) {
    use({switchable()});
    silence({window(now_.utc, Seconds{100})});
    on();
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    off();
    pass(Seconds{1});
    EXPECT_EQ(kept(1).state, AlertState::kResolved);
    EXPECT_THAT(told(), IsEmpty());
    on();
    run(Seconds{97});
    EXPECT_THAT(told(), IsEmpty());
    run(Seconds{2});
    EXPECT_THAT(told(), ElementsAre("firing 2")) << "it still fires when the silence ends";
    run(Seconds{50});
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Engine, AnAlertToldBeforeTheSilenceResolvesQuietly) {
    use({switchable()});
    on();
    pass(Seconds{1});
    told();
    silence({window(now_.utc, Seconds{100})});
    off();
    pass(Seconds{1});
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Engine, AnAlertAcknowledgedInASilenceIsNeverTold) {
    use({switchable()});
    silence({window(now_.utc, Seconds{10})});
    on();
    pass(Seconds{1});
    ASSERT_TRUE(engine_.acknowledge(1, "li", "", now_));
    run(Seconds{20});
    off();
    pass(Seconds{1});
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Engine, ASilenceCoversWhatItNames) {
    proto::Alert alert;
    alert.process_name = "T1";
    alert.device_code = "D1";
    auto silence = window(now_.utc, Seconds{10});
    EXPECT_TRUE(silence.covers(alert, "R", now_.utc));
    EXPECT_FALSE(silence.covers(alert, "R", now_.utc - Seconds{1}));
    EXPECT_FALSE(silence.covers(alert, "R", now_.utc + Seconds{10})) << "the end is not in it";
    silence.tasks = {"T2", "T1*"};
    EXPECT_TRUE(silence.covers(alert, "R", now_.utc));
    silence.rules = {"other"};
    EXPECT_FALSE(silence.covers(alert, "R", now_.utc));
    silence.rules = {"R"};
    silence.points = {"P*"};
    EXPECT_FALSE(silence.covers(alert, "R", now_.utc)) << "this alert is about no point";
}

TEST_F(Engine, ANewSupervisorTakesUpWhatFires) {
    use({switchable({}, Seconds{5})});
    on();
    pass(Seconds{1});
    told();
    const auto left = engine_.open();

    engine_ = AlertEngine{};
    now_.mono = MonoTime{std::chrono::seconds{7}};  // another boot of the machine
    engine_.take_up(left, 41, now_);
    unknown();
    use({switchable({}, Seconds{5})});
    run(Seconds{30});
    EXPECT_EQ(only().id, 1);
    task().reported = true;
    run(Seconds{5});
    EXPECT_EQ(only().id, 1) << "one alert still";
    EXPECT_EQ(only().count, 1U);
    EXPECT_THAT(told(), IsEmpty()) << "it was told before";
    on("T2");
    pass(Seconds{1});
    EXPECT_EQ(engine_.open().back().alert.id, 42) << "ids are not given twice";
    off("T1");
    run(Seconds{6});
    EXPECT_EQ(kept(1).state, AlertState::kResolved);
}

TEST_F(Engine, WhatWasTakenUpWithoutItsRuleOrSubjectIsResolved) {
    AlertRow orphan;
    orphan.alert.id = 3;
    orphan.rule_id = 99;
    orphan.subject = "task:T1";
    AlertRow gone = orphan;
    gone.alert.id = 4;
    gone.rule_id = 1;
    gone.subject = "task:GONE";
    AlertRow twin = gone;
    twin.alert.id = 5;
    engine_.take_up({orphan, gone, twin}, 5, now_);
    use({switchable()});
    task();
    look();
    EXPECT_EQ(open(), 0U);
    for (const std::int64_t id : {3, 4, 5}) EXPECT_EQ(kept(id).state, AlertState::kResolved) << id;
}

TEST_F(Engine, AnAcknowledgedAlertIsTakenUpAsSuch) {
    use({switchable()});
    on();
    pass(Seconds{1});
    ASSERT_TRUE(engine_.acknowledge(1, "li", "", now_));
    const auto left = engine_.open();
    engine_ = AlertEngine{};
    told();
    engine_.take_up(left, 1, now_);
    use({switchable()});
    run(Seconds{3});
    EXPECT_EQ(only().state, AlertState::kAcknowledged);
    EXPECT_THAT(told(), IsEmpty());
}

TEST_F(Engine, AQuietAlertIsStoredOnceAMinute) {
    use({switchable()});
    on();
    pass(Seconds{1});
    std::size_t stored = 0;
    for (int i = 0; i < 300; ++i) {
        pass(Seconds{1});
        stored += out_.changed.size();
    }
    EXPECT_EQ(stored, 5U);
}

TEST_F(Engine, ADeviceReadByTwoTasksHasTwoAlertsAndAnAlertNamesBoth) {
    use({rule_of(RuleKind::kConnection)});
    away();
    device("D1", "T2").connected = false;
    device("D1", "T2").away_since = now_.mono;
    pass(Seconds{1});
    ASSERT_EQ(open(), 2U);
    EXPECT_EQ(engine_.open()[0].alert.process_name, "T1");
    EXPECT_EQ(engine_.open()[1].alert.process_name, "T2");
}

TEST_F(Engine, TenThousandChangesLeaveNothingBehind) {
    use({switchable(Seconds{1})});
    for (int i = 0; i < 10'000; ++i) {
        const auto code = "T" + std::to_string(i % 50);
        i % 3 == 0 ? on(code) : off(code);
        if (i % 7 == 0) tasks_.erase("T" + std::to_string((i + 25) % 50));
        pass(milliseconds{500});
    }
    tasks_.clear();
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
    for (const auto& [id, row] : history_) EXPECT_EQ(row.alert.state, AlertState::kResolved) << id;
    EXPECT_GT(history_.size(), 50U);
}

}  // namespace
}  // namespace fieldwarden::supervisor
