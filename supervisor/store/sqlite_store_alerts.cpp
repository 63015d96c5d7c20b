// Alerts and the configuration of alerting.
#include "supervisor/store/sqlite_rows.h"
#include "supervisor/store/sqlite_store.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::string_view kAlertColumns =
    "id, error_type, message, timestamp, process_name, device_code, point_code, severity, context, "
    "suggested_action, state, count, first_at, last_at, rule_id, rule_code, subject, notified, resolved_at";

struct DocumentTable {
    std::string_view table;
    std::string_view noun;
};
DocumentTable table_of(AlertDocumentKind kind) {
    switch (kind) {
        case AlertDocumentKind::kRule:
            return {"alert_rules", "alert rule"};
        case AlertDocumentKind::kChannel:
            return {"alert_channels", "alert channel"};
        case AlertDocumentKind::kSilence:
            return {"silences", "silence"};
    }
    return {};
}

}  // namespace

Status SqliteStore::put_alert(const AlertRow& row) {
    const auto& alert = row.alert;
    return write(Sync::kNormal, [&](SqlDatabase& database) {
        return run(database,
                   "INSERT OR REPLACE INTO alerts VALUES "
                   "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                   alert.id, alert.error_type, alert.message, micros(alert.timestamp), alert.process_name,
                   alert.device_code, alert.point_code, to_name(alert.severity), dumped(alert.context),
                   alert.suggested_action, to_name(alert.state), alert.count, micros(alert.first_at),
                   micros(alert.last_at), row.rule_id, row.rule_code, row.subject, row.notified,
                   micros(row.resolved_at));
    });
}

Result<AlertRow> SqliteStore::alert(std::int64_t id) {
    return read([&](SqlDatabase& database) -> Result<AlertRow> {
        auto rows = database.prepare(fmt::format("SELECT {} FROM alerts WHERE id = ?", kAlertColumns));
        if (!rows) return rows.error();
        return one_row(rows->bind(id), "alert", id, read_alert);
    });
}

Result<Page<AlertRow>> SqliteStore::alerts(const AlertFilter& filter, PageRequest page) {
    // Each condition is written out only when asked for, so that SQLite can use the index that fits it.
    const auto where = fmt::format(
        "alerts WHERE {} AND {} AND {} AND {} AND {}", filter.state ? "state = ?1" : "?1 IS NULL",
        filter.severity ? "severity = ?2" : "?2 IS NULL",
        filter.task_code ? "process_name = ?3" : "?3 IS NULL", filter.since ? "last_at >= ?4" : "?4 IS NULL",
        filter.open_only ? "state IN ('firing', 'acknowledged')" : "TRUE");
    return read([&](SqlDatabase& database) {
        return page_of(database, kAlertColumns, where, page, "alert", read_alert, name_of(filter.state),
                       name_of(filter.severity), filter.task_code, micros(filter.since));
    });
}

Result<std::vector<AlertRow>> SqliteStore::open_alerts() {
    return read([](SqlDatabase& database) -> Result<std::vector<AlertRow>> {
        auto rows = database.prepare(fmt::format(
            "SELECT {} FROM alerts WHERE state IN ('firing', 'acknowledged') ORDER BY id", kAlertColumns));
        if (!rows) return rows.error();
        return collect(*rows, "alert", read_alert);
    });
}

Result<std::int64_t> SqliteStore::last_alert_id() {
    return read([](SqlDatabase& database) {
        // sqlite_sequence remembers ids whose rows have been pruned.
        return database.integer("SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'alerts'");
    });
}

Result<std::vector<AlertDocument>> SqliteStore::alert_documents(AlertDocumentKind kind) {
    const auto [table, noun] = table_of(kind);
    return read([table = table, noun = noun](SqlDatabase& database) -> Result<std::vector<AlertDocument>> {
        auto rows =
            database.prepare(fmt::format("SELECT id, ifnull(code, ''), body FROM {} ORDER BY id", table));
        if (!rows) return rows.error();
        return collect(*rows, noun, read_document);
    });
}

Result<std::int64_t> SqliteStore::put_alert_document(AlertDocumentKind kind, const AlertDocument& document,
                                                     const AuditEntry& audit) {
    const auto [table, noun] = table_of(kind);
    const auto code = document.code.empty() ? std::nullopt : std::optional{document.code};
    return write(Sync::kFull, [&, table = table, noun = noun](SqlDatabase& database) -> Result<std::int64_t> {
        auto id = document.id;
        if (id == 0) {
            const auto added = insert(database, fmt::format("INSERT INTO {} VALUES (?, ?, ?)", table), 0,
                                      code, dumped(document.body));
            if (!added) return added.error();
            id = *added;
        } else {
            const auto changed = change_one(
                database, noun, id, fmt::format("UPDATE {} SET code = ?, body = ? WHERE id = ?", table), code,
                dumped(document.body), id);
            if (!changed) return changed.error();
        }
        if (const auto noted = insert_audit(database, audit); !noted) return noted.error();
        return id;
    });
}

Status SqliteStore::remove_alert_document(AlertDocumentKind kind, std::int64_t id, const AuditEntry& audit) {
    const auto [table, noun] = table_of(kind);
    return write(Sync::kFull, [&, table = table, noun = noun](SqlDatabase& database) -> Status {
        const auto removed =
            change_one(database, noun, id, fmt::format("DELETE FROM {} WHERE id = ?", table), id);
        if (!removed) return removed;
        return insert_audit(database, audit);
    });
}

}  // namespace fieldwarden::supervisor
