// The Modbus driver against the simulator: values, refusals, and every way an answer can be wrong.
#include "worker/drivers/modbus/modbus_driver.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bit>
#include <future>
#include <numeric>
#include <thread>

#include "tests/simulator/modbus/modbus_simulator.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using simulator::modbus::Faults;
using simulator::modbus::ModbusSimulator;
using simulator::modbus::ReplyFault;

PointConfig point(std::string address, std::string_view type = "uint16", ByteOrder order = ByteOrder::kAbcd) {
    PointConfig config;
    config.point_code = address;
    config.address = std::move(address);
    config.data_type = parse_data_type(type).value();
    config.byte_order = order;
    return config;
}

class ModbusDriverTest : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(simulator_.start()); }

    // Makes and connects the driver of a device on the simulator's port.
    void connect_to(std::vector<PointConfig> points, Options options = {}) {
        config_.device_code = "D1";
        config_.address = fmt::format("127.0.0.1:{}", simulator_.port());
        config_.options = std::move(options);
        config_.options.try_emplace("timeout_ms", "500");
        config_.points = std::move(points);
        for (std::uint32_t i = 0; i < config_.points.size(); ++i) config_.points[i].id = 100 + i;
        auto made = make_driver(config_);
        ASSERT_TRUE(made) << made.error().message;
        driver_ = std::move(*made);
        const auto status = driver_->connect();
        ASSERT_TRUE(status) << status.error().message;
    }
    // Reads all points.
    Status read() {
        std::vector<std::uint32_t> due(config_.points.size());
        std::iota(due.begin(), due.end(), 0U);
        samples_.clear();
        const auto status = driver_->read(due, samples_);
        EXPECT_EQ(samples_.size(), due.size());
        for (std::uint32_t i = 0; i < samples_.size(); ++i) EXPECT_EQ(samples_[i].point, 100 + i);
        return status;
    }
    std::size_t good() const {
        return static_cast<std::size_t>(std::count_if(
            samples_.begin(), samples_.end(), [](const auto& s) { return s.quality == Quality::kGood; }));
    }
    static std::vector<PointConfig> row(unsigned count) {
        std::vector<PointConfig> points;
        for (unsigned i = 0; i < count; ++i) points.push_back(point(fmt::format("hr:{}", 30000 + i)));
        return points;
    }

    ModbusSimulator simulator_;
    DeviceConfig config_;
    std::unique_ptr<Driver> driver_;
    SampleBatch samples_;
};

TEST_F(ModbusDriverTest, ReadsAllFourAreas) {
    simulator_.pin(ModbusArea::kCoil, 3, {1, 0});
    simulator_.pin(ModbusArea::kDiscreteInput, 17, {0, 1});
    simulator_.pin(ModbusArea::kInputRegister, 100, {7});
    simulator_.pin(ModbusArea::kHoldingRegister, 100, {0xFFF9, 0x0008});
    connect_to({point("co:3", "bool"), point("co:4", "bool"), point("di:17", "bool"), point("di:18", "bool"),
                point("ir:100"), point("hr:100", "int16"), point("hr:101.3", "bool"),
                point("hr:101.2", "bool")});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 8U);
    const std::vector<Value> want{true, false, false, true, std::uint64_t{7}, std::int64_t{-7}, true, false};
    for (std::size_t i = 0; i < want.size(); ++i)
        EXPECT_EQ(samples_[i].value, want[i]) << config_.points[i].address;
    EXPECT_EQ(driver_->stats().requests, 4U);
}

