// /sessions: one start-to-stop run of a task each.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "common/history/history_reader.h"
#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/store_list.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::size_t kMostPointCodes = 1000;

const std::vector<std::string_view> kSortable{"session_id", "task_id",    "task_code",   "status",
                                              "started_at", "stopped_at", "points_read", "error_count"};

bool ended(proto::SessionState state) {
    return state == proto::SessionState::kStopped || state == proto::SessionState::kCompleted ||
           state == proto::SessionState::kError;
}

// The session as it is now: what the supervisor last said, with its process; for one of the past, the store.
Json session_json(const proto::SessionStatus& row, const StatusBus& bus) {
    if (const auto event = bus.last_value(fmt::format("session.{}", row.session_id))) {
        auto json = event->data();
        if (!ended(row.status) && json["process"].is_null()) {
            if (const auto process = bus.last_value("process_status." + row.task_code))
                json["process"] = process->data();
        }
        return json;
    }
    return proto::to_json(row);
}

// A session that has just begun is on the status bus before the store has written it.
std::optional<proto::SessionStatus> announced_session(std::int64_t id, const StatusBus& bus) {
    const auto event = bus.last_value(fmt::format("session.{}", id));
    if (!event) return std::nullopt;
    proto::SessionStatus row;
    row.session_id = id;
    row.task_id = event->data().value("task_id", std::int64_t{0});
    row.task_code = event->data().value("task_code", std::string{});
    row.status =
        from_name<proto::SessionState>(event->data().value("status", std::string{})).value_or(row.status);
    if (const auto at = parse_rfc3339(event->data().value("started_at", std::string{}))) row.started_at = *at;
    if (const auto stopped = event->data().find("stopped_at");
        stopped != event->data().end() && stopped->is_string())
        if (const auto at = parse_rfc3339(stopped->get<std::string>())) row.stopped_at = *at;
    return row;
}

OrRefusal<proto::SessionStatus> session_of(const HttpRequest& request, Context& context) {
    const auto id = number_in_path(request.param("id"));
    if (!id) return missing("session", request.param("id"));
    auto row = context.services.store.session(*id);
    if (row) return std::move(*row);
    // What is known from memory is answered while the store is away.
    if (auto announced = announced_session(*id, context.services.bus)) return std::move(*announced);
    if (row.error().kind != ErrorKind::kNotFound) return problem(row.error());
    return missing("session", request.param("id"));
}

HttpResponse sessions_response(const HttpRequest& request, Context& context, SessionFilter filter) {
    const auto query = read_list_query(request, kSortable, Cursors::kTaken);
    if (!query) return query.error();
    const auto task_id = read_integer(request, "task_id", 0, INT64_MAX);
    if (!task_id) return task_id.error();
    filter.task_id = *task_id;
    if (const auto code = request.query_value("task_code")) filter.task_code = std::string(*code);
    return store_list(
        *query, {{"task_code", "status", "error_message"}, "session_id"},
        [&](PageRequest page) { return context.services.store.sessions(filter, page); },
        [&](const proto::SessionStatus& row) { return session_json(row, context.services.bus); });
}

// --- data points ---

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> parts;
    for (const auto code : split_codes(text)) parts.emplace_back(code);
    return parts;
}

