#include "supervisor/gateway/hub.h"

#include <algorithm>
#include <utility>

namespace fieldwarden::supervisor::gateway {

namespace {

constexpr std::size_t kMostReplayed = 10'000;

}  // namespace

// --- client -----------------------------------------------------------------------------------------------

HubClient::HubClient(Hub& hub, std::function<void()> wake) : hub_(hub), wake_(std::move(wake)) {
    ++hub_.clients_;
}

HubClient::~HubClient() {
    for (const auto& prefix : topics_) hub_.unwant(prefix, this);
    --hub_.clients_;
}

bool HubClient::add(const std::string& prefix, std::uint64_t after) {
    if (topics_.size() >= kMostTopics || prefix.size() > kLongestTopic) return false;
    if (!topics_.insert(prefix).second) return false;
    hub_.want(prefix, {this, after});
    return true;
}

bool HubClient::subscribe(const std::string& prefix, bool snapshot) {
    const auto now = hub_.bus_.last_seq();
    if (!add(prefix, now)) return false;
    // Taken after the subscription: what is published in between comes twice and is told apart by its seq.
    if (snapshot) {
        for (const auto& event : hub_.bus_.last_values(prefix)) enqueue_early(event, now);
    }
    return true;
}

void HubClient::subscribe_after(const std::vector<std::string>& prefixes, std::uint64_t seq) {
    const auto now = hub_.bus_.last_seq();
    for (const auto& prefix : prefixes) add(prefix, now);
    // A seq from the future is of an earlier run of the server: its numbering began anew.
    const auto replay = seq > now ? std::nullopt : hub_.bus_.since(seq, kMostReplayed);
    if (!replay || replay->size() == kMostReplayed) {
        ++lost_history_;
        for (const auto& prefix : prefixes) {
            for (const auto& event : hub_.bus_.last_values(prefix)) enqueue_early(event, now);
        }
        return;
    }
    for (const auto& event : *replay) {
        const auto fits = [&](const auto& prefix) { return event->topic.starts_with(prefix); };
        if (std::any_of(prefixes.begin(), prefixes.end(), fits)) enqueue_early(event, now);
    }
}

bool HubClient::unsubscribe(const std::string& prefix) {
    if (topics_.erase(prefix) == 0) return false;
    hub_.unwant(prefix, this);
    return true;
}

void HubClient::deliver(const EventPtr& event) {
    if (std::exchange(last_delivered_, event->seq) == event->seq) return;
    if (!sent_early_.empty()) {
        if (sent_early_.erase(event->seq) > 0) return;
        if (event->seq > newest_early_ + 4096) sent_early_.clear();
    }
    enqueue(event);
}

void HubClient::enqueue_early(const EventPtr& event, std::uint64_t now) {
    if (event->seq > now) {
        sent_early_.insert(event->seq);
        newest_early_ = std::max(newest_early_, event->seq);
    }
    enqueue(event);
}

void HubClient::enqueue(const EventPtr& event) {
    const bool was_idle = idle();
    outbox_.push(event);
    if (was_idle) wake_();
}

std::uint64_t HubClient::take_missed() {
    return outbox_.take_missed() + std::exchange(lost_history_, 0);
}

// --- hub --------------------------------------------------------------------------------------------------

Hub::Hub(StatusBus& bus, Post post)
    : bus_(bus), post_(std::move(post)), self_(std::make_shared<Hub*>(this)) {}

Hub::~Hub() {
    close();
    *self_ = nullptr;
}

void Hub::close() {
    closed_ = true;
    subscribed_.clear();
}

void Hub::want(const std::string& prefix, Interest interest) {
    auto& interests = wanted_[prefix];
    interests.push_back(interest);
    if (interests.size() > 1) return;
    ++lengths_[prefix.size()];
    renew_subscriptions();
}

void Hub::unwant(const std::string& prefix, const HubClient* client) {
    const auto found = wanted_.find(prefix);
    if (found == wanted_.end()) return;
    std::erase_if(found->second, [&](const Interest& interest) { return interest.client == client; });
    if (!found->second.empty()) return;
    wanted_.erase(found);
    if (--lengths_[prefix.size()] == 0) lengths_.erase(prefix.size());
    renew_subscriptions();
}

void Hub::renew_subscriptions() {
    if (closed_) return;
    // In sorted order a prefix comes right before everything it covers.
    std::map<std::string, StatusBus::Subscription, std::less<>> renewed;
    const std::string* cover = nullptr;
    for (const auto& [prefix, interests] : wanted_) {
        if (cover && prefix.starts_with(*cover)) continue;
        cover = &prefix;
        if (const auto kept = subscribed_.find(prefix); kept != subscribed_.end()) {
            renewed.emplace(prefix, std::move(kept->second));
            continue;
        }
        renewed.emplace(prefix, bus_.subscribe(prefix, [post = post_, self = self_](const EventPtr& event) {
            post([self, event] {
                if (*self) (*self)->dispatch(event);
            });
        }));
    }
    subscribed_ = std::move(renewed);
}

void Hub::dispatch(const EventPtr& event) {
    auto& seen = recent_[event->seq % recent_.size()];
    if (seen == event->seq) return;
    seen = event->seq;
    const std::string_view topic = event->topic;
    for (const auto& [length, count] : lengths_) {
        if (length > topic.size()) break;
        const auto found = wanted_.find(topic.substr(0, length));
        if (found == wanted_.end()) continue;
        for (const auto& interest : found->second) {
            if (event->seq > interest.after) interest.client->deliver(event);
        }
    }
}

}  // namespace fieldwarden::supervisor::gateway
