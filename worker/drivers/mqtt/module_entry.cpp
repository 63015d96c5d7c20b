#include "worker/drivers/mqtt/mqtt_driver.h"
#include "worker/module.h"

extern "C" __attribute__((visibility("default"))) void fieldwarden_make_driver(
    const fieldwarden::DeviceConfig& config,
    fieldwarden::Result<std::unique_ptr<fieldwarden::worker::Driver>>& out) {
    out = fieldwarden::worker::mqtt::make_mqtt(config);
}
