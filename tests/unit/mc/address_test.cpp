// common/mc_address.h: every device, every base, every way to be wrong.
#include "common/mc_address.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

namespace fieldwarden {
namespace {

const McDialect kQ{};
const McDialect kIqr{.series = McSeries::kIqr};
const McDialect kFx{.frame = McFrame::k1e, .series = McSeries::kFx};
const McDialect kA{.frame = McFrame::k1e, .series = McSeries::kA};

DataType type(std::string_view text) {
    return parse_data_type(text).value();
}

TEST(McAddress, TheTableIsInTheOrderOfTheEnumerationAndSaysEverythingOnce) {
    std::set<int> codes;
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < mc_devices().size(); ++i) {
        const auto& device = mc_devices()[i];
        EXPECT_EQ(static_cast<std::size_t>(device.device), i);
        EXPECT_TRUE(codes.insert(device.code).second) << device.name;
        EXPECT_TRUE(names.insert(device.name).second) << device.name;
        EXPECT_EQ(device.letters.size(), 2U);
        EXPECT_TRUE(!device.on_fx || device.code_1e != 0) << device.name;
    }
}

TEST(McAddress, EveryDeviceIsReadInItsBaseAndWrittenBack) {
    for (const auto& dialect : {kQ, kIqr}) {
        for (const auto& device : mc_devices()) {
            const unsigned base = mc_base(device.device, dialect);
            for (const std::uint32_t number : {0U, 1U, 9U, 10U, 15U, 16U, 255U, 2748U, 32767U}) {
                const McAddress address{device.device, number, {}};
                const auto text = format_mc_address(address, dialect);
                const auto parsed = parse_mc_address(text, dialect);
                ASSERT_TRUE(parsed) << parsed.error().message;
                EXPECT_EQ(*parsed, address) << text;
                EXPECT_EQ(base == 16 && number == 2748, text.ends_with("ABC")) << text;
            }
        }
    }
}

TEST(McAddress, XAndYAreOctalOnFxOnly) {
    EXPECT_EQ(parse_mc_address("Y100", kFx)->number, 0x40U);
    EXPECT_EQ(parse_mc_address("Y100", kA)->number, 0x100U);
    EXPECT_EQ(parse_mc_address("X1F", kQ)->number, 0x1FU);
    EXPECT_EQ(scan_mc_address("X8", kFx).fault, McFault::kBadDigit);
    EXPECT_EQ(format_mc_address({McDevice::kX, 64, {}}, kFx), "X100");
}

TEST(McAddress, ZrIsWrittenAsTheOptionSays) {
    EXPECT_EQ(parse_mc_address("ZR100", kQ)->number, 100U);
    EXPECT_EQ(parse_mc_address("ZR100", {.zr_hexadecimal = true})->number, 0x100U);
    EXPECT_EQ(scan_mc_address("ZRFF", kQ).fault, McFault::kUnknownDevice);
}

TEST(McAddress, BlanksAndCaseDoNotMatter) {
    EXPECT_EQ(parse_mc_address(" d 100 . f ", kQ).value(), (McAddress{McDevice::kD, 100, 15}));
    EXPECT_EQ(parse_mc_address("w0b", kQ).value(), (McAddress{McDevice::kW, 0x0B, {}}));
}

TEST(McAddress, LettersThatBeginOthersAreToldApart) {
    EXPECT_EQ(parse_mc_address("B1F", kQ)->device, McDevice::kB);
    EXPECT_EQ(parse_mc_address("SB1F", kQ)->device, McDevice::kSb);
    EXPECT_EQ(parse_mc_address("S1", kQ)->device, McDevice::kS);
    EXPECT_EQ(parse_mc_address("STN7", kQ)->device, McDevice::kStn);
    EXPECT_EQ(parse_mc_address("DX1F", kQ)->device, McDevice::kDx);
    EXPECT_EQ(parse_mc_address("BC3", kQ).value(), (McAddress{McDevice::kB, 0xC3, {}}));
    EXPECT_EQ(parse_mc_address("CC3", kQ)->device, McDevice::kCc);
    EXPECT_EQ(parse_mc_address("Z1", kQ)->device, McDevice::kZ);
}

TEST(McAddress, EachMistakeIsNamed) {
    struct Case {
        const char* text;
        McDialect dialect;
        McFault fault;
    };
    for (const auto& [text, dialect, fault] : std::vector<Case>{
             {"", kQ, McFault::kEmpty},
             {"   ", kQ, McFault::kEmpty},
             {"Q1", kQ, McFault::kUnknownDevice},
             {"100", kQ, McFault::kUnknownDevice},
             {"T0", kQ, McFault::kThreeDevices},
             {"C200", kQ, McFault::kThreeDevices},
             {"ST5", kQ, McFault::kThreeDevices},
             {"D", kQ, McFault::kNumberMissing},
             {"D1F", kQ, McFault::kBadDigit},
             {"D-1", kQ, McFault::kUnknownDevice},
             {"D1 0 x", kQ, McFault::kBadDigit},
             {"D16777216", kQ, McFault::kTooLarge},
             {"D99999999999999999999", kIqr, McFault::kTooLarge},
             {"R32768", kQ, McFault::kTooLarge},
             {"D100.G", kQ, McFault::kBadBit},
             {"D100.", kQ, McFault::kBadBit},
             {"D100.10", kQ, McFault::kBadBit},
             {"M10.3", kQ, McFault::kBitOfBit},
             {"SD0", kFx, McFault::kNotIn1e},
             {"W0", kFx, McFault::kNotIn1e},
             {"W0", kA, McFault::kNone},
             {"D16777216", kIqr, McFault::kNone},
         }) {
        EXPECT_EQ(scan_mc_address(text, dialect).fault, fault) << text;
        if (fault == McFault::kNone) continue;
        const auto parsed = parse_mc_address(text, dialect);
        ASSERT_FALSE(parsed);
        EXPECT_NE(parsed.error().message.find("write D100"), std::string::npos);
    }
}

TEST(McAddress, TypesHaveToFitTheirPlace) {
    struct Case {
        const char* text;
        const char* type;
        McDialect dialect;
        McFault fault;
    };
    for (const auto& [text, name, dialect, fault] : std::vector<Case>{
             {"D0", "int16", kQ, McFault::kNone},
             {"D0", "string(250)", kQ, McFault::kNone},
             {"D0", "bool", kQ, McFault::kBoolNeedsBit},
             {"D0.3", "bool", kQ, McFault::kNone},
             {"D0.3", "uint16", kQ, McFault::kBitIsBool},
             {"M0", "bool", kQ, McFault::kNone},
             {"M3", "uint16", kQ, McFault::kNone},
             {"TS0", "bool", kQ, McFault::kNone},
             {"TS0", "uint16", kQ, McFault::kContactIsBool},
             {"TN0", "uint16", kQ, McFault::kNone},
             {"TN0", "float32", kQ, McFault::kValueIs16Bit},
             {"CN200", "int32", kQ, McFault::kValueIs16Bit},
             {"CN200", "int32", kFx, McFault::kNone},
             {"CN200", "int16", kFx, McFault::kCounterIs32Bit},
             {"CN199", "int16", kFx, McFault::kNone},
             {"CN199", "int32", kFx, McFault::kValueIs16Bit},
             {"CN200", "int16", kA, McFault::kNone},
             {"D16777214", "float32", kQ, McFault::kNone},
             {"D16777215", "float32", kQ, McFault::kPassesEnd},
             {"D16777215", "float32", kIqr, McFault::kNone},
             {"D4294967295", "float32", kIqr, McFault::kPassesEnd},
             {"R32767", "int32", kQ, McFault::kPassesEnd},
             {"R32767", "int16", kQ, McFault::kNone},
             {"BFFFFF1", "uint16", kQ, McFault::kPassesEnd},
             {"BFFFFF0", "uint16", kQ, McFault::kNone},
         }) {
        const auto address = parse_mc_address(text, dialect).value();
        EXPECT_EQ(mc_type_fault(address, type(name), dialect), fault) << text << " " << name;
        EXPECT_EQ(check_mc_type(address, type(name), dialect).has_value(), fault == McFault::kNone);
    }
}

TEST(McAddress, EveryFaultHasAText) {
    for (int fault = 1; fault <= static_cast<int>(McFault::kPassesEnd); ++fault)
        EXPECT_GT(mc_fault_text(static_cast<McFault>(fault), "D1", type("float32"), kQ).size(), 10U) << fault;
    EXPECT_EQ(parse_mc_address("X8", kFx).error().message,
              "MC address 'X8': the number of X is octal; write D100, D100.3, M10, X1F, W1A0 or ZR100");
    EXPECT_EQ(check_mc_type({McDevice::kD, 0xFFFFFF, {}}, type("float32"), kQ).error().message,
              "float32 at D16777215: float32 takes 2 numbers and would pass the last one, D16777215");
}

TEST(McAddress, TheOptionsDecideTheDialect) {
    EXPECT_EQ(mc_dialect({}), kQ);
    EXPECT_EQ(mc_dialect({{"frame", "1E"}}), kFx);
    EXPECT_EQ(mc_dialect({{"frame", "1E"}, {"series", "a"}}), kA);
    EXPECT_EQ(mc_dialect({{"series", "iqr"}}), kIqr);
    EXPECT_TRUE(mc_dialect({{"series", "fx"}}).xy_octal());
    EXPECT_FALSE(mc_dialect({{"series", "fx"}}).wide_counters());
    EXPECT_TRUE(mc_dialect({{"zr_base", "hexadecimal"}}).zr_hexadecimal);
}

}  // namespace
}  // namespace fieldwarden
