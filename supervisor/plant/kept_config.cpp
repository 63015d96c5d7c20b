#include "supervisor/plant/kept_config.h"

#include <algorithm>

namespace fieldwarden::supervisor {

namespace {

// The records of `kind` that the list names or that `codes` does, in plant order: with both, the task
// compiles from them as it does from the whole plant.
void take_records(const Plant& plant, Kind kind, std::string_view list, std::vector<const Record*> more,
                  Plant& into) {
    auto records = match_codes(plant.of(kind), list);
    records.insert(records.end(), more.begin(), more.end());
    std::sort(records.begin(), records.end());
    records.erase(std::unique(records.begin(), records.end()), records.end());
    into.of(kind).reserve(records.size());
    for (const auto* record : records) into.of(kind).add(*record);
}

}  // namespace

KeptConfig::KeptConfig(const Plant& plant, TaskConfig config, TaskDefaults defaults)
    : outline_(std::move(config)), defaults_(std::move(defaults)) {
    records_.revision = plant.revision;
    const auto* task = plant.of(Kind::kTask).find(outline_.task_code);
    if (task == nullptr) return;
    records_.of(Kind::kTask).add(*task);
    std::vector<const Record*> devices;
    std::vector<const Record*> points;
    for (auto& device : outline_.devices) {
        if (const auto* record = plant.of(Kind::kDevice).find(device.device_code)) devices.push_back(record);
        for (const auto& point : device.points) {
            if (const auto* record = plant.of(Kind::kPoint).find(point.point_code)) points.push_back(record);
        }
        std::vector<PointConfig>{}.swap(device.points);  // the memory too, which = {} would keep
    }
    take_records(plant, Kind::kDevice, cell_of(Kind::kTask, *task, "devices"), std::move(devices), records_);
    take_records(plant, Kind::kPoint, {}, std::move(points), records_);
    take_records(plant, Kind::kSink, cell_of(Kind::kTask, *task, "sinks"), {}, records_);
}

Result<TaskConfig> KeptConfig::full() const {
    return compile_task(records_, outline_.task_code, defaults_);
}

std::vector<PointId> KeptConfig::point_ids() const {
    std::vector<PointId> ids;
    ids.reserve(points().size());
    for (const auto& point : points()) ids.push_back(static_cast<PointId>(point.id));
    return ids;
}

bool KeptConfig::only_period_differs(const KeptConfig& other) const {
    if (points() != other.points()) return false;
    auto same = other.outline_;
    same.revision = outline_.revision;
    same.period = outline_.period;
    return same == outline_;
}

Result<KeptConfigPtr> keep_config(const TaskCompiler& compiler, std::string_view task_code) {
    auto config = compiler.compile(task_code);
    if (!config) return config.error();
    return KeptConfigPtr{
        std::make_shared<const KeptConfig>(compiler.plant(), std::move(*config), compiler.defaults())};
}

}  // namespace fieldwarden::supervisor
