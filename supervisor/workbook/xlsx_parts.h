// The small parts of an .xlsx: where its sheets are, and what its cell formats mean.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "supervisor/workbook/archive.h"
#include "supervisor/workbook/number_format.h"

namespace fieldwarden::supervisor {

struct XlsxSheetPart {
    std::string name;
    std::string part;  // name in the zip
    bool hidden = false;
};

struct XlsxLayout {
    std::vector<XlsxSheetPart> sheets;  // in workbook order; chart sheets left out
    std::string shared_strings;         // part name; "" when there is none
    std::string styles;
    Epoch epoch = Epoch::k1900;
};

// Follows the relations from the package to the workbook and from there to its parts.
Result<XlsxLayout> read_layout(const Archive& archive, Language language);

// The format of each cell style index; empty when the workbook has no styles.
Result<std::vector<CellFormat>> read_cell_formats(const Archive& archive, const XlsxLayout& layout,
                                                  Language language);

// A relation target as a part name: relative to the folder of `source_part`, or absolute. kCorrupt when it
// leads out of the package.
Result<std::string> resolve_target(std::string_view source_part, std::string_view target);

}  // namespace fieldwarden::supervisor
