#include "worker/sinks/influxdb/replies.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fieldwarden::worker::influxdb {

namespace {

// Errors are {"code": …, "message": …}; what is not JSON (a proxy's page) is quoted as it is.
std::string message_of(const std::string& body) {
    const auto json = nlohmann::json::parse(body, nullptr, false);
    if (!json.is_object()) return body;
    for (const char* key : {"message", "error"}) {
        if (const auto text = json.find(key); text != json.end() && text->is_string()) {
            return text->get<std::string>();
        }
    }
    return body;
}

std::string_view hint_of(long status) {
    switch (status) {
        case 400:
        case 422:
            return "refuses the data";
        case 401:
            return "does not accept the token; check the option token";
        case 403:
            return "the token may not write to this bucket; give it write access";
        case 404:
            return "knows no such organisation or bucket; check the options org and bucket and the url";
        case 413:
            return "finds the batch too large; batch_samples can be lowered";
        case 429:
            return "asks to write less often";
        case 503:
            return "is overloaded or not ready";
        default:
            break;
    }
    if (status >= 300 && status < 400) return "redirects to another address; check the url";
    return status >= 500 ? "has failed" : "does not take writes this way; check the url";
}

}  // namespace

Reply meaning_of(long status) {
    if (status >= 200 && status < 300) return Reply::kTaken;
    if (status == 400 || status == 413 || status == 422) return Reply::kRefused;
    return Reply::kLater;
}

std::string write_target(std::string_view org, std::string_view bucket) {
    return fmt::format("/api/v2/write?org={}&bucket={}&precision=ns", percent_encoded(org),
                       percent_encoded(bucket));
}

std::string explain(const HttpClient& http, const HttpAnswer& answer) {
    const auto said = http.excerpt(message_of(answer.body));
    return fmt::format("influxdb {}: {} (status {}){}{}", http.host(), hint_of(answer.status), answer.status,
                       said.empty() ? "" : ": ", said);
}

}  // namespace fieldwarden::worker::influxdb
