// What each kind of rule sees.
#include <gmock/gmock.h>

#include "tests/unit/alerts/alert_bench.h"

namespace fieldwarden::supervisor {
namespace {

using proto::ProcessState;
using testing::HasSubstr;

class Facts : public AlertBench {};

TEST_F(Facts, ATaskThatGaveUpFiresUntilItRunsOrIsStopped) {
    for (const auto end : {ProcessState::kRunning, ProcessState::kStopped, ProcessState::kPaused}) {
        use({});
        use({rule_of(RuleKind::kProcessState)});
        task().state = ProcessState::kCrashed;
        task().last_error = "killed by signal 9";
        pass(Seconds{1});
        EXPECT_EQ(only().message, "task T1 is CRASHED: killed by signal 9");
        EXPECT_EQ(only().error_type, "unexpected_termination");
        for (const auto passing :
             {ProcessState::kStarting, ProcessState::kBackoff, ProcessState::kStopping}) {
            task().state = passing;
            pass(Seconds{1});
            EXPECT_EQ(open(), 1U) << "a slow retry proves nothing: " << to_name(passing);
        }
        task().state = end;
        pass(Seconds{1});
        EXPECT_EQ(open(), 0U) << to_name(end);
    }
}

TEST_F(Facts, ATaskThatOnlyAnotherConfigurationHelpsSaysSo) {
    use({rule_of(RuleKind::kProcessState)});
    task().state = ProcessState::kCrashed;
    task().awaits_configuration = true;
    pass(Seconds{1});
    EXPECT_EQ(only().error_type, "configuration_error");
}

TEST_F(Facts, AnyStateCanBeAsked) {
    auto rule = rule_of(RuleKind::kProcessState);
    rule.states = {ProcessState::kStopped, ProcessState::kBackoff};
    use({rule});
    task().state = ProcessState::kStopped;
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    task().state = ProcessState::kBackoff;
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    task().state = ProcessState::kRunning;
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Facts, RestartsCountWithinTheirWindow) {
    auto rule = rule_of(RuleKind::kRestarts);
    rule.numbers = {{"count", 3}, {"window_ms", 60'000}};
    use({rule});
    task().restart_count = 7;
    run(Seconds{2});
    EXPECT_EQ(open(), 0U) << "what happened before the first look is not known";
    for (int i = 0; i < 2; ++i) {
        ++task().restart_count;
        run(Seconds{10});
    }
    EXPECT_EQ(open(), 0U);
    ++task().restart_count;
    pass(Seconds{1});
    EXPECT_EQ(only().context["restarts"], 3);
    run(Seconds{39});
    EXPECT_EQ(open(), 1U);
    run(Seconds{2});
    EXPECT_EQ(open(), 0U) << "the first has left the window";
    task().restart_count = 0;  // a new session
    run(Seconds{1});
    task().restart_count = 3;
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
}

TEST_F(Facts, ADeviceFiresAfterTheConnectionTimeoutOfItsTask) {
    auto rule = rule_of(RuleKind::kConnection);
    rule.hold.reset();
    use({rule});
    task().connection_timeout = Seconds{20};
    away();
    run(Seconds{19});
    EXPECT_EQ(open(), 0U);
    pass(Seconds{1});
    EXPECT_EQ(only().message, "device D1 of task T1 is not connected: no answer");
    back();
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
    away();
    run(Seconds{19});
    back();
    pass(Seconds{1});
    away();
    run(Seconds{19});
    EXPECT_EQ(open(), 0U) << "two short absences are not one long one";
}

TEST_F(Facts, AFlappingDeviceIsNotOverUntilItStays) {
    auto rule = rule_of(RuleKind::kConnection);
    rule.hold = Seconds{10};
    rule.clear = Seconds{10};
    use({rule});
    away();
    run(Seconds{11});
    EXPECT_EQ(open(), 1U);
    for (int i = 0; i < 5; ++i) {
        back();
        run(Seconds{5});
        away();
        run(Seconds{2});
    }
    EXPECT_EQ(only().count, 6U);
    back();
    run(Seconds{11});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Facts, OfADeviceNothingIsKnownUntilItsWorkerSpeaks) {
    use({rule_of(RuleKind::kConnection)});
    away();
    pass(Seconds{1});
    device().known = false;
    run(Seconds{10});
    EXPECT_EQ(open(), 1U);
    task().state = ProcessState::kBackoff;
    device().known = true;
    back();
    run(Seconds{10});
    EXPECT_EQ(open(), 1U) << "what the dead worker said is no news";
    task().state = ProcessState::kStopped;
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U) << "nobody wants it connected";
}

TEST_F(Facts, NoGoodData) {
    auto rule = rule_of(RuleKind::kDataFlow);
    rule.hold.reset();
    use({rule});
    task().data_timeout = Seconds{30};
    task().no_data_since = now_.mono;
    run(Seconds{29});
    EXPECT_EQ(open(), 0U);
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    task().no_data_since = now_.mono;
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
    run(Seconds{30});
    EXPECT_EQ(open(), 1U);
    task().state = ProcessState::kPaused;
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U) << "a paused task brings none and should not";
    task().state = ProcessState::kRunning;
    task().no_data_since.reset();
    run(Seconds{100});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Facts, SpoolByNumberOrByShare) {
    auto rule = rule_of(RuleKind::kSpoolBacklog);
    rule.numbers = {{"samples", 100}, {"percent", 80}};
    use({rule});
    task().spool_pending = 100;
    task().spool_bytes = 800;
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
    task().spool_pending = 101;
    pass(Seconds{1});
    EXPECT_EQ(only().context["spool_pending"], 101);
    task().spool_pending = 1;
    task().spool_bytes = 810;
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    task().spool_bytes = 0;
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Facts, ASinkThatDoesNotTakeSamplesIsNamedWithItsReason) {
    use({rule_of(RuleKind::kSinkDown)});
    task().retrying = 5;
    task().sinks = {{"K", "no broker at 127.0.0.1:9092"}};
    pass(Seconds{1});
    EXPECT_THAT(only().message, HasSubstr("K: no broker at 127.0.0.1:9092"));
    EXPECT_EQ(only().context["sinks"], proto::Json::array({"K"}));
    task().retrying = 0;
    task().sinks.clear();
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Facts, RecoveryThatNeedsAPersonHoldsUntilGoodDataComes) {
    use({rule_of(RuleKind::kOperatorNeeded)});
    task().operator_needed = true;
    task().operator_category = "connection_error";
    task().operator_cause = "a reset did not bring the device back";
    task().operator_advice = "look at the cable";
    pass(Seconds{1});
    EXPECT_EQ(only().error_type, "connection_error");
    EXPECT_EQ(only().suggested_action, "look at the cable");
    EXPECT_THAT(only().message, HasSubstr("a reset did not bring"));
    task().operator_needed = false;  // as after a restart of the supervisor
    task().no_data_since = now_.mono - Seconds{500};
    run(Seconds{5});
    EXPECT_EQ(open(), 1U);
    task().no_data_since = now_.mono;
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Facts, DiskByShareOrByMegabytes) {
    auto rule = rule_of(RuleKind::kDiskLow);
    rule.numbers = {{"free_percent", 5}, {"free_mb", 500}};
    use({rule});
    look();
    EXPECT_EQ(open(), 0U);
    disk_ = DiskFact{499, 60};
    pass(Seconds{1});
    EXPECT_EQ(only().process_name, "");
    disk_ = DiskFact{100'000, 4.9};
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    disk_.reset();
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U) << "a file system that does not answer is no good news";
    disk_ = DiskFact{600, 6};
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

class Points : public AlertBench {
  protected:
    Points() { points_ = {{"TANK_1_TEMP", "D1"}, {"TANK_2_TEMP", "D2"}, {"FLOW", "D1"}}; }
    static AlertRule on_points(RuleKind kind, std::vector<std::string> globs,
                               std::map<std::string, double, std::less<>> numbers) {
        auto rule = rule_of(kind);
        rule.points = std::move(globs);
        rule.numbers = std::move(numbers);
        return rule;
    }
};

TEST_F(Points, OnlyPointsThatRulesNameAreLookedAt) {
    use({on_points(RuleKind::kThreshold, {"TANK_*_TEMP"}, {{"above", 80}})});
    EXPECT_EQ(engine_.point_ids().size(), 2U);
    auto narrow = on_points(RuleKind::kThreshold, {"FLOW", "NONE"}, {{"above", 80}});
    use({narrow});
    EXPECT_EQ(engine_.point_ids().size(), 1U);
    narrow.points = {"*"};
    narrow.devices = {"D2"};
    use({narrow});
    EXPECT_EQ(engine_.point_ids().size(), 1U);
    narrow.enabled = false;
    use({narrow});
    EXPECT_TRUE(engine_.point_ids().empty());
}

TEST_F(Points, AThresholdWithHysteresis) {
    engine_.set_task_of_device([](const std::string& device_code) { return "TASK_OF_" + device_code; });
    use({on_points(RuleKind::kThreshold, {"TANK_1_TEMP"}, {{"above", 80}, {"hysteresis", 5}})});
    set("TANK_1_TEMP", 80.0);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U) << "the limit itself is no alert";
    set("TANK_1_TEMP", 80.1);
    pass(Seconds{1});
    EXPECT_EQ(only().message, "point TANK_1_TEMP is 80.1: above 80");
    EXPECT_EQ(only().error_type, "threshold");
    EXPECT_EQ(only().process_name, "TASK_OF_D1");
    EXPECT_EQ(only().device_code, "D1");
    for (const double value : {79.0, 75.1}) {
        set("TANK_1_TEMP", value);
        pass(Seconds{1});
        EXPECT_EQ(open(), 1U) << value;
    }
    EXPECT_EQ(only().count, 1U);
    set("TANK_1_TEMP", 75.0);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
    set("TANK_1_TEMP", 79.0);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U) << "hysteresis holds an alert, it does not start one";
}

TEST_F(Points, BothLimits) {
    use({on_points(RuleKind::kThreshold, {"FLOW"}, {{"above", 10}, {"below", -10}, {"hysteresis", 1}})});
    set("FLOW", std::int64_t{-11});
    pass(Seconds{1});
    EXPECT_THAT(only().message, HasSubstr("below -10"));
    set("FLOW", std::int64_t{11});
    pass(Seconds{1});
    EXPECT_THAT(only().message, HasSubstr("above 10"));
    set("FLOW", true);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Points, ABadOrMissingValueProvesNothing) {
    use({on_points(RuleKind::kThreshold, {"FLOW"}, {{"above", 10}})});
    set("FLOW", 11.0);
    pass(Seconds{1});
    set("FLOW", 0.0, Quality::kBad);
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    set("FLOW", std::string{"text"});
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    values_.clear();
    pass(Seconds{1});
    EXPECT_EQ(open(), 1U);
    set("FLOW", 9.0, Quality::kUncertain);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Points, APointThatLeavesThePlantResolvesItsAlert) {
    use({on_points(RuleKind::kThreshold, {"*"}, {{"above", 10}})});
    set("TANK_1_TEMP", 11.0);
    set("TANK_2_TEMP", 11.0);
    pass(Seconds{1});
    EXPECT_EQ(open(), 2U);
    points_.erase("TANK_2_TEMP");
    use(rules_);
    pass(Seconds{1});
    EXPECT_EQ(only().point_code, "TANK_1_TEMP");
}

TEST_F(Points, FrozenIsAGoodValueThatStandsStill) {
    auto rule = on_points(RuleKind::kFrozen, {"FLOW"}, {{"tolerance", 0.5}});
    rule.hold = Seconds{60};
    use({rule});
    double value = 1;
    for (int i = 0; i < 100; ++i) {
        set("FLOW", value += 0.6);
        pass(Seconds{1});
    }
    EXPECT_EQ(open(), 0U);
    for (int i = 0; i < 59; ++i) {
        set("FLOW", value + (i % 2 == 0 ? 0.2 : -0.2));
        pass(Seconds{1});
    }
    EXPECT_EQ(open(), 0U);
    run(Seconds{2});
    EXPECT_EQ(open(), 1U) << "noise within the tolerance is no change";
    set("FLOW", value + 10);
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Points, TimeWithoutAGoodValueIsNoTimeItStoodStill) {
    auto rule = on_points(RuleKind::kFrozen, {"FLOW"}, {});
    rule.hold = Seconds{60};
    use({rule});
    set("FLOW", 5.0);
    run(Seconds{50});
    set("FLOW", 5.0, Quality::kBad);
    run(Seconds{3600});
    set("FLOW", 5.0);
    run(Seconds{60});
    EXPECT_EQ(open(), 0U);
    run(Seconds{2});
    EXPECT_EQ(open(), 1U);
    set("FLOW", 5.0, Quality::kBad);
    run(Seconds{5});
    set("FLOW", 5.0);
    run(Seconds{5});
    EXPECT_EQ(only().count, 1U) << "an open alert goes on over a gap";
}

TEST_F(Points, FrozenTextsAndClockSteps) {
    auto rule = on_points(RuleKind::kFrozen, {"FLOW"}, {});
    rule.hold = Seconds{10};
    use({rule});
    set("FLOW", std::string{"idle"});
    pass(Seconds{1});
    now_.utc += std::chrono::hours{10};
    run(Seconds{9});
    EXPECT_EQ(open(), 0U);
    run(Seconds{1});
    EXPECT_EQ(open(), 1U);
    set("FLOW", std::string{"busy"});
    pass(Seconds{1});
    EXPECT_EQ(open(), 0U);
}

TEST_F(Points, RateOfChangeBothWays) {
    use({on_points(RuleKind::kRateOfChange, {"FLOW"}, {{"per_second", 2}})});
    for (const double value : {0.0, 1.9, 3.8}) {
        pass(Seconds{1});
        set("FLOW", value);
        look();
    }
    EXPECT_EQ(open(), 0U);
    pass(Seconds{1});
    set("FLOW", 6.0);
    look();
    EXPECT_THAT(only().message, HasSubstr("changes by 2.2 a second, more than 2"));
    run(Seconds{3});
    EXPECT_EQ(open(), 1U) << "without a new sample nothing new is known";
    pass(Seconds{1});
    set("FLOW", 6.0);
    look();
    EXPECT_EQ(open(), 0U);
    pass(Seconds{1});
    set("FLOW", 0.0);
    look();
    EXPECT_EQ(open(), 1U) << "falling counts too";
}

TEST_F(Points, AClockStepIsNoRate) {
    use({on_points(RuleKind::kRateOfChange, {"FLOW"}, {{"per_second", 2}})});
    set("FLOW", 0.0);
    look();
    now_.utc -= std::chrono::hours{1};
    now_.mono += Seconds{10};
    set("FLOW", 10.0);
    look();
    EXPECT_EQ(open(), 0U);
    now_.utc += milliseconds{3};
    now_.mono += Seconds{10};
    set("FLOW", 15.0);
    look();
    EXPECT_EQ(open(), 0U) << "ten seconds that the samples' own times say were three milliseconds";
    pass(Seconds{1});
    set("FLOW", 20.0);
    look();
    EXPECT_EQ(open(), 1U);
}

TEST_F(Points, ARateOverAGapIsNotGuessed) {
    use({on_points(RuleKind::kRateOfChange, {"FLOW"}, {{"per_second", 2}})});
    set("FLOW", 0.0);
    look();
    pass(Seconds{1});
    set("FLOW", 0.0, Quality::kBad);
    look();
    pass(Seconds{1});
    set("FLOW", 500.0);
    look();
    EXPECT_EQ(open(), 0U);
}

TEST_F(Points, AChangedRuleRemembersItsPoints) {
    auto rule = on_points(RuleKind::kFrozen, {"FLOW"}, {});
    rule.hold = Seconds{60};
    use({rule});
    set("FLOW", 5.0);
    run(Seconds{50});
    rule.name = "renamed";
    rule.points = {"*"};
    use({rule});
    run(Seconds{12});
    EXPECT_EQ(open(), 1U);
}

}  // namespace
}  // namespace fieldwarden::supervisor
