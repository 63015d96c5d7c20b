// Import jobs, sessions and their timelines, desired states, the process table, the audit trail.
#include "supervisor/store/audit_chain.h"
#include "supervisor/store/desired_names.h"
#include "supervisor/store/postgres/postgres_store.h"
#include "supervisor/store/postgres/rows.h"

namespace fieldwarden::supervisor {

using namespace postgres;

namespace {

constexpr std::string_view kJobColumns =
    "file_name, mode, status, created_at, applied_at, created_by, base_revision, summary";

constexpr std::string_view kSessionColumns =
    "task_id, task_code, status, pid, started_at, stopped_at, points_read, points_delivered, last_read_time, "
    "error_count, success_rate, period_ms, cycle_ms, spool_pending, error_message";

constexpr std::string_view kEntryColumns =
    "timestamp, level, process_name, message, source_file, line_number, exception_info, log_type, "
    "execution_phase, parent_log_id, retry_context, performance_metrics";

constexpr std::string_view kAuditColumns = "at, actor, role, remote, action, subject, detail, hash";

AuditEntry read_audit(RowReader& row) {
    AuditEntry entry;
    entry.id = row.integer();
    entry.at = row.time();
    entry.actor = {row.text(), row.text(), row.text()};
    entry.action = row.text();
    entry.subject = row.text();
    entry.detail = row.json();
    entry.hash = row.text();
    return entry;
}

std::string with_id(std::string_view columns) {
    return fmt::format("id, {}", columns);
}

}  // namespace

// --- import jobs ---

Result<std::int64_t> PostgresStore::add_import_job(const ImportJob& job) {
    return write([&](Connection& connection) {
        return insert(connection, "import_jobs", fmt::format("{}, errors, warnings", kJobColumns), job.id,
                      job.file_name, job.mode, job.status, job.created_at, job.applied_at, job.created_by,
                      job.base_revision, json_text(job.summary), json_text(job.errors),
                      json_text(job.warnings));
    });
}

Status PostgresStore::update_import_job(const ImportJob& job) {
    return write([&](Connection& connection) {
        return change_one(connection, "import job", job.id,
                          fmt::format("UPDATE import_jobs SET ({}, errors, warnings) = ({}) WHERE id = $11",
                                      kJobColumns, places(10, 1)),
                          job.file_name, job.mode, job.status, job.created_at, job.applied_at, job.created_by,
                          job.base_revision, json_text(job.summary), json_text(job.errors),
                          json_text(job.warnings), job.id);
    });
}

Result<ImportJob> PostgresStore::import_job(std::int64_t id) {
    return read([&](Connection& connection) {
        return one_row(
            connection,
            fmt::format("SELECT id, {}, errors, warnings FROM import_jobs WHERE id = $1", kJobColumns),
            "import job", id, [](RowReader& row) { return read_job(row, true); });
    });
}

Result<Page<ImportJob>> PostgresStore::import_jobs(PageRequest page) {
    return read([&](Connection& connection) {
        return page_of(connection, with_id(kJobColumns), "import_jobs", page, "import job",
                       [](RowReader& row) { return read_job(row, false); });
    });
}

// --- sessions and the execution log ---

Result<std::int64_t> PostgresStore::add_session(const SessionRow& session) {
    return write([&](Connection& connection) {
        return insert(connection, "sessions", kSessionColumns, session.session_id, session.task_id,
                      session.task_code, to_name(session.status), session.pid, session.started_at,
                      session.stopped_at, session.points_read, session.points_delivered,
                      session.last_read_time, session.error_count, session.success_rate, session.period_ms,
                      session.cycle_ms, session.spool_pending, session.error_message);
    });
}

Status PostgresStore::update_session(const SessionRow& session) {
    return write([&](Connection& connection) {
        return change_one(
            connection, "session", session.session_id,
            fmt::format("UPDATE sessions SET ({}) = ({}) WHERE id = $16", kSessionColumns, places(15, 1)),
            session.task_id, session.task_code, to_name(session.status), session.pid, session.started_at,
            session.stopped_at, session.points_read, session.points_delivered, session.last_read_time,
            session.error_count, session.success_rate, session.period_ms, session.cycle_ms,
            session.spool_pending, session.error_message, session.session_id);
    });
}

Result<SessionRow> PostgresStore::session(std::int64_t id) {
    return read([&](Connection& connection) {
        return one_row(connection,
                       fmt::format("SELECT {} FROM sessions WHERE id = $1", with_id(kSessionColumns)),
                       "session", id, read_session);
    });
}

Result<Page<SessionRow>> PostgresStore::sessions(const SessionFilter& filter, PageRequest page) {
    // Each condition is written out only when asked for, so that the index that fits it can be used.
    const auto where =
        fmt::format("sessions WHERE {} AND {} AND {}", filter.task_id ? "task_id = $1" : "$1 IS NULL",
                    filter.task_code ? "task_code = $2" : "$2 IS NULL",
                    filter.active_only ? "status IN ('starting', 'running', 'paused', 'stopping')" : "TRUE");
    return read([&](Connection& connection) {
        return page_of(connection, with_id(kSessionColumns), where, page, "session", read_session,
                       filter.task_id, filter.task_code);
    });
}

Result<std::int64_t> PostgresStore::add_log_entry(std::int64_t session_id, const proto::LogEntry& entry) {
    const auto retry =
        entry.retry_context ? std::optional{proto::to_json(*entry.retry_context)} : std::nullopt;
    return write([&](Connection& connection) {
        return insert(connection, "log_entries", fmt::format("session_id, {}", kEntryColumns), entry.id,
                      session_id, entry.timestamp, to_name(entry.level), entry.process_name, entry.message,
                      entry.source_file, entry.line_number, entry.exception_info, name_of(entry.log_type),
                      name_of(entry.execution_phase), entry.parent_log_id, json_text(retry),
                      json_text(entry.performance_metrics));
    });
}

Result<std::vector<proto::LogEntry>> PostgresStore::timeline(std::int64_t session_id) {
    return read([&](Connection& connection) {
        return collect(connection,
                       fmt::format("SELECT {} FROM log_entries WHERE session_id = $1 ORDER BY id",
                                   with_id(kEntryColumns)),
                       "log entry", read_entry, session_id);
    });
}

Result<std::pair<std::int64_t, std::int64_t>> PostgresStore::last_ids() {
    return read([](Connection& connection) -> Result<std::pair<std::int64_t, std::int64_t>> {
        const auto session = integer_of(connection, "SELECT last FROM last_ids WHERE name = 'sessions'");
        if (!session) return session.error();
        const auto entry = integer_of(connection, "SELECT last FROM last_ids WHERE name = 'log_entries'");
        if (!entry) return entry.error();
        return std::pair{*session, *entry};
    });
}

// --- what should run, and what runs ---

Status PostgresStore::set_desired(const DesiredRow& row) {
    return write([&](Connection& connection) {
        return run(connection,
                   "INSERT INTO desired (task_code, state, changed_at) VALUES ($1, $2, $3) ON CONFLICT "
                   "(task_code) DO UPDATE SET state = excluded.state, changed_at = excluded.changed_at",
                   row.task_code, to_name(row.state), row.changed_at);
    });
}

Result<std::vector<DesiredRow>> PostgresStore::desired() {
    return read([](Connection& connection) {
        return collect(connection, "SELECT task_code, state, changed_at FROM desired ORDER BY task_code",
                       "desired state", [](RowReader& row) {
                           DesiredRow desired;
                           desired.task_code = row.text();
                           desired.state = row.choice<DesiredState>();
                           desired.changed_at = row.time();
                           return desired;
                       });
    });
}

Status PostgresStore::put_process(const ProcessRow& row) {
    return write([&](Connection& connection) {
        return run(connection,
                   "INSERT INTO processes (task_code, pid, start_ticks, session_id, launch_key, "
                   "restart_count, config_revision) VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT "
                   "(task_code) DO UPDATE SET pid = excluded.pid, start_ticks = excluded.start_ticks, "
                   "session_id = excluded.session_id, launch_key = excluded.launch_key, restart_count = "
                   "excluded.restart_count, config_revision = excluded.config_revision",
                   row.task_code, row.pid, row.start_ticks, row.session_id, row.launch_key, row.restart_count,
                   row.config_revision);
    });
}

Status PostgresStore::remove_process(const std::string& task_code) {
    return write([&](Connection& connection) {
        return run(connection, "DELETE FROM processes WHERE task_code = $1", task_code);
    });
}

Result<std::vector<ProcessRow>> PostgresStore::processes() {
    return read([](Connection& connection) {
        return collect(
            connection,
            "SELECT task_code, pid, start_ticks, session_id, launch_key, restart_count, config_revision "
            "FROM processes ORDER BY task_code",
            "process", read_process);
    });
}

// --- audit and upkeep ---

// There is one writer, whose transactions come one after the other.
Status postgres::insert_audit(Connection& connection, AuditEntry entry) {
    const auto newest = collect(connection, "SELECT hash FROM audit ORDER BY id DESC LIMIT 1", "audit entry",
                                [](RowReader& row) { return row.text(); });
    if (!newest) return newest.error();
    const auto id = integer_of(connection, "SELECT last + 1 FROM last_ids WHERE name = 'audit'");
    if (!id) return id.error();
    entry.id = *id;
    // The hash is of what will be read back.
    for (auto* text :
         {&entry.actor.name, &entry.actor.role, &entry.actor.remote, &entry.action, &entry.subject})
        *text = storable(*text);
    entry.hash = audit_hash(newest->empty() ? std::string_view{} : newest->front(), entry);
    const auto added =
        insert(connection, "audit", kAuditColumns, entry.id, entry.at, entry.actor.name, entry.actor.role,
               entry.actor.remote, entry.action, entry.subject, json_text(entry.detail), entry.hash);
    if (!added) return added.error();
    return {};
}

Status PostgresStore::add_audit(const AuditEntry& entry) {
    return write([&](Connection& connection) { return insert_audit(connection, entry); });
}

Result<Page<AuditEntry>> PostgresStore::audit(PageRequest page) {
    return read([&](Connection& connection) {
        return page_of(connection, with_id(kAuditColumns), "audit", page, "audit entry", read_audit);
    });
}

Result<std::vector<AuditEntry>> PostgresStore::audit_after(std::int64_t id, std::uint32_t limit) {
    return read([&](Connection& connection) {
        return collect(
            connection,
            fmt::format("SELECT {} FROM audit WHERE id > $1 ORDER BY id LIMIT $2", with_id(kAuditColumns)),
            "audit entry", read_audit, id, limit);
    });
}

Status PostgresStore::prune(UtcTime before) {
    for (const char* sql :
         {"DELETE FROM log_entries WHERE id IN (SELECT e.id FROM log_entries e JOIN sessions s ON s.id = "
          "e.session_id WHERE s.stopped_at < $1 LIMIT {})",
          "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE stopped_at < $1 LIMIT {})",
          "DELETE FROM import_jobs WHERE id IN (SELECT id FROM import_jobs WHERE created_at < $1 LIMIT {})",
          "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE resolved_at < $1 LIMIT {})"}) {
        if (const auto done = delete_slices(sql, before); !done) return done;
    }
    return {};
}

Status PostgresStore::check() {
    const std::int64_t now = system_clock().utc_now().time_since_epoch().count();
    const auto written = write([&](Connection& connection) {
        return run(connection, "UPDATE meta SET value = $1 WHERE name = 'checked_at'", now);
    });
    if (!written) return written;
    const auto revision = read([](Connection& connection) {
        return integer_of(connection, "SELECT value FROM meta WHERE name = 'revision'");
    });
    if (!revision) return revision.error();
    return {};
}

}  // namespace fieldwarden::supervisor
