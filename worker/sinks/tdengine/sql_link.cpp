#include "worker/sinks/tdengine/sql_link.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fieldwarden::worker::tdengine {

namespace {

// A super table of 4096 columns is described in less.
constexpr std::size_t kLongestAnswer = 1 << 20;
constexpr std::size_t kLongestReading = 16 << 20;
constexpr std::int64_t kCodeBits = 0xFFFF;

std::string text_of(const nlohmann::json& value) {
    if (value.is_string()) return value.get<std::string>();
    // Nothing structured is asked for; a server's own nesting must not be followed.
    return value.is_null() || value.is_structured() ? std::string{} : value.dump();
}

bool is_access(std::int64_t code) {
    switch (code & kCodeBits) {
        case 0x0207:  // invalid user name
        case 0x0208:  // invalid password
        case 0x0303:  // insufficient privilege
        case 0x0315:  // user is disabled
        case 0x0350:
        case 0x0351:  // invalid user
        case 0x0352:
        case 0x0353:
        case 0x0354:
        case 0x0355:
        case 0x0357:  // authentication failure
        case 0x0358:  // user not available
        case 0x0512:  // no writing privilege
        case 0x2644:  // permission denied
            return true;
        default:
            return false;
    }
}

std::string_view hint_of(Fault fault, std::int64_t code) {
    if (is_access(code)) return "does not let this user in or write; check username, password and its rights";
    switch (fault) {
        case Fault::kNone:
            return "is content";
        case Fault::kRefused:
            return "refuses the statement";
        case Fault::kSchema:
            return "has other tables than expected; they are looked at again";
        case Fault::kDatabase:
            return "does not have the database";
        case Fault::kLater:
            return "cannot serve now";
    }
    return {};
}

std::string_view hint_of_status(long status) {
    switch (status) {
        case 401:
        case 403:
            return "does not let this user in; check username and password";
        case 404:
            return "has no REST interface here; check the url (taosAdapter listens on port 6041)";
        case 503:
            return "is overloaded or not ready";
        default:
            break;
    }
    if (status >= 300 && status < 400) return "redirects to another address; check the url";
    return "does not answer like a TDengine; check the url and taosAdapter";
}

}  // namespace

Fault fault_of(std::int64_t code) {
    code &= kCodeBits;
    if (code == 0) return Fault::kNone;
    if (is_access(code)) return Fault::kLater;
    switch (code) {
        case 0x0380:  // database not specified or available
        case 0x0388:  // database does not exist
        case 0x2404:  // database is dropped
        case 0x2616:  // database not specified
            return Fault::kDatabase;
        case 0x0361:  // super table does not exist
        case 0x036C:  // column does not exist
        case 0x0526:
        case 0x0600:  // invalid table to write
        case 0x0602:  // invalid table schema version
        case 0x0618:  // table does not exist
        case 0x061A:  // super table does not exist
        case 0x061B:
        case 0x2602:  // invalid column name
        case 0x2603:  // table does not exist
        case 0x264B:  // a column can only be made longer: somebody did
        case 0x2662:  // fail to get table info
            return Fault::kSchema;
        case 0x020A:  // table name too long
        case 0x0216:  // syntax error
        case 0x0219:  // statement too long
        case 0x021F:  // invalid column length
        case 0x0224:  // value out of range
        case 0x0364:  // too many tags
        case 0x0365:  // too many columns
        case 0x036F:  // invalid row bytes
        case 0x060B:  // timestamp out of range
        case 0x061D:  // table exists in another super table
            return Fault::kRefused;
        default:
            break;
    }
    if (code == 0x26FF) return Fault::kLater;  // parser: internal error
    // The rest of the parser's errors are about the statement.
    return code >= 0x2600 && code < 0x2700 ? Fault::kRefused : Fault::kLater;
}

bool says_exists(std::int64_t code) {
    switch (code & kCodeBits) {
        case 0x0360:  // super table
        case 0x0369:  // tag
        case 0x036B:  // column
        case 0x0381:  // database
        case 0x0525:  // column
        case 0x0603:  // table
        case 0x0619:  // super table
            return true;
        default:
            return false;
    }
}

SqlReply read_reply(const HttpClient& http, const HttpAnswer& answer) {
    SqlReply reply;
    reply.retry_after = answer.retry_after;
    const auto json = nlohmann::json::parse(answer.body, nullptr, false);
    const auto code = json.is_object() ? json.find("code") : json.end();
    if (!json.is_object() || code == json.end() || !code->is_number_integer()) {
        reply.fault = Fault::kLater;
        reply.reason = fmt::format("tdengine {}: {} (status {}): {}", http.host(),
                                   hint_of_status(answer.status), answer.status, http.excerpt(answer.body));
        return reply;
    }
    reply.code = code->get<std::int64_t>();
    reply.fault = fault_of(reply.code);
    if (reply.fault == Fault::kNone && answer.status / 100 != 2) reply.fault = Fault::kLater;
    if (!reply.good()) {
        const auto desc = json.find("desc");
        reply.reason = fmt::format(
            "tdengine {}: {} (0x{:04x}): {}", http.host(), hint_of(reply.fault, reply.code),
            reply.code & kCodeBits,
            desc != json.end() && desc->is_string() ? http.excerpt(desc->get<std::string>()) : "");
        return reply;
    }
    const auto data = json.find("data");
    if (data == json.end() || !data->is_array()) return reply;
    for (const auto& row : *data) {
        if (!row.is_array()) continue;
        auto& texts = reply.rows.emplace_back();
        for (const auto& value : row) texts.push_back(text_of(value));
    }
    return reply;
}

SqlLink::SqlLink(std::unique_ptr<HttpClient> http, std::string database)
    : http_(std::move(http)), database_(std::move(database)) {}

SqlReply SqlLink::run(std::string_view sql) {
    return post("/rest/sql/" + database_, sql, kLongestAnswer);
}

SqlReply SqlLink::read(std::string_view sql) {
    return post("/rest/sql/" + database_, sql, kLongestReading);
}

SqlReply SqlLink::run_outside(std::string_view sql) {
    return post("/rest/sql", sql, kLongestAnswer);
}

SqlReply SqlLink::post(std::string target, std::string_view sql, std::size_t answer_limit) {
    const auto answer = http_->perform({.target = std::move(target),
                                        .body = sql,
                                        .headers = {"Content-Type: text/plain; charset=utf-8"},
                                        .answer_limit = answer_limit});
    SqlReply reply;
    if (answer && answer->body.size() < answer_limit) return read_reply(*http_, *answer);
    reply.fault = Fault::kLater;
    reply.reason =
        answer ? fmt::format("tdengine {}: the answer is longer than the {} MiB that are taken; ask for less",
                             http_->host(), answer_limit >> 20)
               : "tdengine " + answer.error().message;
    return reply;
}

}  // namespace fieldwarden::worker::tdengine
