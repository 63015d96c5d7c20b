// Reading the embedded history (common/history/history_format.h) from any process, also while a worker writes
// to it.
//
// Threads. Thread safe: every call opens the task's database read-only, reads one snapshot of it (SQLite WAL:
// neither the reader nor the writing worker waits for the other) and closes it again.
// Bounds. At most kMostHistoryPoints points are returned whatever the limit; time and memory are proportional
// to the range asked for and the limit, not to the size of the database.
// Errors. No database yet is no data, not an error. kInvalidArgument for a query that makes no sense,
// kCorrupt for a damaged database (the message names the file), kIo when it cannot be read.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "common/sample.h"

namespace fieldwarden {

inline constexpr std::size_t kMostHistoryPoints = 250'000;

struct HistoryQuery {
    // none: the samples themselves. Otherwise one value per point and interval [k × interval, (k + 1) ×
    // interval) of the UTC time axis, stamped with the interval's start: of numeric samples of good or
    // uncertain quality (bool counts as 0 and 1); an interval without any is left out. `last` takes the
    // newest sample of the interval, of any type and quality.
    enum Aggregate { none, avg, min, max, last };

    std::vector<std::string> point_codes = {};  // empty: all points of the task
    std::optional<UtcTime> start = {};          // inclusive; unset: from the oldest
    std::optional<UtcTime> end = {};            // exclusive; unset: to the newest
    std::size_t limit = 1000;                   // of points returned
    bool descending = false;                    // by time; equal times in the order of the point codes
    Aggregate aggregate = none;
    std::chrono::milliseconds interval{0};  // required (> 0) with an aggregate
};

struct HistoryPoint {
    std::string point_code;
    Sample sample;

    bool operator==(const HistoryPoint&) const = default;
};

// The points of `task_code`'s history under `data_dir` that match, ordered by time. The sample of one point
// at one time is returned once, however often it was written.
Result<std::vector<HistoryPoint>> query_history(const std::string& data_dir, const std::string& task_code,
                                                const HistoryQuery& query);
// The same of one of history_files().
Result<std::vector<HistoryPoint>> query_history_file(const std::string& path, const HistoryQuery& query);
// Every history under `data_dir`, by name: also those of tasks that are not configured any more.
std::vector<std::string> history_files(const std::string& data_dir);

}  // namespace fieldwarden
