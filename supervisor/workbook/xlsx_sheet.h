// The large parts of an .xlsx, read as a stream: one worksheet, and the shared strings.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "supervisor/workbook/number_format.h"
#include "supervisor/workbook/sheet_builder.h"
#include "supervisor/workbook/xml_parser.h"

namespace fieldwarden::supervisor {

// "_x000D_" → carriage return, "_x005F_" → "_" (ECMA-376 Part 1, 22.9.2.19).
void unescape_xstring(std::string& text);

// Strings in the order of their index; views into `arena`.
Status read_shared_strings(const ByteSource& source, std::string_view part, Language language,
                           std::vector<std::string_view>& strings, TextArena& arena);

// Appends the sheet to `builder`. Cells of type "s" get an empty text and their string's index in `shared`,
// so that strings and sheets can be read at the same time.
struct SharedCell {
    std::size_t cell;     // position in the builder's cells
    std::uint32_t index;  // of the shared string
};
Status read_worksheet(const ByteSource& source, std::string_view part, Language language,
                      std::span<const CellFormat> formats, Epoch epoch, SheetBuilder& builder,
                      std::vector<SharedCell>& shared);

}  // namespace fieldwarden::supervisor
