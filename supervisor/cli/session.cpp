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

namespace {

std::string line_of(const std::string& path) {
    std::string line;
    std::ifstream file{path};
    std::getline(file, line);
    while (line.ends_with('\r') || line.ends_with(' ')) line.pop_back();
    return line;
}

}  // namespace

Session open_session(const Common& common) {
    // Unreadable or missing: the supervisor's 401 tells what to do.
    const auto token = common.token.empty() ? line_of(data_dir_of(common) + "/admin.token") : common.token;
    // Only a supervisor on this machine is the one the data directory belongs to.
    auto server = common.server;
    const auto scheme = server.find("://");
    const auto host = scheme == std::string::npos ? server : server.substr(scheme + 3);
    const bool here = host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    const auto pin = here && common.ca_file.empty() ? line_of(data_dir_of(common) + "/run/tls_pin") : "";
    if (scheme == std::string::npos) server = (pin.empty() ? "http://" : "https://") + host;
    return {common, ApiClient{server, token, pin, common.ca_file}, colour_wanted()};
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
