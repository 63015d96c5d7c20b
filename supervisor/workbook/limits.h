// What a workbook may cost. A file past a limit is refused with a message that names the limit; nothing is
// cut off silently. A plant of 100,000 points (the size Fieldwarden is measured with) stays far below every
// one of them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fieldwarden::supervisor {

// The file as uploaded; the same as the default of server.max_upload_bytes. A workbook of a million points
// packs to about 40 MB, so what is larger is no plant.
inline constexpr std::uint64_t kMaxFileBytes = 200ULL << 20;
// All parts of a zip together, unpacked: what stops a zip bomb. 100,000 points take about 40 MB; reading this
// much takes a few seconds.
inline constexpr std::uint64_t kMaxInflatedBytes = 600ULL << 20;
// A .csv or an .xls, which are held whole while they are read. 100,000 points take about 8 MB.
inline constexpr std::uint64_t kMaxWholeFileBytes = 64ULL << 20;
// Files in a zip. An .xlsx holds about ten per sheet.
inline constexpr std::uint64_t kMaxZipEntries = 10'000;
// The list of files at the end of a zip, checked before it is read: about 400 bytes per entry.
inline constexpr std::uint64_t kMaxZipDirectoryBytes = 4ULL << 20;

// The last row and column that Excel knows; a larger number is damage or an attack.
inline constexpr std::uint32_t kExcelRows = 1'048'576;
inline constexpr std::uint32_t kExcelColumns = 16'384;
// Rows with values over all sheets read: five times the largest plant one machine is meant for.
inline constexpr std::size_t kMaxRows = 500'000;
// Columns with values in one sheet. The widest sheet of ours has 15; the rest is room for notes.
inline constexpr std::uint32_t kMaxColumns = 256;
// Cells with values over all sheets read (24 bytes each in memory).
inline constexpr std::size_t kMaxCells = 4'000'000;
// Text of all cells together, and of the shared strings.
inline constexpr std::size_t kMaxTextBytes = 128ULL << 20;
// One cell. Excel's own limit is 32,767 characters of up to three bytes of UTF-8.
inline constexpr std::size_t kMaxCellBytes = 100'000;
// Sheets in a workbook, merged ranges and number formats in a sheet.
inline constexpr std::size_t kMaxSheets = 256;
inline constexpr std::size_t kMaxMergedRanges = 100'000;
inline constexpr std::size_t kMaxCellFormats = 70'000;  // Excel allows 65,490
// A tag with its attributes. Longer ones are no spreadsheet's, and the parser would have to hold them whole.
inline constexpr std::uint64_t kMaxXmlTokenBytes = 1ULL << 20;
inline constexpr unsigned kMaxXmlDepth = 64;
// Small parts that are held whole: relations, styles' format codes, the names of sheets.
inline constexpr std::size_t kMaxAttributeBytes = 4'096;

// Problems kept for the answer; all are counted. More would not help anyone mend the workbook.
inline constexpr std::size_t kMaxKeptProblems = 10'000;
// The offending value as a problem shows it.
inline constexpr std::size_t kMaxShownValue = 200;
// An options, code list or URL cell.
inline constexpr std::size_t kLongestList = 30'000;
// Work spent on guesses ("did you mean …") and on globs, so that a workbook of nothing but mistakes is still
// answered in seconds.
inline constexpr std::size_t kMaxSuggestions = 200;
inline constexpr std::size_t kMaxSuggestionCandidates = 20'000;
inline constexpr std::size_t kMaxGlobTests = 50'000'000;

}  // namespace fieldwarden::supervisor
