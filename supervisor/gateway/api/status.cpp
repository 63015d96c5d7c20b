// What runs and how well: processes, health, the event journal, the audit trail, and the status sockets.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/store_list.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"
#include "supervisor/gateway/problem.h"
#include "supervisor/gateway/representation.h"
#include "supervisor/store/audit_chain.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::string_view kStatusTopic = "process_status.";

// Of a task of which nothing has been published: it is not running.
Json stopped_process_json(std::string_view task_code) {
    proto::ProcessStatus stopped;
    stopped.name = task_code;
    stopped.connection_status = "unknown";
    return proto::to_json(stopped);
}

Json process_json(const std::string& task_code, const StatusBus& bus) {
    const auto event = bus.last_value(fmt::format("{}{}", kStatusTopic, task_code));
    return event ? event->data() : stopped_process_json(task_code);
}

// One page of all processes in the order of the tasks, from what the bus has written already: what a wall of
// screens asks for every second.
HttpResponse page_of_processes(std::span<const Record> tasks, const PageRequest& page, const StatusBus& bus) {
    const auto begin = std::min<std::size_t>(tasks.size(), std::size_t{page.page - 1} * page.page_size);
    const auto shown = tasks.subspan(begin, std::min<std::size_t>(tasks.size() - begin, page.page_size));
    std::vector<std::string> topics;
    for (const auto& task : shown) topics.push_back(fmt::format("{}{}", kStatusTopic, task.code()));
    const auto statuses = bus.last_values_of(topics);
    std::string items;
    std::string versions = fmt::format("{} {}", tasks.size(), begin);  // what the answer is made of
    for (std::size_t i = 0; i < shown.size(); ++i) {
        if (i > 0) items += ',';
        if (const auto& status = statuses[i]) {
            items += status->data_text();
            // The numbering begins anew with every start of the supervisor; the time does not.
            fmt::format_to(std::back_inserter(versions), "\n{} {}", status->seq,
                           status->time.time_since_epoch().count());
        } else {
            items += dump(stopped_process_json(shown[i].code()));
            fmt::format_to(std::back_inserter(versions), "\n{}", shown[i].code());
        }
    }
    auto response = written_page_response(items, page, tasks.size());
    response.headers.emplace_back("ETag", entity_tag(versions));
    return response;
}

std::vector<EventPtr> health_of(const std::string& task_code, const StatusBus& bus) {
    const auto topic = "health_checks." + task_code;
    auto results = bus.last_values(topic);
    // A topic is a prefix: T1 also finds T10.
    std::erase_if(results, [&](const EventPtr& event) { return event->topic != topic; });
    return results;
}

OrRefusal<std::string> task_code_of(const HttpRequest& request, Context& context) {
    const auto index = context.indexes.current();
    const auto* task = index->find(Kind::kTask, request.param("task_code"));
    if (!task) return missing("task", request.param("task_code"));
    return std::string{task->code()};
}

Json audit_json(const AuditEntry& entry) {
    return {{"id", entry.id},
            {"timestamp", format_rfc3339(entry.at)},
            {"actor", entry.actor.name},
            {"role", entry.actor.role},
            {"remote", entry.actor.remote},
            {"action", entry.action},
            {"subject", entry.subject},
            {"detail", entry.detail},
            {"hash", entry.hash}};
}

HttpResponse stream_response(StreamPlan plan) {
    HttpResponse response;
    response.stream = std::move(plan);
    return response;
}

}  // namespace

HttpResponse list_processes(const HttpRequest& request, Context& context) {
    const auto query = read_list_query(
        request, {"name", "type", "status", "pid", "cpu_percent", "memory_mb", "uptime_seconds",
                  "restart_count", "health_score", "data_collection_rate", "error_count_24h"});
    if (!query) return query.error();
    const auto plant = context.services.control.plant();
    const auto& tasks = plant->of(Kind::kTask).all();
    const auto& bus = context.services.bus;
    if (query->q.empty() && query->sort.empty()) return page_of_processes(tasks, query->page, bus);
    std::vector<Json> rows;
    for (const auto& task : tasks) rows.push_back(process_json(std::string{task.code()}, bus));
    return list_response(std::move(rows), *query,
                         {"name", "type", "status", "last_error", "connection_status"});
}

