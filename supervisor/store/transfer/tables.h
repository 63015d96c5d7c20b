// What a store holds, table by table, in one form for every kind of store: moving a store and backing it up
// both walk this list. A column that a migration adds belongs here too; the transfer tests compare it with
// the real schemas.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace fieldwarden::supervisor::transfer {

enum class ColumnType : std::uint8_t {
    kInteger,
    kReal,
    kText,
    kJson,
    kTime,  // microseconds since 1970 UTC
    kFlag,  // 0 or 1
    kDay,   // days since 1970-01-01
};

struct Column {
    std::string name;
    ColumnType type;
    std::string postgres_name;  // differs from `name` where a unit is part of it
};

struct Table {
    std::string name;
    std::vector<Column> columns;  // the first ones are the key; rows are read in its order
    bool numbered;                // has ids that are never given twice, so the last one counts as well
};

// Rows that refer to others come after them. Sign-ins of browsers are not among them: people sign in again.
const std::vector<Table>& tables();

// A value as SQLite would hold it; nothing: NULL.
using Cell = std::variant<std::monostate, std::int64_t, double, std::string>;
using Row = std::vector<Cell>;

}  // namespace fieldwarden::supervisor::transfer
