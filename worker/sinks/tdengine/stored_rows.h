// What the sink has stored, read back: statements, and rows made into samples again. Pure.
//
// Everything is asked of the super table by the tag device_code, so that it does not matter which sub-table a
// device's rows lie in. LAST_ROW (TDengine 3 documentation, "Functions"): the newest row, nulls included;
// with PARTITION BY the newest of each device.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "worker/sinks/tdengine/columns.h"
#include "worker/sinks/tdengine/names.h"

namespace fieldwarden::worker::tdengine {

// The columns that a super table has for points of this name, whichever device they are of.
struct StoredColumn {
    std::string name;
    std::string value_type;   // empty: the table has only the others
    bool has_text = false;    // <name>_text
    bool has_number = false;  // <name>_num
};
// Of names whose quality the table can hold: of others nothing was ever written. In order, each once.
std::vector<StoredColumn> stored_columns(const SuperTable& table, const std::set<std::string>& names);

// Rows of: device_code, time, and of every column the quality and what may hold the value.
std::string newest_statement(const std::string& super_table, const SuperTable& table,
                             std::span<const StoredColumn> columns, std::span<const std::string> devices);
// The same of one device in a range, in times of the database; rows that hold any of the columns.
struct RowRange {
    std::optional<std::int64_t> start;  // inclusive
    std::optional<std::int64_t> end;    // exclusive
    std::size_t limit = 0;
    bool descending = false;
};
std::string range_statement(const std::string& super_table, const SuperTable& table,
                            std::span<const StoredColumn> columns, const std::string& device,
                            const RowRange& range);

// A time as the REST interface writes it: RFC 3339, or a count of the database's unit ("ms", "us", "ns").
Result<UtcTime> time_of(const std::string& text, std::string_view precision);
// The points of one device by the name of their column.
struct StoredPoint {
    PointId id = 0;
    DataType type;
};
using PointsByColumn = std::map<std::string, StoredPoint, std::less<>>;
// The samples of one row of either statement; columns the device has no point for are left out. kCorrupt: the
// row is not what was asked for.
Status add_samples(const std::vector<std::string>& row, std::span<const StoredColumn> columns,
                   const PointsByColumn& points, std::string_view precision, SampleBatch& samples);

}  // namespace fieldwarden::worker::tdengine
