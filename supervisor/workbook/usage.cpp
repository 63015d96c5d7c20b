#include "supervisor/workbook/usage.h"

#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor {

namespace {

void mark_references(const Plant& plant, Kind from, std::string_view name, Kind to, UsedRecords& used) {
    const auto field = field_at(from, name);
    const auto& targets = plant.of(to);
    for (const auto& record : plant.of(from).all()) {
        if (const auto* target = targets.find(record.cells[field])) {
            used[static_cast<std::size_t>(to)][static_cast<std::size_t>(target - targets.all().data())] =
                true;
        }
    }
}

// What the tasks name; devices that a task takes with all their points go to `whole_devices`.
void mark_tasks(const Plant& plant, RecordChecks& checks, UsedRecords& used,
                std::vector<bool>& whole_devices) {
    const auto devices = field_at(Kind::kTask, "devices");
    const auto points = field_at(Kind::kTask, "points");
    const auto sinks = field_at(Kind::kTask, "sinks");
    const auto mark = [&](Kind kind, std::string_view list, std::vector<bool>& marks) {
        for (const auto entry : split_codes(list)) {
            for (const auto position : checks.matches(kind, entry)) marks[position] = true;
        }
    };
    for (const auto& task : plant.of(Kind::kTask).all()) {
        if (task.cells[points].empty()) mark(Kind::kDevice, task.cells[devices], whole_devices);
        mark(Kind::kPoint, task.cells[points], used[static_cast<std::size_t>(Kind::kPoint)]);
        mark(Kind::kSink, task.cells[sinks], used[static_cast<std::size_t>(Kind::kSink)]);
    }
}

}  // namespace

UsedRecords find_used(const Plant& plant, RecordChecks& checks) {
    UsedRecords used;
    for (const auto kind : kAllKinds) used[static_cast<std::size_t>(kind)].resize(plant.of(kind).size());
    mark_references(plant, Kind::kDevice, "site_code", Kind::kSite, used);
    mark_references(plant, Kind::kDevice, "type_code", Kind::kDeviceType, used);
    std::vector<bool> whole_devices(plant.of(Kind::kDevice).size());
    mark_tasks(plant, checks, used, whole_devices);
    auto& points = used[static_cast<std::size_t>(Kind::kPoint)];
    auto& devices = used[static_cast<std::size_t>(Kind::kDevice)];
    const auto& device_of = checks.device_of_points();
    for (std::size_t i = 0; i < points.size(); ++i) {
        if (device_of[i] == RecordChecks::kNoDevice) continue;
        devices[device_of[i]] = true;
        if (whole_devices[device_of[i]]) points[i] = true;
    }
    return used;
}

std::string unused_message(Kind kind, std::size_t count, std::string_view codes, Language language) {
    switch (kind) {
        case Kind::kSite:
            return say(language, "{} sites have no device: {}", "{} 个站点没有设备：{}", count, codes);
        case Kind::kDeviceType:
            return say(language, "{} device types have no device: {}", "{} 个设备类型没有设备：{}", count,
                       codes);
        case Kind::kDevice:
            return say(language, "{} devices have no point: {}", "{} 台设备没有测点：{}", count, codes);
        case Kind::kPoint:
            return say(language, "{} points are in no task and will not be acquired: {}",
                       "{} 个测点不在任何任务中，不会被采集：{}", count, codes);
        case Kind::kSink:
            return say(language, "{} sinks are used by no task: {}", "{} 个存储没有被任何任务使用：{}", count,
                       codes);
        case Kind::kTask:
            break;
    }
    return {};
}

}  // namespace fieldwarden::supervisor
