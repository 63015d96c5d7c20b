#include "worker/sinks/influxdb/probe.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>

#include "common/clock.h"
#include "worker/sinks/influxdb/replies.h"

namespace fieldwarden::worker::influxdb {

namespace {

using namespace std::chrono_literals;

bool fine(const Result<HttpAnswer>& answer) {
    return answer && answer->status >= 200 && answer->status < 300;
}

// A text within Flux' double quotes; "${" would begin an expression.
std::string flux_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '"' || c == '\\' || c == '$') out += '\\';
        out += c;
    }
    return out;
}

std::vector<std::string> with(const std::vector<std::string>& headers, const char* line) {
    auto all = headers;
    all.emplace_back(line);
    return all;
}

enum class Found { kYes, kNo, kNotOffered };

Found find_by_flux(HttpClient& http, const ProbeTarget& target, const std::string& mark) {
    const auto query = fmt::format(
        R"(from(bucket: "{}") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "{}" and r.mark == "{}"))",
        flux_text(target.bucket), kProbeMeasurement, mark);
    const auto answer =
        http.perform({.target = fmt::format("/api/v2/query?org={}", percent_encoded(target.org)),
                      .body = query,
                      .headers = with(with(target.headers, "Content-Type: application/vnd.flux"),
                                      "Accept: application/csv")});
    if (!fine(answer)) return Found::kNotOffered;
    return answer->body.find(mark) != std::string::npos ? Found::kYes : Found::kNo;
}

bool delete_by_predicate(HttpClient& http, const ProbeTarget& target, const std::string& mark) {
    const auto now = system_clock().utc_now();
    const auto body =
        nlohmann::json{
            {"start", format_rfc3339(now - 1h)},
            {"stop", format_rfc3339(now + 1h)},
            {"predicate", fmt::format(R"(_measurement="{}" AND mark="{}")", kProbeMeasurement, mark)}}
            .dump();
    return fine(
        http.perform({.target = fmt::format("/api/v2/delete?org={}&bucket={}", percent_encoded(target.org),
                                            percent_encoded(target.bucket)),
                      .body = body,
                      .headers = with(target.headers, "Content-Type: application/json")}));
}

// VictoriaMetrics shows what was written some seconds later, or after a flush.
Found find_by_export(HttpClient& http, const ProbeTarget& target, const std::string& selector,
                     const std::string& mark) {
    const auto flushed =
        http.perform({.target = "/internal/force_flush", .post = false, .headers = target.headers});
    if (!fine(flushed)) return Found::kNotOffered;
    const auto answer = http.perform(
        {.target = "/api/v1/export?match[]=" + selector, .post = false, .headers = target.headers});
    if (!fine(answer)) return Found::kNotOffered;
    return answer->body.find(mark) != std::string::npos ? Found::kYes : Found::kNo;
}

bool delete_series(HttpClient& http, const ProbeTarget& target, const std::string& selector) {
    return fine(http.perform(
        {.target = "/api/v1/admin/tsdb/delete_series?match[]=" + selector, .headers = target.headers}));
}

}  // namespace

Result<std::string> run_probe(HttpClient& http, const ProbeTarget& target) {
    const auto mark =
        fmt::format("probe{:08x}{:08x}", std::random_device{}(), static_cast<unsigned>(::getpid()));
    // Queries end with the present, or with its last whole second: a little earlier is seen by all.
    const auto micros = (system_clock().utc_now() - 5s).time_since_epoch().count();
    const auto line = fmt::format("{},mark={} value=42 {}000\n", kProbeMeasurement, mark, micros);
    const auto written =
        http.perform({.target = write_target(target.org, target.bucket),
                      .body = line,
                      .headers = with(target.headers, "Content-Type: text/plain; charset=utf-8")});
    if (!written) return written.error();
    if (!fine(written)) {
        return make_error(ErrorKind::kUnavailable, explain(http, *written));
    }

    auto found = find_by_flux(http, target, mark);
    bool removed = false;
    if (found != Found::kNotOffered) {
        removed = delete_by_predicate(http, target, mark);
    } else {
        const auto selector =
            percent_encoded(fmt::format(R"({{__name__=~"{}.*",mark="{}"}})", kProbeMeasurement, mark));
        found = find_by_export(http, target, selector, mark);
        removed = found == Found::kNotOffered ? delete_by_predicate(http, target, mark)
                                              : delete_series(http, target, selector);
    }
    if (found == Found::kNo) {
        return make_error(
            ErrorKind::kCorrupt,
            fmt::format("influxdb {}: took a record of measurement {} but does not show it; check which "
                        "bucket this token writes to and that its retention period reaches to today",
                        http.host(), kProbeMeasurement));
    }
    return fmt::format(
        "wrote a record of measurement {}, {}, {}", kProbeMeasurement,
        found == Found::kYes ? "read it back"
                             : "could not read it back (the server or the token offers no query)",
        removed ? "removed it" : "could not remove it (the server or the token offers no delete)");
}

}  // namespace fieldwarden::worker::influxdb
