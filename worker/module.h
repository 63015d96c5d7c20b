// Drivers and sinks whose libraries would slow down the start of every worker (OpenSSL, paho, librdkafka,
// libpqxx, curl) live in modules of their own, loaded by the first device or sink that needs one: what a
// worker links is loaded before its main() (DESIGN, "Spawn"). A module is lib/fieldwarden/<name>.so beside
// the bin/ of the program, and exports one function.
#pragma once

#include <memory>
#include <string_view>

#include "common/task_config.h"
#include "worker/drivers/driver.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

// The exported functions are `extern "C"`, with these names and signatures; they write what they made to
// `out`. Modules are built with the program and never mixed with another build's: C++ types pass.
inline constexpr const char* kDriverEntry = "fieldwarden_make_driver";
using DriverEntry = void (*)(const DeviceConfig& config, Result<std::unique_ptr<Driver>>& out);
inline constexpr const char* kSinkEntry = "fieldwarden_make_sink";
using SinkEntry = void (*)(const SinkConfig& config, const SinkContext& context,
                           Result<std::unique_ptr<Sink>>& out);

// Load the module when it is not loaded yet and make a driver or a sink with it. kInternal: the module is
// missing or does not load. Any thread. Modules stay loaded.
Result<std::unique_ptr<Driver>> driver_from_module(std::string_view module, const DeviceConfig& config);
Result<std::unique_ptr<Sink>> sink_from_module(std::string_view module, const SinkConfig& config,
                                               const SinkContext& context);

}  // namespace fieldwarden::worker