TEST_F(ModbusDriverTest, ReadsValuesAcrossOneRequestAndTheLastRegister) {
    const auto bits = std::bit_cast<std::uint32_t>(12.5F);
    const auto high = static_cast<std::uint16_t>(bits >> 16);
    const auto low = static_cast<std::uint16_t>(bits);
    simulator_.pin(ModbusArea::kHoldingRegister, 65534, {high, low});
    simulator_.pin(ModbusArea::kHoldingRegister, 10, {low, high});
    simulator_.pin(ModbusArea::kHoldingRegister, 20, {0x4D6F, 0x746F, 0x7200});
    simulator_.pin(ModbusArea::kHoldingRegister, 30, {0x12A4});
    connect_to({point("hr:65534", "float32"), point("40011", "float32", ByteOrder::kCdab),
                point("hr:20", "string(6)"), point("hr:30", "bcd16")});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[0].value, Value{12.5});
    EXPECT_EQ(samples_[1].value, Value{12.5});
    EXPECT_EQ(samples_[2].value, Value{std::string{"Motor"}});
    EXPECT_EQ(samples_[3].quality, Quality::kBad);
    EXPECT_EQ(samples_[3].code, QualityCode::kDecode);
    EXPECT_EQ(samples_[3].value, Value{});
}

TEST_F(ModbusDriverTest, EveryReadIsANewReadOnTheDevice) {
    connect_to({point("hr:0", "uint32")});
    for (std::uint64_t n = 1; n <= 5; ++n) {
        ASSERT_TRUE(read());
        EXPECT_EQ(samples_[0].value, Value{n});
    }
    EXPECT_EQ(simulator_.counters().accepted, 1U);
}

TEST_F(ModbusDriverTest, AnySubsetOfPointsInAnyOrder) {
    connect_to(row(300));
    const std::vector<std::uint32_t> due{299, 0, 150};
    SampleBatch out(1);  // appended to, not overwritten
    ASSERT_TRUE(driver_->read(due, out));
    ASSERT_EQ(out.size(), 4U);
    for (std::size_t i = 0; i < due.size(); ++i) {
        EXPECT_EQ(out[i + 1].point, 100 + due[i]);
        EXPECT_EQ(out[i + 1].quality, Quality::kGood);
    }
    EXPECT_EQ(driver_->stats().requests, 3U);
    ASSERT_TRUE(driver_->read(std::vector<std::uint32_t>{1}, out));
    EXPECT_EQ(driver_->stats().requests, 4U);
}

TEST_F(ModbusDriverTest, UnitIdsShareOneConnection) {
    connect_to({point("hr:6@5", "float32"), point("hr:8@6", "float32"), point("hr:6@250", "float32")},
               {{"unit_id", "9"}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 3U);
    EXPECT_EQ(simulator_.counters().connections, 1U);
    EXPECT_EQ(samples_[0].value, (Value{25.0}));  // slot 3 holds 20 + unit
    EXPECT_EQ(samples_[2].value, (Value{270.0}));
}

// --- refusals
// ------------------------------------------------------------------------------------------------

TEST_F(ModbusDriverTest, OneIllegalAddressCostsNoOtherPoint) {
    simulator_.set_faults({.illegal = {{ModbusArea::kHoldingRegister, 30070, 30070}}});
    connect_to(row(125));
    for (int scan = 0; scan < 3; ++scan) {
        ASSERT_TRUE(read());
        EXPECT_EQ(good(), 124U);
        EXPECT_EQ(samples_[70].quality, Quality::kBad);
        EXPECT_EQ(samples_[70].code, QualityCode::kIllegalAddress);
        EXPECT_EQ(samples_[70].value, Value{});
    }
    // The search is done once; later scans take one request on each side.
    const auto before = driver_->stats().requests;
    ASSERT_TRUE(read());
    EXPECT_EQ(driver_->stats().requests - before, 2U);
}

TEST_F(ModbusDriverTest, IllegalAddressIsTriedAgainAndComesBack) {
    simulator_.set_faults({.illegal = {{ModbusArea::kHoldingRegister, 30003, 30004}}});
    connect_to(row(10), {{"illegal_retry_s", "1"}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 8U);
    simulator_.set_faults({});
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (good() < 10) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        ASSERT_TRUE(read());
    }
    ASSERT_TRUE(read());
    const auto before = driver_->stats().requests;
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 10U);
    EXPECT_EQ(driver_->stats().requests - before, 1U);  // coalesced as ever
}

TEST_F(ModbusDriverTest, ADeviceThatTakesFewRegistersAtOnceLosesNoPoint) {
    simulator_.set_faults({.max_quantity = 20});
    connect_to(row(125));
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 125U);
}

