// Columns, types and values of the stand-in for TDengine (documentation: "Data Types", "Names & Limits").
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

#include "tests/contract/tdengine_sql.h"

namespace fieldwarden::tdengine_stand_in {

using Cell = std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string>;
using Row = std::map<std::string, Cell>;  // without the time

struct ColumnDef {
    std::string name;
    std::string type;
    std::size_t width = 0;  // of an NCHAR, in characters
};

inline constexpr std::size_t kLongestTable = 192;
inline constexpr std::size_t kLongestName = 64;  // of databases, columns and tags

[[noreturn]] void refuse(int code, const std::string& desc);
std::size_t bytes_of(const ColumnDef& column);
// Numbers, types and sizes of a table's columns and of its tags.
void check_columns(const std::vector<ColumnDef>& columns, std::size_t tags);
const ColumnDef* find(const std::vector<ColumnDef>& columns, const std::string& name);

ColumnDef definition(Words& words);                // `name` type
std::vector<ColumnDef> definitions(Words& words);  // (`name` type, …)
std::vector<std::string> names(Words& words);      // (`name`, …), each once
std::vector<Word> values(Words& words);            // (literal, …)
// Strict: a literal of another kind than the column's is refused, where the server may convert.
Cell value_for(const ColumnDef& column, const Word& word);

}  // namespace fieldwarden::tdengine_stand_in
