// `fieldwarden serve`: the daemon.
#pragma once

namespace fieldwarden::supervisor {

// argv[0] is the verb. Blocks until it is told to stop. Exit codes: 0 stopped as told (or --check found
// nothing), 1 could not start (or --check found something), 2 wrong usage.
//
// SIGTERM, SIGINT: stop all workers within their deadlines, then leave. SIGHUP is ignored.
int serve_main(int argc, char** argv);

}  // namespace fieldwarden::supervisor
