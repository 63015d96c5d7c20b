// The task's log: JSON lines of LogEntry in <data-dir>/log/<task_code>.jsonl, rotating, and the same entries
// in batches for the supervisor. A flood neither fills the disk nor the link: past the rate limit lines are
// dropped, counted, and the count is said.
//
// Secrets. Values given to hide() never appear in a line, whoever wrote the message.
// Threads. Thread safe. The file is written at once, so that a crash keeps the last words.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/log/rate_limit.h"
#include "common/log/rotating_file.h"
#include "common/secrets.h"
#include "common/task_config.h"
#include "proto/wire.h"
#include "worker/log_function.h"

namespace fieldwarden::worker {

class WorkerLog {
  public:
    explicit WorkerLog(const Clock& clock);

    // Names the task and gives it its file. What was said before goes into it first.
    void open(const std::string& data_dir, const TaskConfig& config);
    // Replaces each of these texts by "***" from now on.
    void hide(std::vector<std::string> secrets);
    void write(proto::LogLevel level, std::string message);
    void write(proto::LogEntry entry);
    [[nodiscard]] LogFunction function();

    // Entries not yet taken, at most `most`, for the supervisor; none: nothing to send.
    std::optional<proto::Log> take(std::size_t most);
    // A batch that could not be sent: counted as dropped (the file has the lines).
    void not_sent(const proto::Log& batch);

  private:
    void write_locked(proto::LogEntry entry);
    void say_dropped_locked(MonoTime now);

    const Clock& clock_;
    std::mutex mutex_;
    std::string process_name_;
    proto::LogLevel least_;
    SecretMask secrets_;
    std::unique_ptr<RotatingFile> file_;
    RateLimit to_file_{200, 2'000};
    RateLimit trouble_to_file_{200, 2'000};  // warnings and above
    RateLimit to_supervisor_{100, 500};
    std::uint64_t unsaid_ = 0;  // dropped by the rate limit and not yet said
    MonoTime unsaid_since_{};
    std::uint64_t lost_ = 0;  // in no file: by the rate limit or because the disk refused
    std::int64_t last_id_ = 0;
    std::deque<proto::LogEntry> waiting_;
    std::uint64_t not_sent_ = 0;
};

}  // namespace fieldwarden::worker
