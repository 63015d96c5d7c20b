#include "supervisor/workbook/sheet_builder.h"

#include <algorithm>

#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

SheetBuilder::SheetBuilder(std::string name, TextArena& arena, TableUse& use, Language language)
    : arena_(arena), use_(use), language_(language) {
    sheet_.name = std::move(name);
}

Error SheetBuilder::too_large(std::string_view en, std::string_view zh) const {
    return make_error(ErrorKind::kTooLarge,
                      say(language_, "sheet '{}': {}", "工作表“{}”：{}", shortened(sheet_.name, 100),
                          language_ == Language::kChinese ? zh : en));
}

Status SheetBuilder::begin_row(std::uint64_t number) {
    if (number == 0 || number > kExcelRows) {
        return make_error(
            ErrorKind::kCorrupt,
            say(language_, "sheet '{}' has a row numbered {}; rows end at {}, so the file is damaged",
                "工作表“{}”中有行号 {}，最大行号为 {}，文件已损坏", shortened(sheet_.name, 100), number,
                kExcelRows));
    }
    if (number <= row_) {
        return make_error(ErrorKind::kCorrupt,
                          say(language_, "sheet '{}': row {} stands after row {}, so the file is damaged",
                              "工作表“{}”：第 {} 行出现在第 {} 行之后，文件已损坏",
                              shortened(sheet_.name, 100), number, row_));
    }
    row_ = number;
    row_open_ = false;
    return {};
}

Status SheetBuilder::open_row() {
    if (row_open_) return {};
    if (++use_.rows > kMaxRows) {
        return too_large(fmt::format("more than {} rows with values in the workbook; split it", kMaxRows),
                         fmt::format("工作簿中有值的行超过 {} 行，请拆分", kMaxRows));
    }
    sheet_.rows.push_back(
        {static_cast<std::uint32_t>(row_), static_cast<std::uint32_t>(sheet_.cells.size())});
    row_open_ = true;
    return {};
}

Result<std::size_t> SheetBuilder::add_unfilled(std::uint64_t column) {
    if (column >= kMaxColumns) {
        return too_large(
            fmt::format("row {} has a value in column number {}; at most {} columns are read. Delete the "
                        "columns that are no part of the plant",
                        row_, column + 1, kMaxColumns),
            fmt::format("第 {} 行在第 {} 列有值，最多读取 {} 列，请删除无关的列", row_, column + 1,
                        kMaxColumns));
    }
    if (auto opened = open_row(); !opened) return opened.error();
    if (++use_.cells > kMaxCells) {
        return too_large(fmt::format("more than {} cells with values in the workbook; split it", kMaxCells),
                         fmt::format("工作簿中有值的单元格超过 {} 个，请拆分", kMaxCells));
    }
    sheet_.cells.push_back({{}, static_cast<std::uint32_t>(column), CellKind::kText});
    return sheet_.cells.size() - 1;
}

Status SheetBuilder::add(std::uint64_t column, CellKind kind, std::string_view text) {
    if (text.empty() && kind != CellKind::kFormula) return {};
    if (text.size() > kMaxCellBytes) {
        return too_large(fmt::format("a cell in row {} holds more than {} bytes", row_, kMaxCellBytes),
                         fmt::format("第 {} 行有单元格超过 {} 字节", row_, kMaxCellBytes));
    }
    const auto position = add_unfilled(column);
    if (!position) return position.error();
    if ((use_.text_bytes += text.size()) > kMaxTextBytes) {
        return too_large(fmt::format("the workbook holds more than {} MB of text", kMaxTextBytes >> 20U),
                         fmt::format("工作簿的文字超过 {} MB", kMaxTextBytes >> 20U));
    }
    sheet_.cells[*position].kind = kind;
    sheet_.cells[*position].text = arena_.store(text);
    return {};
}

Status SheetBuilder::add_number(std::uint64_t column, double value, CellFormat format, Epoch epoch) {
    switch (format.kind) {
        case CellFormat::Kind::kDate:
            if (const auto date = date_text(value, epoch); !date.empty())
                return add(column, CellKind::kDate, date);
            break;
        case CellFormat::Kind::kPadded: {
            auto digits = number_text(value);
            if (digits.find_first_not_of("0123456789") == std::string::npos &&
                digits.size() <= format.digits) {
                digits.insert(0, format.digits - digits.size(), '0');
                return add(column, CellKind::kText, digits);
            }
            break;
        }
        case CellFormat::Kind::kPlain:
            break;
    }
    return add(column, CellKind::kNumber, number_text(value));
}

Status SheetBuilder::add_merged(const MergedRange& range) {
    if (range.first_row > range.last_row || range.first_column > range.last_column) return {};
    if (range.first_column >= kMaxColumns) return {};  // no cell out there is kept
    if (merged_.size() == kMaxMergedRanges) {
        return too_large(fmt::format("more than {} merged ranges", kMaxMergedRanges),
                         fmt::format("合并区域超过 {} 个", kMaxMergedRanges));
    }
    merged_.push_back(range);
    return {};
}

Result<Sheet> SheetBuilder::finish() {
    sheet_.has_merged_cells = !merged_.empty();
    if (merged_.empty()) return std::move(sheet_);
    std::sort(merged_.begin(), merged_.end(),
              [](const MergedRange& a, const MergedRange& b) { return a.first_row < b.first_row; });

    // One pass over the rows with the ranges that reach the current one. Ranges do not overlap, so a row
    // cannot have more of them than columns.
    std::vector<Cell> cells;
    cells.reserve(sheet_.cells.size());
    std::vector<MergedRange> active;
    std::size_t next_range = 0;
    for (std::size_t i = 0; i < sheet_.rows.size(); ++i) {
        const auto number = sheet_.rows[i].number;
        const auto old = sheet_.cells_of(i);
        std::erase_if(active, [&](const MergedRange& range) { return range.last_row < number; });
        for (; next_range < merged_.size() && merged_[next_range].first_row <= number; ++next_range) {
            if (merged_[next_range].last_row >= number) active.push_back(merged_[next_range]);
        }
        if (active.size() > kMaxColumns) {
            return make_error(ErrorKind::kCorrupt,
                              say(language_, "sheet '{}': merged cells overlap, so the file is damaged",
                                  "工作表“{}”：合并区域相互重叠，文件已损坏", shortened(sheet_.name, 100)));
        }
        const auto covered = [&](std::uint32_t column) {
            return std::any_of(active.begin(), active.end(), [&](const MergedRange& range) {
                return column >= range.first_column && column <= range.last_column &&
                       !(number == range.first_row && column == range.first_column);
            });
        };
        const auto new_first = static_cast<std::uint32_t>(cells.size());
        for (const auto& cell : old) {
            if (!covered(cell.column)) cells.push_back(cell);
        }
        // cells_of(i + 1) still needs the old start of that row, which this does not touch.
        sheet_.rows[i].first_cell = new_first;
    }
    sheet_.cells = std::move(cells);
    return std::move(sheet_);
}

}  // namespace fieldwarden::supervisor