OrRefusal<HistoryQuery> read_history_query(const HttpRequest& request, const proto::SessionStatus& session) {
    HistoryQuery query;
    for (const auto& [name, value] : request.query) {
        if (name != "point_code") continue;
        for (auto& code : split_list(value)) query.point_codes.push_back(std::move(code));
    }
    if (query.point_codes.size() > kMostPointCodes)
        return bad_parameter("point_code", "at most 1000 codes", "");
    const auto start = read_time(request, "start");
    if (!start) return start.error();
    const auto end = read_time(request, "end");
    if (!end) return end.error();
    // Only what this session acquired, whatever the client asks for.
    query.start = std::max(start->value_or(session.started_at), session.started_at);
    query.end = *end;
    if (session.stopped_at) {
        // The end is exclusive; a sample may bear the very time of the stop.
        const auto last = *session.stopped_at + std::chrono::milliseconds{1};
        query.end = std::min(end->value_or(last), last);
    }
    const auto limit = read_integer(request, "limit", 1, 100'000);
    if (!limit) return limit.error();
    query.limit = static_cast<std::size_t>(limit->value_or(1000));
    const auto order = request.query_value("order").value_or("asc");
    if (order != "asc" && order != "desc") return bad_parameter("order", "asc or desc", order);
    query.descending = order == "desc";

    const auto aggregate = request.query_value("agg");
    const auto interval = request.query_value("interval");
    if (!aggregate && !interval) return query;
    static constexpr std::array<std::pair<std::string_view, HistoryQuery::Aggregate>, 4> kAggregates{
        {{"avg", HistoryQuery::avg},
         {"min", HistoryQuery::min},
         {"max", HistoryQuery::max},
         {"last", HistoryQuery::last}}};
    const auto found =
        std::ranges::find(kAggregates, aggregate.value_or(""), [](const auto& each) { return each.first; });
    if (found == kAggregates.end())
        return bad_parameter("agg", "one of avg, min, max, last", aggregate.value_or(""));
    query.aggregate = found->second;
    const auto duration = parse_duration(interval.value_or(""));
    if (!duration || duration->count() <= 0) {
        return bad_parameter("interval", "a duration such as 10s, 5m or 1h", interval.value_or(""));
    }
    query.interval = *duration;
    return query;
}

// --- timeline ---

// Entries become children of their parents; an entry whose parent is not there stands at the top. Iterative,
// as a hostile or damaged chain may be long: children are moved into their parents from the last to the
// first, and an entry's parent is always older than itself.
Json timeline_tree(const std::vector<proto::LogEntry>& entries) {
    std::map<std::int64_t, std::size_t> position;
    std::vector<Json> nodes;
    for (const auto& entry : entries) {
        position.emplace(entry.id, nodes.size());
        nodes.push_back(proto::to_json(entry));
        nodes.back()["children"] = Json::array();
    }
    std::vector<Json> top;
    std::vector<std::vector<Json>> children(nodes.size());
    for (auto i = nodes.size(); i-- > 0;) {
        std::reverse(children[i].begin(), children[i].end());
        nodes[i]["children"] = std::move(children[i]);
        const auto& parent_id = entries[i].parent_log_id;
        const auto parent = parent_id ? position.find(*parent_id) : position.end();
        const bool nests = parent != position.end() && parent->second < i;
        (nests ? children[parent->second] : top).push_back(std::move(nodes[i]));
    }
    std::reverse(top.begin(), top.end());
    return top;
}

}  // namespace

HttpResponse start_session(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    // task_id is a number, or the text of one, as forms send it.
    std::optional<std::string> wanted;
    if (const auto id = body->find("task_id"); id != body->end() && id->is_string()) {
        wanted = members.text("task_id");
    } else if (const auto number = members.integer("task_id", 1, INT64_MAX)) {
        wanted = std::to_string(*number);
    }
    const auto code = members.text("task_code");
    if (!members.failed() && wanted.has_value() == code.has_value()) {
        members.add_error("task_id", "missing_value", "name the task by task_id or by task_code");
    }
    if (auto refusal = members.finish()) return std::move(*refusal);
    const auto index = context.indexes.current();
    const auto* task = index->find(Kind::kTask, code ? *code : *wanted);
    if (!task) return missing("task", code ? *code : *wanted);
    const auto results =
        context.services.control.act(TaskAction::kStart, {std::string{task->code()}}, actor_of(request));
    if (results.size() != 1) return problem(500, "the supervisor did not answer for the task");
    return action_response(results.front());
}

HttpResponse act_on_session(TaskAction action, const HttpRequest& request, Context& context) {
    const auto id = number_in_path(request.param("id"));
    if (!id) return missing("session", request.param("id"));
    const auto result = context.services.control.act_on_session(action, *id, actor_of(request));
    return result ? action_response(*result) : problem(result.error());
}

