// Where the database is: a URL of libpq, read once.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/result.h"

namespace fieldwarden::supervisor::postgres {

struct Address {
    // Keywords and values of a connection (libpq, "Parameter Key Words"): those of the URL, then ours. Holds
    // the password: never shown.
    std::vector<std::pair<std::string, std::string>> connection;
    std::string label;  // "postgres 10.0.0.7:5432/plant": for messages, without secrets
    std::string name;   // of this program on the server's side: application_name, unique to this opening
};

// kInvalidArgument without the URL's text, which may hold a password. What the URL leaves out comes from the
// environment (PGPASSWORD, PGPASSFILE, …) or ~/.pgpass, as libpq has it. Touches no network.
Result<Address> read_address(std::string_view url);

}  // namespace fieldwarden::supervisor::postgres
