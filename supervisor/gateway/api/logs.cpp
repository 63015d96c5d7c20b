// /tasks/{id}/logs and /logs: searching what was logged.
#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

template <class E>
OrRefusal<std::optional<E>> read_name(const HttpRequest& request, std::string_view parameter) {
    const auto text = request.query_value(parameter);
    if (!text) return std::optional<E>{};
    const auto value = from_name<E>(*text);
    if (!value) return bad_parameter(parameter, "one of " + all_names<E>(), *text);
    return value;
}

OrRefusal<LogQuery> read_log_query(const HttpRequest& request) {
    LogQuery query;
    const auto limit = read_integer(request, "limit", 1, 10'000);
    if (!limit) return limit.error();
    query.limit = static_cast<std::size_t>(limit->value_or(200));
    const auto level = read_name<proto::LogLevel>(request, "level");
    if (!level) return level.error();
    query.least = *level;
    const auto type = read_name<proto::LogType>(request, "log_type");
    if (!type) return type.error();
    query.type = *type;
    const auto phase = read_name<proto::ExecutionPhase>(request, "execution_phase");
    if (!phase) return phase.error();
    query.phase = *phase;
    const auto since = read_time(request, "since");
    if (!since) return since.error();
    query.since = *since;
    const auto until = read_time(request, "until");
    if (!until) return until.error();
    query.until = *until;
    query.q = request.query_value("q").value_or("");
    query.before = request.query_value("before").value_or("");
    return query;
}

HttpResponse page_of(const LogPage& page) {
    Json items = Json::array();
    for (const auto& hit : page.hits) items.push_back(proto::to_json(hit.entry));
    return json_response({{"items", std::move(items)},
                          {"before", page.before ? Json(*page.before) : Json(nullptr)},
                          {"complete", page.complete},
                          {"scanned_bytes", page.scanned_bytes},
                          {"damaged_lines", page.damaged_lines}});
}

HttpResponse find_page(Context& context, const std::string& task_code, const LogQuery& query) {
    const auto page = context.services.control.logs(task_code, query);
    if (page) return page_of(*page);
    if (page.error().kind != ErrorKind::kInvalidArgument) return problem(page.error());
    return bad_parameter("before", "the `before` of an earlier page of this log", query.before);
}

}  // namespace

HttpResponse task_logs(const HttpRequest& request, Context& context) {
    const auto index = context.indexes.current();
    const auto* task = index->find(Kind::kTask, request.param("id"));
    if (!task) return missing("task", request.param("id"));
    const auto query = read_log_query(request);
    if (!query) return query.error();
    return find_page(context, std::string{task->code()}, *query);
}

HttpResponse search_all_logs(const HttpRequest& request, Context& context) {
    const auto query = read_log_query(request);
    if (!query) return query.error();
    const auto name = request.query_value("task").value_or("");
    if (name == "*") {
        if (!query->before.empty()) {
            return bad_parameter("before", "not with task=*: go on with until", query->before);
        }
        return page_of(context.services.control.all_logs(*query));
    }
    std::string code;
    if (!name.empty()) {
        const auto index = context.indexes.current();
        const auto* task = index->find(Kind::kTask, name);
        if (!task) return missing("task", name);
        code = task->code();
    }
    return find_page(context, code, *query);
}

}  // namespace fieldwarden::supervisor::gateway
