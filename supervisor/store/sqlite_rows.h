// How the rows of state.db map to values; used by the parts of the SQLite store.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/sqlite.h"
#include "supervisor/store/row_readers.h"

namespace fieldwarden::supervisor {

// Within the transaction of what it tells of: gives the entry its id and chains it to the newest one.
Status insert_audit(SqlDatabase& database, AuditEntry entry);
// The entries behind `id`, oldest first.
Result<std::vector<AuditEntry>> select_audit_after(SqlDatabase& database, std::int64_t id,
                                                   std::uint32_t limit);

inline std::int64_t micros(UtcTime time) {
    return time.time_since_epoch().count();
}
inline std::optional<std::int64_t> micros(const std::optional<UtcTime>& time) {
    return time ? std::optional{micros(*time)} : std::nullopt;
}
inline std::string dumped(const proto::Json& json) {
    // Text from devices may be no UTF-8; it is stored readable rather than refused.
    return json.dump(-1, ' ', false, proto::Json::error_handler_t::replace);
}
inline std::optional<std::string> dumped(const std::optional<proto::Json>& json) {
    return json ? std::optional{dumped(*json)} : std::nullopt;
}
// The columns of the current row.
struct SqliteColumns {
    const SqlStatement& row;

    [[nodiscard]] std::int64_t integer(int at) const { return row.integer(at); }
    [[nodiscard]] double number(int at) const { return row.number(at); }
    [[nodiscard]] bool boolean(int at) const { return row.integer(at) != 0; }
    [[nodiscard]] std::string_view text(int at) const { return row.text(at); }
    [[nodiscard]] UtcTime time(int at) const { return UtcTime{std::chrono::microseconds{row.integer(at)}}; }
    [[nodiscard]] std::chrono::sys_days day(int at) const {
        return std::chrono::sys_days{std::chrono::days{row.integer(at)}};
    }
    [[nodiscard]] bool is_null(int at) const { return row.is_null(at); }
};
using RowReader = BasicRowReader<SqliteColumns>;

// All rows of `statement`, each read by `read_row`.
template <class ReadRow>
auto collect(SqlStatement& statement, std::string_view what, ReadRow&& read_row)
    -> Result<std::vector<decltype(read_row(std::declval<RowReader&>()))>> {
    std::vector<decltype(read_row(std::declval<RowReader&>()))> items;
    while (true) {
        const auto more = statement.step();
        if (!more) return more.error();
        if (!*more) return items;
        RowReader row{SqliteColumns{statement}};
        items.push_back(read_row(row));
        if (const auto fine = row.status(what); !fine) return fine.error();
    }
}

template <class ReadRow>
auto one_row(SqlStatement& statement, std::string_view what, std::int64_t id, ReadRow&& read_row)
    -> Result<decltype(read_row(std::declval<RowReader&>()))> {
    auto found = collect(statement, what, read_row);
    if (!found) return found.error();
    if (found->empty()) return make_error(ErrorKind::kNotFound, fmt::format("there is no {} {}", what, id));
    return std::move(found->front());
}

// One page of `columns` from `table_and_where`, newest id first, with the total; `values` are its parameters.
template <class ReadRow, class... Values>
auto page_of(SqlDatabase& database, std::string_view columns, const std::string& table_and_where,
             PageRequest page, std::string_view what, ReadRow&& read_row, const Values&... values)
    -> Result<Page<decltype(read_row(std::declval<RowReader&>()))>> {
    Page<decltype(read_row(std::declval<RowReader&>()))> out;
    auto count = database.prepare(fmt::format("SELECT count(*) FROM {}", table_and_where));
    if (!count) return count.error();
    const auto counted = count->bind(values...).step();
    if (!counted) return counted.error();
    out.total = static_cast<std::uint64_t>(count->integer(0));
    auto rows = database.prepare(fmt::format("SELECT {} FROM {}{} ORDER BY id DESC LIMIT ? OFFSET ?", columns,
                                             table_and_where, older_than(page.before, table_and_where)));
    if (!rows) return rows.error();
    const std::int64_t size = std::clamp<std::uint32_t>(page.page_size, 1, 1000);
    const std::int64_t skipped = (std::max<std::int64_t>(page.page, 1) - 1) * size;
    // One more than asked for tells whether more follow.
    auto items = collect(rows->bind(values..., size + 1, skipped), what, read_row);
    if (!items) return items.error();
    out.items = std::move(*items);
    out.more = out.items.size() > static_cast<std::size_t>(size);
    if (out.more) out.items.pop_back();
    return out;
}

// Runs one statement; kNotFound when it changed nothing and `what` must exist.
template <class... Values>
Status change_one(SqlDatabase& database, std::string_view what, std::int64_t id, std::string_view sql,
                  const Values&... values) {
    auto statement = database.prepare(sql);
    if (!statement) return statement.error();
    if (const auto done = statement->bind(values...).run(); !done) return done;
    if (database.changes() == 0) {
        return make_error(ErrorKind::kNotFound, fmt::format("there is no {} {}", what, id));
    }
    return {};
}

template <class... Values>
Status run(SqlDatabase& database, std::string_view sql, const Values&... values) {
    auto statement = database.prepare(sql);
    if (!statement) return statement.error();
    return statement->bind(values...).run();
}

// An INSERT whose first parameter is the id (NULL: the next one); returns the id it got.
template <class... Values>
Result<std::int64_t> insert(SqlDatabase& database, std::string_view sql, std::int64_t id,
                            const Values&... values) {
    const auto given = id == 0 ? std::nullopt : std::optional{id};
    if (const auto done = run(database, sql, given, values...); !done) return done.error();
    return database.last_insert_id();
}

}  // namespace fieldwarden::supervisor
