// test-connection, test-storage, write, browse, diagnostics.
#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <cstdio>
#include <functional>
#include <memory>
#include <set>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

int run_probe(Session& session, const std::string& path, const std::string& name, const std::string& code) {
    const auto answer = session.api.post(path, Json{{name, code}}, "testing " + printable(code));
    if (!answer) return fail(answer.error());
    const bool fine = flag_of(*answer, "ok");
    if (session.common.json) {
        print_json(*answer);
    } else {
        const auto category = text_of(*answer, "error_category");
        fmt::print("{}  {}  {:.1f} ms  {}{}\n", printable(code),
                   styled(fine ? "ok" : "failed", fine ? Style::kGood : Style::kBad, session.colour),
                   number_of(*answer, "latency_ms"), printable(text_of(*answer, "detail")),
                   category.empty() ? "" : fmt::format("  [{}]", printable(category)));
    }
    return fine ? kExitDone : kExitFailed;
}

namespace {

// What was typed, as the JSON the API takes: a number or true/false as such, everything else as text.
Json value_typed(const std::string& text) {
    const auto parsed = Json::parse(text, nullptr, false);
    return parsed.is_number() || parsed.is_boolean() || parsed.is_string() ? parsed : Json(text);
}

}  // namespace

int write_point(Session& session, const std::string& point, const std::string& value) {
    const auto answer = session.api.post("/points/" + ApiClient::escaped(point) + "/write",
                                         Json{{"value", value_typed(value)}}, "writing " + printable(point));
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    const bool confirmed = flag_of(*answer, "confirmed");
    const auto& back = member(*answer, "read_back");
    fmt::print("{}  {}  reads back {} ({}){}\n", printable(point),
               styled(confirmed ? "written" : "not confirmed", confirmed ? Style::kGood : Style::kWarning,
                      session.colour),
               printable(text_of(back, "value")), text_of(back, "quality"),
               confirmed ? "" : "; the device took the value and does not hold it");
    return confirmed ? kExitDone : kExitFailed;
}

namespace {

constexpr std::size_t kMostBrowsed = 20'000;

// As the points sheet takes it (RFC 4180).
std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string{"\"\""} : std::string(1, c);
    return quoted + '"';
}

// Letters, digits and what else a code may hold; of a node called "Temp. 1", "BOILER_Temp__1".
std::string code_for(const std::string& device, const std::string& name) {
    std::string code = device + "_" + name;
    for (auto& c : code) {
        if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-' && (c & 0x80) == 0)
            c = '_';
    }
    return code;
}

struct Found {
    Json node;
    std::size_t depth = 0;
};

// The tree below `from`, parents before their children. Nodes are visited once: address spaces have cycles.
Result<std::vector<Found>> browse_tree(Session& session, const BrowseArguments& arguments) {
    std::vector<Found> found;
    std::set<std::string> seen;
    // Depth first, so that what is printed reads as a tree.
    const std::function<Status(const std::string&, std::size_t)> descend = [&](const std::string& node,
                                                                               std::size_t depth) -> Status {
        auto path = "/devices/" + ApiClient::escaped(arguments.device) + "/browse";
        if (!node.empty()) path += "?node=" + ApiClient::escaped(node);
        const auto page = session.api.get(path, "browsing " + printable(arguments.device));
        if (!page) return page.error();
        for (const auto& each : member(*page, "items")) {
            if (found.size() >= kMostBrowsed) return {};
            const auto address = text_of(each, "address");
            found.push_back({each, depth});
            if (depth + 1 >= arguments.depth || !flag_of(each, "has_children")) continue;
            if (!seen.insert(address).second) continue;
            if (auto done = descend(address, depth + 1); !done) return done;
        }
        return {};
    };
    if (auto done = descend(arguments.node, 0); !done) return done.error();
    return found;
}

