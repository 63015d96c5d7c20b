// Dead letters on disk, as the operator sees them: listed, sent on their way again, cleared. The files are
// the worker's (worker/dead_letters.h has their layout); here they are only read, moved and removed.
//
// Threads. Any; they read files, so never the supervisor's loop. Errors. A file that goes away meanwhile has
// no letters; torn lines and lines that are no letters are left out and counted.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "proto/shapes.h"

namespace fieldwarden::supervisor {

// Empty: every one.
struct DeadLetterScope {
    std::string task_code;
    std::string sink_code;
};

// Where a letter stands in a list: by the member it is sorted by, then by what is its own.
struct DeadLetterPlace {
    std::string value;
    std::string id;
};

struct DeadLetterQuery {
    DeadLetterScope scope = {};
    std::string q = {};                // in the reason, the task's code or the sink's
    std::string sort = "rejected_at";  // or "task_code", "sink_code", "reason"
    bool descending = true;
    std::size_t page = 1;
    std::size_t page_size = 50;
    std::optional<DeadLetterPlace> after = {};  // the page begins behind it; `page` does not count
};

struct DeadLetterPage {
    // {id, task_code, sink_code, state, seq, rejected_at, reason, samples}.
    std::vector<proto::Json> items;
    std::uint64_t total = 0;              // that fit the query
    std::optional<DeadLetterPlace> last;  // of this page; unset on the last one
    std::uint64_t damaged = 0;            // lines that are no letters
    bool complete = true;                 // false: more lies on disk than one call reads
};

// What was moved or cleared, of one task.
struct DeadLetterChange {
    std::string task_code;
    std::uint64_t letters = 0;
    std::uint64_t samples = 0;
    bool running = false;  // false: letters to be delivered again wait for the task's next start
};

inline constexpr std::uint64_t kMostDeadLetterBytes = 64U << 20;  // read by one call

// `tasks`: the codes of the tasks that are looked at.
DeadLetterPage list_dead_letters(const std::string& data_dir, std::span<const std::string> tasks,
                                 const DeadLetterQuery& query);
// Moves the letters of one task to where its worker finds them. kBusy: too many wait there already.
Result<DeadLetterChange> retry_dead_letters(const std::string& data_dir, const std::string& task_code,
                                            const std::string& sink_code);
// Removes the letters of one task, also those that wait to be delivered again.
Result<DeadLetterChange> clear_dead_letters(const std::string& data_dir, const std::string& task_code,
                                            const std::string& sink_code);

}  // namespace fieldwarden::supervisor