HttpResponse list_sessions(const HttpRequest& request, Context& context) {
    const auto active = read_flag(request, "active");
    if (!active) return active.error();
    SessionFilter filter;
    filter.active_only = active->value_or(false);
    return sessions_response(request, context, filter);
}

HttpResponse list_active_sessions(const HttpRequest& request, Context& context) {
    SessionFilter filter;
    filter.active_only = true;
    return sessions_response(request, context, filter);
}

HttpResponse show_session(const HttpRequest& request, Context& context) {
    const auto session = session_of(request, context);
    if (!session) return session.error();
    return json_response(session_json(*session, context.services.bus));
}

HttpResponse session_data_points(const HttpRequest& request, Context& context) {
    const auto session = session_of(request, context);
    if (!session) return session.error();
    const auto query = read_history_query(request, *session);
    if (!query) return query.error();
    Json items = Json::array();
    if (!query->end || *query->start < *query->end) {
        const auto points =
            query_history(context.services.settings.server.data_dir, session->task_code, *query);
        if (!points) return problem(points.error());
        for (const auto& point : *points) items.push_back(proto::point_json(point.point_code, point.sample));
    }
    return json_response({{"items", std::move(items)}});
}

HttpResponse session_timeline(const HttpRequest& request, Context& context) {
    const auto session = session_of(request, context);
    if (!session) return session.error();
    const auto entries = context.services.store.timeline(session->session_id);
    if (!entries) return problem(entries.error());
    return json_response({{"items", timeline_tree(*entries)}});
}

HttpResponse session_socket(const HttpRequest& request, Context& context) {
    const auto session = session_of(request, context);
    if (!session) return session.error();
    const auto batch = read_flag(request, "batch");
    if (!batch) return batch.error();
    auto& services = context.services;
    const auto session_topic = fmt::format("session.{}", session->session_id);
    const auto data_topic = "data." + session->task_code;

    StreamPlan plan;
    // Everything after this moment comes from the journal and the bus; what is now, from here.
    plan.resume_after = services.bus.last_seq();
    plan.topics = {session_topic};
    const auto envelope = [&](std::string_view type, const Json& data) {
        return dump({{"v", 1},
                     {"seq", *plan.resume_after},
                     {"ts", format_rfc3339(services.clock.utc_now())},
                     {"type", type},
                     {"data", data}});
    };
    plan.first.push_back(
        {"", *plan.resume_after, envelope("session_status_update", session_json(*session, services.bus))});
    if (!ended(session->status)) {
        plan.topics.push_back(data_topic);
        const auto index = context.indexes.current();
        if (const auto points = index->points_of_task(session->task_code)) {
            Json current = Json::array();
            for (const auto* point : **points) {
                const auto sample = services.live.get(point_id(*point));
                if (!sample) continue;
                auto json = proto::point_json(point->code(), *sample);
                if (!*batch || !**batch) {
                    plan.first.push_back({"", *plan.resume_after, envelope("data_point_update", json)});
                } else {
                    current.push_back(std::move(json));
                }
            }
            if (!current.empty()) {
                plan.first.push_back({"", *plan.resume_after,
                                      envelope("data_point_update", {{"points", std::move(current)}})});
            }
        }
    }
    plan.render = [batch = batch->value_or(false), session_topic, data_topic](const Event& event) {
        std::vector<StreamMessage> messages;
        // A topic is a prefix: session.1 also receives the events of session.10.
        if (event.topic == session_topic || (event.topic == data_topic && batch)) {
            messages.push_back({event.type, event.seq, event.envelope()});
        } else if (event.topic == data_topic) {
            const auto points = event.data().find("points");
            if (points == event.data().end()) return messages;
            for (const auto& point : *points) {
                messages.push_back({event.type, event.seq,
                                    dump({{"v", 1},
                                          {"seq", event.seq},
                                          {"ts", format_rfc3339(event.time)},
                                          {"type", event.type},
                                          {"data", point}})});
            }
        }
        return messages;
    };
    HttpResponse response;
    response.stream = std::move(plan);
    return response;
}

}  // namespace fieldwarden::supervisor::gateway
