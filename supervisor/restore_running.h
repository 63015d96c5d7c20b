// What `fieldwarden restore` does while the supervisor runs: the configuration of the backup goes in as an
// import that replaces, so that it is checked, compared, applied in one transaction and touches no task that
// stays as it is. Accounts, alert rules and records are the running supervisor's own.
#pragma once

#include <string>

#include "supervisor/settings.h"

namespace fieldwarden::supervisor {

// Prints what would change, or what was changed if `replace`. The exit code.
int restore_into_running(const ServerSettings& settings, const std::string& backup, bool replace);

}  // namespace fieldwarden::supervisor
