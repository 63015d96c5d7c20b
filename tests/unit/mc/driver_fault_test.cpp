// The MC driver when answers are wrong, late, torn or missing. None of it ever becomes a good value.
#include <future>
#include <thread>

#include "tests/unit/mc/driver_fixture.h"

namespace fieldwarden::worker::mc {
namespace {

using namespace std::chrono_literals;
using simulator::ReplyFault;

struct WrongAnswer {
    const char* frame;
    const char* encoding;
    ReplyFault fault;
    ErrorKind kind;
    const char* says;
};

void PrintTo(const WrongAnswer& answer, std::ostream* out) {
    *out << answer.frame << " " << answer.encoding << " " << to_name(answer.fault);
}

class WrongAnswerTest : public McDriverTest, public testing::WithParamInterface<WrongAnswer> {};

TEST_P(WrongAnswerTest, NeverBecomesAGoodValueAndIsOverAfterReconnecting) {
    const auto& wrong = GetParam();
    connect_to(row("D", 30000, 10),
               {{"frame", wrong.frame}, {"encoding", wrong.encoding}, {"timeout_ms", "300"}});
    ASSERT_TRUE(read());
    set_faults({.reply = wrong.fault});
    const auto status = read();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, wrong.kind) << status.error().message;
    EXPECT_NE(status.error().message.find(wrong.says), std::string::npos) << status.error().message;
    EXPECT_NE(status.error().message.find("read 10 words from D30000"), std::string::npos);
    EXPECT_EQ(good(), 0U);
    const auto& stats = driver_->stats();
    EXPECT_EQ(stats.broken_answers, wrong.kind == ErrorKind::kCorrupt ? 1U : 0U);
    EXPECT_EQ(stats.timeouts, wrong.kind == ErrorKind::kTimeout ? 1U : 0U);
    EXPECT_EQ(stats.lost_connections, wrong.kind == ErrorKind::kUnavailable ? 1U : 0U);
    set_faults({});
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 10U);
}

std::vector<WrongAnswer> wrong_answers() {
    std::vector<WrongAnswer> out;
    for (const auto* encoding : {"binary", "ascii"}) {
        for (const auto* frame : {"3E", "4E", "1E"}) {
            const bool one_e = std::string_view{frame} == "1E";
            const auto add = [&](ReplyFault fault, ErrorKind kind, const char* says) {
                out.push_back({frame, encoding, fault, kind, says});
            };
            const bool four_e = std::string_view{frame} == "4E";
            if (four_e) add(ReplyFault::kWrongTransaction, ErrorKind::kCorrupt, "is to serial number");
            if (!one_e) {
                add(ReplyFault::kWrongUnit, ErrorKind::kCorrupt, "station 1, asked was");
                add(ReplyFault::kOversizeLength, ErrorKind::kCorrupt, "65535");
            }
            add(ReplyFault::kOversizeCount, ErrorKind::kCorrupt, one_e ? "came unasked" : "asked for");
            add(ReplyFault::kWrongFunction, ErrorKind::kCorrupt, "begins with");
            add(ReplyFault::kWrongProtocol, ErrorKind::kCorrupt,
                one_e && std::string_view{encoding} == "ascii" ? "hexadecimal" : "begins with");
            add(ReplyFault::kSilent, ErrorKind::kTimeout, "timed out after 300 ms");
            add(ReplyFault::kTruncate, ErrorKind::kTimeout, "broke off");
            add(ReplyFault::kTrickle, ErrorKind::kTimeout, "broke off");
            add(ReplyFault::kHalfThenClose, ErrorKind::kUnavailable, "closed the connection");
            add(ReplyFault::kDrop, ErrorKind::kUnavailable, "closed the connection");
        }
    }
    return out;
}

INSTANTIATE_TEST_SUITE_P(Faults, WrongAnswerTest, testing::ValuesIn(wrong_answers()), [](const auto& wrong) {
    return fmt::format("f{}_{}_{}", wrong.param.frame, wrong.param.encoding, to_name(wrong.param.fault));
});

class FrameTest : public McDriverTest, public testing::WithParamInterface<const char*> {};

TEST_P(FrameTest, AnAnswerSentTwiceIsNotTakenForTheNextOne) {
    auto points = row("D", 30000, 2);
    points.push_back(point("R100"));
    points.push_back(point("R101"));
    simulator_.set("D", 30000, {1, 2}, 0);
    simulator_.set("R", 100, {3, 4}, 0);
    simulator_.set("D", 30000, {1, 2}, 1);
    simulator_.set("R", 100, {3, 4}, 1);
    connect_to(points, {{"frame", GetParam()}, {"random_read", "off"}});
    set_faults({.reply = ReplyFault::kDuplicate});
    for (int scan = 0; scan < 10; ++scan) {
        const auto status = read();
        for (std::size_t i = 0; i < 4; ++i) {
            if (samples_[i].quality == Quality::kGood) {
                EXPECT_EQ(samples_[i].value, Value{std::uint64_t{i + 1}});
            }
        }
        if (status) continue;
        EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt) << status.error().message;
        driver_->disconnect();
        ASSERT_TRUE(driver_->connect());
    }
    EXPECT_GT(driver_->stats().broken_answers, 0U);
}

