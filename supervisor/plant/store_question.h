// What a task's sink is asked for when the supervisor needs data that only the sink holds. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "common/task_config.h"
#include "proto/wire.h"

namespace fieldwarden::supervisor {

// About all points of the task, in the sink with this code, or, without one, in the first that can be asked.
// Addresses and options of devices stay out of it. nullopt: the task has no such sink.
std::optional<proto::QueryStore> store_question(TaskConfig config, std::string_view sink_code = {});

// Keeps the points that `wanted` is true for, and no device without one.
template <class Wanted>
void keep_points(proto::QueryStore& question, Wanted wanted) {
    for (auto& device : question.devices) {
        std::erase_if(device.points, [&](const PointConfig& point) { return !wanted(point); });
    }
    std::erase_if(question.devices, [](const DeviceConfig& device) { return device.points.empty(); });
}

}  // namespace fieldwarden::supervisor
