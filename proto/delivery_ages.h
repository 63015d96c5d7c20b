// DeliveryAges: how old samples were when a sink had stored them, counted by age. Age is the time from a
// sample's own time to the sink's answer, so it holds everything in between: the spool, waiting, retries, an
// outage. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace fieldwarden::proto {

// Seconds. From what a healthy task does to an outage that lasted over night; few, because every task and
// sink has a series for each.
inline constexpr std::array kDeliveryAgeBounds{0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0};

struct DeliveryAges {
    // Samples up to the bound of the same index and older than the one before; the last: older than all.
    std::array<std::uint64_t, kDeliveryAgeBounds.size() + 1> counts{};
    double sum_s = 0;

    bool operator==(const DeliveryAges&) const = default;

    // A time that lies ahead counts as now: a device's clock may be ahead of ours.
    void add(std::chrono::duration<double> age, std::uint64_t samples) {
        const double seconds = std::max(age.count(), 0.0);
        const auto* bound = std::lower_bound(kDeliveryAgeBounds.begin(), kDeliveryAgeBounds.end(), seconds);
        counts[static_cast<std::size_t>(bound - kDeliveryAgeBounds.begin())] += samples;
        sum_s += seconds * static_cast<double>(samples);
    }
    DeliveryAges& operator+=(const DeliveryAges& other) {
        for (std::size_t i = 0; i < counts.size(); ++i) counts[i] += other.counts[i];
        sum_s += other.sum_s;
        return *this;
    }
    // What came after `before`, of one counter that only rises; all of it when it began anew in between.
    [[nodiscard]] DeliveryAges since(const DeliveryAges& before) const {
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] < before.counts[i]) return *this;
        }
        DeliveryAges later = *this;
        for (std::size_t i = 0; i < counts.size(); ++i) later.counts[i] -= before.counts[i];
        later.sum_s = std::max(sum_s - before.sum_s, 0.0);
        return later;
    }
};

}  // namespace fieldwarden::proto
