#include "supervisor/statistics/device_states.h"

#include <utility>

namespace fieldwarden::supervisor {

std::string_view DeviceStates::current(const Device& device) {
    if (device.has_status) return device.state;
    return device.connected_by.empty() ? kUnknownState : kOnlineState;
}

void DeviceStates::take_plant(StatusPointsPtr points, UtcTime now) {
    points_ = std::move(points);
    auto before = std::exchange(devices_, {});
    devices_.reserve(points_->devices().size());
    for (const auto& each : points_->devices()) {
        Device device;
        if (auto known = before.extract(each.code))
            device.connected_by = std::move(known.mapped().connected_by);
        device.has_status = each.status_point != 0;
        clock_.observe(each.code, now, current(device));
        devices_.emplace(each.code, std::move(device));
    }
    for (const auto& [code, device] : before) clock_.forget(code, now);
}

void DeviceStates::take(std::span<const Sample> samples, UtcTime now) {
    for (const auto& sample : samples) {
        const auto position = points_->device_of(sample.point);
        if (position == StatusPoints::kNone) continue;
        if (sample.quality != Quality::kGood) {
            set_state(position, kUnknownState, now);
            continue;
        }
        const auto state = points_->devices()[position].map->state_of(sample.value);
        set_state(position, state.value_or(kOtherState), now);
    }
}

void DeviceStates::lose(std::span<const PointId> points, UtcTime now) {
    for (const auto point : points) {
        const auto position = points_->device_of(point);
        if (position != StatusPoints::kNone) set_state(position, kUnknownState, now);
    }
}

void DeviceStates::set_state(std::size_t position, std::string_view state, UtcTime now) {
    const auto& code = points_->devices()[position].code;
    auto& device = devices_.at(code);
    if (device.state == state) return;
    device.state = state;
    clock_.observe(code, now, state);
}

void DeviceStates::set_connected(const std::string& task, const std::string& code, bool connected,
                                 UtcTime now) {
    const auto found = devices_.find(code);
    if (found == devices_.end()) return;
    auto& device = found->second;
    if (connected) {
        device.connected_by.insert(task);
    } else {
        device.connected_by.erase(task);
    }
    clock_.observe(code, now, current(device));
}

std::string_view DeviceStates::state_of(const std::string& code) const {
    const auto found = devices_.find(code);
    return found == devices_.end() ? std::string_view{} : current(found->second);
}

std::vector<StateTime> DeviceStates::take_changes(UtcTime now) {
    for (const auto& [code, device] : devices_) clock_.observe(code, now, current(device));
    return clock_.take_changes();
}

}  // namespace fieldwarden::supervisor
