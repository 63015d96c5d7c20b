#include "worker/sinks/influxdb/influxdb_sink.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/gzip.h"
#include "common/sink_options.h"
#include "worker/sinks/http/http_client.h"
#include "worker/sinks/influxdb/line_protocol.h"
#include "worker/sinks/influxdb/probe.h"
#include "worker/sinks/influxdb/replies.h"

namespace fieldwarden::worker::influxdb {

namespace {

// Enough that a request is always ready when the server has taken the one before.
constexpr std::size_t kRequestsPerDelivery = 4;

class InfluxdbSink : public Sink {
  public:
    InfluxdbSink(const SinkConfig& config, std::unique_ptr<HttpClient> http)
        : http_(std::move(http)),
          lines_(text_option(config, "measurement")),
          org_(text_option(config, "org")),
          bucket_(text_option(config, "bucket")),
          target_(write_target(org_, bucket_)),
          gzip_(boolean_option(config, "gzip")),
          request_samples_(static_cast<std::size_t>(integer_option(config, "batch_samples"))),
          limits_{kRequestsPerDelivery * request_samples_,
                  std::chrono::milliseconds{integer_option(config, "linger_ms")}} {
        if (const auto token = text_option(config, "token"); !token.empty()) {
            headers_.push_back("Authorization: Token " + token);
        }
    }

    // Whether somebody speaks HTTP there; what he thinks of the token shows with the first write.
    Status open() override {
        const auto answer = http_->perform({.target = "/ping", .post = false, .headers = headers_});
        if (!answer) return make_error(answer.error().kind, "influxdb " + answer.error().message);
        return {};
    }

    DeliveryOutcome deliver(const DeliveryBatch& batch) override;
    [[nodiscard]] Limits limits() const override { return limits_; }
    Result<std::string> probe() override { return run_probe(*http_, {org_, bucket_, headers_}); }
    void interrupt() override { http_->interrupt(); }

  private:
    // The records of one request: [begin, end).
    struct Part {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::string body;
        bool packed = false;
    };
    Part encode(const DeliveryBatch& batch, std::size_t first, DeliveryOutcome& outcome);
    void begin(const Part& part);
    // Empty: taken. Otherwise the outcome that says why not.
    std::optional<DeliveryOutcome> finish();

    std::unique_ptr<HttpClient> http_;
    LineEncoder lines_;
    std::string org_;
    std::string bucket_;
    std::string target_;
    bool gzip_;
    std::size_t request_samples_;
    Limits limits_;
    std::vector<std::string> headers_;
};

InfluxdbSink::Part InfluxdbSink::encode(const DeliveryBatch& batch, std::size_t first,
                                        DeliveryOutcome& outcome) {
    Part part{first, first, {}, false};
    std::size_t samples = 0;
    std::string text;
    while (part.end < batch.records.size() && (samples == 0 || samples < request_samples_)) {
        const auto i = part.end++;
        for (const auto& sample : batch.records[i].samples) {
            if (lines_.append(text, batch, sample)) continue;
            // The record's other samples are written all the same.
            outcome.verdicts[i] = Verdict::kRejected;
            if (outcome.reason.empty()) {
                outcome.reason = fmt::format(
                    "influxdb: point {} of this record has no name or a time that InfluxDB cannot hold",
                    sample.point);
            }
        }
        samples += batch.records[i].samples.size();
    }
    if (gzip_ && !text.empty()) part.body = gzipped(text);
    part.packed = !part.body.empty();
    if (!part.packed) part.body = std::move(text);
    return part;
}

// The text of the next request is made while the server works on the one before. A request is sent when the
// one before it was taken, so every point keeps its order.
DeliveryOutcome InfluxdbSink::deliver(const DeliveryBatch& batch) {
    DeliveryOutcome outcome;
    outcome.verdicts.assign(batch.records.size(), Verdict::kAccepted);
    auto part = encode(batch, 0, outcome);
    while (part.begin < batch.records.size()) {
        const bool any = !part.body.empty();
        if (any) begin(part);
        auto next = encode(batch, part.end, outcome);
        if (any) {
            if (auto trouble = finish()) {
                // Those before it are stored; a record that was refused is judged again, with its own reason.
                trouble->verdicts.assign(outcome.verdicts.begin(),
                                         outcome.verdicts.begin() + static_cast<std::ptrdiff_t>(part.begin));
                std::ranges::replace(trouble->verdicts, Verdict::kRejected, Verdict::kKeep);
                return *std::move(trouble);
            }
        }
        part = std::move(next);
    }
    return outcome;
}

void InfluxdbSink::begin(const Part& part) {
    HttpRequest request{.target = target_, .body = part.body, .headers = headers_};
    request.headers.emplace_back("Content-Type: text/plain; charset=utf-8");
    if (part.packed) request.headers.emplace_back("Content-Encoding: gzip");
    http_->begin(request);
}

std::optional<DeliveryOutcome> InfluxdbSink::finish() {
    DeliveryOutcome trouble;
    const auto answer = http_->finish();
    if (!answer) {
        trouble.reason = "influxdb " + answer.error().message;
        return trouble;
    }
    const auto meaning = meaning_of(answer->status);
    if (meaning == Reply::kTaken) return std::nullopt;
    trouble.reason = explain(*http_, *answer);
    trouble.bisect = meaning == Reply::kRefused;
    if (meaning == Reply::kLater) trouble.retry_after = answer->retry_after;
    return trouble;
}

}  // namespace

Result<std::unique_ptr<Sink>> make_influxdb(const SinkConfig& config, const SinkContext& /*context*/) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("sink {}: {}", config.sink_code, why));
    };
    const auto measurement = text_option(config, "measurement");
    // InfluxDB keeps names with '_' for itself and takes a line that begins with '#' for a comment.
    if (measurement.empty() || measurement.front() == '#' || measurement.front() == '_') {
        return refuse("a measurement has a name that does not begin with '#' or '_'");
    }
    // A header is a line: more of them must not come out of an option.
    if (text_option(config, "token").find_first_of("\r\n") != std::string::npos) {
        return refuse("the token holds a line break");
    }
    auto http = HttpClient::make(config);
    if (!http) return http.error();
    return std::unique_ptr<Sink>{std::make_unique<InfluxdbSink>(config, std::move(*http))};
}

}  // namespace fieldwarden::worker::influxdb
