// What an .xlsx may hold, part by part: built by hand, because no one writer makes all of it.
#include <gtest/gtest.h>

#include "supervisor/workbook/number_format.h"
#include "supervisor/workbook/readers.h"
#include "supervisor/workbook/xlsx_parts.h"
#include "supervisor/workbook/xlsx_sheet.h"
#include "workbook_testing.h"

namespace fieldwarden::supervisor {
namespace {

std::string cells_of_xlsx(const XlsxParts& parts) {
    const TempFolder folder;
    write_zip(folder / "book.xlsx", xlsx_entries(parts));
    const auto workbook = read_xlsx(folder / "book.xlsx", {});
    if (!workbook) return "error: " + workbook.error().message;
    return workbook->sheets.size() == 1 ? cells_text(workbook->sheets[0]) : "not one sheet";
}
std::string cells_of_rows(const std::string& rows, const std::string& behind = "") {
    return cells_of_xlsx(
        {.sheet = "<worksheet><sheetData>" + rows + "</sheetData>" + behind + "</worksheet>"});
}

TEST(Xlsx, ReadsEveryKindOfCell) {
    EXPECT_EQ(cells_of_xlsx({.sheet = R"(<worksheet><sheetData><row r="1">
                <c r="A1" t="s"><v>1</v></c><c r="B1" t="inlineStr"><is><t>in</t></is></c><c r="C1" t="str"><f>A1</f><v>res</v></c>
                <c r="D1"><v>12.50</v></c><c r="E1" t="b"><v>1</v></c><c r="F1" t="e"><v>#N/A</v></c>
                <c r="G1" t="d"><v>2026-03-01T00:00:00</v></c><c r="H1"><f>1/3</f></c><c r="I1"/></row></sheetData></worksheet>)",
                             .strings = "<sst><si><t>zero</t></si><si><t>one</t></si></sst>"}),
              "A1=one;B1=in;C1=res;D1=#12.5;E1=?true;F1=!#N/A;G1=@2026-03-01;H1==;");
}

TEST(Xlsx, JoinsRunsAndLeavesPhoneticsOut) {
    EXPECT_EQ(
        cells_of_xlsx(
            {.sheet =
                 R"(<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row></sheetData></worksheet>)",
             .strings = R"(<sst><si><r><t>温</t></r><r><rPr><b/></rPr><t xml:space="preserve">度 </t></r>
                                        <rPh sb="0" eb="1"><t>オンド</t></rPh><phoneticPr fontId="1"/></si></sst>)"}),
        "A1=温度 ;");
}

TEST(Xlsx, TakesPrefixedElements) {
    EXPECT_EQ(
        cells_of_xlsx(
            {.sheet =
                 R"(<x:worksheet xmlns:x="m"><x:sheetData><x:row r="2"><x:c r="B2" t="s"><x:v>0</x:v></x:c></x:row></x:sheetData></x:worksheet>)",
             .strings = R"(<x:sst xmlns:x="m"><x:si><x:t>text</x:t></x:si></x:sst>)"}),
        "B2=text;");
}

// The markup that Excel 365 puts around its cells, by ECMA-376 parts 1 and 3 and [MS-XLSX]: namespaces to be
// ignored, heights, shared formulas, list validation and formats in extensions, phonetics of a Chinese input
// method.
TEST(Xlsx, PassesOverWhatExcelPutsAround) {
    EXPECT_EQ(cells_of_xlsx({.sheet = R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" mc:Ignorable="x14ac xr xr2 xr3" xmlns:x14ac="http://schemas.microsoft.com/office/spreadsheetml/2009/9/ac" xmlns:xr="http://schemas.microsoft.com/office/spreadsheetml/2014/revision" xr:uid="{00000000-0001-0000-0000-000000000000}">
<sheetPr><tabColor theme="4"/></sheetPr><dimension ref="A1:E4"/>
<sheetViews><sheetView tabSelected="1" workbookViewId="0"><pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/><selection pane="bottomLeft" activeCell="B3" sqref="B3"/></sheetView></sheetViews>
<sheetFormatPr defaultRowHeight="14.4" x14ac:dyDescent="0.3"/><cols><col min="1" max="1" width="18.5546875" bestFit="1" customWidth="1"/></cols>
<sheetData><row r="1" spans="1:5" x14ac:dyDescent="0.3"><c r="A1" s="1" t="s"><v>0</v></c><c r="B1" s="1" t="s"><v>1</v></c></row>
<row r="2" spans="1:5" ht="28.8" customHeight="1" x14ac:dyDescent="0.3"><c r="A2"><v>1001</v></c><c r="B2" s="2"><v>0.1</v></c><c r="C2"><f t="shared" ref="C2:C3" si="0">B2*2</f><v>0.2</v></c><c r="D2" t="b"><v>1</v></c><c r="E2" t="e"><v>#DIV/0!</v></c></row>
<row r="3" spans="1:5" hidden="1" x14ac:dyDescent="0.3"><c r="A3" t="s"><v>2</v></c><c r="B3" s="2"><v>1.1000000000000001</v></c><c r="C3"><f t="shared" si="0"/><v>2.2000000000000002</v></c></row>
<row r="4" spans="1:5" x14ac:dyDescent="0.3"><c r="A4" t="str"><f>CONCATENATE("P",A2)</f><v>P1001</v></c><c r="B4" cm="1"><f t="array" ref="B4">SUM(B2:B3)</f><v>1.2</v></c></row></sheetData>
<autoFilter ref="A1:E4" xr:uid="{1}"/><phoneticPr fontId="1" type="noConversion"/>
<dataValidations count="1"><dataValidation type="list" allowBlank="1" sqref="B2"><formula1>"a,b"</formula1></dataValidation></dataValidations>
<pageMargins left="0.7" right="0.7" top="0.75" bottom="0.75" header="0.3" footer="0.3"/>
<extLst><ext uri="{CCE6A557-97BC-4b89-ADB6-D9C93CAAB3DF}" xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main"><x14:dataValidations count="1" xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"><x14:dataValidation type="list"><x14:formula1><xm:f>Lists!$A$1:$A$9</xm:f></x14:formula1><xm:sqref>C2</xm:sqref></x14:dataValidation></x14:dataValidations></ext></extLst></worksheet>)",
                             .strings = R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="3" uniqueCount="3"><si><t>设备编码</t><phoneticPr fontId="1" type="noConversion"/></si><si><r><t>scale</t></r><r><rPr><sz val="9"/><color rgb="FFFF0000"/><rFont val="等线"/><charset val="134"/></rPr><t xml:space="preserve"> *</t></r></si><si><t xml:space="preserve"> 02 </t></si></sst>)"}),
              "A1=设备编码;B1=scale *;A2=#1001;B2=#0.1;C2=#0.2;D2=?true;E2=!#DIV/0!;A3= 02 "
              ";B3=#1.1;C3=#2.2;A4=P1001;B4=#1.2;");
}

// … and what WPS does: its own namespace, empty styled cells, a column of styles to the right edge.
TEST(Xlsx, PassesOverWhatWpsPutsAround) {
    EXPECT_EQ(
        cells_of_xlsx(
            {.sheet = R"(<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:xdr="http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing" xmlns:x14="http://schemas.microsoft.com/office/spreadsheetml/2009/9/main" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" xmlns:etc="http://www.wps.cn/officeDocument/2017/etCustomData">
<sheetPr/><dimension ref="A1:XFD3"/><sheetViews><sheetView workbookViewId="0"/></sheetViews><sheetFormatPr defaultColWidth="8.88888888888889" defaultRowHeight="14.4" outlineLevelRow="2"/><cols><col min="1" max="16384" width="9" style="1"/></cols>
<sheetData><row r="1" ht="15" spans="1:16384"><c r="A1" s="1" t="s"><v>0</v></c><c r="B1" s="1" t="s"><v>1</v></c><c r="C1" s="1"/></row><row r="2" spans="1:2"><c r="A2" s="2" t="s"><v>2</v></c><c r="B2" s="1"><v>1000</v></c></row><row r="3" s="1" customFormat="1" spans="1:2"><c r="B3" s="1" t="str"><f>B2&amp;""</f><v>1000</v></c></row></sheetData>
<pageMargins left="0.75" right="0.75" top="1" bottom="1" header="0.5" footer="0.5"/><headerFooter/></worksheet>)",
             .strings =
                 R"(<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="3" uniqueCount="3"><si><t>task_code</t></si><si><t>period_ms</t></si><si><t>产线_1</t></si></sst>)"}),
        "A1=task_code;B1=period_ms;A2=产线_1;B2=#1000;B3=1000;");
}

TEST(Xlsx, CountsRowsAndCellsWithoutReferences) {
    EXPECT_EQ(
        cells_of_rows(
            R"(<row><c><v>1</v></c><c r="D1"><v>2</v></c><c><v>3</v></c></row><row r="5"><c><v>4</v></c></row><row><c><v>5</v></c></row>)"),
        "A1=#1;D1=#2;E1=#3;A5=#4;A6=#5;");
}

TEST(Xlsx, NumbersAreTheShortestTextThatReadsBack) {
    EXPECT_EQ(cells_of_rows(R"(<row r="1"><c r="A1"><v>0.10000000000000001</v></c><c r="B1"><v>1001.0</v></c>
              <c r="C1"><v>1E3</v></c><c r="D1"><v>1e+20</v></c><c r="E1"><v>-0</v></c><c r="F1"><v>007</v></c>
              <c r="G1"><v>123456789012345</v></c><c r="H1"><v>nan</v></c></row>)"),
              "A1=#0.1;B1=#1001;C1=#1000;D1=#1e+20;E1=#0;F1=#7;G1=#123456789012345;H1=nan;");
}

TEST(Xlsx, UnescapesControlCharacters) {
    std::string text = "a_x000D_b_x005F_x0041_c_x41_d_x0041";
    unescape_xstring(text);
    EXPECT_EQ(text, "a\rb_x0041_c_x41_d_x0041");
}

TEST(Xlsx, KeepsOnlyTheTopLeftOfMergedCells) {
    const std::string rows =
        R"(<row r="1"><c r="A1"><v>1</v></c><c r="B1"><v>2</v></c><c r="C1"><v>3</v></c></row>
                                <row r="2"><c r="A2"><v>4</v></c><c r="B2"><v>5</v></c><c r="C2"><v>6</v></c></row>
                                <row r="3"><c r="A3"><v>7</v></c></row>)";
    EXPECT_EQ(
        cells_of_rows(
            rows, R"(<mergeCells count="2"><mergeCell ref="A1:B2"/><mergeCell ref="C2:C9"/></mergeCells>)"),
        "A1=#1;C1=#3;C2=#6;A3=#7;");
}

