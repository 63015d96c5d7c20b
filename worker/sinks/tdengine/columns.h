// The columns of a super table, and which of them takes a value. Pure.
//
// A point's column has the type that its data type and its first value ask for: BOOL, BIGINT (BIGINT UNSIGNED
// for uint64), DOUBLE (also for whole numbers that are scaled) or NCHAR. Types stay; what a column cannot
// hold goes to a second one of the point: `<column>_text` NCHAR for a text of a point of numbers,
// `<column>_num` DOUBLE for a number that does not fit (a point that was given a scale later). Each is added
// when it is first needed. The quality is a TINYINT `<column>_q`: 0 good, 1 uncertain, 2 bad.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/plant_types.h"
#include "common/sample.h"

namespace fieldwarden::worker::tdengine {

struct Column {
    std::string type;       // as DESCRIBE says it: "BIGINT UNSIGNED"
    std::size_t width = 0;  // characters of an NCHAR

    bool operator==(const Column&) const = default;
};
// "NCHAR(64)", "DOUBLE"
std::string declaration(const Column& column);

// A super table as it is. Without columns: it is not there yet.
struct SuperTable {
    std::string time_column;
    std::map<std::string, Column, std::less<>> columns;  // without the time
    std::map<std::string, Column, std::less<>> tags;
};

// Longer texts are refused: rows of TDengine before 3.0.5 have 48 KB, at four bytes a character.
inline constexpr std::size_t kLongestText = 4'000;

// Puts values into columns, and notes what has to be changed in the super table before.
class ColumnPlan {
  public:
    struct Cell {
        std::string column;
        std::string literal;
    };
    struct Change {
        std::string name;
        Column column;
        bool widen = false;  // otherwise: add
    };

    explicit ColumnPlan(const SuperTable& table) : columns_(table.columns) {}

    // The cells of one sample: its quality, and its value unless it has none. Empty: its text is too long.
    std::optional<std::vector<Cell>> place(const std::string& column, DataType type, const Sample& sample);
    [[nodiscard]] const std::vector<Change>& changes() const { return changes_; }

  private:
    std::optional<Cell> place_text(const std::string& column, DataType type, const std::string& text);
    Cell place_number(const std::string& column, DataType type, const Value& value);
    void need(const std::string& name, const Column& column);

    std::map<std::string, Column, std::less<>> columns_;
    std::vector<Change> changes_;
};

}  // namespace fieldwarden::worker::tdengine
