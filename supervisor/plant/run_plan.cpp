#include "supervisor/plant/run_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <span>
#include <vector>

#include "common/options.h"
#include "supervisor/plant/schedule.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::array<std::string_view, 12> kMonths{"jan", "feb", "mar", "apr", "may", "jun",
                                                   "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct CronField {
    std::string_view name;
    unsigned least;
    unsigned most;
    std::span<const std::string_view> names = {};  // of the values from `least` on
};
constexpr std::array<CronField, 5> kCronFields{{
    {"minute", 0, 59, {}},
    {"hour", 0, 23, {}},
    {"day", 1, 31, {}},
    {"month", 1, 12, kMonths},
    {"weekday", 0, 7, kWeekdays},
}};

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
    std::vector<std::string_view> parts;
    std::size_t pos = 0;
    while ((pos = text.find_first_not_of(separators, pos)) != std::string_view::npos) {
        const auto end = std::min(text.find_first_of(separators, pos), text.size());
        parts.push_back(text.substr(pos, end - pos));
        pos = end;
    }
    return parts;
}

template <class Number>
std::optional<Number> whole(std::string_view text) {
    Number number{};
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<unsigned> cron_value(const CronField& field, std::string_view text) {
    std::string lower{text};
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    for (std::size_t i = 0; i < field.names.size(); ++i) {
        if (field.names[i] == lower) return field.least + static_cast<unsigned>(i);
    }
    const auto number = whole<unsigned>(text);
    if (!number || *number < field.least || *number > field.most) return std::nullopt;
    return number;
}

// One item of a list: *, n, a-b, each with an optional /step. nullopt: does not parse.
std::optional<std::uint64_t> cron_item(const CronField& field, std::string_view item) {
    unsigned step = 1;
    const auto slash = item.find('/');
    if (slash != std::string_view::npos) {
        const auto given = whole<unsigned>(item.substr(slash + 1));
        if (!given || *given == 0 || *given > field.most) return std::nullopt;
        step = *given;
        item = item.substr(0, slash);
    }
    unsigned first = field.least;
    unsigned last = field.most;
    if (item != "*") {
        const auto dash = item.find('-');
        const auto from = cron_value(field, item.substr(0, dash));
        if (!from) return std::nullopt;
        first = *from;
        if (dash != std::string_view::npos) {
            const auto to = cron_value(field, item.substr(dash + 1));
            if (!to || *to < first) return std::nullopt;
            last = *to;
        } else if (slash == std::string_view::npos) {
            last = first;
        }
    }
    std::uint64_t bits = 0;
    for (unsigned value = first; value <= last; value += step) bits |= 1ULL << value;
    return bits;
}

Error bad(std::string message) {
    return make_error(ErrorKind::kInvalidArgument, std::move(message));
}

unsigned longest_month(std::uint16_t months) {
    constexpr std::uint16_t kThirty = 1U << 4 | 1U << 6 | 1U << 9 | 1U << 11;
    constexpr std::uint16_t kFebruary = 1U << 2;
    if ((months & ~(kThirty | kFebruary)) != 0) return 31;
    return (months & kThirty) != 0 ? 30 : 29;
}

}  // namespace

Result<CronExpression> parse_cron(std::string_view text) {
    const auto fields = split(text, " \t");
    if (fields.size() != kCronFields.size()) {
        return bad(
            fmt::format("'{}' has {} fields; a cron expression has five: minute hour day month weekday, as "
                        "in 0 8 * * 1-5",
                        text.substr(0, 64), fields.size()));
    }
    std::array<std::uint64_t, kCronFields.size()> sets{};
    for (std::size_t i = 0; i < kCronFields.size(); ++i) {
        const auto& field = kCronFields[i];
        if (fields[i].front() == ',' || fields[i].back() == ',') {
            return bad(fmt::format("{} '{}': a list item is missing", field.name, fields[i].substr(0, 64)));
        }
        for (const auto item : split(fields[i], ",")) {
            const auto bits = cron_item(field, item);
            if (!bits) {
                return bad(fmt::format("{} '{}': use *, {} to {}, a range (a-b), a step (*/n) or a list",
                                       field.name, item.substr(0, 64), field.least, field.most));
            }
            sets[i] |= *bits;
        }
    }
    CronExpression cron;
    cron.minutes = sets[0];
    cron.hours = static_cast<std::uint32_t>(sets[1]);
    cron.days = static_cast<std::uint32_t>(sets[2]);
    cron.months = static_cast<std::uint16_t>(sets[3]);
    cron.weekdays = static_cast<std::uint8_t>((sets[4] | sets[4] >> 7) & 0x7f);  // 7 is Sunday, as 0
    cron.any_day = fields[2].front() == '*';
    cron.any_weekday = fields[4].front() == '*';
    const auto first_day = static_cast<unsigned>(std::countr_zero(cron.days));
    if (cron.any_weekday && first_day > longest_month(cron.months)) {
        return bad(
            fmt::format("'{}' never comes: no chosen month has a day {}", text.substr(0, 64), first_day));
    }
    return cron;
}

Result<std::optional<Schedule>> parse_schedule(std::string_view text) {
    const auto parts = parse_options(text);
    if (!parts) return bad("schedule: write start=0 8 * * 1-5; stop=0 18 * * 1-5");
    if (parts->empty()) return std::optional<Schedule>{};
    Schedule schedule;
    bool started = false;
    for (const auto& [name, expression] : *parts) {
        if (name == "tz") {
            if (const auto zone = find_zone(expression); !zone)
                return bad("schedule: " + zone.error().message);
            schedule.time_zone = expression;
            continue;
        }
        if (name != "start" && name != "stop") {
            return bad(
                fmt::format("schedule: '{}' is unknown; write start=0 8 * * 1-5; stop=0 18 * * 1-5; "
                            "tz=Asia/Shanghai",
                            name.substr(0, 64)));
        }
        const auto cron = parse_cron(expression);
        if (!cron) return bad(fmt::format("schedule {}: {}", name, cron.error().message));
        if (name == "start") {
            schedule.start = *cron;
            started = true;
        } else {
            schedule.stop = *cron;
        }
    }
    if (!started) return bad("schedule: no start; add start=0 8 * * 1-5");
    if (schedule.stop == schedule.start) return bad("schedule: start and stop come at the same moment");
    return std::optional{schedule};
}

Result<RunLimit> parse_run_limit(std::string_view text) {
    const auto parts = parse_options(text);
    if (!parts || parts->size() > 1) return bad("run_limit: leave it empty or write cycles=N or duration=1h");
    RunLimit limit;
    if (parts->empty()) return limit;
    const auto& [name, value] = *parts->begin();
    if (name == "cycles") {
        const auto cycles = whole<std::uint64_t>(value);
        if (!cycles || *cycles == 0) {
            return bad(
                fmt::format("run_limit cycles='{}': a whole number from 1 is wanted", value.substr(0, 64)));
        }
        limit.cycles = *cycles;
        return limit;
    }
    if (name == "duration") {
        const auto duration = parse_duration(value);
        if (!duration || duration->count() == 0) {
            return bad(fmt::format("run_limit duration='{}': a duration such as 90s, 1h or 2d is wanted",
                                   value.substr(0, 64)));
        }
        limit.duration = *duration;
        return limit;
    }
    return bad(fmt::format("run_limit: '{}' is unknown; leave it empty or write cycles=N or duration=1h",
                           name.substr(0, 64)));
}

}  // namespace fieldwarden::supervisor
