#include "worker/sinks/postgres/postgres_sink.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "worker/sinks/postgres/copy_rows.h"
#include "worker/sinks/postgres/schema.h"
#include "worker/sinks/postgres/session.h"
#include "worker/sinks/postgres/settings.h"

namespace fieldwarden::worker::postgres {

namespace {

using std::chrono::days;
using std::chrono::sys_days;

constexpr std::string_view kStaging = "pg_temp.fieldwarden_staging";
constexpr std::string_view kUniqueViolation = "23505";
constexpr std::string_view kNotSupported = "0A000";  // COPY to a table with row security
// A COPY that fails leaves dead rows behind: where repeats have come, more of them are likely.
constexpr int kCarefulDeliveries = 32;

class PostgresSink : public Sink {
  public:
    explicit PostgresSink(Settings settings) : settings_(std::move(settings)) {}

    Status open() override {
        if (auto failed = make_ready()) return make_error(ErrorKind::kUnavailable, explain(*failed));
        return {};
    }
    DeliveryOutcome deliver(const DeliveryBatch& batch) override;
    [[nodiscard]] Limits limits() const override { return settings_.limits; }
    Result<std::string> probe() override;
    void interrupt() override { wake_.raise(); }

  private:
    // Connected, with the table there and a staging table for this connection.
    Outcome make_ready();
    Outcome ensure_days(const std::set<sys_days>& wanted);
    Outcome store(const std::string& rows);
    Outcome store_what_is_new(const std::string& rows);
    // The rows of the batch; a record that cannot become rows is rejected in `outcome`.
    std::string rows_of(const DeliveryBatch& batch, DeliveryOutcome& outcome, std::set<sys_days>& wanted);
    // After a failure inside a transaction. Only the data's own fault leaves the connection good.
    void recover(const Failure& failure);
    [[nodiscard]] std::string explain(const Failure& failure) const;

