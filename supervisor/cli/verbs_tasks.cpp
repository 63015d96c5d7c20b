// status, sessions, timeline, health, codes, start/stop/pause/resume/restart.
#include <fmt/format.h>

#include <set>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/fleet_table.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

void print_table(const Session& session, const Table& table) {
    fmt::print("{}", table.render(table_width(), session.colour));
}

// A text that may take several lines on a terminal, each indented.
void print_wrapped(const std::string& text) {
    constexpr std::size_t kIndent = 2;
    const auto width = table_width();
    const auto lines = width && *width > 2 * kIndent ? wrapped(printable(text), *width - kIndent)
                                                     : std::vector<std::string>{printable(text)};
    for (const auto& line : lines) fmt::print("{:{}}{}\n", "", kIndent, line);
}

int show_one_task(Session& session, const std::string& task) {
    const auto code = ApiClient::escaped(task);
    const auto process = session.api.get("/processes/" + code);
    if (!process) return fail(process.error());
    const auto progress = session.api.get(fmt::format("/tasks/{}/progress", code));
    // A task that does not run may have no progress to tell; only a lost connection ends here.
    if (!progress && progress.error().kind == ErrorKind::kUnavailable) return fail(progress.error());
    if (session.common.json) {
        return print_json({{"process", *process}, {"progress", progress ? *progress : Json(nullptr)}});
    }
    print_table(session, process_table({*process}));
    Table devices{{{.title = "DEVICE", .shrinks = true, .narrowest = 16},
                   {.title = "ADDRESS", .shrinks = true, .narrowest = 16, .leaves = 1},
                   {.title = "CONNECTION"},
                   {.title = "ms", .right = true, .leaves = 2},
                   {.title = "ERRORS", .right = true},
                   {.title = "LAST ERROR", .shrinks = true, .narrowest = 16}}};
    for (const auto& connection : items_of(member(*process, "connections"))) {
        const bool connected = flag_of(connection, "is_connected");
        const auto response = member(connection, "response_time_ms");
        devices.add(
            {{text_of(connection, "device_code")},
             {fmt::format("{}:{}", text_of(connection, "device_ip"), text_of(connection, "device_port"))},
             {connected ? "connected" : "disconnected", connected ? Style::kGood : Style::kBad},
             {response.is_number() ? fmt::format("{:.1f}", response.get<double>()) : ""},
             {text_of(connection, "connection_errors")},
             {text_of(connection, "last_error")}});
    }
    if (!devices.empty()) {
        fmt::print("\n");
        print_table(session, devices);
    }
    Table units{{{.title = "DEVICE", .shrinks = true, .narrowest = 16},
                 {.title = "STATUS"},
                 {.title = "POINTS OK", .right = true},
                 {.title = "OF", .right = true},
                 {.title = "LAST ERROR", .shrinks = true, .narrowest = 16}}};
    for (const auto& unit : progress ? items_of(member(*progress, "units")) : std::vector<Json>{}) {
        const auto status = text_of(unit, "status");
        units.add({{text_of(unit, "device_code")},
                   {status, style_of_health(status)},
                   {text_of(unit, "points_ok")},
                   {text_of(unit, "points_total")},
                   {text_of(unit, "last_error")}});
    }
    if (!units.empty()) {
        fmt::print("\ncycle {}, {:.0f} points/s\n", text_of(*progress, "cycle"),
                   number_of(*progress, "points_per_second"));
        print_table(session, units);
    }
    // What a narrow terminal has cut off is what one asks for when something is wrong.
    if (devices.cuts(table_width()) || units.cuts(table_width())) {
        for (const auto& connection : items_of(member(*process, "connections"))) {
            const auto error = text_of(connection, "last_error");
            if (error.empty()) continue;
            fmt::print("\n{}\n", printable(text_of(connection, "device_code")));
            print_wrapped(error);
        }
    }
    return kExitDone;
}

std::string timeline_line(const Json& entry, bool colour) {
    const auto level = text_of(entry, "level");
    auto line = local_time(text_of(entry, "timestamp"));
    if (const auto type = text_of(entry, "log_type"); !type.empty()) line += "  " + type;
    line += "  " + text_of(entry, "message");
    if (const auto& retry = member(entry, "retry_context"); retry.is_object()) {
        line += fmt::format("  (attempt {} of {}, waits {:.1f} s)", text_of(retry, "attempt_number"),
                            text_of(retry, "max_attempts"), number_of(retry, "delay_seconds"));
    }
    if (const auto exception = text_of(entry, "exception_info"); !exception.empty()) line += "  " + exception;
    return styled(printable(line), style_of_level(level), colour);
}

void print_tree(const Json& entries, const std::string& indent, bool colour, int depth) {
    constexpr int kDeepest = 32;
    const auto items = items_of(entries);
    for (std::size_t i = 0; i < items.size(); ++i) {
        const bool last = i + 1 == items.size();
        const bool root = depth == 0;
        fmt::print("{}{}{}\n", indent, root ? "" : last ? "└─ " : "├─ ", timeline_line(items[i], colour));
        if (depth < kDeepest) {
            print_tree(member(items[i], "children"),
                       indent + (root   ? ""
                                 : last ? "   "
                                        : "│  "),
                       colour, depth + 1);
        }
    }
}

}  // namespace

