#include "supervisor/accounts/throttle.h"

#include <algorithm>

namespace fieldwarden::supervisor {

std::optional<std::chrono::seconds> FailureThrottle::fail(const std::string& who, MonoTime now) {
    const std::scoped_lock lock(mutex_);
    if (failures_.size() >= kMostRemotes && !failures_.contains(who)) {
        std::erase_if(failures_,
                      [&](const auto& entry) { return entry.second.back() + limits_.window <= now; });
        // All of them fresh: an attack from many addresses. Forgetting one of them bounds the memory.
        if (failures_.size() >= kMostRemotes) failures_.erase(failures_.begin());
    }
    auto& times = failures_[who];
    while (!times.empty() && times.front() + limits_.window <= now) times.pop_front();
    if (times.size() >= limits_.allowed) {
        const auto wait = std::chrono::ceil<std::chrono::seconds>(times.front() + limits_.window - now);
        return std::max(wait, std::chrono::seconds{1});
    }
    times.push_back(now);
    return std::nullopt;
}

void FailureThrottle::forgive(const std::string& who) {
    const std::scoped_lock lock(mutex_);
    const auto found = failures_.find(who);
    if (found == failures_.end()) return;
    found->second.pop_back();
    if (found->second.empty()) failures_.erase(found);
}

}  // namespace fieldwarden::supervisor