    Settings settings_;
    Wake wake_;
    std::unique_ptr<Session> session_;
    bool daily_ = false;       // the table wants partitions
    std::set<sys_days> days_;  // that have theirs
    int careful_ = 0;          // deliveries that still go over the staging table
};

std::string PostgresSink::explain(const Failure& failure) const {
    auto text = fmt::format("{}: {}", settings_.label, failure.message);
    if (!failure.sqlstate.empty()) text += fmt::format(" (SQLSTATE {})", failure.sqlstate);
    if (const auto advice = advice_for(failure); !advice.empty()) text += fmt::format("; {}", advice);
    return text;
}

void PostgresSink::recover(const Failure& failure) {
    if (failure.trouble == Trouble::kData && session_ != nullptr && !session_->run("ROLLBACK")) return;
    session_.reset();
    days_.clear();
}

Outcome PostgresSink::make_ready() {
    if (session_ != nullptr && session_->closed()) session_.reset();
    if (session_ != nullptr) return std::nullopt;
    days_.clear();
    Failure why;
    session_ = Session::connect(settings_, wake_, why);
    if (session_ == nullptr) return why;
    auto failed = session_->run("BEGIN");
    if (!failed) failed = ensure_table(*session_, settings_.table, daily_);
    if (!failed) {
        failed = session_->run(
            "COMMIT; CREATE TEMPORARY TABLE fieldwarden_staging (ts timestamptz, site_code text, device_code "
            "text, point_code text, value double precision, text_value text, quality smallint) ON COMMIT "
            "DELETE ROWS");
    }
    if (failed) session_.reset();
    // What a new connection brings first may be a repeat, and ON CONFLICT makes sure that the table has the
    // key without which repeats would go unnoticed.
    careful_ = std::max(careful_, 1);
    return failed;
}

Outcome PostgresSink::ensure_days(const std::set<sys_days>& wanted) {
    for (const auto day : wanted) {
        if (days_.contains(day)) continue;
        auto failed = session_->run("BEGIN");
        if (!failed) failed = ensure_partition(*session_, settings_.table, day);
        if (!failed) failed = session_->run("COMMIT");
        if (failed) return failed;
        days_.insert(day);
    }
    return std::nullopt;
}

std::string PostgresSink::rows_of(const DeliveryBatch& batch, DeliveryOutcome& outcome,
                                  std::set<sys_days>& wanted) {
    std::string rows;
    append_copy_header(rows);
    const auto now = system_clock().utc_now();
    const auto today = std::chrono::floor<days>(now);
    // Today's next one as well, so that midnight finds it there.
    wanted = {today, today + days{1}};
    for (const auto& record : batch.records) {
        const auto before = rows.size();
        std::string fault;
        for (const auto& sample : record.samples) {
            const PointIdentity* point = nullptr;
            if (batch.directory != nullptr) {
                const auto found = batch.directory->find(sample.point);
                if (found != batch.directory->end()) point = &found->second;
            }
            if (point == nullptr) {
                fault = fmt::format("record {}: nothing is known about point {}", record.seq, sample.point);
                break;
            }
            if (!fits_timestamptz(sample.time)) {
                fault = fmt::format("record {}: the time of a sample of {} is beyond what timestamptz holds",
                                    record.seq, point->point_code);
                break;
            }
            append_copy_row(rows, *point, sample);
            if (const auto day = std::chrono::floor<days>(sample.time); has_partition(day, now)) {
                wanted.insert(day);
            }
        }
        if (fault.empty()) {
            outcome.verdicts.push_back(Verdict::kAccepted);
            continue;
        }
        rows.resize(before);
        outcome.verdicts.push_back(Verdict::kRejected);
        if (outcome.reason.empty()) outcome.reason = fmt::format("{}: {}", settings_.label, fault);
    }
    append_copy_trailer(rows);
    return rows;
}

// Fresh rows go straight into the table: one statement, which is its own transaction. Where some are there
// already, or the table does not take COPY, the same rows come over the staging table.
Outcome PostgresSink::store(const std::string& rows) {
    if (careful_ == 0) {
        auto failed = session_->copy(
            fmt::format("COPY {} ({}) FROM STDIN (FORMAT binary)", sql_name(settings_.table), kColumns),
            rows);
        if (!failed || !(failed->sqlstate == kUniqueViolation || failed->sqlstate == kNotSupported))
            return failed;
        careful_ = kCarefulDeliveries;
    }
    --careful_;
    return store_what_is_new(rows);
}

// Three round trips: the rows to the staging table, from there to the table what is not there yet, the commit
// with it. One statement inserts them all, so that a repeated batch costs one pass over the index.
Outcome PostgresSink::store_what_is_new(const std::string& rows) {
    const std::string columns{kColumns};
    auto failed = session_->copy(
        fmt::format("BEGIN; COPY {} ({}) FROM STDIN (FORMAT binary)", kStaging, columns), rows);
    if (failed) return failed;
    return session_->run(
        fmt::format("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT (point_code, ts) DO NOTHING; COMMIT",
                    sql_name(settings_.table), columns, columns, kStaging));
}

DeliveryOutcome PostgresSink::deliver(const DeliveryBatch& batch) {
    DeliveryOutcome outcome;
    if (batch.records.empty()) return outcome;
    std::set<sys_days> wanted;
    const auto rows = rows_of(batch, outcome, wanted);
    const bool any = std::find(outcome.verdicts.begin(), outcome.verdicts.end(), Verdict::kAccepted) !=
                     outcome.verdicts.end();
    if (!any) return outcome;
    auto failed = make_ready();
    const bool ready = !failed;
    if (!failed && daily_) failed = ensure_days(wanted);
    const bool storing = !failed;
    if (!failed) failed = store(rows);
    if (!failed) return outcome;
    if (ready) recover(*failed);
    for (auto& verdict : outcome.verdicts) {
        if (verdict == Verdict::kAccepted) verdict = Verdict::kKeep;
    }
    outcome.reason = explain(*failed);
    outcome.bisect = storing && failed->trouble == Trouble::kData;
    return outcome;
}

Result<std::string> PostgresSink::probe() {
    Failure why;
    const auto session = Session::connect(settings_, wake_, why);
    if (session == nullptr) return make_error(ErrorKind::kUnavailable, explain(why));
    // Never committed: what it makes, the table included, is gone with the connection.
    bool daily = false;
    auto failed = session->run("BEGIN");
    if (!failed) failed = ensure_table(*session, settings_.table, daily);
    const auto now = system_clock().utc_now();
    const PointIdentity point{"probe", "probe", "", "", fmt::format("fieldwarden probe {}", ::getpid()),
                              "",      {}};
    std::string rows;
    append_copy_header(rows);
    append_copy_row(rows, point, {0, Quality::kGood, QualityCode::kNone, now, 42.0});
    append_copy_trailer(rows);
    const auto table = sql_name(settings_.table);
    if (!failed) {
        failed = session->copy(
            fmt::format(
                "CREATE TEMPORARY TABLE fieldwarden_staging ON COMMIT DROP AS SELECT {} FROM {} WITH NO "
                "DATA; COPY {} ({}) FROM STDIN (FORMAT binary)",
                kColumns, table, kStaging, kColumns),
            rows);
    }
    Rows back;
    if (!failed) {
        failed = session->run(
            fmt::format("INSERT INTO {} ({}) SELECT {} FROM {} ON CONFLICT (point_code, ts) DO NOTHING;"
                        "SELECT value FROM {} WHERE point_code = {} AND site_code = 'probe'",
                        table, kColumns, kColumns, kStaging, table, quoted_literal(point.point_code)),
            &back);
    }
    if (!failed) failed = session->run("ROLLBACK");
    if (failed) return make_error(ErrorKind::kUnavailable, explain(*failed));
    if (back.size() != 1 || back.front().front() != "42") {
        return make_error(ErrorKind::kCorrupt,
                          settings_.label + ": what was read back is not what was written");
    }
    return fmt::format("{}: wrote a row, read it back and rolled it back", settings_.label);
}

}  // namespace

Result<std::unique_ptr<Sink>> make_postgres_sink(const SinkConfig& config, const SinkContext& context) {
    auto settings = read_settings(config, context);
    if (!settings) return settings.error();
    return std::unique_ptr<Sink>{std::make_unique<PostgresSink>(std::move(*settings))};
}

}  // namespace fieldwarden::worker::postgres
