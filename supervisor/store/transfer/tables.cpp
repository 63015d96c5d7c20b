#include "supervisor/store/transfer/tables.h"

#include <string_view>

#include "supervisor/plant/schema.h"

namespace fieldwarden::supervisor::transfer {

namespace {

struct Names {
    ColumnType type;
    std::vector<std::string> names;
};

Table table(std::string name, bool numbered, const std::vector<Names>& groups) {
    Table made{std::move(name), {}, numbered};
    for (const auto& group : groups) {
        for (const auto& column : group.names) made.columns.push_back({column, group.type, column});
    }
    return made;
}

std::vector<Table> make_tables() {
    using enum ColumnType;
    std::vector<Table> all;
    for (const Kind kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        auto& made = all.emplace_back(table(std::string{schema.sheet}, true, {{kInteger, {"id"}}}));
        for (const auto& field : schema.fields) {
            made.columns.push_back({std::string{field.name}, kText, std::string{field.name}});
        }
    }
    all.push_back(table("import_jobs", true,
                        {{kInteger, {"id"}},
                         {kText, {"file_name", "mode", "status", "created_by"}},
                         {kTime, {"created_at", "applied_at"}},
                         {kInteger, {"base_revision"}},
                         {kJson, {"summary", "errors", "warnings"}}}));
    all.push_back(table("sessions", true,
                        {{kInteger, {"id", "task_id"}},
                         {kText, {"task_code", "status"}},
                         {kInteger, {"pid"}},
                         {kTime, {"started_at", "stopped_at", "last_read_time"}},
                         {kInteger, {"points_read", "points_delivered", "error_count", "spool_pending"}},
                         {kReal, {"success_rate", "period_ms", "cycle_ms"}},
                         {kText, {"error_message"}}}));
    all.push_back(table("log_entries", true,
                        {{kInteger, {"id", "session_id"}},
                         {kTime, {"timestamp"}},
                         {kText,
                          {"level", "process_name", "message", "source_file", "exception_info", "log_type",
                           "execution_phase"}},
                         {kInteger, {"line_number", "parent_log_id"}},
                         {kJson, {"retry_context", "performance_metrics"}}}));
    all.push_back(table("desired", false, {{kText, {"task_code", "state"}}, {kTime, {"changed_at"}}}));
    all.push_back(
        table("processes", false,
              {{kText, {"task_code", "launch_key"}},
               {kInteger, {"pid", "start_ticks", "session_id", "restart_count", "config_revision"}}}));
    all.push_back(table("audit", true,
                        {{kInteger, {"id"}},
                         {kTime, {"at"}},
                         {kText, {"actor", "role", "remote", "action", "subject", "hash"}},
                         {kJson, {"detail"}}}));
    all.push_back(table("alerts", true,
                        {{kInteger, {"id", "count", "rule_id"}},
                         {kText,
                          {"error_type", "message", "process_name", "device_code", "point_code", "severity",
                           "suggested_action", "state", "rule_code", "subject"}},
                         {kTime, {"timestamp", "first_at", "last_at", "resolved_at"}},
                         {kJson, {"context"}},
                         {kFlag, {"notified"}}}));
    for (const char* name : {"alert_rules", "alert_channels", "silences"}) {
        all.push_back(table(name, true, {{kInteger, {"id"}}, {kText, {"code"}}, {kJson, {"body"}}}));
    }
    auto& times = all.emplace_back(table(
        "state_times", false, {{kDay, {"day"}}, {kText, {"device_code", "state"}}, {kInteger, {"spent"}}}));
    times.columns.back().postgres_name = "spent_us";
    all.push_back(table("users", true,
                        {{kInteger, {"id"}},
                         {kText, {"username", "role", "password_hash"}},
                         {kFlag, {"must_change_password", "disabled"}},
                         {kTime, {"created_at", "last_login_at"}}}));
    all.push_back(table("api_tokens", true,
                        {{kInteger, {"id", "user_id"}},
                         {kText, {"name", "role", "secret_hash"}},
                         {kTime, {"created_at", "expires_at", "last_used_at"}}}));
    return all;
}

}  // namespace

const std::vector<Table>& tables() {
    static const auto all = make_tables();
    return all;
}

}  // namespace fieldwarden::supervisor::transfer
