// RTU over a pseudo terminal and over TCP: noise, late answers, shared lines, ports that others hold.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <atomic>
#include <barrier>
#include <thread>

#include "tests/unit/acquisition/modbus_transports.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using simulator::modbus::ReplyFault;
using SteadyClock = std::chrono::steady_clock;

// Bad, or this value: anything else was taken from another answer.
void expect_own(const Sample& sample, const Value& value) {
    if (sample.quality == Quality::kGood) {
        EXPECT_EQ(sample.value, value);
    }
}

class RtuTest : public testing::TestWithParam<Transport> {
  protected:
    ModbusClient client(std::vector<PointConfig> points, Options options = {}) {
        ModbusClient made{device_.config(std::move(points), std::move(options))};
        made.connect();
        return made;
    }
    // Reads until every point is good; `each` looks at what comes before.
    template <class Each>
    static void recover(ModbusClient& client, Each each) {
        const auto deadline = SteadyClock::now() + 20s;
        do {
            ASSERT_LT(SteadyClock::now(), deadline);
            (void)client.read_or_reconnect();
            each();
        } while (client.good() < client.samples.size());
    }

    SimulatedModbus device_{GetParam(), {1, 2, 3, 7}};
};

TEST_P(RtuTest, ReadsAllFourAreasOfSeveralSlaves) {
    device_->pin(ModbusArea::kCoil, 3, {1});
    device_->pin(ModbusArea::kDiscreteInput, 3, {0});
    device_->pin(ModbusArea::kInputRegister, 3, {0x1234});
    auto driver = client({modbus_point("co:3@1", "bool"), modbus_point("di:3@2", "bool"),
                          modbus_point("ir:3@3"), modbus_point("hr:6@7", "float32")});
    ASSERT_TRUE(driver.read());
    EXPECT_EQ(driver.samples[0].value, Value{true});
    EXPECT_EQ(driver.samples[1].value, Value{false});
    EXPECT_EQ(driver.samples[2].value, Value{std::uint64_t{0x1234}});
    EXPECT_EQ(driver.samples[3].value, Value{27.0});  // slot 3 holds 20 + unit
}

TEST_P(RtuTest, TheLongestAnswersComeWhole) {
    std::vector<PointConfig> points;
    for (int i = 0; i < 500; ++i) points.push_back(modbus_point(fmt::format("hr:{}", 100 + i)));
    for (int i = 0; i < 2000; ++i) points.push_back(modbus_point(fmt::format("co:{}", i), "bool"));
    auto driver = client(points);
    ASSERT_TRUE(driver.read());
    EXPECT_EQ(driver.good(), points.size());
    EXPECT_EQ(driver.driver->stats().requests, 5U);
}

TEST_P(RtuTest, AWrongChecksumCostsOneAnswerAndNotTheConnection) {
    auto driver = client({modbus_point("hr:30004"), modbus_point("ir:30004")});
    device_->set_faults({.reply = ReplyFault::kWrongCrc, .times = 1});
    ASSERT_TRUE(driver.read());
    EXPECT_EQ(driver.good(), 1U);
    EXPECT_EQ(driver.samples[1].code, QualityCode::kDecode);  // inputs are asked first
    EXPECT_NE(driver.driver->stats().last_refusal.find("checksum is wrong"), std::string::npos);
    EXPECT_EQ(driver.driver->stats().broken_answers, 1U);
    ASSERT_TRUE(driver.read());
    EXPECT_EQ(driver.good(), 2U);
    EXPECT_EQ(device_->counters().accepted, 1U);
}

TEST_P(RtuTest, OnlyWrongChecksumsAreAnError) {
    auto driver = client({modbus_point("hr:30004"), modbus_point("ir:30004"), modbus_point("co:0", "bool")});
    device_->set_faults({.reply = ReplyFault::kWrongCrc});
    const auto status = driver.read();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
    EXPECT_EQ(driver.good(), 0U);
    for (const auto& sample : driver.samples) EXPECT_EQ(sample.code, QualityCode::kDecode);
}

