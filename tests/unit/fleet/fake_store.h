// A Store in memory for tests of the supervisor; what a real one promises is tested in tests/contract.
#pragma once

#include <algorithm>
#include <map>
#include <mutex>
#include <tuple>

#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

class FakeStore : public Store {
  public:
    Result<PlantPtr> load_plant() override {
        const std::lock_guard lock{mutex};
        return plant;
    }
    Result<PlantPtr> apply(const ChangeSet& changes, std::uint64_t expected,
                           const AuditEntry& entry) override {
        const std::lock_guard lock{mutex};
        if (expected != plant->revision) return make_error(ErrorKind::kConflict, "stale revision");
        auto next = std::make_shared<Plant>(*plant);
        for (const auto kind : kAllKinds) {
            for (auto record : changes.of(kind).put) {
                const auto* known = next->of(kind).find(record.code());
                record.id = known != nullptr ? known->id : ++last_record;
                next->of(kind).put(std::move(record));
            }
            for (const auto& code : changes.of(kind).removed) next->of(kind).remove(code);
        }
        ++next->revision;
        plant = next;
        audits.push_back(entry);
        return plant;
    }
    Result<std::int64_t> add_import_job(const ImportJob&) override { return 1; }
    Status update_import_job(const ImportJob&) override { return {}; }
    Result<ImportJob> import_job(std::int64_t) override { return make_error(ErrorKind::kNotFound, "none"); }
    Result<Page<ImportJob>> import_jobs(PageRequest) override { return Page<ImportJob>{}; }

