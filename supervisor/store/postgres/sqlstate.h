// What an error of PostgreSQL means to a store. Pure.
// Source: PostgreSQL 15, appendix A "PostgreSQL Error Codes".
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::supervisor::postgres {

ErrorKind kind_of(std::string_view sqlstate);
// What to look at, as the end of a sentence ("; check …"); empty when the server's own words are enough.
std::string_view advice_for(std::string_view sqlstate);

// What libpq says of a connection that the server refused, with PQERRORS_VERBOSE:
// "… failed: FATAL:  28P01: password authentication failed for user "x"\nLOCATION:  auth_failed, auth.c:338"
struct Refusal {
    std::string sqlstate;  // empty: it was not the server who refused
    std::string message;
};
Refusal read_refusal(std::string_view text);

// What libpq says of a connection that failed, as the beginning of a sentence that goes on with advice of our
// own: libpq's (its lines that begin with a tab) is left out, several hosts are joined by "; ".
std::string failure_of(std::string_view text);

}  // namespace fieldwarden::supervisor::postgres
