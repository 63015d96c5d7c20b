// /alerts and their configuration: /alert-rules, /alert-channels, /silences.
#include "supervisor/alerts/alerts.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/store_list.h"
#include "supervisor/gateway/context.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

template <class E>
OrRefusal<std::optional<E>> read_choice(const HttpRequest& request, std::string_view name) {
    const auto text = request.query_value(name);
    if (!text || text->empty()) return std::optional<E>{};
    const auto value = from_name<E>(*text);
    if (!value) return bad_parameter(name, "one of " + all_names<E>(), *text);
    return value;
}

OrRefusal<AlertFilter> read_filter(const HttpRequest& request) {
    AlertFilter filter;
    if (request.query_value("state").value_or("") == "open") {
        filter.open_only = true;
    } else {
        const auto state = read_choice<proto::AlertState>(request, "state");
        if (!state) return state.error();
        filter.state = *state;
    }
    const auto severity = read_choice<proto::Severity>(request, "severity");
    if (!severity) return severity.error();
    filter.severity = *severity;
    const auto since = read_time(request, "since");
    if (!since) return since.error();
    filter.since = *since;
    if (const auto task = request.query_value("task_code"); task && !task->empty()) filter.task_code = *task;
    return filter;
}

// What the member of the body was, for the error. Options may hold secrets.
std::string sent_value(const Json& body, const std::string& field) {
    if (field.starts_with("options")) return {};
    const auto dot = field.find('.');
    const auto outer = body.find(field.substr(0, dot));
    if (outer == body.end()) return {};
    if (dot == std::string::npos) return shown(*outer);
    const auto inner = outer->is_object() ? outer->find(field.substr(dot + 1)) : outer->end();
    return inner == outer->end() ? std::string{} : shown(*inner);
}

HttpResponse outcome_response(AlertDocumentKind kind, const AlertConfig::Outcome& outcome, const Json& body,
                              const HttpRequest& request, int status) {
    if (outcome.error) {
        if (outcome.error->kind == ErrorKind::kNotFound) return missing(noun_of(kind), request.param("id"));
        return problem(*outcome.error);
    }
    if (!outcome.problems.empty()) {
        std::vector<FieldError> errors;
        for (const auto& each : outcome.problems) {
            errors.push_back({each.field, each.code, each.message, sent_value(body, each.field)});
        }
        return problem(422, fmt::format("{}: {}", errors.front().field, errors.front().message), errors);
    }
    return json_response(outcome.item, status);
}

}  // namespace

HttpResponse list_alerts(const HttpRequest& request, Context& context) {
    const auto query = read_list_query(request,
                                       {"id", "timestamp", "severity", "state", "count", "first_at",
                                        "last_at", "process_name", "device_code", "point_code", "error_type"},
                                       Cursors::kTaken);
    if (!query) return query.error();
    const auto filter = read_filter(request);
    if (!filter) return filter.error();
    // The store has an open alert as it was when it last changed; here is how it is now.
    std::map<std::int64_t, AlertRow> open;
    for (auto& row : context.services.alerts.open_alerts()) open.emplace(row.alert.id, std::move(row));
    const auto json_of = [&](const AlertRow& row) {
        const auto now = open.find(row.alert.id);
        return proto::to_json(now == open.end() ? row.alert : now->second.alert);
    };
    return store_list(
        *query, {{"message", "process_name", "device_code", "point_code", "error_type"}},
        [&](PageRequest page) { return context.services.store.alerts(*filter, page); }, json_of);
}

HttpResponse show_alert(const HttpRequest& request, Context& context) {
    const auto id = number_in_path(request.param("id"));
    if (!id) return missing("alert", request.param("id"));
    for (const auto& row : context.services.alerts.open_alerts()) {
        if (row.alert.id == *id) return json_response(proto::to_json(row.alert));
    }
    const auto row = context.services.store.alert(*id);
    if (!row && row.error().kind == ErrorKind::kNotFound) return missing("alert", request.param("id"));
    if (!row) return problem(row.error());
    return json_response(proto::to_json(row->alert));
}

HttpResponse acknowledge_alert(const HttpRequest& request, Context& context) {
    const auto id = number_in_path(request.param("id"));
    if (!id) return missing("alert", request.param("id"));
    const auto body = read_object(request, true);
    if (!body) return body.error();
    Members members(*body);
    const auto note = members.text("note").value_or("");
    if (note.size() > kLongestAlertText) {
        members.add_error("note", "too_long", fmt::format("note has at most {} bytes", kLongestAlertText));
    }
    if (auto refusal = members.finish()) return std::move(*refusal);
    const auto row = context.services.alerts.acknowledge(*id, note, actor_of(request));
    if (!row && row.error().kind == ErrorKind::kNotFound) return missing("alert", request.param("id"));
    if (!row) return problem(row.error());
    return json_response(proto::to_json(row->alert));
}

HttpResponse list_alert_rule_kinds(const HttpRequest&, Context&) {
    return json_response({{"items", rule_kinds_json()}});
}

HttpResponse test_alert_channel(const HttpRequest& request, Context& context) {
    const auto& id = request.param("id");
    const auto result = context.services.alerts.test_channel(id, actor_of(request));
    if (!result && result.error().kind == ErrorKind::kNotFound) return missing("alert channel", id);
    if (!result) return problem(result.error());
    return json_response(proto::to_json(*result));
}

HttpResponse list_alert_documents(AlertDocumentKind kind, const HttpRequest& request, Context& context) {
    const auto query = read_list_query(
        request, {"id", "code", "name", "kind", "type", "enabled", "severity", "starts_at", "ends_at"},
        Cursors::kTaken);
    if (!query) return query.error();
    return list_response(context.services.alerts.config().list(kind), *query,
                         Listed{{"code", "name", "kind", "type", "message", "comment", "created_by"}});
}

HttpResponse create_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    const auto outcome = context.services.alerts.config().create(kind, *body, actor_of(request));
    auto response = outcome_response(kind, outcome, *body, request, 201);
    if (outcome.ok()) {
        response.headers.emplace_back("Location",
                                      fmt::format("{}/{}", request.path, outcome.item["id"].dump()));
    }
    return response;
}

HttpResponse show_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context) {
    const auto item = context.services.alerts.config().show(kind, request.param("id"));
    return item ? json_response(*item) : missing(noun_of(kind), request.param("id"));
}

HttpResponse change_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    const auto outcome =
        context.services.alerts.config().change(kind, request.param("id"), *body, actor_of(request));
    return outcome_response(kind, outcome, *body, request, 200);
}

HttpResponse remove_alert_document(AlertDocumentKind kind, const HttpRequest& request, Context& context) {
    const auto outcome =
        context.services.alerts.config().remove(kind, request.param("id"), actor_of(request));
    if (!outcome.ok()) return outcome_response(kind, outcome, Json::object(), request, 200);
    HttpResponse response;
    response.status = 204;
    return response;
}

}  // namespace fieldwarden::supervisor::gateway
