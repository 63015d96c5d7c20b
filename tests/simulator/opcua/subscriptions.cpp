// Subscriptions, monitored items and Publish: OPC 10000-4, 5.13 and 5.14.
#include <algorithm>
#include <cmath>

#include "tests/simulator/opcua/engine.h"

namespace fieldwarden::simulator::opcua {

namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kPublishResponse = 829;
constexpr std::uint32_t kDataChangeNotification = 811;
constexpr std::uint32_t kDataChangeFilter = 724;
constexpr std::uint32_t kValueAttribute = 13;
constexpr std::size_t kMostUnacknowledged = 64;
constexpr std::uint32_t kLongestQueue = 1000;
// InfoType DataValue, Overflow: OPC 10000-4, 7.39.1.
constexpr StatusCode kOverflow = 0x00000480;

milliseconds clamped(double wanted, milliseconds least, milliseconds most) {
    if (!(wanted > static_cast<double>(least.count()))) return least;
    if (wanted > static_cast<double>(most.count())) return most;
    return milliseconds{static_cast<std::int64_t>(wanted)};
}

std::optional<double> number_of(const Variant& value) {
    if (value.is_array || value.values.size() != 1) return std::nullopt;
    if (const auto* real = std::get_if<double>(value.values.data())) return *real;
    if (const auto* whole = std::get_if<std::int64_t>(value.values.data()))
        return static_cast<double>(*whole);
    if (const auto* natural = std::get_if<std::uint64_t>(value.values.data()))
        return static_cast<double>(*natural);
    return std::nullopt;
}

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
        if (found == subscriptions_.end()) {
            writer.u32(status::kBadSubscriptionIdInvalid);
            writer.count(0);
            continue;
        }
        auto& subscription = found->second;
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
    writer.raw(found->second);
    return status::kGood;
}

// --- monitored items ---------------------------------------------------------------------------------------

