#include "supervisor/status/status_bus.h"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kJournalBytes = 8U << 20;
// What a shape that is not text yet takes.
constexpr std::size_t kShapeBytes = 1024;
// Between a topic and its variant in the key of a last value; sorts before every character of a topic, so
// that the variants of a topic stand together and before the topics it is a prefix of.
constexpr char kVariantMark = '\x01';

std::string retain_key(std::string_view topic, std::string_view variant) {
    std::string key{topic};
    if (!variant.empty()) {
        key += kVariantMark;
        key += variant;
    }
    return key;
}

bool is_value_of(std::string_view key, std::string_view topic) {
    return key.starts_with(topic) && (key.size() == topic.size() || key[topic.size()] == kVariantMark);
}

}  // namespace

struct StatusBus::Entry {
    std::string prefix;
    Listener listener;
    // Held during a call, so that unsubscribing can wait one out; recursive, because a listener may drop its
    // own subscription or publish.
    std::recursive_mutex calling;
    bool active = true;
};

// The last value of a topic, or of one of its variants.
struct StatusBus::Slot : std::enable_shared_from_this<Slot> {
    Slot(std::string its_key, std::shared_ptr<const std::string> of)
        : key(std::move(its_key)), topic(std::move(of)) {}

    const std::string key;
    const std::shared_ptr<const std::string> topic;
    // These with the state's mutex held.
    EventPtr event;
    bool listed = false;  // among the last values
};

struct StatusBus::State {
    using Slots = std::map<std::string_view, std::shared_ptr<Slot>, std::less<>>;  // by their own keys
    using Entries = std::vector<std::shared_ptr<Entry>>;

    mutable std::mutex mutex;
    std::size_t journal_size = 0;
    std::uint64_t seq = 0;
    std::size_t journal_bytes = 0;
    // Events of their own, whose data nobody has asked for: as JSON values ten thousand of them take 50 MB.
    struct Kept {
        std::shared_ptr<const Event::Core> event;
        std::size_t bytes = 0;
    };
    std::deque<Kept> journal;
    Slots last;
    // Copied on change: a publisher walks its copy under no lock.
    std::shared_ptr<const Entries> entries = std::make_shared<const Entries>();

    // The same for those who know the whole key: a walk down a tree of long keys that begin alike is what
    // costs most in replacing a last value.
    std::unordered_map<std::string_view, Slot*> places;

    // These with the mutex held.
    EventPtr last_value(std::string_view topic) const;
    std::shared_ptr<Slot> slot_of(std::shared_ptr<const std::string> topic, std::string_view variant) const;
    void keep_last(const EventPtr& event, std::shared_ptr<Slot> slot);
    Slots::iterator forget_last(Slots::iterator at);

    std::shared_ptr<const Entries> listeners() const {
        const std::lock_guard lock{mutex};
        return entries;
    }
    void add(std::shared_ptr<Entry> entry) {
        const std::lock_guard lock{mutex};
        auto changed = std::make_shared<Entries>(*entries);
        changed->push_back(std::move(entry));
        entries = std::move(changed);
    }
    void remove(const Entry* entry) {
        const std::lock_guard lock{mutex};
        auto changed = std::make_shared<Entries>(*entries);
        std::erase_if(*changed, [&](const auto& each) { return each.get() == entry; });
        entries = std::move(changed);
    }
};

struct StatusBus::Handle {
    std::shared_ptr<State> state;
    std::shared_ptr<Entry> entry;

    Handle(std::shared_ptr<State> of, std::shared_ptr<Entry> which)
        : state(std::move(of)), entry(std::move(which)) {}
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() {
        state->remove(entry.get());
        const std::lock_guard wait{entry->calling};
        entry->active = false;
    }
};

StatusBus::StatusBus(const Clock& clock, std::size_t journal_size)
    : state_(std::make_shared<State>()), clock_(clock) {
    state_->journal_size = journal_size;
}

// --- an event ----------------------------------------------------------------------------------------------

namespace {

// Text from workers and devices may be anything; what is not UTF-8 becomes U+FFFD.
std::string written(const proto::Json& json) {
    return json.dump(-1, ' ', false, proto::Json::error_handler_t::replace);
}

}  // namespace

