// What waits to be sent to one WebSocket or SSE client: a bounded queue of shared events.
//
// A client that keeps up sees every event. One that falls behind by more than kKeptApart events gets the
// latest value of each topic only: a newer event takes the place of the one waiting (for `data.` topics the
// two are merged by point, so that no point keeps an old value). Log lines and alerts have no latest value:
// of those the oldest are dropped. Every event lost either way is counted, and the client is told.
// Threads: none; lives on the gateway's thread.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor::gateway {

class Outbox {
  public:
    static constexpr std::size_t kKeptApart = 256;
    static constexpr std::size_t kMostLines = 1'024;     // events without a latest value
    static constexpr std::size_t kMostWaiting = 16'384;  // events of any kind
    static constexpr std::size_t kMergedLazily = 16;  // data events of one topic held before they are merged

    void push(const EventPtr& event);
    // The next event; null when there is none.
    EventPtr pop();
    [[nodiscard]] bool empty() const { return waiting_.empty() && missed_ == 0; }
    [[nodiscard]] std::size_t size() const { return waiting_.size(); }
    // Events lost since the last call.
    std::uint64_t take_missed();

  private:
    struct Item {
        EventPtr event;
        std::vector<EventPtr> older;  // data to be merged with it, oldest first
        std::string key;              // of what the event is the latest value; empty for a line
    };
    using Position = std::list<Item>::iterator;

    void begin_index();
    void enter(Position position);  // in the index
    void leave(Position position);
    bool replace(const EventPtr& event, const std::string& key);
    void drop(Position position);

    std::list<Item> waiting_;
    // Where what is in waiting_, and kept only once a client has fallen behind: most never do.
    bool indexed_ = false;
    std::unordered_map<std::string, Position> latest_;
    std::list<Position> lines_;
    std::uint64_t missed_ = 0;
};

// One event holding the newest update of every point of several `data_point_update` events of one topic, with
// the seq and time of the last.
EventPtr merge_data_events(const std::vector<EventPtr>& events);

}  // namespace fieldwarden::supervisor::gateway
