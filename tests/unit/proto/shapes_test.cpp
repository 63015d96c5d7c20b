#include "proto/shapes.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "tests/unit/proto/messages.h"

namespace fieldwarden::proto {

namespace {

using Names = std::set<std::string>;

Names members(const Json& json) {
    Names names;
    for (const auto& [name, value] : json.items()) names.insert(name);
    return names;
}

// The members of CONTRACT 5, spelled out: a surface that others rely on.
TEST(Shapes, HaveTheMembersTheContractLists) {
    EXPECT_EQ(members(to_json(ProcessStatus{})), (Names{"name",
                                                        "type",
                                                        "status",
                                                        "pid",
                                                        "cpu_percent",
                                                        "memory_mb",
                                                        "start_time",
                                                        "uptime_seconds",
                                                        "last_heartbeat",
                                                        "restart_count",
                                                        "last_error",
                                                        "command",
                                                        "config_revision",
                                                        "connection_status",
                                                        "connections",
                                                        "data_collection_rate",
                                                        "last_data_time",
                                                        "health_score",
                                                        "error_count_24h",
                                                        "adopted"}));
    EXPECT_EQ(members(to_json(SessionStatus{})),
              (Names{"session_id", "task_id", "task_code", "status", "pid", "started_at", "stopped_at",
                     "points_read", "points_delivered", "last_read_time", "error_count", "success_rate",
                     "period_ms", "cycle_ms", "spool_pending", "error_message", "process"}));
    EXPECT_EQ(members(to_json(ConnectionStatus{})),
              (Names{"device_code", "device_ip", "device_port", "protocol_type", "is_connected",
                     "last_connect_time", "connection_errors", "last_error", "response_time_ms"}));
    EXPECT_EQ(members(to_json(PerformanceMetrics{})),
              (Names{"process_name", "timestamp", "cpu_percent", "memory_mb", "data_points_per_minute",
                     "error_rate", "response_time_ms", "cycle_ms", "missed_cycles", "spool_pending",
                     "spool_bytes"}));
    EXPECT_EQ(
        members(to_json(HealthCheckResult{})),
        (Names{"process_name", "check_type", "status", "timestamp", "details", "score", "recommendations"}));
    EXPECT_EQ(members(to_json(SystemHealthSummary{})),
              (Names{"overall_status", "total_processes", "healthy_processes", "warning_processes",
                     "critical_processes", "last_check_time", "issues"}));
    EXPECT_EQ(members(to_json(LogEntry{})),
              (Names{"id", "timestamp", "level", "process_name", "message", "source_file", "line_number",
                     "exception_info", "log_type", "execution_phase", "parent_log_id", "retry_context",
                     "performance_metrics"}));
    EXPECT_EQ(members(to_json(RetryContext{})),
              (Names{"strategy_name", "delay_seconds", "attempt_number", "max_attempts", "error_category",
                     "adaptive_adjustments"}));
    EXPECT_EQ(members(to_json(Alert{})),
              (Names{"id", "error_type", "message", "timestamp", "process_name", "device_code", "point_code",
                     "severity", "context", "suggested_action", "state", "count", "first_at", "last_at"}));
    EXPECT_EQ(members(to_json(FleetSummary{})),
              (Names{"running", "workers", "queue_pending", "queue_retry", "queue_dead", "processed_total",
                     "processed_today", "speed", "last_error"}));
    EXPECT_EQ(members(to_json(ProbeResult{})), (Names{"ok", "latency_ms", "detail", "error_category"}));
}

TEST(Shapes, TheNamesOfStatesAreThoseOfTheContract) {
    EXPECT_EQ(all_names<ProcessState>(), "STOPPED, STARTING, RUNNING, PAUSED, STOPPING, BACKOFF, CRASHED");
    EXPECT_EQ(all_names<SessionState>(), "starting, running, paused, stopping, stopped, completed, error");
    EXPECT_EQ(all_names<CheckType>(), "process_alive, resource_usage, connection, data_flow, log_errors");
    EXPECT_EQ(all_names<HealthStatus>(), "healthy, warning, critical, unknown");
    EXPECT_EQ(all_names<LogType>(),
              "execution_start, retry_attempt, success, failure, timeout, exception, strategy_change");
    EXPECT_EQ(all_names<ExecutionPhase>(), "initial, retry, final");
    EXPECT_EQ(
        all_names<ErrorCategory>(),
        "startup_failure, connection_error, data_collection_error, resource_exhaustion, configuration_error, "
        "unexpected_termination");
    EXPECT_EQ(all_names<RecoveryAction>(),
              "restart_process, reset_connection, clear_cache, reduce_frequency, alert_operator, no_action");
    EXPECT_EQ(all_names<QualityCode>(),
              "timeout, disconnected, illegal_address, decode, out_of_range, stale");
}

TEST(Shapes, UnsetOptionalsAreNull) {
    for (const auto* name : {"pid", "start_time", "last_heartbeat", "last_data_time"}) {
        EXPECT_TRUE(to_json(ProcessStatus{}).at(name).is_null()) << name;
    }
    for (const auto* name :
         {"log_type", "execution_phase", "parent_log_id", "retry_context", "performance_metrics"}) {
        EXPECT_TRUE(to_json(LogEntry{}).at(name).is_null()) << name;
    }
    EXPECT_TRUE(to_json(SessionStatus{}).at("process").is_null());
    EXPECT_EQ(to_json(full_connection()).at("last_connect_time"), "2026-11-22T13:53:47.123Z");
}

TEST(Shapes, ThoseThatCrossTheWireComeBack) {
    EXPECT_EQ(connection_status_from_json(to_json(full_connection())), full_connection());
    EXPECT_EQ(connection_status_from_json(to_json(ConnectionStatus{})), ConnectionStatus{});
    EXPECT_EQ(to_json(log_entry_from_json(to_json(full_entry()))), to_json(full_entry()));
    EXPECT_EQ(to_json(log_entry_from_json(to_json(LogEntry{}))), to_json(LogEntry{}));
    const ProbeResult probe{true, 1.5, "read", ErrorCategory::kConnectionError};
    EXPECT_EQ(to_json(probe_result_from_json(to_json(probe))), to_json(probe));
}

TEST(Shapes, AMemberThatIsMissingOrMistypedIsAnError) {
    const auto whole = to_json(full_entry());
    for (const auto* name : {"id", "timestamp", "process_name", "message", "source_file", "line_number",
                             "exception_info", "parent_log_id", "retry_context", "performance_metrics"}) {
        auto without = whole;
        without.erase(name);
        EXPECT_THROW(log_entry_from_json(without), std::exception) << name;
    }
    auto bad_time = whole;
    bad_time["timestamp"] = "yesterday";
    EXPECT_THROW(log_entry_from_json(bad_time), std::exception);
    auto newer = whole;
    newer["log_type"] = "of a newer version";
    EXPECT_FALSE(log_entry_from_json(newer).log_type) << "an unknown name is no reason to lose the line";
}

TEST(ValueJson, EveryKindOfValue) {
    EXPECT_TRUE(to_json(Value{}).is_null());
    EXPECT_EQ(to_json(Value{true}), true);
    EXPECT_EQ(to_json(Value{INT64_MIN}).dump(), "-9223372036854775808");
    EXPECT_EQ(to_json(Value{UINT64_MAX}).dump(), "18446744073709551615");
    EXPECT_EQ(to_json(Value{0.1}).dump(), "0.1");
    EXPECT_EQ(to_json(Value{std::string{"文"}}), "文");
    for (const double odd :
         {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
          -std::numeric_limits<double>::infinity()}) {
        EXPECT_TRUE(to_json(Value{odd}).is_null()) << "JSON has no " << odd;
    }
}

TEST(PointJson, NamesTheReasonOnlyWhenNotGood) {
    Sample sample{7, Quality::kGood, QualityCode::kNone, kNoon, 1.5};
    EXPECT_EQ(point_json("P1", sample), (Json{{"point_code", "P1"},
                                              {"value", 1.5},
                                              {"quality", "good"},
                                              {"timestamp", "2026-11-22T13:53:47.123Z"}}));
    sample = {7, Quality::kBad, QualityCode::kIllegalAddress, kNoon, {}};
    EXPECT_EQ(point_json("P1", sample).at("quality_code"), "illegal_address");
}

TEST(TaskConfigJson, ComesBackEqual) {
    const auto full = task_config_from_json(to_json(full_task()));
    ASSERT_TRUE(full) << full.error().message;
    EXPECT_EQ(*full, full_task());
    const auto empty = task_config_from_json(to_json(TaskConfig{}));
    ASSERT_TRUE(empty) << empty.error().message;
    EXPECT_EQ(*empty, TaskConfig{});
    auto timed = full_task();
    timed.run_limit = {std::nullopt, std::chrono::hours{1}};
    EXPECT_EQ(*task_config_from_json(to_json(timed)), timed);
}

TEST(TaskConfigJson, NumbersOfPointsKeepEveryBit) {
    auto task = full_task();
    for (const double number : {0.1, 1e-300, 5e-324, 1.7976931348623157e308, -0.0, 1.0 / 3.0}) {
        task.devices[0].points[0].scale = number;
        const auto back = task_config_from_json(Json::parse(to_json(task).dump()));
        ASSERT_TRUE(back);
        EXPECT_EQ(back->devices[0].points[0].scale, number);
        EXPECT_EQ(std::signbit(back->devices[0].points[0].scale), std::signbit(number));
    }
}

TEST(TaskConfigJson, RefusesWhatDoesNotParse) {
    const auto whole = to_json(full_task());
    for (const auto* name : {"task_code", "revision", "period_ms", "devices", "sinks", "spool", "history"}) {
        auto without = whole;
        without.erase(name);
        const auto refused = task_config_from_json(without);
        ASSERT_FALSE(refused) << name;
        EXPECT_EQ(refused.error().kind, ErrorKind::kCorrupt);
    }
    auto bad = whole;
    bad["devices"][0]["points"][0]["data_type"] = "float";
    EXPECT_FALSE(task_config_from_json(bad));
    bad = whole;
    bad["devices"][0]["protocol"] = "profibus";
    EXPECT_FALSE(task_config_from_json(bad));
    for (const auto& other : {Json(nullptr), Json::array(), Json("x"), Json::object()}) {
        EXPECT_FALSE(task_config_from_json(other)) << other;
        EXPECT_FALSE(device_config_from_json(other)) << other;
        EXPECT_FALSE(sink_config_from_json(other)) << other;
    }
}

}  // namespace

}  // namespace fieldwarden::proto
