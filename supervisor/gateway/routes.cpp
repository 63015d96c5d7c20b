// The route table (CONTRACT 3). proto/openapi.yaml describes the same rows; a test holds the two together.
#include <array>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/router.h"

namespace fieldwarden::supervisor::gateway {

namespace {

using enum RouteKind;
using enum Pace;
constexpr auto kGet = Method::kGet;
constexpr auto kPost = Method::kPost;
constexpr auto kPatch = Method::kPatch;
constexpr auto kDelete = Method::kDelete;
constexpr auto kPublic = std::optional<Role>{};
constexpr auto kViewer = std::optional{Role::kViewer};
constexpr auto kOperator = std::optional{Role::kOperator};
constexpr auto kAdmin = std::optional{Role::kAdmin};

// Handlers that differ only in the kind of record, or in the action.
template <auto Generic, auto Fixed>
HttpResponse with(const HttpRequest& request, Context& context) {
    return Generic(Fixed, request, context);
}

constexpr std::array kRoutes{
    // at the root
    Route{kGet, "/", kPublic, kCall, kQuick, show_start_page, "Start page"},
    Route{kGet, "/healthz", kPublic, kCall, kQuick, show_alive, "Liveness"},
    Route{kGet, "/readyz", kPublic, kCall, kQuick, show_ready, "Readiness"},
    Route{kGet, "/metrics", kPublic, kCall, kQuick, show_metrics, "Prometheus metrics"},
    Route{kGet, "/openapi.json", kPublic, kCall, kQuick, show_openapi, "This contract"},

    // import and export
    Route{kPost, "/api/v1/import-jobs", kAdmin, kUpload, kWaiting, create_import_job, "Check a workbook"},
    Route{kGet, "/api/v1/import-jobs", kViewer, kCall, kQuick, list_import_jobs, "Import history"},
    Route{kGet, "/api/v1/import-jobs/template", kViewer, kCall, kWaiting, download_template,
          "Empty workbook"},
    Route{kGet, "/api/v1/import-jobs/{id}", kViewer, kCall, kQuick, show_import_job,
          "One import with its errors"},
    Route{kGet, "/api/v1/import-jobs/{id}/diff", kViewer, kCall, kWaiting, show_import_diff,
          "What an import would change"},
    Route{kPost, "/api/v1/import-jobs/{id}/apply", kAdmin, kCall, kWaiting, apply_import_job,
          "Apply an import"},
    Route{kGet, "/api/v1/export", kViewer, kCall, kWaiting, download_export,
          "The configuration as a workbook"},

    // configuration
    Route{kGet, "/api/v1/sites", kViewer, kCall, kQuick, with<list_records, Kind::kSite>, "Sites"},
    Route{kPost, "/api/v1/sites", kAdmin, kCall, kQuick, with<create_record, Kind::kSite>, "Create a site"},
    Route{kGet, "/api/v1/sites/{id}", kViewer, kCall, kQuick, with<show_record, Kind::kSite>, "One site"},
    Route{kPatch, "/api/v1/sites/{id}", kAdmin, kCall, kQuick, with<change_record, Kind::kSite>,
          "Change a site"},
    Route{kDelete, "/api/v1/sites/{id}", kAdmin, kCall, kQuick, with<remove_record, Kind::kSite>,
          "Remove a site"},
    Route{kGet, "/api/v1/device-types", kViewer, kCall, kQuick, with<list_records, Kind::kDeviceType>,
          "Device types"},
    Route{kPost, "/api/v1/device-types", kAdmin, kCall, kQuick, with<create_record, Kind::kDeviceType>,
          "Create a device type"},
    Route{kGet, "/api/v1/device-types/{id}", kViewer, kCall, kQuick, with<show_record, Kind::kDeviceType>,
          "One device type"},
    Route{kPatch, "/api/v1/device-types/{id}", kAdmin, kCall, kQuick, with<change_record, Kind::kDeviceType>,
          "Change a device type"},
    Route{kDelete, "/api/v1/device-types/{id}", kAdmin, kCall, kQuick, with<remove_record, Kind::kDeviceType>,
          "Remove a device type"},
    Route{kGet, "/api/v1/devices", kViewer, kCall, kQuick, with<list_records, Kind::kDevice>, "Devices"},
    Route{kPost, "/api/v1/devices", kAdmin, kCall, kQuick, with<create_record, Kind::kDevice>,
          "Create a device"},
    Route{kGet, "/api/v1/devices/{id}", kViewer, kCall, kQuick, with<show_record, Kind::kDevice>,
          "One device"},
    Route{kPatch, "/api/v1/devices/{id}", kAdmin, kCall, kQuick, with<change_record, Kind::kDevice>,
          "Change a device"},
    Route{kDelete, "/api/v1/devices/{id}", kAdmin, kCall, kQuick, with<remove_record, Kind::kDevice>,
          "Remove a device"},
    Route{kGet, "/api/v1/points", kViewer, kCall, kQuick, with<list_records, Kind::kPoint>, "Points"},
    Route{kPost, "/api/v1/points", kAdmin, kCall, kQuick, with<create_record, Kind::kPoint>,
          "Create a point"},
    Route{kGet, "/api/v1/points/{id}", kViewer, kCall, kQuick, with<show_record, Kind::kPoint>, "One point"},
    Route{kPatch, "/api/v1/points/{id}", kAdmin, kCall, kQuick, with<change_record, Kind::kPoint>,
          "Change a point"},
    Route{kDelete, "/api/v1/points/{id}", kAdmin, kCall, kQuick, with<remove_record, Kind::kPoint>,
          "Remove a point"},
    Route{kGet, "/api/v1/sinks", kViewer, kCall, kQuick, with<list_records, Kind::kSink>, "Sinks"},
    Route{kPost, "/api/v1/sinks", kAdmin, kCall, kQuick, with<create_record, Kind::kSink>, "Create a sink"},
    Route{kGet, "/api/v1/sinks/{id}", kViewer, kCall, kQuick, with<show_record, Kind::kSink>, "One sink"},
    Route{kPatch, "/api/v1/sinks/{id}", kAdmin, kCall, kQuick, with<change_record, Kind::kSink>,
          "Change a sink"},
    Route{kDelete, "/api/v1/sinks/{id}", kAdmin, kCall, kQuick, with<remove_record, Kind::kSink>,
          "Remove a sink"},
    Route{kGet, "/api/v1/tasks", kViewer, kCall, kQuick, with<list_records, Kind::kTask>, "Tasks"},
    Route{kPost, "/api/v1/tasks", kAdmin, kCall, kQuick, with<create_record, Kind::kTask>, "Create a task"},
    Route{kGet, "/api/v1/tasks/{id}", kViewer, kCall, kQuick, with<show_record, Kind::kTask>, "One task"},
    Route{kPatch, "/api/v1/tasks/{id}", kAdmin, kCall, kQuick, with<change_record, Kind::kTask>,
          "Change a task"},
    Route{kDelete, "/api/v1/tasks/{id}", kAdmin, kCall, kQuick, with<remove_record, Kind::kTask>,
          "Remove a task"},

    // tasks at work
    Route{kPost, "/api/v1/tasks/actions", kOperator, kCall, kQuick, act_on_tasks, "Act on many tasks"},
    Route{kPost, "/api/v1/tasks/{id}/start", kOperator, kCall, kQuick, with<act_on_task, TaskAction::kStart>,
          "Start a task"},
    Route{kPost, "/api/v1/tasks/{id}/stop", kOperator, kCall, kQuick, with<act_on_task, TaskAction::kStop>,
          "Stop a task"},
    Route{kPost, "/api/v1/tasks/{id}/pause", kOperator, kCall, kQuick, with<act_on_task, TaskAction::kPause>,
          "Pause a task"},
    Route{kPost, "/api/v1/tasks/{id}/resume", kOperator, kCall, kQuick,
          with<act_on_task, TaskAction::kResume>, "Resume a task"},
    Route{kPost, "/api/v1/tasks/{id}/restart", kOperator, kCall, kQuick,
          with<act_on_task, TaskAction::kRestart>, "Restart a task"},
    Route{kPost, "/api/v1/tasks/{id}/acquire_once", kOperator, kCall, kWaiting, acquire_once,
          "Read once, now"},
    Route{kGet, "/api/v1/tasks/{id}/progress", kViewer, kCall, kQuick, task_progress, "Progress"},
    Route{kGet, "/api/v1/tasks/{id}/logs", kViewer, kCall, kWaiting, task_logs, "Log of a task"},
    Route{kGet, "/api/v1/tasks/{id}/points", kViewer, kCall, kQuick, task_points,
          "Latest values of the task's points"},
    Route{kGet, "/api/v1/tasks/{id}/stream", kViewer, kEventStream, kQuick, task_stream,
          "Progress, log and status as they come"},

    // sessions
    Route{kPost, "/api/v1/sessions/start_task", kOperator, kCall, kQuick, start_session, "Start a task"},
    Route{kGet, "/api/v1/sessions", kViewer, kCall, kQuick, list_sessions, "Session history"},
    Route{kGet, "/api/v1/sessions/active", kViewer, kCall, kQuick, list_active_sessions, "Sessions that run"},
    Route{kGet, "/api/v1/sessions/{id}", kViewer, kCall, kQuick, show_session, "One session"},
    Route{kGet, "/api/v1/sessions/{id}/status", kViewer, kCall, kQuick, show_session, "State of a session"},
    Route{kPost, "/api/v1/sessions/{id}/stop", kOperator, kCall, kQuick,
          with<act_on_session, TaskAction::kStop>, "Stop a session"},
    Route{kPost, "/api/v1/sessions/{id}/pause", kOperator, kCall, kQuick,
          with<act_on_session, TaskAction::kPause>, "Pause a session"},
    Route{kPost, "/api/v1/sessions/{id}/resume", kOperator, kCall, kQuick,
          with<act_on_session, TaskAction::kResume>, "Resume a session"},
    Route{kGet, "/api/v1/sessions/{id}/data-points", kViewer, kCall, kWaiting, session_data_points,
          "Samples from the history"},
    Route{kGet, "/api/v1/sessions/{id}/timeline", kViewer, kCall, kQuick, session_timeline,
          "Execution log as a tree"},

    // alerting
    Route{kGet, "/api/v1/alerts", kViewer, kCall, kQuick, list_alerts, "Alerts, open and of the past"},
    Route{kGet, "/api/v1/alerts/{id}", kViewer, kCall, kQuick, show_alert, "One alert"},
    Route{kPost, "/api/v1/alerts/{id}/ack", kOperator, kCall, kQuick, acknowledge_alert,
          "Acknowledge an alert"},
    Route{kGet, "/api/v1/alert-rules/kinds", kViewer, kCall, kQuick, list_alert_rule_kinds,
          "Kinds of rules and their parameters"},
    Route{kGet, "/api/v1/alert-rules", kViewer, kCall, kQuick,
          with<list_alert_documents, AlertDocumentKind::kRule>, "Alert rules"},
    Route{kPost, "/api/v1/alert-rules", kAdmin, kCall, kQuick,
          with<create_alert_document, AlertDocumentKind::kRule>, "Create an alert rule"},
    Route{kGet, "/api/v1/alert-rules/{id}", kViewer, kCall, kQuick,
          with<show_alert_document, AlertDocumentKind::kRule>, "One alert rule"},
    Route{kPatch, "/api/v1/alert-rules/{id}", kAdmin, kCall, kQuick,
          with<change_alert_document, AlertDocumentKind::kRule>, "Change an alert rule"},
    Route{kDelete, "/api/v1/alert-rules/{id}", kAdmin, kCall, kQuick,
          with<remove_alert_document, AlertDocumentKind::kRule>, "Remove an alert rule"},
    Route{kGet, "/api/v1/alert-channels", kViewer, kCall, kQuick,
          with<list_alert_documents, AlertDocumentKind::kChannel>, "Alert channels"},
    Route{kPost, "/api/v1/alert-channels", kAdmin, kCall, kQuick,
          with<create_alert_document, AlertDocumentKind::kChannel>, "Create an alert channel"},
    Route{kGet, "/api/v1/alert-channels/{id}", kViewer, kCall, kQuick,
          with<show_alert_document, AlertDocumentKind::kChannel>, "One alert channel"},
    Route{kPatch, "/api/v1/alert-channels/{id}", kAdmin, kCall, kQuick,
          with<change_alert_document, AlertDocumentKind::kChannel>, "Change an alert channel"},
    Route{kDelete, "/api/v1/alert-channels/{id}", kAdmin, kCall, kQuick,
          with<remove_alert_document, AlertDocumentKind::kChannel>, "Remove an alert channel"},
    Route{kGet, "/api/v1/silences", kViewer, kCall, kQuick,
          with<list_alert_documents, AlertDocumentKind::kSilence>, "Silences"},
    Route{kPost, "/api/v1/silences", kOperator, kCall, kQuick,
          with<create_alert_document, AlertDocumentKind::kSilence>, "Create a silence"},
    Route{kGet, "/api/v1/silences/{id}", kViewer, kCall, kQuick,
          with<show_alert_document, AlertDocumentKind::kSilence>, "One silence"},
    Route{kPatch, "/api/v1/silences/{id}", kOperator, kCall, kQuick,
          with<change_alert_document, AlertDocumentKind::kSilence>, "Change a silence"},
    Route{kDelete, "/api/v1/silences/{id}", kOperator, kCall, kQuick,
          with<remove_alert_document, AlertDocumentKind::kSilence>, "Remove a silence"},
    Route{kPost, "/api/v1/alert-channels/{id}/test", kAdmin, kCall, kWaiting, test_alert_channel,
          "Send a test alert"},

    // probes
    Route{kPost, "/api/v1/points/{id}/write", kOperator, kCall, kWaiting, write_point, "Write a point"},
    Route{kGet, "/api/v1/devices/{id}/browse", kOperator, kCall, kWaiting, browse_device,
          "What a device says it holds"},
    Route{kGet, "/api/v1/devices/{id}/diagnostics", kViewer, kCall, kWaiting, device_diagnostics,
          "What the drivers of a device have counted"},
    Route{kPost, "/api/v1/test-connection", kOperator, kCall, kWaiting, test_connection, "Try a device"},
    Route{kPost, "/api/v1/test-storage", kOperator, kCall, kWaiting, test_storage, "Try a sink"},

    // state
    Route{kGet, "/api/v1/processes", kViewer, kCall, kQuick, list_processes, "Processes of all tasks"},
    Route{kGet, "/api/v1/processes/{task_code}", kViewer, kCall, kQuick, show_process, "Process of one task"},
    Route{kGet, "/api/v1/processes/{task_code}/health", kViewer, kCall, kQuick, show_process_health,
          "Health checks of one task"},
    Route{kGet, "/api/v1/health", kViewer, kCall, kQuick, show_health, "Health of everything"},
    Route{kGet, "/api/v1/device/realtime-data", kViewer, kCall, kQuick, realtime_data,
          "Latest values by device"},
    Route{kGet, "/api/v1/device/history", kViewer, kCall, kWaiting, device_history,
          "Past values of a device"},
    Route{kGet, "/api/v1/device/statistics", kViewer, kCall, kQuick, device_statistics,
          "Minutes of devices in their states"},
    Route{kGet, "/api/v1/device/data/realtime", kViewer, kCall, kQuick, realtime_data,
          "Latest values by device"},
    Route{kGet, "/api/v1/events", kViewer, kCall, kQuick, list_events, "Journal of status events"},
    Route{kGet, "/api/v1/logs", kViewer, kCall, kWaiting, search_all_logs,
          "Log of the supervisor, of one task or of all"},
    Route{kGet, "/api/v1/dead-letters", kViewer, kCall, kWaiting, list_dead_letters,
          "What sinks refused for good"},
    Route{kPost, "/api/v1/dead-letters/retry", kOperator, kCall, kWaiting, retry_dead_letters,
          "Deliver dead letters again"},
    Route{kDelete, "/api/v1/dead-letters", kAdmin, kCall, kWaiting, clear_dead_letters, "Clear dead letters"},
    Route{kGet, "/api/v1/audit/verify", kAdmin, kCall, kWaiting, verify_audit,
          "Whether the audit trail is as it was written"},
    Route{kGet, "/api/v1/audit", kAdmin, kCall, kQuick, list_audit, "Who did what"},

    // accounts
    Route{kPost, "/api/v1/auth/login", kPublic, kCall, kWaiting, sign_in, "Sign in"},
    Route{kPost, "/api/v1/auth/logout", kViewer, kCall, kQuick, sign_out, "Sign out"},
    Route{kGet, "/api/v1/auth/me", kViewer, kCall, kQuick, show_me, "Who is signed in"},
    Route{kPost, "/api/v1/auth/password", kViewer, kCall, kWaiting, change_own_password,
          "Change one's own password"},
    Route{kGet, "/api/v1/users", kAdmin, kCall, kQuick, list_users, "Users"},
    Route{kPost, "/api/v1/users", kAdmin, kCall, kWaiting, create_user, "Create a user"},
    Route{kGet, "/api/v1/users/{id}", kAdmin, kCall, kQuick, show_user, "One user"},
    Route{kPatch, "/api/v1/users/{id}", kAdmin, kCall, kWaiting, change_user, "Change a user"},
    Route{kDelete, "/api/v1/users/{id}", kAdmin, kCall, kQuick, remove_user, "Remove a user"},
    Route{kGet, "/api/v1/tokens", kViewer, kCall, kQuick, list_tokens, "API tokens"},
    Route{kPost, "/api/v1/tokens", kViewer, kCall, kQuick, create_token, "Create an API token"},
    Route{kDelete, "/api/v1/tokens/{id}", kViewer, kCall, kQuick, remove_token, "Revoke an API token"},

    // WebSockets
    Route{kGet, "/ws", kViewer, kWebSocket, kQuick, topics_socket, "Status topics"},
    Route{kGet, "/ws/acquisition/sessions/{id}", kViewer, kWebSocket, kQuick, session_socket,
          "One session live"},
    Route{kGet, "/ws/processor-status", kViewer, kWebSocket, kQuick, fleet_socket, "Fleet summary live"},
    Route{kGet, "/api/v1/device/realtime-data/ws", kViewer, kWebSocket, kQuick, realtime_socket,
          "Latest values live"},
};

}  // namespace

std::span<const Route> all_routes() {
    return kRoutes;
}

}  // namespace fieldwarden::supervisor::gateway
