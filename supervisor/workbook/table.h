// The neutral table model that every reader produces: sheets of rows of cells, as text with the kind the
// writer gave it. Compact: 24 bytes a cell plus its text.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fieldwarden::supervisor {

enum class CellKind : std::uint8_t {
    kText,     // as written, blanks included
    kNumber,   // shortest decimal text that reads back the same double; whole numbers without point
    kBoolean,  // "true" or "false"
    kDate,     // "YYYY-MM-DD", "YYYY-MM-DD HH:MM:SS" or "HH:MM:SS"
    kError,    // "#N/A", "#REF!", …
    kFormula,  // a formula whose result the writer did not store; the text is empty
};

struct Cell {
    std::string_view text;     // lives as long as the workbook
    std::uint32_t column = 0;  // from 0
    CellKind kind = CellKind::kText;
};

struct Row {
    std::uint32_t number = 0;  // from 1, as Excel shows it
    std::uint32_t first_cell = 0;
};

struct Sheet {
    std::string name;
    std::vector<Row> rows;    // in rising order; rows without values are left out
    std::vector<Cell> cells;  // row after row
    bool has_merged_cells = false;

    // Of rows[index], in file order.
    [[nodiscard]] std::span<const Cell> cells_of(std::size_t index) const;
};

// Bytes that never move: the text of cells. Freed as a whole.
class TextArena {
  public:
    std::string_view store(std::string_view text);
    [[nodiscard]] std::size_t bytes() const { return bytes_; }

  private:
    std::vector<std::unique_ptr<char[]>> chunks_;
    std::size_t left_ = 0;  // in the last chunk
    char* next_ = nullptr;
    std::size_t bytes_ = 0;
};

// A sheet that was not read, and why.
struct SkippedSheet {
    std::string name;
    bool hidden = false;  // otherwise nobody wanted it by its name
};

struct Workbook {
    std::vector<Sheet> sheets;
    std::vector<SkippedSheet> skipped;
    // What the reader has to say about a file it could read, such as a wrong extension; in the language asked
    // for.
    std::vector<std::string> notes;
    std::vector<TextArena> texts;  // what the cells point into
};

// 0 → "A", 25 → "Z", 26 → "AA".
std::string column_letters(std::uint32_t column);
// "D17" → column 3; nullopt when it does not start with one to three letters or lies beyond Excel's columns.
std::optional<std::uint32_t> column_of_reference(std::string_view reference);

}  // namespace fieldwarden::supervisor
