#include "common/backoff.h"

#include <algorithm>
#include <cmath>

namespace fieldwarden {

std::chrono::milliseconds backoff_delay(const BackoffPolicy& policy, unsigned attempt, double random) {
    // Past 2^30 every sensible policy has met its longest delay; the cap keeps the exponent finite.
    const unsigned doublings = std::min(attempt == 0 ? 0U : attempt - 1U, 30U);
    const double full =
        std::min(std::ldexp(static_cast<double>(policy.first.count()), static_cast<int>(doublings)),
                 static_cast<double>(policy.longest.count()));
    const double drawn = full * (1.0 - policy.jitter * std::clamp(random, 0.0, 1.0));
    return std::chrono::milliseconds{static_cast<std::int64_t>(std::llround(drawn))};
}

}  // namespace fieldwarden
