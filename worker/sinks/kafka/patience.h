// Waiting for librdkafka: its calls block for as long as they are told, so they are told to take short turns,
// between which the deadline and the interruption are looked at.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>

#include "worker/sinks/kafka/voice.h"

namespace fieldwarden::worker::kafka {

// Nothing: done.
using Outcome = std::optional<Failure>;
using Deadline = std::chrono::steady_clock::time_point;

class Patience {
  public:
    Patience(std::chrono::milliseconds limit, Voice& voice, std::atomic<bool>& interrupted)
        : limit_(limit),
          deadline_(std::chrono::steady_clock::now() + limit),
          voice_(voice),
          interrupted_(interrupted) {}

    // Why to give up waiting for `what`, if there is a reason.
    [[nodiscard]] Outcome over(std::string_view what);
    // How long the next turn may be: short ones first, so that an interruption is soon seen; then longer, for
    // calls that begin anew with every turn.
    int turn_ms();

  private:
    std::chrono::milliseconds limit_;
    Deadline deadline_;
    Voice& voice_;
    std::atomic<bool>& interrupted_;
    std::chrono::milliseconds turn_{200};
};

// Calls `call(turn_ms)` until it returns null, or an error that another turn does not mend.
template <class Call>
Outcome in_turns(std::string_view what, Patience& patience, rd_kafka_t* client, Call call) {
    for (;;) {
        rd_kafka_error_t* error = call(patience.turn_ms());
        rd_kafka_poll(client, 0);
        if (error == nullptr) return std::nullopt;
        auto failure = failure_of(rd_kafka_error_code(error), what);
        const bool again = rd_kafka_error_is_retriable(error) != 0;
        const bool timed_out = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT;
        rd_kafka_error_destroy(error);
        if (!again) return failure;
        if (auto over = patience.over(what)) return over;
        // An error that comes at once must not be asked for in a loop.
        if (!timed_out) rd_kafka_poll(client, 50);
    }
}

}  // namespace fieldwarden::worker::kafka