HttpResponse show_process(const HttpRequest& request, Context& context) {
    const auto code = task_code_of(request, context);
    if (!code) return code.error();
    return json_response(process_json(*code, context.services.bus));
}

HttpResponse show_process_health(const HttpRequest& request, Context& context) {
    const auto code = task_code_of(request, context);
    if (!code) return code.error();
    Json items = Json::array();
    for (const auto& event : health_of(*code, context.services.bus)) items.push_back(event->data());
    return json_response({{"items", std::move(items)}});
}

HttpResponse show_health(const HttpRequest&, Context& context) {
    return json_response(proto::to_json(context.services.control.health_summary()));
}

HttpResponse list_events(const HttpRequest& request, Context& context) {
    const auto& bus = context.services.bus;
    const auto after = read_integer(request, "after", 0, INT64_MAX);
    if (!after) return after.error();
    const auto limit = read_integer(request, "limit", 1, 10'000);
    if (!limit) return limit.error();
    const auto topic = request.query_value("topic").value_or("");
    const auto last = bus.last_seq();
    const auto from =
        after->has_value() ? static_cast<std::uint64_t>(**after) : (last > 100 ? last - 100 : 0);
    const auto most = static_cast<std::size_t>(limit->value_or(1000));
    if (from > last)
        return problem(410, fmt::format("no event {} has been published; the last one is {}", from, last));
    const auto events = bus.since(from, most);
    if (!events) {
        return problem(
            410, fmt::format("the journal no longer holds what came after {}; read the current state", from));
    }
    std::string items;
    for (const auto& event : *events) {
        if (!event->topic.starts_with(topic)) continue;
        if (!items.empty()) items += ',';
        items += event->envelope_with_topic();
    }
    const auto reached = events->empty() ? from : events->back()->seq;
    HttpResponse response;
    response.body = fmt::format(R"({{"items":[{}],"next_after":{},"last_seq":{}}})", items, reached, last);
    return response;
}

HttpResponse list_audit(const HttpRequest& request, Context& context) {
    const auto query =
        read_list_query(request, {"id", "timestamp", "actor", "action", "subject"}, Cursors::kTaken);
    if (!query) return query.error();
    return store_list(
        *query, {{"actor", "role", "remote", "action", "subject"}},
        [&](PageRequest page) { return context.services.store.audit(page); }, audit_json);
}

HttpResponse verify_audit(const HttpRequest&, Context& context) {
    constexpr std::uint32_t kAtATime = 2'000;
    AuditWalk walk;
    std::uint64_t entries = 0;
    for (std::int64_t last = 0;;) {
        const auto next = context.services.store.audit_after(last, kAtATime);
        if (!next) return problem(next.error());
        if (next->empty()) break;
        if (const auto broken = walk.take(*next)) {
            for (const auto& entry : *next) entries += entry.id < broken->id ? 1 : 0;
            return json_response({{"ok", false},
                                  {"entries", entries},
                                  {"newest_hash", walk.newest_hash()},
                                  {"first_broken", audit_json(*broken)}});
        }
        entries += next->size();
        last = next->back().id;
    }
    return json_response(
        {{"ok", true}, {"entries", entries}, {"newest_hash", walk.newest_hash()}, {"first_broken", nullptr}});
}

HttpResponse topics_socket(const HttpRequest&, Context&) {
    StreamPlan plan;
    plan.takes_commands = true;
    return stream_response(std::move(plan));
}

HttpResponse fleet_socket(const HttpRequest&, Context&) {
    StreamPlan plan;
    plan.topics = {"fleet"};
    plan.snapshot = true;
    return stream_response(std::move(plan));
}

}  // namespace fieldwarden::supervisor::gateway
