// The program `fieldwarden`: daemon, simulator and command line client, told apart by the first word.
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "common/version.h"
#include "supervisor/cli/cli.h"
#include "supervisor/serve.h"
#include "supervisor/store_tools.h"
#include "tests/simulator/simulate.h"

namespace {

void print_usage(std::FILE* out) {
    fmt::print(out,
               "fieldwarden {}: industrial data acquisition that does not let go of the data\n"
               "\n"
               "  fieldwarden serve       run the supervisor\n"
               "  fieldwarden simulate    run mock devices\n"
               "  fieldwarden backup      write configuration and records into a file, also while it runs\n"
               "  fieldwarden restore     bring them back\n"
               "  fieldwarden migrate-store  move them between SQLite and PostgreSQL\n"
               "  fieldwarden <verb>      ask a running supervisor: import, export, template, status, top, "
               "start, stop,\n"
               "                          pause, resume, restart, logs, points, sessions, timeline, health,\n"
               "                          test-connection, test-storage, watch\n"
               "\n"
               "Each has --help. Version: fieldwarden --version.\n",
               fieldwarden::kVersion);
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == "serve") return fieldwarden::supervisor::serve_main(argc - 1, argv + 1);
    if (verb == "simulate") return fieldwarden::simulator::simulate_main(argc - 1, argv + 1);
    if (verb == "backup") return fieldwarden::supervisor::backup_main(argc - 1, argv + 1);
    if (verb == "restore") return fieldwarden::supervisor::restore_main(argc - 1, argv + 1);
    if (verb == "migrate-store") return fieldwarden::supervisor::migrate_store_main(argc - 1, argv + 1);
    if (verb == "--version" || verb == "-V") {
        fmt::print("fieldwarden {}\n", fieldwarden::kVersion);
        return 0;
    }
    if (verb == "--help" || verb == "-h") {
        print_usage(stdout);
        return 0;
    }
    if (verb.empty() || !fieldwarden::supervisor::is_cli_verb(verb)) {
        if (!verb.empty()) fmt::print(stderr, "fieldwarden: there is no verb '{}'\n\n", verb);
        print_usage(stderr);
        return 2;
    }
    return fieldwarden::supervisor::cli_main(argc, argv);
}
