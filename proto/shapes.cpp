#include "proto/shapes.h"

#include <cmath>
#include <stdexcept>

namespace fieldwarden::proto {

namespace {

template <class T>
Json or_null(const std::optional<T>& value) {
    return value ? Json(*value) : Json(nullptr);
}

template <class E>
Json name_or_null(const std::optional<E>& value) {
    return value ? Json(to_name(*value)) : Json(nullptr);
}

template <class E>
std::optional<E> optional_name(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return std::nullopt;
    return from_name<E>(found->get_ref<const std::string&>());
}

UtcTime time_from(const Json& json) {
    const auto parsed = parse_rfc3339(json.get_ref<const std::string&>());
    if (!parsed) throw std::invalid_argument(parsed.error().message);
    return *parsed;
}

}  // namespace

Json time_or_null(const std::optional<UtcTime>& time) {
    return time ? Json(format_rfc3339(*time)) : Json(nullptr);
}

Json to_json(const ConnectionStatus& shape) {
    return {
        {"device_code", shape.device_code},
        {"device_ip", shape.device_ip},
        {"device_port", shape.device_port},
        {"protocol_type", shape.protocol_type},
        {"is_connected", shape.is_connected},
        {"last_connect_time", time_or_null(shape.last_connect_time)},
        {"connection_errors", shape.connection_errors},
        {"last_error", shape.last_error},
        {"response_time_ms", or_null(shape.response_time_ms)},
    };
}

Json to_json(const ProcessStatus& shape) {
    Json connections = Json::array();
    for (const auto& connection : shape.connections) connections.push_back(to_json(connection));
    return {
        {"name", shape.name},
        {"type", shape.type},
        {"status", to_name(shape.status)},
        {"pid", or_null(shape.pid)},
        {"cpu_percent", shape.cpu_percent},
        {"memory_mb", shape.memory_mb},
        {"start_time", time_or_null(shape.start_time)},
        {"uptime_seconds", shape.uptime_seconds},
        {"last_heartbeat", time_or_null(shape.last_heartbeat)},
        {"restart_count", shape.restart_count},
        {"last_error", shape.last_error},
        {"command", shape.command},
        {"config_revision", shape.config_revision},
        {"connection_status", shape.connection_status},
        {"connections", std::move(connections)},
        {"data_collection_rate", shape.data_collection_rate},
        {"last_data_time", time_or_null(shape.last_data_time)},
        {"health_score", shape.health_score},
        {"error_count_24h", shape.error_count_24h},
        {"adopted", shape.adopted},
    };
}

Json to_json(const SessionStatus& shape) {
    return {
        {"session_id", shape.session_id},
        {"task_id", shape.task_id},
        {"task_code", shape.task_code},
        {"status", to_name(shape.status)},
        {"pid", or_null(shape.pid)},
        {"started_at", format_rfc3339(shape.started_at)},
        {"stopped_at", time_or_null(shape.stopped_at)},
        {"points_read", shape.points_read},
        {"points_delivered", shape.points_delivered},
        {"last_read_time", time_or_null(shape.last_read_time)},
        {"error_count", shape.error_count},
        {"success_rate", shape.success_rate},
        {"period_ms", shape.period_ms},
        {"cycle_ms", shape.cycle_ms},
        {"spool_pending", shape.spool_pending},
        {"error_message", shape.error_message},
        {"process", shape.process ? to_json(*shape.process) : Json(nullptr)},
    };
}

Json to_json(const PerformanceMetrics& shape) {
    return {
        {"process_name", shape.process_name},
        {"timestamp", format_rfc3339(shape.timestamp)},
        {"cpu_percent", shape.cpu_percent},
        {"memory_mb", shape.memory_mb},
        {"data_points_per_minute", shape.data_points_per_minute},
        {"error_rate", shape.error_rate},
        {"response_time_ms", shape.response_time_ms},
        {"cycle_ms", shape.cycle_ms},
        {"missed_cycles", shape.missed_cycles},
        {"spool_pending", shape.spool_pending},
        {"spool_bytes", shape.spool_bytes},
    };
}

Json to_json(const HealthCheckResult& shape) {
    return {
        {"process_name", shape.process_name},
        {"check_type", to_name(shape.check_type)},
        {"status", to_name(shape.status)},
        {"timestamp", format_rfc3339(shape.timestamp)},
        {"details", shape.details},
        {"score", shape.score},
        {"recommendations", shape.recommendations},
    };
}

Json to_json(const SystemHealthSummary& shape) {
    return {
        {"overall_status", to_name(shape.overall_status)},
        {"total_processes", shape.total_processes},
        {"healthy_processes", shape.healthy_processes},
        {"warning_processes", shape.warning_processes},
        {"critical_processes", shape.critical_processes},
        {"last_check_time", format_rfc3339(shape.last_check_time)},
        {"issues", shape.issues},
    };
}

Json to_json(const RetryContext& shape) {
    return {
        {"strategy_name", shape.strategy_name},
        {"delay_seconds", shape.delay_seconds},
        {"attempt_number", shape.attempt_number},
        {"max_attempts", shape.max_attempts},
        {"error_category", name_or_null(shape.error_category)},
        {"adaptive_adjustments", shape.adaptive_adjustments},
    };
}

Json to_json(const LogEntry& shape) {
    return {
        {"id", shape.id},
        {"timestamp", format_rfc3339(shape.timestamp)},
        {"level", to_name(shape.level)},
        {"process_name", shape.process_name},
        {"message", shape.message},
        {"source_file", shape.source_file},
        {"line_number", shape.line_number},
        {"exception_info", shape.exception_info},
        {"log_type", name_or_null(shape.log_type)},
        {"execution_phase", name_or_null(shape.execution_phase)},
        {"parent_log_id", or_null(shape.parent_log_id)},
        {"retry_context", shape.retry_context ? to_json(*shape.retry_context) : Json(nullptr)},
        {"performance_metrics", shape.performance_metrics ? *shape.performance_metrics : Json(nullptr)},
    };
}

Json to_json(const Alert& shape) {
    return {
        {"id", shape.id},
        {"error_type", shape.error_type},
        {"message", shape.message},
        {"timestamp", format_rfc3339(shape.timestamp)},
        {"process_name", shape.process_name},
        {"device_code", shape.device_code},
        {"point_code", shape.point_code},
        {"severity", to_name(shape.severity)},
        {"context", shape.context},
        {"suggested_action", shape.suggested_action},
        {"state", to_name(shape.state)},
        {"count", shape.count},
        {"first_at", format_rfc3339(shape.first_at)},
        {"last_at", format_rfc3339(shape.last_at)},
    };
}

Json to_json(const FleetSummary& shape) {
    return {
        {"running", shape.running},
        {"workers", shape.workers},
        {"queue_pending", shape.queue_pending},
        {"queue_retry", shape.queue_retry},
        {"queue_dead", shape.queue_dead},
        {"processed_total", shape.processed_total},
        {"processed_today", shape.processed_today},
        {"speed", shape.speed},
        {"last_error", shape.last_error},
    };
}

Json to_json(const ProbeResult& shape) {
    return {
        {"ok", shape.ok},
        {"latency_ms", shape.latency_ms},
        {"detail", shape.detail},
        {"error_category", name_or_null(shape.error_category)},
    };
}

Json to_json(const Value& value) {
    struct Visitor {
        Json operator()(std::monostate) const { return nullptr; }
        Json operator()(bool flag) const { return flag; }
        Json operator()(std::int64_t number) const { return number; }
        Json operator()(std::uint64_t number) const { return number; }
        Json operator()(double number) const { return std::isfinite(number) ? Json(number) : Json(nullptr); }
        Json operator()(const std::string& text) const { return text; }
    };
    return std::visit(Visitor{}, value);
}

Json point_json(std::string_view point_code, const Sample& sample) {
    Json json{
        {"point_code", point_code},
        {"value", to_json(sample.value)},
        {"quality", to_name(sample.quality)},
        {"timestamp", format_rfc3339(sample.time)},
    };
    if (sample.quality != Quality::kGood) json["quality_code"] = to_name(sample.code);
    return json;
}

ConnectionStatus connection_status_from_json(const Json& json) {
    ConnectionStatus shape;
    shape.device_code = json.at("device_code").get<std::string>();
    shape.device_ip = json.at("device_ip").get<std::string>();
    shape.device_port = json.at("device_port").get<std::uint16_t>();
    shape.protocol_type = json.at("protocol_type").get<std::string>();
    shape.is_connected = json.at("is_connected").get<bool>();
    if (const auto& time = json.at("last_connect_time"); !time.is_null())
        shape.last_connect_time = time_from(time);
    shape.connection_errors = json.at("connection_errors").get<std::uint64_t>();
    shape.last_error = json.at("last_error").get<std::string>();
    if (const auto& response = json.at("response_time_ms"); !response.is_null()) {
        shape.response_time_ms = response.get<double>();
    }
    return shape;
}

RetryContext retry_context_from_json(const Json& json) {
    RetryContext shape;
    shape.strategy_name = json.at("strategy_name").get<std::string>();
    shape.delay_seconds = json.at("delay_seconds").get<double>();
    shape.attempt_number = json.at("attempt_number").get<std::uint32_t>();
    shape.max_attempts = json.at("max_attempts").get<std::uint32_t>();
    shape.error_category = optional_name<ErrorCategory>(json, "error_category");
    shape.adaptive_adjustments = json.at("adaptive_adjustments").get<std::vector<std::string>>();
    return shape;
}

LogEntry log_entry_from_json(const Json& json) {
    LogEntry shape;
    shape.id = json.at("id").get<std::int64_t>();
    shape.timestamp = time_from(json.at("timestamp"));
    shape.level = optional_name<LogLevel>(json, "level").value_or(LogLevel::kInfo);
    shape.process_name = json.at("process_name").get<std::string>();
    shape.message = json.at("message").get<std::string>();
    shape.source_file = json.at("source_file").get<std::string>();
    shape.line_number = json.at("line_number").get<std::uint32_t>();
    shape.exception_info = json.at("exception_info").get<std::string>();
    shape.log_type = optional_name<LogType>(json, "log_type");
    shape.execution_phase = optional_name<ExecutionPhase>(json, "execution_phase");
    if (const auto& parent = json.at("parent_log_id"); !parent.is_null()) {
        shape.parent_log_id = parent.get<std::int64_t>();
    }
    if (const auto& retry = json.at("retry_context"); !retry.is_null()) {
        shape.retry_context = retry_context_from_json(retry);
    }
    if (const auto& metrics = json.at("performance_metrics"); !metrics.is_null())
        shape.performance_metrics = metrics;
    return shape;
}

ProbeResult probe_result_from_json(const Json& json) {
    ProbeResult shape;
    shape.ok = json.at("ok").get<bool>();
    shape.latency_ms = json.at("latency_ms").get<double>();
    shape.detail = json.at("detail").get<std::string>();
    shape.error_category = optional_name<ErrorCategory>(json, "error_category");
    return shape;
}

}  // namespace fieldwarden::proto
