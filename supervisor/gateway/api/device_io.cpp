// Talking to a device on a person's behalf: POST /points/{id}/write, GET /devices/{id}/browse and
// /diagnostics.
#include <fmt/format.h>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"
#include "supervisor/gateway/write_gate.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

constexpr std::size_t kLongestNode = 4096;

std::optional<Value> value_of(const Json& json) {
    if (json.is_boolean()) return Value{json.get<bool>()};
    if (json.is_number_unsigned()) {
        const auto number = json.get<std::uint64_t>();
        if (number > static_cast<std::uint64_t>(INT64_MAX)) return Value{number};
        return Value{static_cast<std::int64_t>(number)};
    }
    if (json.is_number_integer()) return Value{json.get<std::int64_t>()};
    if (json.is_number()) return Value{json.get<double>()};
    if (json.is_string()) return Value{json.get<std::string>()};
    return std::nullopt;
}

const Record* device_of(const HttpRequest& request, const PlantIndex& index) {
    return index.find(Kind::kDevice, request.param("id"));
}

}  // namespace

HttpResponse write_point(const HttpRequest& request, Context& context) {
    const auto body = read_object(request);
    if (!body) return body.error();
    Members members(*body);
    const auto* json = members.any("value");
    const auto value = json != nullptr ? value_of(*json) : std::nullopt;
    if (!value) members.add_error("value", "bad_value", "send the value as a number, a text or true/false");
    if (auto refusal = members.finish()) return std::move(*refusal);

    const auto index = context.indexes.current();
    const auto* point = index->find(Kind::kPoint, request.param("id"));
    if (!point) return missing("point", request.param("id"));
    const std::string code{point->code()};
    if (const auto wait = context.writes.admit(code, system_clock().mono_now())) {
        auto response =
            problem(429, fmt::format("point {} is being written too often; wait {} ms", code, wait->count()));
        response.headers.emplace_back("Retry-After", "1");
        return response;
    }
    const auto result = context.services.control.write_point(code, *value, actor_of(request));
    if (!result) return problem(result.error());
    return json_response({{"point_code", code},
                          {"value", *json},
                          {"confirmed", result->confirmed},
                          {"read_back", proto::point_json(code, result->read_back)},
                          {"task_code", result->task_code.empty() ? Json(nullptr) : Json(result->task_code)},
                          {"duration_ms", result->duration_ms}});
}

HttpResponse browse_device(const HttpRequest& request, Context& context) {
    const auto index = context.indexes.current();
    const auto* device = device_of(request, *index);
    if (!device) return missing("device", request.param("id"));
    const auto node = request.query_value("node").value_or("");
    if (node.size() > kLongestNode) {
        return bad_parameter("node", fmt::format("a node has at most {} bytes", kLongestNode),
                             node.substr(0, 64));
    }
    auto config = compile_device(index->plant(), device->code());
    if (!config) return problem(config.error());
    config->points.clear();
    const auto page = context.services.control.browse(*config, std::string{node});
    if (!page) return problem(page.error());
    Json items = Json::array();
    for (const auto& each : page->nodes) {
        items.push_back({{"address", each.address},
                         {"name", each.name},
                         {"kind", each.kind},
                         {"data_type", each.data_type.empty() ? Json(nullptr) : Json(each.data_type)},
                         {"device_type", each.device_type},
                         {"has_children", each.has_children},
                         {"writable", each.writable}});
    }
    return json_response({{"device_code", device->code()},
                          {"node", node},
                          {"items", std::move(items)},
                          {"truncated", page->truncated}});
}

HttpResponse device_diagnostics(const HttpRequest& request, Context& context) {
    const auto index = context.indexes.current();
    const auto* device = device_of(request, *index);
    if (!device) return missing("device", request.param("id"));
    const auto found = context.services.control.diagnostics(std::string{device->code()});
    if (!found) return problem(found.error());
    Json items = Json::array();
    for (const auto& [task, counted] : *found) {
        items.push_back({{"task_code", task},
                         {"requests", counted.requests},
                         {"errors",
                          {{"timeouts", counted.timeouts},
                           {"exceptions", counted.exceptions},
                           {"broken_answers", counted.broken_answers},
                           {"lost_connections", counted.lost_connections}}},
                         {"updates", counted.updates},
                         {"overflowed", counted.overflowed},
                         {"bytes_sent", counted.bytes_sent},
                         {"bytes_received", counted.bytes_received},
                         {"response_p50_ms", counted.response_p50_ms},
                         {"response_p99_ms", counted.response_p99_ms},
                         {"last_refusal", counted.last_refusal}});
    }
    return json_response({{"device_code", device->code()}, {"items", std::move(items)}});
}

}  // namespace fieldwarden::supervisor::gateway
