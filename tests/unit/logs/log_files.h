// Log files as tests need them: lines with a time and a text, and what they hold.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "common/log/rotating_file.h"
#include "proto/shapes.h"
#include "supervisor/logs/log_search.h"

namespace fieldwarden::supervisor {

inline UtcTime at_second(int second) {
    return UtcTime{std::chrono::seconds{1'800'000'000 + second}};
}

inline proto::LogEntry log_entry(int second, std::string message,
                                 proto::LogLevel level = proto::LogLevel::kInfo) {
    proto::LogEntry entry;
    entry.id = second + 1;
    entry.timestamp = at_second(second);
    entry.level = level;
    entry.process_name = "T";
    entry.message = std::move(message);
    return entry;
}

inline std::string log_line(const proto::LogEntry& entry) {
    return to_json(entry).dump(-1, ' ', false, proto::Json::error_handler_t::replace);
}

inline void append(const std::string& path, const std::string& bytes) {
    std::ofstream{path, std::ios::app | std::ios::binary} << bytes;
}

inline std::vector<std::string> messages(const LogPage& page) {
    std::vector<std::string> all;
    for (const auto& hit : page.hits) all.push_back(hit.entry.message);
    return all;
}

}  // namespace fieldwarden::supervisor
