#include "worker/drivers/mqtt/topic.h"

#include <algorithm>

#include "common/mqtt_address.h"

namespace fieldwarden::worker::mqtt {

namespace {

// The next level, removed from `rest`; `more` tells whether another one follows, which may be empty.
std::string_view next_level(std::string_view& rest, bool& more) {
    const auto slash = rest.find('/');
    const auto level = rest.substr(0, slash);
    more = slash != std::string_view::npos;
    rest.remove_prefix(more ? slash + 1 : rest.size());
    return level;
}

}  // namespace

bool is_filter(std::string_view filter) {
    if (filter.empty() || filter.size() > kLongestTopic || filter.find('\0') != std::string_view::npos)
        return false;
    bool more = true;
    while (more) {
        const auto level = next_level(filter, more);
        if (level == "#") return !more;
        if (level != "+" && level.find_first_of("+#") != std::string_view::npos) return false;
    }
    return true;
}

bool matches(std::string_view filter, std::string_view topic) {
    if (topic.empty() || filter.empty()) return false;
    if (topic.front() == '$' && (filter.front() == '+' || filter.front() == '#')) return false;
    bool more_filter = true;
    bool more_topic = true;
    while (more_filter && more_topic) {
        const auto wanted = next_level(filter, more_filter);
        if (wanted == "#") return true;
        const auto level = next_level(topic, more_topic);
        if (wanted != "+" && wanted != level) return false;
    }
    // "sport/#" also matches "sport": section 4.7.1.2.
    return more_topic == more_filter || (more_filter && filter == "#");
}

}  // namespace fieldwarden::worker::mqtt
