// How rows become values, the same for every kind of store: a reader of columns, and what is read with it. A
// kind of store says how it gives one column (`Columns`); the order of the columns is that of its SELECT.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/enum_table.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

// The condition of PageRequest::before behind "table" or "table WHERE …"; "" when there is none.
inline std::string older_than(const std::optional<std::int64_t>& before, std::string_view table_and_where) {
    if (!before) return {};
    const bool conditional = table_and_where.find(" WHERE ") != std::string_view::npos;
    return fmt::format(" {} id < {}", conditional ? "AND" : "WHERE", *before);
}

// Reads one row column by column, left to right; keeps the first thing that does not decode.
template <class Columns>
class BasicRowReader {
  public:
    explicit BasicRowReader(Columns columns) : columns_(columns) {}

    std::int64_t integer() { return columns_.integer(next_++); }
    template <class Unsigned>
    Unsigned count() {
        return static_cast<Unsigned>(integer());
    }
    double number() { return columns_.number(next_++); }
    bool boolean() { return columns_.boolean(next_++); }
    std::string text() { return std::string{columns_.text(next_++)}; }
    UtcTime time() { return columns_.time(next_++); }
    std::chrono::sys_days day() { return columns_.day(next_++); }
    std::optional<std::int64_t> optional_integer() {
        return here_is_null() ? skip<std::int64_t>() : std::optional{integer()};
    }
    std::optional<UtcTime> optional_time() {
        return here_is_null() ? skip<UtcTime>() : std::optional{time()};
    }
    proto::Json json() {
        auto parsed = proto::Json::parse(columns_.text(next_), nullptr, false);
        if (parsed.is_discarded()) fail();
        ++next_;
        return parsed;
    }
    std::optional<proto::Json> optional_json() {
        return here_is_null() ? skip<proto::Json>() : std::optional{json()};
    }
    template <class E>
    E choice() {
        const auto value = from_name<E>(columns_.text(next_));
        if (!value) fail();
        ++next_;
        return value.value_or(E{});
    }
    template <class E>
    std::optional<E> optional_choice() {
        return here_is_null() ? skip<E>() : std::optional{choice<E>()};
    }
    [[nodiscard]] Status status(std::string_view what) const {
        if (bad_column_ < 0) return {};
        return make_error(ErrorKind::kCorrupt,
                          fmt::format("store: column {} of {} does not decode", bad_column_, what));
    }
    void fail() {
        if (bad_column_ < 0) bad_column_ = next_;
    }

  private:
    [[nodiscard]] bool here_is_null() const { return columns_.is_null(next_); }
    template <class T>
    std::optional<T> skip() {
        ++next_;
        return std::nullopt;
    }

    Columns columns_;
    int next_ = 0;
    int bad_column_ = -1;
};

template <class E>
std::optional<std::string_view> name_of(const std::optional<E>& value) {
    return value ? std::optional{to_name(*value)} : std::nullopt;
}

inline constexpr auto read_job = [](auto& row, bool with_problems) {
    ImportJob job;
    job.id = row.integer();
    job.file_name = row.text();
    job.mode = row.text();
    job.status = row.text();
    job.created_at = row.time();
    job.applied_at = row.optional_time();
    job.created_by = row.text();
    job.base_revision = row.template count<std::uint64_t>();
    job.summary = row.json();
    if (with_problems) {
        job.errors = row.json();
        job.warnings = row.json();
    }
    return job;
};

inline constexpr auto read_session = [](auto& row) {
    SessionRow session;
    session.session_id = row.integer();
    session.task_id = row.integer();
    session.task_code = row.text();
    session.status = row.template choice<proto::SessionState>();
    session.pid = row.optional_integer();
    session.started_at = row.time();
    session.stopped_at = row.optional_time();
    session.points_read = row.template count<std::uint64_t>();
    session.points_delivered = row.template count<std::uint64_t>();
    session.last_read_time = row.optional_time();
    session.error_count = row.template count<std::uint64_t>();
    session.success_rate = row.number();
    session.period_ms = row.number();
    session.cycle_ms = row.number();
    session.spool_pending = row.template count<std::uint64_t>();
    session.error_message = row.text();
    return session;
};

inline constexpr auto read_entry = [](auto& row) {
    proto::LogEntry entry;
    entry.id = row.integer();
    entry.timestamp = row.time();
    entry.level = row.template choice<proto::LogLevel>();
    entry.process_name = row.text();
    entry.message = row.text();
    entry.source_file = row.text();
    entry.line_number = row.template count<std::uint32_t>();
    entry.exception_info = row.text();
    entry.log_type = row.template optional_choice<proto::LogType>();
    entry.execution_phase = row.template optional_choice<proto::ExecutionPhase>();
    entry.parent_log_id = row.optional_integer();
    if (const auto retry = row.optional_json()) {
        try {
            entry.retry_context = proto::retry_context_from_json(*retry);
        } catch (const std::exception&) {
            row.fail();
        }
    }
    entry.performance_metrics = row.optional_json();
    return entry;
};

inline constexpr auto read_process = [](auto& row) {
    ProcessRow process;
    process.task_code = row.text();
    process.pid = row.integer();
    process.start_ticks = row.template count<std::uint64_t>();
    process.session_id = row.integer();
    process.launch_key = row.text();
    process.restart_count = row.template count<std::uint32_t>();
    process.config_revision = row.template count<std::uint64_t>();
    return process;
};

inline constexpr auto read_alert = [](auto& row) {
    AlertRow out;
    auto& alert = out.alert;
    alert.id = row.integer();
    alert.error_type = row.text();
    alert.message = row.text();
    alert.timestamp = row.time();
    alert.process_name = row.text();
    alert.device_code = row.text();
    alert.point_code = row.text();
    alert.severity = row.template choice<proto::Severity>();
    alert.context = row.json();
    alert.suggested_action = row.text();
    alert.state = row.template choice<proto::AlertState>();
    alert.count = row.template count<std::uint64_t>();
    alert.first_at = row.time();
    alert.last_at = row.time();
    out.rule_id = row.integer();
    out.rule_code = row.text();
    out.subject = row.text();
    out.notified = row.boolean();
    out.resolved_at = row.optional_time();
    return out;
};

inline constexpr auto read_document = [](auto& row) {
    AlertDocument document;
    document.id = row.integer();
    document.code = row.text();
    document.body = row.json();
    return document;
};

inline constexpr auto read_user = [](auto& row) {
    User user;
    user.id = row.integer();
    user.username = row.text();
    user.role = row.template choice<Role>();
    user.password_hash = row.text();
    user.must_change_password = row.boolean();
    user.disabled = row.boolean();
    user.created_at = row.time();
    user.last_login_at = row.optional_time();
    return user;
};

inline constexpr auto read_token = [](auto& row) {
    ApiToken token;
    token.id = row.integer();
    token.user_id = row.integer();
    token.name = row.text();
    token.role = row.template choice<Role>();
    token.secret_hash = row.text();
    token.created_at = row.time();
    token.expires_at = row.optional_time();
    token.last_used_at = row.optional_time();
    return token;
};

inline constexpr auto read_web_session = [](auto& row) {
    WebSession session;
    session.secret_hash = row.text();
    session.user_id = row.integer();
    session.csrf_token = row.text();
    session.created_at = row.time();
    session.expires_at = row.time();
    return session;
};

inline constexpr auto read_state_time = [](auto& row) {
    StateTime time;
    time.day = row.day();
    time.device = row.text();
    time.state = row.text();
    time.spent = std::chrono::microseconds{row.integer()};
    return time;
};

}  // namespace fieldwarden::supervisor
