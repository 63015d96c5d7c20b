// TaskConfig ⇄ JSON. Members at their default are left out: a task of 100,000 points stays a few megabytes.
#include <fmt/format.h>

#include "proto/wire.h"

namespace fieldwarden::proto {

namespace {

using std::chrono::milliseconds;

template <class T>
void put_unless(Json& json, const char* key, const T& value, const T& usual) {
    if (!(value == usual)) json[key] = value;
}

template <class E>
E enum_at(const Json& json, const char* key, E usual) {
    const auto found = json.find(key);
    if (found == json.end()) return usual;
    const auto& name = found->get_ref<const std::string&>();
    const auto value = from_name<E>(name);
    if (!value)
        throw std::invalid_argument(fmt::format("{} '{}' is not one of {}", key, name, all_names<E>()));
    return *value;
}

std::optional<double> optional_number(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) return std::nullopt;
    return found->get<double>();
}

milliseconds millis_at(const Json& json, const char* key, milliseconds usual) {
    return milliseconds{json.value(key, usual.count())};
}

Json point_to_json(const PointConfig& point) {
    const PointConfig usual;
    Json json{{"id", point.id},
              {"point_code", point.point_code},
              {"address", point.address},
              {"data_type", format_data_type(point.data_type)}};
    put_unless(json, "point_name", point.point_name, usual.point_name);
    if (point.byte_order != usual.byte_order) json["byte_order"] = to_name(point.byte_order);
    put_unless(json, "scale", point.scale, usual.scale);
    put_unless(json, "offset", point.offset, usual.offset);
    put_unless(json, "unit", point.unit, usual.unit);
    if (point.deadband) json["deadband"] = *point.deadband;
    if (point.min_value) json["min_value"] = *point.min_value;
    if (point.max_value) json["max_value"] = *point.max_value;
    put_unless(json, "period_ms", point.period.count(), usual.period.count());
    put_unless(json, "writable", point.writable, usual.writable);
    return json;
}

PointConfig point_from_json(const Json& json) {
    PointConfig point;
    point.id = json.at("id").get<PointId>();
    point.point_code = json.at("point_code").get<std::string>();
    point.point_name = json.value("point_name", point.point_name);
    point.address = json.at("address").get<std::string>();
    const auto type = parse_data_type(json.at("data_type").get_ref<const std::string&>());
    if (!type) throw std::invalid_argument(type.error().message);
    point.data_type = *type;
    point.byte_order = enum_at(json, "byte_order", point.byte_order);
    point.scale = json.value("scale", point.scale);
    point.offset = json.value("offset", point.offset);
    point.unit = json.value("unit", point.unit);
    point.deadband = optional_number(json, "deadband");
    point.min_value = optional_number(json, "min_value");
    point.max_value = optional_number(json, "max_value");
    point.period = millis_at(json, "period_ms", point.period);
    point.writable = json.value("writable", point.writable);
    return point;
}

DeviceConfig device_from(const Json& json) {
    DeviceConfig device;
    device.device_code = json.at("device_code").get<std::string>();
    device.device_name = json.value("device_name", std::string{});
    device.site_code = json.value("site_code", std::string{});
    device.type_code = json.value("type_code", std::string{});
    device.stable_name = json.value("stable_name", std::string{});
    device.protocol = enum_at(json, "protocol", Protocol::kModbusTcp);
    device.address = json.at("address").get<std::string>();
    device.options = json.value("options", Options{});
    for (const auto& point : json.value("points", Json::array()))
        device.points.push_back(point_from_json(point));
    return device;
}

SinkConfig sink_from(const Json& json) {
    SinkConfig sink;
    sink.sink_code = json.at("sink_code").get<std::string>();
    sink.type = json.at("type").get<std::string>();
    sink.url = json.value("url", std::string{});
    sink.options = json.value("options", Options{});
    return sink;
}

TaskConfig task_from(const Json& json) {
    TaskConfig task;
    task.task_code = json.at("task_code").get<std::string>();
    task.task_name = json.value("task_name", std::string{});
    task.revision = json.at("revision").get<std::uint64_t>();
    task.period = milliseconds{json.at("period_ms").get<std::int64_t>()};
    for (const auto& device : json.at("devices")) task.devices.push_back(device_from(device));
    for (const auto& sink : json.at("sinks")) task.sinks.push_back(sink_from(sink));
    if (const auto limit = json.find("run_limit"); limit != json.end()) {
        if (limit->contains("cycles")) task.run_limit.cycles = limit->at("cycles").get<std::uint64_t>();
        if (limit->contains("duration_ms")) {
            task.run_limit.duration = milliseconds{limit->at("duration_ms").get<std::int64_t>()};
        }
    }
    const auto& spool = json.at("spool");
    task.spool.max_bytes = spool.at("max_bytes").get<std::uint64_t>();
    task.spool.max_age = millis_at(spool, "max_age_ms", task.spool.max_age);
    task.spool.fsync_window = millis_at(spool, "fsync_window_ms", task.spool.fsync_window);
    task.spool.when_full = enum_at(spool, "when_full", task.spool.when_full);
    const auto& history = json.at("history");
    task.history.max_age = millis_at(history, "max_age_ms", task.history.max_age);
    task.history.max_bytes = history.at("max_bytes").get<std::uint64_t>();
    task.stop_grace = millis_at(json, "stop_grace_ms", task.stop_grace);
    task.log_level = json.value("log_level", task.log_level);
    if (const auto files = json.find("log_files"); files != json.end()) {
        task.log_files.max_bytes = files->at("max_bytes").get<std::uint64_t>();
        task.log_files.max_files = files->at("max_files").get<std::uint32_t>();
    }
    task.options = json.value("options", Options{});
    return task;
}

// nlohmann::json and the helpers above throw; the exception stops here.
template <class Parse>
auto caught(const char* what, Parse&& parse) -> Result<decltype(parse())> {
    try {
        return parse();
    } catch (const std::exception& error) {
        return make_error(ErrorKind::kCorrupt, fmt::format("{}: {}", what, error.what()));
    }
}

}  // namespace

