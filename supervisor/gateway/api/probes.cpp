// POST /test-connection and /test-storage: tried out in a worker process of their own.
#include <fmt/format.h>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/record_json.h"
#include "supervisor/gateway/api/rules.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

// What a connection does not need is not asked for: a device may be tried before it has a name or a site.
Json with_placeholders(Kind kind, Json description, Context& context) {
    const auto& schema = schema_of(kind);
    for (const auto& field : schema.fields) {
        const std::string name{field.name};
        if (!field.required || description.contains(name)) continue;
        if (field.type == FieldType::kCode || field.type == FieldType::kText) description[name] = "probe";
        if (field.type == FieldType::kReference) {
            const auto& candidates = context.indexes.current()->plant().of(field.refers_to).all();
            if (!candidates.empty()) description[name] = candidates.front().code();
        }
    }
    return description;
}

// A record described in the body, checked like one that is to be stored. A description of a known code may
// use the mask for its stored secrets. Only the record itself is needed to compile it: a plant of one.
OrRefusal<Plant> described_plant(Kind kind, const Json& description, const HttpRequest& request,
                                 Context& context) {
    const auto index = context.indexes.current();
    const auto& schema = schema_of(kind);
    const auto code = description.find(std::string(schema.fields.front().name));
    const auto* stored = code != description.end() && code->is_string()
                             ? index->plant().of(kind).find(code->get_ref<const std::string&>())
                             : nullptr;
    std::vector<FieldError> errors;
    const auto cells = cells_from_json(kind, with_placeholders(kind, description, context), stored, errors);
    if (errors.empty()) {
        auto check = check_record(kind, cells, stored, index->plant(),
                                  validation_rules(request, context, ImportMode::kMerge));
        if (check.ok()) {
            Plant plant;
            plant.of(kind).add(std::move(check.record));
            return plant;
        }
        for (const auto& each : check.problems.errors()) {
            errors.push_back({each.column, std::string(to_name(each.code)), each.message, each.value});
        }
    }
    return problem(422, fmt::format("{}: {}", errors.front().field, errors.front().message), errors);
}

struct Wanted {
    PlantPtr plant;
    std::string code;
};

// The embedded history is always there, configured or not.
Wanted embedded_history() {
    Plant plant;
    Record record;
    record.cells.resize(schema_of(Kind::kSink).fields.size());
    record.cells.set(0, kHistorySink);
    record.cells.set(schema_of(Kind::kSink).index_of("type"), kHistorySink);
    plant.of(Kind::kSink).add(std::move(record));
    return Wanted{std::make_shared<const Plant>(std::move(plant)), std::string{kHistorySink}};
}

// {"device_code": "D1"} names a stored record, {"device": {…}} describes one.
OrRefusal<Wanted> read_wanted(Kind kind, const char* code_member, const char* object_member,
                              const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    const auto code = members.text(code_member);
    const auto* description = members.object(object_member);
    if (!members.failed() && code.has_value() == (description != nullptr)) {
        members.add_error(code_member, "missing_value",
                          fmt::format("send either {} or {}", code_member, object_member));
    }
    if (auto refusal = members.finish()) return std::move(*refusal);
    if (code) {
        const auto index = context.indexes.current();
        const auto* record = index->find(kind, *code);
        if (!record && kind == Kind::kSink && *code == kHistorySink) return embedded_history();
        if (!record) return missing(schema_of(kind).noun, *code);
        return Wanted{index->plant_ptr(), std::string{record->code()}};
    }
    auto plant = described_plant(kind, *description, request, context);
    if (!plant) return plant.error();
    const std::string described{plant->of(kind).all().front().code()};
    return Wanted{std::make_shared<const Plant>(std::move(*plant)), described};
}

HttpResponse probe_response(const Result<proto::ProbeResult>& result) {
    return result ? json_response(proto::to_json(*result)) : problem(result.error());
}

}  // namespace

HttpResponse test_connection(const HttpRequest& request, Context& context) {
    const auto wanted = read_wanted(Kind::kDevice, "device_code", "device", request, context);
    if (!wanted) return wanted.error();
    const auto device = compile_device(*wanted->plant, wanted->code);
    if (!device) return problem(device.error());
    return probe_response(context.services.control.test_connection(*device));
}

HttpResponse test_storage(const HttpRequest& request, Context& context) {
    const auto wanted = read_wanted(Kind::kSink, "sink_code", "sink", request, context);
    if (!wanted) return wanted.error();
    const auto sink = compile_sink(*wanted->plant, wanted->code);
    if (!sink) return problem(sink.error());
    return probe_response(context.services.control.test_storage(*sink));
}

}  // namespace fieldwarden::supervisor::gateway
