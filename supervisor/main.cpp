// The program `fieldwarden`: daemon, simulator and command line client, told apart by the first word.
#include <fmt/format.h>

#include <cstdio>
#include <string_view>
#include <vector>

#include "common/version.h"
#include "supervisor/cli/cli.h"
#include "supervisor/serve.h"
#include "tests/simulator/simulate.h"

namespace {

void print_usage(std::FILE* out) {
    fmt::print(out,
               "fieldwarden {}: industrial data acquisition that does not let go of the data\n"
               "\n"
               "  {:<16} {}\n"
               "  {:<16} {}\n"
               "  {:<16} {}\n"
               "\n"
               "Ask a running supervisor:\n",
               fieldwarden::kVersion, "serve", "Run the supervisor", "simulate", "Run mock devices", "help",
               "Tell more of a verb: fieldwarden help VERB");
    for (const auto& [verb, purpose] : fieldwarden::supervisor::cli_verbs()) {
        fmt::print(out, "  {:<16} {}\n", verb, purpose);
    }
    fmt::print(out, "\nEach has --help. Version: fieldwarden --version.\n");
}

int run(int argc, char** argv) {
    const std::string_view verb = argc > 1 ? argv[1] : "";
    if (verb == "serve") return fieldwarden::supervisor::serve_main(argc - 1, argv + 1);
    if (verb == "simulate") return fieldwarden::simulator::simulate_main(argc - 1, argv + 1);
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
