#include "worker/sinks/postgres/schema.h"

#include <fmt/format.h>

namespace fieldwarden::worker::postgres {

namespace {

using std::chrono::days;
using std::chrono::sys_days;

// Of the table's comment, which tells our tables from others' and their layouts apart.
constexpr std::string_view kMark = "Fieldwarden points, layout ";
constexpr int kLayout = 1;

// A backlog of a year still finds its partitions; nothing comes from later than the day after tomorrow but
// from a wrong clock.
constexpr days kPast{400};
constexpr days kFuture{2};

std::string lock_statement(const TableName& table) {
    return fmt::format("SELECT pg_advisory_xact_lock(hashtextextended({}, 0));",
                       quoted_literal("fieldwarden " + table.shown));
}

std::string default_partition_statement(const TableName& table) {
    return fmt::format("CREATE TABLE IF NOT EXISTS {} PARTITION OF {} DEFAULT;",
                       sql_default_partition_name(table), sql_name(table));
}

Outcome create_table(Session& session, const TableName& table, bool& daily) {
    Rows rows;
    if (!table.schema.empty()) {
        const auto schema = quoted_identifier(table.schema);
        auto failed =
            session.run(fmt::format("SELECT to_regnamespace({}) IS NULL", quoted_literal(schema)), &rows);
        if (failed) return failed;
        if (!rows.empty() && rows.front().front() == "t") {
            if (failed = session.run("CREATE SCHEMA IF NOT EXISTS " + schema); failed) return failed;
        }
    }
    rows.clear();
    if (auto failed = session.run("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'", &rows)) {
        return failed;
    }
    daily = rows.empty();
    const auto name = sql_name(table);
    auto statements = fmt::format(
        "CREATE TABLE {} (ts timestamptz NOT NULL, site_code text NOT NULL, device_code text NOT NULL,"
        " point_code text NOT NULL, value double precision, text_value text, quality smallint NOT NULL,"
        " PRIMARY KEY (point_code, ts)){};",
        name, daily ? " PARTITION BY RANGE (ts)" : "");
    if (daily) {
        statements += default_partition_statement(table);
    } else {
        statements +=
            fmt::format("SELECT create_hypertable({}, 'ts', chunk_time_interval => interval '1 day');",
                        quoted_literal(name));
    }
    statements += fmt::format("COMMENT ON TABLE {} IS '{}{}';", name, kMark, kLayout);
    return session.run(statements);
}

}  // namespace

Outcome ensure_table(Session& session, const TableName& table, bool& daily) {
    Rows found;
    auto failed = session.run(
        lock_statement(table) +
            fmt::format("SELECT c.relkind, coalesce(obj_description(c.oid, 'pg_class'), ''),"
                        " (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT"
                        " a.attisdropped AND a.attname IN ('ts', 'site_code', 'device_code', 'point_code',"
                        " 'value', 'text_value', 'quality')),"
                        " coalesce((SELECT p.partdefid = 0 FROM pg_partitioned_table p WHERE p.partrelid ="
                        " c.oid), false) FROM pg_class c WHERE c.oid = to_regclass({})",
                        quoted_literal(sql_name(table))),
        &found);
    if (failed) return failed;
    // The lock's own row is not the table's.
    if (found.empty() || found.front().size() != 4) return create_table(session, table, daily);
    const auto& row = found.front();
    if (row[2] != "7") {
        return Failure{Trouble::kSchema,
                       {},
                       fmt::format("the table lacks one of the columns {}; name another table, or add them",
                                   "ts, site_code, device_code, point_code, value, text_value, quality")};
    }
    daily = row[0] == "p" && row[1].starts_with(kMark);
    if (daily && row[3] == "t") return session.run(default_partition_statement(table));
    return std::nullopt;
}

bool has_partition(sys_days day, UtcTime now) {
    const auto today = std::chrono::floor<days>(now);
    return day >= today - kPast && day <= today + kFuture;
}

Outcome ensure_partition(Session& session, const TableName& table, sys_days day) {
    auto failed = session.run(
        lock_statement(table) +
        fmt::format(
            "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ('{} 00:00:00+00') TO ('{} "
            "00:00:00+00');",
            sql_partition_name(table, day), sql_name(table), date_text(day), date_text(day + days{1})));
    if (!failed) return std::nullopt;
    const auto& state = failed->sqlstate;
    const bool there = state == "42P07" || state == "42P17" || state == "23514" || state == "23505";
    return there ? session.run("ROLLBACK; BEGIN") : failed;
}

}  // namespace fieldwarden::worker::postgres
