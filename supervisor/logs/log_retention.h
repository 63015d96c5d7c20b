// Which log files are to go: a pure function over what lies under log/.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"

namespace fieldwarden::supervisor {

struct LogFile {
    std::string path;
    std::uint64_t bytes = 0;  // on disk
    UtcTime modified{};
    bool rotated = false;    // nobody writes to it any more
    bool is_in_use = false;  // the current file of a task that runs, or the supervisor's
    bool has_owner = true;   // its task is configured or still runs, or it is the supervisor's
};

struct LogRetention {
    std::chrono::days max_age{30};
    std::uint64_t max_total_bytes = 5ULL << 30;
};

struct LogCleaning {
    std::vector<std::string> remove;
    std::uint64_t bytes_left = 0;
    bool is_over = false;  // what is left is in use and still more than allowed
};

// Files without an owner, files whose last line is older than `max_age`, and then the oldest until the rest
// fits: rotated ones first, then current ones of tasks that do not run. A file in use is never removed: its
// writer keeps it within its own limit.
LogCleaning clean_logs(std::vector<LogFile> files, const LogRetention& retention, UtcTime now);

}  // namespace fieldwarden::supervisor
