// The shapes of CONTRACT 5 and their JSON form: what the status channel, the HTTP API and the wire all carry.
// Times are UTC; an unset optional is JSON null. from_json is given for shapes that cross the wire from a
// worker and is strict: a missing or mistyped member is an error (nlohmann::json exceptions stop in
// proto/wire.cpp).
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/enum_table.h"
#include "common/sample.h"

namespace fieldwarden::proto {

using Json = nlohmann::json;

// --- enumerations
// ------------------------------------------------------------------------------------------------

enum class ProcessState : std::uint8_t {
    kStopped,
    kStarting,
    kRunning,
    kPaused,
    kStopping,
    kBackoff,
    kCrashed
};
enum class SessionState : std::uint8_t {
    kStarting,
    kRunning,
    kPaused,
    kStopping,
    kStopped,
    kCompleted,
    kError
};
enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError, kCritical };
enum class LogType : std::uint8_t {
    kExecutionStart,
    kRetryAttempt,
    kSuccess,
    kFailure,
    kTimeout,
    kException,
    kStrategyChange,
};
enum class ExecutionPhase : std::uint8_t { kInitial, kRetry, kFinal };
enum class ErrorCategory : std::uint8_t {
    kStartupFailure,
    kConnectionError,
    kDataCollectionError,
    kResourceExhaustion,
    kConfigurationError,
    kUnexpectedTermination,
};
enum class RecoveryAction : std::uint8_t {
    kRestartProcess,
    kResetConnection,
    kClearCache,
    kReduceFrequency,
    kAlertOperator,
    kNoAction,
};
enum class CheckType : std::uint8_t { kProcessAlive, kResourceUsage, kConnection, kDataFlow, kLogErrors };
enum class HealthStatus : std::uint8_t { kHealthy, kWarning, kCritical, kUnknown };
enum class Severity : std::uint8_t { kInfo, kWarning, kCritical };
enum class AlertState : std::uint8_t { kFiring, kAcknowledged, kResolved };

// --- shapes
// ------------------------------------------------------------------------------------------------------

struct ConnectionStatus {
    std::string device_code;
    std::string device_ip;
    std::uint16_t device_port = 0;
    std::string protocol_type;
    bool is_connected = false;
    std::optional<UtcTime> last_connect_time;
    std::uint64_t connection_errors = 0;
    std::string last_error;
    std::optional<double> response_time_ms;

    bool operator==(const ConnectionStatus&) const = default;
};

struct ProcessStatus {
    std::string name;  // the task code
    std::string type;  // the protocol, or "mixed"
    ProcessState status = ProcessState::kStopped;
    std::optional<std::int64_t> pid;
    double cpu_percent = 0;
    double memory_mb = 0;  // private memory
    std::optional<UtcTime> start_time;
    double uptime_seconds = 0;
    std::optional<UtcTime> last_heartbeat;
    std::uint32_t restart_count = 0;
    std::string last_error;
    std::string command;
    std::uint64_t config_revision = 0;
    std::string connection_status;  // connected | partial | disconnected | unknown
    std::vector<ConnectionStatus> connections;
    double data_collection_rate = 0;  // points/s
    std::optional<UtcTime> last_data_time;
    int health_score = 100;
    std::uint64_t error_count_24h = 0;
    bool adopted = false;
};

// GET /sessions/{id}/status and topic session.<id>.
struct SessionStatus {
    std::int64_t session_id = 0;
    std::int64_t task_id = 0;
    std::string task_code;
    SessionState status = SessionState::kStarting;
    std::optional<std::int64_t> pid;
    UtcTime started_at{};
    std::optional<UtcTime> stopped_at;
    std::uint64_t points_read = 0;
    std::uint64_t points_delivered = 0;
    std::optional<UtcTime> last_read_time;
    std::uint64_t error_count = 0;
    double success_rate = 100;  // percent of points read with good quality
    double period_ms = 0;
    double cycle_ms = 0;
    std::uint64_t spool_pending = 0;
    std::string error_message;
    std::optional<ProcessStatus> process;
};

