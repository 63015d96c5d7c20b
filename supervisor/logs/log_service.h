// LogService: everything about logs that touches a disk, on one thread of its own.
//
//   the supervisor's lines → log/supervisor.jsonl, log/events/<task>.jsonl
//   log/<task>.crash → OutputReader → entries for the loop
//   log/ → retention
//
// Nothing here ever makes the caller wait: lines queue up to a bound, beyond it they are dropped, counted and
// said. Threads. All methods are thread safe; `deliver` is called on the service's thread and only posts.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/log/rotating_file.h"
#include "proto/shapes.h"
#include "supervisor/logs/log_counters.h"
#include "supervisor/logs/log_retention.h"
#include "supervisor/logs/output_reader.h"

namespace fieldwarden::supervisor {

struct LogServiceOptions {
    std::string data_dir;
    RotatingFileOptions files;
    LogRetention retention;
    std::chrono::milliseconds poll_interval{250};
    std::chrono::milliseconds poll_interval_in_flood{50};
    std::chrono::seconds clean_interval{600};
};

class LogService {
  public:
    using Deliver = std::function<void(const std::string& task_code, std::vector<proto::LogEntry> lines)>;
    // The codes of all configured tasks; called on the service's thread.
    using Tasks = std::function<std::vector<std::string>()>;

    LogService(LogServiceOptions options, const Clock& clock);
    ~LogService();  // writes what is queued, then joins
    LogService(const LogService&) = delete;
    LogService& operator=(const LogService&) = delete;

    // From now on output is followed and old files are removed. Before, only lines are written: whether a
    // file belongs to a task is not known.
    void start(Deliver deliver, Tasks tasks);

    // A line of the supervisor itself, or about a task.
    void add_own(proto::LogLevel level, std::string message);
    void add(const std::string& task_code, const proto::LogEntry& entry);

    // The task has a process: follow what it prints from `offset` of the crash file on, or from where the
    // last supervisor stopped (`resume`).
    void watch(const std::string& task_code, std::uint64_t offset, bool resume,
               std::vector<std::string> secrets);
    void hide(const std::string& task_code, std::vector<std::string> secrets);
    // The process has ended: its last words are read, then nothing more.
    void unwatch(const std::string& task_code);
    // The task is gone: so are its files.
    void forget(const std::string& task_code);
    void count_lost(const std::string& task_code, std::uint64_t lines);

    // Waits until what was added so far is written, at most `limit`.
    void flush(std::chrono::milliseconds limit = std::chrono::milliseconds{500});
    [[nodiscard]] LogCounters counters() const;

  private:
    struct Watched {
        std::unique_ptr<OutputReader> reader;  // null between two processes
        bool is_ending = false;
        OutputCounters before;          // of its processes before this one
        std::uint32_t quiet_turns = 0;  // since something was read
    };
    using Job = std::function<void()>;

    void submit(Job job);
    void run();
    void write(const std::string& path, const std::string& line);
    void write_own(proto::LogLevel level, std::string message);
    bool follow();
    bool passes_over(const std::string& task_code, const Watched& watched) const;
    void clean();
    void erase_files(const std::string& task_code);

    const LogServiceOptions options_;
    const Clock& clock_;
    Deliver deliver_;
    Tasks tasks_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::condition_variable idle_;
    std::deque<Job> queue_;
    std::uint64_t submitted_ = 0;
    std::uint64_t done_ = 0;
    bool stopping_ = false;
    LogCounters counters_;

    // The thread's alone.
    std::map<std::string, std::unique_ptr<RotatingFile>> files_;
    std::map<std::string, Watched> watched_;
    std::size_t turn_ = 0;
    std::uint64_t told_dropped_ = 0;
    std::int64_t last_id_ = 0;
    bool told_over_ = false;
    bool started_ = false;
    MonoTime follow_due_{};
    MonoTime clean_due_{};
    std::thread thread_;
};

}  // namespace fieldwarden::supervisor
