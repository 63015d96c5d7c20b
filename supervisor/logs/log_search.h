// Searching the log files of a task: what its worker wrote and what the supervisor wrote about it, as one
// stream in the order of time.
//
// Bounded. A search reads at most `max_bytes` from disk and gives at most `max_answer_bytes`; a page that
// ends for one of these says so and where to go on. Threads. Functions over files: any thread, never the
// loop.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "proto/shapes.h"

namespace fieldwarden::supervisor {

struct LogQuery {
    std::size_t limit = 200;
    std::optional<proto::LogLevel> least;
    std::optional<proto::LogType> type;
    std::optional<proto::ExecutionPhase> phase;
    std::optional<UtcTime> since;
    std::optional<UtcTime> until;
    std::string q;       // part of the message, the exception or the source file; ASCII case is ignored
    std::string before;  // cursor of an earlier page; "" = from the newest

    [[nodiscard]] bool fits(const proto::LogEntry& entry) const;
};

struct LogHit {
    proto::LogEntry entry;
    std::string before;  // cursor of what is older than this entry
};

struct LogPage {
    std::vector<LogHit> hits;           // oldest first
    std::optional<std::string> before;  // the page that goes before this one; nullopt: there is none
    bool complete = true;               // false: a limit of the search ended it before `limit` was reached
    std::uint64_t scanned_bytes = 0;
    std::uint64_t damaged_lines = 0;  // torn, not ours, too long
};

struct LogSearchLimits {
    std::uint64_t max_bytes = 64ULL << 20;
    std::uint64_t max_answer_bytes = 16ULL << 20;
};

// `files`: current files of rotating logs that make up one stream. The newest `limit` entries that fit.
// kInvalidArgument for a cursor that is none of this stream.
Result<LogPage> search_logs(std::span<const std::string> files, const LogQuery& query,
                            const LogSearchLimits& limits = {});

// Several streams one after the other, and the newest of all of them. Such a page has no cursor: go on with
// `until`. When the limits end it, `complete` is false and some streams were not looked at.
LogPage search_streams(std::span<const std::vector<std::string>> streams, const LogQuery& query,
                       const LogSearchLimits& limits = {});

// Adds entries that are in memory and not on disk (the disk refused them, or they are still on the way).
void add_recent(LogPage& page, const std::vector<proto::LogEntry>& recent, const LogQuery& query);

}  // namespace fieldwarden::supervisor
