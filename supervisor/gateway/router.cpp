#include "supervisor/gateway/router.h"

#include <algorithm>
#include <set>

namespace fieldwarden::supervisor::gateway {

namespace {

bool is_parameter(std::string_view segment) {
    return segment.starts_with('{');
}

std::vector<std::string_view> split_pattern(std::string_view pattern) {
    std::vector<std::string_view> segments;
    pattern.remove_prefix(1);
    while (!pattern.empty()) {
        const auto end = std::min(pattern.find('/'), pattern.size());
        segments.push_back(pattern.substr(0, end));
        pattern.remove_prefix(std::min(end + 1, pattern.size()));
    }
    return segments;
}

bool fits(const std::vector<std::string_view>& pattern, const std::vector<std::string>& segments) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
        if (!is_parameter(pattern[i]) && pattern[i] != segments[i]) return false;
    }
    return true;
}

}  // namespace

Router::Router(std::span<const Route> routes) {
    for (const auto& route : routes) {
        Entry entry{&route, split_pattern(route.pattern)};
        const auto length = entry.segments.size();
        if (by_length_.size() <= length) by_length_.resize(length + 1);
        by_length_[length].push_back(std::move(entry));
    }
    const auto more_literal = [](const Entry& a, const Entry& b) {
        return std::lexicographical_compare(
            a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
            [](std::string_view x, std::string_view y) { return is_parameter(x) < is_parameter(y); });
    };
    for (auto& entries : by_length_) std::stable_sort(entries.begin(), entries.end(), more_literal);
}

Router::Match Router::match(std::string_view method, const std::vector<std::string>& segments) const {
    Match match;
    if (segments.size() >= by_length_.size()) return match;
    const auto served = method == "HEAD" ? std::string_view{"GET"} : method;
    std::set<std::string_view> allowed;
    for (const auto& entry : by_length_[segments.size()]) {
        if (!fits(entry.segments, segments)) continue;
        const auto name = to_name(entry.route->method);
        allowed.insert(name);
        if (match.route || name != served) continue;
        match.route = entry.route;
        for (std::size_t i = 0; i < segments.size(); ++i) {
            const auto segment = entry.segments[i];
            if (is_parameter(segment)) {
                match.params.emplace(segment.substr(1, segment.size() - 2), segments[i]);
            }
        }
    }
    if (allowed.contains("GET")) allowed.insert("HEAD");
    if (!allowed.empty()) allowed.insert("OPTIONS");
    for (const auto name : allowed) {
        if (!match.allowed.empty()) match.allowed += ", ";
        match.allowed += name;
    }
    return match;
}

}  // namespace fieldwarden::supervisor::gateway