TEST(Xlsx, DatesByFormatAndEpoch) {
    const std::string styles =
        R"(<styleSheet><numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy&quot;年&quot;m&quot;月&quot;d&quot;日&quot;"/>
        <numFmt numFmtId="165" formatCode="&quot;Y&quot;0.00"/><numFmt numFmtId="166" formatCode="00000"/></numFmts>
        <cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>
        <cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="166"/><xf numFmtId="22"/></cellXfs></styleSheet>)";
    XlsxParts parts{
        .sheet =
            R"(<worksheet><sheetData><row r="1"><c r="A1" s="0"><v>45000</v></c><c r="B1" s="1"><v>45000</v></c>
        <c r="C1" s="2"><v>45000</v></c><c r="D1" s="3"><v>45000</v></c><c r="E1" s="4"><v>42</v></c><c r="F1" s="5"><v>45000.75</v></c>
        <c r="G1" s="99"><v>1</v></c></row></sheetData></worksheet>)",
        .styles = styles};
    EXPECT_EQ(cells_of_xlsx(parts),
              "A1=#45000;B1=@2023-03-15;C1=@2023-03-15;D1=#45000;E1=00042;F1=@2023-03-15 18:00:00;G1=#1;");
    parts.workbook_properties = R"(<workbookPr date1904="1"/>)";
    EXPECT_EQ(cells_of_xlsx(parts),
              "A1=#45000;B1=@2027-03-16;C1=@2027-03-16;D1=#45000;E1=00042;F1=@2027-03-16 18:00:00;G1=#1;");
}

