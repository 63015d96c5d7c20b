#include "supervisor/health/frequency.h"

#include <fmt/format.h>

#include <algorithm>

namespace fieldwarden::supervisor {

using std::chrono::milliseconds;

std::optional<FrequencyChange> adapt_frequency(DeviceFrequency& state, const DeviceCounts& counts,
                                               milliseconds period, MonoTime now) {
    const auto begin = [&] {
        state.window_start = now;
        state.at_start = counts;
    };
    const bool reset = counts.cycles < state.at_start.cycles || counts.timeouts < state.at_start.timeouts;
    if (!state.window_start || reset) {
        begin();
        state.calm_since = now;
        return std::nullopt;
    }
    const auto window = std::max<milliseconds>(kFrequencyWindow, period * state.factor * 10);
    if (now - *state.window_start < window) return std::nullopt;
    const auto scans = counts.cycles - state.at_start.cycles;
    const auto timeouts = counts.timeouts - state.at_start.timeouts;
    begin();
    if (timeouts > 0) state.calm_since = now;

    const bool under_load = timeouts >= kManyTimeouts && timeouts < scans;
    if (under_load && state.factor < kSlowestFactor) {
        const auto calm = std::max<milliseconds>(state.calm_needed, kCalmTime);
        const bool too_early = state.restored_at && now - *state.restored_at < calm;
        state.calm_needed = too_early ? std::min<milliseconds>(calm * 2, kLongestCalmTime) : calm;
        state.factor *= 2;
        return FrequencyChange{state.factor, fmt::format("{} of {} scans timed out", timeouts, scans)};
    }
    if (state.factor > 1 && now - state.calm_since >= state.calm_needed) {
        state.factor /= 2;
        state.calm_since = now;
        state.restored_at = now;
        return FrequencyChange{state.factor,
                               fmt::format("no timeout for {}", format_duration(state.calm_needed))};
    }
    return std::nullopt;
}

}  // namespace fieldwarden::supervisor
