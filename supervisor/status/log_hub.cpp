#include "supervisor/status/log_hub.h"

namespace fieldwarden::supervisor {

void LogHub::add(const std::string& task_code, proto::LogEntry entry) {
    const std::lock_guard lock{mutex_};
    auto& entries = tasks_[task_code];
    entries.push_back(std::move(entry));
    while (entries.size() > most_) entries.pop_front();
}

std::vector<proto::LogEntry> LogHub::recent(const std::string& task_code) const {
    const std::lock_guard lock{mutex_};
    const auto found = tasks_.find(task_code);
    if (found == tasks_.end()) return {};
    return {found->second.begin(), found->second.end()};
}

void LogHub::forget(const std::string& task_code) {
    const std::lock_guard lock{mutex_};
    tasks_.erase(task_code);
}

}  // namespace fieldwarden::supervisor
