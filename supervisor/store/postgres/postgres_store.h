// The store in a PostgreSQL database, in a schema `fieldwarden` of its own. Two connections: one that writes,
// one that reads beside it, so that a long apply does not hold up a status page; each is made again when it
// broke (link.h says how long a call may take and what is repeated).
//
// Every commit is on disk when it is reported. One supervisor at a time: schema.h. libpq rather than libpqxx:
// deploy/decisions/0013-postgresql-store.md.
#pragma once

#include <atomic>
#include <mutex>

#include "supervisor/store/postgres/link.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

class PostgresStore final : public Store {
  public:
    static Result<std::unique_ptr<Store>> open(std::string_view url);

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

    Status prune(UtcTime before) override;
    Status check() override;

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

  private:
    using Connection = postgres::Connection;

    explicit PostgresStore(postgres::Address address);
    Status prepare_writer(Connection& connection);
    template <class Work>
    auto write(Work&& work) {
        return writer_.transact(std::forward<Work>(work));
    }
    template <class Work>
    auto read(Work&& work) {
        return reader_.transact(std::forward<Work>(work));
    }
    // Deletes what `sql` (with $1 the time) deletes, a slice at a time, so that nobody waits long behind it.
    Status delete_slices(const std::string& sql, UtcTime before);

    const postgres::Address address_;
    bool opened_ = false;  // the writer's first connection has migrated
    std::mutex newest_mutex_;
    PlantPtr newest_;  // the plant as last stored, so that an apply needs no reload
    postgres::Link writer_;
    postgres::Link reader_;
};

}  // namespace fieldwarden::supervisor
