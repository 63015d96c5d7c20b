// Monitored items: OPC 10000-4, 5.13.
#include <algorithm>
#include <cmath>

#include "tests/simulator/opcua/engine.h"

namespace fieldwarden::simulator::opcua {

namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kDataChangeFilter = 724;
constexpr std::uint32_t kValueAttribute = 13;
constexpr std::uint32_t kLongestQueue = 1000;
// InfoType DataValue, Overflow: OPC 10000-4, 7.39.1.
constexpr StatusCode kOverflow = 0x00000480;

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

std::chrono::milliseconds clamped(double wanted, std::chrono::milliseconds least,
                                  std::chrono::milliseconds most) {
    if (!(wanted > static_cast<double>(least.count()))) return least;
    if (wanted > static_cast<double>(most.count())) return most;
    return milliseconds{static_cast<std::int64_t>(wanted)};
}

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

}  // namespace fieldwarden::simulator::opcua
