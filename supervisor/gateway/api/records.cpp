// The six kinds of configuration by hand: list, create, show, change, remove; generic over the schema.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/record_json.h"
#include "supervisor/gateway/api/rules.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

// Somebody else's change between our look at the plant and our apply: look again this often.
constexpr int kTries = 3;

std::string etag(const Plant& plant) {
    return fmt::format("\"{}\"", plant.revision);
}

// If-Match: the configuration must still be at the revision that the client has seen.
std::optional<HttpResponse> check_revision(const HttpRequest& request, const Plant& plant) {
    const auto wanted = request.header("if-match");
    if (wanted.empty() || wanted == "*" || wanted == etag(plant)) return std::nullopt;
    return problem(
        409, fmt::format("the configuration is at revision {}, not {}; read it again before changing it",
                         plant.revision, wanted.substr(0, 40)));
}

std::vector<FieldError> field_errors(const std::vector<Problem>& problems) {
    std::vector<FieldError> errors;
    for (const auto& each : problems) {
        errors.push_back({each.column, std::string(to_name(each.code)), each.message, each.value});
    }
    return errors;
}

HttpResponse refused(const std::vector<FieldError>& errors, int status = 422) {
    return problem(status,
                   fmt::format("{}{}{}", errors.front().field, errors.front().field.empty() ? "" : ": ",
                               errors.front().message),
                   errors);
}

AuditEntry audit_entry(const HttpRequest& request, Context& context, std::string_view verb,
                       const KindSchema& schema, std::string_view code) {
    std::string noun(schema.noun);
    std::ranges::replace(noun, ' ', '_');
    AuditEntry entry;
    entry.at = context.services.clock.utc_now();
    entry.actor = actor_of(request);
    entry.action = fmt::format("{}.{}", noun, verb);
    entry.subject = code;
    return entry;
}

// One change of the configuration, worked out against the plant in force and applied to just that plant.
struct Change {
    ChangeSet changes;
    AuditEntry audit;
    std::function<HttpResponse(const Plant& after)> answer;
};
using MakeChange = std::function<OrRefusal<Change>(PlantIndex& index)>;

HttpResponse apply_change(Context& context, const HttpRequest& request, const MakeChange& make) {
    for (int attempt = 1;; ++attempt) {
        const auto index = context.indexes.current();
        if (auto stale = check_revision(request, index->plant())) return std::move(*stale);
        const auto change = make(*index);
        if (!change) return change.error();
        if (change->changes.empty()) return change->answer(index->plant());
        const auto applied =
            context.services.control.apply(change->changes, index->plant().revision, change->audit);
        if (applied) return change->answer(*applied->plant);
        if (applied.error().kind != ErrorKind::kConflict || attempt == kTries)
            return problem(applied.error());
    }
}

HttpResponse record_response(Kind kind, const Plant& plant, const std::string& code, int status) {
    const auto* record = plant.of(kind).find(code);
    if (!record) return missing(schema_of(kind).noun, code);
    auto response = json_response(record_json(kind, *record), status);
    response.headers.emplace_back("ETag", etag(plant));
    if (status == 201) {
        response.headers.emplace_back("Location",
                                      fmt::format("/api/v1/{}/{}", schema_of(kind).path, record->id));
    }
    return response;
}

bool matches(const KindSchema& schema, const Record& record, std::string_view q) {
    for (std::size_t i = 0; i < schema.fields.size(); ++i) {
        // Options, URLs and addresses may hold secrets, which a search must not be able to guess.
        const auto type = schema.fields[i].type;
        if (type == FieldType::kOptions || type == FieldType::kUrl) continue;
        const auto found = type == FieldType::kAddress
                               ? contains_ignoring_case(masked_cell(schema.fields[i], record.cells[i]), q)
                               : contains_ignoring_case(record.cells[i], q);
        if (found) return true;
    }
    return false;
}

using Filters = std::vector<std::pair<std::string_view, std::string>>;

// A filter by a reference: /points?device_code=D1.
OrRefusal<Filters> read_filters(const HttpRequest& request, const KindSchema& schema) {
    Filters filters;
    for (const auto& field : schema.fields) {
        const bool filterable =
            field.type == FieldType::kReference || field.type == FieldType::kChoice || field.name == "group";
        if (!filterable) continue;
        if (const auto wanted = request.query_value(field.name)) filters.emplace_back(field.name, *wanted);
    }
    return filters;
}

HttpResponse list_page(Kind kind, const Plant& plant, const ListQuery& query, const Filters& filters) {
    const auto& schema = schema_of(kind);
    std::vector<const Record*> records;
    for (const auto& record : plant.of(kind).all()) {
        const bool chosen = std::ranges::all_of(filters, [&](const auto& filter) {
            return cell_of(kind, record, filter.first) == filter.second;
        });
        if (chosen && (query.q.empty() || matches(schema, record, query.q))) records.push_back(&record);
    }
    const auto page = page_of_records(kind, std::move(records), query);
    Json items = Json::array();
    for (const auto* record : page.records) items.push_back(record_json(kind, *record));
    return page_response(std::move(items), query, page.total, page.last);
}