StatusCode Engine::read_item_parameters(Reader& reader, MonitoredItem& item) {
    item.client_handle = reader.u32();
    const auto sampling = reader.float64();
    const auto filter = reader.extension_object();
    const auto queue_size = reader.u32();
    item.discard_oldest = reader.boolean();
    item.sampling = clamped(sampling < 0 ? 100.0 : sampling, kTick, milliseconds{60'000});
    item.queue_size = std::clamp(queue_size, 1U, kLongestQueue);
    item.trigger = 1;
    item.deadband = 0;
    if (filter.type == NodeId{}) return status::kGood;
    if (filter.type != numeric(kDataChangeFilter)) return status::kBadMonitoredItemFilterUnsupported;
    Reader inner{filter.body};
    item.trigger = inner.u32();
    const auto deadband_type = inner.u32();  // 0 none, 1 absolute, 2 per cent
    item.deadband = inner.float64();
    if (!inner.good() || deadband_type > 1) return status::kBadMonitoredItemFilterUnsupported;
    if (deadband_type == 0) item.deadband = 0;
    return status::kGood;
}

StatusCode Engine::create_monitored_items(Session& session, Reader& reader, Writer& writer) {
    auto* subscription = subscription_of(session, reader.u32());
    const auto timestamps = reader.u32();
    const auto size = reader.count(16);
    if (subscription == nullptr) return status::kBadSubscriptionIdInvalid;
    if (size == 0) return status::kBadNothingToDo;
    if (size > options_.limits.monitored_items_per_call) return status::kBadTooManyOperations;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        MonitoredItem item;
        item.node = reader.node_id();
        item.attribute = reader.u32();
        const auto range = reader.string();
        (void)reader.qualified_name();
        item.mode = reader.u32();
        item.timestamps = timestamps;
        auto code = read_item_parameters(reader, item);
        if (!reader.good()) return status::kBadDecodingError;
        // What is read is there to be monitored, even when its value is bad.
        const auto* node = space_.find(item.node);
        if (node == nullptr) {
            code = status::kBadNodeIdUnknown;
        } else if (item.attribute != kValueAttribute || node->node_class != NodeClass::kVariable) {
            code = status::kBadAttributeIdInvalid;
        } else if (!range.empty()) {
            code = status::kBadIndexRangeInvalid;
        }
        writer.u32(code);
        item.id = code == status::kGood ? next_id_++ : 0;
        writer.u32(item.id);
        writer.float64(static_cast<double>(item.sampling.count()));
        writer.u32(item.queue_size);
        writer.null_extension_object();
        if (code == status::kGood) subscription->items[item.id] = std::move(item);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::modify_monitored_items(Session& session, Reader& reader, Writer& writer) {
    auto* subscription = subscription_of(session, reader.u32());
    const auto timestamps = reader.u32();
    const auto size = reader.count(16);
    if (subscription == nullptr) return status::kBadSubscriptionIdInvalid;
    if (size == 0) return status::kBadNothingToDo;
    if (size > options_.limits.monitored_items_per_call) return status::kBadTooManyOperations;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto found = subscription->items.find(reader.u32());
        MonitoredItem changed;
        if (found != subscription->items.end()) changed = found->second;
        auto code = read_item_parameters(reader, changed);
        if (!reader.good()) return status::kBadDecodingError;
        changed.timestamps = timestamps;
        changed.next_sample = {};
        if (found == subscription->items.end()) code = status::kBadMonitoredItemIdInvalid;
        writer.u32(code);
        writer.float64(static_cast<double>(changed.sampling.count()));
        writer.u32(changed.queue_size);
        writer.null_extension_object();
        if (code == status::kGood) found->second = std::move(changed);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::delete_monitored_items(Session& session, Reader& reader, Writer& writer) {
    auto* subscription = subscription_of(session, reader.u32());
    const auto size = reader.count(4);
    if (subscription == nullptr) return status::kBadSubscriptionIdInvalid;
    if (size == 0) return status::kBadNothingToDo;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const bool erased = subscription->items.erase(reader.u32()) == 1;
        writer.u32(erased ? status::kGood : status::kBadMonitoredItemIdInvalid);
    }
    writer.count(0);
    return status::kGood;
}

StatusCode Engine::set_monitoring_mode(Session& session, Reader& reader, Writer& writer) {
    auto* subscription = subscription_of(session, reader.u32());
    const auto mode = reader.u32();
    const auto size = reader.count(4);
    if (subscription == nullptr) return status::kBadSubscriptionIdInvalid;
    if (size == 0) return status::kBadNothingToDo;
    writer.count(size);
    for (std::size_t i = 0; i < size; ++i) {
        const auto found = subscription->items.find(reader.u32());
        const bool is_there = found != subscription->items.end();
        if (is_there) {
            found->second.mode = mode;
            if (mode == 0) found->second.queue.clear();
        }
        writer.u32(is_there ? status::kGood : status::kBadMonitoredItemIdInvalid);
    }
    writer.count(0);
    return status::kGood;
}

void Engine::enqueue(MonitoredItem& item, DataValue value) {
    item.last = value;
    if (item.queue.size() >= item.queue_size) {
        // The value beside the gap carries the bit; a queue of one has none (OPC 10000-4, 5.13.1.5).
        const bool tell = item.queue_size > 1;
        if (item.discard_oldest) {
            item.queue.pop_front();
            if (tell) item.queue.front().status |= kOverflow;
        } else {
            item.queue.pop_back();
            if (tell) value.status |= kOverflow;
        }
    }
    item.queue.push_back(std::move(value));
}

void Engine::sample(MonitoredItem& item) {
    const auto* node = space_.find(item.node);
    if (node == nullptr) return;
    auto value = space_.value(*node, seconds());
    if (item.last) {
        const auto before = number_of(item.last->value);
        const auto after = number_of(value.value);
        const bool moved = item.deadband > 0 && before && after ? std::abs(*after - *before) > item.deadband
                                                                : !(item.last->value == value.value);
        if (item.last->status == value.status && (item.trigger == 0 || !moved)) return;
    }
    enqueue(item, std::move(value));
}

bool Engine::pin(const NodeId& id, const std::vector<Variant>& values) {
    auto* node = space_.find(id);
    if (node == nullptr) return false;
    for (const auto& value : values) {
        DataValue held;
        held.value = value;
        held.source_time = date_time_now();
        node->held = std::move(held);
        for (auto& [subscription_id, subscription] : subscriptions_) {
            for (auto& [item_id, item] : subscription.items)
                if (item.node == id && item.mode != 0) sample(item);
        }
    }
    return true;
}

bool Engine::pin_scalars(const NodeId& id, const std::vector<Scalar>& values) {
    const auto* node = space_.find(id);
    if (node == nullptr) return false;
    std::vector<Variant> typed;
    for (auto value : values) {
        if (node->type == Type::kFloat || node->type == Type::kDouble) {
            const auto number = number_of({node->type, false, {value}});
            value = number.value_or(0.0);
        }
        typed.push_back({node->type, false, {std::move(value)}});
    }
    return pin(id, typed);
}

void Engine::clear_faults() {
    service_fault_ = status::kGood;
    space_.clear_faults();
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
        subscription.sent[++subscription.sequence] = message.bytes;
        if (subscription.sent.size() > kMostUnacknowledged)
            subscription.sent.erase(subscription.sent.begin());
    }
    const bool more = subscription.enabled && has_notifications(subscription);
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
