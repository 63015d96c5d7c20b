#include "common/sink_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace fieldwarden {

namespace {

constexpr auto integer = OptionSpec::integer;
constexpr auto choice = OptionSpec::choice;
constexpr auto boolean = OptionSpec::boolean;
constexpr auto text = [](std::string_view name, std::string_view help, std::string_view fallback = {}) {
    return OptionSpec::text(name, help, fallback);
};

// What every sink beyond this machine takes.
constexpr std::array kCommon{
    integer("timeout_ms", 100, 600'000, "10000", "longest wait for one answer of the store"),
    integer("connect_timeout_ms", 100, 600'000, "5000", "longest wait for a connection"),
    integer("linger_ms", 0, 5'000, "200", "longest wait for a delivery to fill up"),
};
constexpr auto batch_samples = [](std::string_view fallback) {
    return std::array{integer("batch_samples", 1, 100'000, fallback, "samples in one delivery")};
};
constexpr auto kBatch = batch_samples("5000");
// For stores where the end of a delivery costs waiting, whatever it holds: a transaction's round trips, the
// last answers of an MQTT broker.
constexpr auto kLargeBatch = batch_samples("20000");

constexpr std::array kTls{
    text("ca_file", "certificates of the authorities that are trusted; empty: the system's"),
    text("cert_file", "our certificate, where the server wants one"),
    text("key_file", "the private key of cert_file"),
    boolean("verify", "true", "check the server's certificate and host name"),
};

constexpr std::array kInfluxdb{
    text("org", "organisation"),
    text("bucket", "bucket"),
    text("token", "API token"),
    text("measurement", "measurement", "points"),
    boolean("gzip", "true", "compress what is sent"),
};

constexpr std::array kKafka{
    text("topic", "topic", "fieldwarden.points"),
    choice("format", "json|json_lines", "json",
           "json: a message per sample; json_lines: one per device scan"),
    boolean("exactly_once", "true",
            "one transaction per delivery; false: idempotent producer alone, a crash may repeat messages"),
    text("kafka.", "any property of librdkafka, as in kafka.compression.type=lz4"),
};

constexpr std::array kPostgres{
    text("table", "table, or schema.table", "points"),
    text("password", "password of the user in the url"),
};

constexpr std::array kTdengine{
    text("database", "database; made when it is not there", "fieldwarden"),
    text("username", "user name", "root"),
    text("password", "password of the user"),
};

constexpr std::array kMqtt{
    text("topic", "topic; {site}, {device} and {point} stand for the codes",
         "fieldwarden/{site}/{device}/{point}"),
    integer("qos", 0, 1, "1", "quality of service; with 0 nothing is acknowledged and data can be lost"),
    boolean("batch", "false", "true: one message per device scan with all its samples"),
    boolean("retain", "false", "let the broker keep the last message of each topic"),
    choice("version", "3.1.1|5", "3.1.1", "version of MQTT"),
    text("username", "user name"),
    text("password", "password of the user"),
    text("client_id", "client identifier; empty: derived from task and sink"),
    text("status_topic", "topic of the retained online and offline messages",
         "fieldwarden/status/{task}/{sink}"),
    integer("keep_alive_s", 1, 65'535, "15", "longest silence on the connection before it is tested"),
};

}  // namespace

std::span<const SinkType> sink_types() {
    static const auto influxdb = joined({kCommon, kBatch, kTls, kInfluxdb});
    static const auto kafka = joined({kCommon, kLargeBatch, kKafka});
    static const auto postgres = joined({kCommon, kBatch, kPostgres});
    static const auto tdengine = joined({kCommon, kBatch, kTls, kTdengine});
    static const auto mqtt = joined({kCommon, kLargeBatch, kTls, kMqtt});
    static const std::array types{
        SinkType{"history", "", "", {}},
        SinkType{"influxdb", "http://|https://", "http://host:8086", influxdb},
        SinkType{"kafka", "kafka://", "kafka://host:9092,host:9092", kafka},
        SinkType{"postgres", "postgresql://|postgres://", "postgresql://user@host/database", postgres},
        SinkType{"tdengine", "http://|https://", "http://host:6041", tdengine, true},
        SinkType{"mqtt", "mqtt://|mqtts://", "mqtt://host:1883", mqtt},
    };
    return types;
}

const SinkType* find_sink_type(std::string_view name) {
    const auto types = sink_types();
    const auto found =
        std::find_if(types.begin(), types.end(), [&](const auto& type) { return type.name == name; });
    return found == types.end() ? nullptr : &*found;
}

bool has_scheme_of(const SinkType& type, std::string_view url) {
    auto schemes = type.schemes;
    while (!schemes.empty()) {
        const auto bar = std::min(schemes.find('|'), schemes.size());
        if (url.starts_with(schemes.substr(0, bar)) && url.size() > bar) return true;
        schemes.remove_prefix(std::min(bar + 1, schemes.size()));
    }
    return false;
}

Status check_sink(const SinkConfig& sink) {
    const auto refuse = [&](std::string why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("sink {}: {}", sink.sink_code, std::move(why)));
    };
    const auto* type = find_sink_type(sink.type);
    if (type == nullptr) {
        std::string known;
        for (const auto& each : sink_types())
            known += fmt::format("{}{}", known.empty() ? "" : ", ", each.name);
        return refuse(fmt::format("unknown type '{}'; known: {}", sink.type.substr(0, 64), known));
    }
    // The embedded history has no url; what a sheet's cell may say there means nothing.
    if (!type->schemes.empty() && !has_scheme_of(*type, sink.url)) {
        return refuse(fmt::format("the url of a sink of type {} is written as {}", sink.type, type->example));
    }
    if (auto fit = check_options(type->options, sink.type, sink.options); !fit) {
        return refuse(fit.error().message);
    }
    return {};
}

namespace {
std::span<const OptionSpec> options_of(const SinkConfig& sink) {
    const auto* type = find_sink_type(sink.type);
    return type == nullptr ? std::span<const OptionSpec>{} : type->options;
}
}  // namespace

std::string text_option(const SinkConfig& sink, std::string_view name) {
    return text_option(options_of(sink), sink.options, name);
}

std::int64_t integer_option(const SinkConfig& sink, std::string_view name) {
    return integer_option(options_of(sink), sink.options, name);
}

bool boolean_option(const SinkConfig& sink, std::string_view name) {
    return boolean_option(options_of(sink), sink.options, name);
}

}  // namespace fieldwarden
