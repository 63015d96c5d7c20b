#include "supervisor/gateway/outbox.h"

#include <utility>

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

// Events with the same key say the same thing at different times. Empty: every event stands for itself.
std::string key_of(const Event& event) {
    const std::string_view topic = event.topic;
    if (topic.starts_with("log_streams.") || topic.starts_with("error_alerts.")) return {};
    // The five checks of a process share one topic.
    if (topic.starts_with("health_checks.")) {
        return event.topic + '\x01' + event.variant;
    }
    return event.topic;
}

bool holds_points(std::string_view topic) {
    return topic.starts_with("data.");
}

}  // namespace

EventPtr merge_data_events(const std::vector<EventPtr>& events) {
    if (events.size() == 1) return events.front();
    // Newest first: the first update seen of a point is the one that counts.
    Json points = Json::array();
    std::unordered_map<std::string_view, bool> seen;
    for (auto event = events.rbegin(); event != events.rend(); ++event) {
        const auto& data = (*event)->data();
        const auto list = data.find("points");
        if (list == data.end() || !list->is_array()) continue;
        for (const auto& point : *list) {
            const auto code = point.find("point_code");
            if (code == point.end() || !code->is_string()) continue;
            if (seen.emplace(code->get_ref<const std::string&>(), true).second) points.push_back(point);
        }
    }
    const auto& last = *events.back();
    auto data = last.data();
    data["points"] = std::move(points);
    return std::make_shared<const Event>(last.seq, last.time, last.topic, last.type, last.variant,
                                         [data = std::move(data)] { return data; });
}

void Outbox::push(const EventPtr& event) {
    if (!indexed_ && waiting_.size() < kKeptApart) {
        waiting_.push_back({event, {}, {}});
        return;
    }
    if (!indexed_) begin_index();
    auto key = key_of(*event);
    if (waiting_.size() >= kKeptApart && replace(event, key)) return;
    if (key.empty() && lines_.size() >= kMostLines) {
        ++missed_;
        drop(lines_.front());
    } else if (waiting_.size() >= kMostWaiting) {
        ++missed_;
        drop(waiting_.begin());
    }
    waiting_.push_back({event, {}, std::move(key)});
    enter(std::prev(waiting_.end()));
}

void Outbox::begin_index() {
    indexed_ = true;
    for (auto position = waiting_.begin(); position != waiting_.end(); ++position) {
        position->key = key_of(*position->event);
        enter(position);
    }
}

void Outbox::enter(Position position) {
    if (position->key.empty()) {
        lines_.push_back(position);
    } else {
        latest_.insert_or_assign(position->key, position);
    }
}

bool Outbox::replace(const EventPtr& event, const std::string& key) {
    const auto found = latest_.find(key);
    if (key.empty() || found == latest_.end()) return false;
    auto& item = *found->second;
    if (holds_points(event->topic)) {
        item.older.push_back(std::move(item.event));
        item.event = event;
        if (item.older.size() >= kMergedLazily) {
            item.older.push_back(std::move(item.event));
            item.event = merge_data_events(item.older);
            item.older.clear();
        }
    } else {
        item.event = event;
    }
    ++missed_;
    return true;
}

void Outbox::leave(Position position) {
    if (position->key.empty()) {
        // Lines leave in the order they came, so this one is the first of them.
        lines_.pop_front();
    } else if (const auto found = latest_.find(position->key);
               found != latest_.end() && found->second == position) {
        latest_.erase(found);
    }
}

void Outbox::drop(Position position) {
    if (indexed_) leave(position);
    waiting_.erase(position);
    if (waiting_.empty()) indexed_ = false;
}

EventPtr Outbox::pop() {
    if (waiting_.empty()) return nullptr;
    auto& item = waiting_.front();
    auto event = std::move(item.event);
    auto older = std::move(item.older);
    drop(waiting_.begin());
    if (older.empty()) return event;
    older.push_back(std::move(event));
    return merge_data_events(older);
}

std::uint64_t Outbox::take_missed() {
    return std::exchange(missed_, 0);
}

}  // namespace fieldwarden::supervisor::gateway
