// LogHub: the last log entries of every task in memory, for `logs`, the API and new readers of a log stream.
// Threads. All methods are thread safe.
#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/shapes.h"

namespace fieldwarden::supervisor {

class LogHub {
  public:
    // `entries_per_task`: the oldest go first.
    explicit LogHub(std::size_t entries_per_task) : most_(entries_per_task) {}

    void add(const std::string& task_code, proto::LogEntry entry);
    // Oldest first.
    [[nodiscard]] std::vector<proto::LogEntry> recent(const std::string& task_code) const;
    void forget(const std::string& task_code);

  private:
    const std::size_t most_;
    mutable std::mutex mutex_;
    std::unordered_map<std::string, std::deque<proto::LogEntry>> tasks_;
};

}  // namespace fieldwarden::supervisor
