// Store: what must survive a restart of the supervisor. Implementations: SQLite (state.db) and PostgreSQL;
// both pass the contract suite in tests/contract.
//
// Threads. Every method is thread safe and blocks for the length of a transaction: call it from a pool thread
// or through StoreQueue, never from the supervisor's loop. Durability. When a method returns success its
// effect survives kill -9 of the process.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "proto/shapes.h"
#include "supervisor/accounts/account_store.h"
#include "supervisor/plant/plant.h"
#include "supervisor/statistics/state_time.h"

namespace fieldwarden::supervisor {

// Changes of the configuration: what a workbook apply, a POST, PATCH or DELETE come down to.
struct KindChanges {
    std::vector<Record> put;           // added or replaced by code
    std::vector<std::string> removed;  // codes
};
struct ChangeSet {
    std::array<KindChanges, kKindCount> kinds;
    KindChanges& of(Kind kind) { return kinds[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] const KindChanges& of(Kind kind) const { return kinds[static_cast<std::size_t>(kind)]; }
    [[nodiscard]] bool empty() const;
};

// Who asked for a change, for the audit trail.
struct Actor {
    std::string name = "system";
    std::string role;
    std::string remote;  // address of the client; "" for the supervisor itself
};

struct AuditEntry {
    std::int64_t id = 0;
    UtcTime at{};
    Actor actor;
    std::string action;   // "task.start", "import.apply", "device.update"
    std::string subject;  // the code it was done to
    proto::Json detail = proto::Json::object();
    std::string hash;  // given by the store: see store/audit_chain.h
};

// A session as it is kept: proto::SessionStatus without the process.
using SessionRow = proto::SessionStatus;

enum class DesiredState : std::uint8_t { kStopped, kRunning, kPaused };

struct DesiredRow {
    std::string task_code;
    DesiredState state = DesiredState::kStopped;
    UtcTime changed_at{};  // when somebody last said so

    bool operator==(const DesiredRow&) const = default;
};

struct ProcessRow {
    std::string task_code;
    std::int64_t pid = 0;
    std::uint64_t start_ticks = 0;
    std::int64_t session_id = 0;
    std::string launch_key;
    std::uint32_t restart_count = 0;
    std::uint64_t config_revision = 0;
};

struct ImportJob {
    std::int64_t id = 0;
    std::string file_name;
    std::string mode;    // merge | replace
    std::string status;  // validated | invalid | applied
    UtcTime created_at{};
    std::optional<UtcTime> applied_at;
    std::string created_by;
    std::uint64_t base_revision = 0;              // of the plant that the diff was made against
    proto::Json summary = proto::Json::object();  // per kind: counts
    proto::Json errors = proto::Json::array();    // [{sheet, row, column, code, message, value}]
    proto::Json warnings = proto::Json::array();
};

struct PageRequest {
    std::uint32_t page = 1;        // from 1
    std::uint32_t page_size = 50;  // 1 to 1000
    // Only what is older than the row of this id: a page that begins there, whatever has come or gone since.
    std::optional<std::int64_t> before = {};
};
template <class T>
struct Page {
    std::vector<T> items;
    std::uint64_t total = 0;
    bool more = false;  // older rows follow
};

struct SessionFilter {
    std::optional<std::int64_t> task_id = {};
    std::optional<std::string> task_code = {};
    bool active_only = false;
};

// An alert as it is kept: the shape of CONTRACT 5, and what a new supervisor needs to take it up.
struct AlertRow {
    proto::Alert alert;
    std::int64_t rule_id = 0;
    std::string rule_code;
    std::string subject;    // "task:T1"; an open alert is the only one of its rule and subject
    bool notified = false;  // the channels have been told that it fires
    std::optional<UtcTime> resolved_at;
};

struct AlertFilter {
    std::optional<proto::AlertState> state = {};
    bool open_only = false;  // not resolved
    std::optional<proto::Severity> severity = {};
    std::optional<std::string> task_code = {};
    std::optional<UtcTime> since = {};  // last seen then or later
};

// The configuration of alerting, as JSON documents whose form supervisor/alerts knows.
enum class AlertDocumentKind : std::uint8_t { kRule, kChannel, kSilence };
struct AlertDocument {
    std::int64_t id = 0;
    std::string code;  // unique among its kind; a silence has none
    proto::Json body = proto::Json::object();
};

class Store : public AccountStore {
  public:
    // --- configuration ---
    [[nodiscard]] virtual Result<PlantPtr> load_plant() = 0;
    // One transaction: refused with kConflict when the stored revision is not `expected_revision`, and then
    // nothing changed. Removals come first. New records get ids (never reused), replaced ones keep theirs and
    // their place; the revision rises by one; the desired states of removed tasks go with them. Returns the
    // plant as stored.
    [[nodiscard]] virtual Result<PlantPtr> apply(const ChangeSet& changes, std::uint64_t expected_revision,
                                                 const AuditEntry& audit) = 0;

