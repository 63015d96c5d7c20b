// Files made to break a reader, and files that broke by themselves: a clear error, within bounds.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>

#include "supervisor/workbook/compound_file.h"
#include "supervisor/workbook/limits.h"
#include "supervisor/workbook/readers.h"
#include "workbook_testing.h"

namespace fieldwarden::supervisor {
namespace {

// "" when the file was read, the error otherwise.
std::string error_of(const std::string& path, std::string_view name = "plant.xlsx") {
    const auto workbook = read_workbook(path, name, Language::kEnglish);
    return workbook ? "" : workbook.error().message;
}
std::string error_of_sheet(const std::string& sheet, const std::string& strings = "") {
    const TempFolder folder;
    write_zip(folder / "book.xlsx", xlsx_entries({.sheet = sheet, .strings = strings}));
    return error_of(folder / "book.xlsx");
}
std::string error_of_rows(const std::string& rows) {
    return error_of_sheet("<worksheet><sheetData>" + rows + "</sheetData></worksheet>");
}
std::string error_of_bytes(std::string_view bytes, std::string_view name = "plant.xlsx") {
    const TempFolder folder;
    write_file(folder / "file", bytes);
    return error_of(folder / "file", name);
}
void expect_says(const std::string& error, std::string_view what) {
    EXPECT_NE(error.find(what), std::string::npos) << "said: " << error;
}
std::int64_t peak_mb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss / 1024;
}

TEST(Hostile, DocumentTypesAndEntities) {
    const std::string bomb =
        R"(<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>)";
    expect_says(error_of_sheet(bomb), "DOCTYPE");
    expect_says(error_of_sheet("<worksheet/>", bomb), "DOCTYPE");
    expect_says(error_of_sheet("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><!DOCTYPE a><worksheet/>"),
                "DOCTYPE");
    expect_says(error_of_sheet("<worksheet>&undeclared;</worksheet>"), "damaged");
    auto entries = xlsx_entries({.sheet = "<worksheet/>"});
    entries[2].second = "<!DOCTYPE workbook SYSTEM \"file:///etc/passwd\"><workbook/>";
    const TempFolder folder;
    write_zip(folder / "book.xlsx", entries);
    expect_says(error_of(folder / "book.xlsx"), "DOCTYPE");
}

// A zip entry of `total` bytes, made while it is packed: a document that never ends.
struct EndlessSheet {
    std::uint64_t total = 0;
    std::uint64_t given = 0;

