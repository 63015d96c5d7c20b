// ResponseTimes: how long a device takes to answer, as percentiles over everything since the last reset, in a
// few hundred bytes. Buckets grow by a fifth, so a percentile is right within 10 %.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>

namespace fieldwarden::worker {

class ResponseTimes {
  public:
    void add(std::chrono::nanoseconds time);
    // `share` from 0 to 1: 0.99 is the time that 99 % of the answers kept. Milliseconds; 0 without answers.
    [[nodiscard]] double percentile_ms(double share) const;
    [[nodiscard]] std::uint64_t count() const { return count_; }

  private:
    static constexpr std::size_t kBuckets = 96;  // 10 µs × 1.2^95: 330 s
    std::array<std::uint32_t, kBuckets> buckets_{};
    std::uint64_t count_ = 0;
};

}  // namespace fieldwarden::worker