Json to_json(const DeviceConfig& device) {
    Json points = Json::array();
    for (const auto& point : device.points) points.push_back(point_to_json(point));
    return {
        {"device_code", device.device_code}, {"device_name", device.device_name},
        {"site_code", device.site_code},     {"type_code", device.type_code},
        {"stable_name", device.stable_name}, {"protocol", to_name(device.protocol)},
        {"address", device.address},         {"options", device.options},
        {"points", std::move(points)},
    };
}

Json to_json(const SinkConfig& sink) {
    return {{"sink_code", sink.sink_code}, {"type", sink.type}, {"url", sink.url}, {"options", sink.options}};
}

Json to_json(const TaskConfig& task) {
    Json devices = Json::array();
    for (const auto& device : task.devices) devices.push_back(to_json(device));
    Json sinks = Json::array();
    for (const auto& sink : task.sinks) sinks.push_back(to_json(sink));
    Json limit = Json::object();
    if (task.run_limit.cycles) limit["cycles"] = *task.run_limit.cycles;
    if (task.run_limit.duration) limit["duration_ms"] = task.run_limit.duration->count();
    return {
        {"task_code", task.task_code},
        {"task_name", task.task_name},
        {"revision", task.revision},
        {"period_ms", task.period.count()},
        {"devices", std::move(devices)},
        {"sinks", std::move(sinks)},
        {"run_limit", std::move(limit)},
        {"spool",
         {{"max_bytes", task.spool.max_bytes},
          {"max_age_ms", task.spool.max_age.count()},
          {"fsync_window_ms", task.spool.fsync_window.count()},
          {"when_full", to_name(task.spool.when_full)}}},
        {"history", {{"max_age_ms", task.history.max_age.count()}, {"max_bytes", task.history.max_bytes}}},
        {"stop_grace_ms", task.stop_grace.count()},
        {"log_level", task.log_level},
        {"log_files", {{"max_bytes", task.log_files.max_bytes}, {"max_files", task.log_files.max_files}}},
        {"options", task.options},
    };
}

Result<TaskConfig> task_config_from_json(const Json& json) {
    return caught("task configuration", [&] { return task_from(json); });
}
Result<DeviceConfig> device_config_from_json(const Json& json) {
    return caught("device configuration", [&] { return device_from(json); });
}
Result<SinkConfig> sink_config_from_json(const Json& json) {
    return caught("sink configuration", [&] { return sink_from(json); });
}

}  // namespace fieldwarden::proto
