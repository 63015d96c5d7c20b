#include "supervisor/store/postgres/schema.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <thread>

#include "supervisor/plant/schema.h"
#include "supervisor/store/postgres/rows.h"

namespace fieldwarden::supervisor::postgres {

namespace {

// The two halves of the advisory lock's number: "FWdn", "stor".
constexpr std::int64_t kLockClass = 0x4657'646E;
constexpr std::int64_t kLockObject = 0x7374'6F72;

// Entry n brings the schema from version n to n + 1. Append only: a released step is never edited.
// Names that people sort by are ordered by their bytes, as elsewhere.
constexpr std::array<const char*, kSchemaVersion> kMigrations{
    R"sql(
    CREATE TABLE meta (name text PRIMARY KEY, value bigint NOT NULL);
    INSERT INTO meta VALUES ('schema', 0), ('revision', 0), ('checked_at', 0);
    CREATE TABLE last_ids (name text PRIMARY KEY, last bigint NOT NULL);
    INSERT INTO last_ids VALUES ('import_jobs', 0), ('sessions', 0), ('log_entries', 0), ('audit', 0),
        ('alerts', 0), ('alert_rules', 0), ('alert_channels', 0), ('silences', 0), ('users', 0),
        ('api_tokens', 0);

    CREATE TABLE import_jobs (
        id bigint PRIMARY KEY, file_name text NOT NULL, mode text NOT NULL, status text NOT NULL,
        created_at timestamptz NOT NULL, applied_at timestamptz, created_by text NOT NULL,
        base_revision bigint NOT NULL, summary json NOT NULL, errors json NOT NULL, warnings json NOT NULL);

    CREATE TABLE sessions (
        id bigint PRIMARY KEY, task_id bigint NOT NULL, task_code text COLLATE "C" NOT NULL,
        status text NOT NULL, pid bigint, started_at timestamptz NOT NULL, stopped_at timestamptz,
        points_read bigint NOT NULL, points_delivered bigint NOT NULL, last_read_time timestamptz,
        error_count bigint NOT NULL, success_rate double precision NOT NULL,
        period_ms double precision NOT NULL, cycle_ms double precision NOT NULL,
        spool_pending bigint NOT NULL, error_message text NOT NULL);
    CREATE INDEX sessions_by_task ON sessions (task_code, id);
    CREATE INDEX sessions_by_task_id ON sessions (task_id, id);
    CREATE INDEX sessions_by_end ON sessions (stopped_at);
    CREATE INDEX sessions_by_status ON sessions (status, id);

    CREATE TABLE log_entries (
        id bigint PRIMARY KEY, session_id bigint NOT NULL, timestamp timestamptz NOT NULL,
        level text NOT NULL, process_name text NOT NULL, message text NOT NULL, source_file text NOT NULL,
        line_number bigint NOT NULL, exception_info text NOT NULL, log_type text, execution_phase text,
        parent_log_id bigint, retry_context json, performance_metrics json);
    CREATE INDEX log_entries_by_session ON log_entries (session_id, id);

    CREATE TABLE desired (
        task_code text COLLATE "C" PRIMARY KEY, state text NOT NULL, changed_at timestamptz NOT NULL);
    CREATE TABLE processes (
        task_code text COLLATE "C" PRIMARY KEY, pid bigint NOT NULL, start_ticks bigint NOT NULL,
        session_id bigint NOT NULL, launch_key text NOT NULL, restart_count bigint NOT NULL,
        config_revision bigint NOT NULL);

    CREATE TABLE audit (
        id bigint PRIMARY KEY, at timestamptz NOT NULL, actor text NOT NULL, role text NOT NULL,
        remote text NOT NULL, action text NOT NULL, subject text NOT NULL, detail json NOT NULL,
        hash text NOT NULL);
    CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN RAISE EXCEPTION ''the audit trail is append-only''; END';
    CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change();

    CREATE TABLE alerts (
        id bigint PRIMARY KEY, error_type text NOT NULL, message text NOT NULL,
        timestamp timestamptz NOT NULL, process_name text COLLATE "C" NOT NULL, device_code text NOT NULL,
        point_code text NOT NULL, severity text NOT NULL, context json NOT NULL,
        suggested_action text NOT NULL, state text NOT NULL, count bigint NOT NULL,
        first_at timestamptz NOT NULL, last_at timestamptz NOT NULL, rule_id bigint NOT NULL,
        rule_code text NOT NULL, subject text NOT NULL, notified boolean NOT NULL, resolved_at timestamptz);
    CREATE INDEX alerts_by_state ON alerts (state, id);
    CREATE INDEX alerts_by_task ON alerts (process_name, id);
    CREATE INDEX alerts_by_end ON alerts (resolved_at);
    CREATE TABLE alert_rules (id bigint PRIMARY KEY, code text UNIQUE, body json NOT NULL);
    CREATE TABLE alert_channels (id bigint PRIMARY KEY, code text UNIQUE, body json NOT NULL);
    CREATE TABLE silences (id bigint PRIMARY KEY, code text UNIQUE, body json NOT NULL);

    CREATE TABLE state_times (
        day date NOT NULL, device_code text COLLATE "C" NOT NULL, state text COLLATE "C" NOT NULL,
        spent_us bigint NOT NULL, PRIMARY KEY (day, device_code, state));

    CREATE TABLE users (
        id bigint PRIMARY KEY, username text COLLATE "C" UNIQUE NOT NULL, role text NOT NULL,
        password_hash text NOT NULL, must_change_password boolean NOT NULL, disabled boolean NOT NULL,
        created_at timestamptz NOT NULL, last_login_at timestamptz);
    CREATE TABLE api_tokens (
        id bigint PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
        name text COLLATE "C" NOT NULL, role text NOT NULL, secret_hash text NOT NULL,
        created_at timestamptz NOT NULL, expires_at timestamptz, last_used_at timestamptz,
        UNIQUE (user_id, name));
    CREATE TABLE web_sessions (
        secret_hash text COLLATE "C" PRIMARY KEY,
        user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, csrf_token text NOT NULL,
        created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL);
    )sql",
};

// A table per kind; a field that plant/schema.h gained since it was made becomes an empty column.
Status create_plant_tables(Connection& connection) {
    for (const Kind kind : kAllKinds) {
        const auto& schema = schema_of(kind);
        const auto columns = collect(
            connection,
            "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT "
            "attisdropped",
            "table", [](RowReader& row) { return row.text(); },
            fmt::format("fieldwarden.\"{}\"", schema.sheet));
        if (!columns) return columns.error();
        const std::set<std::string, std::less<>> known{columns->begin(), columns->end()};
        std::string sql;
        if (known.empty()) {
            sql = fmt::format(
                "CREATE TABLE \"{0}\" (id bigint PRIMARY KEY); INSERT INTO last_ids VALUES ('{0}', 0);",
                schema.sheet);
        }
        for (const auto& field : schema.fields) {
            if (known.contains(field.name)) continue;
            sql +=
                fmt::format("ALTER TABLE \"{}\" ADD COLUMN \"{}\" text NOT NULL DEFAULT ''{};", schema.sheet,
                            field.name, field.type == FieldType::kCode ? " COLLATE \"C\" UNIQUE" : "");
        }
        if (sql.empty()) continue;
        if (const auto made = connection.execute(sql); !made) return made;
    }
    return {};
}

Result<std::int64_t> stored_version(Connection& connection) {
    const auto there = integer_of(connection, "SELECT count(to_regclass('fieldwarden.meta'))");
    if (!there) return there.error();
    if (*there == 0) return 0;
    return integer_of(connection, "SELECT value FROM meta WHERE name = 'schema'");
}

Status refuse_newer(const Connection& connection, std::int64_t version) {
    if (version <= kSchemaVersion) return {};
    return make_error(
        ErrorKind::kInvalidArgument,
        fmt::format("{}: written by a newer Fieldwarden (schema {}, this program knows {}); nothing was "
                    "changed. Install the newer version again or restore a backup",
                    connection.label(), version, kSchemaVersion));
}

Status migrate_in_transaction(Connection& connection) {
    const auto schema = integer_of(connection, "SELECT count(to_regnamespace('fieldwarden'))");
    if (!schema) return schema.error();
    // Somebody may have made it for us, so that our user needs no right to make schemas.
    if (*schema == 0) {
        if (const auto made = connection.execute("CREATE SCHEMA fieldwarden"); !made) return made;
    }
    const auto version = stored_version(connection);
    if (!version) return version.error();
    if (const auto known = refuse_newer(connection, *version); !known) return known;
    for (auto from = *version; from < kSchemaVersion; ++from) {
        const auto sql = fmt::format("{}; UPDATE meta SET value = {} WHERE name = 'schema'",
                                     kMigrations.at(static_cast<std::size_t>(from)), from + 1);
        if (const auto done = connection.execute(sql); !done) return done;
    }
    return create_plant_tables(connection);
}

}  // namespace

