// Every rule of validation, each by the smallest workbook that breaks it, and by what the user is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "supervisor/workbook/limits.h"
#include "workbook_testing.h"

namespace fieldwarden::supervisor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

// A plant that has nothing wrong with it; a test changes one sheet or cell.
using Sheets = std::map<std::string, TestRows>;
Sheets sound_plant() {
    return {
        {"sites", {{"site_code", "site_name"}, {"S1", "Site"}}},
        {"devices",
         {{"device_code", "device_name", "site_code", "protocol", "address", "options"},
          {"D1", "Device", "S1", "modbus_tcp", "10.0.0.1:502", "unit_id=1"}}},
        {"points",
         {{"point_code", "device_code", "address", "data_type", "byte_order", "scale", "min_value",
           "max_value", "period_ms", "deadband"},
          {"P1", "D1", "hr:0", "uint16", "", "", "", "", "", ""},
          {"P2", "D1", "hr:10", "float32", "", "", "", "", "", ""}}},
        {"tasks", {{"task_code", "task_name", "devices", "period_ms"}, {"T1", "Task", "D1", "1000"}}},
    };
}
Workbook workbook_of(const Sheets& sheets) {
    return table({sheets.begin(), sheets.end()});
}
Validation validated(const Sheets& sheets, const ValidationRules& rules = every_rule(),
                     const Plant& current = {}) {
    return validate(workbook_of(sheets), current, rules);
}
std::vector<std::string> errors_of(const Sheets& sheets) {
    return problem_list(validated(sheets).problems.errors());
}
std::vector<std::string> warnings_of(const Sheets& sheets) {
    return problem_list(validated(sheets).problems.warnings());
}
// The sound plant with one cell (sheet, row as Excel counts, column name) set.
Sheets with(const std::string& sheet, std::size_t row, const std::string& column, const std::string& value,
            Sheets sheets = sound_plant()) {
    auto& rows = sheets[sheet];
    auto& header = rows[0];
    auto at = static_cast<std::size_t>(std::find(header.begin(), header.end(), column) - header.begin());
    if (at == header.size()) header.push_back(column);
    rows[row - 1].resize(header.size());
    rows[row - 1][at] = value;
    return sheets;
}
Problem only_error(const Sheets& sheets, Language language = Language::kEnglish) {
    const auto validation = validated(sheets, every_rule(ImportMode::kMerge, language));
    EXPECT_EQ(validation.problems.error_count(), 1U)
        << testing::PrintToString(problem_list(validation.problems.errors()));
    return validation.problems.errors().empty() ? Problem{} : validation.problems.errors().front();
}

TEST(Validate, ASoundPlantHasNoProblems) {
    const auto validation = validated(sound_plant());
    EXPECT_THAT(problem_list(validation.problems.errors()), IsEmpty());
    EXPECT_THAT(problem_list(validation.problems.warnings()), IsEmpty());
    EXPECT_EQ(validation.proposed.of(Kind::kPoint).size(), 2U);
}

TEST(Validate, EveryProblemIsReportedAtOnce) {
    auto sheets = sound_plant();
    sheets["points"] = {{"point_code", "device_code", "address", "data_type", "scale", "period_ms"},
                        {"P 1", "NOPE", "hr:x", "flot32", "many", "5"},
                        {"", "D1", "hr:65535", "float32", "0", "1.5"},
                        {"P3", "D1", "zz:1", "int16", "", ""}};
    EXPECT_THAT(
        errors_of(sheets),
        ElementsAre("bad_code points A2", "bad_value points D2", "bad_value points E2", "bad_value points F3",
                    "missing_value points A3", "bad_address points C4", "dangling_reference points B2",
                    "period_out_of_range points F2", "zero_scale points E3", "type_mismatch points D3"));
}

TEST(Validate, ProblemsNameSheetRowColumnCellAndValue) {
    const auto problem = only_error(with("points", 3, "address", "hr:70000"));
    EXPECT_EQ(problem.sheet, "points");
    EXPECT_EQ(problem.row, 3U);
    EXPECT_EQ(problem.column, "address");
    EXPECT_EQ(problem.cell, "C3");
    EXPECT_EQ(problem.value, "hr:70000");
    EXPECT_THAT(problem.message, HasSubstr("0 to 65535"));
    EXPECT_EQ(to_json(problem)["code"], "bad_address");
}

TEST(Validate, MessagesAreInChineseWhenAskedFor) {
    EXPECT_THAT(only_error(with("points", 3, "address", "hr:70000"), Language::kChinese).message,
                HasSubstr("地址“hr:70000”不正确"));
    EXPECT_THAT(only_error(with("devices", 2, "site_code", "S2"), Language::kChinese).message,
                HasSubstr("没有站点“S2”（是否应为“S1”？）"));
}

