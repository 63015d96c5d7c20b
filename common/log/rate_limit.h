// RateLimit: a token bucket. A pure value; the caller holds the clock and the lock.
#pragma once

#include <algorithm>
#include <chrono>

#include "common/clock.h"

namespace fieldwarden {

class RateLimit {
  public:
    // `per_second` on average, `burst` at once after a quiet time.
    RateLimit(double per_second, double burst) : per_second_(per_second), burst_(burst), tokens_(burst) {}

    // Whether one more is allowed at `now`.
    bool allow(MonoTime now) {
        const std::chrono::duration<double> passed = now - last_;
        if (last_ != MonoTime{}) tokens_ = std::min(burst_, tokens_ + passed.count() * per_second_);
        last_ = now;
        if (tokens_ < 1.0) return false;
        tokens_ -= 1.0;
        return true;
    }

  private:
    double per_second_;
    double burst_;
    double tokens_;
    MonoTime last_{};
};

}  // namespace fieldwarden
