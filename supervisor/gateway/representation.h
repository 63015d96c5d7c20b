// What an answer looks like on the wire: conditional requests (RFC 9110, 13.1.2) and compression (8.4). Pure.
#pragma once

#include <string>
#include <string_view>

#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor::gateway {

// For an answer 200 to a GET: gives it an entity tag unless it has one, answers 304 when the client has just
// that, and packs what is text and worth it for a client that takes gzip. Any other answer is returned as it
// is.
HttpResponse represent(const HttpRequest& request, HttpResponse response);

// The weak entity tag (RFC 9110, 8.8.3) of an answer that `content` determines: the body, or what it is made
// of when that is shorter.
std::string entity_tag(std::string_view content);

// Whether If-None-Match names this tag: a list, compared weakly, or * (RFC 9110, 13.1.2).
bool has_already(std::string_view if_none_match, std::string_view tag);
// Whether Accept-Encoding allows gzip: by name or by *, with a weight above nought (RFC 9110, 12.5.3).
bool takes_gzip(std::string_view accept_encoding);

}  // namespace fieldwarden::supervisor::gateway
