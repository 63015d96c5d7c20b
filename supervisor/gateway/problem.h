// Errors on the HTTP surface: RFC 9457 problem documents (CONTRACT 3).
#pragma once

#include <boost/system/result.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "supervisor/gateway/http.h"

namespace fieldwarden::supervisor::gateway {

// One member of the request that is wrong.
struct FieldError {
    std::string field;    // "period_ms"; "" for the whole
    std::string code;     // "missing_value", "bad_value": stable, for programs
    std::string message;  // for people
    std::string value;    // what was sent, cut to a readable length
};

// {type, title, status, detail, errors?} as application/problem+json.
HttpResponse problem(int status, std::string_view detail, const std::vector<FieldError>& errors = {});
// … of a type that programs tell apart: "urn:fieldwarden:<type>".
HttpResponse problem_of_type(std::string_view type, int status, std::string_view detail);
// The status that fits the kind of the error.
HttpResponse problem(const Error& error);
HttpResponse missing(std::string_view noun, std::string_view id);  // 404: no <noun> '<id>'

std::string_view reason_phrase(int status);

HttpResponse json_response(const proto::Json& json, int status = 200);
// JSON text that cannot throw: bytes that are not UTF-8 (a log line of a device, say) become U+FFFD.
std::string dump(const proto::Json& json);

// What a step of a handler gives: a value, or the response that refuses the call.
template <class T>
using OrRefusal = boost::system::result<T, HttpResponse>;

// boost::system::result calls this when value() is asked of a refusal: a defect of the caller.
[[noreturn]] void throw_exception_from_error(const HttpResponse& refusal, const boost::source_location&);

}  // namespace fieldwarden::supervisor::gateway
