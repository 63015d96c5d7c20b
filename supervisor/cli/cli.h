// The command line client: the verbs of CONTRACT 1, spoken through the supervisor's HTTP API.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fieldwarden::supervisor {

// Exit codes, the same for every verb.
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;  // the supervisor does not answer

bool is_cli_verb(std::string_view word);
// Every verb and what it is for, in the order of the manual.
std::vector<std::pair<std::string, std::string>> cli_verbs();

// Runs `fieldwarden <verb> …`; argv[1] is the verb. Without one, or with --help, prints what there is.
int cli_main(int argc, char** argv);

}  // namespace fieldwarden::supervisor
