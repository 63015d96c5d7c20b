#include "worker/drivers/response_times.h"

#include <algorithm>
#include <cmath>

namespace fieldwarden::worker {

namespace {

constexpr double kFirstMs = 0.01;
constexpr double kGrowth = 1.2;

}  // namespace

void ResponseTimes::add(std::chrono::nanoseconds time) {
    const double ms = std::chrono::duration<double, std::milli>(time).count();
    const double place = ms <= kFirstMs ? 0 : std::ceil(std::log(ms / kFirstMs) / std::log(kGrowth));
    ++buckets_[static_cast<std::size_t>(std::clamp(place, 0.0, double{kBuckets - 1}))];
    ++count_;
    // Old answers fade instead of a bucket overflowing.
    if (count_ % (1ULL << 30) == 0) {
        count_ = 0;
        for (auto& bucket : buckets_) count_ += bucket /= 2;
    }
}

double ResponseTimes::percentile_ms(double share) const {
    if (count_ == 0) return 0;
    const auto wanted =
        static_cast<std::uint64_t>(std::ceil(std::clamp(share, 0.0, 1.0) * static_cast<double>(count_)));
    std::uint64_t seen = 0;
    std::size_t place = 0;
    while (place + 1 < kBuckets && (seen += buckets_[place]) < std::max<std::uint64_t>(wanted, 1)) ++place;
    // The middle of the bucket's span.
    return kFirstMs * std::pow(kGrowth, static_cast<double>(place)) / std::sqrt(kGrowth);
}

}  // namespace fieldwarden::worker
