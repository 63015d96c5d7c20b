// What a control command does to the devices of a server, and the line that answers it.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/simulator/control_command.h"
#include "tests/simulator/device_server.h"

namespace fieldwarden::simulator {

inline std::string refusal_line(const std::string& why) {
    using Json = nlohmann::json;
    return Json{{"ok", false}, {"error", why}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// On the serving thread. `faults_of(device)` is the reference to a device's faults.
template <class Command, class FaultsOf>
std::string apply_command(const Command& command, DeviceServer& server, FaultsOf faults_of) {
    using Json = nlohmann::json;
    if (command.device && *command.device >= server.size())
        return refusal_line(fmt::format("there are {} devices, counted from 0", server.size()));
    Json told = Json::array();
    for (std::size_t i = 0; i < server.size(); ++i) {
        if (command.device && *command.device != i) continue;
        auto& faults = faults_of(i);
        command.apply(faults);
        server.plug(i, !faults.unplugged);
        if (command.drop) server.drop_connections(i);
        const auto counters = server.counters(i);
        told.push_back({{"device", i},
                        {"port", server.ports()[i]},
                        {"requests", counters.requests},
                        {"accepted", counters.accepted},
                        {"connections", counters.connections}});
    }
    return Json{{"ok", true}, {"devices", std::move(told)}}.dump();
}

}  // namespace fieldwarden::simulator
