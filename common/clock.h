// Time. Wall-clock time is UTC in microseconds; deadlines and periods use the monotonic clock.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden {

using UtcTime = std::chrono::sys_time<std::chrono::microseconds>;
using MonoTime = std::chrono::steady_clock::time_point;

// The seam between policies' callers and the machine's clocks; tests pass a clock they move by hand.
class Clock {
  public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual UtcTime utc_now() const = 0;
    [[nodiscard]] virtual MonoTime mono_now() const = 0;
};

// The machine's clocks. Thread safe.
const Clock& system_clock();

// "2026-11-22T13:40:27.123Z": RFC 3339, UTC, milliseconds (CONTRACT 3). Times outside the years 0 to 9999
// give the nearest one inside.
std::string format_rfc3339(UtcTime time);
// Accepts any RFC 3339 offset and 0 to 9 fractional digits; finer than microseconds is cut.
Result<UtcTime> parse_rfc3339(std::string_view text);

// "1500ms", "30s", "5m", "2h", "7d" or a bare number of seconds. Negative is refused.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// The shortest exact form: 1500 ms → "1500ms", 60000 ms → "1m".
std::string format_duration(std::chrono::milliseconds duration);

}  // namespace fieldwarden
