#include "supervisor/gateway/problem.h"

#include <fmt/format.h>

#include <stdexcept>

namespace fieldwarden::supervisor::gateway {

using proto::Json;

std::string_view reason_phrase(int status) {
    switch (status) {
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 304:
            return "Not Modified";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 422:
            return "Unprocessable Content";
        case 426:
            return "Upgrade Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        default:
            return "Error";
    }
}

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HttpResponse json_response(const Json& json, int status) {
    HttpResponse response;
    response.status = status;
    response.body = dump(json);
    return response;
}

namespace {

HttpResponse problem_document(std::string_view type, int status, std::string_view detail,
                              const std::vector<FieldError>& errors) {
    Json json{
        {"type", type},
        {"title", reason_phrase(status)},
        {"status", status},
        {"detail", detail},
    };
    if (!errors.empty()) {
        Json list = Json::array();
        for (const auto& error : errors) {
            list.push_back({{"field", error.field},
                            {"code", error.code},
                            {"message", error.message},
                            {"value", error.value}});
        }
        json["errors"] = std::move(list);
    }
    auto response = json_response(json, status);
    response.content_type = "application/problem+json";
    return response;
}

}  // namespace

HttpResponse problem(int status, std::string_view detail, const std::vector<FieldError>& errors) {
    return problem_document("about:blank", status, detail, errors);
}

HttpResponse problem_of_type(std::string_view type, int status, std::string_view detail) {
    return problem_document(fmt::format("urn:fieldwarden:{}", type), status, detail, {});
}

HttpResponse problem(const Error& error) {
    switch (error.kind) {
        case ErrorKind::kInvalidArgument:
        case ErrorKind::kCorrupt:
            return problem(422, error.message);
        case ErrorKind::kNotFound:
            return problem(404, error.message);
        case ErrorKind::kConflict:
            return problem(409, error.message);
        case ErrorKind::kTooLarge:
            return problem(413, error.message);
        case ErrorKind::kTimeout:
            return problem(504, error.message);
        case ErrorKind::kUnavailable: {
            auto response = problem(503, error.message);
            response.headers.emplace_back("Retry-After", "2");
            return response;
        }
        case ErrorKind::kBusy: {
            auto response = problem(429, error.message);
            response.headers.emplace_back("Retry-After", "1");
            return response;
        }
        case ErrorKind::kIo:
        case ErrorKind::kInternal:
            return problem(500, error.message);
    }
    return problem(500, error.message);
}

HttpResponse missing(std::string_view noun, std::string_view id) {
    return problem(404, fmt::format("there is no {} '{}'", noun, id.substr(0, 200)));
}

void throw_exception_from_error(const HttpResponse& refusal, const boost::source_location&) {
    throw std::logic_error("value() of a refused call: " + refusal.body);
}

}  // namespace fieldwarden::supervisor::gateway
