// /tasks/{id}/…: actions, progress, logs, points and the live stream of one task.
#include <fmt/format.h>

#include <algorithm>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::size_t kMostTasksInAction = 10'000;

OrRefusal<std::string> task_code_of(const HttpRequest& request, Context& context) {
    const auto index = context.indexes.current();
    const auto* task = index->find(Kind::kTask, request.param("id"));
    if (!task) return missing("task", request.param("id"));
    return task->code();
}

Json session_or_null(const std::optional<std::int64_t>& session_id) {
    return session_id ? Json(*session_id) : Json(nullptr);
}

Json progress_json(const TaskProgress& progress) {
    Json units = Json::array();
    for (const auto& unit : progress.units) {
        units.push_back({{"device_code", unit.device_code},
                         {"status", unit.status},
                         {"points_ok", unit.points_ok},
                         {"points_total", unit.points_total},
                         {"last_error", unit.last_error},
                         {"timeouts", unit.timeouts},
                         {"period_factor", unit.period_factor}});
    }
    Json next = nullptr;
    if (progress.next_edge) {
        next = {{"action", progress.next_edge->opens ? "start" : "stop"},
                {"at", format_rfc3339(progress.next_edge->at)}};
    }
    return {{"overall_progress", progress.overall_progress},
            {"units", std::move(units)},
            {"cycle", progress.cycle},
            {"points_per_second", progress.points_per_second},
            {"eta_seconds", progress.eta_seconds ? Json(*progress.eta_seconds) : Json(nullptr)},
            {"next_schedule", std::move(next)}};
}

}  // namespace

HttpResponse action_response(const ActionResult& result) {
    if (result.error) {
        auto response = problem(*result.error);
        if (result.session_id) {
            // The problem's extension member: which session holds the task.
            auto json = Json::parse(response.body);
            json["session_id"] = *result.session_id;
            response.body = dump(json);
        }
        return response;
    }
    return json_response({{"task_id", result.task_id},
                          {"task_code", result.task_code},
                          {"session_id", session_or_null(result.session_id)},
                          {"started_at", proto::time_or_null(result.started_at)},
                          {"status", to_name(result.status)}},
                         202);
}

HttpResponse act_on_task(TaskAction action, const HttpRequest& request, Context& context) {
    const auto code = task_code_of(request, context);
    if (!code) return code.error();
    const auto results = context.services.control.act(action, {*code}, actor_of(request));
    if (results.size() != 1) return problem(500, "the supervisor did not answer for the task");
    return action_response(results.front());
}

HttpResponse act_on_tasks(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    const auto action_name = members.text("action");
    auto codes = members.texts("task_codes", kMostTasksInAction);
    const auto group = members.text("group");
    const auto all = members.flag("all");
    const auto action = action_name ? from_name<TaskAction>(*action_name) : std::nullopt;
    if (!action) members.add_error("action", "bad_value", "action is one of " + all_names<TaskAction>());
    if ((codes ? 1 : 0) + (group ? 1 : 0) + (all.value_or(false) ? 1 : 0) != 1 && !members.failed()) {
        members.add_error("task_codes", "bad_value",
                          "name the tasks by exactly one of task_codes, group and all");
    }
    if (auto refusal = members.finish()) return std::move(*refusal);

    if (!codes) {
        codes.emplace();
        const auto plant = context.services.control.plant();
        for (const auto& task : plant->of(Kind::kTask).all()) {
            if (!group || cell_of(Kind::kTask, task, "group") == *group) codes->push_back(task.code());
        }
        if (group && codes->empty()) return missing("group of tasks", *group);
    }
    Json items = Json::array();
    if (!codes->empty()) {
        for (const auto& result : context.services.control.act(*action, *codes, actor_of(request))) {
            items.push_back({{"task_id", result.task_id},
                             {"task_code", result.task_code},
                             {"session_id", session_or_null(result.session_id)},
                             {"status", to_name(result.status)},
                             {"ok", !result.error.has_value()},
                             {"error", result.error ? Json(result.error->message) : Json(nullptr)}});
        }
    }
    return json_response({{"items", std::move(items)}});
}