    // --- import jobs ---
    virtual Result<std::int64_t> add_import_job(const ImportJob& job) = 0;
    virtual Status update_import_job(const ImportJob& job) = 0;
    virtual Result<ImportJob> import_job(std::int64_t id) = 0;  // kNotFound
    virtual Result<Page<ImportJob>> import_jobs(
        PageRequest page) = 0;  // newest first, without errors/warnings

    // --- sessions and the execution log ---
    virtual Result<std::int64_t> add_session(const SessionRow& session) = 0;  // ids rise, never reused
    virtual Status update_session(const SessionRow& session) = 0;
    virtual Result<SessionRow> session(std::int64_t id) = 0;  // kNotFound
    virtual Result<Page<SessionRow>> sessions(const SessionFilter& filter,
                                              PageRequest page) = 0;  // newest first
    // Entries of sessions' timelines; returns the id.
    virtual Result<std::int64_t> add_log_entry(std::int64_t session_id, const proto::LogEntry& entry) = 0;
    virtual Result<std::vector<proto::LogEntry>> timeline(std::int64_t session_id) = 0;  // oldest first
    // Highest ids given so far, so that the supervisor can number sessions and entries itself without
    // waiting.
    virtual Result<std::pair<std::int64_t, std::int64_t>> last_ids() = 0;  // {session, log entry}

    // --- what should run, and what runs ---
    virtual Status set_desired(const DesiredRow& row) = 0;
    virtual Result<std::vector<DesiredRow>> desired() = 0;
    virtual Status put_process(const ProcessRow& row) = 0;
    virtual Status remove_process(const std::string& task_code) = 0;
    virtual Result<std::vector<ProcessRow>> processes() = 0;

    // --- audit ---
    virtual Status add_audit(const AuditEntry& entry) = 0;
    virtual Result<Page<AuditEntry>> audit(PageRequest page) = 0;  // newest first
    // The entries behind `id`, oldest first; at most `limit`. The trail is only added to: it is not pruned,
    // and the store refuses its change and removal to everybody.
    virtual Result<std::vector<AuditEntry>> audit_after(std::int64_t id, std::uint32_t limit) = 0;

    // --- alerting ---
    // Adds the alert or replaces the one of its id. Ids are given by the supervisor.
    virtual Status put_alert(const AlertRow& row) = 0;
    virtual Result<AlertRow> alert(std::int64_t id) = 0;                                     // kNotFound
    virtual Result<Page<AlertRow>> alerts(const AlertFilter& filter, PageRequest page) = 0;  // newest first
    virtual Result<std::vector<AlertRow>> open_alerts() = 0;                                 // oldest first
    virtual Result<std::int64_t> last_alert_id() = 0;  // the highest ever given
    virtual Result<std::vector<AlertDocument>> alert_documents(AlertDocumentKind kind) = 0;  // by id
    // Adds (id 0) or replaces, together with the audit entry; returns the id. kConflict: the code is taken;
    // kNotFound: there is no such id.
    virtual Result<std::int64_t> put_alert_document(AlertDocumentKind kind, const AlertDocument& document,
                                                    const AuditEntry& audit) = 0;
    virtual Status remove_alert_document(AlertDocumentKind kind, std::int64_t id,
                                         const AuditEntry& audit) = 0;  // kNotFound

    // --- statistics ---
    // Writes the totals over those of the same device, day and state, in one transaction.
    virtual Status put_state_times(const std::vector<StateTime>& rows) = 0;
    // Of these devices on one day, by device and state.
    virtual Result<std::vector<StateTime>> state_times(const std::vector<std::string>& devices,
                                                       std::chrono::sys_days day) = 0;
    // Of all devices on that day and later ones.
    virtual Result<std::vector<StateTime>> state_times_since(std::chrono::sys_days day) = 0;
    virtual Status prune_state_times(std::chrono::sys_days before) = 0;

    // Deletes ended sessions, their timelines, import jobs and resolved alerts older than `before`. The audit
    // trail stays.
    virtual Status prune(UtcTime before) = 0;
    // A cheap write and read: for /readyz and the supervisor's own health.
    virtual Status check() = 0;
};

// Opens or creates `path` and migrates it. Fails clearly on a file that is no database, is damaged, is of a
// newer schema, or cannot be written.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path);
// Opens the schema `fieldwarden` of the database, or makes it, and migrates it (supervisor/store/postgres).
// kConflict: another supervisor uses it; kInvalidArgument: the URL, the user or the schema will not do;
// kUnavailable: the server cannot be reached now.
Result<std::unique_ptr<Store>> open_postgres_store(std::string_view url);

}  // namespace fieldwarden::supervisor
