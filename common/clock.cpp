#include "common/clock.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace fieldwarden {

using std::chrono::duration_cast;
using std::chrono::floor;
using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

class SystemClock final : public Clock {
  public:
    UtcTime utc_now() const override {
        return std::chrono::time_point_cast<microseconds>(std::chrono::system_clock::now());
    }
    MonoTime mono_now() const override { return std::chrono::steady_clock::now(); }
};

// Reads exactly `digits` decimal digits at `pos` and moves past them.
bool take_number(std::string_view text, std::size_t& pos, std::size_t digits, int& out) {
    if (text.size() - pos < digits) return false;
    int value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
        const char c = text[pos + i];
        if (c < '0' || c > '9') return false;
        value = value * 10 + (c - '0');
    }
    pos += digits;
    out = value;
    return true;
}

bool take_char(std::string_view text, std::size_t& pos, std::string_view accepted) {
    if (pos >= text.size() || accepted.find(text[pos]) == std::string_view::npos) return false;
    ++pos;
    return true;
}

struct DurationUnit {
    std::string_view name;
    milliseconds length;
};
constexpr std::array<DurationUnit, 5> kDurationUnits{{
    {"d", std::chrono::days{1}},
    {"h", std::chrono::hours{1}},
    {"m", std::chrono::minutes{1}},
    {"s", std::chrono::seconds{1}},
    {"ms", milliseconds{1}},
}};

}  // namespace

const Clock& system_clock() {
    static const SystemClock clock;
    return clock;
}

std::string format_rfc3339(UtcTime time) {
    // The form has four digits for the year. Times from damaged bytes may lie far outside, where calendar
    // arithmetic would overflow.
    using std::chrono::sys_days;
    constexpr UtcTime kFirst = sys_days{std::chrono::year{0} / 1 / 1};
    constexpr UtcTime kLast = UtcTime{sys_days{std::chrono::year{10'000} / 1 / 1}} - microseconds{1};
    time = std::clamp(time, kFirst, kLast);
    const auto day = floor<std::chrono::days>(time);
    const std::chrono::year_month_day date{day};
    const std::chrono::hh_mm_ss clock{floor<milliseconds>(time - day)};
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                       clock.subseconds().count());
}

Result<UtcTime> parse_rfc3339(std::string_view text) {
    const auto bad = [&] {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("'{}' is not an RFC 3339 time such as 2026-11-22T13:40:27.123Z", text.substr(0, 64)));
    };
    std::size_t pos = 0;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    if (!take_number(text, pos, 4, year) || !take_char(text, pos, "-") || !take_number(text, pos, 2, month) ||
        !take_char(text, pos, "-") || !take_number(text, pos, 2, day) || !take_char(text, pos, "Tt ") ||
        !take_number(text, pos, 2, hour) || !take_char(text, pos, ":") ||
        !take_number(text, pos, 2, minute) || !take_char(text, pos, ":") ||
        !take_number(text, pos, 2, second)) {
        return bad();
    }
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return bad();
    std::int64_t micros = 0;
    if (take_char(text, pos, ".")) {
        int digits = 0;
        while (pos < text.size() && text[pos] >= '0' && text[pos] <= '9') {
            if (digits < 6) micros = micros * 10 + (text[pos] - '0');
            ++digits;
            ++pos;
        }
        if (digits == 0 || digits > 9) return bad();
        for (; digits < 6; ++digits) micros *= 10;
    }
    std::chrono::minutes offset{0};
    if (!take_char(text, pos, "Zz")) {
        const bool west = pos < text.size() && text[pos] == '-';
        int offset_hour = 0, offset_minute = 0;
        if (!take_char(text, pos, "+-") || !take_number(text, pos, 2, offset_hour) ||
            !take_char(text, pos, ":") || !take_number(text, pos, 2, offset_minute) || offset_hour > 23 ||
            offset_minute > 59) {
            return bad();
        }
        offset = std::chrono::hours{offset_hour} + std::chrono::minutes{offset_minute};
        if (west) offset = -offset;
    }
    if (pos != text.size()) return bad();
    return UtcTime{std::chrono::sys_days{date}} + std::chrono::hours{hour} + std::chrono::minutes{minute} +
           std::chrono::seconds{second} + microseconds{micros} - offset;
}

Result<milliseconds> parse_duration(std::string_view text) {
    const auto bad = [&] {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("'{}' is not a duration; write 500ms, 30s, 5m, 2h or 7d", text.substr(0, 64)));
    };
    double number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || !(number >= 0)) return bad();
    const std::string_view unit{rest, static_cast<std::size_t>(text.data() + text.size() - rest)};
    milliseconds length = std::chrono::seconds{1};
    if (!unit.empty()) {
        bool known = false;
        for (const auto& candidate : kDurationUnits) {
            if (candidate.name == unit) {
                length = candidate.length;
                known = true;
            }
        }
        if (!known) return bad();
    }
    const double total = number * static_cast<double>(length.count());
    constexpr double kLongest = 100.0 * 365 * 24 * 3600 * 1000;  // a century
    if (total > kLongest) return bad();
    return milliseconds{static_cast<std::int64_t>(total + 0.5)};
}

std::string format_duration(milliseconds duration) {
    for (const auto& unit : kDurationUnits) {
        if (duration.count() != 0 && duration % unit.length == milliseconds{0}) {
            return fmt::format("{}{}", duration / unit.length, unit.name);
        }
    }
    return fmt::format("{}ms", duration.count());
}

std::string errno_text(int error_number) {
    std::array<char, 128> buffer{};
    return strerror_r(error_number, buffer.data(), buffer.size());
}

}  // namespace fieldwarden
