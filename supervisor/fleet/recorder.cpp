#include "supervisor/fleet/recorder.h"

#include <fmt/format.h>

namespace fieldwarden::supervisor {

using proto::LogLevel;

namespace {

std::string topic_of(const SessionRow& row) {
    return fmt::format("session.{}", row.session_id);
}

}  // namespace

Recorder::Recorder(StoreQueue& store, StatusBus& bus, LogHub& logs, LogService& files, const Clock& clock)
    : store_(store), bus_(bus), logs_(logs), files_(files), clock_(clock) {}

void Recorder::continue_after(std::int64_t last_session, std::int64_t last_entry) {
    last_session_ = last_session;
    last_entry_ = last_entry;
}

void Recorder::open(TaskRuntime& task) {
    SessionTrack session;
    session.row.session_id = ++last_session_;
    session.row.task_id = task.id;
    session.row.task_code = task.code;
    session.row.started_at = clock_.utc_now();
    if (task.config) session.row.period_ms = static_cast<double>(task.config->period.count());
    session.saved_at = clock_.mono_now();
    session.topic = bus_.topic(topic_of(session.row));
    store_.submit(fmt::format("session {}", session.row.session_id), {},
                  [row = session.row](Store& store) -> Status {
                      const auto added = store.add_session(row);
                      if (!added) return added.error();
                      return {};
                  });
    task.session = std::move(session);
    task.restart_count = 0;
    task.performance.reset();
}

void Recorder::take_up(TaskRuntime& task, SessionRow row, std::int64_t start_entry, std::uint32_t launches) {
    SessionTrack session;
    session.row = std::move(row);
    session.start_entry = start_entry;
    session.launches = launches;
    session.saved_at = clock_.mono_now();
    session.topic = bus_.topic(topic_of(session.row));
    task.session = std::move(session);
}

void Recorder::close(TaskRuntime& task, proto::SessionState end, const std::string& error) {
    if (!task.session) return;
    auto& row = task.session->row;
    row.status = end;
    row.stopped_at = clock_.utc_now();
    row.pid.reset();
    row.process.reset();
    if (!error.empty()) row.error_message = error;
    save(*task.session);
    bus_.publish(topic_of(row), "session_status_update", proto::to_json(row));
    // The session is history now; readers find it in the store.
    bus_.forget(topic_of(row));
    task.session.reset();
}

void Recorder::note(TaskRuntime& task, const Decision& decision) {
    proto::LogEntry entry;
    entry.timestamp = clock_.utc_now();
    entry.level = decision.level;
    entry.process_name = task.code;
    entry.message = decision.message;
    entry.exception_info = decision.exception_info;
    entry.log_type = decision.type;
    entry.execution_phase = decision.phase;
    entry.retry_context = decision.retry;
    if (task.performance) entry.performance_metrics = proto::to_json(*task.performance);
    emit(task, std::move(entry), {.store = task.session.has_value(), .file = true});
}

void Recorder::worker_line(TaskRuntime& task, proto::LogEntry entry) {
    entry.process_name = task.code;
    const bool in_timeline = entry.log_type.has_value() && task.session.has_value();
    emit(task, std::move(entry), {.store = in_timeline, .file = false});
}

void Recorder::plain_line(TaskRuntime& task, proto::LogEntry entry) {
    entry.process_name = task.code;
    emit(task, std::move(entry), {.store = false, .file = true});
}

void Recorder::emit(TaskRuntime& task, proto::LogEntry entry, Where where) {
    // A line of the worker keeps its number, under which its file has it.
    if (where.store || entry.id == 0) entry.id = ++last_entry_;
    task.secrets.apply(entry.message);
    task.secrets.apply(entry.exception_info);
    if (entry.level >= LogLevel::kError) {
        task.errors.add(clock_.utc_now());
        task.last_error = entry.message;
    }
    if (where.store) {
        auto& session = *task.session;
        if (entry.log_type == proto::LogType::kExecutionStart) {
            session.start_entry = entry.id;
        } else if (session.start_entry != 0) {
            entry.parent_log_id = session.start_entry;
        }
        store_.submit(fmt::format("log entry {} of session {}", entry.id, session.row.session_id), {},
                      [id = session.row.session_id, entry](Store& to) -> Status {
                          const auto added = to.add_log_entry(id, entry);
                          if (!added) return added.error();
                          return {};
                      });
    }
    bus_.publish("log_streams." + task.code, "log_stream", proto::to_json(entry), false);
    if (where.file) files_.add(task.code, entry);
    logs_.add(task.code, std::move(entry));
}

void Recorder::process_ended(TaskRuntime& task) {
    if (!task.session || !task.worker || !task.worker->beat) return;
    const auto& beat = *task.worker->beat;
    auto& session = *task.session;
    session.read_before += beat.points_read;
    session.good_before += beat.points_good;
    session.delivered_before += beat.points_delivered;
    session.errors_before += beat.errors;
}

void Recorder::show(TaskRuntime& task, bool save_too,
                    const std::shared_ptr<const proto::ProcessStatus>& process) {
    if (!task.session) return;
    auto& session = *task.session;
    session.row.status = session_state(task.machine);
    session.row.pid = process->pid;
    if (save_too) {
        session.saved_at = clock_.mono_now();
        save(session);
    }
    bus_.publish_later(session.topic, "session_status_update", [row = session.row, process] {
        auto shown = row;
        shown.process = *process;
        return proto::to_json(shown);
    });
}

void Recorder::save(const SessionTrack& session) {
    const auto name = fmt::format("session {}", session.row.session_id);
    store_.submit(name, name, [row = session.row](Store& store) { return store.update_session(row); });
}

}  // namespace fieldwarden::supervisor
