#include "worker/sinks/kafka/trouble.h"

#include <fmt/format.h>

namespace fieldwarden::worker::kafka {

// librdkafka has some two hundred codes and every version adds more: what is not named here is worth another
// attempt.
Trouble trouble_of(rd_kafka_resp_err_t error) {
    switch (static_cast<int>(error)) {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
        case RD_KAFKA_RESP_ERR_INVALID_MSG:
        case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
        case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
        case RD_KAFKA_RESP_ERR_INVALID_RECORD:
            return Trouble::kData;
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR__SSL:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return Trouble::kAccess;
        case RD_KAFKA_RESP_ERR__FATAL:
        case RD_KAFKA_RESP_ERR__FENCED:
        case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
        case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
        case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
            return Trouble::kFenced;
        default:
            return Trouble::kUnavailable;
    }
}

std::string_view advice_for(rd_kafka_resp_err_t error) {
    switch (static_cast<int>(error)) {
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
        case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return "create the topic, or let the servers create topics";
        case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
            return "check kafka.security.protocol, kafka.sasl.mechanism, user and password";
        case RD_KAFKA_RESP_ERR__SSL:
            return "check the options kafka.ssl.*";
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
            return "the user needs WRITE and DESCRIBE on the topic";
        case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
            return "the user needs READ on the group of the cursor, or exactly_once=false";
        case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
        case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return "the user needs WRITE and DESCRIBE on the transactional id, or exactly_once=false";
        case RD_KAFKA_RESP_ERR__FENCED:
        case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
        case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
            return "another producer has taken over this transactional id; two sinks must not share one "
                   "(kafka.transactional.id)";
        default:
            return "";
    }
}

Failure failure_of(rd_kafka_resp_err_t error, std::string_view what) {
    auto message = fmt::format("{}: {} ({})", what, rd_kafka_err2str(error), rd_kafka_err2name(error));
    if (const auto advice = advice_for(error); !advice.empty()) message += fmt::format("; {}", advice);
    return {trouble_of(error), std::move(message)};
}

}  // namespace fieldwarden::worker::kafka
