#include "worker/sinks/kafka/voice.h"

#include <fmt/format.h>

#include <array>

#include "proto/shapes.h"

namespace fieldwarden::worker::kafka {

namespace {

using proto::LogLevel;

// librdkafka calls a lost connection an error; the flusher says what matters of it, once.
LogLevel level_of(int syslog_level) {
    if (syslog_level <= 2) return LogLevel::kError;
    if (syslog_level <= 4) return LogLevel::kWarning;
    if (syslog_level <= 6) return LogLevel::kInfo;
    return LogLevel::kDebug;
}

}  // namespace

void Voice::say(int level, std::string_view text) const {
    if (log_) log_(level_of(level), fmt::format("librdkafka: {}", text));
}

void Voice::note(rd_kafka_resp_err_t error, std::string_view reason) {
    // "All brokers are down" follows on what brought them down, and says less.
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) return;
    auto failure = failure_of(error, reason);
    const std::lock_guard lock{mutex_};
    if (trouble_ && trouble_->trouble == Trouble::kAccess) return;
    trouble_ = std::move(failure);
}

std::optional<Failure> Voice::trouble() const {
    const std::lock_guard lock{mutex_};
    return trouble_;
}

void Voice::forget() {
    const std::lock_guard lock{mutex_};
    trouble_.reset();
}

void DestroyClient::operator()(rd_kafka_t* client) const {
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

namespace {

using Conf = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

Status fill(rd_kafka_conf_t* conf, const Properties& properties) {
    std::array<char, 512> why{};
    for (const auto& [name, value] : properties) {
        if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) !=
            RD_KAFKA_CONF_OK) {
            return make_error(ErrorKind::kInvalidArgument,
                              fmt::format("librdkafka refuses kafka.{}: {}", name, why.data()));
        }
    }
    return {};
}

}  // namespace

Status check_properties(const Properties& properties) {
    const Conf conf{rd_kafka_conf_new(), &rd_kafka_conf_destroy};
    return fill(conf.get(), properties);
}

Result<Client> make_client(rd_kafka_type_t type, const Properties& properties, Voice& voice,
                           Reports reports) {
    Conf held{rd_kafka_conf_new(), &rd_kafka_conf_destroy};
    auto* conf = held.get();
    if (auto filled = fill(conf, properties); !filled) return filled.error();
    rd_kafka_conf_set_opaque(conf, &voice);
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t* client, int level, const char*, const char* text) {
        static_cast<const Voice*>(rd_kafka_opaque(client))->say(level, text);
    });
    rd_kafka_conf_set_error_cb(conf, [](rd_kafka_t*, int error, const char* reason, void* opaque) {
        static_cast<Voice*>(opaque)->note(static_cast<rd_kafka_resp_err_t>(error), reason);
    });
    if (reports != nullptr) rd_kafka_conf_set_dr_msg_cb(conf, reports);
    std::array<char, 512> why{};
    auto* client = rd_kafka_new(type, conf, why.data(), why.size());
    if (client == nullptr) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("librdkafka refuses the options kafka.*: {}", why.data()));
    }
    static_cast<void>(held.release());  // the client's own now
    return Client{client};
}

}  // namespace fieldwarden::worker::kafka
