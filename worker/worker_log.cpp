#include "worker/worker_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/data_paths.h"

namespace fieldwarden::worker {

using proto::Json;
using proto::LogEntry;
using proto::LogLevel;

namespace {

constexpr std::size_t kMostWaiting = 1'000;
constexpr std::chrono::seconds kTellDropped{1};
constexpr std::size_t kLongestMessage = 8'192;  // bytes; a peer's error text may be a whole page

}  // namespace

WorkerLog::WorkerLog(const Clock& clock) : clock_(clock), least_(LogLevel::kInfo) {}

void WorkerLog::open(const std::string& data_dir, const TaskConfig& config) {
    const std::lock_guard lock{mutex_};
    process_name_ = config.task_code;
    least_ = from_name<LogLevel>(config.log_level).value_or(LogLevel::kInfo);
    const std::string path = log_file(data_dir, config.task_code);
    RotatingFileOptions options;
    options.max_bytes = config.log_files.max_bytes;
    options.max_files = config.log_files.max_files;
    if (file_ != nullptr && file_->path() == path) {
        file_->set_options(options);
        return;
    }
    // A log that cannot be written must not stop acquisition; each line tries again.
    (void)make_directories(data_dir + "/log");
    file_ = std::make_unique<RotatingFile>(path, options);
    for (auto& entry : waiting_) {
        entry.process_name = process_name_;
        (void)file_->write_line(to_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace));
    }
}

void WorkerLog::hide(std::vector<std::string> secrets) {
    const std::lock_guard lock{mutex_};
    secrets_.add(std::move(secrets));
}

void WorkerLog::write(LogLevel level, std::string message) {
    LogEntry entry;
    entry.level = level;
    entry.message = std::move(message);
    write(std::move(entry));
}

void WorkerLog::write(LogEntry entry) {
    const std::lock_guard lock{mutex_};
    if (entry.level < least_) return;
    const auto now = clock_.mono_now();
    // What went wrong has a rate of its own: chatter does not drown it.
    auto& rate = entry.level >= LogLevel::kWarning ? trouble_to_file_ : to_file_;
    if (!rate.allow(now)) {
        if (unsaid_++ == 0) unsaid_since_ = now;
        ++lost_;
        return;
    }
    say_dropped_locked(now);
    write_locked(std::move(entry));
}

// In the midst of a flood the count is told once a second, not between every two lines that get through.
void WorkerLog::say_dropped_locked(MonoTime now) {
    if (unsaid_ == 0 || now - unsaid_since_ < kTellDropped) return;
    LogEntry told;
    told.level = LogLevel::kWarning;
    told.message = fmt::format("{} log lines were dropped by the rate limit", std::exchange(unsaid_, 0));
    write_locked(std::move(told));
}

void WorkerLog::write_locked(LogEntry entry) {
    entry.timestamp = clock_.utc_now();
    entry.process_name = process_name_;
    // Numbered by time, so that the line has the same id in the file and in the stream.
    last_id_ = std::max(last_id_ + 1, entry.timestamp.time_since_epoch().count());
    entry.id = last_id_;
    for (auto* text : {&entry.message, &entry.exception_info}) {
        secrets_.apply(*text);
        if (text->size() <= kLongestMessage) continue;
        text->resize(kLongestMessage);
        *text += "…";
    }
    if (file_ != nullptr) {
        const auto written =
            file_->write_line(to_json(entry).dump(-1, ' ', false, Json::error_handler_t::replace));
        if (!written) ++lost_;
    }
    if (waiting_.size() >= kMostWaiting || !to_supervisor_.allow(clock_.mono_now())) {
        ++not_sent_;
        return;
    }
    waiting_.push_back(std::move(entry));
}

LogFunction WorkerLog::function() {
    return [this](LogLevel level, std::string message) { write(level, std::move(message)); };
}

std::optional<proto::Log> WorkerLog::take(std::size_t most) {
    const std::lock_guard lock{mutex_};
    say_dropped_locked(clock_.mono_now());
    if (waiting_.empty() && not_sent_ == 0 && lost_ == 0) return std::nullopt;
    proto::Log batch;
    const auto count = std::min(most, waiting_.size());
    batch.entries.assign(std::make_move_iterator(waiting_.begin()),
                         std::make_move_iterator(waiting_.begin() + static_cast<std::ptrdiff_t>(count)));
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(count));
    batch.dropped = std::exchange(not_sent_, 0);
    batch.lost = std::exchange(lost_, 0);
    return batch;
}

void WorkerLog::not_sent(const proto::Log& batch) {
    const std::lock_guard lock{mutex_};
    not_sent_ += batch.entries.size() + batch.dropped;
    lost_ += batch.lost;
}

}  // namespace fieldwarden::worker