TEST(Validate, HeadersInBothLanguagesAndAnySpelling) {
    const Sheets sheets{
        {"站点", {{"站点编码*", "SITE NAME"}, {"S1", "一"}}},
        {"设备 Devices",
         {{"device_code*\n设备编码", "设备名称 (device_name)", " Site-Code ", "协议", "地址/address"},
          {"D1", "d", "S1", "Modbus TCP", "h:1"}}},
    };
    const auto validation = validated(sheets);
    EXPECT_THAT(problem_list(validation.problems.errors()), IsEmpty());
    EXPECT_EQ(plant_text(validation.proposed), "sites|S1|一|\ndevices|D1|d|S1|modbus_tcp|h:1||||||||||\n");
}

TEST(Validate, HeadersBelowBlankRowsAndRowsBetweenBlankRows) {
    const Sheets sheets{
        {"sites", {{}, {" "}, {"site_code", "site_name"}, {}, {"S1", "One"}, {"", " "}, {"S2", ""}}}};
    EXPECT_THAT(errors_of(sheets), ElementsAre("missing_value sites B7"));
}

TEST(Validate, Columns) {
    auto sheets = sound_plant();
    sheets["sites"][0] = {"site_code", "site_nam"};
    const auto validation = validated(sheets);
    EXPECT_THAT(problem_list(validation.problems.errors()),
                ElementsAre("unknown_column sites B1", "missing_column sites"));
    EXPECT_THAT(validation.problems.errors()[0].message, HasSubstr("Did you mean 'site_name'?"));
    sheets["sites"][0] = {"site_code", "site_name", "站点编码", "# remarks"};
    EXPECT_THAT(errors_of(sheets), ElementsAre("duplicate_column sites C1"));
}

TEST(Validate, Sheets) {
    EXPECT_THAT(errors_of({}), ElementsAre("missing_sheet"));
    auto workbook = workbook_of(sound_plant());
    workbook.skipped = {{"pionts", false}, {"devices", true}, {"secret stuff", true}, {"说明 Help", false}};
    const auto validation = validate(workbook, {}, every_rule());
    EXPECT_THAT(problem_list(validation.problems.warnings()),
                ElementsAre("unknown_sheet pionts", "hidden_sheet devices"));
    EXPECT_THAT(validation.problems.warnings()[0].message, HasSubstr("Did you mean 'points'?"));
}

TEST(Validate, CodesAreUniqueOverAllSheetsOfAKind) {
    auto sheets = sound_plant();
    sheets["站点"] = {{"site_code", "site_name"}, {"S2", "x"}, {"S1", "again"}};
    const auto problem = only_error(sheets);
    EXPECT_EQ(problem.code, ProblemCode::kDuplicateCode);
    EXPECT_EQ(problem.cell, "A3");
    EXPECT_THAT(problem.message, HasSubstr("row 2 of sheet sites"));
}

TEST(Validate, RowsWithoutACodeAreCheckedAllTheSame) {
    auto sheets = sound_plant();
    sheets["points"].push_back({"P1", "NOPE", "hr:20", "uint16"});
    EXPECT_THAT(errors_of(sheets), ElementsAre("duplicate_code points A4", "dangling_reference points B4"));
}

TEST(Validate, CodesLoseThePointZeroOfNumbers) {
    auto sheets = with("sites", 2, "site_code", "1001.0");
    EXPECT_THAT(errors_of(with("devices", 2, "site_code", "1001", sheets)), IsEmpty());
}

TEST(Validate, DanglingReferencesSuggestWhatIsThere) {
    EXPECT_THAT(only_error(with("points", 2, "device_code", "d1")).message, HasSubstr("did you mean 'D1'?"));
    EXPECT_THAT(only_error(with("points", 2, "device_code", "SOMETHING_ELSE")).message,
                Not(HasSubstr("did you mean")));
}

TEST(Validate, ValuesByType) {
    struct Case {
        const char* column;
        const char* value;
        const char* canonical;  // "" when refused
    };
    for (const auto& [column, value, canonical] : std::vector<Case>{
             {"scale", " 0.10 ", "0.1"},
             {"scale", "１．５", "1.5"},
             {"scale", "1e-3", "0.001"},
             {"scale", "+2", "2"},
             {"scale", "1,5", ""},
             {"scale", "5 V", ""},
             {"scale", "inf", ""},
             {"scale", "0x10", ""},
             {"period_ms", "1000.0", "1000"},
             {"period_ms", "1e3", "1000"},
             {"period_ms", "1000 ms", ""},
             {"period_ms", "10.5", ""},
             {"byte_order", "cdab", "CDAB"},
             {"byte_order", "big", ""},
             {"data_type", "STRING （8）", "string(8)"},
             {"data_type", "string", ""},
             {"data_type", "string(251)", ""},
             {"data_type", "int", ""},
         }) {
        auto sheets = with("points", 3, column, value);
        const auto validation = validated(sheets);
        if (*canonical == '\0') {
            EXPECT_EQ(validation.problems.error_count(), 1U) << column << " = " << value;
        } else {
            ASSERT_TRUE(validation.ok())
                << column << " = " << value << ": " << validation.problems.errors()[0].message;
            EXPECT_EQ(cell_of(Kind::kPoint, *validation.proposed.of(Kind::kPoint).find("P2"), column),
                      canonical);
        }
    }
}

