// How often a device that keeps timing out is asked: halved while it does, restored step by step when it has
// been calm. A pure function over the counters of the worker's heartbeats.
//
// Only a device that answers some scans and misses others is under load; one that answers none is away, and
// asking it less often would not bring it back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/clock.h"

namespace fieldwarden::supervisor {

struct DeviceCounts {
    std::uint64_t cycles = 0;    // scans
    std::uint64_t timeouts = 0;  // scans among them that ended in a timeout
};

struct DeviceFrequency {
    std::uint32_t factor = 1;  // every period of the device counts this many times
    std::optional<MonoTime> window_start;
    DeviceCounts at_start;
    MonoTime calm_since{};
    std::chrono::milliseconds calm_needed{0};  // 0: the first restoration is still to come
    std::optional<MonoTime> restored_at;
};

struct FrequencyChange {
    std::uint32_t factor = 1;
    std::string why;
};

// Takes in the counters of one heartbeat. A change is already in `state`; the caller makes it so. `period` is
// the task's as configured.
std::optional<FrequencyChange> adapt_frequency(DeviceFrequency& state, const DeviceCounts& counts,
                                               std::chrono::milliseconds period, MonoTime now);

inline constexpr std::chrono::seconds kFrequencyWindow{10};  // or ten scans, whichever is longer
inline constexpr std::uint64_t kManyTimeouts = 3;            // within a window
inline constexpr std::uint32_t kSlowestFactor = 8;
inline constexpr std::chrono::seconds kCalmTime{60};  // doubled each time that restoring proved too early
inline constexpr std::chrono::minutes kLongestCalmTime{60};

}  // namespace fieldwarden::supervisor
