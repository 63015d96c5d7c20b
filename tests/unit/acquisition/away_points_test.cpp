#include "worker/away_points.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fieldwarden::worker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

UtcTime at(int second) {
    return UtcTime{std::chrono::seconds{second}};
}
Sample good(std::uint64_t value, int second) {
    return {.point = 1, .time = at(second), .value = value};
}
Sample bad(QualityCode code, int second) {
    return {.point = 1, .quality = Quality::kBad, .code = code, .time = at(second), .value = {}};
}
Sample away(int second) {
    return bad(QualityCode::kDisconnected, second);
}

struct Said {
    std::uint32_t index = 0;
    Sample sample;
};

// What becomes of samples: "index:value@second", "index:bad@second".
class AwayPointsTest : public testing::Test {
  protected:
    std::vector<std::string> look(const std::vector<Said>& said, int now) {
        std::vector<std::uint32_t> which;
        SampleBatch samples;
        for (const auto& each : said) {
            which.push_back(each.index);
            samples.push_back(each.sample);
        }
        auto all = points_.look(which, samples, at(now));
        all.which.insert(all.which.begin(), which.begin(), which.end());
        all.samples.insert(all.samples.begin(), samples.begin(), samples.end());
        return told(all.which, all.samples);
    }
    std::vector<std::string> bring_back(int now) {
        const auto back = points_.bring_back(at(now));
        return told(back.which, back.samples);
    }
    static std::vector<std::string> told(const std::vector<std::uint32_t>& which,
                                         const SampleBatch& samples) {
        EXPECT_EQ(which.size(), samples.size());
        std::vector<std::string> all;
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const auto* value = std::get_if<std::uint64_t>(&samples[i].value);
            all.push_back(fmt::format("{}:{}@{}", which[i], value == nullptr ? "bad" : std::to_string(*value),
                                      samples[i].time.time_since_epoch() / std::chrono::seconds{1}));
        }
        return all;
    }
    AwayPoints points_{2, true, at(0)};
};

TEST_F(AwayPointsTest, LeavesAloneWhatWasNotAway) {
    EXPECT_THAT(look({{0, good(1, 10)}, {0, good(2, 5)}, {1, bad(QualityCode::kIllegalAddress, 3)}}, 20),
                ElementsAre("0:1@10", "0:2@5", "1:bad@3"));
    EXPECT_FALSE(points_.any());
    EXPECT_THAT(look({{1, good(7, 1)}}, 30), ElementsAre("1:7@1"));
}

TEST_F(AwayPointsTest, AnOldValueSaidAgainHoldsFromNowOn) {
    look({{0, good(1, 10)}}, 11);
    EXPECT_THAT(look({{0, away(50)}, {1, away(50)}}, 50), ElementsAre("0:bad@50", "1:bad@50"));
    EXPECT_TRUE(points_.any());
    EXPECT_THAT(look({{0, good(1, 10)}}, 60), ElementsAre("0:1@60"));
    EXPECT_THAT(look({{0, good(1, 10)}}, 61), ElementsAre("0:1@10")) << "it is back";
    EXPECT_TRUE(points_.any()) << "the other is not";
}

TEST_F(AwayPointsTest, ANewValueFromBeforeItWasSaidToBeAwayKeepsItsTimeAndHoldsFromNowOn) {
    look({{0, good(1, 10)}}, 11);
    look({{0, away(50)}}, 50);
    EXPECT_THAT(look({{0, good(2, 48)}, {0, good(3, 49)}, {1, good(9, 2)}}, 60),
                ElementsAre("0:2@48", "0:3@49", "1:9@2", "0:3@60"));
    // Also where only the time or only the value is another one.
    look({{0, away(70)}}, 70);
    EXPECT_THAT(look({{0, good(3, 69)}}, 80), ElementsAre("0:3@69", "0:3@80"));
    look({{0, away(90)}}, 90);
    EXPECT_THAT(look({{0, good(4, 69)}}, 100), ElementsAre("0:4@69", "0:4@100"));
    EXPECT_FALSE(points_.any());
}

