// What an answer looks like on the wire: conditional requests (RFC 9110, 13.1.2) and compression (8.4). Pure.
#pragma once

#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor::gateway {

// For an answer 200 to a GET: gives it an entity tag unless it has one, answers 304 when the client has just
// that, and packs what is text and worth it for a client that takes gzip. Any other answer is returned as it
// is.
HttpResponse represent(const HttpRequest& request, HttpResponse response);

}  // namespace fieldwarden::supervisor::gateway
