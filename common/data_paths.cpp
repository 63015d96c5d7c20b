#include "common/data_paths.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>

namespace fieldwarden {

namespace {

bool stands_for_itself(unsigned char c) {
    const bool alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return alphanumeric || c == '-' || c == '_' || c == '.' || c == ' ' || c > 0x7f;
}

}  // namespace

std::string file_name_of(std::string_view code) {
    // The empty code gets a name that no other code can have.
    if (code.empty()) return "%";
    std::string name;
    for (const char letter : code) {
        const auto c = static_cast<unsigned char>(letter);
        if (stands_for_itself(c) && !(c == '.' && name.empty())) {
            name += letter;
        } else {
            name += fmt::format("%{:02X}", c);
        }
    }
    return name;
}

std::string spool_directory(const std::string& data_dir, std::string_view task_code) {
    return data_dir + "/spool/" + file_name_of(task_code);
}

std::string history_file(const std::string& data_dir, std::string_view task_code) {
    return data_dir + "/history/" + file_name_of(task_code) + ".db";
}

// Two names under log/ are the supervisor's; a task that is called so has its first letter escaped.
std::string log_name_of(std::string_view task_code) {
    if (task_code != "supervisor" && task_code != "probe") return file_name_of(task_code);
    return fmt::format("%{:02X}{}", static_cast<unsigned char>(task_code.front()), task_code.substr(1));
}

std::string log_file(const std::string& data_dir, std::string_view task_code) {
    return data_dir + "/log/" + log_name_of(task_code) + ".jsonl";
}

std::string task_events_file(const std::string& data_dir, std::string_view task_code) {
    return data_dir + "/log/events/" + log_name_of(task_code) + ".jsonl";
}

std::string crash_file(const std::string& data_dir, std::string_view task_code) {
    return data_dir + "/log/" + (task_code.empty() ? "probe" : log_name_of(task_code)) + ".crash";
}

std::string supervisor_log_file(const std::string& data_dir) {
    return data_dir + "/log/supervisor.jsonl";
}

std::string dead_letters_file(const std::string& data_dir, std::string_view task_code,
                              std::string_view sink_code) {
    return spool_directory(data_dir, task_code) + "/dead_letters." + file_name_of(sink_code) + ".jsonl";
}

Status make_directories(const std::string& path) {
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const std::string part = path.substr(0, end);
        if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) {
            const int failed = errno;
            // A parent that exists but may not be searched by us shows up at the last part.
            if (end == std::string::npos || failed != EACCES) {
                return make_error(ErrorKind::kIo,
                                  fmt::format("cannot create directory {}: {}", part, errno_text(failed)));
            }
        }
        if (end == std::string::npos) return {};
    }
}

}  // namespace fieldwarden
