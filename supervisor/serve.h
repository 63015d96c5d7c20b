// `fieldwarden serve`: the daemon.
#pragma once

#include <string>

#include "supervisor/settings.h"

namespace fieldwarden::supervisor {

// argv[0] is the verb. Blocks until it is told to stop. Exit codes: 0 stopped as told (or --check found
// nothing), 1 could not start (or --check found something), 2 wrong usage.
//
// SIGTERM, SIGINT: stop all workers within their deadlines, then leave. SIGHUP is ignored.
int serve_main(int argc, char** argv);

// The settings such a daemon would have: flags, environment, the file `config` ("": the usual one when it is
// there), defaults; the data directory as an absolute path.
Settings settings_of_program(const std::string& config, const FlagValues& flags, SettingsProblems& problems);

}  // namespace fieldwarden::supervisor
