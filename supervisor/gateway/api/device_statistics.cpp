// /device/statistics: how long devices were in which state on one day, in minutes.
#include <algorithm>
#include <cmath>
#include <map>

#include "supervisor/gateway/api/handlers.h"
#include "supervisor/gateway/api/json_input.h"
#include "supervisor/gateway/api/record_json.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/plant_index.h"
#include "supervisor/plant/state_map.h"
#include "supervisor/statistics/local_day.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;
using std::chrono::microseconds;

namespace {

struct StatisticsQuery {
    const Record* type = nullptr;    // null: devices of every type
    const Record* device = nullptr;  // null: all of them
    LocalDay day;
    ListQuery list;
};

OrRefusal<const Record*> read_record(const HttpRequest& request, const PlantIndex& index, Kind kind,
                                     std::string_view name) {
    const auto wanted = request.query_value(name).value_or("");
    if (wanted.empty()) return nullptr;
    const auto* record = index.find(kind, wanted);
    if (!record) return missing(schema_of(kind).noun, wanted);
    return record;
}

OrRefusal<StatisticsQuery> read_statistics_query(const HttpRequest& request, const PlantIndex& index,
                                                 const Services& services) {
    StatisticsQuery query;
    auto list = read_list_query(request, {"device_code", "device_name"}, Cursors::kTaken);
    if (!list) return list.error();
    query.list = std::move(*list);
    const auto type = read_record(request, index, Kind::kDeviceType, "type_code");
    if (!type) return type.error();
    query.type = *type;
    const auto device = read_record(request, index, Kind::kDevice, "device_code");
    if (!device) return device.error();
    query.device = *device;
    const auto zone = find_zone(services.settings.server.time_zone);
    if (!zone) return problem(zone.error());
    const auto day = request.query_value("day").value_or("");
    const auto date = parse_day(day);
    if (!day.empty() && !date) return bad_parameter("day", "a day, as in 2026-03-31", day);
    query.day = date ? local_day(*zone, *date) : local_day(*zone, services.clock.utc_now());
    return query;
}

// To a hundredth: what a person reads, and less than the count is exact to.
double minutes(microseconds spent) {
    return std::round(std::chrono::duration<double, std::ratio<60>>(spent).count() * 100) / 100;
}

using Spent = std::map<std::string, microseconds, std::less<>>;  // by state

Json device_json(const PlantIndex& index, const Record& device, const Spent& spent, microseconds total) {
    const auto type_code = cell_of(Kind::kDevice, device, "type_code");
    Json states = Json::object();
    // A state of the map in which the device was not today is shown as well.
    if (const auto* type = index.find(Kind::kDeviceType, type_code); type && !type_code.empty()) {
        const auto parsed = StateMap::parse(cell_of(Kind::kDeviceType, *type, "state_map"));
        if (const auto* map = std::get_if<StateMap>(&parsed)) {
            for (const auto& state : map->states()) states[state] = 0.0;
        }
    }
    microseconds online{0};
    microseconds unknown{0};
    for (const auto& [state, time] : spent) {
        if (state == kUnknownState) {
            unknown = time;
            continue;
        }
        online += time;
        if (state != kOnlineState) states[state] = minutes(time);
    }
    const auto share = total > microseconds{0}
                           ? static_cast<double>(online.count()) / static_cast<double>(total.count())
                           : 0;
    return {{"device_code", device.code()},
            {"device_name", cell_of(Kind::kDevice, device, "device_name")},
            {"type_code", type_code.empty() ? Json(nullptr) : Json(type_code)},
            {"states", std::move(states)},
            {"online_minutes", minutes(online)},
            {"unknown_minutes", minutes(unknown)},
            {"total_minutes", minutes(total)},
            {"online_rate", std::round(std::min(share, 1.0) * 10'000) / 100}};
}

// The devices asked for, sorted, and cut to one page.
RecordPage choose_devices(const PlantIndex& index, const StatisticsQuery& query) {
    const auto& list = query.list;
    const auto name = [](const Record* device) { return cell_of(Kind::kDevice, *device, "device_name"); };
    std::vector<const Record*> devices;
    for (const auto& device : index.plant().of(Kind::kDevice).all()) {
        if (query.device && query.device != &device) continue;
        if (query.type && cell_of(Kind::kDevice, device, "type_code") != query.type->code()) continue;
        const bool found = list.q.empty() || contains_ignoring_case(device.code(), list.q) ||
                           contains_ignoring_case(name(&device), list.q);
        if (found) devices.push_back(&device);
    }
    return page_of_records(Kind::kDevice, std::move(devices), list);
}

}  // namespace

HttpResponse device_statistics(const HttpRequest& request, Context& context) {
    const auto& services = context.services;
    const auto index = context.indexes.current();
    const auto query = read_statistics_query(request, *index, services);
    if (!query) return query.error();
    const auto chosen = choose_devices(*index, *query);
    const auto& devices = chosen.records;
    std::vector<std::string> codes;
    for (const auto* device : devices) codes.emplace_back(device->code());
    const auto counted = services.store.state_times(codes, query->day.date);
    if (!counted) return problem(counted.error());
    std::map<std::string, Spent, std::less<>> by_device;
    for (const auto& row : *counted) by_device[row.device][row.state] = row.spent;

    const auto& day = query->day;
    const auto passed = std::clamp(services.clock.utc_now(), day.begin, day.end) - day.begin;
    Json items = Json::array();
    for (const auto* device : devices) {
        const auto spent = by_device.find(device->code());
        items.push_back(
            device_json(*index, *device, spent == by_device.end() ? Spent{} : spent->second, passed));
    }
    const auto& page = query->list.page;
    return json_response({{"items", std::move(items)},
                          {"day", format_day(day.date)},
                          {"page", page.page},
                          {"page_size", page.page_size},
                          {"total", chosen.total},
                          {"next", chosen.last ? Json(query->list.cursor_at(*chosen.last)) : Json(nullptr)}});
}

}  // namespace fieldwarden::supervisor::gateway
