// logs: searched, and followed as they come.
#include <fmt/format.h>
#include <regex.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <utility>

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

// A moment, or how long ago it was.
Result<std::optional<UtcTime>> parse_moment(const char* option, const std::string& text) {
    if (text.empty()) return std::optional<UtcTime>{};
    if (const auto back = parse_duration(text)) return std::optional{system_clock().utc_now() - *back};
    const auto time = parse_rfc3339(text);
    if (!time) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("{} '{}': write a duration (10m, 2h) or a time such as "
                                      "2026-11-22T13:40:00Z",
                                      option, text));
    }
    return std::optional{*time};
}

struct LogFilter {
    proto::LogLevel least = proto::LogLevel::kDebug;
    std::optional<UtcTime> since;
    std::optional<UtcTime> until;
    Pattern pattern;

    [[nodiscard]] bool passes(const Json& entry) const {
        if (from_name<proto::LogLevel>(text_of(entry, "level")).value_or(proto::LogLevel::kInfo) < least)
            return false;
        if (since) {
            const auto time = parse_rfc3339(text_of(entry, "timestamp"));
            if (time && *time < *since) return false;
        }
        if (until) {
            const auto time = parse_rfc3339(text_of(entry, "timestamp"));
            if (time && *time > *until) return false;
        }
        return pattern.matches(text_of(entry, "message")) ||
               pattern.matches(text_of(entry, "exception_info"));
    }
};

void print_entry(const Session& session, const Json& entry, bool with_task = false) {
    if (session.common.json) {
        fmt::print("{}\n", dumped(entry));
        return;
    }
    const auto level = text_of(entry, "level");
    auto line = fmt::format("{}  {:<8}", local_time(text_of(entry, "timestamp")), level);
    if (const auto type = text_of(entry, "log_type"); !type.empty()) line += fmt::format("  {}", type);
    if (with_task) line += "  " + text_of(entry, "process_name");
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

using Ids = std::set<std::int64_t>;

std::int64_t id_of(const Json& entry) {
    return static_cast<std::int64_t>(number_of(entry, "id"));
}

// The newest `limit` entries that pass, oldest first. Goes back page by page as long as the pattern, which
// the supervisor does not know, leaves too few.
Result<std::vector<Json>> find_entries(Session& session, const std::string& path, const LogFilter& filter,
                                       std::size_t limit) {
    constexpr int kMostPages = 200;
    std::vector<Json> newest_first;
    std::string before;
    for (int page = 0; page < kMostPages && newest_first.size() < limit; ++page) {
        const auto answer = session.api.get(
            before.empty() ? path : path + "&before=" + ApiClient::escaped(before), "searching");
        if (!answer) return answer.error();
        const auto items = items_of(*answer);
        for (auto entry = items.rbegin(); entry != items.rend() && newest_first.size() < limit; ++entry) {
            if (filter.passes(*entry)) newest_first.push_back(*entry);
        }
        before = text_of(*answer, "before");
        if (before.empty()) break;
    }
    std::ranges::reverse(newest_first);
    return newest_first;
}

// Prints the task's log entries as they come; reconnects where it left off when the connection is lost.
int follow_task(Session& session, const std::string& code, const std::string& path, const LogFilter& filter,
                Ids printed, const std::string& newest) {
    constexpr BackoffPolicy kReconnect{
        .first = milliseconds{500}, .longest = milliseconds{5000}, .jitter = 0};
    SseReader reader;
    const auto print_new = [&](const Json& entry) {
        const auto id = id_of(entry);
        if (!entry.is_object() || (id != 0 && printed.contains(id)) || !filter.passes(entry)) return;
        print_entry(session, entry);
        std::fflush(stdout);
    };
    const auto on_event = [&](const ServerEvent& event) {
        if (event.name == "log" || event.name == "log_stream") print_new(event_data(event.data));
        return true;
    };
    // What was logged between the list and the first sign of the stream.
    auto second = open_session(session.common);
    bool caught_up = false;
    const auto catch_up = [&] {
        if (std::exchange(caught_up, true) || newest.empty()) return;
        const auto missed = second.api.get(path + "&since=" + ApiClient::escaped(newest));
        if (!missed) return;
        for (const auto& entry : items_of(*missed)) {
            print_new(entry);
            printed.insert(id_of(entry));
        }
    };
    for (unsigned attempt = 0;;) {
        std::vector<std::string> headers;
        if (!reader.last_id().empty()) headers.push_back("Last-Event-ID: " + reader.last_id());
        const auto ended =
            session.api.stream(fmt::format("/tasks/{}/stream", code), headers, [&](std::string_view bytes) {
                attempt = 0;
                catch_up();
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

// The supervisor's log and that of all tasks have no stream: asked again and again.
int follow_by_asking(Session& session, const std::string& path, const LogFilter& filter, bool with_task,
                     Ids printed, std::string newest) {
    constexpr std::size_t kMostRemembered = 100'000;
    while (true) {
        std::this_thread::sleep_for(std::chrono::seconds{1});
        const auto answer =
            session.api.get(newest.empty() ? path : path + "&since=" + ApiClient::escaped(newest));
        if (!answer && answer.error().kind != ErrorKind::kUnavailable) return fail(answer.error());
        if (!answer) continue;
        for (const auto& entry : items_of(*answer)) {
            newest = std::max(newest, text_of(entry, "timestamp"));
            if (printed.insert(id_of(entry)).second && filter.passes(entry))
                print_entry(session, entry, with_task);
        }
        if (printed.size() > kMostRemembered) printed.clear();
        std::fflush(stdout);
    }
}

}  // namespace

int show_logs(Session& session, const LogArguments& arguments) {
    const auto wrong = [](const Error& error) {
        fail(error);
        return kExitUsage;
    };
    auto pattern = Pattern::compile(arguments.grep);
    if (!pattern) return wrong(pattern.error());
    const auto since = parse_moment("--since", arguments.since);
    if (!since) return wrong(since.error());
    const auto until = parse_moment("--until", arguments.until);
    if (!until) return wrong(until.error());
    const LogFilter filter{from_name<proto::LogLevel>(arguments.level).value_or(proto::LogLevel::kDebug),
                           *since, *until, std::move(*pattern)};

    const auto code = ApiClient::escaped(arguments.task);
    const bool all = arguments.all;
    const auto limit = arguments.grep.empty() ? arguments.limit : std::max(arguments.limit, 1'000U);
    auto path = !arguments.task.empty() ? fmt::format("/tasks/{}/logs?limit={}", code, limit)
                                        : fmt::format("/logs?task={}&limit={}", all ? "*" : "", limit);
    if (!arguments.level.empty()) path += "&level=" + arguments.level;
    const auto live_path = path;
    if (*since) path += "&since=" + ApiClient::escaped(format_rfc3339(**since));
    if (*until) path += "&until=" + ApiClient::escaped(format_rfc3339(**until));
    const auto found = find_entries(session, path, filter, arguments.limit);
    if (!found) return fail(found.error());
    if (session.common.json && !arguments.follow) return print_json({{"items", *found}});
    Ids printed;
    std::string newest;
    for (const auto& entry : *found) {
        print_entry(session, entry, all);
        printed.insert(id_of(entry));
        newest = std::max(newest, text_of(entry, "timestamp"));
    }
    std::fflush(stdout);
    if (!arguments.follow) return kExitDone;
    if (!arguments.task.empty())
        return follow_task(session, code, live_path, filter, std::move(printed), newest);
    return follow_by_asking(session, live_path, filter, all, std::move(printed), newest);
}

}  // namespace fieldwarden::supervisor::cli
