// One producer of librdkafka with its transactions.
//
// A producer that takes over a transactional id finishes or aborts what its predecessor left, and only then
// reads the cursor (cursor.h). After any failure but a refused message the outcome on the server is unknown:
// the producer is thrown away, and the next one finds out.
#pragma once

#include <span>
#include <vector>

#include "worker/sinks/kafka/cursor.h"
#include "worker/sinks/kafka/messages.h"

namespace fieldwarden::worker::kafka {

class Producer {
  public:
    // `settings`, `voice` and `interrupted` outlive the producer.
    Producer(const Settings& settings, Voice& voice, std::atomic<bool>& interrupted)
        : settings_(settings), voice_(voice), interrupted_(interrupted) {}

    // Connects; with transactions, takes over the transactional id and reads the cursor.
    Outcome start();
    // Sequence numbers below are stored; 0 without transactions.
    [[nodiscard]] std::uint64_t cursor() const { return cursor_; }

    // With transactions: stores the messages and moves the cursor behind `last_seq`, all or nothing. kData:
    // nothing is stored and the producer goes on.
    // Without: reports() says of each message whether it is stored.
    Outcome store(std::span<const Message> messages, std::uint64_t last_seq);
    [[nodiscard]] const std::vector<rd_kafka_resp_err_t>& reports() const { return reports_; }

  private:
    Outcome produce(std::span<const Message> messages, Patience& patience);
    Outcome flush(Patience& patience);
    Outcome commit(std::uint64_t last_seq, Patience& patience);
    [[nodiscard]] Outcome worst_report() const;
    [[nodiscard]] Patience patience() const { return {settings_.timeout, voice_, interrupted_}; }

    const Settings& settings_;
    Voice& voice_;
    std::atomic<bool>& interrupted_;
    std::uint64_t cursor_ = 0;
    // One per message in hand, written by the delivery reports, which come on the sink's thread.
    std::vector<rd_kafka_resp_err_t> reports_;
    Client client_;  // last: its end may still report
};

}  // namespace fieldwarden::worker::kafka
