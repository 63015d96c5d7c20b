#include "supervisor/logs/log_service.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "common/data_paths.h"
#include "common/log/trim_file.h"

namespace fieldwarden::supervisor {

using proto::LogEntry;
using proto::LogLevel;

namespace {

constexpr std::size_t kMostQueued = 20'000;
constexpr std::size_t kMostOpenFiles = 64;
// All processes together, in one turn: what is over waits for the next one.
constexpr std::uint64_t kMostLinesPerTurn = 20'000;
// A process that has printed nothing for so many turns is looked at in one of kQuietShare.
constexpr std::uint32_t kQuietTurns = 8;
constexpr std::size_t kQuietShare = 4;

std::string place_file_of(const std::string& data_dir, std::string_view task_code) {
    return data_dir + "/log/events/" + log_name_of(task_code) + ".place";
}

std::string json_line(const LogEntry& entry) {
    return to_json(entry).dump(-1, ' ', false, proto::Json::error_handler_t::replace);
}

OutputCounters sum(const OutputCounters& a, const OutputCounters& b) {
    return {a.lines + b.lines, a.lines_dropped + b.lines_dropped, a.bytes_skipped + b.bytes_skipped,
            a.bytes_trimmed + b.bytes_trimmed};
}

// "T1.jsonl.2" → {"T1", rotated}; nothing for a file that is not ours.
struct LogName {
    std::string_view task;
    bool rotated = false;
};
std::optional<LogName> parse_name(std::string_view name) {
    LogName parsed;
    const auto dot = name.find_last_not_of("0123456789");
    if (dot != std::string_view::npos && dot + 1 < name.size() && name[dot] == '.') {
        parsed.rotated = true;
        name = name.substr(0, dot);
    }
    for (const std::string_view ending : {".jsonl", ".crash", ".place"}) {
        if (!name.ends_with(ending) || name.size() == ending.size()) continue;
        if (parsed.rotated && ending != ".jsonl") continue;
        parsed.task = name.substr(0, name.size() - ending.size());
        return parsed;
    }
    return std::nullopt;
}

}  // namespace

LogService::LogService(LogServiceOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock) {
    (void)make_directories(options_.data_dir + "/log/events");
    thread_ = std::thread{[this] { run(); }};
    pthread_setname_np(thread_.native_handle(), "logs");
}

LogService::~LogService() {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

void LogService::submit(Job job) {
    {
        const std::lock_guard lock{mutex_};
        if (queue_.size() >= kMostQueued) {
            ++counters_.lines_dropped;
            return;
        }
        queue_.push_back(std::move(job));
        ++submitted_;
    }
    wake_.notify_one();
}

void LogService::start(Deliver deliver, Tasks tasks) {
    submit([this, deliver = std::move(deliver), tasks = std::move(tasks)] {
        deliver_ = deliver;
        tasks_ = tasks;
        started_ = true;
    });
}

void LogService::add_own(LogLevel level, std::string message) {
    submit([this, level, message = std::move(message)]() mutable { write_own(level, std::move(message)); });
}

void LogService::add(const std::string& task_code, const LogEntry& entry) {
    submit([this, path = task_events_file(options_.data_dir, task_code), entry] {
        write(path, json_line(entry));
    });
}

void LogService::watch(const std::string& task_code, std::uint64_t offset, bool resume,
                       std::vector<std::string> secrets) {
    submit([this, task_code, offset, resume, secrets = std::move(secrets)]() mutable {
        auto& watched = watched_[task_code];
        // A process that was restarted goes on in the same file: what its predecessor said last is read
        // first.
        if (watched.reader == nullptr) {
            watched.reader =
                std::make_unique<OutputReader>(crash_file(options_.data_dir, task_code),
                                               place_file_of(options_.data_dir, task_code), offset);
            if (resume) watched.reader->resume();
        }
        watched.is_ending = false;
        watched.reader->hide(std::move(secrets));
    });
}

void LogService::hide(const std::string& task_code, std::vector<std::string> secrets) {
    submit([this, task_code, secrets = std::move(secrets)]() mutable {
        const auto found = watched_.find(task_code);
        if (found != watched_.end() && found->second.reader) found->second.reader->hide(std::move(secrets));
    });
}

void LogService::unwatch(const std::string& task_code) {
    submit([this, task_code] {
        const auto found = watched_.find(task_code);
        if (found == watched_.end()) return;
        found->second.is_ending = true;
        follow_due_ = {};  // now
    });
}

void LogService::forget(const std::string& task_code) {
    submit([this, task_code] {
        watched_.erase(task_code);
        erase_files(task_code);
        const std::lock_guard lock{mutex_};
        counters_.tasks.erase(task_code);
    });
}

void LogService::count_lost(const std::string& task_code, std::uint64_t lines) {
    const std::lock_guard lock{mutex_};
    counters_.tasks[task_code].lines_lost += lines;
}

void LogService::flush(std::chrono::milliseconds limit) {
    std::unique_lock lock{mutex_};
    const auto wanted = submitted_;
    idle_.wait_for(lock, limit, [&] { return done_ >= wanted; });
}

LogCounters LogService::counters() const {
    const std::lock_guard lock{mutex_};
    return counters_;
}

// --- the thread --------------------------------------------------------------------------------------------

void LogService::run() {
    auto wait = options_.poll_interval;
    while (true) {
        std::deque<Job> jobs;
        bool last = false;
        {
            std::unique_lock lock{mutex_};
            wake_.wait_for(lock, wait, [&] { return stopping_ || !queue_.empty(); });
            jobs.swap(queue_);
            last = stopping_;
        }
        for (const auto& job : jobs) job();
        std::uint64_t dropped = 0;
        {
            const std::lock_guard lock{mutex_};
            done_ += jobs.size();
            dropped = counters_.lines_dropped;
        }
        idle_.notify_all();
        if (dropped > told_dropped_) {
            write_own(LogLevel::kWarning,
                      fmt::format("{} log lines were dropped because the disk does not take them fast enough",
                                  dropped - std::exchange(told_dropped_, dropped)));
        }
        if (last) return;
        const auto now = clock_.mono_now();
        if (started_ && now >= follow_due_) {
            const bool flood = follow();
            follow_due_ = now + (flood ? options_.poll_interval_in_flood : options_.poll_interval);
        }
        if (started_ && now >= clean_due_) {
            clean_due_ = now + options_.clean_interval;
            clean();
        }
        const auto due =
            std::chrono::duration_cast<std::chrono::milliseconds>(follow_due_ - clock_.mono_now());
        wait = std::clamp(due, std::chrono::milliseconds{1}, options_.poll_interval);
    }
}

void LogService::write(const std::string& path, const std::string& line) {
    auto& file = files_[path];
    if (file == nullptr) {
        if (files_.size() > kMostOpenFiles) {
            files_.clear();
            return write(path, line);
        }
        file = std::make_unique<RotatingFile>(path, options_.files);
    }
    if (file->write_line(line)) return;
    const std::lock_guard lock{mutex_};
    ++counters_.write_failures;
}

void LogService::write_own(LogLevel level, std::string message) {
    LogEntry entry;
    entry.timestamp = clock_.utc_now();
    entry.level = level;
    entry.process_name = "supervisor";
    entry.message = std::move(message);
    last_id_ = std::max(last_id_ + 1, entry.timestamp.time_since_epoch().count());
    entry.id = last_id_;
    write(supervisor_log_file(options_.data_dir), json_line(entry));
}

// Most processes print nothing for hours: of those a turn looks at a quarter only.
bool LogService::passes_over(const std::string& task_code, const Watched& watched) const {
    return watched.quiet_turns >= kQuietTurns && !watched.is_ending &&
           (turn_ + std::hash<std::string>{}(task_code)) % kQuietShare != 0;
}

// One turn over all processes. True when one of them floods.
bool LogService::follow() {
    ++turn_;
    const auto now = clock_.utc_now();
    const auto mono = clock_.mono_now();
    bool flood = false;
    std::uint64_t lines = 0;
    for (auto& [code, watched] : watched_) {
        if (watched.reader == nullptr || passes_over(code, watched)) continue;
        if (lines > kMostLinesPerTurn && !watched.is_ending) {
            flood = true;
            continue;
        }
        std::vector<LogEntry> found;
        if (watched.is_ending) {
            watched.reader->finish(now, mono, found);
        } else {
            const auto place = watched.reader->place();
            flood = watched.reader->turn(now, mono, found) || flood;
            const bool quiet = found.empty() && watched.reader->place() == place;
            watched.quiet_turns = quiet ? std::min(watched.quiet_turns + 1, kQuietTurns) : 0;
        }
        lines += found.size();
        {
            const std::lock_guard lock{mutex_};
            const auto& counted = watched.reader->counters();
            auto& shown = counters_.tasks[code].output;
            if (watched.is_ending) {
                watched.before = sum(watched.before, counted);
                shown = watched.before;
            } else if (counted.lines + counted.bytes_skipped + counted.bytes_trimmed > 0) {
                shown = sum(watched.before, counted);
            }
        }
        if (!found.empty() && deliver_) deliver_(code, std::move(found));
        if (std::exchange(watched.is_ending, false)) watched.reader.reset();
    }
    // Probes come and go; nobody follows them, but they do not fill the disk either.
    (void)trim_front(crash_file(options_.data_dir, {}), OutputReader::kFileLimit, OutputReader::kFileKeep);
    return flood;
}

void LogService::erase_files(const std::string& task_code) {
    const auto name = log_name_of(task_code);
    files_.erase(task_events_file(options_.data_dir, task_code));
    for (const auto* folder : {"/log", "/log/events"}) {
        std::error_code error;
        std::vector<std::filesystem::path> gone;
        for (std::filesystem::directory_iterator at{options_.data_dir + folder, error}, end;
             !error && at != end; at.increment(error)) {
            const auto file = at->path().filename().string();
            const auto parsed = parse_name(file);
            if (parsed && parsed->task == name) gone.push_back(at->path());
        }
        for (const auto& path : gone) ::unlink(path.c_str());
    }
}

void LogService::clean() {
    // "supervisor" and "probe" are ours: no task's files are called so.
    std::set<std::string, std::less<>> owners{"supervisor", "probe"};
    std::set<std::string, std::less<>> in_use{"supervisor", "probe"};
    for (const auto& code : tasks_()) owners.insert(log_name_of(code));
    for (const auto& [code, watched] : watched_) {
        if (watched.reader == nullptr) continue;
        owners.insert(log_name_of(code));
        in_use.insert(log_name_of(code));
    }
    std::vector<LogFile> files;
    for (const auto* folder : {"/log", "/log/events"}) {
        std::error_code error;
        for (std::filesystem::directory_iterator at{options_.data_dir + folder, error}, end;
             !error && at != end; at.increment(error)) {
            const auto name = at->path().filename().string();
            const auto parsed = parse_name(name);
            struct stat info {};
            if (!parsed || ::lstat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
            LogFile& file = files.emplace_back();
            file.path = at->path().string();
            file.bytes = static_cast<std::uint64_t>(info.st_blocks) * 512;
            file.modified = UtcTime{std::chrono::seconds{info.st_mtim.tv_sec}};
            file.rotated = parsed->rotated;
            file.is_in_use = !parsed->rotated && in_use.contains(parsed->task);
            file.has_owner = owners.contains(parsed->task);
        }
    }
    const auto cleaning = clean_logs(std::move(files), options_.retention, clock_.utc_now());
    for (const auto& path : cleaning.remove) ::unlink(path.c_str());
    {
        const std::lock_guard lock{mutex_};
        counters_.disk_bytes = cleaning.bytes_left;
    }
    if (!cleaning.remove.empty()) {
        write_own(LogLevel::kInfo, fmt::format("{} old log files were removed; {} MiB are left",
                                               cleaning.remove.size(), cleaning.bytes_left >> 20));
    }
    if (cleaning.is_over && !told_over_) {
        write_own(LogLevel::kWarning,
                  fmt::format("the log files in use take {} MiB, more than log.max_total_bytes allows; lower "
                              "log.max_file_bytes",
                              cleaning.bytes_left >> 20));
    }
    told_over_ = cleaning.is_over;
}

}  // namespace fieldwarden::supervisor
