// Recall: after a cold start, fills the live values that no worker has sent yet with the newest that a sink
// holds, for tasks whose sink can be asked (SinkType::readable). Such values are old, so their quality is
// bad, `stale`, until a worker sends a new one. One question at a time, beside what people ask of probes; a
// store that does not answer is asked again, a bounded number of times.
//
// Threads. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "common/clock.h"
#include "common/result.h"
#include "proto/wire.h"
#include "supervisor/plant/kept_config.h"
#include "supervisor/status/live_values.h"

namespace fieldwarden::supervisor {

class Recall {
  public:
    static constexpr std::chrono::seconds kRetryInterval{30};
    static constexpr unsigned kMostAttempts = 10;

    using Answered = std::function<void(Result<proto::Reply>)>;
    // `subject` is for messages: "sink TD". The answer may come at once.
    using Ask = std::function<void(proto::QueryStore question, std::string subject, Answered done)>;
    using Log = std::function<void(proto::LogLevel, const std::string&)>;

    Recall(LiveValues& live, const Clock& clock, Ask ask, Log log)
        : live_(live), clock_(clock), ask_(std::move(ask)), log_(std::move(log)) {}

    // Does nothing for a task without a sink that can be asked.
    void add(const KeptConfigPtr& config);
    // The task's points changed or are gone: an answer under way is not used any more.
    void forget(std::string_view task_code);
    void tick(MonoTime now);
    [[nodiscard]] bool empty() const { return waiting_.empty() && !asking_; }

  private:
    struct Waiting {
        KeptConfigPtr config;
        MonoTime not_before{};
        unsigned attempts = 0;
    };
    void take(Waiting&& asked, const std::string& subject, Result<proto::Reply> reply);

    LiveValues& live_;
    const Clock& clock_;
    Ask ask_;
    Log log_;
    std::deque<Waiting> waiting_;
    bool asking_ = false;
    std::uint64_t current_ = 0;  // number of the question whose answer counts
    std::string current_task_;
};

}  // namespace fieldwarden::supervisor
