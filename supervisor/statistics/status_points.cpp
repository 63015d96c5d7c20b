#include "supervisor/statistics/status_points.h"

#include <string_view>

#include "supervisor/plant/point_field.h"

namespace fieldwarden::supervisor {

namespace {

struct TypeStatus {
    std::string_view field;
    std::shared_ptr<const StateMap> map;
};

std::unordered_map<std::string_view, TypeStatus> types_with_status(const Plant& plant) {
    std::unordered_map<std::string_view, TypeStatus> types;
    for (const auto& type : plant.of(Kind::kDeviceType).all()) {
        const auto field = cell_of(Kind::kDeviceType, type, "status_point");
        if (field.empty()) continue;
        auto parsed = StateMap::parse(cell_of(Kind::kDeviceType, type, "state_map"));
        auto* map = std::get_if<StateMap>(&parsed);
        if (map == nullptr) continue;
        types.emplace(type.code(), TypeStatus{field, std::make_shared<const StateMap>(std::move(*map))});
    }
    return types;
}

}  // namespace

StatusPoints::StatusPoints(const Plant& plant) {
    const auto types = types_with_status(plant);
    struct Wanted {
        std::size_t device;
        const TypeStatus* status;
    };
    std::unordered_map<std::string_view, Wanted> wanted;  // by code of the device
    for (const auto& device : plant.of(Kind::kDevice).all()) {
        const auto type = types.find(cell_of(Kind::kDevice, device, "type_code"));
        if (type != types.end()) wanted.emplace(device.code(), Wanted{devices_.size(), &type->second});
        devices_.push_back({std::string{device.code()}, 0, nullptr});
    }
    if (wanted.empty()) return;
    const auto device_field = schema_of(Kind::kPoint).index_of("device_code");
    for (const auto& point : plant.of(Kind::kPoint).all()) {
        const auto found = wanted.find(point.cells[device_field]);
        if (found == wanted.end()) continue;
        const auto& [position, status] = found->second;
        auto& device = devices_[position];
        if (device.status_point != 0 || point_field(device.code, point.code()) != status->field) continue;
        const auto id = static_cast<PointId>(point.id);
        device.status_point = id;
        device.map = status->map;
        if (watched_.size() <= id) watched_.resize(std::size_t{id} + 1);
        watched_[id] = true;
        device_of_.emplace(id, position);
    }
}

}  // namespace fieldwarden::supervisor
