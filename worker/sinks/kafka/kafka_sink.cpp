#include "worker/sinks/kafka/kafka_sink.h"

#include <fmt/format.h>

#include <algorithm>

#include "worker/sinks/kafka/producer.h"

namespace fieldwarden::worker::kafka {

namespace {

class KafkaSink : public Sink {
  public:
    KafkaSink(Settings settings, const SinkContext& context)
        : settings_(std::move(settings)), voice_(context.log) {}

    Status open() override {
        if (const auto failed = make_ready()) {
            return make_error(ErrorKind::kUnavailable, explain(*failed));
        }
        return {};
    }
    DeliveryOutcome deliver(const DeliveryBatch& batch) override;
    [[nodiscard]] Limits limits() const override { return settings_.limits; }
    Result<std::string> probe() override;
    void interrupt() override { interrupted_ = true; }

  private:
    Outcome make_ready();
    // Verdicts of the records whose messages are on their way, by what became of each message.
    void judge_each(const std::vector<Message>& messages, DeliveryOutcome& outcome) const;
    [[nodiscard]] std::string explain(const Failure& failure) const {
        return fmt::format("{}: {}", settings_.label, failure.message);
    }

    Settings settings_;
    Voice voice_;
    std::atomic<bool> interrupted_{false};
    MessageWriter writer_;
    std::unique_ptr<Producer> producer_;
};

Outcome KafkaSink::make_ready() {
    if (producer_ != nullptr) return std::nullopt;
    auto producer = std::make_unique<Producer>(settings_, voice_, interrupted_);
    if (auto failed = producer->start()) return failed;
    producer_ = std::move(producer);
    return std::nullopt;
}

void KafkaSink::judge_each(const std::vector<Message>& messages, DeliveryOutcome& outcome) const {
    for (std::size_t i = 0; i < messages.size(); ++i) {
        const auto error = producer_->reports()[i];
        if (error == RD_KAFKA_RESP_ERR_NO_ERROR) continue;
        const auto failure = failure_of(error, "storing a message");
        auto& verdict = outcome.verdicts[messages[i].record];
        // A record is refused as a whole, unless something else of it may still arrive.
        if (failure.trouble != Trouble::kData) {
            verdict = Verdict::kKeep;
        } else if (verdict == Verdict::kAccepted) {
            verdict = Verdict::kRejected;
        }
        if (outcome.reason.empty()) outcome.reason = explain(failure);
    }
}

DeliveryOutcome KafkaSink::deliver(const DeliveryBatch& batch) {
    DeliveryOutcome outcome;
    if (batch.records.empty()) return outcome;
    outcome.verdicts.assign(batch.records.size(), Verdict::kAccepted);
    const auto keep = [&](const Failure& failure) {
        for (auto& verdict : outcome.verdicts) {
            if (verdict == Verdict::kAccepted) verdict = Verdict::kKeep;
        }
        outcome.reason = explain(failure);
    };
    if (const auto failed = make_ready()) {
        keep(*failed);
        return outcome;
    }
    std::vector<Message> messages;
    std::size_t samples = 0;
    for (const auto& record : batch.records) samples += record.samples.size();
    if (!settings_.lines) messages.reserve(samples);
    std::uint64_t last_seq = 0;
    for (std::size_t i = 0; i < batch.records.size(); ++i) {
        const auto& record = batch.records[i];
        const auto before = messages.size();
        // Before the cursor is looked at: whether a refused record has reached the dead letters it cannot
        // tell.
        if (!writer_.append(messages, batch, i, settings_.lines)) {
            outcome.verdicts[i] = Verdict::kRejected;
            if (outcome.reason.empty()) {
                outcome.reason =
                    fmt::format("{}: record {} has samples of a point about which nothing is known",
                                settings_.label, record.seq);
            }
        } else if (!batch.again && record.seq < producer_->cursor()) {
            messages.erase(messages.begin() + static_cast<std::ptrdiff_t>(before), messages.end());
        } else {
            last_seq = record.seq;
        }
    }
    if (messages.empty()) return outcome;
    if (batch.again) last_seq = std::max<std::uint64_t>(producer_->cursor(), 1) - 1;
    const auto failed = producer_->store(messages, last_seq);
    if (!settings_.exactly_once) {
        judge_each(messages, outcome);
        if (failed) outcome.reason = explain(*failed);
        if (failed || std::ranges::find(outcome.verdicts, Verdict::kKeep) != outcome.verdicts.end()) {
            producer_.reset();
        }
        return outcome;
    }
    if (!failed) return outcome;
    keep(*failed);
    outcome.bisect = failed->trouble == Trouble::kData;
    if (!outcome.bisect) producer_.reset();
    return outcome;
}

Result<std::string> KafkaSink::probe() {
    // A log keeps what it is sent: nothing is.
    auto reader = CursorReader::make(settings_, voice_);
    if (!reader)
        return make_error(ErrorKind::kInvalidArgument, settings_.label + ": " + reader.error().message);
    voice_.forget();
    Patience patience{settings_.timeout, voice_, interrupted_};
    int partitions = 0;
    std::uint64_t cursor = 0;
    auto failed = reader->count_partitions(patience, partitions);
    if (!failed && partitions > 0 && settings_.exactly_once) failed = reader->read(patience, cursor);
    if (failed) return make_error(ErrorKind::kUnavailable, explain(*failed));
    if (partitions == 0) {
        return fmt::format(
            "{}: connected; the topic is not there yet: create it, or let the servers make it with the first "
            "delivery",
            settings_.label);
    }
    return fmt::format(
        "{}: connected, the topic has {} partitions{}; nothing was written, because a topic keeps "
        "what it is sent",
        settings_.label, partitions, settings_.exactly_once ? ", the cursor can be read" : "");
}

// Whether librdkafka takes the properties together. Without a server it connects to nothing; where it would
// read certificates or start a helper, it is asked when the sink is opened.
Status check_together(Properties properties) {
    std::erase_if(properties, [](const auto& each) { return each.first == "bootstrap.servers"; });
    const bool far_reaching = std::ranges::any_of(properties, [](const auto& each) {
        return each.first.starts_with("ssl.") || each.first.starts_with("sasl.") ||
               each.first.starts_with("security.");
    });
    if (far_reaching) return {};
    Voice silent{{}};
    const auto client = make_client(RD_KAFKA_PRODUCER, properties, silent);
    return client ? Status{} : Status{client.error()};
}

}  // namespace

Result<std::unique_ptr<Sink>> make_kafka_sink(const SinkConfig& config, const SinkContext& context) {
    auto settings = read_settings(config, context);
    if (!settings) return settings.error();
    for (const auto& fits : {check_properties(settings->producer), check_properties(settings->cursor),
                             check_together(settings->producer)}) {
        if (!fits) {
            return make_error(fits.error().kind,
                              fmt::format("sink {}: {}", config.sink_code, fits.error().message));
        }
    }
    return std::unique_ptr<Sink>{std::make_unique<KafkaSink>(std::move(*settings), context)};
}

}  // namespace fieldwarden::worker::kafka
