// Subscriptions and Publish: OPC 10000-4, 5.14.
#include <algorithm>

#include "tests/simulator/opcua/engine.h"

namespace fieldwarden::simulator::opcua {

namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kPublishResponse = 829;
constexpr std::uint32_t kDataChangeNotification = 811;
constexpr std::size_t kMostUnacknowledged = 64;

}  // namespace

Engine::Subscription* Engine::subscription_of(const Session& session, std::uint32_t id) {
    const auto found = subscriptions_.find(id);
    return found == subscriptions_.end() || found->second.session != session.token ? nullptr : &found->second;
}

// The parameters of Create- and ModifySubscription, revised and answered.
void Engine::settle(Subscription& subscription, Reader& reader, Writer& writer) {
    subscription.interval = clamped(reader.float64(), kTick, milliseconds{60'000});
    const auto lifetime = reader.u32();
    subscription.keep_alive = std::clamp(reader.u32(), 1U, 10'000U);
    subscription.lifetime = std::clamp(lifetime, 3 * subscription.keep_alive, 100'000U);
    subscription.most_notifications = reader.u32();
    writer.float64(static_cast<double>(subscription.interval.count()));
    writer.u32(subscription.lifetime);
    writer.u32(subscription.keep_alive);
}

StatusCode Engine::create_subscription(Session& session, Reader& reader, Writer& writer) {
    const auto owned = std::count_if(subscriptions_.begin(), subscriptions_.end(),
                                     [&](const auto& each) { return each.second.session == session.token; });
    if (owned >= static_cast<std::ptrdiff_t>(options_.limits.subscriptions_per_session))
        return status::kBadTooManySubscriptions;
    Subscription subscription;
    subscription.id = next_id_++;
    subscription.session = session.token;
    writer.u32(subscription.id);
    settle(subscription, reader, writer);
    subscription.enabled = reader.boolean();
    if (!reader.good()) return status::kBadDecodingError;
    subscription.next_publish = Clock::now() + subscription.interval;
    subscriptions_[subscription.id] = std::move(subscription);
    return status::kGood;
}

StatusCode Engine::modify_subscription(Session& session, Reader& reader, Writer& writer) {
    auto* subscription = subscription_of(session, reader.u32());
    if (subscription == nullptr) return status::kBadSubscriptionIdInvalid;
    settle(*subscription, reader, writer);
    return status::kGood;
}

StatusCode Engine::delete_subscriptions(Session& session, Reader& reader, Writer& writer) {
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto id = reader.u32();
        const bool is_there = subscription_of(session, id) != nullptr;
        if (is_there) subscriptions_.erase(id);
        writer.u32(is_there ? status::kGood : status::kBadSubscriptionIdInvalid);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::set_publishing_mode(Session& session, Reader& reader, Writer& writer) {
    const bool enabled = reader.boolean();
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        auto* subscription = subscription_of(session, reader.u32());
        if (subscription != nullptr) subscription->enabled = enabled;
        writer.u32(subscription != nullptr ? status::kGood : status::kBadSubscriptionIdInvalid);
    }
    writer.count(0);
    return status::kGood;
}

// Of a session that is gone, or of one that lost its connection.
StatusCode Engine::transfer_subscriptions(Session& session, Reader& reader, Writer& writer) {
    const auto size = reader.count(4);
    if (size == 0) return status::kBadNothingToDo;
    std::vector<std::uint32_t> ids;
    for (std::size_t i = 0; i < size; ++i) ids.push_back(reader.u32());
    const bool initial = reader.boolean();
    writer.count(size);
    for (const auto id : ids) {
        const auto found = subscriptions_.find(id);
        if (found == subscriptions_.end() || subscription_faults_.refuse_transfers) {
            writer.u32(status::kBadSubscriptionIdInvalid);
            writer.count(0);
            continue;
        }
        auto& subscription = found->second;
        ++counters_.transfers;
        subscription.session = session.token;
        subscription.starved_cycles = 0;
        writer.u32(status::kGood);
        writer.count(subscription.sent.size());
        for (const auto& [sequence, message] : subscription.sent) writer.u32(sequence);
        for (auto& [item_id, item] : subscription.items)
            if (initial && item.queue.empty() && item.last) item.queue.push_back(*item.last);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::republish(Session& session, Reader& reader, Writer& writer) {
    auto* subscription = subscription_of(session, reader.u32());
    const auto sequence = reader.u32();
    if (subscription == nullptr) return status::kBadSubscriptionIdInvalid;
    subscription->starved_cycles = 0;
    const auto found = subscription->sent.find(sequence);
    if (found == subscription->sent.end()) return status::kBadMessageNotAvailable;
    ++counters_.republished;
    writer.raw(found->second);
    return status::kGood;
}

// --- publishing --------------------------------------------------------------------------------------------

bool Engine::has_notifications(const Subscription& subscription) {
    return std::any_of(subscription.items.begin(), subscription.items.end(),
                       [](const auto& each) { return each.second.mode == 2 && !each.second.queue.empty(); });
}

void Engine::publish(Session& session, const Reply& to, const Header& header, Reader& reader,
                     std::vector<Reply>& replies) {
    PublishRequest request{to.connection, to.request_id, header.handle, {}};
    for (auto i = reader.count(8); i > 0; --i) {
        const auto id = reader.u32();
        const auto sequence = reader.u32();
        auto* subscription = subscription_of(session, id);
        auto code = status::kGood;
        if (subscription == nullptr) {
            code = status::kBadSubscriptionIdInvalid;
        } else if (subscription->sent.erase(sequence) == 0) {
            code = status::kBadSequenceNumberUnknown;
        }
        request.acknowledged.push_back(code);
    }
    if (!reader.good()) return fault(to, header, status::kBadDecodingError, replies);
    const bool any = std::any_of(subscriptions_.begin(), subscriptions_.end(),
                                 [&](const auto& each) { return each.second.session == session.token; });
    if (!any) return fault(to, header, status::kBadNoSubscription, replies);
    if (session.publish_requests.size() >= options_.limits.publish_requests) {
        const auto& oldest = session.publish_requests.front();
        fault({oldest.connection, oldest.request_id, {}}, {{}, oldest.handle},
              status::kBadTooManyPublishRequests, replies);
        session.publish_requests.pop_front();
    }
    session.publish_requests.push_back(std::move(request));
    for (auto& [id, subscription] : subscriptions_) {
        if (subscription.session != session.token) continue;
        subscription.starved_cycles = 0;
        if (!subscription.is_late) continue;
        subscription.is_late = false;
        send(subscription, session, replies);
    }
}

// One NotificationMessage: values, or a keep-alive when there are none. False without a request to answer.
bool Engine::send(Subscription& subscription, Session& session, std::vector<Reply>& replies) {
    if (session.publish_requests.empty()) return false;
    const auto request = std::move(session.publish_requests.front());
    session.publish_requests.pop_front();

    Writer items;
    std::uint32_t count = 0;
    const auto most = subscription.most_notifications == 0 ? 1000 : subscription.most_notifications;
    if (subscription.enabled) {
        for (auto& [id, item] : subscription.items) {
            while (item.mode == 2 && !item.queue.empty() && count < most) {
                auto value = std::move(item.queue.front());
                item.queue.pop_front();
                if (item.timestamps == 1 || item.timestamps == 3) value.source_time = 0;
                if (item.timestamps == 0 || item.timestamps == 3) value.server_time = 0;
                items.u32(item.client_handle);
                items.data_value(value);
                ++count;
            }
        }
    }
    counters_.notifications += count;
    Writer message;
    // A keep-alive carries the number that the next message will have.
    message.u32(subscription.sequence + 1);
    message.i64(date_time_now());
    if (count == 0) {
        message.count(0);
    } else {
        Writer body;
        body.count(count);
        body.raw(items.bytes);
        body.count(0);
        message.count(1);
        message.node_id(numeric(kDataChangeNotification));
        message.u8(1);
        message.count(body.bytes.size());
        message.raw(body.bytes);
        ++subscription.sequence;
        if (!subscription_faults_.keep_no_messages) subscription.sent[subscription.sequence] = message.bytes;
        if (subscription.sent.size() > kMostUnacknowledged)
            subscription.sent.erase(subscription.sent.begin());
    }
    const bool more = subscription.enabled && has_notifications(subscription);
    if (count > 0 && subscription_faults_.lose_messages > 0) {
        // It has its number and never arrives; the request is for the next one.
        --subscription_faults_.lose_messages;
        session.publish_requests.push_front(request);
        if (more) send(subscription, session, replies);
        return true;
    }
    Writer writer;
    write_header(writer, kPublishResponse, {{}, request.handle}, status::kGood);
    writer.u32(subscription.id);
    writer.count(subscription.sent.size());
    for (const auto& [sequence, sent] : subscription.sent) writer.u32(sequence);
    writer.boolean(more);
    writer.raw(message.bytes);
    writer.count(request.acknowledged.size());
    for (const auto code : request.acknowledged) writer.u32(code);
    writer.count(0);
    replies.push_back({request.connection, request.request_id, std::move(writer.bytes)});
    subscription.idle_cycles = 0;
    subscription.said_hello = true;
    if (more) send(subscription, session, replies);
    return true;
}

// The end of one publishing interval.
void Engine::cycle(Subscription& subscription, std::vector<Reply>& replies, bool& gone) {
    auto* session = session_of(subscription.session);
    const bool has_values = subscription.enabled && has_notifications(subscription);
    // The first cycle always says something: OPC 10000-4, 5.14.1.1.
    const bool due =
        has_values || !subscription.said_hello || ++subscription.idle_cycles >= subscription.keep_alive;
    if (session != nullptr && !session->publish_requests.empty()) {
        subscription.starved_cycles = 0;
        if (due) send(subscription, *session, replies);
        return;
    }
    if (due) subscription.is_late = true;
    gone = ++subscription.starved_cycles > subscription.lifetime;
}

void Engine::tick(std::vector<Reply>& replies) {
    const auto now = Clock::now();
    std::vector<NodeId> expired;
    for (const auto& [token, session] : sessions_)
        if (now - session.last_seen > session.timeout && session.publish_requests.empty())
            expired.push_back(token);
    for (const auto& token : expired) close_session(token, true);

    std::vector<std::uint32_t> gone;
    for (auto& [id, subscription] : subscriptions_) {
        for (auto& [item_id, item] : subscription.items) {
            if (item.mode == 0 || now < item.next_sample) continue;
            item.next_sample = now + item.sampling;
            sample(item);
        }
        if (now < subscription.next_publish) continue;
        subscription.next_publish = now + subscription.interval;
        bool is_gone = false;
        cycle(subscription, replies, is_gone);
        if (is_gone) gone.push_back(id);
    }
    for (const auto id : gone) subscriptions_.erase(id);
}

}  // namespace fieldwarden::simulator::opcua
