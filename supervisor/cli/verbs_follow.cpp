// logs and points, once or followed.
#include <fmt/format.h>
#include <regex.h>

#include <chrono>
#include <map>
#include <memory>
#include <thread>

#include "common/backoff.h"
#include "common/clock.h"
#include "proto/shapes.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/fleet_table.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/sse_reader.h"
#include "supervisor/cli/table.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

using std::chrono::milliseconds;

class Pattern {
  public:
    static Result<Pattern> compile(const std::string& text) {
        Pattern pattern;
        if (text.empty()) return pattern;
        auto compiled = std::make_unique<regex_t>();
        if (const int code = ::regcomp(compiled.get(), text.c_str(), REG_EXTENDED | REG_NOSUB); code != 0) {
            std::array<char, 128> why{};
            ::regerror(code, compiled.get(), why.data(), why.size());
            return make_error(ErrorKind::kInvalidArgument, fmt::format("--grep '{}': {}", text, why.data()));
        }
        pattern.compiled_.reset(compiled.release());
        return pattern;
    }
    [[nodiscard]] bool matches(const std::string& text) const {
        return !compiled_ || ::regexec(compiled_.get(), text.c_str(), 0, nullptr, 0) == 0;
    }

  private:
    struct Free {
        void operator()(regex_t* compiled) const {
            ::regfree(compiled);
            delete compiled;
        }
    };
    std::unique_ptr<regex_t, Free> compiled_;
};

Result<std::optional<UtcTime>> parse_since(const std::string& text) {
    if (text.empty()) return std::optional<UtcTime>{};
    if (const auto back = parse_duration(text)) return std::optional{system_clock().utc_now() - *back};
    const auto time = parse_rfc3339(text);
    if (!time) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("--since '{}': write a duration (10m, 2h) or a time such as "
                                      "2026-11-22T13:40:00Z",
                                      text));
    }
    return std::optional{*time};
}

struct LogFilter {
    proto::LogLevel least = proto::LogLevel::kDebug;
    std::optional<UtcTime> since;
    Pattern pattern;

    [[nodiscard]] bool passes(const Json& entry) const {
        if (from_name<proto::LogLevel>(text_of(entry, "level")).value_or(proto::LogLevel::kInfo) < least)
            return false;
        if (since) {
            const auto time = parse_rfc3339(text_of(entry, "timestamp"));
            if (time && *time < *since) return false;
        }
        return pattern.matches(text_of(entry, "message"));
    }
};

void print_entry(const Session& session, const Json& entry) {
    if (session.common.json) {
        fmt::print("{}\n", dumped(entry));
        return;
    }
    const auto level = text_of(entry, "level");
    auto line = fmt::format("{}  {:<8}", local_time(text_of(entry, "timestamp")), level);
    if (const auto type = text_of(entry, "log_type"); !type.empty()) line += fmt::format("  {}", type);
    line += "  " + text_of(entry, "message");
    if (const auto exception = text_of(entry, "exception_info"); !exception.empty()) line += "  " + exception;
    fmt::print("{}\n", styled(printable(line), style_of_level(level), session.colour));
}

// An event carries its data alone or in the status channel's envelope.
Json event_data(const std::string& text) {
    auto json = Json::parse(text, nullptr, false);
    if (json.is_object() && json.contains("seq") && json.contains("data")) return json["data"];
    return json;
}

// Prints the task's log entries as they come; reconnects where it left off when the connection is lost.
int follow_logs(Session& session, const std::string& code, const LogFilter& filter,
                std::int64_t newest_printed) {
    constexpr BackoffPolicy kReconnect{
        .first = milliseconds{500}, .longest = milliseconds{5000}, .jitter = 0};
    SseReader reader;
    const auto on_event = [&](const ServerEvent& event) {
        if (event.name != "log" && event.name != "log_stream") return true;
        const auto entry = event_data(event.data);
        const auto id = static_cast<std::int64_t>(number_of(entry, "id"));
        const bool again = id != 0 && id <= newest_printed;  // was in the list printed before
        if (entry.is_object() && !again && filter.passes(entry)) {
            print_entry(session, entry);
            std::fflush(stdout);
        }
        return true;
    };
    for (unsigned attempt = 0;;) {
        std::vector<std::string> headers;
        if (!reader.last_id().empty()) headers.push_back("Last-Event-ID: " + reader.last_id());
        const auto ended =
            session.api.stream(fmt::format("/tasks/{}/stream", code), headers, [&](std::string_view bytes) {
                attempt = 0;
                return reader.feed(bytes, on_event);
            });
        if (!ended && ended.error().kind != ErrorKind::kUnavailable) return fail(ended.error());
        reader.restart();
        const auto delay = backoff_delay(kReconnect, ++attempt, 0);
        fmt::print(stderr, "fieldwarden: the connection ended{}; trying again in {}\n",
                   ended ? "" : fmt::format(" ({})", printable(ended.error().message)),
                   format_duration(delay));
        std::this_thread::sleep_for(delay);
    }
}

Style style_of_quality(const std::string& quality) {
    return quality == "good" ? Style::kPlain : style_of_health(quality);
}

Table point_table(const std::vector<Json>& points) {
    Table table{
        {{"POINT"}, {"DEVICE"}, {"VALUE", true}, {"UNIT"}, {"QUALITY"}, {"TIME"}, {"NAME", false, true}}};
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

int show_logs(Session& session, const LogArguments& arguments) {
    auto pattern = Pattern::compile(arguments.grep);
    if (!pattern) {
        fail(pattern.error());
        return kExitUsage;
    }
    const auto since = parse_since(arguments.since);
    if (!since) {
        fail(since.error());
        return kExitUsage;
    }
    LogFilter filter{from_name<proto::LogLevel>(arguments.level).value_or(proto::LogLevel::kDebug), *since,
                     std::move(*pattern)};
    const auto code = ApiClient::escaped(arguments.task);
    auto path = fmt::format("/tasks/{}/logs?limit={}", code, arguments.limit);
    if (!arguments.level.empty()) path += "&level=" + arguments.level;
    if (*since) path += "&since=" + ApiClient::escaped(format_rfc3339(**since));
    const auto answer = session.api.get(path);
    if (!answer) return fail(answer.error());
    std::int64_t newest = 0;
    Json passed = Json::array();
    for (const auto& entry : items_of(*answer)) {
        newest = std::max(newest, static_cast<std::int64_t>(number_of(entry, "id")));
        if (filter.passes(entry)) passed.push_back(entry);
    }
    if (session.common.json && !arguments.follow) return print_json({{"items", passed}});
    for (const auto& entry : passed) print_entry(session, entry);
    std::fflush(stdout);
    return arguments.follow ? follow_logs(session, code, filter, newest) : kExitDone;
}

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
