#include "supervisor/plant/task_options.h"

#include <array>
#include <charconv>

#include "common/clock.h"

namespace fieldwarden::supervisor {

namespace {

using Type = OptionSpec::Type;

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kDay = 24 * 60 * kMinute;
constexpr std::int64_t kMebibyte = 1 << 20;

constexpr OptionSpec duration(std::string_view name, std::int64_t least, std::int64_t most,
                              std::string_view help) {
    return {.name = name, .type = Type::kDuration, .least = least, .most = most, .help = help};
}
constexpr OptionSpec integer(std::string_view name, std::int64_t least, std::int64_t most,
                             std::string_view help) {
    return {.name = name, .type = Type::kInteger, .least = least, .most = most, .help = help};
}
constexpr OptionSpec choice(std::string_view name, std::string_view choices, std::string_view help) {
    return {.name = name, .type = Type::kChoice, .choices = choices, .help = help};
}

constexpr std::array kTaskOptions{
    integer("spool_max_bytes", kMebibyte, 1'048'576 * kMebibyte, "bytes the spool may take on disk"),
    duration("spool_max_age", kMinute, 3650 * kDay, "age at which undelivered samples are given up"),
    choice("spool_when_full", "drop_oldest|block", "what a full spool does"),
    duration("fsync_window", 0, 10 * kSecond, "what a power cut may take; 0s: every write is synced"),
    OptionSpec{.name = "history",
               .type = Type::kBoolean,
               .fallback = "true",
               .help = "keep the samples in the embedded history"},
    duration("history_max_age", kMinute, 36500 * kDay, "age at which history is deleted"),
    integer("history_max_bytes", kMebibyte, 1'048'576 * kMebibyte, "bytes the task's history may take"),
    duration("stop_grace", 0, 10 * kMinute, "time to flush the spool after a stop"),
    choice("log_level", "debug|info|warning|error|critical", "least level that is logged"),
    integer("log_max_file_bytes", 4096, 1'048'576 * kMebibyte,
            "size at which the task's log file is rotated"),
    integer("log_max_files", 1, 1000, "log files kept, the current one included"),
    duration("start_timeout", kSecond, 10 * kMinute, "longest time from launch to ready"),
    duration("heartbeat_timeout", kSecond, 10 * kMinute,
             "silence after which the worker counts as hung and is restarted"),
    duration("data_timeout", kSecond, 7 * kDay, "time without good data after which health warns"),
    duration("connection_timeout", kSecond, 7 * kDay, "time with its devices away after which health warns"),
    duration("health_interval", kSecond, kDay, "how often its health is checked"),
    integer("memory_mb", 1, 1'000'000, "private memory above which the worker is restarted"),
    integer("cpu_percent", 1, 100'000, "percent of one core above which the worker counts as overloaded"),
    integer("descriptors_percent", 1, 100, "share of open_files above which the worker is restarted"),
    integer("log_errors", 1, 1'000'000, "errors logged within five minutes that are critical"),
    OptionSpec{
        .name = "slow_down", .type = Type::kBoolean, .help = "ask devices that keep timing out less often"},
    integer("open_files", 16, 1'000'000, "most files the worker may hold open"),
    integer("memory_limit_mb", 16, 10'000'000, "hard limit of the worker's writable memory"),
    integer("cpu_limit_percent", 1, 100'000, "most processor time, percent of one core (needs cgroup_root)"),
    integer("nice", 0, 19, "nice level of the worker"),
    integer("start_order", 0, 1'000'000, "of tasks that start together, lower ones first (default 100)"),
    integer("max_restart_attempts", 1, 1000, "deaths within the window after which the task is CRASHED"),
};

}  // namespace

std::span<const OptionSpec> task_options() {
    return kTaskOptions;
}

Status check_task_options(const Options& options) {
    return check_options(kTaskOptions, "a task", options);
}

std::chrono::milliseconds task_duration(const Options& options, std::string_view name,
                                        std::chrono::milliseconds otherwise) {
    const auto given = options.find(name);
    if (given == options.end()) return otherwise;
    const auto parsed = parse_duration(given->second);
    return parsed ? *parsed : otherwise;
}

std::uint64_t task_number(const Options& options, std::string_view name, std::uint64_t otherwise) {
    const auto given = options.find(name);
    if (given == options.end()) return otherwise;
    const std::string_view text = given->second;
    std::uint64_t number = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

}  // namespace fieldwarden::supervisor