struct PerformanceMetrics {
    std::string process_name;
    UtcTime timestamp{};
    double cpu_percent = 0;
    double memory_mb = 0;
    double data_points_per_minute = 0;
    double error_rate = 0;  // 0 to 1, of points read since the last beat
    double response_time_ms = 0;
    double cycle_ms = 0;
    std::uint64_t missed_cycles = 0;
    std::uint64_t spool_pending = 0;
    std::uint64_t spool_bytes = 0;
};

struct HealthCheckResult {
    std::string process_name;
    CheckType check_type = CheckType::kProcessAlive;
    HealthStatus status = HealthStatus::kUnknown;
    UtcTime timestamp{};
    std::string details;
    int score = 0;  // 0 to 100
    std::vector<std::string> recommendations;
};

struct SystemHealthSummary {
    HealthStatus overall_status = HealthStatus::kUnknown;
    std::uint32_t total_processes = 0;
    std::uint32_t healthy_processes = 0;
    std::uint32_t warning_processes = 0;
    std::uint32_t critical_processes = 0;
    UtcTime last_check_time{};
    std::vector<std::string> issues;
};

struct RetryContext {
    std::string strategy_name;
    double delay_seconds = 0;
    std::uint32_t attempt_number = 0;
    std::uint32_t max_attempts = 0;
    std::optional<ErrorCategory> error_category;
    std::vector<std::string> adaptive_adjustments;
};

struct LogEntry {
    std::int64_t id = 0;  // given by the supervisor; 0 until then
    UtcTime timestamp{};
    LogLevel level = LogLevel::kInfo;
    std::string process_name;
    std::string message;
    std::string source_file;
    std::uint32_t line_number = 0;
    std::string exception_info;
    std::optional<LogType> log_type;
    std::optional<ExecutionPhase> execution_phase;
    std::optional<std::int64_t> parent_log_id;
    std::optional<RetryContext> retry_context;
    std::optional<Json> performance_metrics;
};

struct Alert {
    std::int64_t id = 0;
    std::string error_type;
    std::string message;
    UtcTime timestamp{};
    std::string process_name;
    std::string device_code;
    std::string point_code;
    Severity severity = Severity::kWarning;
    Json context = Json::object();
    std::string suggested_action;
    AlertState state = AlertState::kFiring;
    std::uint64_t count = 1;
    UtcTime first_at{};
    UtcTime last_at{};
};

// Topic `fleet`, /ws/processor-status.
struct FleetSummary {
    bool running = true;
    std::uint32_t workers = 0;
    std::uint64_t queue_pending = 0;
    std::uint64_t queue_retry = 0;
    std::uint64_t queue_dead = 0;
    std::uint64_t processed_total = 0;
    std::uint64_t processed_today = 0;
    double speed = 0;  // points/s
    std::string last_error;
};

// POST /test-connection, /test-storage.
struct ProbeResult {
    bool ok = false;
    double latency_ms = 0;
    std::string detail;
    std::optional<ErrorCategory> error_category;
};

// --- JSON
// --------------------------------------------------------------------------------------------------------

Json to_json(const ConnectionStatus& shape);
Json to_json(const ProcessStatus& shape);
Json to_json(const SessionStatus& shape);
Json to_json(const PerformanceMetrics& shape);
Json to_json(const HealthCheckResult& shape);
Json to_json(const SystemHealthSummary& shape);
Json to_json(const RetryContext& shape);
Json to_json(const LogEntry& shape);
Json to_json(const Alert& shape);
Json to_json(const FleetSummary& shape);
Json to_json(const ProbeResult& shape);

// A sample's value: null, true/false, a number or a string. NaN and infinities, which JSON lacks, become
// null.
Json to_json(const Value& value);
// {point_code, value, quality, timestamp} and `quality_code` when the sample is not good.
Json point_json(std::string_view point_code, const Sample& sample);

ConnectionStatus connection_status_from_json(const Json& json);
LogEntry log_entry_from_json(const Json& json);
RetryContext retry_context_from_json(const Json& json);
ProbeResult probe_result_from_json(const Json& json);

Json time_or_null(const std::optional<UtcTime>& time);

}  // namespace fieldwarden::proto

