// Names of tables as the option `table` writes them, and as SQL takes them. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden::worker::postgres {

struct TableName {
    std::string schema;  // empty: the first of the connection's search_path
    std::string name;
    std::string shown;  // as the option wrote it

    bool operator==(const TableName&) const = default;
};

// `table` or `schema.table`, taken letter by letter: upper case stays upper case. kInvalidArgument: an empty
// part, a second dot, a NUL, or a name too long for its partitions to fit PostgreSQL's 63 bytes.
Result<TableName> parse_table_name(std::string_view text);

// "a""b": an identifier, whatever it holds.
std::string quoted_identifier(std::string_view name);
// 'it''s': a text constant, whatever it holds (standard_conforming_strings is set on every connection).
std::string quoted_literal(std::string_view text);

// The table in SQL: "schema"."table", or "table" when it names no schema.
std::string sql_name(const TableName& table);
// The partition of that day, points_20261122, and the one of everything else, points_default.
std::string sql_partition_name(const TableName& table, std::chrono::sys_days day);
std::string sql_default_partition_name(const TableName& table);
// "2026-11-22", of the years 0 to 9999
std::string date_text(std::chrono::sys_days day);

}  // namespace fieldwarden::worker::postgres
