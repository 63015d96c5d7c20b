// points, once or followed.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <thread>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/fleet_table.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

Style style_of_quality(const std::string& quality) {
    return quality == "good" ? Style::kPlain : style_of_health(quality);
}

Table point_table(const std::vector<Json>& points) {
    Table table{{{.title = "POINT", .shrinks = true, .narrowest = 16},
                 {.title = "DEVICE", .shrinks = true, .narrowest = 12, .leaves = 1},
                 {.title = "VALUE", .right = true, .shrinks = true, .narrowest = 12},
                 {.title = "UNIT", .shrinks = true},
                 {.title = "QUALITY", .shrinks = true, .narrowest = 12},
                 {.title = "TIME"},
                 {.title = "NAME", .shrinks = true, .narrowest = 12, .leaves = 2}}};
    for (const auto& point : points) {
        const auto quality = text_of(point, "quality");
        const auto code = text_of(point, "quality_code");
        const Style style = style_of_quality(quality);
        table.add({{text_of(point, "point_code")},
                   {text_of(point, "device_code")},
                   {cut_to_width(text_of(point, "value"), 32), style},
                   {text_of(point, "unit")},
                   {code.empty() ? quality : fmt::format("{} ({})", quality, code), style},
                   {local_time(text_of(point, "timestamp"))},
                   {text_of(point, "point_name")}});
    }
    return table;
}

// What changed since the last look, one line per point.
void print_changes(const Session& session, const std::vector<Json>& points,
                   std::map<std::string, std::string>& seen) {
    for (const auto& point : points) {
        const auto code = text_of(point, "point_code");
        auto state = text_of(point, "timestamp") + text_of(point, "value") + text_of(point, "quality");
        auto& last = seen[code];
        if (last == state) continue;
        last = std::move(state);
        if (session.common.json) {
            fmt::print("{}\n", dumped(point));
        } else {
            const auto quality = text_of(point, "quality");
            fmt::print("{}\n", styled(printable(fmt::format("{}  {}  {} {}  {} {}",
                                                            local_time(text_of(point, "timestamp")), code,
                                                            text_of(point, "value"), text_of(point, "unit"),
                                                            quality, text_of(point, "quality_code"))),
                                      style_of_quality(quality), session.colour));
        }
    }
    std::fflush(stdout);
}

}  // namespace

int show_points(Session& session, const std::string& task, bool follow) {
    const auto path = fmt::format("/tasks/{}/points", ApiClient::escaped(task));
    std::map<std::string, std::string> seen;
    while (true) {
        const auto points = session.api.get_all(path);
        if (!points) return fail(points.error());
        if (follow) {
            print_changes(session, *points, seen);
            std::this_thread::sleep_for(std::chrono::seconds{1});
            continue;
        }
        if (session.common.json) return print_json({{"items", *points}});
        fmt::print("{}", point_table(*points).render(table_width(), session.colour));
        return kExitDone;
    }
}

}  // namespace fieldwarden::supervisor::cli