// What tells one list of the plant from another.
std::string list_key(Kind kind, const Query& query) {
    std::string key{schema_of(kind).path};
    for (const auto& [name, value] : query) {
        for (const auto* part : {&name, &value})
            fmt::format_to(std::back_inserter(key), " {}:{}", part->size(), *part);
    }
    return key;
}

}  // namespace

ValidationRules validation_rules(const HttpRequest& request, Context& context, ImportMode mode) {
    return {mode, language_of_request(request), context.services.protocols, context.services.sink_types};
}

HttpResponse list_records(Kind kind, const HttpRequest& request, Context& context) {
    const auto& schema = schema_of(kind);
    std::vector<std::string_view> sortable{"id"};
    for (const auto& field : schema.fields) {
        if (field.type != FieldType::kOptions && field.type != FieldType::kUrl)
            sortable.push_back(field.name);
    }
    const auto query = read_list_query(request, sortable, Cursors::kTaken);
    if (!query) return query.error();
    const auto filters = read_filters(request, schema);
    if (!filters) return filters.error();

    const auto index = context.indexes.current();
    const auto& plant = index->plant();
    // The same lists are asked for again and again, and change with the plant only.
    const auto body = index->text(list_key(kind, request.query),
                                  [&] { return list_page(kind, plant, *query, *filters).body; });
    HttpResponse response;
    response.body = *body;
    response.headers.emplace_back("ETag", etag(plant));
    return response;
}

HttpResponse show_record(Kind kind, const HttpRequest& request, Context& context) {
    const auto index = context.indexes.current();
    const auto* record = index->find(kind, request.param("id"));
    if (!record) return missing(schema_of(kind).noun, request.param("id"));
    return record_response(kind, index->plant(), std::string{record->code()}, 200);
}

HttpResponse create_record(Kind kind, const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    const auto& schema = schema_of(kind);
    return apply_change(context, request, [&](PlantIndex& index) -> OrRefusal<Change> {
        std::vector<FieldError> errors;
        const auto cells = cells_from_json(kind, *body, nullptr, errors);
        if (!errors.empty()) return refused(errors);
        if (index.plant().of(kind).find(cells.front())) {
            return problem(
                409,
                fmt::format("there already is a {} '{}'", schema.noun, cells.front().substr(0, kLongestCode)),
                {{std::string(schema.fields.front().name), "duplicate_code", "the code is taken",
                  cells.front().substr(0, kLongestCode)}});
        }
        auto check = check_record(kind, cells, nullptr, index.plant(),
                                  validation_rules(request, context, ImportMode::kMerge));
        if (!check.ok()) return refused(field_errors(check.problems.errors()));
        Change change;
        const std::string code{check.record.code()};
        change.audit = audit_entry(request, context, "create", schema, code);
        change.audit.detail["after"] = record_json(kind, check.record);
        change.answer = [kind, code](const Plant& after) { return record_response(kind, after, code, 201); };
        change.changes.of(kind).put.push_back(std::move(check.record));
        return change;
    });
}

HttpResponse change_record(Kind kind, const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    const auto& schema = schema_of(kind);
    return apply_change(context, request, [&](PlantIndex& index) -> OrRefusal<Change> {
        const auto* stored = index.find(kind, request.param("id"));
        if (!stored) return missing(schema.noun, request.param("id"));
        std::vector<FieldError> errors;
        const auto cells = cells_from_json(kind, *body, stored, errors);
        if (cells.front() != stored->code()) {
            errors.push_back({std::string(schema.fields.front().name), "bad_value",
                              fmt::format("the code of a {} does not change; create a new one", schema.noun),
                              cells.front().substr(0, kLongestCode)});
        }
        if (!errors.empty()) return refused(errors);
        auto check = check_record(kind, cells, stored, index.plant(),
                                  validation_rules(request, context, ImportMode::kMerge));
        if (!check.ok()) return refused(field_errors(check.problems.errors()));
        check.record.id = stored->id;
        Change change;
        const std::string code{stored->code()};
        change.audit = audit_entry(request, context, "update", schema, code);
        change.audit.detail["before"] = record_json(kind, *stored);
        change.audit.detail["after"] = record_json(kind, check.record);
        change.answer = [kind, code](const Plant& after) { return record_response(kind, after, code, 200); };
        if (check.record != *stored) change.changes.of(kind).put.push_back(std::move(check.record));
        return change;
    });
}

HttpResponse remove_record(Kind kind, const HttpRequest& request, Context& context) {
    const auto& schema = schema_of(kind);
    return apply_change(context, request, [&](PlantIndex& index) -> OrRefusal<Change> {
        const auto* stored = index.find(kind, request.param("id"));
        if (!stored) return missing(schema.noun, request.param("id"));
        const auto in_the_way =
            check_removal(kind, stored->code(), index.plant(), language_of_request(request));
        if (!in_the_way.empty()) return refused(field_errors(in_the_way), 409);
        Change change;
        change.audit = audit_entry(request, context, "delete", schema, stored->code());
        change.audit.detail["before"] = record_json(kind, *stored);
        change.changes.of(kind).removed.emplace_back(stored->code());
        change.answer = [](const Plant&) {
            HttpResponse response;
            response.status = 204;
            return response;
        };
        return change;
    });
}

}  // namespace fieldwarden::supervisor::gateway
