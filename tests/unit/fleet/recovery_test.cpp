#include "supervisor/health/recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fieldwarden::supervisor {
namespace {

using proto::ErrorCategory;
using proto::ProcessState;
using proto::RecoveryAction;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr MonoTime kStart{std::chrono::hours{100}};

TaskFacts healthy() {
    TaskFacts facts;
    facts.task_code = "T1";
    facts.state = ProcessState::kRunning;
    facts.uptime = seconds{100};
    facts.ready_age = seconds{99};
    facts.beat_age = milliseconds{500};
    facts.good_data_age = milliseconds{900};
    facts.memory_mb = 5;
    facts.devices_connected = 2;
    facts.devices_total = 2;
    return facts;
}

std::vector<Trouble> troubles(const TaskFacts& facts) {
    return troubles_of(facts, {}, check_health(facts, {}, UtcTime{}));
}

// Applies the choices one after the other, as the supervisor does, until nothing is left to do.
std::vector<RecoveryAction> course(Trouble trouble, bool devices_connected) {
    std::vector<RecoveryAction> actions;
    RecoveryHistory history;
    for (int check = 0; check < 12; ++check) {
        ++history.sightings;
        const auto choice = choose_recovery(trouble, history, devices_connected);
        if (choice.action == RecoveryAction::kNoAction) continue;
        EXPECT_FALSE(choice.why.empty());
        actions.push_back(choice.action);
        history.resets += choice.action == RecoveryAction::kResetConnection;
        history.restarts += choice.action == RecoveryAction::kRestartProcess;
        if (choice.action == RecoveryAction::kAlertOperator) {
            EXPECT_FALSE(choice.advice.empty());
            history.alerted = true;
        }
    }
    return actions;
}

TEST(Troubles, AHealthyTaskHasNone) {
    EXPECT_THAT(troubles(healthy()), IsEmpty());
}

TEST(Troubles, EachIsSeenAlone) {
    auto facts = healthy();
    facts.memory_mb = 501;
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kMemory));
    facts = healthy();
    facts.open_descriptors = 81;
    facts.descriptor_limit = 100;
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kDescriptors));
    facts = healthy();
    facts.cpu_percent = 81;
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kCpu));
    facts = healthy();
    facts.devices_connected = 0;
    facts.away_for = seconds{60};
    facts.away_error = "no route";
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kConnection));
    facts = healthy();
    facts.good_data_age = seconds{120};
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kNoGoodData));
    facts = healthy();
    facts.log_errors = 50;
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kLogErrors));
}

TEST(Troubles, NoDataWhileADeviceIsAwayIsTroubleWithTheConnection) {
    auto facts = healthy();
    facts.devices_connected = 1;
    facts.good_data_age = seconds{120};
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kConnection));
}

TEST(Troubles, TheyAddUp) {
    auto facts = healthy();
    facts.memory_mb = 900;
    facts.cpu_percent = 200;
    facts.good_data_age = seconds{500};
    EXPECT_THAT(troubles(facts), ElementsAre(Trouble::kMemory, Trouble::kCpu, Trouble::kNoGoodData));
}

TEST(Recovery, FromTheGentleToTheRough) {
    using enum RecoveryAction;
    for (const bool connected : {true, false}) {
        EXPECT_THAT(course(Trouble::kMemory, connected), ElementsAre(kRestartProcess, kAlertOperator));
        EXPECT_THAT(course(Trouble::kDescriptors, connected), ElementsAre(kRestartProcess, kAlertOperator));
        EXPECT_THAT(course(Trouble::kCpu, connected), ElementsAre(kAlertOperator));
        EXPECT_THAT(course(Trouble::kLogErrors, connected), ElementsAre(kAlertOperator));
        // Device trouble is not process trouble.
        EXPECT_THAT(course(Trouble::kConnection, connected), ElementsAre(kResetConnection, kAlertOperator));
    }
    EXPECT_THAT(course(Trouble::kNoGoodData, true),
                ElementsAre(kResetConnection, kRestartProcess, kAlertOperator));
    EXPECT_THAT(course(Trouble::kNoGoodData, false), ElementsAre(kResetConnection, kAlertOperator));
}

TEST(Recovery, OneBusyMomentIsNoTrouble) {
    RecoveryHistory history;
    history.sightings = 1;
    EXPECT_EQ(choose_recovery(Trouble::kCpu, history, true).action, RecoveryAction::kNoAction);
    history.sightings = 2;
    EXPECT_EQ(choose_recovery(Trouble::kCpu, history, true).action, RecoveryAction::kAlertOperator);
}

TEST(Recovery, Categories) {
    EXPECT_EQ(category_of(Trouble::kMemory), ErrorCategory::kResourceExhaustion);
    EXPECT_EQ(category_of(Trouble::kDescriptors), ErrorCategory::kResourceExhaustion);
    EXPECT_EQ(category_of(Trouble::kCpu), ErrorCategory::kResourceExhaustion);
    EXPECT_EQ(category_of(Trouble::kConnection), ErrorCategory::kConnectionError);
    EXPECT_EQ(category_of(Trouble::kNoGoodData), ErrorCategory::kDataCollectionError);
    EXPECT_EQ(category_of(Trouble::kLogErrors), ErrorCategory::kDataCollectionError);
}

TEST(Recovery, OnlyGoodDataEndsTroubleWithData) {
    RecoveryHistory history;
    history.seen_at = kStart;
    auto facts = healthy();
    EXPECT_TRUE(is_over(Trouble::kConnection, history, facts, {}, kStart));
    EXPECT_TRUE(is_over(Trouble::kNoGoodData, history, facts, {}, kStart));
    facts.good_data_age.reset();  // a new process that has read nothing yet
    EXPECT_FALSE(is_over(Trouble::kConnection, history, facts, {}, kStart + minutes{60}));
    EXPECT_FALSE(is_over(Trouble::kNoGoodData, history, facts, {}, kStart + minutes{60}));
}

TEST(Recovery, ARestartDoesNotHideALeak) {
    RecoveryHistory history;
    history.seen_at = kStart;
    for (const auto trouble : {Trouble::kMemory, Trouble::kDescriptors, Trouble::kCpu, Trouble::kLogErrors}) {
        EXPECT_FALSE(is_over(trouble, history, healthy(), {}, kStart + minutes{9}));
        EXPECT_TRUE(is_over(trouble, history, healthy(), {}, kStart + minutes{10}));
        EXPECT_TRUE(is_over(trouble, {}, healthy(), {}, kStart)) << "nothing ever happened";
    }
}

}  // namespace
}  // namespace fieldwarden::supervisor