namespace fieldwarden {

template <>
struct EnumNames<proto::ProcessState> {
    using E = proto::ProcessState;
    static constexpr std::array<EnumName<E>, 7> table{{
        {E::kStopped, "STOPPED"},
        {E::kStarting, "STARTING"},
        {E::kRunning, "RUNNING"},
        {E::kPaused, "PAUSED"},
        {E::kStopping, "STOPPING"},
        {E::kBackoff, "BACKOFF"},
        {E::kCrashed, "CRASHED"},
    }};
};
template <>
struct EnumNames<proto::SessionState> {
    using E = proto::SessionState;
    static constexpr std::array<EnumName<E>, 7> table{{
        {E::kStarting, "starting"},
        {E::kRunning, "running"},
        {E::kPaused, "paused"},
        {E::kStopping, "stopping"},
        {E::kStopped, "stopped"},
        {E::kCompleted, "completed"},
        {E::kError, "error"},
    }};
};
template <>
struct EnumNames<proto::LogLevel> {
    using E = proto::LogLevel;
    static constexpr std::array<EnumName<E>, 5> table{{
        {E::kDebug, "debug"},
        {E::kInfo, "info"},
        {E::kWarning, "warning"},
        {E::kError, "error"},
        {E::kCritical, "critical"},
    }};
};
template <>
struct EnumNames<proto::LogType> {
    using E = proto::LogType;
    static constexpr std::array<EnumName<E>, 7> table{{
        {E::kExecutionStart, "execution_start"},
        {E::kRetryAttempt, "retry_attempt"},
        {E::kSuccess, "success"},
        {E::kFailure, "failure"},
        {E::kTimeout, "timeout"},
        {E::kException, "exception"},
        {E::kStrategyChange, "strategy_change"},
    }};
};
template <>
struct EnumNames<proto::ExecutionPhase> {
    using E = proto::ExecutionPhase;
    static constexpr std::array<EnumName<E>, 3> table{{
        {E::kInitial, "initial"},
        {E::kRetry, "retry"},
        {E::kFinal, "final"},
    }};
};
template <>
struct EnumNames<proto::ErrorCategory> {
    using E = proto::ErrorCategory;
    static constexpr std::array<EnumName<E>, 6> table{{
        {E::kStartupFailure, "startup_failure"},
        {E::kConnectionError, "connection_error"},
        {E::kDataCollectionError, "data_collection_error"},
        {E::kResourceExhaustion, "resource_exhaustion"},
        {E::kConfigurationError, "configuration_error"},
        {E::kUnexpectedTermination, "unexpected_termination"},
    }};
};
template <>
struct EnumNames<proto::RecoveryAction> {
    using E = proto::RecoveryAction;
    static constexpr std::array<EnumName<E>, 6> table{{
        {E::kRestartProcess, "restart_process"},
        {E::kResetConnection, "reset_connection"},
        {E::kClearCache, "clear_cache"},
        {E::kReduceFrequency, "reduce_frequency"},
        {E::kAlertOperator, "alert_operator"},
        {E::kNoAction, "no_action"},
    }};
};
template <>
struct EnumNames<proto::CheckType> {
    using E = proto::CheckType;
    static constexpr std::array<EnumName<E>, 5> table{{
        {E::kProcessAlive, "process_alive"},
        {E::kResourceUsage, "resource_usage"},
        {E::kConnection, "connection"},
        {E::kDataFlow, "data_flow"},
        {E::kLogErrors, "log_errors"},
    }};
};
template <>
struct EnumNames<proto::HealthStatus> {
    using E = proto::HealthStatus;
    static constexpr std::array<EnumName<E>, 4> table{{
        {E::kHealthy, "healthy"},
        {E::kWarning, "warning"},
        {E::kCritical, "critical"},
        {E::kUnknown, "unknown"},
    }};
};
template <>
struct EnumNames<proto::Severity> {
    using E = proto::Severity;
    static constexpr std::array<EnumName<E>, 3> table{{
        {E::kInfo, "info"},
        {E::kWarning, "warning"},
        {E::kCritical, "critical"},
    }};
};
template <>
struct EnumNames<proto::AlertState> {
    using E = proto::AlertState;
    static constexpr std::array<EnumName<E>, 3> table{{
        {E::kFiring, "firing"},
        {E::kAcknowledged, "acknowledged"},
        {E::kResolved, "resolved"},
    }};
};

}  // namespace fieldwarden
