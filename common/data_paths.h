// Where things lie under the data directory (CONTRACT 1): the one place that turns a task's or sink's code
// into a file name.
//
// Codes come from a workbook, so they may hold anything. Letters, digits, '-', '_', '.', space and every byte
// above 0x7f stand for themselves; any other byte, and a leading '.', becomes %XX. Two codes never share a
// name, and no code leaves its folder.
#pragma once

#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden {

std::string file_name_of(std::string_view code);

std::string spool_directory(const std::string& data_dir, std::string_view task_code);
std::string history_file(const std::string& data_dir, std::string_view task_code);
// The worker's lines; the supervisor's about the task (its decisions, what the worker's process printed);
// what the process prints as it is, of a probe when the code is empty; the supervisor's own lines.
//
// The name of a task's files under log/, without their endings.
std::string log_name_of(std::string_view task_code);
std::string log_file(const std::string& data_dir, std::string_view task_code);
std::string task_events_file(const std::string& data_dir, std::string_view task_code);
std::string crash_file(const std::string& data_dir, std::string_view task_code);
std::string supervisor_log_file(const std::string& data_dir);
std::string dead_letters_file(const std::string& data_dir, std::string_view task_code,
                              std::string_view sink_code);

// Creates `path` and what is missing above it, each for its owner only (mode 0700).
Status make_directories(const std::string& path);

}  // namespace fieldwarden
