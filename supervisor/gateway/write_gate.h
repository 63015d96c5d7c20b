// WriteGate: how often points may be written, so that a script gone wild does not wear out a device or its
// operator's nerves. Thread safe.
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "common/clock.h"

namespace fieldwarden::supervisor::gateway {

class WriteGate {
  public:
    static constexpr std::chrono::milliseconds kBetweenWrites{200};  // of one point
    static constexpr std::size_t kMostPerSecond = 20;                // of all points together

    // nullopt: go ahead, and this write counts. Otherwise how long to wait.
    std::optional<std::chrono::milliseconds> admit(const std::string& point_code, MonoTime now) {
        const std::lock_guard lock{mutex_};
        std::erase_if(written_,
                      [&](const auto& entry) { return now - entry.second >= std::chrono::seconds{1}; });
        const auto left = [&](MonoTime since, std::chrono::milliseconds pause) {
            return std::chrono::ceil<std::chrono::milliseconds>(since + pause - now);
        };
        const auto last = written_.find(point_code);
        if (last != written_.end() && now - last->second < kBetweenWrites) {
            return left(last->second, kBetweenWrites);
        }
        if (now - window_ >= std::chrono::seconds{1}) {
            window_ = now;
            in_window_ = 0;
        }
        if (in_window_ >= kMostPerSecond) return left(window_, std::chrono::seconds{1});
        ++in_window_;
        written_[point_code] = now;
        return std::nullopt;
    }

  private:
    std::mutex mutex_;
    std::map<std::string, MonoTime> written_;  // within the last second: at most kMostPerSecond a window
    MonoTime window_{};
    std::size_t in_window_ = 0;
};

}  // namespace fieldwarden::supervisor::gateway