    Result<std::int64_t> add_session(const SessionRow& row) override {
        const std::lock_guard lock{mutex};
        session_rows[row.session_id] = row;
        return row.session_id;
    }
    Status update_session(const SessionRow& row) override {
        const std::lock_guard lock{mutex};
        if (!session_rows.contains(row.session_id)) return make_error(ErrorKind::kNotFound, "no session");
        session_rows[row.session_id] = row;
        return {};
    }
    Result<SessionRow> session(std::int64_t id) override {
        const std::lock_guard lock{mutex};
        const auto found = session_rows.find(id);
        if (found == session_rows.end()) return make_error(ErrorKind::kNotFound, "no such session");
        return found->second;
    }
    Result<Page<SessionRow>> sessions(const SessionFilter& filter, PageRequest) override {
        const std::lock_guard lock{mutex};
        Page<SessionRow> page;
        for (auto at = session_rows.rbegin(); at != session_rows.rend(); ++at) {
            if (filter.active_only && at->second.stopped_at) continue;
            if (filter.task_code && at->second.task_code != *filter.task_code) continue;
            page.items.push_back(at->second);
        }
        page.total = page.items.size();
        return page;
    }
    Result<std::int64_t> add_log_entry(std::int64_t session_id, const proto::LogEntry& entry) override {
        const std::lock_guard lock{mutex};
        timelines[session_id].push_back(entry);
        return entry.id;
    }
    Result<std::vector<proto::LogEntry>> timeline(std::int64_t session_id) override {
        const std::lock_guard lock{mutex};
        return timelines[session_id];
    }
    Result<std::pair<std::int64_t, std::int64_t>> last_ids() override {
        const std::lock_guard lock{mutex};
        std::int64_t entry = 0;
        for (const auto& [id, entries] : timelines) {
            for (const auto& each : entries) entry = std::max(entry, each.id);
        }
        return std::pair{session_rows.empty() ? std::int64_t{0} : session_rows.rbegin()->first, entry};
    }
    Status set_desired(const DesiredRow& row) override {
        const std::lock_guard lock{mutex};
        desired_states[row.task_code] = row;
        return {};
    }
    Result<std::vector<DesiredRow>> desired() override {
        const std::lock_guard lock{mutex};
        std::vector<DesiredRow> rows;
        for (const auto& [code, row] : desired_states) rows.push_back(row);
        return rows;
    }
    Status put_process(const ProcessRow& row) override {
        const std::lock_guard lock{mutex};
        process_rows[row.task_code] = row;
        return {};
    }
    Status remove_process(const std::string& code) override {
        const std::lock_guard lock{mutex};
        process_rows.erase(code);
        return {};
    }
    Result<std::vector<ProcessRow>> processes() override {
        const std::lock_guard lock{mutex};
        std::vector<ProcessRow> rows;
        for (const auto& [code, row] : process_rows) rows.push_back(row);
        return rows;
    }
    Status add_audit(const AuditEntry& entry) override {
        const std::lock_guard lock{mutex};
        audits.push_back(entry);
        return {};
    }
    // All of them on one page, newest first.
    Result<Page<AuditEntry>> audit(PageRequest) override {
        const std::lock_guard lock{mutex};
        Page<AuditEntry> page;
        page.items.assign(audits.rbegin(), audits.rend());
        page.total = audits.size();
        return page;
    }
    Result<std::vector<AuditEntry>> audit_after(std::int64_t, std::uint32_t) override {
        return std::vector<AuditEntry>{};
    }
    // Nobody signs in to what these tests run.
    Result<std::vector<User>> users() override { return std::vector<User>{}; }
    Result<std::int64_t> put_user(const User&, const AuditEntry&) override { return 1; }
    Status remove_user(std::int64_t, const AuditEntry&) override { return {}; }
    Result<std::vector<ApiToken>> tokens() override { return std::vector<ApiToken>{}; }
    Result<std::int64_t> add_token(const ApiToken&, const AuditEntry&) override { return 1; }
    Status remove_token(std::int64_t, const AuditEntry&) override { return {}; }
    Status touch_token(std::int64_t, UtcTime) override { return {}; }
    Status touch_user(std::int64_t, UtcTime) override { return {}; }
    Result<std::vector<WebSession>> web_sessions() override { return std::vector<WebSession>{}; }
    Status add_web_session(const WebSession&) override { return {}; }
    Status remove_web_session(const std::string&) override { return {}; }
    Status remove_web_sessions_of(std::int64_t) override { return {}; }
    Status prune_web_sessions(UtcTime) override { return {}; }
    Status put_alert(const AlertRow& row) override {
        const std::lock_guard lock{mutex};
        alert_rows[row.alert.id] = row;
        return {};
    }
    Result<AlertRow> alert(std::int64_t id) override {
        const std::lock_guard lock{mutex};
        const auto found = alert_rows.find(id);
        if (found == alert_rows.end()) return make_error(ErrorKind::kNotFound, "no such alert");
        return found->second;
    }
    Result<Page<AlertRow>> alerts(const AlertFilter&, PageRequest) override { return Page<AlertRow>{}; }
    Result<std::vector<AlertRow>> open_alerts() override {
        const std::lock_guard lock{mutex};
        std::vector<AlertRow> rows;
        for (const auto& [id, row] : alert_rows) {
            if (!row.resolved_at) rows.push_back(row);
        }
        return rows;
    }
    Result<std::int64_t> last_alert_id() override {
        const std::lock_guard lock{mutex};
        return alert_rows.empty() ? 0 : alert_rows.rbegin()->first;
    }
    Result<std::vector<AlertDocument>> alert_documents(AlertDocumentKind kind) override {
        const std::lock_guard lock{mutex};
        std::vector<AlertDocument> all;
        for (const auto& [id, document] : alert_config[kind]) all.push_back(document);
        return all;
    }
    Result<std::int64_t> put_alert_document(AlertDocumentKind kind, const AlertDocument& document,
                                            const AuditEntry& entry) override {
        const std::lock_guard lock{mutex};
        auto kept = document;
        if (kept.id == 0) kept.id = ++last_record;
        alert_config[kind][kept.id] = kept;
        audits.push_back(entry);
        return kept.id;
    }
    Status remove_alert_document(AlertDocumentKind kind, std::int64_t id, const AuditEntry& entry) override {
        const std::lock_guard lock{mutex};
        if (alert_config[kind].erase(id) == 0) return make_error(ErrorKind::kNotFound, "no such document");
        audits.push_back(entry);
        return {};
    }
    Status put_state_times(const std::vector<StateTime>& rows) override {
        const std::lock_guard lock{mutex};
        for (const auto& row : rows) state_rows[{row.day, row.device, row.state}] = row;
        return {};
    }
    Result<std::vector<StateTime>> state_times(const std::vector<std::string>& devices,
                                               std::chrono::sys_days day) override {
        const std::lock_guard lock{mutex};
        std::vector<StateTime> found;
        for (const auto& device : devices) {
            for (const auto& [key, row] : state_rows) {
                if (row.day == day && row.device == device) found.push_back(row);
            }
        }
        return found;
    }
    Result<std::vector<StateTime>> state_times_since(std::chrono::sys_days day) override {
        const std::lock_guard lock{mutex};
        std::vector<StateTime> found;
        for (const auto& [key, row] : state_rows) {
            if (row.day >= day) found.push_back(row);
        }
        return found;
    }
    Status prune_state_times(std::chrono::sys_days before) override {
        const std::lock_guard lock{mutex};
        state_times_pruned_before = before;
        std::erase_if(state_rows, [&](const auto& entry) { return entry.second.day < before; });
        return {};
    }
    Status prune(UtcTime before) override {
        const std::lock_guard lock{mutex};
        pruned_before = before;
        return {};
    }
    Status check() override { return {}; }

    std::mutex mutex;
    PlantPtr plant = std::make_shared<const Plant>();
    std::int64_t last_record = 0;
    std::map<std::int64_t, SessionRow> session_rows;
    std::map<std::int64_t, std::vector<proto::LogEntry>> timelines;
    std::map<std::string, DesiredRow> desired_states;
    std::map<std::string, ProcessRow> process_rows;
    std::vector<AuditEntry> audits;
    std::map<std::int64_t, AlertRow> alert_rows;
    std::map<AlertDocumentKind, std::map<std::int64_t, AlertDocument>> alert_config;
    std::optional<UtcTime> pruned_before;
    std::map<std::tuple<std::chrono::sys_days, std::string, std::string>, StateTime> state_rows;
    std::optional<std::chrono::sys_days> state_times_pruned_before;
};

}  // namespace fieldwarden::supervisor
