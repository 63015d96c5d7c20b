// The store in one SQLite file (WAL). Two connections: one that writes, one that reads beside it, so that a
// long apply does not hold up a status page. The configuration, accounts, desired states and import jobs are
// written with synchronous=FULL (they survive a power cut); sessions, their logs, the process table and the
// audit trail with NORMAL (they survive a crash; a power cut may take the last moments).
#pragma once

#include <mutex>

#include "common/sqlite.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

class SqliteStore final : public Store {
  public:
    static Result<std::unique_ptr<Store>> open(const std::string& path);

    Result<PlantPtr> load_plant() override;
    Result<PlantPtr> apply(const ChangeSet& changes, std::uint64_t expected_revision,
                           const AuditEntry& audit) override;

    Result<std::int64_t> add_import_job(const ImportJob& job) override;
    Status update_import_job(const ImportJob& job) override;
    Result<ImportJob> import_job(std::int64_t id) override;
    Result<Page<ImportJob>> import_jobs(PageRequest page) override;

    Result<std::int64_t> add_session(const SessionRow& session) override;
    Status update_session(const SessionRow& session) override;
    Result<SessionRow> session(std::int64_t id) override;
    Result<Page<SessionRow>> sessions(const SessionFilter& filter, PageRequest page) override;
    Result<std::int64_t> add_log_entry(std::int64_t session_id, const proto::LogEntry& entry) override;
    Result<std::vector<proto::LogEntry>> timeline(std::int64_t session_id) override;
    Result<std::pair<std::int64_t, std::int64_t>> last_ids() override;

    Status set_desired(const DesiredRow& row) override;
    Result<std::vector<DesiredRow>> desired() override;
    Status put_process(const ProcessRow& row) override;
    Status remove_process(const std::string& task_code) override;
    Result<std::vector<ProcessRow>> processes() override;

    Status add_audit(const AuditEntry& entry) override;
    Result<Page<AuditEntry>> audit(PageRequest page) override;
    Result<std::vector<AuditEntry>> audit_after(std::int64_t id, std::uint32_t limit) override;

    Status put_alert(const AlertRow& row) override;
    Result<AlertRow> alert(std::int64_t id) override;
    Result<Page<AlertRow>> alerts(const AlertFilter& filter, PageRequest page) override;
    Result<std::vector<AlertRow>> open_alerts() override;
    Result<std::int64_t> last_alert_id() override;
    Result<std::vector<AlertDocument>> alert_documents(AlertDocumentKind kind) override;
    Result<std::int64_t> put_alert_document(AlertDocumentKind kind, const AlertDocument& document,
                                            const AuditEntry& audit) override;
    Status remove_alert_document(AlertDocumentKind kind, std::int64_t id, const AuditEntry& audit) override;

    Status put_state_times(const std::vector<StateTime>& rows) override;
    Result<std::vector<StateTime>> state_times(const std::vector<std::string>& devices,
                                               std::chrono::sys_days day) override;
    Result<std::vector<StateTime>> state_times_since(std::chrono::sys_days day) override;
    Status prune_state_times(std::chrono::sys_days before) override;

    Result<std::vector<User>> users() override;
    Result<std::int64_t> put_user(const User& user, const AuditEntry& audit) override;
    Status remove_user(std::int64_t id, const AuditEntry& audit) override;
    Result<std::vector<ApiToken>> tokens() override;
    Result<std::int64_t> add_token(const ApiToken& token, const AuditEntry& audit) override;
    Status remove_token(std::int64_t id, const AuditEntry& audit) override;
    Status touch_token(std::int64_t id, UtcTime used_at) override;
    Status touch_user(std::int64_t id, UtcTime login_at) override;
    Result<std::vector<WebSession>> web_sessions() override;
    Status add_web_session(const WebSession& session) override;
    Status remove_web_session(const std::string& secret_hash) override;
    Status remove_web_sessions_of(std::int64_t user_id) override;
    Status prune_web_sessions(UtcTime expired_before) override;

    Status prune(UtcTime before) override;
    Status check() override;

  private:
    // A connection and the lock that goes with it.
    struct Connection {
        std::mutex mutex;
        SqlDatabase database;
    };
    enum class Sync : std::uint8_t { kNormal, kFull };

    SqliteStore() = default;
    Status configure();
    // `work` on the writing connection, in one transaction that is rolled back when it fails.
    template <class Work>
    auto write(Sync sync, Work&& work) -> decltype(work(std::declval<SqlDatabase&>()));
    // `work` on the reading connection, over one consistent snapshot.
    template <class Work>
    auto read(Work&& work) -> decltype(work(std::declval<SqlDatabase&>()));

    Connection writer_;
    Connection reader_;
    Sync sync_ = Sync::kFull;  // of the writer, now
    PlantPtr newest_;  // the plant as last stored, so that an apply needs no reload; under writer_.mutex
};

template <class Work>
auto SqliteStore::write(Sync sync, Work&& work) -> decltype(work(std::declval<SqlDatabase&>())) {
    const std::lock_guard lock{writer_.mutex};
    auto& database = writer_.database;
    if (sync != sync_) {
        const auto set = database.execute(sync == Sync::kFull ? "PRAGMA synchronous = FULL"
                                                              : "PRAGMA synchronous = NORMAL");
        if (!set) return set.error();
        sync_ = sync;
    }
    auto transaction = SqlTransaction::begin(database);
    if (!transaction) return transaction.error();
    auto done = work(database);
    if (!done) return done;
    if (const auto committed = transaction->commit(); !committed) return committed.error();
    return done;
}

template <class Work>
auto SqliteStore::read(Work&& work) -> decltype(work(std::declval<SqlDatabase&>())) {
    const std::lock_guard lock{reader_.mutex};
    auto& database = reader_.database;
    if (const auto begun = database.execute("BEGIN"); !begun) return begun.error();
    auto done = work(database);
    if (const auto ended = database.execute("COMMIT"); !ended && done) return ended.error();
    return done;
}

}  // namespace fieldwarden::supervisor