TEST_P(RtuTest, NoiseBeforeTheAnswerDoesNotHideIt) {
    auto driver = client({modbus_point("hr:30004"), modbus_point("ir:30004")});
    device_->set_faults({.reply = ReplyFault::kNoise});
    for (int scan = 0; scan < 3; ++scan) {
        ASSERT_TRUE(driver.read());
        EXPECT_EQ(driver.good(), 2U);
        EXPECT_EQ(driver.samples[0].value, Value{std::uint64_t{30004}});
    }
}

TEST_P(RtuTest, ADoubledAnswerIsDropped) {
    auto driver = client({modbus_point("hr:0", "uint32")});
    device_->set_faults({.reply = ReplyFault::kDuplicate});
    for (std::uint64_t n = 1; n <= 5; ++n) {
        ASSERT_TRUE(driver.read());
        EXPECT_EQ(driver.samples[0].value, Value{n});
    }
    EXPECT_GT(driver.driver->stats().broken_answers, 0U);
}

// The answer of a slave that was given up comes while another one, or the same, is asked. Values tell units
// and offsets apart, the frames' shape does not.
TEST_P(RtuTest, ALateAnswerNeverStandsForAnother) {
    auto driver = client({modbus_point("hr:6@2", "float32"), modbus_point("hr:6@3", "float32")});
    ASSERT_TRUE(driver.read());
    device_->set_faults({.delay = 400ms, .slow_units = {2}});
    for (int scan = 0; scan < 3; ++scan) {
        (void)driver.read();
        expect_own(driver.samples[0], Value{22.0});
        expect_own(driver.samples[1], Value{23.0});
    }
    EXPECT_GT(driver.driver->stats().broken_answers, 0U);
    device_->set_faults({});
    recover(driver, [&] {
        expect_own(driver.samples[0], Value{22.0});
        expect_own(driver.samples[1], Value{23.0});
    });
}

TEST_P(RtuTest, ALateAnswerOfTheSameSlaveDoesNotStandForTheNextRequest) {
    for (const bool knows_echo : {true, false}) {
        // Two requests of one shape to one unit: a late answer to the first fits the second.
        auto driver = client({modbus_point("hr:30004"), modbus_point("hr:40004")});
        simulator::modbus::Faults slow{.delay = 400ms, .slow_units = {1}};
        if (!knows_echo) slow.no_functions = {8};
        device_->set_faults(slow);
        const auto check = [&] {
            expect_own(driver.samples[0], Value{std::uint64_t{30004}});
            expect_own(driver.samples[1], Value{std::uint64_t{40004}});
        };
        for (std::uint32_t scan = 0; scan < 4; ++scan) {
            // By turns, so that the late one is never the one asked for.
            const std::vector<std::uint32_t> due{scan % 2};
            SampleBatch out;
            (void)driver.driver->read(due, out);
            expect_own(out[0], Value{std::uint64_t{scan % 2 == 0 ? 30004U : 40004U}});
        }
        slow.delay = 0ms;
        device_->set_faults(slow);
        recover(driver, check);
        device_->set_faults({});
    }
}

// Three timeouts late: a request that followed two tokens would meet the answer.
TEST_P(RtuTest, ASlaveThatReturnedATokenIsBelievedOnlyBehindATokenHoweverLateItIs) {
    auto driver = client({modbus_point("hr:30004"), modbus_point("hr:40004")});
    device_->set_faults({.reply = ReplyFault::kSilent, .times = 1});
    (void)driver.read();
    recover(driver, [] {});  // by a token
    device_->set_faults({.delay = 1050ms, .slow_units = {1}});
    for (std::uint32_t scan = 0; scan < 6; ++scan) {
        const std::vector<std::uint32_t> due{scan % 2};
        SampleBatch out;
        (void)driver.driver->read(due, out);
        expect_own(out[0], Value{std::uint64_t{scan % 2 == 0 ? 30004U : 40004U}});
    }
    device_->set_faults({});
    recover(driver, [&] {
        expect_own(driver.samples[0], Value{std::uint64_t{30004}});
        expect_own(driver.samples[1], Value{std::uint64_t{40004}});
    });
}

TEST_P(RtuTest, ASlaveThatIgnoresTheEchoComesBackAllTheSame) {
    auto driver = client({modbus_point("hr:30004")});
    device_->set_faults({.reply = ReplyFault::kSilent, .times = 1, .silent_functions = {8}});
    EXPECT_FALSE(driver.read());
    recover(driver, [] {});
    EXPECT_EQ(driver.samples[0].value, Value{std::uint64_t{30004}});
}

