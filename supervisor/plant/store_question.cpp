#include "supervisor/plant/store_question.h"

#include <algorithm>

#include "common/sink_options.h"

namespace fieldwarden::supervisor {

std::optional<proto::QueryStore> store_question(TaskConfig config, std::string_view sink_code) {
    const auto sink = std::ranges::find_if(config.sinks, [&](const SinkConfig& each) {
        const auto* type = find_sink_type(each.type);
        return type != nullptr && type->readable && (sink_code.empty() || each.sink_code == sink_code);
    });
    if (sink == config.sinks.end()) return std::nullopt;
    proto::QueryStore question;
    question.task_code = std::move(config.task_code);
    question.sink = std::move(*sink);
    question.devices = std::move(config.devices);
    for (auto& device : question.devices) {
        device.address.clear();
        device.options.clear();
        for (auto& point : device.points) point.address.clear();
    }
    return question;
}

}  // namespace fieldwarden::supervisor