TEST_F(ModbusDriverTest, ManyIllegalAddressesAreFoundOverSeveralReads) {
    simulator_.set_faults({.illegal = {{ModbusArea::kHoldingRegister, 30000, 30599}}});
    auto points = row(600);
    points.push_back(point("hr:30600"));
    connect_to(points);
    const auto most = modbus::kSearchRequestsPerRead + modbus::kProbesPerRead + 20;
    for (int scan = 0; scan < 20; ++scan) {
        const auto before = driver_->stats().requests;
        ASSERT_TRUE(read());
        EXPECT_LE(driver_->stats().requests - before, most);
        EXPECT_EQ(samples_[0].code, QualityCode::kIllegalAddress);
        EXPECT_EQ(samples_[599].code, QualityCode::kIllegalAddress);
    }
    EXPECT_EQ(good(), 1U);
    const auto before = driver_->stats().requests;
    ASSERT_TRUE(read());
    EXPECT_EQ(driver_->stats().requests - before, 1U);
}

TEST_F(ModbusDriverTest, ExceptionsAreToldAndLeaveTheConnection) {
    connect_to(row(2));
    simulator_.set_faults({.exception = 4});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[0].quality, Quality::kBad);
    EXPECT_EQ(samples_[0].code, QualityCode::kTimeout);
    EXPECT_EQ(
        driver_->stats().last_refusal,
        fmt::format("modbus 127.0.0.1:{} unit 1: read holding 30000..30001: the device answers exception 4 "
                    "(server device failure)",
                    simulator_.port()));
    simulator_.set_faults({});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 2U);
    EXPECT_TRUE(driver_->stats().last_refusal.empty());
    EXPECT_EQ(simulator_.counters().accepted, 1U);
}

TEST_F(ModbusDriverTest, IllegalFunctionMarksItsPointsWithoutASearch) {
    connect_to(row(100));
    simulator_.set_faults({.exception = 1});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[50].code, QualityCode::kIllegalAddress);
    EXPECT_LE(driver_->stats().requests, 1U + modbus::kProbesPerRead);
}

TEST_F(ModbusDriverTest, EveryExceptionCodeHasAText) {
    for (std::uint8_t code = 1; code <= 11; ++code) {
        if (code == 9) continue;  // not assigned
        EXPECT_EQ(modbus::exception_text(code).find("does not know"), std::string_view::npos) << int{code};
    }
    EXPECT_NE(modbus::exception_text(99).find("does not know"), std::string_view::npos);
}

// --- silence
// -------------------------------------------------------------------------------------------------

TEST_F(ModbusDriverTest, SilenceIsATimeoutOfTheConnection) {
    connect_to(row(300));
    simulator_.set_faults({.reply = ReplyFault::kSilent});
    const auto status = read();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
    EXPECT_EQ(status.error().message,
              fmt::format("modbus 127.0.0.1:{} unit 1: read holding 30000..30124 timed out after 500 ms",
                          simulator_.port()));
    EXPECT_EQ(good(), 0U);
    for (const auto& sample : samples_) EXPECT_EQ(sample.code, QualityCode::kTimeout);
    EXPECT_EQ(driver_->stats().requests, 1U);  // the others would have waited in vain
}

TEST_F(ModbusDriverTest, ASilentUnitDoesNotTakeTheOthersWithIt) {
    simulator_.set_faults({.silent_units = {2}});
    connect_to({point("hr:30000@1"), point("hr:30000@2"), point("hr:30100@2"), point("hr:30000@3")});
    for (int scan = 0; scan < 5; ++scan) {
        ASSERT_TRUE(read());
        EXPECT_EQ(samples_[0].quality, Quality::kGood);
        EXPECT_EQ(samples_[1].code, QualityCode::kTimeout);
        EXPECT_EQ(samples_[2].code, QualityCode::kTimeout);
        EXPECT_EQ(samples_[3].quality, Quality::kGood);
    }
    // Asked with backoff: not in every scan.
    EXPECT_EQ(driver_->stats().timeouts, 1U);
    EXPECT_EQ(simulator_.counters().accepted, 1U);
}