TEST(Xlsx, FollowsAbsoluteAndCrookedTargets) {
    const std::string sheet =
        R"(<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c></row></sheetData></worksheet>)";
    for (const std::string target : {"/xl/worksheets/sheet1.xml", "./worksheets/../worksheets/sheet1.xml",
                                     "worksheets\\sheet1.xml", "/XL/Worksheets/Sheet1.xml"}) {
        EXPECT_EQ(cells_of_xlsx({.sheet = sheet, .sheet_target = target}), "A1=#1;") << target;
    }
    EXPECT_EQ(*resolve_target("xl/workbook.xml", "/xl/s.xml"), "xl/s.xml");
    EXPECT_EQ(*resolve_target("", "xl/workbook.xml"), "xl/workbook.xml");
    EXPECT_FALSE(resolve_target("xl/workbook.xml", "../../etc/passwd"));
}

TEST(Xlsx, LeavesHiddenAndUnwantedSheetsUnread) {
    const TempFolder folder;
    auto entries = xlsx_entries({.sheet = "<worksheet/>"});
    for (auto& [name, content] : entries) {
        if (name != "xl/workbook.xml") continue;
        content =
            R"(<workbook xmlns:r="r"><sheets><sheet name="points" r:id="rId1" state="veryHidden"/><sheet name="devices" r:id="rId1"/></sheets></workbook>)";
    }
    write_zip(folder / "book.xlsx", entries);
    const auto workbook = read_xlsx(folder / "book.xlsx", {.wanted = [](std::string_view) { return false; }});
    ASSERT_TRUE(workbook) << workbook.error().message;
    ASSERT_EQ(workbook->skipped.size(), 2U);
    EXPECT_TRUE(workbook->skipped[0].hidden);
    EXPECT_FALSE(workbook->skipped[1].hidden);
}

