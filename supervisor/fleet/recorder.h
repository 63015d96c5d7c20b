// Recorder: writes down what happens. Sessions and the execution log go to the store (behind the loop) and to
// the status bus at once, so that what is shown and what is kept are the same.
//
// Threads. Loop thread only.
#pragma once

#include <cstdint>
#include <string>

#include "supervisor/fleet/store_queue.h"
#include "supervisor/fleet/task_runtime.h"
#include "supervisor/logs/log_service.h"
#include "supervisor/status/log_hub.h"
#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor {

class Recorder {
  public:
    // `last_session` and `last_entry` are the highest ids given so far (Store::last_ids).
    Recorder(StoreQueue& store, StatusBus& bus, LogHub& logs, LogService& files, const Clock& clock);
    void continue_after(std::int64_t last_session, std::int64_t last_entry);

    // Opens a session for the task and stores it.
    void open(TaskRuntime& task);
    // Takes up a session that an earlier supervisor opened. `start_entry`: its execution_start.
    void take_up(TaskRuntime& task, SessionRow row, std::int64_t start_entry, std::uint32_t launches);
    // Ends the session with what its counters are now.
    void close(TaskRuntime& task, proto::SessionState end, const std::string& error);

    // An entry of the session's timeline: stored, published, kept in the log and its file.
    void note(TaskRuntime& task, const Decision& decision);
    // A line of the worker; one that carries a log_type also enters the timeline.
    void worker_line(TaskRuntime& task, proto::LogEntry entry);

    // A line about the task that is no part of the timeline: what its process printed, what was left out.
    void plain_line(TaskRuntime& task, proto::LogEntry entry);

    // The process is gone: its counters become the base for the next one's.
    void process_ended(TaskRuntime& task);
    // Publishes session.<id>; stores it as well when `save`.
    void show(TaskRuntime& task, bool save, const proto::ProcessStatus& process);

  private:
    struct Where {
        bool store;  // the session's timeline
        bool file;   // the supervisor's file about the task; the worker has one of its own
    };
    void emit(TaskRuntime& task, proto::LogEntry entry, Where where);
    void save(const SessionTrack& session);

    StoreQueue& store_;
    StatusBus& bus_;
    LogHub& logs_;
    LogService& files_;
    const Clock& clock_;
    std::int64_t last_session_ = 0;
    std::int64_t last_entry_ = 0;
};

}  // namespace fieldwarden::supervisor