    static zip_int64_t serve(void* user, void* into, zip_uint64_t size, zip_source_cmd_t command) {
        auto& self = *static_cast<EndlessSheet*>(user);
        switch (command) {
            case ZIP_SOURCE_OPEN:
                self.given = 0;
                return 0;
            case ZIP_SOURCE_READ: {
                constexpr std::string_view kStart = "<worksheet>";
                static const std::string kMore = "<row a=\"" + std::string(1000, 'x') + "\"/>\n";
                const auto count = std::min<std::uint64_t>(size, self.total - self.given);
                for (std::uint64_t i = 0; i < count; ++i) {
                    const auto at = self.given + i;
                    static_cast<char*>(into)[i] =
                        at < kStart.size() ? kStart[at] : kMore[(at - kStart.size()) % kMore.size()];
                }
                self.given += count;
                return static_cast<zip_int64_t>(count);
            }
            case ZIP_SOURCE_STAT:
                zip_stat_init(static_cast<zip_stat_t*>(into));
                return sizeof(zip_stat_t);
            case ZIP_SOURCE_SUPPORTS:
                return zip_source_make_command_bitmap(ZIP_SOURCE_OPEN, ZIP_SOURCE_READ, ZIP_SOURCE_CLOSE,
                                                      ZIP_SOURCE_STAT, ZIP_SOURCE_ERROR, ZIP_SOURCE_FREE, -1);
            default:
                return 0;
        }
    }
};

TEST(Hostile, ZipBombsStayWithinMemory) {
    const TempFolder folder;
    write_zip(folder / "book.xlsx", xlsx_entries({.sheet = ""}));
    EndlessSheet endless{.total = kMaxInflatedBytes + (1U << 20U)};
    zip_t* const archive = zip_open((folder / "book.xlsx").c_str(), 0, nullptr);
    const auto index = zip_name_locate(archive, "xl/worksheets/sheet1.xml", 0);
    zip_file_replace(archive, static_cast<zip_uint64_t>(index),
                     zip_source_function(archive, EndlessSheet::serve, &endless), 0);
    zip_set_file_compression(archive, static_cast<zip_uint64_t>(index), ZIP_CM_DEFLATE, 1);
    ASSERT_EQ(zip_close(archive), 0);
    ASSERT_LT(std::filesystem::file_size(folder / "book.xlsx"), 20U << 20U);
    const auto before = peak_mb();
    expect_says(error_of(folder / "book.xlsx"), "unpacks to more than 600 MB");
    EXPECT_LT(peak_mb() - before, 64);
}

TEST(Hostile, RowsAndColumnsBeyondExcel) {
    expect_says(error_of_rows(R"(<row r="1000000000"><c><v>1</v></c></row>)"), "row numbered 1000000000");
    expect_says(error_of_rows(R"(<row r="99999999999999999999999"><c><v>1</v></c></row>)"), "row numbered");
    expect_says(error_of_rows(R"(<row r="-3"><c><v>1</v></c></row>)"), "row numbered");
    expect_says(error_of_rows(R"(<row r="2"/><row r="1"/>)"), "row 1 stands after row 2");
    expect_says(error_of_rows(R"(<row r="1"><c r="ZZZZ1"><v>1</v></c></row>)"), "no cell of a sheet");
    expect_says(error_of_rows(R"(<row r="1"><c r="17"><v>1</v></c></row>)"), "no cell of a sheet");
    std::string many = "<row r=\"1\">";
    for (int i = 0; i < 1'000'000; ++i) many += "<c><v>1</v></c>";
    expect_says(error_of_rows(many + "</row>"), "at most 256 columns");
}

TEST(Hostile, StyledEmptyCellsFarOutAreNothing) {
    EXPECT_EQ(error_of_rows(R"(<row r="1048576"><c r="XFD1048576" s="1"/></row>)"), "");
}

TEST(Hostile, MoreRowsThanAnyPlant) {
    std::string rows;
    for (std::size_t i = 0; i <= kMaxRows; ++i) rows += "<row><c><v>1</v></c></row>";
    expect_says(error_of_rows(rows), "more than 500000 rows");
}

TEST(Hostile, DeepAndLongXml) {
    std::string deep;
    for (int i = 0; i < 100; ++i) deep += "<a>";
    expect_says(error_of_sheet(deep), "nested deeper");
    expect_says(error_of_sheet("<worksheet a=\"" + std::string(2U << 20U, 'x') + "\"/>"), "longer than");
    expect_says(
        error_of_rows("<row><c t=\"inlineStr\"><is><t>" + std::string(200'000, 'x') + "</t></is></c></row>"),
        "more than 100000 bytes");
    std::string attributes = "<worksheet";
    for (int i = 0; i < 5000; ++i) attributes += " a" + std::to_string(i) + "=\"\"";
    expect_says(error_of_sheet(attributes + "/>"), "too many attributes");
}

TEST(Hostile, SharedStringsOutOfRange) {
    expect_says(error_of_rows(R"(<row><c t="s"><v>4000000000</v></c></row>)"),
                "shared string 4000000000 of 0");
    expect_says(error_of_rows(R"(<row><c t="s"><v>-1</v></c></row>)"), "no index");
}

TEST(Hostile, ManyOverlappingMergedCells) {
    std::string merged = "<mergeCells>";
    for (int i = 0; i < 2000; ++i) merged += R"(<mergeCell ref="A1:ZZ1048576"/>)";
    expect_says(error_of_sheet("<worksheet><sheetData><row><c><v>1</v></c></row></sheetData>" + merged +
                               "</mergeCells></worksheet>"),
                "overlap");
}

TEST(Hostile, TruncatedAtEveryLength) {
    const TempFolder folder;
    write_zip(
        folder / "book.xlsx",
        xlsx_entries(
            {.sheet = R"(<worksheet><sheetData><row><c t="s"><v>0</v></c></row></sheetData></worksheet>)",
             .strings = "<sst><si><t>x</t></si></sst>"}));
    const auto whole = read_file(folder / "book.xlsx");
    ASSERT_EQ(error_of(folder / "book.xlsx"), "");
    for (std::size_t length = 0; length < whole.size(); length += 7) {
        EXPECT_NE(error_of_bytes(std::string_view{whole}.substr(0, length)), "") << length << " bytes";
    }
}

TEST(Hostile, TruncatedAndDamagedXls) {
    const auto whole = read_file(std::string{FW_GOLDEN_WORKBOOKS} + "/sheetjs.xls");
    const auto text_of = [](const Result<Workbook>& workbook) {
        std::string text;
        for (const auto& sheet : workbook->sheets) text += cells_text(sheet);
        return text;
    };
    const auto complete = read_xls(whole, {});
    ASSERT_TRUE(complete) << complete.error().message;
    // Less than the whole is an error, or it was padding.
    for (std::size_t length = 0; length < whole.size(); length += 97) {
        const auto cut = read_xls(std::string_view{whole}.substr(0, length), {});
        EXPECT_TRUE(!cut || text_of(cut) == text_of(complete)) << length << " bytes";
    }
    // Whatever a flipped byte makes of it, it is an error or a table.
    for (std::size_t at = 0; at < whole.size(); ++at) {
        auto damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ 0xFF);
        const auto read = read_xls(damaged, {});
        EXPECT_TRUE(!read || read->sheets.size() <= kMaxSheets);
    }
}

TEST(Hostile, DirectoryOfMillionsOfFiles) {
    std::string end = "PK\x05\x06";
    end.append(4, '\0');
    end += std::string{"\xFF\xFF\xFF\xFF", 4};  // entries
    end += std::string{"\x00\x00\x00\x20", 4};  // bytes of the directory: 512 MB
    end += std::string{"\x00\x00\x00\x00\x00\x00", 6};
    expect_says(error_of_bytes("PK\x03\x04" + std::string(1000, 'x') + end), "more files than a workbook");
    const TempFolder folder;
    ZipEntries many;
    for (std::size_t i = 0; i <= kMaxZipEntries; ++i) many.emplace_back(std::to_string(i) + ".csv", "a");
    write_zip(folder / "many.zip", many);
    expect_says(error_of(folder / "many.zip", "many.zip"), "at most 10000");
}

TEST(Hostile, NamesThatLeadOutOfTheZip) {
    const TempFolder folder;
    for (const std::string name :
         {"../sites.csv", "/etc/sites.csv", "a/../../sites.csv", "C:\\sites.csv", "..\\sites.csv"}) {
        write_zip(folder / "slip.zip", {{name, "site_code,site_name\n"}});
        expect_says(error_of(folder / "slip.zip", "slip.zip"), "leads outside");
    }
}

TEST(Hostile, EncryptedWorkbooks) {
    // The directory of a compound file that holds an EncryptedPackage, as Excel writes a protected .xlsx.
    std::string file(512 * 3, '\0');
    file.replace(0, 8, kCompoundMagic);
    file[0x1E] = 9;
    file[0x20] = 6;
    file[0x30] = 1;                             // directory in sector 1
    file.replace(0x3C, 4, "\xFE\xFF\xFF\xFF");  // no small sectors
    file.replace(0x44, 4, "\xFE\xFF\xFF\xFF");
    for (std::size_t i = 1; i < 109; ++i) file.replace(0x4C + i * 4, 4, "\xFF\xFF\xFF\xFF");
    file.replace(512, 8, std::string{"\xFD\xFF\xFF\xFF\xFE\xFF\xFF\xFF", 8});  // sector 0: the table itself
    const auto entry = [&](std::size_t index, std::string_view name, char type, std::string_view child) {
        const auto at = 1024 + index * 128;
        for (std::size_t i = 0; i < name.size(); ++i) file[at + 2 * i] = name[i];
        file[at + 0x40] = static_cast<char>(2 * (name.size() + 1));
        file[at + 0x42] = type;
        file.replace(at + 0x44, 8, std::string(8, '\xFF'));
        file.replace(at + 0x4C, 4, child);
        file.replace(at + 0x74, 4, "\xFE\xFF\xFF\xFF");
    };
    entry(0, "Root Entry", 5, std::string{"\x01\0\0\0", 4});
    entry(1, "EncryptedPackage", 2, std::string(4, '\xFF'));
    expect_says(error_of_bytes(file), "encrypted; remove its password");
}

TEST(Hostile, OtherFilesUnderAWorkbookName) {
    expect_says(error_of_bytes(""), "empty");
    expect_says(error_of_bytes("<html><table><tr><td>site_code</td></tr></table></html>", "plant.xls"),
                "HTML or XML");
    expect_says(error_of_bytes("%PDF-1.7 ..."), "a PDF");
    expect_says(error_of_bytes(std::string("\x89PNG\r\n\x1a\n\0\0", 10)), "neither a workbook nor text");
    expect_says(error_of_bytes("a,b\n", "whatever.csv"), "sites.csv");
    const TempFolder folder;
    write_zip(folder / "doc", {{"[Content_Types].xml", "x"}, {"word/document.xml", "x"}});
    expect_says(error_of(folder / "doc"), "Word document");
    write_zip(folder / "ods", {{"mimetype", "x"}, {"content.xml", "x"}});
    expect_says(error_of(folder / "ods"), "OpenDocument");
    write_zip(folder / "zip", {{"readme.txt", "x"}});
    expect_says(error_of(folder / "zip", "plant.zip"), "no .csv");
    expect_says(error_of(folder / "nowhere"), "cannot read");
    expect_says(error_of("/dev/null"), "no regular file");
}

TEST(Hostile, WrongExtensionIsReadAndSaid) {
    const TempFolder folder;
    write_zip(folder / "book", xlsx_entries({.sheet = "<worksheet/>"}));
    const auto workbook = read_workbook(folder / "book", "plant.xls", Language::kEnglish);
    ASSERT_TRUE(workbook) << workbook.error().message;
    ASSERT_EQ(workbook->notes.size(), 1U);
    expect_says(workbook->notes[0], "ends in .xls, but the content is .xlsx");
}

TEST(Hostile, FilesOf200Megabytes) {
    const TempFolder folder;
    write_file(folder / "huge", "PK\x03\x04");
    std::filesystem::resize_file(folder / "huge", kMaxFileBytes + 1);  // sparse: takes no disk
    expect_says(error_of(folder / "huge"), "at most 200 MB");
    std::filesystem::resize_file(folder / "huge", kMaxFileBytes);
    expect_says(error_of(folder / "huge"), "directory is missing");
    write_file(folder / "huge.csv", "a,b\n");
    std::filesystem::resize_file(folder / "huge.csv", kMaxWholeFileBytes + 1);
    expect_says(error_of(folder / "huge.csv", "sites.csv"), "at most 64 MB");
}

TEST(Hostile, ErrorsAreInTheLanguageAskedFor) {
    const TempFolder folder;
    write_file(folder / "x", "%PDF-1.7");
    const auto workbook = read_workbook(folder / "x", "x.xlsx", Language::kChinese);
    ASSERT_FALSE(workbook);
    expect_says(workbook.error().message, "不是工作簿");
}

}  // namespace
}  // namespace fieldwarden::supervisor
