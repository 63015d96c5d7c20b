// Rows as INSERT statements (TDengine 3 documentation, "Insert"). Pure.
//
//   INSERT INTO `t_D1` USING `st_pump` (`device_code`,`name`) TAGS ('D1','Pump 1') (`ts`,`temp`,`temp_q`)
//   VALUES (1795305600000000,21.5,0)(1795305601000000,21.6,0) `t_D2` USING … VALUES …
//
// A row names the columns it has values for and no others: columns that are not named keep what they hold, so
// that rows of one moment that come in two deliveries complete each other. A table occurs once in a
// statement.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace fieldwarden::worker::tdengine {

// The server's default limit is 1 MiB (documentation, "Limits": maxSQLLength).
inline constexpr std::size_t kLongestSql = (1 << 20) - (16 << 10);

struct TableRows {
    std::string head;  // "`t_D1` USING `st_pump` (…) TAGS (…)"
    std::string time_column;
    std::map<std::int64_t, std::map<std::string, std::string>>
        rows;  // time in the database's unit → literals
};

// Statements of at most `longest` bytes, unless a single row is longer.
std::vector<std::string> insert_statements(const std::vector<TableRows>& tables,
                                           std::size_t longest = kLongestSql);

}  // namespace fieldwarden::worker::tdengine
