#include "worker/sinks/kafka/producer.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace fieldwarden::worker::kafka {

namespace {

// A number as text, in place.
class Digits {
  public:
    explicit Digits(std::uint64_t number)
        : size_(static_cast<std::size_t>(
              std::to_chars(text_.data(), text_.data() + text_.size(), number).ptr - text_.data())) {}
    [[nodiscard]] const char* data() const { return text_.data(); }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    std::array<char, 20> text_{};
    std::size_t size_;
};

// A message carries the place where its report goes.
void take_report(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
    *static_cast<rd_kafka_resp_err_t*>(message->_private) = message->err;
}

}  // namespace

Outcome Producer::start() {
    voice_.forget();
    auto client = make_client(RD_KAFKA_PRODUCER, settings_.producer, voice_, take_report);
    if (!client) return Failure{Trouble::kUnavailable, client.error().message};
    client_ = std::move(*client);
    if (!settings_.exactly_once) return std::nullopt;
    auto left = patience();
    auto failed = in_turns("taking over the transactional id", left, client_.get(),
                           [&](int turn_ms) { return rd_kafka_init_transactions(client_.get(), turn_ms); });
    if (failed) return failed;
    auto reader = CursorReader::make(settings_, voice_);
    if (!reader) return Failure{Trouble::kUnavailable, reader.error().message};
    return reader->read(left, cursor_);
}

Outcome Producer::produce(std::span<const Message> messages, Patience& patience) {
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const auto& message = messages[i];
        const Digits seq{message.seq};
        const Digits n{message.n};
        for (;;) {
            const auto error = rd_kafka_producev(
                client_.get(), RD_KAFKA_V_TOPIC(settings_.topic.c_str()),
                RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
                RD_KAFKA_V_VALUE(const_cast<char*>(message.value.data()), message.value.size()),
                RD_KAFKA_V_HEADER("task", settings_.task_code.data(), settings_.task_code.size()),
                RD_KAFKA_V_HEADER("seq", seq.data(), seq.size()), RD_KAFKA_V_HEADER("n", n.data(), n.size()),
                RD_KAFKA_V_TIMESTAMP(message.time_ms), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                RD_KAFKA_V_OPAQUE(&reports_[i]), RD_KAFKA_V_END);
            if (error == RD_KAFKA_RESP_ERR_NO_ERROR) break;
            if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
                reports_[i] = error;
                // Alone it concerns this message only.
                if (!settings_.exactly_once && trouble_of(error) == Trouble::kData) break;
                return failure_of(error, "sending a message");
            }
            rd_kafka_poll(client_.get(), 20);
            if (auto over = patience.over("sending messages")) return over;
        }
        if (i % 256 == 0) rd_kafka_poll(client_.get(), 0);
    }
    return std::nullopt;
}

Outcome Producer::flush(Patience& patience) {
    while (rd_kafka_flush(client_.get(), 100) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (auto over = patience.over("waiting for acknowledgements")) return over;
    }
    return std::nullopt;
}

// A refused message before anything else: it is the cause, what else failed is its consequence.
Outcome Producer::worst_report() const {
    Outcome worst;
    for (const auto error : reports_) {
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        const auto trouble = trouble_of(error);
        if (!worst || trouble == Trouble::kData) worst = failure_of(error, "storing messages");
        if (trouble == Trouble::kData) break;
    }
    return worst;
}

Outcome Producer::commit(std::uint64_t last_seq, Patience& patience) {
    const auto offsets = cursor_offsets(settings_.topic, static_cast<std::int64_t>(last_seq + 1));
    const std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                          decltype(&rd_kafka_consumer_group_metadata_destroy)>
        group{rd_kafka_consumer_group_metadata_new(settings_.identity.c_str()),
              &rd_kafka_consumer_group_metadata_destroy};
    auto failed = in_turns("adding the cursor to the transaction", patience, client_.get(), [&](int turn_ms) {
        return rd_kafka_send_offsets_to_transaction(client_.get(), offsets.get(), group.get(), turn_ms);
    });
    if (failed) return failed;
    return in_turns("committing the transaction", patience, client_.get(),
                    [&](int turn_ms) { return rd_kafka_commit_transaction(client_.get(), turn_ms); });
}

Outcome Producer::store(std::span<const Message> messages, std::uint64_t last_seq) {
    voice_.forget();
    auto left = patience();
    reports_.assign(messages.size(), RD_KAFKA_RESP_ERR__IN_PROGRESS);
    if (!settings_.exactly_once) {
        auto failed = produce(messages, left);
        if (!failed) failed = flush(left);
        return failed;
    }
    if (auto* error = rd_kafka_begin_transaction(client_.get())) {
        auto failure = failure_of(rd_kafka_error_code(error), "beginning a transaction");
        rd_kafka_error_destroy(error);
        return failure;
    }
    auto failed = produce(messages, left);
    if (!failed) failed = flush(left);
    if (!failed) failed = worst_report();
    if (!failed) failed = commit(last_seq, left);
    if (!failed) {
        cursor_ = last_seq + 1;
        return std::nullopt;
    }
    if (failed->trouble != Trouble::kData) return failed;
    const auto aborted = in_turns("aborting the transaction", left, client_.get(), [&](int turn_ms) {
        return rd_kafka_abort_transaction(client_.get(), turn_ms);
    });
    // Then it is not the data's turn to be judged.
    return aborted ? aborted : failed;
}

}  // namespace fieldwarden::worker::kafka
