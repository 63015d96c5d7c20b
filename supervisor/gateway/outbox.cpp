#include "supervisor/gateway/outbox.h"

#include <utility>

#include "supervisor/gateway/problem.h"

namespace fieldwarden::supervisor::gateway {

using proto::Json;

namespace {

bool has_latest_value(std::string_view topic) {
    return !topic.starts_with("log_streams.") && !topic.starts_with("error_alerts.");
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
        const auto list = (*event)->data.find("points");
        if (list == (*event)->data.end() || !list->is_array()) continue;
        for (const auto& point : *list) {
            const auto code = point.find("point_code");
            if (code == point.end() || !code->is_string()) continue;
            if (seen.emplace(code->get_ref<const std::string&>(), true).second) points.push_back(point);
        }
    }
    auto merged = std::make_shared<Event>(*events.back());
    merged->data["points"] = std::move(points);
    merged->envelope = dump({{"v", 1},
                             {"seq", merged->seq},
                             {"ts", format_rfc3339(merged->time)},
                             {"type", merged->type},
                             {"data", merged->data}});
    return merged;
}

void Outbox::push(const EventPtr& event) {
    const bool line = !has_latest_value(event->topic);
    if (!line && waiting_.size() >= kKeptApart) {
        if (const auto found = latest_.find(event->topic); found != latest_.end()) {
            auto& item = *found->second;
            ++missed_;
            const auto position = found->second;
            latest_.erase(found);  // its key lives in an event that may go
            if (!holds_points(event->topic)) {
                item.events.assign(1, event);
            } else {
                item.events.push_back(event);
                if (item.events.size() > kMergedLazily) item.events.assign(1, merge_data_events(item.events));
            }
            latest_.emplace(position->events.front()->topic, position);
            return;
        }
    }
    if (line && lines_.size() >= kMostLines) {
        ++missed_;
        drop(lines_.front());
    } else if (waiting_.size() >= kMostWaiting) {
        ++missed_;
        drop(waiting_.begin());
    }
    append(event, line);
}

void Outbox::append(const EventPtr& event, bool line) {
    waiting_.push_back({{event}, line});
    const auto position = std::prev(waiting_.end());
    if (line) {
        lines_.push_back(position);
    } else {
        latest_.erase(event->topic);
        latest_.emplace(event->topic, position);
    }
}

void Outbox::drop(Position position) {
    if (position->line) {
        // Lines leave in the order they came, so this one is the first of them.
        lines_.pop_front();
    } else if (const auto found = latest_.find(position->events.front()->topic);
               found != latest_.end() && found->second == position) {
        latest_.erase(found);
    }
    waiting_.erase(position);
}

EventPtr Outbox::pop() {
    if (waiting_.empty()) return nullptr;
    const auto events = std::move(waiting_.front().events);
    // The key of `latest_` lives in the events, which are still held here.
    waiting_.front().events = {events.front()};
    drop(waiting_.begin());
    return merge_data_events(events);
}

std::uint64_t Outbox::take_missed() {
    return std::exchange(missed_, 0);
}

}  // namespace fieldwarden::supervisor::gateway
