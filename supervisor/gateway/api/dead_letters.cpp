// /dead-letters: what sinks refused for good.
#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/context.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

// So deep a list is looked into by number; what lies behind is found by cursor, task or sink.
constexpr std::uint64_t kDeepest = 10'000;

DeadLetterScope scope_of(const HttpRequest& request) {
    return {std::string{request.query_value("task_code").value_or("")},
            std::string{request.query_value("sink_code").value_or("")}};
}

HttpResponse changes_response(const Result<std::vector<DeadLetterChange>>& changes, bool retried) {
    if (!changes) return problem(changes.error());
    std::uint64_t letters = 0;
    std::uint64_t samples = 0;
    bool waiting = false;
    Json items = Json::array();
    for (const auto& change : *changes) {
        letters += change.letters;
        samples += change.samples;
        waiting = waiting || !change.running;
        Json item{{"task_code", change.task_code}, {"letters", change.letters}, {"samples", change.samples}};
        if (retried) item["running"] = change.running;
        items.push_back(std::move(item));
    }
    Json body{{"letters", letters}, {"samples", samples}, {"items", std::move(items)}};
    if (retried) {
        body["detail"] = letters == 0 ? "there are no dead letters to deliver again"
                         : waiting    ? "letters of tasks that do not run are delivered with their next start"
                                      : "the workers deliver them within some seconds";
    }
    return json_response(std::move(body));
}

}  // namespace

HttpResponse list_dead_letters(const HttpRequest& request, Context& context) {
    const auto list =
        read_list_query(request, {"rejected_at", "task_code", "sink_code", "reason"}, Cursors::kTaken);
    if (!list) return list.error();
    const auto& page = list->page;
    if (std::uint64_t{page.page} * page.page_size > kDeepest) {
        return bad_parameter(
            "page", "page times page_size is at most 10000; follow `next`, or narrow it by task_code",
            std::to_string(page.page));
    }
    DeadLetterQuery query{
        .scope = scope_of(request), .q = list->q, .page = page.page, .page_size = page.page_size};
    if (!list->sort.empty()) {
        query.sort = list->sort;
        query.descending = list->descending;
    }
    if (list->after) {
        const auto& [value, id] = *list->after;
        if (!value.is_string() || !id.is_string()) {
            return bad_parameter("cursor", "the `next` of a page of this list", "");
        }
        query.after = DeadLetterPlace{value.get<std::string>(), id.get<std::string>()};
    }
    const auto found = context.services.control.dead_letters(query);
    if (!found) return problem(found.error());
    const auto next =
        found->last ? Json(list->cursor_at({found->last->value, found->last->id})) : Json(nullptr);
    return json_response({{"items", found->items},
                          {"page", page.page},
                          {"page_size", page.page_size},
                          {"total", found->total},
                          {"next", next},
                          {"complete", found->complete},
                          {"damaged_lines", found->damaged}});
}

HttpResponse retry_dead_letters(const HttpRequest& request, Context& context) {
    const auto body = read_object(request, true);
    if (!body) return body.error();
    Members members{*body};
    const DeadLetterScope scope{members.text("task_code").value_or(""),
                                members.text("sink_code").value_or("")};
    if (auto refused = members.finish()) return *refused;
    return changes_response(context.services.control.retry_dead_letters(scope, actor_of(request)), true);
}

HttpResponse clear_dead_letters(const HttpRequest& request, Context& context) {
    const auto scope = scope_of(request);
    return changes_response(context.services.control.clear_dead_letters(scope, actor_of(request)), false);
}

}  // namespace fieldwarden::supervisor::gateway