Status take_ownership(Connection& connection, const Address& address, std::chrono::milliseconds patience) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    constexpr std::string_view kHolders =
        "FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted AND "
        "l.classid = {}::oid AND l.objid = {}::oid AND l.database = (SELECT oid FROM pg_database WHERE "
        "datname "
        "= current_database())";
    const auto holders = fmt::format(fmt::runtime(kHolders), kLockClass, kLockObject);
    for (;;) {
        const auto taken =
            connection.run(fmt::format("SELECT pg_try_advisory_lock({}, {})", kLockClass, kLockObject));
        if (!taken) return taken.error();
        if (taken->boolean(0, 0)) return {};
        // Of a connection that broke, the server may not know yet.
        const auto ended =
            run(connection,
                fmt::format("SELECT pg_terminate_backend(a.pid) {} AND a.application_name = $1", holders),
                address.name);
        if (!ended) return ended;
        if (std::chrono::steady_clock::now() >= deadline) break;
        std::this_thread::sleep_for(std::chrono::milliseconds{100});
    }
    const auto who =
        collect(connection,
                fmt::format("SELECT coalesce(nullif(a.application_name, ''), 'a program of another user'), "
                            "coalesce(host(a.client_addr), 'the server''s own machine') {}",
                            holders),
                "connection", [](RowReader& row) {
                    auto name = row.text();
                    return fmt::format("{} from {}", name, row.text());
                });
    return make_error(
        ErrorKind::kConflict,
        fmt::format(
            "{}: another supervisor uses this store ({}). Two of them cannot share one: stop that one, "
            "or give this one a database of its own",
            connection.label(), who && !who->empty() ? who->front() : "it has just left; try again"));
}

Status migrate(Connection& connection) {
    if (const auto begun = connection.execute("BEGIN"); !begun) return begun;
    if (const auto done = migrate_in_transaction(connection); !done) {
        if (connection.health() == Connection::Health::kGood) {
            static_cast<void>(connection.execute("ROLLBACK"));
        }
        return done;
    }
    return connection.execute("COMMIT");
}

Status check_version(Connection& connection) {
    const auto version = stored_version(connection);
    if (!version) return version.error();
    if (const auto known = refuse_newer(connection, *version); !known) return known;
    if (*version == kSchemaVersion) return {};
    return make_error(ErrorKind::kCorrupt,
                      fmt::format("{}: the store's tables are gone (schema {} of {}); restore a backup, or "
                                  "restart to begin with an empty configuration",
                                  connection.label(), *version, kSchemaVersion));
}

}  // namespace fieldwarden::supervisor::postgres
