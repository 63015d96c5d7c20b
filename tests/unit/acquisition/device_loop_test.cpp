// The device loop with a scripted driver, and once more over real sockets with the simulator.
#include "worker/device_loop.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "tests/simulator/modbus/modbus_simulator.h"
#include "tests/unit/acquisition/scripted_device.h"

namespace fieldwarden::worker {
namespace {

TEST_F(DeviceLoopTest, DeliversScanAfterScan) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& samples) { return samples.size() >= 10; }));
    loop->stop();
    const auto samples = catcher_.samples();
    EXPECT_EQ(samples[0].point, 10U);
    EXPECT_EQ(samples[1].point, 11U);
    EXPECT_EQ(samples[2].value, Value{std::uint64_t{2}});
    const auto snapshot = loop->snapshot();
    EXPECT_EQ(snapshot.points_read, samples.size());
    EXPECT_EQ(snapshot.points_good, samples.size());
    EXPECT_EQ(snapshot.cycles * 2, samples.size());
    EXPECT_EQ(snapshot.progress.points_ok, 2U);
    EXPECT_EQ(snapshot.progress.points_total, 2U);
    EXPECT_EQ(snapshot.connection.device_ip, "127.0.0.1");
    EXPECT_EQ(snapshot.connection.device_port, 502);
    EXPECT_TRUE(snapshot.last_good_time);
    EXPECT_EQ(catcher_.logged("warning"), 0U);
}

TEST_F(DeviceLoopTest, StartFailsOnAConfigurationTheDriverRefuses) {
    DeviceLoop loop{device(),
                    5ms,
                    {},
                    [](const DeviceConfig&) -> Result<std::unique_ptr<Driver>> {
                        return make_error(ErrorKind::kInvalidArgument, "no");
                    },
                    system_clock()};
    EXPECT_FALSE(loop.start(false));
    EXPECT_FALSE(loop.acquire_once(1s));
    loop.reset_connection();
    loop.stop();
}

TEST_F(DeviceLoopTest, UnreachableDeviceGivesBadQualityOncePerChange) {
    script_.reachable = false;
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().cycles > 20; }));
    EXPECT_EQ(catcher_.samples().size(), 2U);
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kDisconnected), 2U);
    EXPECT_GE(catcher_.live(), 40U);  // the live view is told every time
    EXPECT_FALSE(loop->snapshot().connection.is_connected);
    script_.set([](auto& s) { s.reachable = true; });
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return with_code(s, QualityCode::kNone) >= 2; }));
    ASSERT_TRUE(catcher_.wait_log("answers again after"));
    loop->stop();
    // Told once, although it was tried many times.
    EXPECT_EQ(catcher_.logged("connection refused; reconnecting in"), 1U);
    EXPECT_EQ(catcher_.logged("warning"), 1U);
}

TEST_F(DeviceLoopTest, TimeoutsAreTimeoutsAndTheConnectionIsMadeAnew) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 4; }));
    EXPECT_TRUE(loop->snapshot().connection.is_connected);
    const auto version = loop->snapshot().connection_version;
    script_.set([](auto& s) { s.read_error = make_error(ErrorKind::kTimeout, "scripted: read timed out"); });
    ASSERT_TRUE(eventually([&] { return loop->snapshot().connection.connection_errors >= 3; }));
    const auto away = loop->snapshot();
    EXPECT_FALSE(away.connection.is_connected);
    EXPECT_GT(away.connection_version, version);
    EXPECT_NE(away.connection.last_error.find("in a row); reconnecting in"), std::string::npos)
        << away.connection.last_error;
    EXPECT_EQ(away.progress.points_ok, 0U);
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kTimeout), 2U);
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kDisconnected), 0U);
    script_.set([](auto& s) { s.read_error.reset(); });
    ASSERT_TRUE(eventually([&] { return loop->snapshot().connection.is_connected; }));
    EXPECT_TRUE(loop->snapshot().connection.last_error.empty());
    loop->stop();
    EXPECT_FALSE(loop->snapshot().connection.is_connected);
}

TEST_F(DeviceLoopTest, AConnectionClosedWhileIdleIsOpenedAgainWithinTheScan) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 4; }));
    script_.set([](auto& s) { s.lose_reads = 1; });
    ASSERT_TRUE(script_.wait([](const auto& s) { return s.connects == 2; }));
    ASSERT_TRUE(
        eventually([&, at = catcher_.samples().size()] { return catcher_.samples().size() > at + 4; }));
    loop->stop();
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kNone), catcher_.samples().size());
    EXPECT_EQ(catcher_.logged("warning"), 0U);
}