TEST(NumberFormat, TellsDatesFromNumbers) {
    using Kind = CellFormat::Kind;
    for (const auto* const code :
         {"yyyy-mm-dd", "d/m/yy h:mm", "[$-804]yyyy;@", "[h]:mm:ss", "mmm", "yyyy\\-mm"}) {
        EXPECT_EQ(parse_format_code(code).kind, Kind::kDate) << code;
    }
    for (const auto* const code : {"General", "0.00", "#,##0", "0%", "[Red]0.0", "\"days\" 0", "0.0\\d", "@",
                                   "0.00E+00", "0;\"d\"", "[Red"}) {
        EXPECT_EQ(parse_format_code(code).kind, Kind::kPlain) << code;
    }
    EXPECT_EQ(parse_format_code("0000").kind, Kind::kPadded);
    EXPECT_EQ(parse_format_code("0000").digits, 4);
    EXPECT_EQ(parse_format_code("0").kind, Kind::kPlain);
}

TEST(NumberFormat, CountsTheDaysOfBothEpochs) {
    EXPECT_EQ(date_text(1, Epoch::k1900), "1900-01-01");
    EXPECT_EQ(date_text(59, Epoch::k1900), "1900-02-28");
    EXPECT_EQ(date_text(60, Epoch::k1900), "1900-02-29");  // the day Excel invented
    EXPECT_EQ(date_text(61, Epoch::k1900), "1900-03-01");
    EXPECT_EQ(date_text(45351, Epoch::k1900), "2024-02-29");
    EXPECT_EQ(date_text(0, Epoch::k1904), "1904-01-01");
    EXPECT_EQ(date_text(0.5, Epoch::k1900), "12:00:00");
    EXPECT_EQ(date_text(45351.999999, Epoch::k1900), "2024-03-01");  // rounds to the next midnight
    EXPECT_EQ(date_text(-1, Epoch::k1900), "");
    EXPECT_EQ(date_text(3e6, Epoch::k1900), "");
}

std::string cells_of_csv(std::string_view bytes) {
    const auto workbook = read_csv(bytes, "points", {});
    return workbook ? cells_text(workbook->sheets[0]) : "error: " + workbook.error().message;
}

TEST(Csv, QuotesSeparatorsAndLineEnds) {
    EXPECT_EQ(cells_of_csv("a,b\r\n\"x,\"\"y\"\"\",\"two\nlines\"\n\n c ,=\"0012\"\rd"),
              "A1=a;B1=b;A2=x,\"y\";B2=two\nlines;A4= c ;B4=0012;A5=d;");
    EXPECT_EQ(cells_of_csv("a;b,c;d\n1;2"), "A1=a;B1=b,c;C1=d;A2=1;B2=2;");
    EXPECT_EQ(cells_of_csv("a\tb\n1\t2"), "A1=a;B1=b;A2=1;B2=2;");
    EXPECT_EQ(cells_of_csv("sep=;\na;b"), "A1=a;B1=b;");
    EXPECT_EQ(cells_of_csv("\xEF\xBB\xBF"
                           "a,b"),
              "A1=a;B1=b;");
    EXPECT_EQ(cells_of_csv(""), "");
}

TEST(Csv, CharacterSets) {
    EXPECT_EQ(cells_of_csv("\xB2\xE2\xB5\xE3,x"), "A1=测点;B1=x;");  // GB18030
    EXPECT_EQ(cells_of_csv(std::string_view{"\xFF\xFE"
                                            "a\0,\0\x4b\x6d",
                                            8}),
              "A1=a;B1=测;");  // UTF-16LE
}

TEST(Csv, RefusesWhatIsNoText) {
    EXPECT_TRUE(cells_of_csv("a,\"b").starts_with("error: sheet 'points' row 1"));
    EXPECT_TRUE(cells_of_csv(std::string_view{"a\0b", 3}).starts_with("error: "));
    EXPECT_TRUE(cells_of_csv("\xFF\xFF\xFF\xFF").starts_with("error: "));
}

TEST(Csv, FoldersAndTheZipOfAFolder) {
    const TempFolder folder;
    write_file(folder / "sites.csv", "site_code,site_name\nA,Site\n");
    write_file(folder / "notes.csv", "x\n");
    write_file(folder / "README.txt", "not read");
    ASSERT_TRUE(pack_csv_folder(folder / "", folder / "packed.zip"));
    for (const auto& path : {folder / "", folder / "packed.zip"}) {
        const auto workbook = read_workbook(path, "packed.zip", Language::kEnglish);
        ASSERT_TRUE(workbook) << workbook.error().message;
        ASSERT_EQ(workbook->sheets.size(), 1U);
        EXPECT_EQ(workbook->sheets[0].name, "sites");
        ASSERT_EQ(workbook->skipped.size(), 1U);
        EXPECT_EQ(workbook->skipped[0].name, "notes");
    }
    EXPECT_FALSE(pack_csv_folder(folder / "nowhere", folder / "other.zip"));
}

}  // namespace
}  // namespace fieldwarden::supervisor