TEST_F(ModbusDriverTest, ASilentUnitComesBack) {
    simulator_.set_faults({.silent_units = {2}});
    connect_to({point("hr:30000@1"), point("hr:30000@2")},
               {{"reconnect_min_ms", "10"}, {"reconnect_max_ms", "50"}});
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 1U);
    simulator_.set_faults({});
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (good() < 2) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        ASSERT_TRUE(read());
    }
}

TEST_F(ModbusDriverTest, ALateAnswerIsNotTakenForTheNextOne) {
    // Unit 2's answer comes while unit 3 is being asked. Both read the same registers, so only the
    // transaction tells them apart.
    connect_to({point("hr:6@2", "float32"), point("hr:6@3", "float32")}, {{"timeout_ms", "300"}});
    ASSERT_TRUE(read());
    simulator_.set_faults({.delay = 450ms});
    const auto status = read();
    // Unit 3 is behind unit 2's late answer and has its own time: it either made it or did not, but never
    // with unit 2's value.
    EXPECT_EQ(samples_[0].code, QualityCode::kTimeout);
    if (samples_[1].quality == Quality::kGood) {
        EXPECT_EQ(driver_->stats().broken_answers, 1U);
        EXPECT_EQ(samples_[1].value, Value{23.0});
    }
    simulator_.set_faults({});
    if (!status) {
        driver_->disconnect();
        ASSERT_TRUE(driver_->connect());
    }
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    do {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline);
        ASSERT_TRUE(read());
        if (samples_[0].quality == Quality::kGood) {
            EXPECT_EQ(samples_[0].value, Value{22.0});
        }
        ASSERT_EQ(samples_[1].value, Value{23.0});
    } while (good() < 2);
}

// --- wrong answers
// -------------------------------------------------------------------------------------------

struct WrongAnswer {
    ReplyFault fault;
    ErrorKind kind;
    const char* says;
};

void PrintTo(const WrongAnswer& answer, std::ostream* out) {
    *out << to_name(answer.fault);
}

class WrongAnswerTest : public ModbusDriverTest, public testing::WithParamInterface<WrongAnswer> {};

TEST_P(WrongAnswerTest, NeverBecomesAGoodValueAndIsOverAfterReconnecting) {
    connect_to(row(10));
    simulator_.set_faults({.reply = GetParam().fault});
    const auto status = read();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, GetParam().kind) << status.error().message;
    EXPECT_NE(status.error().message.find(GetParam().says), std::string::npos) << status.error().message;
    EXPECT_EQ(good(), 0U);
    simulator_.set_faults({});
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 10U);
}

INSTANTIATE_TEST_SUITE_P(
    Faults, WrongAnswerTest,
    testing::Values(WrongAnswer{ReplyFault::kWrongTransaction, ErrorKind::kCorrupt, "is to transaction"},
                    WrongAnswer{ReplyFault::kWrongUnit, ErrorKind::kCorrupt, "is from unit 2, asked was 1"},
                    WrongAnswer{ReplyFault::kWrongFunction, ErrorKind::kCorrupt,
                                "is to function 4, asked was 3"},
                    WrongAnswer{ReplyFault::kWrongProtocol, ErrorKind::kCorrupt, "protocol 1"},
                    WrongAnswer{ReplyFault::kOversizeLength, ErrorKind::kCorrupt, "65535"},
                    WrongAnswer{ReplyFault::kOversizeCount, ErrorKind::kCorrupt, "says 255 bytes"},
                    WrongAnswer{ReplyFault::kTruncate, ErrorKind::kTimeout, "broke off"},
                    WrongAnswer{ReplyFault::kTrickle, ErrorKind::kTimeout, "broke off"},
                    WrongAnswer{ReplyFault::kHalfThenClose, ErrorKind::kUnavailable, "closed the connection"},
                    WrongAnswer{ReplyFault::kDrop, ErrorKind::kUnavailable, "closed the connection"}),
    [](const auto& answer) { return std::string{to_name(answer.param.fault)}; });

