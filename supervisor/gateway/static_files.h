// The web console's files over HTTP. Every path that is none of the API's belongs to the console: a file of
// it, or a page that its own router shows from index.html.
//
// Threads: pure, from any.
#pragma once

#include <string>
#include <vector>

#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor::gateway {

// Whether a path without a route of its own is the console's to answer: not under /api or /ws, not a file
// that is not there, and this build has a console. `segments` as Target has them.
bool is_console_path(const std::vector<std::string>& segments);

// The answer to GET `request.path`: compressed when the client takes gzip, 304 when it has it already. Pages
// carry a policy that lets the browser load from this server alone.
HttpResponse serve_console(const HttpRequest& request);

bool has_console();

}  // namespace fieldwarden::supervisor::gateway
