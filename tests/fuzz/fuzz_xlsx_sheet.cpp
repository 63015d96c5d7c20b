// The XML of one worksheet, and of the shared strings.
#include <algorithm>
#include <cstring>

#include "supervisor/workbook/xlsx_sheet.h"

using namespace fieldwarden;
using namespace fieldwarden::supervisor;

namespace {

ByteSource source_of(std::string_view document) {
    return [document, given = std::size_t{0}](char* into, std::size_t size) mutable -> Result<std::size_t> {
        const auto count = std::min(size, document.size() - given);
        std::memcpy(into, document.data() + given, count);
        given += count;
        return count;
    };
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view document{reinterpret_cast<const char*>(data), size};
    const std::vector<CellFormat> formats{{}, {CellFormat::Kind::kDate, 0}, {CellFormat::Kind::kPadded, 4}};
    TextArena arena;
    TableUse use;
    SheetBuilder builder{"points", arena, use, Language::kEnglish};
    std::vector<SharedCell> shared;
    if (read_worksheet(source_of(document), "sheet", Language::kEnglish, formats, Epoch::k1900, builder,
                       shared)) {
        for (const auto& cell : shared) builder.fill(cell.cell, "shared");
        const auto sheet = builder.finish();
        for (std::size_t row = 0; sheet && row < sheet->rows.size(); ++row) (void)sheet->cells_of(row);
    }
    std::vector<std::string_view> strings;
    TextArena string_arena;
    (void)read_shared_strings(source_of(document), "strings", Language::kEnglish, strings, string_arena)
        .has_value();
    return 0;
}