TEST_F(DeviceLoopTest, AConnectionLostTwiceInAScanIsAnOutage) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 4; }));
    script_.set([](auto& s) { s.lose_reads = 2; });
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return with_code(s, QualityCode::kDisconnected) == 2; }));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.back().quality == Quality::kGood; }));
    loop->stop();
    EXPECT_EQ(catcher_.logged("connection lost; reconnecting in"), 1U);
}

TEST_F(DeviceLoopTest, StopInterruptsABlockedRead) {
    script_.blocked = true;
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(script_.wait([](const auto& s) { return s.entered == 1; }));  // connect hangs
    loop->stop();
    EXPECT_TRUE(catcher_.samples().empty());

    script_.blocked = false;
    loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 2; }));
    script_.set([](auto& s) { s.blocked = true; });
    const auto before = script_.calls();
    ASSERT_TRUE(script_.wait([&](const auto& s) { return s.entered > before; }));
    loop->stop();
    // The scan that was broken off is no news about the device.
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kNone), catcher_.samples().size());
}

TEST_F(DeviceLoopTest, PauseHoldsTheScansAndKeepsTheConnection) {
    auto loop = make();
    ASSERT_TRUE(loop->start(true));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().connection.is_connected; }));
    const auto ticks = loop->snapshot().loop_ticks;
    ASSERT_TRUE(eventually([&] { return loop->snapshot().loop_ticks > ticks + 1; }));
    EXPECT_EQ(loop->snapshot().cycles, 0U);
    loop->resume();
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 4; }));
    loop->pause();
    const auto now = std::chrono::steady_clock::now();
    ASSERT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > now + 600ms; }));
    const auto cycles = loop->snapshot().cycles;
    const auto missed = loop->snapshot().missed_cycles;
    const auto paused_ticks = loop->snapshot().loop_ticks;
    ASSERT_TRUE(eventually([&] { return loop->snapshot().loop_ticks > paused_ticks; }));
    EXPECT_EQ(loop->snapshot().cycles, cycles);
    script_.set([](auto& s) { EXPECT_EQ(s.connects, 1U); });
    loop->resume();
    ASSERT_TRUE(eventually([&] { return loop->snapshot().cycles > cycles; }));
    EXPECT_LE(loop->snapshot().missed_cycles, missed + 50);  // the pause itself (120 periods) is not missed
    loop->stop();
}

TEST_F(DeviceLoopTest, AcquireOnceReadsAllPointsAlsoWhilePaused) {
    auto config = device(3);
    config.points[2].period = 1h;
    config.points[1].scale = 0.5;
    auto loop = make(config, 1h);
    ASSERT_TRUE(loop->start(true));
    const auto samples = loop->acquire_once(kPatience);
    ASSERT_TRUE(samples) << samples.error().message;
    ASSERT_EQ(samples->size(), 3U);
    EXPECT_EQ((*samples)[0].value, Value{std::uint64_t{1}});
    EXPECT_EQ((*samples)[1].value, Value{0.5});
    EXPECT_EQ((*samples)[2].quality, Quality::kGood);
    EXPECT_TRUE(catcher_.samples().empty());
    loop->stop();
    EXPECT_FALSE(loop->acquire_once(1s));
}

TEST_F(DeviceLoopTest, AcquireOnceOfAnAbsentDeviceIsBadAndOfABusyOneTimesOut) {
    script_.reachable = false;
    auto loop = make(device(), 1h);
    ASSERT_TRUE(loop->start(true));
    const auto samples = loop->acquire_once(kPatience);
    ASSERT_TRUE(samples);
    ASSERT_EQ(samples->size(), 2U);
    EXPECT_EQ((*samples)[0].code, QualityCode::kDisconnected);
    script_.set([](auto& s) { s.blocked = true; });
    const auto late = loop->acquire_once(50ms);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::kTimeout);
    loop->stop();
}

TEST_F(DeviceLoopTest, StopAnswersThoseWhoWait) {
    script_.blocked = true;
    auto loop = make(device(), 1h);
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(script_.wait([](const auto& s) { return s.entered == 1; }));
    auto waiting = std::async(std::launch::async, [&] { return loop->acquire_once(1h); });
    loop->stop();
    ASSERT_EQ(waiting.wait_for(kPatience), std::future_status::ready);
    const auto answer = waiting.get();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::kUnavailable);
}

TEST_F(DeviceLoopTest, NewPeriodTakesEffectAtOnce) {
    auto loop = make(device(), 1h);
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() == 2; }));
    loop->set_period(5ms);
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 10; }));
    loop->stop();
}

