// The audit trail: append-only, chained by hashes. Triggers of the schema refuse everything but an INSERT.
#include "supervisor/store/audit_chain.h"
#include "supervisor/store/sqlite_rows.h"
#include "supervisor/store/sqlite_store.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::string_view kAuditColumns = "id, at, actor, role, remote, action, subject, detail, hash";

AuditEntry read_audit(RowReader& row) {
    AuditEntry entry;
    entry.id = row.integer();
    entry.at = row.time();
    entry.actor = {row.text(), row.text(), row.text()};
    entry.action = row.text();
    entry.subject = row.text();
    // Somebody may have put nonsense there: the walk over the chain is to find it, so it is shown as it is.
    const auto detail = row.text();
    entry.detail = proto::Json::parse(detail, nullptr, false);
    if (entry.detail.is_discarded()) entry.detail = detail;
    entry.hash = row.text();
    return entry;
}

}  // namespace

Status insert_audit(SqlDatabase& database, AuditEntry entry) {
    auto newest = database.prepare("SELECT hash FROM audit ORDER BY id DESC LIMIT 1");
    if (!newest) return newest.error();
    const auto found = newest->step();
    if (!found) return found.error();
    const auto previous = *found ? newest->string(0) : std::string{};
    const auto last =
        database.integer("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'audit'");
    if (!last) return last.error();
    entry.id = *last + 1;
    return run(database, "INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", entry.id, micros(entry.at),
               entry.actor.name, entry.actor.role, entry.actor.remote, entry.action, entry.subject,
               dumped(entry.detail), audit_hash(previous, entry));
}

Result<std::vector<AuditEntry>> select_audit_after(SqlDatabase& database, std::int64_t id,
                                                   std::uint32_t limit) {
    auto rows =
        database.prepare(fmt::format("SELECT {} FROM audit WHERE id > ? ORDER BY id LIMIT ?", kAuditColumns));
    if (!rows) return rows.error();
    return collect(rows->bind(id, limit), "audit entry", read_audit);
}

Status SqliteStore::add_audit(const AuditEntry& entry) {
    return write(Sync::kNormal, [&](SqlDatabase& database) { return insert_audit(database, entry); });
}

Result<Page<AuditEntry>> SqliteStore::audit(PageRequest page) {
    return read([&](SqlDatabase& database) {
        return page_of(database, kAuditColumns, "audit", page, "audit entry", read_audit);
    });
}

Result<std::vector<AuditEntry>> SqliteStore::audit_after(std::int64_t id, std::uint32_t limit) {
    return read([&](SqlDatabase& database) { return select_audit_after(database, id, limit); });
}

}  // namespace fieldwarden::supervisor
