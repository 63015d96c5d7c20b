#include "supervisor/cli/fleet_table.h"

#include <fmt/format.h>

namespace fieldwarden::supervisor::cli {

Style style_of_process(const std::string& status) {
    if (status == "RUNNING") return Style::kGood;
    if (status == "CRASHED" || status == "BACKOFF") return Style::kBad;
    if (status == "STOPPED") return Style::kDim;
    return Style::kWarning;
}

Style style_of_health(const std::string& status) {
    if (status == "healthy" || status == "good" || status == "connected") return Style::kGood;
    if (status == "critical" || status == "bad" || status == "disconnected") return Style::kBad;
    return status.empty() ? Style::kPlain : Style::kWarning;
}

Style style_of_level(const std::string& level) {
    if (level == "error" || level == "critical") return Style::kBad;
    if (level == "warning") return Style::kWarning;
    return level == "debug" ? Style::kDim : Style::kPlain;
}

Table process_table(const std::vector<Json>& processes) {
    // On 80 columns what tells whether the task does its job stays.
    Table table{{{.title = "TASK", .shrinks = true, .narrowest = 16},
                 {.title = "STATE"},
                 {.title = "HEALTH", .right = true, .leaves = 2},
                 {.title = "DEVICES"},
                 {.title = "POINTS/S", .right = true},
                 {.title = "CPU %", .right = true, .leaves = 4},
                 {.title = "MB", .right = true, .leaves = 3},
                 {.title = "PID", .right = true, .leaves = 6},
                 {.title = "UPTIME", .right = true, .leaves = 5},
                 {.title = "RESTARTS", .right = true, .leaves = 1},
                 {.title = "LAST ERROR", .shrinks = true, .narrowest = 16}}};
    for (const auto& process : processes) {
        const auto status = text_of(process, "status");
        const auto connection = text_of(process, "connection_status");
        const auto score = number_of(process, "health_score");
        const bool alive = !member(process, "pid").is_null();
        const auto when_alive = [&](std::string text) { return alive ? std::move(text) : std::string{"-"}; };
        table.add({{text_of(process, "name")},
                   {status, style_of_process(status)},
                   {when_alive(fmt::format("{:.0f}", score)), score >= 80   ? Style::kGood
                                                              : score >= 50 ? Style::kWarning
                                                                            : Style::kBad},
                   {when_alive(connection), style_of_health(connection)},
                   {when_alive(short_number(number_of(process, "data_collection_rate")))},
                   {when_alive(fmt::format("{:.1f}", number_of(process, "cpu_percent")))},
                   {when_alive(fmt::format("{:.1f}", number_of(process, "memory_mb")))},
                   {when_alive(text_of(process, "pid"))},
                   {when_alive(short_span(number_of(process, "uptime_seconds")))},
                   {text_of(process, "restart_count")},
                   {text_of(process, "last_error"), Style::kBad}});
    }
    return table;
}

}  // namespace fieldwarden::supervisor::cli
