#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "supervisor/health/checks.h"

namespace fieldwarden::supervisor {
namespace {

using proto::CheckType;
using proto::HealthStatus;
using proto::ProcessState;
using std::chrono::seconds;
using testing::HasSubstr;

const UtcTime kNow{std::chrono::hours{500'000}};

TaskFacts healthy() {
    TaskFacts facts;
    facts.task_code = "T1";
    facts.state = ProcessState::kRunning;
    facts.uptime = seconds{100};
    facts.ready_age = seconds{99};
    facts.beat_age = milliseconds{500};
    facts.progress_age = milliseconds{500};
    facts.good_data_age = milliseconds{900};
    facts.cpu_percent = 3;
    facts.memory_mb = 5;
    facts.devices_connected = 2;
    facts.devices_total = 2;
    return facts;
}

proto::HealthCheckResult one(const TaskFacts& facts, CheckType check) {
    for (auto& result : check_health(facts, {}, kNow)) {
        if (result.check_type == check) return result;
    }
    ADD_FAILURE() << "no result for " << to_name(check);
    return {};
}

TEST(Health, AHealthyTaskScoresHundred) {
    const auto results = check_health(healthy(), {}, kNow);
    ASSERT_EQ(results.size(), 5U);
    for (const auto& result : results) {
        EXPECT_EQ(result.status, HealthStatus::kHealthy) << to_name(result.check_type) << result.details;
        EXPECT_EQ(result.process_name, "T1");
        EXPECT_TRUE(result.recommendations.empty());
    }
    EXPECT_EQ(health_score(results), 100);
}

TEST(Health, SilenceBeyondTheTimeoutIsHung) {
    auto facts = healthy();
    facts.beat_age = seconds{5};
    EXPECT_FALSE(hung_reason(facts, {}));
    facts.beat_age = milliseconds{5001};
    ASSERT_TRUE(hung_reason(facts, {}));
    EXPECT_THAT(*hung_reason(facts, {}), HasSubstr("no heartbeat for 5.0 s"));
    EXPECT_EQ(one(facts, CheckType::kProcessAlive).status, HealthStatus::kCritical);
    EXPECT_EQ(health_score(check_health(facts, {}, kNow)), 0);
}

TEST(Health, ALoopThatStandsStillBehindHeartbeatsIsHung) {
    auto facts = healthy();
    facts.progress_age = seconds{6};
    ASSERT_TRUE(hung_reason(facts, {}));
    EXPECT_THAT(*hung_reason(facts, {}), HasSubstr("acquisition loop"));
    facts.state = ProcessState::kPaused;
    EXPECT_TRUE(hung_reason(facts, {})) << "a paused loop turns as well";
}

TEST(Health, AWorkerThatNeverBeatAfterReadyIsHung) {
    auto facts = healthy();
    facts.beat_age.reset();
    facts.progress_age.reset();
    facts.ready_age = seconds{6};
    EXPECT_TRUE(hung_reason(facts, {}));
    facts.state = ProcessState::kStarting;
    EXPECT_FALSE(hung_reason(facts, {})) << "the start has its own deadline";
}

TEST(Health, CrashedAndBackoffAreCritical) {
    auto facts = healthy();
    facts.state = ProcessState::kCrashed;
    facts.last_error = "exit code 70";
    EXPECT_EQ(one(facts, CheckType::kProcessAlive).score, 0);
    EXPECT_FALSE(one(facts, CheckType::kProcessAlive).recommendations.empty());
    EXPECT_EQ(health_score(check_health(facts, {}, kNow)), 0);
    facts.state = ProcessState::kBackoff;
    EXPECT_EQ(one(facts, CheckType::kProcessAlive).status, HealthStatus::kCritical);
}

TEST(Health, ResourcesWarnOverTheLimitAndAreCriticalFarOverIt) {
    auto facts = healthy();
    facts.memory_mb = 501;
    EXPECT_EQ(one(facts, CheckType::kResourceUsage).status, HealthStatus::kWarning);
    facts.memory_mb = 751;
    EXPECT_EQ(one(facts, CheckType::kResourceUsage).status, HealthStatus::kCritical);
    facts.memory_mb = 5;
    facts.cpu_percent = 81;
    EXPECT_EQ(one(facts, CheckType::kResourceUsage).status, HealthStatus::kWarning);
    EXPECT_THAT(one(facts, CheckType::kResourceUsage).recommendations.front(), HasSubstr("period"));
}

TEST(Health, ADeviceAwayIsAWarningAllAwayForLongIsCritical) {
    auto facts = healthy();
    facts.devices_connected = 1;
    facts.away_for = seconds{200};
    facts.away_device = "PUMP_01";
    facts.away_error = "connection refused";
    auto result = one(facts, CheckType::kConnection);
    EXPECT_EQ(result.status, HealthStatus::kWarning);
    EXPECT_THAT(result.details, HasSubstr("PUMP_01 away for 200.0 s: connection refused"));
    EXPECT_THAT(result.recommendations.front(), HasSubstr("PUMP_01"));
    facts.devices_connected = 0;
    EXPECT_EQ(one(facts, CheckType::kConnection).status, HealthStatus::kCritical);
    facts.away_for = seconds{10};
    EXPECT_EQ(one(facts, CheckType::kConnection).status, HealthStatus::kWarning);
}

TEST(Health, NoGoodDataIsCriticalAfterTheDataTimeout) {
    auto facts = healthy();
    facts.good_data_age = seconds{119};
    EXPECT_EQ(one(facts, CheckType::kDataFlow).status, HealthStatus::kHealthy);
    facts.good_data_age = seconds{120};
    EXPECT_EQ(one(facts, CheckType::kDataFlow).status, HealthStatus::kCritical);
    EXPECT_THAT(one(facts, CheckType::kDataFlow).recommendations.front(), HasSubstr("addresses"));
    facts.devices_connected = 0;
    EXPECT_THAT(one(facts, CheckType::kDataFlow).recommendations.front(), HasSubstr("connection"));
    facts.good_data_age.reset();
    facts.ready_age = seconds{130};
    EXPECT_EQ(one(facts, CheckType::kDataFlow).status, HealthStatus::kCritical) << "never any good data";
    facts.state = ProcessState::kPaused;
    EXPECT_EQ(one(facts, CheckType::kDataFlow).status, HealthStatus::kUnknown) << "paused is no fault";
}

TEST(Health, ASlowTaskIsGivenThreePeriods) {
    auto facts = healthy();
    facts.period = std::chrono::hours{1};
    facts.good_data_age = std::chrono::hours{2};
    EXPECT_EQ(one(facts, CheckType::kDataFlow).status, HealthStatus::kHealthy);
}

TEST(Health, LogErrorsLowerTheScore) {
    auto facts = healthy();
    facts.log_errors = 5;
    EXPECT_EQ(one(facts, CheckType::kLogErrors).status, HealthStatus::kWarning);
    EXPECT_EQ(one(facts, CheckType::kLogErrors).score, 90);
    facts.log_errors = 50;
    EXPECT_EQ(one(facts, CheckType::kLogErrors).status, HealthStatus::kCritical);
}

TEST(Health, OpenFilesCountAgainstTheLimitOfTheProcess) {
    auto facts = healthy();
    facts.open_descriptors = 900;
    EXPECT_EQ(one(facts, CheckType::kResourceUsage).score, 100) << "no limit is known";
    facts.descriptor_limit = 1000;
    const auto result = one(facts, CheckType::kResourceUsage);
    EXPECT_EQ(result.status, HealthStatus::kWarning);
    EXPECT_THAT(result.details, HasSubstr("900 of 1000 files open"));
    facts.open_descriptors = 100;
    EXPECT_EQ(one(facts, CheckType::kResourceUsage).status, HealthStatus::kHealthy);
}

TEST(Health, AStoppedTaskHasNoOpinion) {
    TaskFacts facts;
    for (const auto& result : check_health(facts, {}, kNow)) {
        EXPECT_EQ(result.status, HealthStatus::kUnknown) << to_name(result.check_type);
    }
    EXPECT_EQ(health_score(check_health(facts, {}, kNow)), 100);
}

TEST(Health, WeightsSumToHundred) {
    int sum = 0;
    for (const auto& [check, weight] : kWeights) sum += weight;
    EXPECT_EQ(sum, 100);
    auto facts = healthy();
    facts.good_data_age = seconds{500};  // weight 25, score 0
    EXPECT_EQ(health_score(check_health(facts, {}, kNow)), 75);
}

TEST(Health, SummaryCountsTheWorstCheckOfEachTask) {
    auto dead = healthy();
    dead.task_code = "T2";
    dead.state = ProcessState::kCrashed;
    auto warned = healthy();
    warned.task_code = "T3";
    warned.log_errors = 3;
    const std::array results{check_health(healthy(), {}, kNow), check_health(dead, {}, kNow),
                             check_health(warned, {}, kNow)};
    const std::array<TaskHealth, 3> tasks{{{"T1", results[0]}, {"T2", results[1]}, {"T3", results[2]}}};
    const auto summary = summarize(tasks, kNow);
    EXPECT_EQ(summary.overall_status, HealthStatus::kCritical);
    EXPECT_EQ(summary.total_processes, 3U);
    EXPECT_EQ(summary.healthy_processes, 1U);
    EXPECT_EQ(summary.warning_processes, 1U);
    EXPECT_EQ(summary.critical_processes, 1U);
    ASSERT_EQ(summary.issues.size(), 2U);
    EXPECT_THAT(summary.issues.front(), HasSubstr("T2: process_alive"));
    EXPECT_EQ(summarize({}, kNow).overall_status, HealthStatus::kHealthy);
}

TEST(Health, TaskOptionsOverrideTheSettings) {
    Settings settings;
    const auto thresholds = thresholds_for(settings, {{"heartbeat_timeout", "9s"}, {"data_timeout", "10m"}});
    EXPECT_EQ(thresholds.heartbeat_timeout, seconds{9});
    EXPECT_EQ(thresholds.data_timeout, std::chrono::minutes{10});
    EXPECT_EQ(thresholds.connection_timeout, settings.health.connection_timeout);
    const auto more = thresholds_for(settings, {{"connection_timeout", "7s"},
                                                {"health_interval", "2s"},
                                                {"memory_mb", "77"},
                                                {"cpu_percent", "11"},
                                                {"descriptors_percent", "50"},
                                                {"log_errors", "3"}});
    EXPECT_EQ(more.connection_timeout, seconds{7});
    EXPECT_EQ(more.interval, seconds{2});
    EXPECT_EQ(more.memory_mb, 77);
    EXPECT_EQ(more.cpu_percent, 11);
    EXPECT_EQ(more.descriptors_percent, 50);
    EXPECT_EQ(more.log_errors, 3U);
    EXPECT_EQ(thresholds.interval, settings.health.interval);
}

}  // namespace
}  // namespace fieldwarden::supervisor
