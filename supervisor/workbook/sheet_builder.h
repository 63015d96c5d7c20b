// Collects the cells of one sheet for every reader: checks the limits, keeps the order, takes out what merged
// cells cover.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "supervisor/workbook/language.h"
#include "supervisor/workbook/number_format.h"
#include "supervisor/workbook/table.h"

namespace fieldwarden::supervisor {

// Rows, cells and text over all sheets of one import.
struct TableUse {
    std::size_t rows = 0;
    std::size_t cells = 0;
    std::size_t text_bytes = 0;
};

struct MergedRange {
    std::uint32_t first_row = 0, last_row = 0;        // from 1, inclusive
    std::uint32_t first_column = 0, last_column = 0;  // from 0, inclusive
};

class SheetBuilder {
  public:
    SheetBuilder(std::string name, TextArena& arena, TableUse& use, Language language);

    // Starts a row; numbers must rise. The row is kept only when a cell follows.
    Status begin_row(std::uint64_t number);
    // A cell of the current row. Empty text is skipped (a kFormula is kept).
    Status add(std::uint64_t column, CellKind kind, std::string_view text);
    // A number as the format shows it: date, zero-padded code, or number.
    Status add_number(std::uint64_t column, double value, CellFormat format, Epoch epoch);
    // A text cell that is filled in later; the text must live as long as the workbook. Returns its position.
    Result<std::size_t> add_unfilled(std::uint64_t column);
    void fill(std::size_t position, std::string_view text) { sheet_.cells[position].text = text; }
    Status add_merged(const MergedRange& range);

    [[nodiscard]] std::uint64_t row_number() const { return row_; }
    // Removes what merged ranges cover and hands over the sheet.
    Result<Sheet> finish();

  private:
    Status open_row();
    Error too_large(std::string_view en, std::string_view zh) const;

    Sheet sheet_;
    TextArena& arena_;
    TableUse& use_;
    Language language_;
    std::vector<MergedRange> merged_;
    std::uint64_t row_ = 0;
    bool row_open_ = false;
};

}  // namespace fieldwarden::supervisor
