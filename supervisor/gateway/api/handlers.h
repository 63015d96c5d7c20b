// The API handlers, by file. Each is named in the route table (routes.cpp) and nowhere else.
#pragma once

#include <optional>

#include "supervisor/control.h"
#include "supervisor/gateway/http.h"
#include "supervisor/gateway/router.h"

namespace fieldwarden::supervisor::gateway {

// records.cpp: the six kinds of configuration.
HttpResponse list_records(Kind kind, const HttpRequest& request, Context& context);
HttpResponse create_record(Kind kind, const HttpRequest& request, Context& context);
HttpResponse show_record(Kind kind, const HttpRequest& request, Context& context);
HttpResponse change_record(Kind kind, const HttpRequest& request, Context& context);
HttpResponse remove_record(Kind kind, const HttpRequest& request, Context& context);

// import_jobs.cpp
HttpResponse create_import_job(const HttpRequest& request, Context& context);
HttpResponse list_import_jobs(const HttpRequest& request, Context& context);
HttpResponse show_import_job(const HttpRequest& request, Context& context);
HttpResponse show_import_diff(const HttpRequest& request, Context& context);
HttpResponse apply_import_job(const HttpRequest& request, Context& context);
HttpResponse download_template(const HttpRequest& request, Context& context);
HttpResponse download_export(const HttpRequest& request, Context& context);

// tasks.cpp
HttpResponse act_on_task(TaskAction action, const HttpRequest& request, Context& context);
HttpResponse act_on_tasks(const HttpRequest& request, Context& context);
HttpResponse acquire_once(const HttpRequest& request, Context& context);
HttpResponse task_progress(const HttpRequest& request, Context& context);
HttpResponse task_points(const HttpRequest& request, Context& context);
HttpResponse task_stream(const HttpRequest& request, Context& context);
// 202 of an action, or its problem (409 with the session_id of a running task).
HttpResponse action_response(const ActionResult& result);
// {point_code, point_name, device_code, unit, value, quality, quality_code, timestamp}
proto::Json live_point_json(const Record& point, const std::optional<Sample>& sample);

// logs.cpp
HttpResponse task_logs(const HttpRequest& request, Context& context);
HttpResponse search_all_logs(const HttpRequest& request, Context& context);

// dead_letters.cpp
HttpResponse list_dead_letters(const HttpRequest& request, Context& context);
HttpResponse retry_dead_letters(const HttpRequest& request, Context& context);
HttpResponse clear_dead_letters(const HttpRequest& request, Context& context);

// sessions.cpp
HttpResponse start_session(const HttpRequest& request, Context& context);
HttpResponse act_on_session(TaskAction action, const HttpRequest& request, Context& context);
HttpResponse list_sessions(const HttpRequest& request, Context& context);
HttpResponse list_active_sessions(const HttpRequest& request, Context& context);
HttpResponse show_session(const HttpRequest& request, Context& context);
HttpResponse session_data_points(const HttpRequest& request, Context& context);
HttpResponse session_timeline(const HttpRequest& request, Context& context);
HttpResponse session_socket(const HttpRequest& request, Context& context);

// status.cpp: processes, health, events, audit.
HttpResponse list_processes(const HttpRequest& request, Context& context);
HttpResponse show_process(const HttpRequest& request, Context& context);
HttpResponse show_process_health(const HttpRequest& request, Context& context);
HttpResponse show_health(const HttpRequest& request, Context& context);
HttpResponse list_events(const HttpRequest& request, Context& context);
HttpResponse list_audit(const HttpRequest& request, Context& context);
HttpResponse verify_audit(const HttpRequest& request, Context& context);
HttpResponse topics_socket(const HttpRequest& request, Context& context);
HttpResponse fleet_socket(const HttpRequest& request, Context& context);

// alerts.cpp: alerts, and the three kinds of their configuration.
HttpResponse list_alerts(const HttpRequest& request, Context& context);
HttpResponse show_alert(const HttpRequest& request, Context& context);
HttpResponse acknowledge_alert(const HttpRequest& request, Context& context);
HttpResponse list_alert_rule_kinds(const HttpRequest& request, Context& context);
HttpResponse test_alert_channel(const HttpRequest& request, Context& context);
HttpResponse list_alert_documents(AlertDocumentKind kind, const HttpRequest& request, Context& context);
HttpResponse create_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context);
HttpResponse show_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context);
HttpResponse change_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context);
HttpResponse remove_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context);

// accounts.cpp
HttpResponse sign_in(const HttpRequest& request, Context& context);
HttpResponse sign_out(const HttpRequest& request, Context& context);
HttpResponse show_me(const HttpRequest& request, Context& context);
HttpResponse change_own_password(const HttpRequest& request, Context& context);
HttpResponse list_users(const HttpRequest& request, Context& context);
HttpResponse create_user(const HttpRequest& request, Context& context);
HttpResponse show_user(const HttpRequest& request, Context& context);
HttpResponse change_user(const HttpRequest& request, Context& context);
HttpResponse remove_user(const HttpRequest& request, Context& context);
HttpResponse list_tokens(const HttpRequest& request, Context& context);
HttpResponse create_token(const HttpRequest& request, Context& context);
HttpResponse remove_token(const HttpRequest& request, Context& context);

// probes.cpp
HttpResponse write_point(const HttpRequest& request, Context& context);
HttpResponse browse_device(const HttpRequest& request, Context& context);
HttpResponse device_diagnostics(const HttpRequest& request, Context& context);
HttpResponse test_connection(const HttpRequest& request, Context& context);
HttpResponse test_storage(const HttpRequest& request, Context& context);

// device_history.cpp
HttpResponse device_history(const HttpRequest& request, Context& context);

// device_statistics.cpp
HttpResponse device_statistics(const HttpRequest& request, Context& context);

// realtime.cpp
HttpResponse realtime_data(const HttpRequest& request, Context& context);
HttpResponse realtime_socket(const HttpRequest& request, Context& context);

// root.cpp: liveness, readiness, metrics, the contract, the start page.
HttpResponse show_alive(const HttpRequest& request, Context& context);
HttpResponse show_ready(const HttpRequest& request, Context& context);
HttpResponse show_metrics(const HttpRequest& request, Context& context);
HttpResponse show_openapi(const HttpRequest& request, Context& context);
HttpResponse show_start_page(const HttpRequest& request, Context& context);

}  // namespace fieldwarden::supervisor::gateway