TEST_F(AwayPointsTest, WhatWasBeforeTheStartCountsAsAnOutage) {
    points_ = AwayPoints{2, true, at(100)};
    EXPECT_THAT(look({{0, good(1, 10)}, {1, good(7, 101)}}, 102),
                ElementsAre("0:1@10", "1:7@101", "0:1@102"));
    EXPECT_THAT(look({{0, good(2, 11)}}, 103), ElementsAre("0:2@11"));
    EXPECT_FALSE(points_.any());
    points_ = AwayPoints{2, true, at(100)};
    look({{0, away(105)}}, 105);
    EXPECT_THAT(look({{0, good(1, 103)}, {1, good(7, 99)}}, 106),
                UnorderedElementsAre("0:1@103", "1:7@99", "0:1@106", "1:7@106"));
    AwayPoints read{1, false, at(100)};
    std::vector<std::uint32_t> which{0};
    SampleBatch samples{good(1, 10)};
    read.look(which, samples, at(102));
    EXPECT_THAT(told(which, samples), ElementsAre("0:1@102"));
    samples = {good(1, 10)};
    read.look(which, samples, at(103));
    EXPECT_THAT(told(which, samples), ElementsAre("0:1@10"));
}

TEST_F(AwayPointsTest, AValueFromAfterTheOutageNeedsNothing) {
    look({{0, away(50)}}, 50);
    EXPECT_THAT(look({{0, good(2, 40)}, {0, good(3, 51)}}, 60), ElementsAre("0:2@40", "0:3@51"));
    EXPECT_FALSE(points_.any());
}

TEST_F(AwayPointsTest, TheEndOfABatchTells) {
    EXPECT_THAT(look({{0, good(1, 10)}, {0, bad(QualityCode::kTimeout, 20)}}, 20),
                ElementsAre("0:1@10", "0:bad@20"));
    EXPECT_THAT(look({{0, good(2, 15)}, {0, away(30)}}, 30), ElementsAre("0:2@15", "0:bad@30"));
    EXPECT_THAT(look({{0, away(25)}, {0, good(2, 15)}}, 40), ElementsAre("0:bad@25", "0:2@40"));
}

TEST_F(AwayPointsTest, AnotherTroubleEndsItAsAValueDoes) {
    look({{0, away(50)}}, 50);
    EXPECT_THAT(look({{0, bad(QualityCode::kIllegalAddress, 60)}}, 60), ElementsAre("0:bad@60"));
    EXPECT_FALSE(points_.any());
}

TEST_F(AwayPointsTest, WhatDidNotChangeIsBroughtBack) {
    look({{0, good(1, 10)}}, 11);
    EXPECT_THAT(bring_back(12), IsEmpty());
    look({{0, away(50)}, {1, away(50)}}, 50);
    EXPECT_THAT(bring_back(60), ElementsAre("0:1@60"));
    EXPECT_THAT(bring_back(61), IsEmpty()) << "of the other nothing was ever said";
    look({{0, away(70)}}, 70);
    EXPECT_THAT(bring_back(80), ElementsAre("0:1@80"));
    look({{0, away(90)}}, 90);
    EXPECT_THAT(look({{0, good(1, 10)}}, 100), ElementsAre("0:1@100")) << "its own time is remembered";
}

TEST_F(AwayPointsTest, WhatIsReadNeedsNoMemory) {
    AwayPoints read{8, false, at(0)};
    std::vector<std::uint32_t> which{7};
    SampleBatch samples{away(50)};
    read.look(which, samples, at(50));
    EXPECT_TRUE(read.bring_back(at(55)).samples.empty());
    samples = {good(1, 10)};
    read.look(which, samples, at(60));
    EXPECT_THAT(told(which, samples), ElementsAre("7:1@60"));
    EXPECT_FALSE(read.any());
}

}  // namespace
}  // namespace fieldwarden::worker
