// Subscription: one on the server with a monitored item per point (OPC UA Part 4, 5.12 and 5.13), and the
// bounded queue of what it sent. One thread, but for wake().
//
// What can go wrong, and what then happens:
//   a gap in the sequence numbers     the messages are asked for again (Republish); when the server has
//   dropped
//                                     them, the subscription is made anew, which gives every current value
//   nothing for longer than the       the connection is broken: the caller connects again, and subscribe()
//   goes keep-alive time                   on with the old subscription, transferring it when the session is
//   new the subscription ends             it is made anew a node that is not there (yet)    the point is bad;
//   it is tried again every illegal_retry
#pragma once

#include <atomic>
#include <deque>
#include <map>

#include "worker/drivers/opcua/point_table.h"

namespace fieldwarden::worker::opcua {

struct SubscriptionSettings {
    std::chrono::milliseconds publishing_interval{0};  // 0: the shortest period, from 50 to 1000 ms
    std::uint32_t queue_size = 1;                      // changes of one item kept between two messages
    bool server_deadband = false;
    std::chrono::seconds illegal_retry{60};
};

// Samples kept until they are taken.
inline constexpr std::size_t kMostQueued = 100'000;

class Subscription {
  public:
    Subscription(Session& session, Line& line, PointTable& points, const ServerLimits& limits,
                 DriverStats& stats, SubscriptionSettings settings);

    // As PushSource::subscribe(). Points that are not resolved yield a bad sample.
    Status subscribe(std::span<const std::chrono::milliseconds> periods);
    // Until something is queued, at most `wait`; less after wake().
    Status wait(std::chrono::milliseconds wait);
    // Moves out what is queued.
    void drain(std::vector<std::uint32_t>& which, SampleBatch& out);
    [[nodiscard]] bool has_queued() const { return !queue_.empty(); }
    void wake();
    // As PushSource::continues().
    [[nodiscard]] bool continues() const { return continues_; }
    [[nodiscard]] std::optional<UtcTime> confirmed_at() const { return confirmed_at_; }
    // The session was closed, and the subscription with it.
    void forget() { id_ = 0; }

  private:
    struct Item {
        std::uint32_t id = 0;    // 0: there is none
        bool no_filter = false;  // the server refused the deadband
        bool missing = false;    // in missing_
    };
    Status create();
    Status create_items(std::vector<std::uint32_t> indices);
    Status monitor(std::span<const std::uint32_t> indices, std::vector<std::uint32_t>& again);
    Status drop_items(const std::vector<std::uint32_t>& indices);
    // The subscription of the last connection goes on; false: it is gone.
    Result<bool> resume();
    Status tend();
    Status recreate();
    Status fill_gap();
    Status retry_missing();
    Status keep_publishing();
    Status take_answer(const Session::Answer& answer);
    Status refused_publish(StatusCode code);
    void take_notification(Notification notification);
    void apply(Notification& notification);
    void push(std::uint32_t index, Sample sample);
    void push_bad(std::uint32_t index, StatusCode status);
    void miss(std::uint32_t index);
    [[nodiscard]] std::chrono::milliseconds silence_allowed() const;

    Session& session_;
    Line& line_;
    PointTable& points_;
    const ServerLimits& limits_;
    DriverStats& stats_;
    const SubscriptionSettings settings_;

    std::vector<std::chrono::milliseconds> periods_;
    std::vector<Item> items_;
    std::vector<std::uint32_t> missing_;
    MonoTime retry_at_{};

    std::uint32_t id_ = 0;  // 0: none
    std::uint64_t generation_ = 0;
    std::chrono::milliseconds interval_{0};
    std::uint32_t keep_alive_count_ = 1;
    std::uint32_t last_sequence_ = 0;
    std::optional<std::uint32_t> gap_before_;     // messages before this one are missing
    std::map<std::uint32_t, Notification> held_;  // came after a gap
    std::vector<Acknowledgement> acknowledgements_;
    std::size_t publish_target_ = 3;
    unsigned refusals_ = 0;  // of Publish, in a row
    bool ended_ = false;
    bool continues_ = false;
    MonoTime created_at_{};
    MonoTime heard_at_{};
    std::optional<UtcTime> confirmed_at_;

    std::deque<std::pair<std::uint32_t, Sample>> queue_;
    std::atomic<bool> woken_ = false;
};

}  // namespace fieldwarden::worker::opcua