proto::Json Event::Core::data() const {
    return make ? make() : proto::Json::parse(text, nullptr, false);
}

std::string Event::Core::data_text() const {
    return make ? written(make()) : text;
}

Event::Event(std::uint64_t seq_, UtcTime time_, std::string topic_, std::string_view type_,
             std::string variant_, Make make)
    : Event(std::make_shared<const Core>(Core{seq_,
                                              time_,
                                              std::make_shared<const std::string>(std::move(topic_)),
                                              type_,
                                              std::move(variant_),
                                              std::move(make),
                                              {}})) {}

Event::Event(std::shared_ptr<const Core> core)
    : core_(std::move(core)),
      seq(core_->seq),
      time(core_->time),
      topic(*core_->topic),
      type(core_->type),
      variant(core_->variant) {}

const proto::Json& Event::data() const {
    std::call_once(data_made_, [this] { data_ = core_->data(); });
    return data_;
}

const std::string& Event::envelope() const {
    std::call_once(envelope_made_, [this] {
        envelope_ =
            fmt::format(R"({{"v":1,"seq":{},"ts":"{}","type":"{}","data":)", seq, format_rfc3339(time), type);
        data_at_ = envelope_.size();
        envelope_ += core_->data_text();
        envelope_ += '}';
    });
    return envelope_;
}

std::string_view Event::data_text() const {
    const std::string_view text = envelope();
    return text.substr(data_at_, text.size() - data_at_ - 1);
}

const std::string& Event::envelope_with_topic() const {
    std::call_once(with_topic_made_, [this] {
        const auto name = written(topic);
        const auto& rest = envelope();  // a JSON object that is not empty
        with_topic_.reserve(name.size() + rest.size() + 12);
        with_topic_ += R"({"topic":)";
        with_topic_ += name;
        with_topic_ += ',';
        with_topic_.append(rest, 1);
    });
    return with_topic_;
}

// --- the bus -----------------------------------------------------------------------------------------------

EventPtr StatusBus::publish(std::string topic, std::string_view type, proto::Json data, bool retain,
                            std::string_view variant) {
    // Kept as text, a fifth of what the values take.
    auto text = written(data);
    const auto size = text.size();
    return publish_event({0,
                          {},
                          std::make_shared<const std::string>(std::move(topic)),
                          type,
                          std::string{variant},
                          nullptr,
                          std::move(text)},
                         size, retain, nullptr);
}

StatusBus::Topic StatusBus::topic(std::string name) const {
    Topic topic;
    const std::lock_guard lock{state_->mutex};
    topic.slot_ = state_->slot_of(std::make_shared<const std::string>(std::move(name)), {});
    return topic;
}

EventPtr StatusBus::publish_later(const Topic& topic, std::string_view type, Event::Make make) {
    return publish_event({0, {}, topic.slot_->topic, type, {}, std::move(make), {}}, kShapeBytes, true,
                         topic.slot_);
}

EventPtr StatusBus::publish_event(Event::Core core, std::size_t size, bool retain,
                                  const std::shared_ptr<Slot>& slot) {
    EventPtr published;
    {
        const std::lock_guard lock{state_->mutex};
        core.seq = ++state_->seq;
        core.time = clock_.utc_now();
        auto& journal = state_->journal;
        auto kept = std::make_shared<const Event::Core>(std::move(core));
        published = std::make_shared<const Event>(kept);
        if (retain) {
            state_->keep_last(published, slot ? slot : state_->slot_of(kept->topic, kept->variant));
        }
        journal.push_back({std::move(kept), size});
        state_->journal_bytes += size;
        while (journal.size() > state_->journal_size || state_->journal_bytes > kJournalBytes) {
            state_->journal_bytes -= journal.front().bytes;
            journal.pop_front();
        }
    }
    // Held by name: a loop over what a temporary points to would outlive it, and those who subscribe or leave
    // meanwhile (from a listener or another thread) replace the list.
    const auto listeners = state_->listeners();
    for (const auto& entry : *listeners) {
        if (!published->topic.starts_with(entry->prefix)) continue;
        const std::lock_guard calling{entry->calling};
        if (entry->active) entry->listener(published);
    }
    return published;
}

