#include "supervisor/workbook/problem_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor/workbook/columns.h"
#include "supervisor/workbook/secrets.h"
#include "supervisor/workbook/text.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

namespace {

// By column: what stands in the first row that is not blank.
std::map<std::uint32_t, std::string_view> headers_of(const Sheet& sheet) {
    std::map<std::uint32_t, std::string_view> headers;
    for (std::size_t row = 0; row < sheet.rows.size() && headers.empty(); ++row) {
        for (const auto& cell : sheet.cells_of(row)) {
            if (!trimmed(cell.text).empty()) headers.emplace(cell.column, trimmed(cell.text));
        }
    }
    return headers;
}

// An unknown column may hold anything: whatever looks like a secret by its name or in itself is masked.
std::string shown_text(const std::optional<Kind>& kind, std::string_view header, std::string_view text) {
    if (kind) {
        if (const auto field = field_of_header(*kind, header)) {
            return shortened(masked_cell(schema_of(*kind).fields[*field], text), kLongestNeighbourText);
        }
    }
    if (is_secret_option(header)) return std::string{kSecretMask};
    return shortened(masked_url(masked_options(text)), kLongestNeighbourText);
}

}  // namespace

ProblemRows problem_rows(const Workbook& workbook, const Problems& problems) {
    ProblemRows found;
    std::map<std::string_view, std::map<std::uint32_t, std::string_view>> headers;
    const auto take = [&](const Problem& problem) {
        if (problem.row == 0 || found.size() >= kMostProblemRows) return;
        const auto key = std::pair{problem.sheet, problem.row};
        if (found.contains(key)) return;
        const auto sheet = std::ranges::find(workbook.sheets, problem.sheet, &Sheet::name);
        if (sheet == workbook.sheets.end()) return;
        const auto row = std::ranges::lower_bound(sheet->rows, problem.row, {}, &Row::number);
        if (row == sheet->rows.end() || row->number != problem.row) return;
        auto known = headers.find(sheet->name);
        if (known == headers.end()) known = headers.emplace(sheet->name, headers_of(*sheet)).first;
        const auto kind = kind_of_sheet(sheet->name);
        auto& cells = found[key];
        for (const auto& cell : sheet->cells_of(static_cast<std::size_t>(row - sheet->rows.begin()))) {
            if (cells.size() >= kMostCellsOfRow) break;
            const auto header = known->second.find(cell.column);
            const auto name = header == known->second.end() ? std::string_view{} : header->second;
            cells.push_back({fmt::format("{}{}", column_letters(cell.column), problem.row),
                             shortened(name, kLongestNeighbourText), shown_text(kind, name, cell.text)});
        }
    };
    std::ranges::for_each(problems.errors(), take);
    std::ranges::for_each(problems.warnings(), take);
    return found;
}

void put_row_cells(proto::Json& list, const ProblemRows& rows) {
    for (auto& problem : list) {
        if (!problem["row"].is_number_unsigned()) continue;
        const auto row =
            rows.find({problem["sheet"].get<std::string>(), problem["row"].get<std::uint32_t>()});
        if (row == rows.end()) continue;
        auto& cells = problem["row_cells"] = proto::Json::array();
        for (const auto& cell : row->second) {
            cells.push_back({{"cell", cell.cell}, {"column", cell.column}, {"text", cell.text}});
        }
    }
}

}  // namespace fieldwarden::supervisor