TEST_F(DeviceLoopTest, ResetConnectionReconnectsAndIsNoFailure) {
    auto loop = make(device(), 1h);
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() == 2; }));
    loop->reset_connection();
    ASSERT_TRUE(script_.wait([](const auto& s) { return s.connects == 2 && s.connected; }));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().connection.is_connected; }));
    EXPECT_EQ(loop->snapshot().connection.connection_errors, 0U);
    loop->stop();
    EXPECT_EQ(catcher_.samples().size(), 2U);
}

TEST_F(DeviceLoopTest, ResetConnectionFreesABlockedRead) {
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 2; }));
    script_.set([](auto& s) { s.blocked = true; });
    const auto before = script_.calls();
    ASSERT_TRUE(script_.wait([&](const auto& s) { return s.entered > before; }));
    script_.set([](auto& s) { s.blocked = false; });
    loop->reset_connection();
    ASSERT_TRUE(script_.wait([](const auto& s) { return s.connects == 2; }));
    const auto have = catcher_.samples().size();
    ASSERT_TRUE(catcher_.wait([&](const auto& s) { return s.size() >= have + 4; }));
    loop->stop();
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kNone), catcher_.samples().size());
}

TEST_F(DeviceLoopTest, CycleLimitPausesTheLoopAndTellsOnce) {
    auto loop = make();
    std::atomic<int> told = 0;
    loop->set_cycle_limit(3, [&] { ++told; });
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(eventually([&] { return told == 1; }));
    const auto ticks = loop->snapshot().loop_ticks;
    ASSERT_TRUE(eventually([&] { return loop->snapshot().loop_ticks > ticks + 1; }));
    EXPECT_EQ(loop->snapshot().cycles, 3U);
    EXPECT_EQ(catcher_.samples().size(), 6U);
    loop->stop();
    EXPECT_EQ(told, 1);
}

TEST_F(DeviceLoopTest, TicksMoveDuringALongReadAndStandStillInAHang) {
    auto config = device();
    config.options["timeout_ms"] = "10";
    config.options["connect_timeout_ms"] = "10";
    auto loop = make(config);
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait([](const auto& s) { return s.size() >= 2; }));
    script_.set([](auto& s) { s.blocked = true; });
    const auto before = script_.calls();
    ASSERT_TRUE(script_.wait([&](const auto& s) { return s.entered > before; }));
    // Within the driver's time: the loop lives.
    const auto ticks = loop->snapshot().loop_ticks;
    EXPECT_GT(loop->snapshot().loop_ticks, ticks);
    // Past it (10 ms and the slack): it hangs, and shows it.
    ASSERT_TRUE(eventually([&] {
        const auto first = loop->snapshot().loop_ticks;
        return loop->snapshot().loop_ticks == first;
    }));
    const auto stuck = loop->snapshot().loop_ticks;
    EXPECT_EQ(loop->snapshot().loop_ticks, stuck);
    loop->stop();
}

TEST_F(DeviceLoopTest, PointsThatTurnBadAreNamedOnceInTheLog) {
    script_.point_code = QualityCode::kIllegalAddress;
    auto loop = make();
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(catcher_.wait_log("1 point became bad (illegal_address): P0"));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().cycles > 10; }));
    loop->stop();
    EXPECT_EQ(catcher_.logged("illegal_address"), 1U);
    EXPECT_EQ(with_code(catcher_.samples(), QualityCode::kIllegalAddress), 1U);
    EXPECT_EQ(loop->snapshot().progress.points_ok, 1U);
}

TEST_F(DeviceLoopTest, DeadbandHoldsBackWhatTheLiveViewStillSees) {
    auto config = device(1);
    config.points[0].deadband = 1e9;
    auto loop = make(config);
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().cycles >= 5; }));
    loop->stop();
    EXPECT_EQ(catcher_.samples().size(), 1U);
    EXPECT_GE(catcher_.live(), 5U);
    EXPECT_GE(loop->snapshot().points_good, 5U);
}

TEST_F(DeviceLoopTest, ADeviceWithoutPointsConnectsAndRests) {
    auto loop = make(device(0));
    ASSERT_TRUE(loop->start(false));
    ASSERT_TRUE(eventually([&] { return loop->snapshot().connection.is_connected; }));
    const auto samples = loop->acquire_once(kPatience);
    ASSERT_TRUE(samples);
    EXPECT_TRUE(samples->empty());
    loop->stop();
}

// --- over real sockets
// ---------------------------------------------------------------------------------------

