// The program `fieldwarden`: daemon, simulator and command line client, told apart by the first word.
#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include "common/version.h"
#include "supervisor/cli/cli.h"
#include "supervisor/serve.h"
#include "supervisor/store_tools.h"
#include "tests/simulator/simulate.h"

namespace {

struct OwnVerb {
    std::string_view verb;
    std::string_view purpose;
    int (*run)(int argc, char** argv);  // argv[0] is the verb
};
constexpr std::array kOwnVerbs{
    OwnVerb{"serve", "Run the supervisor", fieldwarden::supervisor::serve_main},
    OwnVerb{"simulate", "Run mock devices", fieldwarden::simulator::simulate_main},
    OwnVerb{"backup", "Write configuration and records into a file", fieldwarden::supervisor::backup_main},
    OwnVerb{"restore", "Bring back what backup wrote", fieldwarden::supervisor::restore_main},
    OwnVerb{"migrate-store", "Copy a store between SQLite and PostgreSQL",
            fieldwarden::supervisor::migrate_store_main},
};

void print_usage(std::FILE* out) {
    fmt::print(out,
               "fieldwarden {}: industrial data acquisition that does not let go of the data\n"
               "\n"
               "On this machine:\n",
               fieldwarden::kVersion);
    for (const auto& own : kOwnVerbs) fmt::print(out, "  {:<16} {}\n", own.verb, own.purpose);
    fmt::print(out, "  {:<16} {}\n\nAsk a running supervisor:\n", "help",
               "Tell more of a verb: fieldwarden help VERB");
    for (const auto& [verb, purpose] : fieldwarden::supervisor::cli_verbs()) {
        fmt::print(out, "  {:<16} {}\n", verb, purpose);
    }
    fmt::print(out, "\nEach has --help. Version: fieldwarden --version.\n");
}

int run(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    for (const auto& own : kOwnVerbs) {
        if (verb == own.verb) return own.run(argc - 1, argv + 1);
    }
    if (verb == "--version" || verb == "-V") {
        fmt::print("fieldwarden {}\n", fieldwarden::kVersion);
        return 0;
    }
    if (verb == "help" && argc > 2) {
        // `help VERB INNER` is `VERB INNER --help`.
        std::vector<char*> asked{argv[0]};
        asked.insert(asked.end(), argv + 2, argv + argc);
        char flag[] = "--help";
        asked.push_back(flag);
        return run(static_cast<int>(asked.size()), asked.data());
    }
    if (verb == "help" || verb == "--help" || verb == "-h") {
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

}  // namespace

int main(int argc, char** argv) {
    return run(argc, argv);
}