TEST(Validate, DatesAndBooleans) {
    const std::vector<std::pair<std::string, std::string>> dates{{"2026-03-01", "2026-03-01"},
                                                                 {"2026/3/1", "2026-03-01"},
                                                                 {"2026.3.1", "2026-03-01"},
                                                                 {"20260301", "2026-03-01"},
                                                                 {"2026年3月1日", "2026-03-01"},
                                                                 {"2026-03-01 12:30:00", "2026-03-01"},
                                                                 {"2026-03-01T00:00:00", "2026-03-01"},
                                                                 {"2026-02-29", ""},
                                                                 {"1900-02-29", ""},
                                                                 {"01/03/2026", ""},
                                                                 {"45000", ""},
                                                                 {"yesterday", ""}};
    for (const auto& [written, canonical] : dates) {
        const auto validation = validated(with("devices", 2, "install_date", written));
        EXPECT_EQ(validation.ok(), !canonical.empty()) << written;
        EXPECT_EQ(cell_of(Kind::kDevice, validation.proposed.of(Kind::kDevice).all()[0], "install_date"),
                  canonical);
    }
    for (const auto* const yes : {"true", "TRUE", "1", "yes", "是"}) {
        const auto validation = validated(with("devices", 2, "is_locked", yes));
        EXPECT_EQ(cell_of(Kind::kDevice, validation.proposed.of(Kind::kDevice).all()[0], "is_locked"), "true")
            << yes;
    }
    EXPECT_THAT(errors_of(with("devices", 2, "is_locked", "maybe")), ElementsAre("bad_value devices G2"));
}

TEST(Validate, TextsAreBounded) {
    EXPECT_THAT(errors_of(with("sites", 2, "site_name", std::string(1001, 'x'))),
                ElementsAre("too_long sites B2"));
    std::string thousand;
    for (int i = 0; i < 1000; ++i) thousand += "温";
    EXPECT_THAT(errors_of(with("sites", 2, "site_name", thousand)), IsEmpty());
    EXPECT_THAT(errors_of(with("sites", 2, "site_name",
                               "a\x01"
                               "b")),
                ElementsAre("bad_value sites B2"));
    const auto problem = only_error(with("points", 2, "address", std::string(999, '9')));
    EXPECT_LE(problem.value.size(), kMaxShownValue + 3);
    EXPECT_LE(problem.message.size(), 400U);
}

