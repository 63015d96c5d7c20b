#include "worker/sinks/mqtt/mqtt_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "common/sink_options.h"
#include "proto/shapes.h"
#include "worker/sinks/mqtt/publisher.h"
#include "worker/sinks/mqtt/topic_template.h"
#include "worker/sinks/sample_json.h"

namespace fieldwarden::worker::mqtt {

using std::chrono::milliseconds;

namespace {

struct Settings : PublisherSettings {
    std::string topic;  // with what is known from the start filled in at each use
    bool batch = false;
    bool retain = false;
    int qos = 1;
    Sink::Limits limits;
};

// Two machines may run the same task on one broker, whose clients must not have one name.
std::string derived_client_id(std::string_view task, std::string_view sink) {
    std::array<char, 256> host{};
    (void)::gethostname(host.data(), host.size() - 1);
    std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
    for (const auto text : {std::string_view{host.data()}, task, sink}) {
        for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
        hash *= 0x100000001b3ULL;
    }
    return fmt::format("fw{:016x}", hash);
}

// Refused for good: MQTT 5.0, section 3.4.2.1, and the topic name, which no later attempt changes.
bool is_final(int reason) {
    return reason == MQTTREASONCODE_NOT_AUTHORIZED || reason == MQTTREASONCODE_TOPIC_NAME_INVALID ||
           reason == MQTTREASONCODE_PACKET_TOO_LARGE || reason == MQTTREASONCODE_QUOTA_EXCEEDED ||
           reason == MQTTREASONCODE_PAYLOAD_FORMAT_INVALID;
}

class MqttSink : public Sink {
  public:
    MqttSink(Settings settings, SinkContext context, std::string sink_code)
        : settings_(std::move(settings)), context_(std::move(context)), sink_code_(std::move(sink_code)) {}

    Status open() override {
        if (publisher_ && publisher_->connected()) return {};
        publisher_.reset();
        auto publisher = std::make_unique<Publisher>(settings_, interrupt_);
        if (auto connected = publisher->connect(); !connected) return connected;
        if (!settings_.status_topic.empty()) {
            const auto answer = publisher->publish({{settings_.status_topic, "online", 1, true}}).front();
            if (!answer.ok && answer.reason == 0) return publisher->trouble();
            if (!answer.ok && context_.log) {
                context_.log(proto::LogLevel::kWarning,
                             fmt::format("sink {}: the broker refuses the birth message on '{}': {}; data is "
                                         "delivered all the same",
                                         sink_code_, settings_.status_topic, reason_text(answer.reason)));
            }
        }
        publisher_ = std::move(publisher);
        return {};
    }

    DeliveryOutcome deliver(const DeliveryBatch& batch) override {
        DeliveryOutcome outcome;
        if (batch.records.empty()) return outcome;
        if (auto opened = open(); !opened) {
            outcome.reason = opened.error().message;
            return outcome;
        }
        messages_.clear();
        ends_.clear();
        for (const auto& record : batch.records) {
            add_messages(batch, record);
            ends_.push_back(messages_.size());
        }
        const auto answers = publish_fitting();
        std::size_t at = 0;
        for (const auto end : ends_) {
            auto verdict = Verdict::kAccepted;
            for (; at < end; ++at) {
                const auto& answer = answers[at];
                if (answer.ok) continue;
                const bool final = is_final(answer.reason);
                if (outcome.reason.empty()) outcome.reason = refusal(messages_[at], answer);
                // What may still be delivered is not given up for what cannot.
                verdict = final && verdict != Verdict::kKeep ? Verdict::kRejected : Verdict::kKeep;
            }
            outcome.verdicts.push_back(verdict);
        }
        // What was not answered may be answered late; a new connection tells the two apart.
        for (const auto& answer : answers) {
            if (answer.ok || answer.reason != 0) continue;
            publisher_.reset();
            break;
        }
        return outcome;
    }

    [[nodiscard]] Limits limits() const override { return settings_.limits; }

    Result<std::string> probe() override {
        // Its own name, or it would throw out the task that runs; no will, because nobody comes or goes.
        PublisherSettings settings = settings_;
        settings.client_id += "-probe";
        settings.status_topic.clear();
        Publisher publisher{settings, interrupt_};
        if (auto connected = publisher.connect(); !connected) return connected.error();
        const auto& peer = settings.broker.peer;
        if (settings_.status_topic.empty()) {
            return fmt::format("signed in to {}:{}; nothing was published, because there is no status_topic",
                               peer.host, peer.port);
        }
        const auto topic = settings_.status_topic + "/probe";
        const auto answer = publisher.publish({{topic, "probe", 1, false}}).front();
        if (!answer.ok && answer.reason == 0) return publisher.trouble();
        if (!answer.ok) {
            return broker_error(
                settings, ErrorKind::kUnavailable,
                fmt::format("the broker refuses a message on '{}': {}", topic, reason_text(answer.reason)));
        }
        return fmt::format("signed in to {}:{}; it acknowledged a message on {}, which it does not keep",
                           peer.host, peer.port, topic);
    }