void StatusBus::forget(std::string_view topic) {
    const std::lock_guard lock{state_->mutex};
    auto& last = state_->last;
    for (auto at = last.lower_bound(topic); at != last.end() && is_value_of(at->first, topic);) {
        at = state_->forget_last(at);
    }
}

void StatusBus::forget(std::string_view topic, std::string_view variant) {
    const std::lock_guard lock{state_->mutex};
    if (auto at = state_->last.find(retain_key(topic, variant)); at != state_->last.end()) {
        state_->forget_last(at);
    }
}

StatusBus::Subscription StatusBus::subscribe(std::string prefix, Listener listener) {
    auto entry = std::make_shared<Entry>();
    entry->prefix = std::move(prefix);
    entry->listener = std::move(listener);
    state_->add(entry);
    Subscription subscription;
    subscription.handle_ = std::make_shared<Handle>(state_, std::move(entry));
    return subscription;
}

bool StatusBus::wanted(std::string_view topic) const {
    return std::ranges::any_of(*state_->listeners(),
                               [&](const auto& entry) { return topic.starts_with(entry->prefix); });
}

std::vector<EventPtr> StatusBus::last_values(std::string_view prefix) const {
    std::vector<EventPtr> found;
    const std::lock_guard lock{state_->mutex};
    const auto& last = state_->last;
    for (auto at = last.lower_bound(prefix); at != last.end() && at->first.starts_with(prefix); ++at) {
        found.push_back(at->second->event);
    }
    return found;
}

EventPtr StatusBus::State::last_value(std::string_view topic) const {
    const auto at = last.lower_bound(topic);
    return at != last.end() && is_value_of(at->first, topic) ? at->second->event : nullptr;
}

std::shared_ptr<StatusBus::Slot> StatusBus::State::slot_of(std::shared_ptr<const std::string> topic,
                                                           std::string_view variant) const {
    std::string with_variant;
    std::string_view key = *topic;
    if (!variant.empty()) key = with_variant = retain_key(*topic, variant);
    if (const auto known = places.find(key); known != places.end()) return known->second->shared_from_this();
    return std::make_shared<Slot>(std::string{key}, std::move(topic));
}

void StatusBus::State::keep_last(const EventPtr& event, std::shared_ptr<Slot> slot) {
    slot->event = event;
    if (slot->listed) return;
    // One that was made before this one, or listed again meanwhile, makes way: its key goes with it.
    if (const auto other = last.find(slot->key); other != last.end()) forget_last(other);
    slot->listed = true;
    places.emplace(slot->key, slot.get());
    last.emplace(slot->key, std::move(slot));
}

StatusBus::State::Slots::iterator StatusBus::State::forget_last(Slots::iterator at) {
    const auto slot = at->second;  // whose key is the map's
    slot->listed = false;
    slot->event = nullptr;
    places.erase(slot->key);
    return last.erase(at);
}

EventPtr StatusBus::last_value(std::string_view topic) const {
    const std::lock_guard lock{state_->mutex};
    return state_->last_value(topic);
}

std::vector<EventPtr> StatusBus::last_values_of(const std::vector<std::string>& topics) const {
    std::vector<EventPtr> found;
    found.reserve(topics.size());
    const std::lock_guard lock{state_->mutex};
    for (const auto& topic : topics) found.push_back(state_->last_value(topic));
    return found;
}

std::optional<std::vector<EventPtr>> StatusBus::since(std::uint64_t seq, std::size_t limit) const {
    const std::lock_guard lock{state_->mutex};
    const auto& journal = state_->journal;
    const auto oldest = journal.empty() ? state_->seq + 1 : journal.front().event->seq;
    if (seq + 1 < oldest) return std::nullopt;
    std::vector<EventPtr> events;
    // The journal has no holes: its sequence numbers are consecutive.
    for (auto at = static_cast<std::size_t>(std::min(seq + 1 - oldest, std::uint64_t{journal.size()}));
         at < journal.size() && events.size() < limit; ++at) {
        // A copy whose data goes with its reader.
        events.push_back(std::make_shared<const Event>(journal[at].event));
    }
    return events;
}

std::uint64_t StatusBus::last_seq() const {
    const std::lock_guard lock{state_->mutex};
    return state_->seq;
}

}  // namespace fieldwarden::supervisor