TEST(Validate, AddressesOfEveryProtocol) {
    struct Case {
        const char* protocol;
        const char* device;
        const char* point;
        const char* type;
        bool device_fits;
        bool point_fits;
    };
    for (const auto& [protocol, device, point, type, device_fits, point_fits] : std::vector<Case>{
             {"modbus_tcp", "10.0.0.1", "40001", "int16", true, true},
             {"modbus_tcp", "[::1]:502", "400011.3@7", "bool", true, true},
             {"modbus_tcp", "10.0.0.1:0", "hr:0", "int16", false, true},
             {"modbus_tcp", "http://10.0.0.1", "hr:0", "int16", false, true},
             {"modbus_tcp", "10.0.0.1", "1", "int16", true, false},
             {"modbus_tcp", "10.0.0.1", "D100", "int16", true, false},
             {"modbus_rtu", "/dev/ttyUSB0", "co:0", "bool", true, true},
             {"modbus_rtu", "COM1", "co:0", "bool", false, true},
             {"modbus_rtu", "/dev/../etc/passwd", "co:0", "bool", false, true},
             {"modbus_rtu", "/dev/serial/by-id/usb-FTDI-if00-port0", "hr:0", "int16", true, true},
             {"modbus_rtu", "192.168.0.7:4196", "hr:0", "int16", true, true},
             {"modbus_rtu", "[::1]:4196", "hr:0", "int16", true, true},
             {"modbus_rtu", "192.168.0.7", "hr:0", "int16", false, true},
             {"modbus_rtu", "192.168.0.7:0", "hr:0", "int16", false, true},
             {"modbus_rtu", "/tmp/line:1", "hr:0", "int16", false, true},
             {"mitsubishi_mc", "10.0.0.1:5007", "D100", "int16", true, true},
             {"mitsubishi_mc", "10.0.0.1:5007", "d100.F", "bool", true, true},
             {"mitsubishi_mc", "10.0.0.1:5007", "X1F", "bool", true, true},
             {"mitsubishi_mc", "10.0.0.1:5007", "ZR100", "float32", true, true},
             {"mitsubishi_mc", "10.0.0.1:5007", "W1A0", "int16", true, true},
             {"mitsubishi_mc", "10.0.0.1:5007", "D1F", "int16", true, false},
             {"mitsubishi_mc", "10.0.0.1:5007", "M10.3", "bool", true, false},
             {"mitsubishi_mc", "10.0.0.1:5007", "D100.3", "int16", true, false},
             {"mitsubishi_mc", "10.0.0.1:5007", "D100", "bool", true, false},
             {"mitsubishi_mc", "10.0.0.1:5007", "D99999999", "int16", true, false},
             {"mitsubishi_mc", "10.0.0.1:5007", "Q1", "int16", true, false},
             {"opcua", "opc.tcp://host:4840/path", "ns=2;s=Temp", "float64", true, true},
             {"opcua", "opc.tcp://host", "i=2258", "float64", true, true},
             {"opcua", "opc.tcp://host", "ns=2;g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "int16", true, true},
             {"opcua", "opc.tcp://host", "ns=2;b=M/RbKBsRVkePCePcx24oRA==", "int16", true, true},
             {"opcua", "http://host", "ns=2;i=x", "float64", false, false},
             {"opcua", "opc.tcp://user:secret@host", "ns=70000;i=1", "float64", false, false},
             {"opcua", "opc.tcp://host", "Temp", "float64", true, false},
             {"mqtt", "mqtt://host:1883", "plant/line#/a/b~1c", "float64", true, true},
             {"mqtt", "mqtts://host", "plant/line", "float64", true, true},
             {"mqtt", "host", "plant/+/x", "float64", false, false},
             {"mqtt", "mqtt://host", "plant#temp", "float64", true, false},
             {"mqtt", "mqtt://host", "plant#/a~2", "float64", true, false},
         }) {
        auto sheets = sound_plant();
        sheets["devices"][1] = {"D1", "Device", "S1", protocol, device};
        sheets["points"].resize(1);
        sheets["points"].push_back({"P1", "D1", point, type});
        std::vector<std::string> expected;
        if (!device_fits) expected.emplace_back("bad_address devices E2");
        auto errors = errors_of(sheets);
        const auto point_errors = errors.size() - expected.size();
        EXPECT_EQ(point_errors, point_fits ? 0U : 1U)
            << protocol << " " << device << " " << point << ": " << testing::PrintToString(errors);
        if (!device_fits) {
            EXPECT_EQ(errors.front(), expected.front());
        }
    }
}

TEST(Validate, TypesThatDoNotFitTheirAddress) {
    const auto last = only_error(with("points", 3, "address", "hr:65535"));
    EXPECT_EQ(last.code, ProblemCode::kTypeMismatch);
    EXPECT_EQ(last.cell, "D3");
    EXPECT_THAT(last.message, HasSubstr("65535"));
    EXPECT_EQ(only_error(with("points", 3, "address", "co:1")).code, ProblemCode::kTypeMismatch);
    EXPECT_THAT(only_error(with("points", 3, "address", "co:1"), Language::kChinese).message,
                HasSubstr("只能是 bool"));
}

TEST(Validate, MitsubishiAddressesFollowTheOptionsAndSayWhatIsWrong) {
    const auto plant = [](const char* options, const char* address, const char* type) {
        auto sheets = sound_plant();
        sheets["devices"][0] = {"device_code", "device_name", "site_code", "protocol", "address", "options"};
        sheets["devices"][1] = {"D1", "Device", "S1", "mitsubishi_mc", "10.0.0.1:5007", options};
        sheets["points"].resize(1);
        sheets["points"].push_back({"P1", "D1", address, type});
        return sheets;
    };
    struct Case {
        const char* options;
        const char* address;
        const char* type;
        ProblemCode code;
        const char* english;
        const char* chinese;
    };
    const auto address = ProblemCode::kBadAddress;
    const auto mismatch = ProblemCode::kTypeMismatch;
    for (const auto& [options, where, type, code, english, chinese] : std::vector<Case>{
             {"", "T0", "int16", address, "current value (TN", "当前值（TN"},
             {"", "D1F", "int16", address, "decimal", "十进制"},
             {"frame=1E", "X8", "bool", address, "octal", "八进制"},
             {"frame=1E", "W1F", "int16", address, "1E frames do not reach W", "1E 帧不能访问 W"},
             {"", "D99999999", "int16", address, "D16777215", "D16777215"},
             {"", "M10.3", "bool", address, "only word devices", "只有字软元件"},
             {"", "D100", "bool", mismatch, "as in D100.3", "例如 D100.3"},
             {"", "TS0", "int16", mismatch, "contact or coil", "触点或线圈"},
             {"", "TN0", "float32", mismatch, "16 bits", "16 位"},
             {"frame=1E", "CN200", "int16", mismatch, "32-bit", "32 位"},
             {"", "D16777215", "float32", mismatch, "pass the last one", "超出最后一个"},
         }) {
        const auto problem = only_error(plant(options, where, type));
        EXPECT_EQ(problem.code, code) << where;
        EXPECT_THAT(problem.message, HasSubstr(english));
        EXPECT_THAT(only_error(plant(options, where, type), Language::kChinese).message, HasSubstr(chinese));
    }
    EXPECT_THAT(errors_of(plant("frame=1E", "X17", "bool")), IsEmpty());
    EXPECT_THAT(errors_of(plant("frame=1E", "CN200", "int32")), IsEmpty());
    EXPECT_THAT(errors_of(plant("series=iqr", "D16777216", "int16")), IsEmpty());
    EXPECT_THAT(errors_of(plant("zr_base=hexadecimal", "ZR1FF", "int16")), IsEmpty());
}

TEST(Validate, NumbersTypedAsAddresses) {
    auto workbook =
        workbook_of(with("points", 3, "address", "400011.1", with("points", 3, "data_type", "bool")));
    for (auto& sheet : workbook.sheets) {
        for (auto& cell : sheet.cells) {
            if (cell.text == "400011.1") cell.kind = CellKind::kNumber;
        }
    }
    const auto validation = validate(workbook, {}, every_rule());
    EXPECT_THAT(problem_list(validation.problems.warnings()), ElementsAre("ambiguous_value points C3"));
    EXPECT_THAT(only_error(with("points", 3, "address", "1")).message, HasSubstr("write co:0"));
}

Sheets with_points(const TestRows& points) {
    auto sheets = sound_plant();
    sheets["points"] = {{"point_code", "device_code", "address", "data_type", "byte_order"}};
    for (const auto& point : points) sheets["points"].push_back(point);
    return sheets;
}

TEST(Validate, TheSameRegistersWithAnotherByteOrder) {
    const auto problem = only_error(
        with_points({{"A", "D1", "hr:0", "float32", "ABCD"}, {"B", "D1", "40001", "float32", "CDAB"}}));
    EXPECT_EQ(problem.code, ProblemCode::kByteOrderConflict);
    EXPECT_EQ(problem.cell, "E3");
    EXPECT_THAT(problem.message, HasSubstr("point A (row 2)"));
}

TEST(Validate, OverlapsAreWarningsAndTwinsAreNot) {
    EXPECT_THAT(warnings_of(with_points({{"A", "D1", "hr:0", "float32"}, {"B", "D1", "hr:1", "float32"}})),
                ElementsAre("overlap points C3"));
    EXPECT_THAT(
        warnings_of(with_points(
            {{"A", "D1", "hr:0", "float64"}, {"B", "D1", "hr:1", "int16"}, {"C", "D1", "hr:3", "int16"}})),
        ElementsAre("overlap points C3", "overlap points C4"));
    EXPECT_THAT(warnings_of(with_points({{"A", "D1", "hr:0", "float32"}, {"B", "D1", "hr:0", "uint32"}})),
                ElementsAre("overlap points D3"));
    // The same value twice, bits of one register, another area, another unit: all as meant.
    EXPECT_THAT(warnings_of(with_points({{"A", "D1", "hr:0", "float32"},
                                         {"B", "D1", "hr:0", "float32"},
                                         {"C", "D1", "hr:4", "uint16"},
                                         {"D", "D1", "hr:4.0", "bool"},
                                         {"E", "D1", "ir:0", "float32", "CDAB"},
                                         {"F", "D1", "hr:0@9", "float32", "CDAB"}})),
                IsEmpty());
}

TEST(Validate, OverlapsUseTheUnitOfTheDevice) {
    auto sheets =
        with_points({{"A", "D1", "hr:0@5", "float32", "ABCD"}, {"B", "D1", "hr:0", "float32", "CDAB"}});
    EXPECT_THAT(errors_of(sheets), IsEmpty());
    EXPECT_THAT(errors_of(with("devices", 2, "options", "unit_id=5", sheets)),
                ElementsAre("byte_order_conflict points E3"));
}

TEST(Validate, RangesOfOneRow) {
    EXPECT_THAT(errors_of(with("points", 2, "scale", "0")), ElementsAre("zero_scale points F2"));
    EXPECT_THAT(errors_of(with("points", 2, "deadband", "-1")), ElementsAre("bad_value points J2"));
    EXPECT_THAT(errors_of(with("points", 2, "min_value", "5", with("points", 2, "max_value", "4"))),
                ElementsAre("min_above_max points G2"));
    for (const auto* const period : {"0", "9", "86400001", "-1000"}) {
        EXPECT_THAT(errors_of(with("points", 2, "period_ms", period)),
                    ElementsAre("period_out_of_range points I2"))
            << period;
        EXPECT_THAT(errors_of(with("tasks", 2, "period_ms", period)),
                    ElementsAre("period_out_of_range tasks D2"))
            << period;
    }
}

TEST(Validate, Options) {
    EXPECT_THAT(only_error(with("devices", 2, "options", "unit_idd=1")).message,
                HasSubstr("did you mean 'unit_id'?"));
    EXPECT_THAT(errors_of(with("devices", 2, "options", "unit_id=300; max_gap=x; nope=1")),
                UnorderedElementsAre("bad_options devices F2", "bad_options devices F2",
                                     "unknown_option devices F2"));
    EXPECT_THAT(errors_of(with("devices", 2, "options", "unit_id")), ElementsAre("bad_options devices F2"));
    EXPECT_THAT(errors_of(with("devices", 2, "options", "{\"unit_id\": {\"a\": 1}}")),
                ElementsAre("bad_options devices F2"));
    EXPECT_THAT(errors_of(with("devices", 2, "options", "unit_id＝３；timeout_ms：1")),
                ElementsAre("bad_options devices F2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "options", "history_max_agee=1d")),
                ElementsAre("unknown_option tasks E2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "options", "log_level=loud")),
                ElementsAre("bad_options tasks E2"));
}

TEST(Validate, SecretsAreNeverEchoed) {
    const auto check = [](const std::string& options) {
        auto sheets = with("devices", 2, "protocol", "opcua", with("devices", 2, "address", "opc.tcp://h"));
        sheets["points"].resize(1);
        const auto validation = validated(with("devices", 2, "options", options, sheets));
        EXPECT_GE(validation.problems.error_count(), 1U);
        for (const auto& problem : validation.problems.errors()) {
            EXPECT_THAT(problem.message + problem.value, Not(HasSubstr("hunter2"))) << options;
        }
    };
    check("password=hunter2; nope=1");
    check("password=hunter2; mode=sideways");
    check("password hunter2");
    check("{\"password\": \"hunter2\"");
    check("password=a; password=hunter2");
    auto sheets = sound_plant();
    sheets["sinks"] = {{"sink_code", "type", "url"},
                       {"K", "kafka", "http://user:hunter2@host/x?token=hunter2"}};
    const auto problem = only_error(sheets);
    EXPECT_EQ(problem.code, ProblemCode::kBadUrl);
    EXPECT_EQ(problem.value, "http://user:********@host/x?token=********");
}

// The sound plant with a type for its device, whose point is W_STATE of W.
Sheets typed_plant(const std::string& status_point, const std::string& state_map) {
    auto sheets = sound_plant();
    sheets["device_types"] = {{"type_code", "type_name", "status_point", "state_map"},
                              {"T", "Type", status_point, state_map}};
    sheets["devices"].push_back({"W", "Welder", "S1", "modbus_tcp", "h:1", ""});
    sheets["points"].push_back({"W_STATE", "W", "hr:0", "uint16", "", "", "", "", "", ""});
    sheets["tasks"][1][2] = "D1,W";
    return with("devices", 3, "type_code", "T", sheets);
}

TEST(Validate, StatusPointsAndTheirMaps) {
    const auto validation = validated(typed_plant("STATE", "run = 2,3 ；off＝0； warm=10..19"));
    EXPECT_THAT(problem_list(validation.problems.errors()), IsEmpty());
    const auto* type = validation.proposed.of(Kind::kDeviceType).find("T");
    EXPECT_EQ(cell_of(Kind::kDeviceType, *type, "status_point"), "STATE");
    EXPECT_EQ(cell_of(Kind::kDeviceType, *type, "state_map"), "run=2,3; off=0; warm=10..19");

    EXPECT_THAT(errors_of(typed_plant("", "")), IsEmpty());
    EXPECT_THAT(errors_of(typed_plant("STATE", "")), ElementsAre("missing_value device_types D2"));
    EXPECT_THAT(errors_of(typed_plant("", "run=1")), ElementsAre("missing_value device_types C2"));
    EXPECT_THAT(errors_of(typed_plant("STATE", "run")), ElementsAre("bad_state_map device_types D2"));
    EXPECT_THAT(errors_of(typed_plant("ST ATE", "run=1")), ElementsAre("bad_code device_types C2"));
    EXPECT_THAT(errors_of(typed_plant("STATE", std::string(1001, 'x'))),
                ElementsAre("too_long device_types D2"));
    EXPECT_THAT(errors_of(typed_plant("W_STATE", "run=1")),
                ElementsAre("dangling_reference device_types C2"));
    const auto dangling = only_error(typed_plant("STATUS", "run=1"));
    EXPECT_EQ(dangling.value, "STATUS");
    EXPECT_THAT(dangling.message, HasSubstr("W001_STATE"));
    EXPECT_THAT(only_error(typed_plant("STAT", "run=1")).message, HasSubstr("did you mean 'STATE'?"));
    EXPECT_THAT(only_error(typed_plant("STAT", "run=1"), Language::kChinese).message,
                HasSubstr("没有测点“STAT”（是否应为“STATE”？）"));
    // A type whose devices are still to come may name a point that is still to come.
    auto early = typed_plant("LATER", "run=1");
    early["devices"].pop_back();
    early["points"].pop_back();
    early["tasks"][1][2] = "D1";
    EXPECT_THAT(errors_of(early), IsEmpty());
}

TEST(Validate, EveryFaultOfAStateMapIsExplained) {
    const std::vector<std::tuple<std::string, std::string, std::string>> cases{
        {"run", "'run' has no '='", "“run”缺少“=”"},
        {"a b=1", "'a b' is no name of a state", "“a b”不是状态名"},
        {"online=1", "'online' is counted for every device by itself", "“online”由系统自动统计"},
        {"run=1; run=2", "state 'run' is named twice", "状态“run”出现了两次"},
        {"run=", "a value of state 'run' is missing", "状态“run”缺少值"},
        {"run=1..", "'1..' is no value", "“1..”不是有效的值"},
        {"run=5..1", "'5..1' goes from more to less", "“5..1”从大到小"},
        {"run=1..5; off=3", "'run' and 'off' have a value in common", "“run”和“off”有相同的值"},
    };
    for (const auto& [map, english, chinese] : cases) {
        const auto problem = only_error(typed_plant("STATE", map));
        EXPECT_EQ(problem.code, ProblemCode::kBadStateMap) << map;
        EXPECT_EQ(problem.cell, "D2");
        EXPECT_EQ(problem.value, map);
        EXPECT_THAT(problem.message, HasSubstr(english));
        EXPECT_THAT(only_error(typed_plant("STATE", map), Language::kChinese).message, HasSubstr(chinese));
    }
    std::string many;
    for (int i = 0; i < 33; ++i) many += "s" + std::to_string(i) + "=" + std::to_string(i) + ";";
    EXPECT_THAT(only_error(typed_plant("STATE", many)).message, HasSubstr("more than 32 states"));
}

TEST(Validate, Tasks) {
    EXPECT_THAT(errors_of(with("tasks", 2, "devices", "")), ElementsAre("empty_task tasks C2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "devices", "PUMP_*")), ElementsAre("no_match tasks C2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "devices", "D1, D2，D3、D*")),
                ElementsAre("dangling_reference tasks C2", "dangling_reference tasks C2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "points", "P9", with("tasks", 2, "devices", ""))),
                ElementsAre("dangling_reference tasks E2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "sinks", "history")), IsEmpty());
    EXPECT_THAT(errors_of(with("tasks", 2, "sinks", "influx")), ElementsAre("dangling_reference tasks E2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "schedule", "start=0 25 * * *")),
                ElementsAre("bad_schedule tasks E2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "run_limit", "cycles=0")), ElementsAre("bad_run_limit tasks E2"));
    auto sheets = sound_plant();
    sheets["devices"].push_back({"D2", "Empty", "S1", "modbus_tcp", "h:1", ""});
    EXPECT_THAT(errors_of(with("tasks", 2, "devices", "D2", sheets)), ElementsAre("empty_task tasks C2"));
    // A glob over points takes those of the task's devices only; a point named by its code comes with its
    // device.
    EXPECT_THAT(errors_of(with("tasks", 2, "devices", "D2", with("tasks", 2, "points", "P*", sheets))),
                ElementsAre("empty_task tasks C2"));
    EXPECT_THAT(errors_of(with("tasks", 2, "devices", "D2", with("tasks", 2, "points", "P1", sheets))),
                IsEmpty());
}

TEST(Validate, WhatThisBuildCannotDo) {
    constexpr std::array kOnlyTcp{Protocol::kModbusTcp};
    constexpr std::array<std::string_view, 1> kOnlyHistory{"history"};
    const ValidationRules rules{.protocols = kOnlyTcp, .sink_types = kOnlyHistory};
    auto sheets = sound_plant();
    sheets["devices"].push_back({"D2", "x", "S1", "opcua", "opc.tcp://h", ""});
    sheets["sinks"] = {{"sink_code", "type", "url"}, {"K", "kafka", "kafka://h:9092"}};
    EXPECT_THAT(problem_list(validated(sheets, rules).problems.errors()),
                ElementsAre("unsupported_protocol devices D3", "unsupported_sink sinks B2"));
}

TEST(Validate, UnusedRecordsAreOneWarningPerSheet) {
    auto sheets = sound_plant();
    sheets["sites"].push_back({"S2", "Empty"});
    sheets["devices"].push_back({"D2", "No points", "S1", "modbus_tcp", "h:1", ""});
    sheets["devices"].push_back({"D3", "Not in a task", "S1", "modbus_tcp", "h:1", ""});
    for (int i = 0; i < 10; ++i)
        sheets["points"].push_back({"Q" + std::to_string(i), "D3", "hr:" + std::to_string(i), "int16"});
    const auto validation = validated(sheets);
    EXPECT_TRUE(validation.ok());
    EXPECT_THAT(problem_list(validation.problems.warnings()),
                ElementsAre("unused sites A3", "unused devices A3", "unused points A4"));
    EXPECT_THAT(validation.problems.warnings()[2].message,
                HasSubstr("10 points are in no task and will not be acquired: Q0, Q1, Q2, Q3, Q4"));
}

TEST(Validate, ReferencesMayBeStoredAlready) {
    auto stored = validated(sound_plant()).proposed;
    const Sheets more{
        {"points", {{"point_code", "device_code", "address", "data_type"}, {"P3", "D1", "hr:20", "int16"}}}};
    const auto merged = validated(more, every_rule(), stored);
    EXPECT_THAT(problem_list(merged.problems.errors()), IsEmpty());
    EXPECT_EQ(merged.proposed.of(Kind::kPoint).size(), 3U);
    const auto replaced = validated(more, every_rule(ImportMode::kReplace), stored);
    EXPECT_THAT(problem_list(replaced.problems.errors()), ElementsAre("dangling_reference points B2"));
    EXPECT_THAT(problem_list(replaced.problems.warnings()),
                ElementsAre("unused sites", "unused devices", "unused tasks", "unused points A2"));
}

TEST(Validate, StoredPointsMustFitAChangedDevice) {
    const auto stored = validated(sound_plant()).proposed;
    const Sheets changed{{"devices",
                          {{"device_code", "device_name", "site_code", "protocol", "address"},
                           {"D1", "Device", "S1", "opcua", "opc.tcp://h"}}}};
    const auto validation = validated(changed, every_rule(), stored);
    ASSERT_EQ(validation.problems.error_count(), 3U);  // the old option unit_id, and two points
    EXPECT_THAT(validation.problems.errors()[1].message, HasSubstr("stored point P1 no longer fits"));
    EXPECT_EQ(validation.problems.errors()[1].row, 2U);
}

TEST(Validate, AMissingColumnKeepsWhatIsStoredOnlyWhenMerging) {
    const auto stored = validated(with("devices", 2, "manufacturer", "Siemens")).proposed;
    const auto merged = validated(sound_plant(), every_rule(), stored);
    EXPECT_EQ(cell_of(Kind::kDevice, merged.proposed.of(Kind::kDevice).all()[0], "manufacturer"), "Siemens");
    const auto replaced = validated(sound_plant(), every_rule(ImportMode::kReplace), stored);
    EXPECT_EQ(cell_of(Kind::kDevice, replaced.proposed.of(Kind::kDevice).all()[0], "manufacturer"), "");
}

TEST(Validate, ErrorCellsAndFormulasWithoutResult) {
    auto workbook = workbook_of(sound_plant());
    for (auto& sheet : workbook.sheets) {
        for (auto& cell : sheet.cells) {
            if (cell.text == "hr:0") cell = {"#REF!", cell.column, CellKind::kError};
            if (cell.text == "hr:10") cell = {"", cell.column, CellKind::kFormula};
        }
    }
    const auto validation = validate(workbook, {}, every_rule());
    EXPECT_THAT(problem_list(validation.problems.errors()),
                ElementsAre("bad_value points C2", "bad_value points C3"));
}

TEST(Validate, CountsMoreProblemsThanItKeeps) {
    Sheets sheets{{"points", {{"point_code", "device_code", "address", "data_type"}}}};
    for (std::size_t i = 0; i < kMaxKeptProblems + 500; ++i) {
        sheets["points"].push_back({"P" + std::to_string(i), "D" + std::to_string(i), "hr:1", "int16"});
    }
    const auto validation = validated(sheets);
    EXPECT_EQ(validation.problems.error_count(), kMaxKeptProblems + 500);
    EXPECT_EQ(validation.problems.errors().size(), kMaxKeptProblems);
}

TEST(Language, FromAnAcceptLanguageHeader) {
    EXPECT_EQ(language_of("zh-CN,zh;q=0.9,en;q=0.8"), Language::kChinese);
    EXPECT_EQ(language_of("en-US,en;q=0.9,zh;q=0.1"), Language::kEnglish);
    EXPECT_EQ(language_of("zh_CN.UTF-8"), Language::kChinese);
    EXPECT_EQ(language_of(""), Language::kEnglish);
}

}  // namespace
}  // namespace fieldwarden::supervisor