HttpResponse acquire_once(const HttpRequest& request, Context& context) {
    const auto code = task_code_of(request, context);
    if (!code) return code.error();
    const auto result = context.services.control.acquire_once(*code);
    if (!result) return problem(result.error());
    std::unordered_map<PointId, const Record*> by_id;
    const auto index = context.indexes.current();
    if (const auto points = index->points_of_task(*code)) {
        for (const auto* point : **points) by_id.emplace(point_id(*point), point);
    }
    Json points = Json::array();
    for (const auto& sample : result->samples) {
        const auto found = by_id.find(sample.point);
        // A point that has just been removed from the task.
        if (found == by_id.end()) continue;
        points.push_back(proto::point_json(found->second->code(), sample));
    }
    return json_response({{"points", std::move(points)}, {"duration_ms", result->duration_ms}});
}

HttpResponse task_progress(const HttpRequest& request, Context& context) {
    const auto code = task_code_of(request, context);
    if (!code) return code.error();
    const auto progress = context.services.control.progress(*code);
    if (!progress) return problem(progress.error());
    return json_response(progress_json(*progress));
}

HttpResponse task_points(const HttpRequest& request, Context& context) {
    const auto code = task_code_of(request, context);
    if (!code) return code.error();
    const auto query = read_list_query(request, {"point_code", "device_code", "point_name"});
    if (!query) return query.error();
    const auto index = context.indexes.current();
    const auto points = index->points_of_task(*code);
    if (!points) return problem(points.error());
    std::vector<PointId> ids;
    for (const auto* point : **points) ids.push_back(point_id(*point));
    const auto samples = context.services.live.get(ids);
    std::vector<Json> rows;
    rows.reserve(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) rows.push_back(live_point_json(*(**points)[i], samples[i]));
    // Every point of the task unless the client asks for pages.
    if (request.query_value("page") || request.query_value("page_size")) {
        return list_response(std::move(rows), *query, {"point_code", "point_name", "device_code"});
    }
    auto everything = *query;
    everything.page = {1, static_cast<std::uint32_t>(std::max<std::size_t>(rows.size(), 1))};
    return list_response(std::move(rows), everything, {"point_code", "point_name", "device_code"});
}

Json live_point_json(const Record& point, const std::optional<Sample>& sample) {
    Json json{{"point_code", point.code()},
              {"point_name", cell_of(Kind::kPoint, point, "point_name")},
              {"device_code", cell_of(Kind::kPoint, point, "device_code")},
              {"unit", cell_of(Kind::kPoint, point, "unit")},
              {"value", nullptr},
              {"quality", to_name(Quality::kBad)},
              {"quality_code", to_name(QualityCode::kStale)},
              {"timestamp", nullptr}};
    if (sample) {
        json["value"] = proto::to_json(sample->value);
        json["quality"] = to_name(sample->quality);
        json["quality_code"] = to_name(sample->code);
        json["timestamp"] = format_rfc3339(sample->time);
    }
    return json;
}

HttpResponse task_stream(const HttpRequest& request, Context& context) {
    const auto code = task_code_of(request, context);
    if (!code) return code.error();
    StreamPlan plan;
    plan.topics = {"process_status." + *code, "performance." + *code, "log_streams." + *code};
    plan.snapshot = true;
    if (const auto last = request.header("last-event-id"); !last.empty()) {
        const auto seq = number_in_path(std::string(last));
        if (!seq || *seq < 0) return problem(400, "Last-Event-ID is the number of an event of this stream");
        plan.resume_after = static_cast<std::uint64_t>(*seq);
    }
    // Progress is asked for when its turn to be sent comes, so a slow client never waits for an old one.
    plan.render_blocks = true;
    plan.render = [code = *code, &control = context.services.control](const Event& event) {
        std::vector<StreamMessage> messages;
        const auto dot = event.topic.find('.');
        // A topic is a prefix: T1 also receives the events of T10.
        if (event.topic.substr(dot + 1) != code) return messages;
        const auto channel = event.topic.substr(0, dot);
        if (channel == "process_status") messages.push_back({"status", event.seq, dump(event.data)});
        if (channel == "log_streams") messages.push_back({"log", event.seq, dump(event.data)});
        if (channel == "performance") {
            if (const auto progress = control.progress(code)) {
                messages.push_back({"progress", event.seq, dump(progress_json(*progress))});
            }
        }
        return messages;
    };
    HttpResponse response;
    response.stream = std::move(plan);
    return response;
}

}  // namespace fieldwarden::supervisor::gateway
