// The file of settings: whatever it holds is taken in or complained of, and what is taken in stays in bounds.
#include <cstdlib>

#include "supervisor/settings_keys.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fieldwarden::supervisor;
    Settings settings;
    SettingsProblems problems;
    read_settings_file({reinterpret_cast<const char*>(data), size}, "fieldwarden.toml", settings, problems);
    for (const auto* list : {&problems.errors, &problems.warnings}) {
        for (const auto& text : *list) {
            if (!text.starts_with("fieldwarden.toml:")) std::abort();
        }
    }
    if (settings.worker.spawn_rate == 0 || settings.server.api_threads == 0) std::abort();
    if (settings.worker.heartbeat_interval < std::chrono::milliseconds{100}) std::abort();
    return 0;
}