// The simulator's counter counts reads. Every value between the first and the last that was read must be
// there, in order and once: nothing lost, nothing twice.
TEST(DeviceLoopOverSockets, CounterIsCompleteThroughAnUnpluggedCable) {
    simulator::modbus::ModbusSimulator simulator;
    ASSERT_TRUE(simulator.start());
    auto config = device(0);
    config.address = fmt::format("127.0.0.1:{}", simulator.port());
    PointConfig counter;
    counter.id = 1;
    counter.address = "hr:0";
    counter.data_type = {BaseType::kUint32, 0};
    config.points.push_back(counter);
    Catcher catcher;
    DeviceLoop loop{config, 2ms, catcher.events(), make_driver, system_clock()};
    ASSERT_TRUE(loop.start(false));
    const auto good = [](const SampleBatch& samples) { return with_code(samples, QualityCode::kNone); };
    ASSERT_TRUE(catcher.wait([&](const auto& s) { return good(s) >= 20; }));
    simulator.set_faults({.unplugged = true});
    ASSERT_TRUE(catcher.wait([&](const auto& s) { return with_code(s, QualityCode::kDisconnected) >= 1; }));
    simulator.set_faults({});
    const auto before = good(catcher.samples());
    ASSERT_TRUE(catcher.wait([&](const auto& s) { return good(s) >= before + 20; }));
    loop.stop();

    std::uint64_t last = 0;
    std::size_t bad = 0;
    for (const auto& sample : catcher.samples()) {
        if (sample.quality == Quality::kBad) {
            ++bad;
            EXPECT_EQ(sample.value, Value{});
            continue;
        }
        const auto value = std::get<std::uint64_t>(sample.value);
        // Across the outage at most the one read that was under way when the cable went is missing.
        EXPECT_GE(value, last + 1);
        EXPECT_LE(value, last + (bad == 0 ? 1U : 2U));
        last = value;
    }
    EXPECT_GE(bad, 1U);
}

TEST(DeviceLoopOverSockets, ADeviceThatClosesIdleConnectionsLosesNoScan) {
    simulator::modbus::ModbusSimulator simulator;
    ASSERT_TRUE(simulator.start());
    auto config = device(3);
    config.address = fmt::format("127.0.0.1:{}", simulator.port());
    Catcher catcher;
    DeviceLoop loop{config, 20ms, catcher.events(), make_driver, system_clock()};
    ASSERT_TRUE(loop.start(false));
    for (std::size_t round = 1; round <= 5; ++round) {
        ASSERT_TRUE(catcher.wait([&](const auto& s) { return s.size() >= round * 6; }));
        simulator.drop_connections();
    }
    loop.stop();
    EXPECT_EQ(with_code(catcher.samples(), QualityCode::kNone), catcher.samples().size());
    EXPECT_GE(simulator.counters().accepted, 4U);
}

TEST(DeviceLoopOverSockets, ManyDevicesOneAbsent) {
    simulator::modbus::SimulatorOptions options;
    options.ports.assign(20, 0);
    simulator::modbus::ModbusSimulator simulator{options};
    ASSERT_TRUE(simulator.start());
    simulator.set_faults({.unplugged = true}, 7);
    simulator.set_faults({.reply = simulator::modbus::ReplyFault::kSilent}, 8);
    std::vector<std::unique_ptr<Catcher>> catchers;
    std::vector<std::unique_ptr<DeviceLoop>> loops;
    for (std::size_t i = 0; i < 20; ++i) {
        auto config = device(10);
        config.address = fmt::format("127.0.0.1:{}", simulator.port(i));
        catchers.push_back(std::make_unique<Catcher>());
        loops.push_back(std::make_unique<DeviceLoop>(config, 10ms, catchers.back()->events(), make_driver,
                                                     system_clock()));
        ASSERT_TRUE(loops.back()->start(false));
    }
    for (std::size_t i = 0; i < 20; ++i) {
        if (i == 7 || i == 8) continue;
        EXPECT_TRUE(catchers[i]->wait([&](const auto& s) { return with_code(s, QualityCode::kNone) >= 50; }));
    }
    EXPECT_TRUE(
        catchers[7]->wait([&](const auto& s) { return with_code(s, QualityCode::kDisconnected) == 10; }));
    EXPECT_TRUE(catchers[8]->wait([&](const auto& s) { return with_code(s, QualityCode::kTimeout) == 10; }));
    for (auto& loop : loops) loop->stop();
    EXPECT_EQ(with_code(catchers[7]->samples(), QualityCode::kNone), 0U);
    EXPECT_EQ(with_code(catchers[8]->samples(), QualityCode::kNone), 0U);
}

}  // namespace
}  // namespace fieldwarden::worker