int show_status(Session& session, const std::optional<std::string>& task) {
    if (task) return show_one_task(session, *task);
    const auto processes = session.api.get_all("/processes");
    if (!processes) return fail(processes.error());
    if (session.common.json) return print_json({{"items", *processes}});
    if (processes->empty()) {
        fmt::print("No tasks yet. Import a workbook: fieldwarden import plant.xlsx --apply\n");
        return kExitDone;
    }
    print_table(session, process_table(*processes));
    return kExitDone;
}

int show_sessions(Session& session, const std::optional<std::string>& task, unsigned limit) {
    auto path = fmt::format("/sessions?page_size={}", limit);
    if (task) path += "&task_code=" + ApiClient::escaped(*task);
    const auto answer = session.api.get(path);
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    Table table{{{.title = "SESSION", .right = true},
                 {.title = "TASK", .shrinks = true, .narrowest = 16},
                 {.title = "STATUS"},
                 {.title = "STARTED"},
                 {.title = "STOPPED", .leaves = 4},
                 {.title = "READ", .right = true, .leaves = 2},
                 {.title = "DELIVERED", .right = true},
                 {.title = "GOOD %", .right = true, .leaves = 1},
                 {.title = "ERRORS", .right = true, .leaves = 3},
                 {.title = "ERROR", .shrinks = true, .narrowest = 12}}};
    for (const auto& row : items_of(*answer)) {
        const auto status = text_of(row, "status");
        const Style style = status == "running" ? Style::kGood
                            : status == "error" ? Style::kBad
                                                : Style::kPlain;
        table.add({{text_of(row, "session_id")},
                   {text_of(row, "task_code")},
                   {status, style},
                   {local_time(text_of(row, "started_at"))},
                   {local_time(text_of(row, "stopped_at"))},
                   {text_of(row, "points_read")},
                   {text_of(row, "points_delivered")},
                   {fmt::format("{:.1f}", number_of(row, "success_rate"))},
                   {text_of(row, "error_count")},
                   {text_of(row, "error_message")}});
    }
    if (table.empty()) {
        fmt::print("No session yet. Start a task: fieldwarden start TASK\n");
    } else {
        print_table(session, table);
    }
    return kExitDone;
}

int show_timeline(Session& session, std::int64_t id) {
    const auto answer = session.api.get(fmt::format("/sessions/{}/timeline", id));
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    print_tree(member(*answer, "items"), "", session.colour, 0);
    return kExitDone;
}

int show_health(Session& session) {
    const auto health = session.api.get("/health");
    if (!health) return fail(health.error());
    if (session.common.json) return print_json(*health);
    const auto overall = text_of(*health, "overall_status");
    fmt::print("{}   {} processes: {} healthy, {} warning, {} critical\n",
               styled(printable(overall), style_of_health(overall), session.colour),
               text_of(*health, "total_processes"), text_of(*health, "healthy_processes"),
               text_of(*health, "warning_processes"), text_of(*health, "critical_processes"));
    fmt::print("checked {}\n", local_time(text_of(*health, "last_check_time")));
    for (const auto& issue : items_of(member(*health, "issues"))) print_wrapped(text_of(issue));
    return kExitDone;
}

int print_codes(Session& session, const std::string& kind) {
    const bool groups = kind == "groups";
    const auto items = session.api.get_all(groups ? "/tasks" : "/" + kind);
    if (!items) return fail(items.error());
    // task_code, device_code, …; a group is what tasks name.
    const auto name = groups            ? "group"
                      : kind == "users" ? "username"
                                        : kind.substr(0, kind.size() - 1) + "_code";
    std::set<std::string> codes;
    for (const auto& item : *items) {
        if (auto code = printable(text_of(item, name)); !code.empty()) codes.insert(std::move(code));
    }
    if (session.common.json) return print_json(Json(codes));
    for (const auto& code : codes) fmt::print("{}\n", code);
    return kExitDone;
}

int act_on_tasks(Session& session, const ActionArguments& arguments) {
    Json body{{"action", arguments.action}};
    if (arguments.all) {
        body["all"] = true;
    } else if (!arguments.group.empty()) {
        body["group"] = arguments.group;
    } else {
        body["task_codes"] = arguments.tasks;
    }
    const auto answer = session.api.post("/tasks/actions", body, arguments.action);
    if (!answer) return fail(answer.error());
    const auto results = items_of(*answer);
    bool failed = false;
    Table table{{{.title = "TASK", .shrinks = true, .narrowest = 24},
                 {.title = "STATUS"},
                 {.title = "SESSION", .right = true},
                 {.title = "PROBLEM", .shrinks = true, .narrowest = 16}}};
    for (const auto& result : results) {
        const auto problem = problem_of(result);
        failed = failed || !problem.empty();
        table.add({{text_of(result, "task_code")},
                   {problem.empty() ? text_of(result, "status") : "refused",
                    problem.empty() ? Style::kGood : Style::kBad},
                   {text_of(result, "session_id")},
                   {problem}});
    }
    if (session.common.json) {
        print_json(*answer);
    } else if (table.empty()) {
        fmt::print("No task matches; nothing was done.\n");
    } else {
        print_table(session, table);
    }
    return failed ? kExitFailed : kExitDone;
}

}  // namespace fieldwarden::supervisor::cli
