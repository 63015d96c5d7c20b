#include "supervisor/logs/log_retention.h"

#include <algorithm>
#include <tuple>

namespace fieldwarden::supervisor {

LogCleaning clean_logs(std::vector<LogFile> files, const LogRetention& retention, UtcTime now) {
    LogCleaning cleaning;
    const auto oldest_kept = now - retention.max_age;
    std::erase_if(files, [&](const LogFile& file) {
        const bool goes = !file.is_in_use && (!file.has_owner || file.modified < oldest_kept);
        if (goes) {
            cleaning.remove.push_back(file.path);
        } else {
            cleaning.bytes_left += file.bytes;
        }
        return goes;
    });
    std::ranges::sort(files, [](const LogFile& a, const LogFile& b) {
        return std::tuple{!a.rotated, a.modified, a.path} < std::tuple{!b.rotated, b.modified, b.path};
    });
    for (const auto& file : files) {
        if (cleaning.bytes_left <= retention.max_total_bytes) break;
        if (file.is_in_use) continue;
        cleaning.remove.push_back(file.path);
        cleaning.bytes_left -= file.bytes;
    }
    cleaning.is_over = cleaning.bytes_left > retention.max_total_bytes;
    return cleaning;
}

}  // namespace fieldwarden::supervisor
