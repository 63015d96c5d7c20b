// Drivers whose libraries would slow down the start of every worker (OpenSSL, paho) live in modules of their
// own, loaded by the first device that needs one: what a worker links is loaded before its main() (DESIGN,
// "Spawn"). A module is lib/fieldwarden/<name>.so beside the bin/ of the program, and exports one function.
#pragma once

#include <memory>

#include "common/task_config.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker {

// The name of the exported function; `extern "C"`, with the signature below. It writes the driver to `out`.
// Modules are built with the program and never mixed with another build's: C++ types pass.
inline constexpr const char* kDriverEntry = "fieldwarden_make_driver";
using DriverEntry = void (*)(const DeviceConfig& config, Result<std::unique_ptr<Driver>>& out);

// Loads the module when it is not loaded yet and makes a driver with it. kInternal: the module is missing or
// does not load. Any thread. Modules stay loaded.
Result<std::unique_ptr<Driver>> make_from_module(const char* name, const DeviceConfig& config);

}  // namespace fieldwarden::worker
