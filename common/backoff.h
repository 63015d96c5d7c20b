// Exponential backoff with jitter: a pure value, the caller holds the clock and the random source.
#pragma once

#include <chrono>

namespace fieldwarden {

struct BackoffPolicy {
    std::chrono::milliseconds first{500};
    std::chrono::milliseconds longest{60'000};
    // Each delay is drawn from [delay * (1 - jitter), delay], so that many who failed together do not return
    // together.
    double jitter = 0.25;
};

// Delay before attempt `attempt` (1 = the first retry). `random` is uniform in [0, 1).
std::chrono::milliseconds backoff_delay(const BackoffPolicy& policy, unsigned attempt, double random);

}  // namespace fieldwarden
