// The readers behind read_workbook: one file format each, all producing the same table model. Every one is
// safe on hostile bytes: memory is bounded by limits.h, time by the number of bytes unpacked.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "common/result.h"
#include "supervisor/workbook/language.h"
#include "supervisor/workbook/table.h"

namespace fieldwarden::supervisor {

struct ReadContext {
    Language language = Language::kEnglish;
    // Whether a sheet of this name is worth reading; the others are only listed.
    std::function<bool(std::string_view)> wanted = [](std::string_view) { return true; };
};

// Office Open XML (ECMA-376, transitional and strict) as written by Excel, WPS, LibreOffice, openpyxl,
// XlsxWriter and SheetJS.
Result<Workbook> read_xlsx(const std::string& path, const ReadContext& context);

// BIFF8, Excel 97 to 2003 ([MS-XLS]). `bytes` is the whole file. Our own reader and not freexl, which cannot
// tell a hidden sheet, a boolean or a merged cell, and allocates rows × columns of whatever size a damaged
// file claims.
Result<Workbook> read_xls(std::string_view bytes, const ReadContext& context);

// One sheet from comma, semicolon or tab separated text in UTF-8, UTF-16 (with a byte order mark) or GB18030.
Result<Workbook> read_csv(std::string_view bytes, std::string sheet_name, const ReadContext& context);
// Every .csv of a zip, or of a folder (not of folders in it); the file's name is the sheet's.
Result<Workbook> read_csv_zip(const std::string& path, const ReadContext& context);
Result<Workbook> read_csv_folder(const std::string& path, const ReadContext& context);

// All bytes of a regular file of at most kMaxWholeFileBytes.
Result<std::string> read_whole_file(const std::string& path, Language language);

}  // namespace fieldwarden::supervisor