    void interrupt() override {
        const std::lock_guard lock{interrupt_.mutex};
        interrupt_.set = true;
        interrupt_.changed.notify_all();
    }

  private:
    // The messages of one record, in its order; samples of points without a name have none.
    void add_messages(const DeliveryBatch& batch, const DeliveryRecord& record) {
        const auto first = messages_.size();
        for (const auto& sample : record.samples) {
            const auto* topic = topics_.find(batch, sample.point, [&](const PointIdentity& point) {
                return fill_topic(settings_.topic, {point.site_code, point.device_code, point.point_code,
                                                    context_.task_code, sink_code_});
            });
            if (topic == nullptr) continue;
            if (settings_.batch && messages_.size() > first && messages_.back().topic == *topic) {
                messages_.back().payload += ',';
            } else {
                close_array(first);
                messages_.push_back({*topic, settings_.batch ? "[" : "", settings_.qos, settings_.retain});
            }
            json_.append(messages_.back().payload, batch, sample);
        }
        close_array(first);
    }
    void close_array(std::size_t first) {
        if (settings_.batch && messages_.size() > first) messages_.back().payload += ']';
    }

    // A packet that the broker said it does not take makes it close the connection: it is not sent.
    std::vector<Acknowledgement> publish_fitting() {
        constexpr std::size_t kHeaders = 16;  // fixed header, packet identifier, lengths
        const auto most = publisher_->largest_packet();
        if (most == 0) return publisher_->publish(messages_);
        std::vector<Acknowledgement> answers(messages_.size());
        std::vector<Publisher::Message> fitting;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < messages_.size(); ++i) {
            const auto size = messages_[i].topic.size() + messages_[i].payload.size() + kHeaders;
            if (size > most) {
                answers[i] = {false, MQTTREASONCODE_PACKET_TOO_LARGE};
            } else {
                fitting.push_back(std::move(messages_[i]));
                places.push_back(i);
            }
        }
        const auto given = publisher_->publish(fitting);
        for (std::size_t i = 0; i < places.size(); ++i) {
            answers[places[i]] = given[i];
            messages_[places[i]] = std::move(fitting[i]);
        }
        return answers;
    }

    std::string refusal(const Publisher::Message& message, const Acknowledgement& answer) const {
        if (answer.reason == 0) return publisher_->trouble().message;
        return broker_error(settings_, ErrorKind::kInvalidArgument,
                            fmt::format("the broker refuses a message on '{}': {}", message.topic,
                                        reason_text(answer.reason)))
            .message;
    }

    const Settings settings_;
    const SinkContext context_;
    const std::string sink_code_;
    Publisher::Interrupt interrupt_;
    std::unique_ptr<Publisher> publisher_;
    PointCache<std::string> topics_;
    SampleJson json_;
    std::vector<Publisher::Message> messages_;
    std::vector<std::size_t> ends_;  // of each record's messages
};

}  // namespace

Result<std::unique_ptr<Sink>> make_mqtt_sink(const SinkConfig& config, const SinkContext& context) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("sink {}: {}", config.sink_code, why));
    };
    if (auto fit = check_sink(config); !fit) return fit.error();
    Settings settings;
    auto broker = parse_mqtt_broker(config.url);
    if (!broker) return refuse(broker.error().message);
    settings.broker = std::move(*broker);
    settings.version5 = text_option(config, "version") == "5";
    settings.username = text_option(config, "username");
    settings.password = text_option(config, "password");
    settings.client_id = text_option(config, "client_id");
    if (settings.client_id.empty()) {
        settings.client_id = derived_client_id(context.task_code, config.sink_code);
    }
    settings.keep_alive = std::chrono::seconds{integer_option(config, "keep_alive_s")};
    settings.ca_file = text_option(config, "ca_file");
    settings.cert_file = text_option(config, "cert_file");
    settings.key_file = text_option(config, "key_file");
    settings.verify = boolean_option(config, "verify");
    settings.timeout = milliseconds{integer_option(config, "timeout_ms")};
    settings.connect_timeout = milliseconds{integer_option(config, "connect_timeout_ms")};
    settings.batch = boolean_option(config, "batch");
    settings.retain = boolean_option(config, "retain");
    settings.qos = static_cast<int>(integer_option(config, "qos"));
    settings.limits = {static_cast<std::size_t>(integer_option(config, "batch_samples")),
                       milliseconds{integer_option(config, "linger_ms")}};
    settings.topic = text_option(config, "topic");
    if (auto fine = check_topic_template(settings.topic); !fine) return refuse(fine.error().message);
    if (settings.batch) {
        auto topic = without_point(settings.topic);
        if (!topic) return refuse(topic.error().message);
        settings.topic = std::move(*topic);
    }
    if (const auto status = text_option(config, "status_topic"); !status.empty()) {
        if (auto fine = check_topic_template(status); !fine) return refuse(fine.error().message);
        settings.status_topic = fill_topic(status, {{}, {}, {}, context.task_code, config.sink_code});
    }
    return std::unique_ptr<Sink>{std::make_unique<MqttSink>(std::move(settings), context, config.sink_code)};
}

}  // namespace fieldwarden::worker::mqtt
