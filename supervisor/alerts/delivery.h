// Delivery: carries notifications to their channels on a thread of its own.
//
// Each channel has a queue of its own, so that one that does not answer holds up the others by one timeout at
// most. What fails and may pass is tried again with growing delays, in order; a refusal for good and a
// notification that has been tried often enough are given up. A full queue drops its oldest notification.
// Everything given up or dropped is counted and said in the log.
//
// Threads. All methods are thread safe and do not wait for a delivery; the destructor waits for what is
// queued, but not longer than `last_chance`.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/backoff.h"
#include "supervisor/alerts/alert_engine.h"
#include "supervisor/alerts/notifier.h"

namespace fieldwarden::supervisor {

struct DeliverySettings {
    BackoffPolicy backoff{milliseconds{1'000}, milliseconds{60'000}, 0.25};
    unsigned most_attempts = 10;
    std::size_t most_waiting = 500;  // per channel
    milliseconds last_chance{3'000};
};

struct ChannelVitals {
    std::string code;
    std::uint64_t sent = 0;
    std::uint64_t failed = 0;   // given up
    std::uint64_t dropped = 0;  // pushed out of a full queue, or its channel was removed
    std::size_t waiting = 0;
    std::string last_error;  // of the last attempt; "" after a success
};

class Delivery {
  public:
    using MakeNotifier = std::function<std::unique_ptr<Notifier>(const AlertChannel& channel)>;
    Delivery(MakeNotifier make, AlertLog log, DeliverySettings settings = {});
    ~Delivery();
    Delivery(const Delivery&) = delete;
    Delivery& operator=(const Delivery&) = delete;

    // Those that are disabled or missing get nothing any more; what waits for them is dropped.
    void set_channels(const std::vector<AlertChannel>& channels);
    void submit(const std::vector<Notification>& notifications);
    [[nodiscard]] std::vector<ChannelVitals> vitals() const;

  private:
    struct Channel {
        AlertChannel config;
        std::shared_ptr<Notifier> notifier;  // null: disabled
        std::deque<proto::Alert> waiting;
        unsigned attempts = 0;  // of the first one
        MonoTime due{};
        ChannelVitals vitals;
    };
    void run();
    void deliver_one(std::unique_lock<std::mutex>& lock, const std::string& code);
    void put(Channel& channel, const proto::Alert& alert);
    std::optional<std::string> next_due(MonoTime now, MonoTime& wake) const;
    [[nodiscard]] bool nothing_waits() const;

    const MakeNotifier make_;
    const AlertLog log_;
    const DeliverySettings settings_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::map<std::string, Channel> channels_;
    std::string last_served_;
    bool stopping_ = false;
    MonoTime stop_at_{};
    std::atomic<bool> abandon_{false};  // a transfer under way is to give up
    std::thread thread_;
};

}  // namespace fieldwarden::supervisor
