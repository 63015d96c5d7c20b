#include "supervisor/console/console_files.h"

namespace fieldwarden::supervisor::console {

std::span<const ConsoleFile> console_files() {
    return {};
}

}  // namespace fieldwarden::supervisor::console
