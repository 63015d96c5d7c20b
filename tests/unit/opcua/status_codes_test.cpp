#include "worker/drivers/opcua/status_codes.h"

#include <gtest/gtest.h>

namespace fieldwarden::worker::opcua {
namespace {

TEST(StatusCodes, Names) {
    EXPECT_EQ(status_name(0), "Good");
    EXPECT_EQ(status_name(0x80340000), "BadNodeIdUnknown");
    EXPECT_EQ(status_name(0x80340480), "BadNodeIdUnknown");  // with info bits
    EXPECT_EQ(status_name(0x40900000), "UncertainLastUsableValue");
    EXPECT_EQ(status_name(0x80BE0000), "BadProtocolVersionUnsupported");
    EXPECT_EQ(status_name(0x8FFF0001), "status 0x8FFF0001");
    EXPECT_EQ(status_name(0xFFFFFFFF), "status 0xFFFFFFFF");
}

TEST(StatusCodes, TheTableIsSorted) {
    // Every code the policy below knows is found by binary search.
    for (const StatusCode code :
         {0x80010000U, 0x800A0000U, 0x801A0000U, 0x80250000U, 0x80310000U, 0x80550000U, 0x80780000U,
          0x807F0000U, 0x808E0000U, 0x80AE0000U, 0x80B90000U, 0x80DB0000U}) {
        EXPECT_TRUE(status_name(code).starts_with("Bad")) << std::hex << code;
    }
}

TEST(StatusCodes, EveryCodeHasAQuality) {
    for (std::uint64_t code = 0; code <= UINT32_MAX; code += 0x8000) {
        const auto each = static_cast<StatusCode>(code);
        EXPECT_EQ(quality_code(each) == QualityCode::kNone, quality_of(each) == Quality::kGood)
            << std::hex << each;
    }
    EXPECT_EQ(quality_of(0x00000480), Quality::kGood);
    EXPECT_EQ(quality_of(0x40000000), Quality::kUncertain);
    EXPECT_EQ(quality_of(0x80000000), Quality::kBad);
    EXPECT_EQ(quality_of(0xC0000000), Quality::kBad);
    EXPECT_EQ(quality_code(0x80340000), QualityCode::kIllegalAddress);
    EXPECT_EQ(quality_code(0x40940000), QualityCode::kOutOfRange);
    EXPECT_EQ(quality_code(0x80000000), QualityCode::kStale);
}

TEST(StatusCodes, OverflowOfTheServersQueue) {
    EXPECT_TRUE(has_overflow(0x00000480));
    EXPECT_FALSE(has_overflow(0x00000080));
    EXPECT_FALSE(has_overflow(0x00000400));
    EXPECT_FALSE(has_overflow(0));
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
