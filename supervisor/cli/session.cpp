// The session of one invocation: where the supervisor is and what the caller may do.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

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

Common with_environment(Common common) {
    const auto fill = [](std::string& value, const char* name) {
        const char* given = std::getenv(name);
        if (value.empty() && given != nullptr) value = given;
    };
    fill(common.server, "FIELDWARDEN_SERVER");
    fill(common.token, "FIELDWARDEN_TOKEN");
    fill(common.data_dir, "FIELDWARDEN_SERVER_DATA_DIR");
    fill(common.ca_file, "FIELDWARDEN_CA_FILE");
    if (common.server.empty()) common.server = "127.0.0.1:8700";
    return common;
}

Session open_session(const Common& common) {
    // Unreadable or missing: the supervisor's 401 tells what to do.
    const auto token =
        common.token.empty() ? first_line_of(data_dir_of(common) + "/admin.token") : common.token;
    // Only a supervisor on this machine is the one the data directory belongs to.
    auto server = common.server;
    const auto scheme = server.find("://");
    const auto host = scheme == std::string::npos ? server : server.substr(scheme + 3);
    const bool here = host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    const auto pin_file =
        here && common.ca_file.empty() ? data_dir_of(common) + "/run/tls_pin" : std::string{};
    if (scheme == std::string::npos)
        server = (first_line_of(pin_file).empty() ? "http://" : "https://") + host;
    return {common, ApiClient{server, token, pin_file, common.ca_file}, colour_wanted()};
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
