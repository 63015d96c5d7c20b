#include "worker/sinks/kafka/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "common/sink_options.h"

namespace fieldwarden::worker::kafka {

namespace {

constexpr std::string_view kScheme = "kafka://";
constexpr std::string_view kPrefix = "kafka.";
constexpr std::size_t kLongestTopic = 249;  // Kafka's own limit

// What the sink decides by itself, and what would load foreign code into the worker.
constexpr std::array<std::string_view, 9> kOurs{
    "bootstrap.servers",         "metadata.broker.list", "enable.idempotence",  "group.id",
    "isolation.level",           "plugin.library.paths", "ssl.engine.location", "enable.auto.commit",
    "delivery.report.only.error"};

void set(Properties& properties, std::string_view name, std::string value) {
    std::erase_if(properties, [&](const auto& each) { return each.first == name; });
    properties.emplace_back(name, std::move(value));
}

bool is_topic(std::string_view topic) {
    return !topic.empty() && topic.size() <= kLongestTopic && topic != "." && topic != ".." &&
           std::ranges::all_of(topic, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '.' || c == '_' || c == '-';
           });
}

// Properties of the connection hold for the consumer as well; the others are a producer's.
bool of_connection(std::string_view name) {
    return std::ranges::any_of(
        std::array<std::string_view, 8>{"sasl.", "ssl.", "security.", "socket.", "broker.", "client.",
                                        "enable.sasl.", "enable.ssl."},
        [&](std::string_view prefix) { return name.starts_with(prefix); });
}

}  // namespace

Result<Settings> read_settings(const SinkConfig& config, const SinkContext& context) {
    const auto refuse = [&](std::string why) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("sink {}: {}", config.sink_code, std::move(why)));
    };
    Settings settings;
    settings.sink_code = config.sink_code;
    settings.task_code = context.task_code;
    std::string_view brokers = config.url;
    brokers.remove_prefix(brokers.starts_with(kScheme) ? kScheme.size() : 0);
    while (brokers.ends_with('/')) brokers.remove_suffix(1);
    if (brokers.empty() || brokers.find_first_of("/@ \t") != std::string_view::npos) {
        return refuse(
            "the url of a sink of type kafka is written as kafka://host:9092,host:9092; user and "
            "password are the options kafka.sasl.username and kafka.sasl.password");
    }
    settings.topic = text_option(config, "topic");
    if (!is_topic(settings.topic)) {
        return refuse(fmt::format("option topic='{}': 1 to {} letters, digits, '.', '_' and '-' are wanted",
                                  settings.topic.substr(0, 64), kLongestTopic));
    }
    settings.label = fmt::format("kafka {}, topic {}", brokers, settings.topic);
    settings.lines = text_option(config, "format") == "json_lines";
    settings.exactly_once = boolean_option(config, "exactly_once");
    settings.identity = fmt::format("fieldwarden.{}.{}", context.task_code, config.sink_code);
    settings.timeout = std::chrono::milliseconds{integer_option(config, "timeout_ms")};
    settings.limits.samples = static_cast<std::size_t>(integer_option(config, "batch_samples"));
    settings.limits.linger = std::chrono::milliseconds{integer_option(config, "linger_ms")};

    const auto timeout = settings.timeout.count();
    const auto connect = std::max<std::int64_t>(integer_option(config, "connect_timeout_ms"), 1000);
    auto& both = settings.cursor;
    set(both, "bootstrap.servers", std::string{brokers});
    set(both, "client.id", settings.identity);
    set(both, "socket.connection.setup.timeout.ms", std::to_string(connect));
    set(both, "socket.timeout.ms", std::to_string(std::min<std::int64_t>(timeout, 300'000)));
    set(both, "reconnect.backoff.max.ms", "1000");
    set(both, "log.connection.close", "false");
    settings.producer = both;
    set(both, "isolation.level", "read_committed");  // and only stable offsets
    set(both, "enable.auto.commit", "false");
    auto& producer = settings.producer;
    set(producer, "enable.idempotence", "true");
    set(producer, "compression.type", "lz4");
    set(producer, "linger.ms", "2");
    set(producer, "queue.buffering.max.kbytes", "65536");
    set(producer, "message.timeout.ms", std::to_string(timeout));
    if (settings.exactly_once) {
        set(producer, "transaction.timeout.ms",
            std::to_string(std::max<std::int64_t>(60'000, timeout + 10'000)));
    }
    for (const auto& [option, value] : config.options) {
        if (!option.starts_with(kPrefix)) continue;
        const auto name = option.substr(kPrefix.size());
        if (std::ranges::find(kOurs, name) != kOurs.end()) {
            return refuse(fmt::format("option {} is not to be set: the sink decides it", option));
        }
        if (name == "transactional.id") {
            settings.identity = value;
            continue;
        }
        set(producer, name, value);
        if (of_connection(name)) set(both, name, value);
    }
    if (settings.identity.empty()) return refuse("option kafka.transactional.id is empty");
    set(both, "group.id", settings.identity);
    if (settings.exactly_once) set(producer, "transactional.id", settings.identity);
    return settings;
}

}  // namespace fieldwarden::worker::kafka