TEST_F(ModbusDriverTest, ADoubledAnswerIsNoticedBeforeItIsMistaken) {
    connect_to({point("hr:0", "uint32")});
    simulator_.set_faults({.reply = ReplyFault::kDuplicate, .times = 1});
    ASSERT_TRUE(read());
    EXPECT_EQ(samples_[0].value, Value{std::uint64_t{1}});
    // The second copy lies in wait for the next request.
    const auto status = read();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
    EXPECT_EQ(good(), 0U);
}

TEST_F(ModbusDriverTest, RequestsBeforeAFailureKeepTheirValues) {
    connect_to({point("hr:30000"), point("ir:30000"), point("co:0", "bool")});
    simulator_.set_faults({.reply = ReplyFault::kDrop, .after = 2});
    ASSERT_FALSE(read());
    EXPECT_EQ(good(), 2U);
    EXPECT_EQ(samples_[0].code, QualityCode::kDisconnected);  // holding registers are asked last
    EXPECT_EQ(samples_[0].value, Value{});
}

// --- connecting
// ----------------------------------------------------------------------------------------------

TEST_F(ModbusDriverTest, AServerThatWentAwayIsLostNotWaitedFor) {
    connect_to(row(3));
    simulator_.set_faults({.unplugged = true});
    const auto status = read();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
    for (const auto& sample : samples_) EXPECT_EQ(sample.code, QualityCode::kDisconnected);
    driver_->disconnect();
    const auto refused = driver_->connect();
    ASSERT_FALSE(refused);
    EXPECT_EQ(driver_->failed_step(), ConnectStep::kConnect);
    EXPECT_NE(refused.error().message.find("connection refused"), std::string::npos);
    simulator_.set_faults({});
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read());
    EXPECT_EQ(good(), 3U);
}

TEST_F(ModbusDriverTest, ReadingWithoutAConnectionIsAnError) {
    connect_to(row(1));
    driver_->disconnect();
    EXPECT_FALSE(read());
    EXPECT_EQ(good(), 0U);
}

TEST_F(ModbusDriverTest, InterruptEndsABlockedReadAndStaysUntilDisconnect) {
    simulator_.set_faults({.reply = ReplyFault::kSilent});
    connect_to(row(1), {{"timeout_ms", "600000"}});
    auto blocked = std::async(std::launch::async, [&] { return read(); });
    while (driver_->activity() < 3) std::this_thread::yield();  // connect twice, then the request
    driver_->interrupt();
    ASSERT_EQ(blocked.wait_for(20s), std::future_status::ready);
    EXPECT_FALSE(blocked.get());
    EXPECT_FALSE(read());
    EXPECT_FALSE(driver_->connect());
    simulator_.set_faults({});
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read());
}

TEST_F(ModbusDriverTest, InterruptEndsThePauseBetweenRequests) {
    connect_to({point("hr:30000"), point("ir:30000")}, {{"inter_request_delay_ms", "60000"}});
    auto blocked = std::async(std::launch::async, [&] { return read(); });
    while (driver_->activity() < 4) std::this_thread::yield();
    driver_->interrupt();
    ASSERT_EQ(blocked.wait_for(20s), std::future_status::ready);
    EXPECT_FALSE(blocked.get());
    EXPECT_EQ(good(), 1U);  // the first request was answered before the pause
}

// A listener whose queue is full: connecting to it hangs, as to a host that drops packets.
TEST_F(ModbusDriverTest, InterruptAndTimeoutEndABlockedConnect) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(listener, 0), 0);
    ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
    std::vector<int> fillers;
    for (int i = 0; i < 4; ++i) {
        fillers.push_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        (void)::connect(fillers.back(), reinterpret_cast<sockaddr*>(&address), size);
    }
    DeviceConfig config;
    config.address = fmt::format("127.0.0.1:{}", ntohs(address.sin_port));
    config.options["connect_timeout_ms"] = "100";
    auto driver = std::move(make_driver(config).value());
    const auto late = driver->connect();
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::kTimeout);
    EXPECT_NE(late.error().message.find("no connection within 100 ms"), std::string::npos);

    config.options["connect_timeout_ms"] = "600000";
    driver = std::move(make_driver(config).value());
    auto blocked = std::async(std::launch::async, [&] { return driver->connect(); });
    while (driver->activity() < 1) std::this_thread::yield();
    driver->interrupt();
    ASSERT_EQ(blocked.wait_for(20s), std::future_status::ready);
    EXPECT_FALSE(blocked.get());
    for (const int fd : fillers) close(fd);
    close(listener);
}

