// Alerts and the configuration of alerting.
#include "supervisor/store/postgres/postgres_store.h"
#include "supervisor/store/postgres/rows.h"

namespace fieldwarden::supervisor {

using namespace postgres;

namespace {

constexpr std::string_view kAlertColumns =
    "id, error_type, message, timestamp, process_name, device_code, point_code, severity, context, "
    "suggested_action, state, count, first_at, last_at, rule_id, rule_code, subject, notified, resolved_at";
constexpr std::size_t kAlertColumnCount = 19;

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

Status PostgresStore::put_alert(const AlertRow& row) {
    const auto& alert = row.alert;
    return write([&](Connection& connection) -> Status {
        const auto counted =
            run(connection, "UPDATE last_ids SET last = greatest(last, $1) WHERE name = 'alerts'", alert.id);
        if (!counted) return counted;
        const auto removed = run(connection, "DELETE FROM alerts WHERE id = $1", alert.id);
        if (!removed) return removed;
        return run(
            connection,
            fmt::format("INSERT INTO alerts ({}) VALUES ({})", kAlertColumns, places(kAlertColumnCount, 1)),
            alert.id, alert.error_type, alert.message, alert.timestamp, alert.process_name, alert.device_code,
            alert.point_code, to_name(alert.severity), json_text(alert.context), alert.suggested_action,
            to_name(alert.state), alert.count, alert.first_at, alert.last_at, row.rule_id, row.rule_code,
            row.subject, row.notified, row.resolved_at);
    });
}

Result<AlertRow> PostgresStore::alert(std::int64_t id) {
    return read([&](Connection& connection) {
        return one_row(connection, fmt::format("SELECT {} FROM alerts WHERE id = $1", kAlertColumns), "alert",
                       id, read_alert);
    });
}

Result<Page<AlertRow>> PostgresStore::alerts(const AlertFilter& filter, PageRequest page) {
    // Each condition is written out only when asked for, so that the index that fits it can be used.
    const auto where = fmt::format(
        "alerts WHERE {} AND {} AND {} AND {} AND {}", filter.state ? "state = $1" : "$1 IS NULL",
        filter.severity ? "severity = $2" : "$2 IS NULL",
        filter.task_code ? "process_name = $3" : "$3 IS NULL", filter.since ? "last_at >= $4" : "$4 IS NULL",
        filter.open_only ? "state IN ('firing', 'acknowledged')" : "TRUE");
    return read([&](Connection& connection) {
        return page_of(connection, kAlertColumns, where, page, "alert", read_alert, name_of(filter.state),
                       name_of(filter.severity), filter.task_code, filter.since);
    });
}

Result<std::vector<AlertRow>> PostgresStore::open_alerts() {
    return read([](Connection& connection) {
        return collect(
            connection,
            fmt::format("SELECT {} FROM alerts WHERE state IN ('firing', 'acknowledged') ORDER BY id",
                        kAlertColumns),
            "alert", read_alert);
    });
}

Result<std::int64_t> PostgresStore::last_alert_id() {
    return read([](Connection& connection) {
        return integer_of(connection, "SELECT last FROM last_ids WHERE name = 'alerts'");
    });
}

Result<std::vector<AlertDocument>> PostgresStore::alert_documents(AlertDocumentKind kind) {
    const auto [table, noun] = table_of(kind);
    return read([table = table, noun = noun](Connection& connection) {
        return collect(connection,
                       fmt::format("SELECT id, coalesce(code, ''), body FROM {} ORDER BY id", table), noun,
                       read_document);
    });
}

Result<std::int64_t> PostgresStore::put_alert_document(AlertDocumentKind kind, const AlertDocument& document,
                                                       const AuditEntry& audit) {
    const auto [table, noun] = table_of(kind);
    const auto code = document.code.empty() ? std::nullopt : std::optional{document.code};
    return write([&, table = table, noun = noun](Connection& connection) -> Result<std::int64_t> {
        auto id = document.id;
        if (id == 0) {
            const auto added = insert(connection, table, "code, body", 0, code, json_text(document.body));
            if (!added) return added.error();
            id = *added;
        } else {
            const auto changed = change_one(
                connection, noun, id, fmt::format("UPDATE {} SET code = $1, body = $2 WHERE id = $3", table),
                code, json_text(document.body), id);
            if (!changed) return changed.error();
        }
        if (const auto noted = insert_audit(connection, audit); !noted) return noted.error();
        return id;
    });
}

Status PostgresStore::remove_alert_document(AlertDocumentKind kind, std::int64_t id,
                                            const AuditEntry& audit) {
    const auto [table, noun] = table_of(kind);
    return write([&, table = table, noun = noun](Connection& connection) -> Status {
        const auto removed =
            change_one(connection, noun, id, fmt::format("DELETE FROM {} WHERE id = $1", table), id);
        if (!removed) return removed;
        return insert_audit(connection, audit);
    });
}

}  // namespace fieldwarden::supervisor
