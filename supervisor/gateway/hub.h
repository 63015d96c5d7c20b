// The hub: carries events from the status bus to the clients of the gateway.
//
// Threads. Everything runs on the gateway's thread, except that the bus calls the hub's listeners on the
// publisher's; they only post. The bus sees one subscription per distinct topic prefix however many clients
// share it, and none for a prefix that a shorter one covers, so that `wanted()` stays exact.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "supervisor/gateway/outbox.h"
#include "supervisor/gateway/socket_command.h"
#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor::gateway {

class Hub;

// One streaming client's place in the hub; leaves it when destroyed.
class HubClient {
  public:
    static constexpr std::size_t kMostTopics = 256;
    static constexpr std::size_t kLongestTopic = gateway::kLongestTopic;

    // `wake` is called when the outbox is no longer empty.
    HubClient(Hub& hub, std::function<void()> wake);
    ~HubClient();
    HubClient(const HubClient&) = delete;
    HubClient& operator=(const HubClient&) = delete;

    // Adds a topic prefix. `snapshot` sends the last values first. False when it is there already or the
    // client has too many.
    bool subscribe(const std::string& prefix, bool snapshot);
    // Adds prefixes and takes what was published after `seq` from the journal. What the journal no longer
    // holds is made up for by the last values, and counted as missed (at least one).
    void subscribe_after(const std::vector<std::string>& prefixes, std::uint64_t seq);
    bool unsubscribe(const std::string& prefix);

    [[nodiscard]] bool full() const { return topics_.size() >= kMostTopics; }
    EventPtr pop() { return outbox_.pop(); }
    [[nodiscard]] bool idle() const { return outbox_.empty() && lost_history_ == 0; }
    std::uint64_t take_missed();

  private:
    friend class Hub;
    void deliver(const EventPtr& event);
    void enqueue(const EventPtr& event);
    // Of a snapshot or the journal, while live events after `now` are already on their way.
    void enqueue_early(const EventPtr& event, std::uint64_t now);
    bool add(const std::string& prefix, std::uint64_t after);

    Hub& hub_;
    std::function<void()> wake_;
    std::set<std::string, std::less<>> topics_;
    std::uint64_t last_delivered_ = 0;  // an event that fits two topics comes twice in a row
    // Events newer than `after` that were already sent by a snapshot or from the journal: a live copy of them
    // may still be on its way.
    std::unordered_set<std::uint64_t> sent_early_;
    std::uint64_t newest_early_ = 0;
    Outbox outbox_;
    std::uint64_t lost_history_ = 0;
};

class Hub {
  public:
    // `post` runs a function on the gateway's thread.
    using Post = std::function<void(std::function<void()>)>;
    Hub(StatusBus& bus, Post post);
    ~Hub();

    [[nodiscard]] std::size_t clients() const { return clients_; }
    // Drops every subscription to the bus; nothing is delivered any more.
    void close();

  private:
    friend class HubClient;
    struct Interest {
        HubClient* client;
        std::uint64_t after;  // older events came before the subscription
    };
    void want(const std::string& prefix, Interest interest);
    void unwant(const std::string& prefix, const HubClient* client);
    void renew_subscriptions();
    void dispatch(const EventPtr& event);

    StatusBus& bus_;
    Post post_;
    bool closed_ = false;
    std::shared_ptr<Hub*> self_;  // cleared in the destructor: posted events may outlive the hub
    std::size_t clients_ = 0;
    std::map<std::string, std::vector<Interest>, std::less<>> wanted_;  // by prefix
    std::map<std::size_t, std::size_t> lengths_;                        // of the prefixes → how many
    std::map<std::string, StatusBus::Subscription, std::less<>> subscribed_;
    // Two subscriptions may overlap while they change: an event seen twice is dispatched once.
    std::array<std::uint64_t, 4096> recent_{};
};

}  // namespace fieldwarden::supervisor::gateway
