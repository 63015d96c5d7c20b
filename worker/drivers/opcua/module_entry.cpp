// The module's one exported function (module.h).
#include "worker/drivers/opcua/opcua_driver.h"
#include "worker/module.h"

extern "C" __attribute__((visibility("default"))) void fieldwarden_make_driver(
    const fieldwarden::DeviceConfig& config,
    fieldwarden::Result<std::unique_ptr<fieldwarden::worker::Driver>>& out) {
    out = fieldwarden::worker::opcua::make_opcua(config);
}
