// Small verbs for tests of workbooks: tables in memory, files in a folder that goes away, zips by hand.
#pragma once

#include <zip.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor {

inline constexpr std::array<Protocol, 5> kEveryProtocol{
    Protocol::kModbusTcp, Protocol::kModbusRtu, Protocol::kMitsubishiMc, Protocol::kOpcUa, Protocol::kMqtt};
inline constexpr std::array<std::string_view, 6> kEverySink{"history",  "influxdb", "kafka",
                                                            "postgres", "tdengine", "mqtt"};

inline ValidationRules every_rule(ImportMode mode = ImportMode::kMerge,
                                  Language language = Language::kEnglish) {
    return {.mode = mode, .language = language, .protocols = kEveryProtocol, .sink_types = kEverySink};
}

// Sheets of text cells, the first row the header.
using TestRows = std::vector<std::vector<std::string>>;
inline Workbook table(const std::vector<std::pair<std::string, TestRows>>& sheets) {
    Workbook workbook;
    TextArena arena;
    for (const auto& [name, rows] : sheets) {
        Sheet sheet;
        sheet.name = name;
        for (std::size_t r = 0; r < rows.size(); ++r) {
            sheet.rows.push_back(
                {static_cast<std::uint32_t>(r + 1), static_cast<std::uint32_t>(sheet.cells.size())});
            for (std::size_t c = 0; c < rows[r].size(); ++c) {
                if (rows[r][c].empty()) continue;
                sheet.cells.push_back(
                    {arena.store(rows[r][c]), static_cast<std::uint32_t>(c), CellKind::kText});
            }
        }
        workbook.sheets.push_back(std::move(sheet));
    }
    workbook.texts.push_back(std::move(arena));
    return workbook;
}

class TempFolder {
  public:
    TempFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "fw_workbook_XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string operator/(std::string_view name) const {
        return path_ + "/" + std::string{name};
    }

  private:
    std::string path_;
};

inline void write_file(const std::string& path, std::string_view bytes) {
    std::ofstream{path, std::ios::binary}.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}
inline std::string read_file(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{file}, {}};
}

using ZipEntries = std::vector<std::pair<std::string, std::string>>;
inline void write_zip(const std::string& path, const ZipEntries& entries) {
    zip_t* const archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
    for (const auto& [name, content] : entries) {
        zip_source_t* const source = zip_source_buffer(archive, content.data(), content.size(), 0);
        zip_file_add(archive, name.c_str(), source, ZIP_FL_ENC_GUESS);
    }
    zip_close(archive);
}

// An .xlsx with one visible sheet "points" whose XML is given; other parts as Excel writes them.
struct XlsxParts {
    std::string sheet;
    std::string strings = {};
    std::string styles = {};
    std::string workbook_properties = {};
    std::string sheet_target = "worksheets/sheet1.xml";
    std::string sheet_part = "xl/worksheets/sheet1.xml";
};
inline ZipEntries xlsx_entries(const XlsxParts& parts) {
    const std::string head = R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>)";
    const std::string rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    ZipEntries entries{
        {"[Content_Types].xml", head + "<Types/>"},
        {"_rels/.rels", head + R"(<Relationships><Relationship Id="r1" Type=")" + rel +
                            R"(/officeDocument" Target="xl/workbook.xml"/></Relationships>)"},
        {"xl/workbook.xml",
         head + R"(<workbook xmlns:r=")" + rel + R"(">)" + parts.workbook_properties +
             R"(<sheets><sheet name="points" sheetId="1" r:id="rId1"/></sheets></workbook>)"},
        {"xl/_rels/workbook.xml.rels",
         head + R"(<Relationships><Relationship Id="rId1" Type=")" + rel + R"(/worksheet" Target=")" +
             parts.sheet_target + R"("/><Relationship Id="rId2" Type=")" + rel +
             R"(/sharedStrings" Target="sharedStrings.xml"/><Relationship Id="rId3" Type=")" + rel +
             R"(/styles" Target="styles.xml"/></Relationships>)"},
        {parts.sheet_part, parts.sheet},
    };
    if (!parts.strings.empty()) entries.emplace_back("xl/sharedStrings.xml", parts.strings);
    if (!parts.styles.empty()) entries.emplace_back("xl/styles.xml", parts.styles);
    return entries;
}

// "A1=text;B1=#12;…": the cells of a sheet, kinds marked # number, ? boolean, @ date, ! error, = formula.
inline std::string cells_text(const Sheet& sheet) {
    std::string text;
    for (std::size_t row = 0; row < sheet.rows.size(); ++row) {
        for (const auto& cell : sheet.cells_of(row)) {
            constexpr std::array<std::string_view, 6> kMarks{"", "#", "?", "@", "!", "="};
            text += column_letters(cell.column) + std::to_string(sheet.rows[row].number) + "=";
            text += kMarks[static_cast<std::size_t>(cell.kind)];
            text += std::string{cell.text} + ";";
        }
    }
    return text;
}

// "code sheet cell" of every problem, in order.
inline std::vector<std::string> problem_list(const std::vector<Problem>& problems) {
    std::vector<std::string> list;
    for (const auto& problem : problems) {
        auto line = std::string{to_name(problem.code)};
        if (!problem.sheet.empty()) line += " " + problem.sheet;
        if (!problem.cell.empty()) line += " " + problem.cell;
        list.push_back(std::move(line));
    }
    return list;
}

// The plant as lines "kind|cell|cell|…", for comparison and for the golden file.
inline std::string plant_text(const Plant& plant) {
    std::string text;
    for (const auto kind : kAllKinds) {
        for (const auto& record : plant.of(kind).all()) {
            text += schema_of(kind).sheet;
            for (const auto& cell : record.cells) {
                text += '|';
                for (const char c : cell) text += c == '\n' ? std::string{"\\n"} : std::string{c};
            }
            text += '\n';
        }
    }
    return text;
}

}  // namespace fieldwarden::supervisor