TEST_F(ModbusDriverTest, ConnectsByNameAndOverIpv6) {
    config_.address = fmt::format("localhost:{}", simulator_.port());
    config_.points = row(1);
    driver_ = std::move(make_driver(config_).value());
    ASSERT_TRUE(driver_->connect());

    ModbusSimulator sixth{{.host = "::1"}};
    if (!sixth.start()) GTEST_SKIP() << "no IPv6 loopback here";
    config_.address = fmt::format("[::1]:{}", sixth.port());
    driver_ = std::move(make_driver(config_).value());
    ASSERT_TRUE(driver_->connect());
    SampleBatch out;
    ASSERT_TRUE(driver_->read(std::vector<std::uint32_t>{0}, out));
    EXPECT_EQ(out[0].quality, Quality::kGood);
}

TEST_F(ModbusDriverTest, AnUnknownHostFailsAtResolving) {
    DeviceConfig config;
    config.address = "no-such-host.invalid:502";
    auto driver = std::move(make_driver(config).value());
    const auto status = driver->connect();
    ASSERT_FALSE(status);
    EXPECT_EQ(driver->failed_step(), ConnectStep::kResolve);
    EXPECT_NE(status.error().message.find("no-such-host.invalid"), std::string::npos);
}

// select(2) would overrun its fd_set from descriptor 1024 on.
TEST_F(ModbusDriverTest, WorksWithADescriptorBeyondSelect) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit wide = before;
    wide.rlim_cur = std::min<rlim_t>(4096, before.rlim_max);
    if (wide.rlim_cur < 1200) GTEST_SKIP() << "this system allows too few open files";
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &wide), 0);
    std::vector<int> taken;
    while (taken.empty() || taken.back() < 1024) taken.push_back(dup(0));
    connect_to(row(3));
    EXPECT_TRUE(read());
    EXPECT_EQ(good(), 3U);
    driver_.reset();
    for (const int fd : taken) close(fd);
    setrlimit(RLIMIT_NOFILE, &before);
}

// --- bad configuration
// ---------------------------------------------------------------------------------------

TEST(ModbusConfiguration, WhatDoesNotParseIsRefusedBeforeAnyNetwork) {
    const auto refused = [](auto change, std::string_view says) {
        DeviceConfig config;
        config.device_code = "PRESS_1";
        config.address = "127.0.0.1:502";
        config.points.push_back(point("hr:0"));
        change(config);
        const auto made = make_driver(config);
        ASSERT_FALSE(made) << says;
        EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_NE(made.error().message.find("PRESS_1"), std::string::npos) << made.error().message;
        EXPECT_NE(made.error().message.find(says), std::string::npos) << made.error().message;
    };
    refused([](auto& config) { config.address = "host:99999"; }, "port");
    refused([](auto& config) { config.options["timeout_ms"] = "soon"; }, "timeout_ms");
    refused([](auto& config) { config.options["colour"] = "red"; }, "colour");
    refused([](auto& config) { config.points[0].address = "zz:1"; }, "zz:1");
    refused([](auto& config) { config.points.push_back(point("co:1", "float32")); }, "bool only");
    refused([](auto& config) { config.points.push_back(point("hr:65535", "float32")); }, "65535");
    refused(
        [](auto& config) {
            config.points.push_back(point("hr:1", "string(250)"));
            config.options["max_registers"] = "60";
        },
        "max_registers");
    refused([](auto& config) { config.protocol = Protocol::kMqtt; }, "mqtt");
}

}  // namespace
}  // namespace fieldwarden::worker
