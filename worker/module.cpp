#include "worker/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

namespace fieldwarden::worker {

namespace {

Result<void*> exported(std::string_view module, const char* entry) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto path =
        program.parent_path().parent_path() / "lib" / "fieldwarden" / fmt::format("{}.so", module);
    const auto refuse = [&](const char* why) {
        return make_error(ErrorKind::kInternal,
                          fmt::format("{} does not load: {}; install the package again", path.string(), why));
    };
    if (error) return refuse(error.message().c_str());
    // dlopen counts: the second call finds the module loaded.
    void* const loaded = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (loaded == nullptr) return refuse(dlerror());
    void* const function = dlsym(loaded, entry);
    if (function == nullptr) return refuse(dlerror());
    return function;
}

}  // namespace

Result<std::unique_ptr<Driver>> driver_from_module(std::string_view module, const DeviceConfig& config) {
    const auto entry = exported(module, kDriverEntry);
    if (!entry) {
        return make_error(entry.error().kind,
                          fmt::format("device {}: the driver of {}: {}", config.device_code,
                                      to_name(config.protocol), entry.error().message));
    }
    Result<std::unique_ptr<Driver>> driver{nullptr};
    reinterpret_cast<DriverEntry> (*entry)(config, driver);
    return driver;
}

Result<std::unique_ptr<Sink>> sink_from_module(std::string_view module, const SinkConfig& config,
                                               const SinkContext& context) {
    const auto entry = exported(module, kSinkEntry);
    if (!entry) {
        return make_error(entry.error().kind,
                          fmt::format("sink {}: the sink of type {}: {}", config.sink_code, config.type,
                                      entry.error().message));
    }
    Result<std::unique_ptr<Sink>> sink{nullptr};
    reinterpret_cast<SinkEntry> (*entry)(config, context, sink);
    return sink;
}

}  // namespace fieldwarden::worker
