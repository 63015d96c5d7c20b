// PointTable: what every point last said, and the samples that come of each message. Pure: messages carry
// their times, and the caller brings the clock.
//
// Retained messages (MQTT 3.1.1, section 3.3.1.3) are what the broker kept, of unknown age. With
// retained=use such a value is uncertain/stale until a live message comes, unless the payload carries its
// time: then it is good, or bad/stale when older than stale_after. retained=trust: good as if live. A
// retained message that repeats what the point said last on this connection is no news.
//
// A message without a point's member says nothing about that point: the last value stays. A point that has
// never had a value becomes bad/illegal_address once, so that a misspelt pointer shows.
//
// Redelivery (section 4.4): a message with DUP set whose packet identifier and content are those of one of
// the latest messages is dropped.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "common/sample.h"
#include "worker/drivers/mqtt/settings.h"

namespace fieldwarden::worker::mqtt {

struct Message {
    std::string topic;
    std::string payload;  // empty when too_large
    bool too_large = false;
    int qos = 0;
    bool retained = false;
    bool duplicate = false;  // the DUP flag
    int packet_id = 0;
    UtcTime arrived{};
    MonoTime arrived_mono{};
};

// Samples with the index of the point each belongs to.
struct Updates {
    std::vector<std::uint32_t> which;
    SampleBatch samples;
};

// How far ahead of the arrival the time in a payload may be. Beyond, and before 2000, the sender's clock is
// not set, and the time of arrival is used.
inline constexpr std::chrono::minutes kMostAhead{10};
// Packet identifiers remembered: more than a broker has in flight.
inline constexpr std::size_t kRememberedDeliveries = 1024;

class PointTable {
  public:
    // `settings` outlives this.
    explicit PointTable(const Settings& settings);

    // How many points take their value from this topic.
    [[nodiscard]] std::size_t points_of(const std::string& topic) const;
    void apply(const Message& message, Updates& out);

    // Points whose silence has lasted stale_after become bad/stale, once each until they speak again. The
    // clock of a point starts at watch().
    void watch(MonoTime now);
    void go_stale(MonoTime now, UtcTime utc, Updates& out);
    // No point goes stale before this time; nullopt: none ever does.
    [[nodiscard]] std::optional<MonoTime> next_stale() const { return next_stale_; }

    // A new subscription: what was said before it may be said again.
    void begin_connection();
    // After a session was resumed: nothing was lost, so what a point last said still is the newest there is.
    // Uncertain/stale, because nobody says that the publisher was there.
    void resume(UtcTime utc, Updates& out);
    // The subscription to the topic of these points was refused.
    void refuse(std::uint32_t point, UtcTime utc, Updates& out);
    [[nodiscard]] const std::vector<std::uint32_t>& points_on(const std::string& topic) const;

    // The last known value; bad/stale when none has come.
    [[nodiscard]] Sample last(std::uint32_t point, UtcTime utc) const;
    [[nodiscard]] bool has_spoken(std::uint32_t point) const { return states_[point].spoken; }

    // Of the messages so far.
    std::uint64_t undecodable = 0;
    std::uint64_t duplicates = 0;
    std::string last_refusal;  // the latest trouble in words

  private:
    struct State {
        Sample last;
        bool spoken = false;  // some message decided about the point
        bool has_value = false;
        bool is_stale = false;
        bool is_current = false;  // has said something on this connection
        std::size_t content = 0;  // hash of its latest message
        MonoTime heard_at{};
    };
    bool is_redelivery(const Message& message);
    void emit(std::uint32_t point, Sample sample, Updates& out);
    void bad(std::uint32_t point, QualityCode code, const Message& message, Updates& out);
    Sample timed(const Message& message, std::optional<UtcTime> told) const;

    const Settings& settings_;
    std::unordered_map<std::string, std::vector<std::uint32_t>> by_topic_;
    std::vector<State> states_;
    std::optional<MonoTime> next_stale_;
    std::unordered_map<int, std::size_t> deliveries_;  // packet identifier → hash of the content
    std::deque<int> delivery_order_;
};

}  // namespace fieldwarden::worker::mqtt
