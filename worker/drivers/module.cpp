#include "worker/drivers/module.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

namespace fieldwarden::worker {

Result<std::unique_ptr<Driver>> make_from_module(const char* name, const DeviceConfig& config) {
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto path =
        program.parent_path().parent_path() / "lib" / "fieldwarden" / fmt::format("{}.so", name);
    const auto refuse = [&](const char* why) {
        return make_error(
            ErrorKind::kInternal,
            fmt::format("device {}: the driver of {} is in {}, which does not load: {}; install "
                        "the package again",
                        config.device_code, to_name(config.protocol), path.string(), why));
    };
    if (error) return refuse(error.message().c_str());
    // dlopen counts: the second call finds the module loaded.
    void* const module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == nullptr) return refuse(dlerror());
    const auto entry = reinterpret_cast<DriverEntry>(dlsym(module, kDriverEntry));
    if (entry == nullptr) return refuse(dlerror());
    Result<std::unique_ptr<Driver>> driver{nullptr};
    entry(config, driver);
    return driver;
}

}  // namespace fieldwarden::worker
