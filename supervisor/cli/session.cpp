// The session of one invocation: where the supervisor is and what the caller may do.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "supervisor/cli/cli.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

std::string data_dir_of(const Common& common) {
    if (!common.data_dir.empty()) return common.data_dir;
    if (::geteuid() == 0) return "/var/lib/fieldwarden";
    const char* home = std::getenv("HOME");
    return std::string{home == nullptr ? "" : home} + "/.local/share/fieldwarden";
}

Session open_session(const Common& common) {
    std::string token = common.token;
    if (token.empty()) {
        // Unreadable or missing: the supervisor's 401 tells what to do.
        std::ifstream file{data_dir_of(common) + "/admin.token"};
        std::getline(file, token);
        while (token.ends_with('\r') || token.ends_with(' ')) token.pop_back();
    }
    return {common, ApiClient{common.server, std::move(token)}, colour_wanted()};
}

int fail(const Error& error) {
    fmt::print(stderr, "fieldwarden: {}\n", printable(error.message));
    return error.kind == ErrorKind::kUnavailable ? kExitUnreachable : kExitFailed;
}

int print_json(const Json& value) {
    fmt::print("{}\n", value.dump(2, ' ', false, Json::error_handler_t::replace));
    return kExitDone;
}

}  // namespace fieldwarden::supervisor::cli