Status write_rows(const std::string& file, const std::string& device, const std::vector<Found>& found) {
    std::string rows = "point_code,point_name,device_code,address,data_type,access\r\n";
    for (const auto& [node, depth] : found) {
        const auto type = text_of(node, "data_type");
        if (type.empty()) continue;
        rows +=
            fmt::format("{},{},{},{},{},{}\r\n", csv_field(code_for(device, text_of(node, "name"))),
                        csv_field(text_of(node, "name")), csv_field(device),
                        csv_field(text_of(node, "address")), type, flag_of(node, "writable") ? "rw" : "r");
    }
    if (file == "-") {
        fmt::print("{}", rows);
        return {};
    }
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out{std::fopen(file.c_str(), "wb"), std::fclose};
    if (!out || std::fwrite(rows.data(), 1, rows.size(), out.get()) != rows.size()) {
        return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", file, errno_text(errno)));
    }
    return {};
}

}  // namespace

int browse(Session& session, const BrowseArguments& arguments) {
    const auto found = browse_tree(session, arguments);
    if (!found) return fail(found.error());
    if (!arguments.rows.empty()) {
        if (const auto written = write_rows(arguments.rows, arguments.device, *found); !written) {
            return fail(written.error());
        }
        if (arguments.rows != "-") {
            fmt::print("{}: rows for the points sheet; choose the ones you want and import them\n",
                       printable(arguments.rows));
        }
        return kExitDone;
    }
    if (session.common.json) {
        Json items = Json::array();
        for (const auto& each : *found) items.push_back(each.node);
        return print_json(Json{{"device_code", arguments.device}, {"items", std::move(items)}});
    }
    Table table{{{"NAME", false, true}, {"KIND"}, {"TYPE"}, {"ACCESS"}, {"ADDRESS", false, true}}};
    for (const auto& [node, depth] : *found) {
        const auto type = text_of(node, "data_type");
        table.add({{std::string(2 * depth, ' ') + text_of(node, "name")},
                   {text_of(node, "kind")},
                   {type.empty() ? text_of(node, "device_type") : type},
                   {type.empty()                ? ""
                    : flag_of(node, "writable") ? "rw"
                                                : "r"},
                   {text_of(node, "address")}});
    }
    if (table.empty()) {
        fmt::print("nothing below this node\n");
        return kExitDone;
    }
    fmt::print("{}", table.render(table_width(), session.colour));
    return kExitDone;
}

int show_diagnostics(Session& session, const std::string& device) {
    const auto answer = session.api.get("/devices/" + ApiClient::escaped(device) + "/diagnostics");
    if (!answer) return fail(answer.error());
    if (session.common.json) return print_json(*answer);
    const auto& items = member(*answer, "items");
    if (items.empty()) {
        fmt::print("{}: no task that runs acquires this device\n", printable(device));
        return kExitDone;
    }
    Table table{{{"TASK"},
                 {"REQUESTS", true},
                 {"TIMEOUTS", true},
                 {"REFUSED", true},
                 {"BROKEN", true},
                 {"LOST", true},
                 {"P50 MS", true},
                 {"P99 MS", true},
                 {"SENT", true},
                 {"RECEIVED", true},
                 {"UPDATES", true},
                 {"OVERFLOWED", true}}};
    for (const auto& each : items) {
        const auto& errors = member(each, "errors");
        const auto count = [](const Json& from, const char* name) {
            return fmt::format("{:.0f}", number_of(from, name));
        };
        table.add({{text_of(each, "task_code")},
                   {count(each, "requests")},
                   {count(errors, "timeouts")},
                   {count(errors, "exceptions")},
                   {count(errors, "broken_answers")},
                   {count(errors, "lost_connections")},
                   {fmt::format("{:.2f}", number_of(each, "response_p50_ms"))},
                   {fmt::format("{:.2f}", number_of(each, "response_p99_ms"))},
                   {count(each, "bytes_sent")},
                   {count(each, "bytes_received")},
                   {count(each, "updates")},
                   {count(each, "overflowed")}});
    }
    fmt::print("{}", table.render(table_width(), session.colour));
    for (const auto& each : items) {
        if (const auto refusal = text_of(each, "last_refusal"); !refusal.empty()) {
            fmt::print("last refusal ({}): {}\n", printable(text_of(each, "task_code")), printable(refusal));
        }
    }
    return kExitDone;
}

}  // namespace fieldwarden::supervisor::cli