TEST_P(RtuTest, HalfAnAnswerIsNoneAndTheNextOneIsWhole) {
    auto driver = client({modbus_point("hr:30004"), modbus_point("hr:30004@2")});
    device_->set_faults({.reply = ReplyFault::kTruncate, .times = 1});
    ASSERT_TRUE(driver.read());
    EXPECT_EQ(driver.samples[0].code, QualityCode::kDecode);
    EXPECT_EQ(driver.samples[1].quality, Quality::kGood);
    recover(driver, [] {});
}

TEST_P(RtuTest, AnswersOfOtherUnitsAndFunctionsAreWaitedThrough) {
    for (const auto fault : {ReplyFault::kWrongUnit, ReplyFault::kWrongFunction, ReplyFault::kOversizeCount,
                             ReplyFault::kTrickle}) {
        auto driver = client({modbus_point("hr:30004")}, {{"timeout_ms", "150"}});
        // Trickled, the seven bytes take 300 ms.
        device_->set_faults({.reply = fault});
        EXPECT_FALSE(driver.read()) << to_name(fault);
        EXPECT_EQ(driver.good(), 0U);
        device_->set_faults({});
        recover(driver, [] {});
        EXPECT_EQ(driver.samples[0].value, Value{std::uint64_t{30004}});
    }
}

TEST_P(RtuTest, ASilentSlaveDoesNotTakeTheOthersWithIt) {
    auto driver = client({modbus_point("hr:30004@1"), modbus_point("hr:30004@5"), modbus_point("hr:30004@7")},
                         {{"reconnect_min_ms", "60000"}, {"reconnect_max_ms", "60000"}});
    for (int scan = 0; scan < 5; ++scan) {
        ASSERT_TRUE(driver.read());
        EXPECT_EQ(driver.samples[0].quality, Quality::kGood);
        EXPECT_EQ(driver.samples[1].code, QualityCode::kTimeout);
        EXPECT_EQ(driver.samples[2].quality, Quality::kGood);
    }
    EXPECT_EQ(driver.driver->stats().timeouts, 1U);
}

TEST_P(RtuTest, UnpluggedAndBack) {
    auto driver = client({modbus_point("hr:30004")});
    for (int round = 0; round < 3; ++round) {
        ASSERT_TRUE(driver.read());
        device_->set_faults({.unplugged = true});
        const auto status = driver.read();
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable) << status.error().message;
        EXPECT_EQ(driver.driver->stats().lost_connections, static_cast<unsigned>(round + 1));
        driver.driver->disconnect();
        EXPECT_FALSE(driver.driver->connect());
        driver.driver->disconnect();
        device_->set_faults({});
        driver.connect();
    }
}

TEST_P(RtuTest, UnpluggedWhileWaitingForAnAnswer) {
    auto driver = client({modbus_point("hr:30004")}, {{"timeout_ms", "600000"}});
    device_->set_faults({.reply = ReplyFault::kSilent});
    const auto before = device_->counters().requests;
    std::thread plug{[&] {
        while (device_->counters().requests == before) std::this_thread::yield();
        device_->set_faults({.unplugged = true});
    }};
    const auto status = driver.read();
    plug.join();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
}

