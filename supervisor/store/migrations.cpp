#include "supervisor/store/migrations.h"

#include <fmt/format.h>

#include <array>
#include <set>

#include "supervisor/plant/schema.h"
#include "supervisor/store/audit_chain.h"
#include "supervisor/store/sqlite_rows.h"

namespace fieldwarden::supervisor {

namespace {

// Entry n brings the schema from version n to n + 1. Append only: a released step is never edited.
// Times are microseconds since 1970 UTC. AUTOINCREMENT: ids are never given twice.
constexpr std::array<const char*, kStoreSchemaVersion> kMigrations{
    R"sql(
    CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO meta VALUES ('revision', 0), ('checked_at', 0);

    CREATE TABLE import_jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        file_name TEXT NOT NULL, mode TEXT NOT NULL, status TEXT NOT NULL,
        created_at INTEGER NOT NULL, applied_at INTEGER, created_by TEXT NOT NULL,
        base_revision INTEGER NOT NULL,
        summary TEXT NOT NULL, errors TEXT NOT NULL, warnings TEXT NOT NULL);

    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        task_id INTEGER NOT NULL, task_code TEXT NOT NULL, status TEXT NOT NULL, pid INTEGER,
        started_at INTEGER NOT NULL, stopped_at INTEGER,
        points_read INTEGER NOT NULL, points_delivered INTEGER NOT NULL, last_read_time INTEGER,
        error_count INTEGER NOT NULL, success_rate REAL NOT NULL, period_ms REAL NOT NULL,
        cycle_ms REAL NOT NULL, spool_pending INTEGER NOT NULL, error_message TEXT NOT NULL);
    CREATE INDEX sessions_by_task ON sessions (task_code, id);
    CREATE INDEX sessions_by_task_id ON sessions (task_id, id);
    CREATE INDEX sessions_by_end ON sessions (stopped_at);
    CREATE INDEX sessions_by_status ON sessions (status, id);

    CREATE TABLE log_entries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id INTEGER NOT NULL,
        timestamp INTEGER NOT NULL, level TEXT NOT NULL, process_name TEXT NOT NULL,
        message TEXT NOT NULL, source_file TEXT NOT NULL, line_number INTEGER NOT NULL,
        exception_info TEXT NOT NULL, log_type TEXT, execution_phase TEXT, parent_log_id INTEGER,
        retry_context TEXT, performance_metrics TEXT);
    CREATE INDEX log_entries_by_session ON log_entries (session_id, id);

    CREATE TABLE desired (task_code TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE processes (
        task_code TEXT PRIMARY KEY,
        pid INTEGER NOT NULL, start_ticks INTEGER NOT NULL, session_id INTEGER NOT NULL,
        launch_key TEXT NOT NULL, restart_count INTEGER NOT NULL,
        config_revision INTEGER NOT NULL) WITHOUT ROWID;

    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        at INTEGER NOT NULL, actor TEXT NOT NULL, role TEXT NOT NULL, remote TEXT NOT NULL,
        action TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL);
    )sql",
    // When somebody last said what a task should be: a schedule's edge after that was missed.
    "ALTER TABLE desired ADD COLUMN changed_at INTEGER NOT NULL DEFAULT 0;",
    R"sql(
    CREATE TABLE alerts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        error_type TEXT NOT NULL, message TEXT NOT NULL, timestamp INTEGER NOT NULL,
        process_name TEXT NOT NULL, device_code TEXT NOT NULL, point_code TEXT NOT NULL,
        severity TEXT NOT NULL, context TEXT NOT NULL, suggested_action TEXT NOT NULL,
        state TEXT NOT NULL, count INTEGER NOT NULL, first_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
        rule_id INTEGER NOT NULL, rule_code TEXT NOT NULL, subject TEXT NOT NULL,
        notified INTEGER NOT NULL, resolved_at INTEGER);
    CREATE INDEX alerts_by_state ON alerts (state, id);
    CREATE INDEX alerts_by_task ON alerts (process_name, id);
    CREATE INDEX alerts_by_end ON alerts (resolved_at);

    CREATE TABLE alert_rules (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, body TEXT NOT NULL);
    CREATE TABLE alert_channels (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, body TEXT NOT NULL);
    CREATE TABLE silences (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE, body TEXT NOT NULL);
    )sql",
    // How long devices were in which state. `day`: days since 1970-01-01 of the name of a local day; `spent`:
    // microseconds.
    R"sql(
    CREATE TABLE state_times (
        day INTEGER NOT NULL, device_code TEXT NOT NULL, state TEXT NOT NULL, spent INTEGER NOT NULL,
        PRIMARY KEY (day, device_code, state)) WITHOUT ROWID;
    )sql",
    // Accounts; and the chain of the audit trail, which chain_audit() fills and closes.
    R"sql(
    CREATE TABLE users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        username TEXT NOT NULL UNIQUE, role TEXT NOT NULL, password_hash TEXT NOT NULL,
        must_change_password INTEGER NOT NULL, disabled INTEGER NOT NULL,
        created_at INTEGER NOT NULL, last_login_at INTEGER);
    CREATE TABLE api_tokens (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        user_id INTEGER NOT NULL, name TEXT NOT NULL, role TEXT NOT NULL, secret_hash TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER,
        UNIQUE (user_id, name));
    CREATE TABLE web_sessions (
        secret_hash TEXT PRIMARY KEY,
        user_id INTEGER NOT NULL, csrf_token TEXT NOT NULL,
        created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE INDEX web_sessions_by_user ON web_sessions (user_id);
    ALTER TABLE audit ADD COLUMN hash TEXT NOT NULL DEFAULT '';
    )sql",
};
constexpr std::int64_t kAuditChainSince = 5;

