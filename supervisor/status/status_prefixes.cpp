#include "supervisor/status/status_prefixes.h"

namespace fieldwarden::supervisor {

StatusPrefixes::Taken StatusPrefixes::take(std::string_view message) {
    if (message.empty() || (message[0] != '\0' && message[0] != '\1')) return {};
    const auto prefix = message.substr(1);
    const auto known = clients_.find(prefix);
    if (message[0] == '\0') {
        if (known == clients_.end()) return {};
        if (--known->second > 0) return {Change::kLess, prefix};
        clients_.erase(known);
        return {Change::kLast, prefix};
    }
    if (known != clients_.end()) {
        ++known->second;
        return {Change::kMore, prefix};
    }
    if (prefix.size() > kLongest || clients_.size() >= kMost) return {Change::kRefused, prefix};
    clients_.emplace(prefix, 1U);
    return {Change::kFirst, prefix};
}

bool StatusPrefixes::is_shortest(std::string_view prefix, std::string_view topic) const {
    for (std::size_t length = 0; length < prefix.size(); ++length) {
        if (clients_.contains(topic.substr(0, length))) return false;
    }
    return true;
}

}  // namespace fieldwarden::supervisor
