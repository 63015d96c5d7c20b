// Import jobs, sessions and their timelines, desired states, the process table.
#include "supervisor/store/desired_names.h"
#include "supervisor/store/sqlite_rows.h"
#include "supervisor/store/sqlite_store.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::string_view kJobColumns =
    "id, file_name, mode, status, created_at, applied_at, created_by, base_revision, summary";

constexpr std::string_view kSessionColumns =
    "id, task_id, task_code, status, pid, started_at, stopped_at, points_read, points_delivered, "
    "last_read_time, "
    "error_count, success_rate, period_ms, cycle_ms, spool_pending, error_message";

}  // namespace

// --- import jobs ---

Result<std::int64_t> SqliteStore::add_import_job(const ImportJob& job) {
    return write(Sync::kFull, [&](SqlDatabase& database) {
        return insert(database, "INSERT INTO import_jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", job.id,
                      job.file_name, job.mode, job.status, micros(job.created_at), micros(job.applied_at),
                      job.created_by, job.base_revision, dumped(job.summary), dumped(job.errors),
                      dumped(job.warnings));
    });
}

Status SqliteStore::update_import_job(const ImportJob& job) {
    return write(Sync::kFull, [&](SqlDatabase& database) {
        return change_one(database, "import job", job.id,
                          "UPDATE import_jobs SET file_name = ?, mode = ?, status = ?, created_at = ?, "
                          "applied_at = ?, created_by = ?, base_revision = ?, summary = ?, errors = ?, "
                          "warnings = ? WHERE id = ?",
                          job.file_name, job.mode, job.status, micros(job.created_at), micros(job.applied_at),
                          job.created_by, job.base_revision, dumped(job.summary), dumped(job.errors),
                          dumped(job.warnings), job.id);
    });
}

Result<ImportJob> SqliteStore::import_job(std::int64_t id) {
    return read([&](SqlDatabase& database) -> Result<ImportJob> {
        auto rows = database.prepare(
            fmt::format("SELECT {}, errors, warnings FROM import_jobs WHERE id = ?", kJobColumns));
        if (!rows) return rows.error();
        return one_row(rows->bind(id), "import job", id, [](RowReader& row) { return read_job(row, true); });
    });
}

Result<Page<ImportJob>> SqliteStore::import_jobs(PageRequest page) {
    return read([&](SqlDatabase& database) {
        return page_of(database, kJobColumns, "import_jobs", page, "import job",
                       [](RowReader& row) { return read_job(row, false); });
    });
}

// --- sessions and the execution log ---

Result<std::int64_t> SqliteStore::add_session(const SessionRow& session) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return insert(database,
                      "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      session.session_id, session.task_id, session.task_code, to_name(session.status),
                      session.pid, micros(session.started_at), micros(session.stopped_at),
                      session.points_read, session.points_delivered, micros(session.last_read_time),
                      session.error_count, session.success_rate, session.period_ms, session.cycle_ms,
                      session.spool_pending, session.error_message);
    });
}

Status SqliteStore::update_session(const SessionRow& session) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return change_one(
            database, "session", session.session_id,
            "UPDATE sessions SET task_id = ?, task_code = ?, status = ?, pid = ?, started_at = ?, stopped_at "
            "= ?, "
            "points_read = ?, points_delivered = ?, last_read_time = ?, error_count = ?, success_rate = ?, "
            "period_ms = ?, cycle_ms = ?, spool_pending = ?, error_message = ? WHERE id = ?",
            session.task_id, session.task_code, to_name(session.status), session.pid,
            micros(session.started_at), micros(session.stopped_at), session.points_read,
            session.points_delivered, micros(session.last_read_time), session.error_count,
            session.success_rate, session.period_ms, session.cycle_ms, session.spool_pending,
            session.error_message, session.session_id);
    });
}

Result<SessionRow> SqliteStore::session(std::int64_t id) {
    return read([&](SqlDatabase& database) -> Result<SessionRow> {
        auto rows = database.prepare(fmt::format("SELECT {} FROM sessions WHERE id = ?", kSessionColumns));
        if (!rows) return rows.error();
        return one_row(rows->bind(id), "session", id, read_session);
    });
}

Result<Page<SessionRow>> SqliteStore::sessions(const SessionFilter& filter, PageRequest page) {
    // Each condition is written out only when asked for, so that SQLite can use the index that fits it.
    const auto where =
        fmt::format("sessions WHERE {} AND {} AND {}", filter.task_id ? "task_id = ?1" : "?1 IS NULL",
                    filter.task_code ? "task_code = ?2" : "?2 IS NULL",
                    filter.active_only ? "status IN ('starting', 'running', 'paused', 'stopping')" : "TRUE");
    return read([&](SqlDatabase& database) {
        return page_of(database, kSessionColumns, where, page, "session", read_session, filter.task_id,
                       filter.task_code);
    });
}

