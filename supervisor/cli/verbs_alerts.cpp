// alerts: what fires, what fired, and acknowledging it.
#include <fmt/format.h>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

Style style_of_severity(const std::string& severity) {
    if (severity == "critical") return Style::kBad;
    return severity == "warning" ? Style::kWarning : Style::kPlain;
}

Table alert_table(const std::vector<Json>& alerts) {
    Table table{{{.title = "ID", .right = true},
                 {.title = "SEVERITY"},
                 {.title = "STATE", .leaves = 1},
                 {.title = "TASK", .shrinks = true, .narrowest = 12},
                 {.title = "DEVICE", .shrinks = true, .narrowest = 12, .leaves = 2},
                 {.title = "POINT", .shrinks = true, .narrowest = 12, .leaves = 3},
                 {.title = "SINCE"},
                 {.title = "COUNT", .right = true, .leaves = 4},
                 {.title = "MESSAGE", .shrinks = true, .narrowest = 20}}};
    for (const auto& alert : alerts) {
        const auto severity = text_of(alert, "severity");
        const auto state = text_of(alert, "state");
        table.add({{text_of(alert, "id")},
                   {severity, state == "resolved" ? Style::kDim : style_of_severity(severity)},
                   {state, state == "firing" ? Style::kBold : Style::kDim},
                   {text_of(alert, "process_name")},
                   {text_of(alert, "device_code")},
                   {text_of(alert, "point_code")},
                   {local_time(text_of(alert, "first_at"))},
                   {text_of(alert, "count")},
                   {text_of(alert, "message")}});
    }
    return table;
}

}  // namespace

int show_alerts(Session& session, const AlertArguments& arguments) {
    auto path = fmt::format("/alerts?page_size={}", arguments.limit);
    if (arguments.state != "all") path += "&state=" + arguments.state;
    if (!arguments.severity.empty()) path += "&severity=" + arguments.severity;
    if (!arguments.task.empty()) path += "&task_code=" + ApiClient::escaped(arguments.task);
    const auto answer = session.api.get(path);
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    const auto alerts = items_of(*answer);
    if (alerts.empty()) {
        fmt::print("{}\n", arguments.state == "open" ? "No alert is open." : "No such alert.");
        return kExitDone;
    }
    fmt::print("{}", alert_table(alerts).render(table_width(), session.colour));
    const auto total = number_of(*answer, "total");
    if (total > static_cast<double>(alerts.size())) {
        fmt::print("{} of {:.0f}; --limit shows more\n", alerts.size(), total);
    }
    return kExitDone;
}

int acknowledge_alerts(Session& session, const AlertArguments& arguments) {
    Json body = Json::object();
    if (!arguments.note.empty()) body["note"] = arguments.note;
    std::vector<Json> done;
    int result = kExitDone;
    for (const auto id : arguments.ids) {
        const auto answer = session.api.post(fmt::format("/alerts/{}/ack", id), body);
        if (answer) {
            done.push_back(*answer);
        } else if (const int code = fail(answer.error()); result == kExitDone) {
            result = code;
        }
    }
    if (session.common.json) {
        print_json({{"items", done}});
    } else if (!done.empty()) {
        fmt::print("{}", alert_table(done).render(table_width(), session.colour));
    }
    return result;
}

}  // namespace fieldwarden::supervisor::cli