TEST_P(FrameTest, ALateAnswerNeverPassesForTheNextOne) {
    simulator_.set("D", 30000, {1, 2}, 0);
    simulator_.set("D", 30000, {1, 2}, 1);
    connect_to({point("D30000"), point("D30001")}, {{"frame", GetParam()}, {"timeout_ms", "100"}});
    set_faults({.delay = 160ms});
    const auto only = [&](std::uint32_t index) {
        samples_.clear();
        const auto status = driver_->read(std::vector<std::uint32_t>{index}, samples_);
        if (samples_[0].quality == Quality::kGood) {
            EXPECT_EQ(samples_[0].value, Value{std::uint64_t{index + 1}});
        }
        return status;
    };
    const bool survives = std::string_view{GetParam()} == "4E";
    for (int turn = 0; turn < 4; ++turn) {
        const auto status = only(static_cast<std::uint32_t>(turn % 2));
        // Without a serial number, nobody can tell: such a connection ends with its first timeout.
        if (!status && !survives) {
            driver_->disconnect();
            ASSERT_TRUE(driver_->connect());
        }
    }
    set_faults({});
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(only(0));
    ASSERT_TRUE(only(1));
    EXPECT_EQ(samples_[0].value, Value{std::uint64_t{2}});
}

TEST_P(FrameTest, ARestartedServerIsFoundAgain) {
    connect_to(row("D", 30000, 5), {{"frame", GetParam()}});
    ASSERT_TRUE(read());
    set_faults({.unplugged = true});
    const auto status = read();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
    for (const auto& sample : samples_) EXPECT_EQ(sample.code, QualityCode::kDisconnected);
    driver_->disconnect();
    EXPECT_FALSE(driver_->connect());
    EXPECT_EQ(driver_->failed_step(), ConnectStep::kConnect);
    set_faults({});
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 5U);
}

TEST_P(FrameTest, InterruptEndsThePauseBetweenRequests) {
    connect_to({point("D30000"), point("R30000")},
               {{"frame", GetParam()}, {"inter_request_delay_ms", "60000"}, {"random_read", "off"}});
    auto blocked = std::async(std::launch::async, [&] { return read(); });
    while (driver_->activity() < 4) std::this_thread::yield();
    driver_->interrupt();
    ASSERT_EQ(blocked.wait_for(20s), std::future_status::ready);
    EXPECT_FALSE(blocked.get());
    EXPECT_EQ(good(), 1U);  // the first request was answered before the pause
}

INSTANTIATE_TEST_SUITE_P(Frames, FrameTest, testing::Values("3E", "4E", "1E"),
                         [](const auto& frame) { return std::string{"f"} + frame.param; });

// With serial numbers a device that is slow once keeps its connection, and its late answer is dropped.
TEST_F(McDriverTest, A4eConnectionSurvivesOneLateAnswer) {
    simulator_.set("D", 30000, {1});
    simulator_.set("R", 100, {2});
    connect_to({point("D30000"), point("R100")},
               {{"frame", "4E"}, {"random_read", "off"}, {"timeout_ms", "200"}});
    ASSERT_TRUE(read());
    set_faults({.reply = ReplyFault::kSilent, .after = 1, .times = 1});
    ASSERT_TRUE(read());  // one was answered: the device is there
    EXPECT_EQ(samples_[0].quality, Quality::kGood);
    EXPECT_EQ(samples_[1].code, QualityCode::kTimeout);
    EXPECT_NE(driver_->stats().last_refusal.find("timed out"), std::string::npos);
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 2U);
    EXPECT_EQ(simulator_.counters().accepted, 1U);
    EXPECT_EQ(driver_->stats().timeouts, 1U);
}

TEST_F(McDriverTest, AFrameKindThePortDoesNotTakeEndsWithASentence) {
    connect_to(row("D", 0, 2), {{"frame", "1E"}});
    config_.address = fmt::format("127.0.0.1:{}", simulator_.port(0));  // a 3E and 4E port
    driver_ = std::move(make_driver(config_).value());
    ASSERT_TRUE(driver_->connect());
    const auto status = read();
    ASSERT_FALSE(status);
    EXPECT_FALSE(status.error().message.empty());
    EXPECT_EQ(good(), 0U);
}

TEST_F(McDriverTest, StatsCountWhatHappened) {
    connect_to(row("D", 0, 10));
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(read());
    const auto& stats = driver_->stats();
    EXPECT_EQ(stats.requests, 3U);
    EXPECT_EQ(stats.response_times.count(), 3U);
    EXPECT_EQ(stats.bytes_sent, 3U * 21);
    EXPECT_EQ(stats.bytes_received, 3U * (11 + 20));
    EXPECT_GT(stats.last_response_ms, 0);
    EXPECT_EQ(stats.timeouts + stats.exceptions + stats.broken_answers + stats.lost_connections, 0U);
}

}  // namespace
}  // namespace fieldwarden::worker::mc
