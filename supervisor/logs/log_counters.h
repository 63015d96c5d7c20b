// What the logs left out, by task; for /metrics.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace fieldwarden::supervisor {

// Of what a process prints.
struct OutputCounters {
    std::uint64_t lines = 0;          // entries given
    std::uint64_t lines_dropped = 0;  // entries over the rate
    std::uint64_t bytes_skipped = 0;  // not even read
    std::uint64_t bytes_trimmed = 0;  // cut off the file, read or not
};

struct TaskLogCounters {
    std::uint64_t lines_lost = 0;  // of the worker's own log: over its rate limit
    OutputCounters output;
};

struct LogCounters {
    std::map<std::string, TaskLogCounters> tasks;
    std::uint64_t lines_dropped = 0;   // lines of the supervisor: its queue was full
    std::uint64_t write_failures = 0;  // the disk refused a line of the supervisor
    std::uint64_t disk_bytes = 0;      // of all log files, at the last cleaning
};

}  // namespace fieldwarden::supervisor
