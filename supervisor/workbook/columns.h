// Names of sheets and columns as people write them: English or Chinese, any case, blanks and underscores
// anywhere, a trailing *, both languages in one cell ("device_code*\n设备编码", "devices 设备").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/plant/schema.h"
#include "supervisor/workbook/language.h"
#include "supervisor/workbook/problems.h"
#include "supervisor/workbook/table.h"

namespace fieldwarden::supervisor {

std::optional<Kind> kind_of_sheet(std::string_view name);
// The sheet that explains a template; read by people only.
bool is_help_sheet(std::string_view name);
std::optional<std::size_t> field_of_header(Kind kind, std::string_view header);

// Where the fields of a kind stand in one sheet.
struct SheetColumns {
    Kind kind = Kind::kSite;
    std::string sheet;
    std::vector<std::optional<std::uint32_t>> column_of;  // per field
    std::vector<std::string> header_of;  // per field, as written; its name when there is no column
    std::vector<std::size_t> field_at;   // per column: the field, or npos
    static constexpr std::size_t npos = KindSchema::npos;
};

// Matches the header cells; reports unknown, duplicate and missing columns.
SheetColumns match_columns(Kind kind, const Sheet& sheet, std::size_t header_row, Language language,
                           Problems& problems);

}  // namespace fieldwarden::supervisor