Result<std::int64_t> SqliteStore::add_log_entry(std::int64_t session_id, const proto::LogEntry& entry) {
    const auto retry =
        entry.retry_context ? std::optional{proto::to_json(*entry.retry_context)} : std::nullopt;
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return insert(database, "INSERT INTO log_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                      entry.id, session_id, micros(entry.timestamp), to_name(entry.level), entry.process_name,
                      entry.message, entry.source_file, entry.line_number, entry.exception_info,
                      name_of(entry.log_type), name_of(entry.execution_phase), entry.parent_log_id,
                      dumped(retry), dumped(entry.performance_metrics));
    });
}

Result<std::vector<proto::LogEntry>> SqliteStore::timeline(std::int64_t session_id) {
    return read([&](SqlDatabase& database) -> Result<std::vector<proto::LogEntry>> {
        auto rows = database.prepare(
            "SELECT id, timestamp, level, process_name, message, source_file, line_number, exception_info, "
            "log_type, execution_phase, parent_log_id, retry_context, performance_metrics FROM log_entries "
            "WHERE session_id = ? ORDER BY id");
        if (!rows) return rows.error();
        return collect(rows->bind(session_id), "log entry", read_entry);
    });
}

Result<std::pair<std::int64_t, std::int64_t>> SqliteStore::last_ids() {
    return read([](SqlDatabase& database) -> Result<std::pair<std::int64_t, std::int64_t>> {
        // sqlite_sequence remembers ids whose rows have been pruned.
        const auto last = [&](std::string_view table) {
            return database.integer(
                fmt::format("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = '{}'", table));
        };
        const auto session = last("sessions");
        if (!session) return session.error();
        const auto entry = last("log_entries");
        if (!entry) return entry.error();
        return std::pair{*session, *entry};
    });
}

// --- what should run, and what runs ---

Status SqliteStore::set_desired(const DesiredRow& row) {
    return write(Sync::kFull, [&](SqlDatabase& database) {
        return run(database, "INSERT OR REPLACE INTO desired VALUES (?, ?, ?)", row.task_code,
                   to_name(row.state), micros(row.changed_at));
    });
}

Result<std::vector<DesiredRow>> SqliteStore::desired() {
    return read([](SqlDatabase& database) -> Result<std::vector<DesiredRow>> {
        auto rows = database.prepare("SELECT task_code, state, changed_at FROM desired ORDER BY task_code");
        if (!rows) return rows.error();
        return collect(*rows, "desired state", [](RowReader& row) {
            DesiredRow desired;
            desired.task_code = row.text();
            desired.state = row.choice<DesiredState>();
            desired.changed_at = row.time();
            return desired;
        });
    });
}

Status SqliteStore::put_process(const ProcessRow& row) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "INSERT OR REPLACE INTO processes VALUES (?, ?, ?, ?, ?, ?, ?)", row.task_code,
                   row.pid, row.start_ticks, row.session_id, row.launch_key, row.restart_count,
                   row.config_revision);
    });
}

Status SqliteStore::remove_process(const std::string& task_code) {
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "DELETE FROM processes WHERE task_code = ?", task_code);
    });
}

Result<std::vector<ProcessRow>> SqliteStore::processes() {
    return read([](SqlDatabase& database) -> Result<std::vector<ProcessRow>> {
        auto rows = database.prepare(
            "SELECT task_code, pid, start_ticks, session_id, launch_key, restart_count, config_revision "
            "FROM processes ORDER BY task_code");
        if (!rows) return rows.error();
        return collect(*rows, "process", read_process);
    });
}

// --- upkeep ---

Status SqliteStore::prune(UtcTime before) {
    return write(Sync::kNormal, [&](SqlDatabase& database) -> Status {
        for (const std::string_view sql :
             {"DELETE FROM log_entries WHERE session_id IN (SELECT id FROM sessions WHERE stopped_at < ?)",
              "DELETE FROM sessions WHERE stopped_at < ?", "DELETE FROM import_jobs WHERE created_at < ?",
              "DELETE FROM alerts WHERE resolved_at < ?"}) {
            if (const auto done = run(database, sql, micros(before)); !done) return done;
        }
        return {};
    });
}

Status SqliteStore::check() {
    const auto now = micros(system_clock().utc_now());
    const auto written = write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database, "UPDATE meta SET value = ? WHERE name = 'checked_at'", now);
    });
    if (!written) return written;
    const auto revision = read([](SqlDatabase& database) {
        return database.integer("SELECT value FROM meta WHERE name = 'revision'");
    });
    if (!revision) return revision.error();
    return {};
}

}  // namespace fieldwarden::supervisor
