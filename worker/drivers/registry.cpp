// The one table of drivers.
#include <fmt/format.h>

#include "worker/drivers/driver.h"
#include "worker/drivers/mc/mc_driver.h"
#include "worker/drivers/modbus/modbus_driver.h"
#include "worker/module.h"

namespace fieldwarden::worker {

namespace {

struct Entry {
    Protocol protocol;
    // Exactly one of the two.
    Result<std::unique_ptr<Driver>> (*make)(const DeviceConfig&);
    const char* module;
};

constexpr Entry kDrivers[] = {
    {Protocol::kModbusTcp, modbus::make_modbus_tcp, nullptr},
    {Protocol::kModbusRtu, modbus::make_modbus_rtu, nullptr},
    {Protocol::kMitsubishiMc, mc::make_mc, nullptr},
    {Protocol::kMqtt, nullptr, "fieldwarden-mqtt"},
    {Protocol::kOpcUa, nullptr, "fieldwarden-opcua"},
};

}  // namespace

Result<std::unique_ptr<Driver>> make_driver(const DeviceConfig& config) {
    for (const auto& entry : kDrivers) {
        if (entry.protocol != config.protocol) continue;
        return entry.make != nullptr ? entry.make(config) : driver_from_module(entry.module, config);
    }
    std::string known;
    for (const auto& entry : kDrivers)
        known += fmt::format("{}{}", known.empty() ? "" : ", ", to_name(entry.protocol));
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("device {}: this build has no driver for protocol {}; it has {}",
                                  config.device_code, to_name(config.protocol), known));
}

}  // namespace fieldwarden::worker
