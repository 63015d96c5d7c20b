// How rows of the database map to values; used by the parts of the PostgreSQL store.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/store/postgres/connection.h"
#include "supervisor/store/row_readers.h"

namespace fieldwarden::supervisor::postgres {

// The one place where the audit trail grows.
Status insert_audit(Connection& connection, AuditEntry entry);

inline JsonText json_text(const proto::Json& json) {
    return {json.dump(-1, ' ', false, proto::Json::error_handler_t::replace)};
}
inline std::optional<JsonText> json_text(const std::optional<proto::Json>& json) {
    return json ? std::optional{json_text(*json)} : std::nullopt;
}
// The columns of one row.
struct PostgresColumns {
    const Answer& answer;
    int row;

    [[nodiscard]] std::int64_t integer(int at) const { return answer.integer(row, at); }
    [[nodiscard]] double number(int at) const { return answer.number(row, at); }
    [[nodiscard]] bool boolean(int at) const { return answer.boolean(row, at); }
    [[nodiscard]] std::string_view text(int at) const { return answer.text(row, at); }
    [[nodiscard]] UtcTime time(int at) const { return answer.time(row, at); }
    [[nodiscard]] std::chrono::sys_days day(int at) const { return answer.day(row, at); }
    [[nodiscard]] bool is_null(int at) const { return answer.is_null(row, at); }
};
using RowReader = BasicRowReader<PostgresColumns>;

// All rows that `sql` gives, each read by `read_row`.
template <class ReadRow, class... Values>
auto collect(Connection& connection, const std::string& sql, std::string_view what, ReadRow&& read_row,
             const Values&... values) -> Result<std::vector<decltype(read_row(std::declval<RowReader&>()))>> {
    const auto answer = connection.run(sql, Parameters{values...});
    if (!answer) return answer.error();
    std::vector<decltype(read_row(std::declval<RowReader&>()))> items;
    items.reserve(static_cast<std::size_t>(answer->rows()));
    for (int row = 0; row < answer->rows(); ++row) {
        RowReader reader{PostgresColumns{*answer, row}};
        items.push_back(read_row(reader));
        if (const auto fine = reader.status(what); !fine) return fine.error();
    }
    return items;
}

// The row of this id; `sql` has it as its only parameter.
template <class ReadRow>
auto one_row(Connection& connection, const std::string& sql, std::string_view what, std::int64_t id,
             ReadRow&& read_row) -> Result<decltype(read_row(std::declval<RowReader&>()))> {
    auto found = collect(connection, sql, what, read_row, id);
    if (!found) return found.error();
    if (found->empty()) return make_error(ErrorKind::kNotFound, fmt::format("there is no {} {}", what, id));
    return std::move(found->front());
}

// The single value of a query.
template <class... Values>
Result<std::int64_t> integer_of(Connection& connection, const std::string& sql, const Values&... values) {
    const auto answer = connection.run(sql, Parameters{values...});
    if (!answer) return answer.error();
    return answer->rows() == 0 ? 0 : answer->integer(0, 0);
}

// One page of `columns` from `table_and_where`, newest id first, with the total; `values` are its parameters.
template <class ReadRow, class... Values>
auto page_of(Connection& connection, std::string_view columns, const std::string& table_and_where,
             PageRequest page, std::string_view what, ReadRow&& read_row, const Values&... values)
    -> Result<Page<decltype(read_row(std::declval<RowReader&>()))>> {
    Page<decltype(read_row(std::declval<RowReader&>()))> out;
    const auto count =
        connection.run(fmt::format("SELECT count(*) FROM {}", table_and_where), Parameters{values...});
    if (!count) return count.error();
    out.total = static_cast<std::uint64_t>(count->integer(0, 0));
    const std::int64_t size = std::clamp<std::uint32_t>(page.page_size, 1, 1000);
    const std::int64_t skipped = (std::max<std::int64_t>(page.page, 1) - 1) * size;
    // One more than asked for tells whether more follow.
    auto items =
        collect(connection,
                fmt::format("SELECT {} FROM {}{} ORDER BY id DESC LIMIT {} OFFSET {}", columns,
                            table_and_where, older_than(page.before, table_and_where), size + 1, skipped),
                what, read_row, values...);
    if (!items) return items.error();
    out.items = std::move(*items);
    out.more = out.items.size() > static_cast<std::size_t>(size);
    if (out.more) out.items.pop_back();
    return out;
}

template <class... Values>
Status run(Connection& connection, const std::string& sql, const Values&... values) {
    if (const auto done = connection.run(sql, Parameters{values...}); !done) return done.error();
    return {};
}

// Runs one statement; kNotFound when it changed nothing and `what` must exist.
template <class... Values>
Status change_one(Connection& connection, std::string_view what, std::int64_t id, const std::string& sql,
                  const Values&... values) {
    const auto done = connection.run(sql, Parameters{values...});
    if (!done) return done.error();
    if (done->changed() == 0) {
        return make_error(ErrorKind::kNotFound, fmt::format("there is no {} {}", what, id));
    }
    return {};
}

// "$2, $3, $4" for as many parameters as there are columns, counted from `first`.
inline std::string places(std::size_t count, std::size_t first) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += fmt::format("{}${}", i == 0 ? "" : ", ", first + i);
    return text;
}

// Adds a row with this id, or the next one when it is 0; returns the id. The table `last_ids` remembers ids
// whose rows are gone, and goes back with a transaction that is rolled back.
template <class... Values>
Result<std::int64_t> insert(Connection& connection, std::string_view table, std::string_view columns,
                            std::int64_t id, const Values&... values) {
    const auto done = connection.run(
        fmt::format("WITH next AS (UPDATE last_ids SET last = CASE WHEN $1 = 0 THEN last + 1 ELSE "
                    "greatest(last, $1) END WHERE name = '{0}' RETURNING CASE WHEN $1 = 0 THEN last ELSE $1 "
                    "END AS id) INSERT INTO {0} (id, {1}) SELECT next.id, {2} FROM next RETURNING id",
                    table, columns, places(sizeof...(values), 2)),
        Parameters{id, values...});
    if (!done) return done.error();
    if (done->rows() == 0) {
        return make_error(ErrorKind::kCorrupt, fmt::format("{}: the table last_ids knows nothing of {}",
                                                           connection.label(), table));
    }
    return done->integer(0, 0);
}

}  // namespace fieldwarden::supervisor::postgres
