// Slows down guessing.
#pragma once

#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "common/clock.h"

namespace fieldwarden::supervisor {

// After `allowed` failures within the window whoever fails again is told to wait. Threads: thread safe.
class FailureThrottle {
  public:
    static constexpr std::size_t kMostRemotes = 1024;

    struct Limits {
        std::size_t allowed = 10;
        std::chrono::milliseconds window{60'000};
    };
    explicit FailureThrottle(Limits limits) : limits_(limits) {}

    // Counts one failure; the seconds to wait when there were too many.
    std::optional<std::chrono::seconds> fail(const std::string& who, MonoTime now);
    // Takes back the newest failure: an attempt that was counted before its outcome was known has succeeded.
    void forgive(const std::string& who);

  private:
    const Limits limits_;
    std::mutex mutex_;
    std::unordered_map<std::string, std::deque<MonoTime>> failures_;
};

}  // namespace fieldwarden::supervisor