// Gives the entries of before their hashes; from then on the table only takes new rows. REPLACE would delete
// without the delete trigger, hence the one on INSERT.
Status chain_audit(SqlDatabase& database) {
    std::string previous;
    for (std::int64_t last = 0;;) {
        const auto entries = select_audit_after(database, last, 1000);
        if (!entries) return entries.error();
        if (entries->empty()) break;
        for (const auto& entry : *entries) {
            previous = audit_hash(previous, entry);
            last = entry.id;
            const auto done = run(database, "UPDATE audit SET hash = ? WHERE id = ?", previous, last);
            if (!done) return done;
        }
    }
    return database.execute(R"sql(
        CREATE TRIGGER audit_keeps_changes BEFORE UPDATE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
        CREATE TRIGGER audit_keeps_rows BEFORE DELETE ON audit
            BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
        CREATE TRIGGER audit_keeps_ids BEFORE INSERT ON audit
            WHEN EXISTS (SELECT 1 FROM audit WHERE id = NEW.id)
            BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END;
    )sql");
}

// A table per kind; a field that plant/schema.h gained since the file was written becomes an empty column.
Status create_plant_tables(SqlDatabase& database) {
    for (const Kind kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        std::set<std::string, std::less<>> columns;
        auto listed = database.prepare(fmt::format("PRAGMA table_info(\"{}\")", schema.sheet));
        if (!listed) return listed.error();
        while (true) {
            const auto row = listed->step();
            if (!row) return row.error();
            if (!*row) break;
            columns.insert(listed->string(1));
        }
        if (columns.empty()) {
            std::string fields;
            for (const auto& field : schema.fields) {
                fields += fmt::format(", \"{}\" TEXT NOT NULL DEFAULT ''{}", field.name,
                                      field.type == FieldType::kCode ? " UNIQUE" : "");
            }
            const auto created = database.execute(fmt::format(
                "CREATE TABLE \"{}\" (id INTEGER PRIMARY KEY AUTOINCREMENT{})", schema.sheet, fields));
            if (!created) return created;
            continue;
        }
        for (const auto& field : schema.fields) {
            if (columns.contains(field.name)) continue;
            const auto added = database.execute(fmt::format(
                "ALTER TABLE \"{}\" ADD COLUMN \"{}\" TEXT NOT NULL DEFAULT ''", schema.sheet, field.name));
            if (!added) return added;
        }
    }
    return {};
}

Status check_ours(SqlDatabase& database, std::int64_t version) {
    const auto application = database.integer("PRAGMA application_id");
    if (!application) return application.error();
    const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
    if (!tables) return tables.error();
    const bool fresh = version == 0 && *application == 0 && *tables == 0;
    if (!fresh && *application != kStoreApplicationId) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("{}: is an SQLite database of another program; nothing was changed. Move it "
                        "away or choose another data directory",
                        database.path()));
    }
    if (version > kStoreSchemaVersion) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("{}: written by a newer Fieldwarden (schema {}, this program knows {}); nothing was "
                        "changed. Install the newer version again or restore a backup",
                        database.path(), version, kStoreSchemaVersion));
    }
    return {};
}

}  // namespace

Status migrate_store(SqlDatabase& database) {
    const auto version = database.integer("PRAGMA user_version");
    if (!version) return version.error();
    if (const auto ours = check_ours(database, *version); !ours) return ours;
    for (auto from = *version; from < kStoreSchemaVersion; ++from) {
        auto step = SqlTransaction::begin(database);
        if (!step) return step.error();
        for (const std::string& sql : {std::string{kMigrations.at(static_cast<std::size_t>(from))},
                                       fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                                   kStoreApplicationId, from + 1)}) {
            if (const auto done = database.execute(sql); !done) return done;
        }
        if (from + 1 == kAuditChainSince) {
            if (const auto done = chain_audit(database); !done) return done;
        }
        if (const auto done = step->commit(); !done) return done;
    }
    auto plant = SqlTransaction::begin(database);
    if (!plant) return plant.error();
    if (const auto created = create_plant_tables(database); !created) return created;
    return plant->commit();
}

}  // namespace fieldwarden::supervisor