TEST_P(RtuTest, ThePauseBetweenRequestsIsKept) {
    auto driver = client({modbus_point("hr:30004"), modbus_point("ir:30004"), modbus_point("co:0", "bool")},
                         {{"inter_request_delay_ms", "40"}});
    const auto begun = SteadyClock::now();
    ASSERT_TRUE(driver.read());
    EXPECT_GE(SteadyClock::now() - begun, 80ms);
    EXPECT_EQ(driver.good(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Transports, RtuTest, testing::Values(Transport::kRtuTcp, Transport::kSerial),
                         testing::PrintToStringParamName());

// --- one line, several devices
// ------------------------------------------------------------------------------

class SharedLineTest : public testing::Test {
  protected:
    SimulatedModbus device_{Transport::kSerial, {1, 2, 3, 4}};
};

TEST_F(SharedLineTest, DevicesOnThreadsOfTheirOwnTakeTurns) {
    constexpr int kScans = 60;
    std::vector<std::thread> threads;
    std::atomic<int> good = 0, wrong = 0;
    std::barrier together{4};
    for (int unit = 1; unit <= 4; ++unit) {
        threads.emplace_back([&, unit] {
            ModbusClient client{device_.config(
                {modbus_point("hr:6", "float32"), modbus_point(fmt::format("hr:{}", 30004 + 100 * unit))},
                {{"unit_id", std::to_string(unit)}, {"timeout_ms", "5000"}})};
            client.connect();
            together.arrive_and_wait();
            for (int scan = 0; scan < kScans; ++scan) {
                if (!client.read()) ++wrong;
                const bool right =
                    client.samples[0].value == Value{20.0 + unit} &&
                    client.samples[1].value == Value{static_cast<std::uint64_t>(30004 + 100 * unit)};
                ++(right ? good : wrong);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(good, 4 * kScans);
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(device_->counters().accepted, 1U);
}

TEST_F(SharedLineTest, ASilentDeviceDelaysTheOthersByOneRequestAtATime) {
    device_->set_faults({.silent_units = {1}});
    std::atomic<bool> over = false;
    std::atomic<unsigned> silent_reads = 0;
    std::thread silent{[&] {
        ModbusClient client{device_.config({modbus_point("hr:30004")}, {{"timeout_ms", "100"}})};
        client.connect();
        while (!over) {
            (void)client.read_or_reconnect();
            ++silent_reads;
        }
    }};
    ModbusClient lively{device_.config({modbus_point("hr:30004")}, {{"unit_id", "2"}})};
    lively.connect();
    unsigned scans = 0;
    while (silent_reads < 10) {
        ASSERT_TRUE(lively.read());
        ASSERT_EQ(lively.good(), 1U);
        ++scans;
    }
    over = true;
    silent.join();
    // Turns alternate: one request of this device between any two of the silent one.
    EXPECT_GE(scans, 8U);
}

TEST_F(SharedLineTest, TheLongestWaitForATurnShowsActivity) {
    device_->set_faults({.silent_units = {1}});
    ModbusClient holder{device_.config({modbus_point("hr:30004")}, {{"timeout_ms", "600000"}})};
    ModbusClient waiter{device_.config({modbus_point("hr:30004")}, {{"unit_id", "2"}})};
    holder.connect();
    waiter.connect();
    const auto seen = waiter.driver->activity();
    std::thread blocked{[&] { EXPECT_FALSE(holder.read()); }};
    // The other device's request shows here too.
    while (waiter.driver->activity() == seen) std::this_thread::yield();
    Status waited;
    std::thread waiting{[&] { waited = waiter.read(); }};
    waiter.driver->interrupt();  // while it waits for its turn, or before
    waiting.join();
    EXPECT_FALSE(waited);
    holder.driver->interrupt();
    blocked.join();
    // Both may use the line again.
    for (auto* client : {&holder, &waiter}) {
        client->driver->disconnect();
        client->connect();
    }
    ASSERT_TRUE(waiter.read());
    EXPECT_EQ(waiter.good(), 1U);
}

TEST_F(SharedLineTest, LosingTheLineIsSeenByEveryDevice) {
    ModbusClient one{device_.config({modbus_point("hr:30004")})};
    ModbusClient two{device_.config({modbus_point("hr:30004")}, {{"unit_id", "2"}})};
    one.connect();
    two.connect();
    device_->set_faults({.unplugged = true});
    EXPECT_FALSE(one.read());
    EXPECT_FALSE(two.read());
    one.driver->disconnect();
    device_->set_faults({});
    one.connect();
    ASSERT_TRUE(one.read());
    EXPECT_FALSE(two.read());  // its connection was the other one
    two.driver->disconnect();
    two.connect();
    ASSERT_TRUE(two.read());
    one.driver->disconnect();
    ASSERT_TRUE(two.read());
}

TEST_F(SharedLineTest, DevicesOfOneLineHaveOneSetOfSettings) {
    ModbusClient one{device_.config({modbus_point("hr:30004")})};
    one.connect();
    ModbusClient two{device_.config({modbus_point("hr:30004")}, {{"baud_rate", "9600"}, {"parity", "none"}})};
    const auto status = two.driver->connect();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kConflict);
    EXPECT_NE(
        status.error().message.find("115200 baud, even parity, 1 stop bit, this one wants 9600 baud, no "
                                    "parity"),
        std::string::npos)
        << status.error().message;
    one.driver->disconnect();
    two.connect();
    ASSERT_TRUE(two.read());
}

TEST_F(SharedLineTest, OneLineUnderTwoNamesIsOneLine) {
    const auto other_name = device_.address() + "-other";
    ASSERT_EQ(symlink(device_.address().c_str(), other_name.c_str()), 0);
    ModbusClient one{device_.config({modbus_point("hr:30004")})};
    auto config = device_.config({modbus_point("hr:30004")}, {{"unit_id", "2"}});
    config.address = other_name;
    ModbusClient two{config};
    one.connect();
    two.connect();
    EXPECT_TRUE(one.read());
    EXPECT_TRUE(two.read());
    unlink(other_name.c_str());
}

TEST_F(SharedLineTest, AnotherProcessIsToldToShareATask) {
    int ready[2], done[2];
    ASSERT_EQ(pipe(ready), 0);
    ASSERT_EQ(pipe(done), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        // Another task's worker: the same lock, in another process.
        const int fd = open(device_.address().c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK);
        const char told = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? 'y' : 'n';
        [[maybe_unused]] const auto written = write(ready[1], &told, 1);
        char end = 0;
        [[maybe_unused]] const auto waited = read(done[0], &end, 1);
        _exit(0);
    }
    char locked = 0;
    ASSERT_EQ(read(ready[0], &locked, 1), 1);
    ASSERT_EQ(locked, 'y');
    ModbusClient client{device_.config({modbus_point("hr:30004")})};
    const auto status = client.driver->connect();
    ASSERT_EQ(write(done[1], "x", 1), 1);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    for (const int fd : {ready[0], ready[1], done[0], done[1]}) close(fd);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kConflict);
    EXPECT_NE(status.error().message.find("put all devices of one line into one task"), std::string::npos);
    // Free again with the other process' end.
    client.driver->disconnect();
    client.connect();
    EXPECT_TRUE(client.read());
}

// --- configuration and ports
// --------------------------------------------------------------------------------

TEST(RtuConfiguration, WhatCannotBeIsRefused) {
    const auto refused = [](std::string address, Options options, std::string point_address,
                            std::string_view says) {
        DeviceConfig config;
        config.device_code = "PRESS_1";
        config.protocol = Protocol::kModbusRtu;
        config.address = std::move(address);
        config.options = std::move(options);
        config.points.push_back(modbus_point(std::move(point_address)));
        const auto made = make_driver(config);
        ASSERT_FALSE(made) << says;
        EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_NE(made.error().message.find("PRESS_1"), std::string::npos);
        EXPECT_NE(made.error().message.find(says), std::string::npos) << made.error().message;
    };
    refused("COM1", {}, "hr:0", "/dev/ttyUSB0");
    refused("host:99999", {}, "hr:0", "host:port");
    refused("/dev/ttyS0", {{"baud_rate", "fast"}}, "hr:0", "baud_rate");
    refused("/dev/ttyS0", {{"data_bits", "7"}}, "hr:0", "data_bits");
    refused("/dev/ttyS0", {{"unit_id", "0"}}, "hr:0", "unit id 0");
    refused("/dev/ttyS0", {}, "hr:0@0", "unit id 0");
    refused("/dev/ttyS0", {}, "zz:0", "zz:0");
}

TEST(RtuConfiguration, WhatIsNoPortSaysSo) {
    const auto connecting = [](std::string address) {
        DeviceConfig config;
        config.protocol = Protocol::kModbusRtu;
        config.address = std::move(address);
        return std::move(make_driver(config).value())->connect();
    };
    const auto missing = connecting("/dev/fieldwarden-no-such-port");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::kUnavailable);
    EXPECT_NE(missing.error().message.find("/dev/fieldwarden-no-such-port: there is no such port"),
              std::string::npos);
    const auto other = connecting("/dev/null");
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().kind, ErrorKind::kIo);
    EXPECT_NE(other.error().message.find("no serial port"), std::string::npos) << other.error().message;
}

}  // namespace
}  // namespace fieldwarden::worker
