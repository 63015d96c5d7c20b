// StatusBus: the one place where state becomes visible. The supervisor's loop publishes; the ZeroMQ PUB
// socket, the WebSockets, SSE and the REST reads take from here and from nowhere else, so all of them say the
// same.
//
// Envelope (CONTRACT 4): {"v": 1, "seq": n, "ts": "…", "type": "…", "data": {…}}, built once per event, when
// somebody first wants it: most of what a thousand tasks say every second nobody asks for.
// Threads. All methods are thread safe. A listener is called on the publishing thread, under no lock, with a
// shared immutable event; it must only hand the pointer on (post, push to a bounded queue).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "proto/shapes.h"

namespace fieldwarden::supervisor {

class Event {
  public:
    using Make = std::function<proto::Json()>;
    Event(std::uint64_t seq, UtcTime time, std::string topic, std::string_view type, std::string variant,
          Make make);

  private:
    // What the journal keeps of it.
    struct Core {
        std::uint64_t seq;
        UtcTime time;
        std::shared_ptr<const std::string> topic;  // shared by all events of it
        std::string_view type;                     // a literal
        std::string variant;
        Make make;         // of data that is no text yet
        std::string text;  // the data as JSON, when `make` is empty

        [[nodiscard]] proto::Json data() const;
        [[nodiscard]] std::string data_text() const;
    };
    const std::shared_ptr<const Core> core_;

  public:
    explicit Event(std::shared_ptr<const Core> core);

    const std::uint64_t seq;
    const UtcTime time;
    const std::string& topic;     // "process_status.TASK_001"
    const std::string_view type;  // "process_status_update"
    const std::string& variant;   // of the topic: "connection" of health_checks.TASK_001; mostly ""

    // Thread safe. Built at the first call and kept as long as the event.
    [[nodiscard]] const proto::Json& data() const;
    [[nodiscard]] std::string_view data_text() const;              // the same as JSON text
    [[nodiscard]] const std::string& envelope() const;             // the whole JSON text
    [[nodiscard]] const std::string& envelope_with_topic() const;  // … with the topic as its first member

  private:
    friend class StatusBus;  // its journal hands out copies

    mutable std::once_flag data_made_;
    mutable proto::Json data_;
    mutable std::once_flag envelope_made_;
    mutable std::string envelope_;
    mutable std::size_t data_at_ = 0;  // in the envelope
    mutable std::once_flag with_topic_made_;
    mutable std::string with_topic_;
};
using EventPtr = std::shared_ptr<const Event>;

class StatusBus {
  public:
    explicit StatusBus(const Clock& clock, std::size_t journal_size = 10'000);

    // `retain`: the event becomes the topic's last value. Log lines are not retained. A topic that says
    // several things (the five checks of health_checks.<task>) keeps the last value of each `variant`.
    // `type` is a literal: it is not copied.
    EventPtr publish(std::string topic, std::string_view type, proto::Json data, bool retain = true,
                     std::string_view variant = {});

  private:
    struct Slot;

  public:
    // A topic that is published every second: its name is made once and its last value found without a
    // search. Empty until StatusBus::topic() gives it; copies are of the same topic.
    class Topic {
        friend class StatusBus;
        std::shared_ptr<Slot> slot_;
    };
    [[nodiscard]] Topic topic(std::string name) const;
    // With data that is made when somebody first wants it, on that reader's thread: `make` holds copies of
    // all it needs and gives the same every time. Always retained.
    EventPtr publish_later(const Topic& topic, std::string_view type, Event::Make make);
    EventPtr publish_later(std::string name, std::string_view type, Event::Make make) {
        return publish_later(topic(std::move(name)), type, std::move(make));
    }
    // Forgets the topic's last values, of every variant (a task was removed).
    void forget(std::string_view topic);
    // Forgets the last value of one variant.
    void forget(std::string_view topic, std::string_view variant);

    // Calls `listener` for every later event whose topic starts with `prefix` until the handle is dropped.
    using Listener = std::function<void(const EventPtr&)>;
    class Subscription {  // move-only; its destructor unsubscribes and waits out a running call
      public:
        Subscription() = default;
        Subscription(Subscription&&) noexcept = default;
        Subscription& operator=(Subscription&&) noexcept = default;

      private:
        friend class StatusBus;
        std::shared_ptr<void> handle_;
    };
    [[nodiscard]] Subscription subscribe(std::string prefix, Listener listener);

    // Whether anyone listens to the topic: lets the publisher of costly data (every sample) skip the JSON.
    [[nodiscard]] bool wanted(std::string_view topic) const;

    // Last values of all retained topics with this prefix, by topic.
    [[nodiscard]] std::vector<EventPtr> last_values(std::string_view prefix) const;
    // Null when there is none. Of a topic with variants, the first variant's.
    [[nodiscard]] EventPtr last_value(std::string_view topic) const;
    // The same of many topics at one moment, in their order.
    [[nodiscard]] std::vector<EventPtr> last_values_of(const std::vector<std::string>& topics) const;

    // Events after `seq` in order, at most `limit`; nullopt when the journal no longer reaches back that far.
    // The journal holds `journal_size` events, fewer when they pass 8 MiB.
    [[nodiscard]] std::optional<std::vector<EventPtr>> since(std::uint64_t seq, std::size_t limit) const;
    [[nodiscard]] std::uint64_t last_seq() const;

  private:
    // `slot`: of the topic's last value; null: the topic's is looked for when `retain`.
    EventPtr publish_event(Event::Core core, std::size_t size, bool retain,
                           const std::shared_ptr<Slot>& slot);

    struct Entry;
    struct State;
    struct Handle;
    std::shared_ptr<State> state_;
    const Clock& clock_;
};

}  // namespace fieldwarden::supervisor
