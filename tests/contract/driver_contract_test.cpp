// What worker/drivers/driver.h promises, asked of every driver. A new driver is one more DeviceUnderTest and
// one line at the end.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <future>
#include <numeric>

#include "tests/simulator/mc/mc_simulator.h"
#include "tests/simulator/mc/memory.h"
#include "tests/simulator/modbus/modbus_simulator.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

// A simulated device of one protocol, with kPoints points that are good unless it is told otherwise.
class DeviceUnderTest {
  public:
    static constexpr std::uint32_t kPoints = 40;
    virtual ~DeviceUnderTest() = default;
    // kPoints points with ids 1000 and up; short timeouts. The last one is text that is no UTF-8.
    virtual DeviceConfig config() = 0;
    virtual void unplug() = 0;
    virtual void silence() = 0;
    virtual void forbid(std::uint32_t point) = 0;  // this address does not exist
    virtual void heal() = 0;
    virtual std::uint64_t connections_accepted() = 0;
};

class ModbusDevice : public DeviceUnderTest {
  public:
    DeviceConfig config() override {
        DeviceConfig config;
        config.device_code = "CONTRACT";
        config.options["timeout_ms"] = "500";
        describe(config);
        for (std::uint32_t i = 0; i < kPoints; ++i) {
            PointConfig point;
            point.id = 1000 + i;
            point.point_code = fmt::format("P{}", i);
            point.address = fmt::format("hr:{}", 30000 + i);
            point.data_type =
                i + 1 == kPoints ? DataType{BaseType::kString, 2} : DataType{BaseType::kUint16, 0};
            config.points.push_back(point);
        }
        return config;
    }
    void unplug() override { simulator_.set_faults({.unplugged = true}); }
    void silence() override { simulator_.set_faults({.reply = simulator::modbus::ReplyFault::kSilent}); }
    void forbid(std::uint32_t point) override {
        const auto offset = static_cast<std::uint16_t>(30000 + point);
        simulator_.set_faults({.illegal = {{ModbusArea::kHoldingRegister, offset, offset}}});
    }
    void heal() override { simulator_.set_faults({}); }
    std::uint64_t connections_accepted() override { return simulator_.counters().accepted; }

  protected:
    explicit ModbusDevice(simulator::modbus::SimulatorOptions options) : simulator_(std::move(options)) {
        EXPECT_TRUE(simulator_.start());
        simulator_.pin(ModbusArea::kHoldingRegister, 30000 + kPoints - 1, {0xFF41});
    }
    // Protocol and address.
    virtual void describe(DeviceConfig& config) = 0;

    simulator::modbus::ModbusSimulator simulator_;
};

class ModbusTcpDevice final : public ModbusDevice {
  public:
    ModbusTcpDevice() : ModbusDevice({}) {}
    void describe(DeviceConfig& config) override {
        config.protocol = Protocol::kModbusTcp;
        config.address = fmt::format("127.0.0.1:{}", simulator_.port());
    }
};

class ModbusRtuTcpDevice final : public ModbusDevice {
  public:
    ModbusRtuTcpDevice() : ModbusDevice({.ports = {}, .rtu_ports = {0}}) {}
    void describe(DeviceConfig& config) override {
        config.protocol = Protocol::kModbusRtu;
        config.address = fmt::format("127.0.0.1:{}", simulator_.port());
    }
};

// On a pseudo terminal.
class ModbusRtuDevice final : public ModbusDevice {
  public:
    ModbusRtuDevice() : ModbusDevice({.ports = {}, .serial = {path()}}) {}
    void describe(DeviceConfig& config) override {
        config.protocol = Protocol::kModbusRtu;
        config.address = path();
        config.options["baud_rate"] = "115200";
    }
    // A line knows no connections: only what was asked shows that somebody came.
    std::uint64_t connections_accepted() override { return simulator_.counters().requests; }

  private:
    static std::string path() {
        return testing::TempDir() + fmt::format("fieldwarden-contract-{}", getpid());
    }
};

class McDevice final : public DeviceUnderTest {
  public:
    McDevice(std::string frame, std::string encoding)
        : frame_(std::move(frame)), encoding_(std::move(encoding)), simulator_(options_for(frame_)) {
        EXPECT_TRUE(simulator_.start());
        simulator_.set("D", kFirst + kPoints - 1, {0x41FF});  // the first letter in the low byte
    }
    DeviceConfig config() override {
        DeviceConfig config;
        config.device_code = "CONTRACT";
        config.protocol = Protocol::kMitsubishiMc;
        config.address = fmt::format("127.0.0.1:{}", simulator_.port());
        config.options = {{"timeout_ms", "500"}, {"frame", frame_}, {"encoding", encoding_}};
        for (std::uint32_t i = 0; i < kPoints; ++i) {
            PointConfig point;
            point.id = 1000 + i;
            point.point_code = fmt::format("P{}", i);
            point.address = fmt::format("D{}", kFirst + i);
            point.data_type =
                i + 1 == kPoints ? DataType{BaseType::kString, 2} : DataType{BaseType::kUint16, 0};
            config.points.push_back(point);
        }
        return config;
    }
    void unplug() override { simulator_.set_faults({.unplugged = true}); }
    void silence() override { simulator_.set_faults({.reply = simulator::ReplyFault::kSilent}); }
    void forbid(std::uint32_t point) override {
        simulator_.set_faults({.illegal = {{simulator::mc::kD, kFirst + point, kFirst + point}}});
    }
    void heal() override { simulator_.set_faults({}); }
    std::uint64_t connections_accepted() override { return simulator_.counters().accepted; }

  private:
    static constexpr std::uint32_t kFirst = 30000;
    static simulator::mc::SimulatorOptions options_for(const std::string& frame) {
        simulator::mc::SimulatorOptions options;
        if (frame == "1E") std::swap(options.ports, options.ports_1e);
        return options;
    }
    std::string frame_;
    std::string encoding_;
    simulator::mc::McSimulator simulator_;
};

std::unique_ptr<DeviceUnderTest> mc_device(const char* frame, const char* encoding) {
    return std::make_unique<McDevice>(frame, encoding);
}

struct Implementation {
    const char* name;
    std::unique_ptr<DeviceUnderTest> (*make)();
};

template <class Device>
std::unique_ptr<DeviceUnderTest> made() {
    return std::make_unique<Device>();
}

void PrintTo(const Implementation& implementation, std::ostream* out) {
    *out << implementation.name;
}

class DriverContract : public testing::TestWithParam<Implementation> {
  protected:
    void SetUp() override {
        device_ = GetParam().make();
        config_ = device_->config();
        all_.resize(config_.points.size());
        std::iota(all_.begin(), all_.end(), 0U);
        auto made = make_driver(config_);
        ASSERT_TRUE(made) << made.error().message;
        driver_ = std::move(*made);
    }
    // Exactly one sample per point asked for, in order; bad ones say why and carry no value.
    void expect_well_formed(std::span<const std::uint32_t> due, std::span<const Sample> samples) const {
        ASSERT_EQ(samples.size(), due.size());
        for (std::size_t i = 0; i < due.size(); ++i) {
            const auto& sample = samples[i];
            EXPECT_EQ(sample.point, config_.points[due[i]].id);
            EXPECT_NE(sample.time, UtcTime{});
            if (sample.quality == Quality::kGood) {
                EXPECT_EQ(sample.code, QualityCode::kNone);
                EXPECT_NE(sample.value, Value{});
            } else {
                EXPECT_NE(sample.code, QualityCode::kNone);
                EXPECT_EQ(sample.value, Value{});
            }
        }
    }
    Status read(SampleBatch& samples) {
        samples.clear();
        const auto status = driver_->read(all_, samples);
        expect_well_formed(all_, samples);
        return status;
    }
    static std::size_t good(const SampleBatch& samples) {
        return static_cast<std::size_t>(std::count_if(
            samples.begin(), samples.end(), [](const auto& s) { return s.quality == Quality::kGood; }));
    }

    std::unique_ptr<DeviceUnderTest> device_;
    DeviceConfig config_;
    std::vector<std::uint32_t> all_;
    std::unique_ptr<Driver> driver_;
    SampleBatch samples_;
};

TEST_P(DriverContract, MakingADriverTouchesNoNetwork) {
    EXPECT_EQ(device_->connections_accepted(), 0U);
}

TEST_P(DriverContract, BadConfigurationIsRefused) {
    auto bad = config_;
    bad.points[3].address = "?";
    const auto made = make_driver(bad);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(made.error().message.find("P3"), std::string::npos) << made.error().message;
}

TEST_P(DriverContract, AllPointsOfAHealthyDeviceAreGood) {
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read(samples_));
    EXPECT_EQ(good(samples_), samples_.size());
    EXPECT_GT(driver_->stats().requests, 0U);
    EXPECT_GT(driver_->stats().bytes_sent, 0U);
    EXPECT_GT(driver_->stats().bytes_received, 0U);
    EXPECT_GT(driver_->stats().last_response_ms, 0.0);
}

TEST_P(DriverContract, SamplesAreAppendedInTheOrderAsked) {
    ASSERT_TRUE(driver_->connect());
    SampleBatch out(2);
    const std::vector<std::uint32_t> due{17, 3, DeviceUnderTest::kPoints - 1, 4};
    ASSERT_TRUE(driver_->read(due, out));
    ASSERT_EQ(out.size(), 6U);
    expect_well_formed(due, std::span{out}.subspan(2));
    ASSERT_TRUE(driver_->read({}, out));
    EXPECT_EQ(out.size(), 6U);
}

TEST_P(DriverContract, TextIsValidUtf8) {
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read(samples_));
    EXPECT_EQ(samples_.back().value, Value{std::string{"\xEF\xBF\xBD"
                                                       "A"}});
}

TEST_P(DriverContract, AnAddressTheDeviceDoesNotHaveIsBadAlone) {
    device_->forbid(20);
    ASSERT_TRUE(driver_->connect());
    for (int scan = 0; scan < 3; ++scan) {
        ASSERT_TRUE(read(samples_));
        EXPECT_EQ(good(samples_), samples_.size() - 1);
        EXPECT_EQ(samples_[20].code, QualityCode::kIllegalAddress);
    }
}

TEST_P(DriverContract, ConnectSaysWhyItFailedAndMayBeTriedAgain) {
    device_->unplug();
    const auto status = driver_->connect();
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_FALSE(status.error().message.empty());
    EXPECT_EQ(driver_->failed_step(), ConnectStep::kConnect);
    device_->heal();
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read(samples_));
    EXPECT_EQ(good(samples_), samples_.size());
}

TEST_P(DriverContract, ReadingUnconnectedIsAnErrorWithBadSamples) {
    EXPECT_FALSE(read(samples_));
    EXPECT_EQ(good(samples_), 0U);
}

TEST_P(DriverContract, AnUnpluggedDeviceIsAnErrorAndComesBack) {
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read(samples_));
    device_->unplug();
    ASSERT_FALSE(read(samples_));
    EXPECT_EQ(good(samples_), 0U);
    device_->heal();
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read(samples_));
    EXPECT_EQ(good(samples_), samples_.size());
}

TEST_P(DriverContract, ASilentDeviceIsATimeoutNeverAnOldValue) {
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read(samples_));
    device_->silence();
    const auto status = read(samples_);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
    for (const auto& sample : samples_) EXPECT_EQ(sample.code, QualityCode::kTimeout);
}

TEST_P(DriverContract, InterruptIsHeardFromAnotherThreadAndIsSticky) {
    auto patient = config_;
    patient.options["timeout_ms"] = "600000";
    driver_ = std::move(make_driver(patient).value());
    ASSERT_TRUE(driver_->connect());
    device_->silence();
    const auto before = driver_->activity();
    auto blocked = std::async(std::launch::async, [&] {
        SampleBatch out;
        return driver_->read(all_, out);
    });
    while (driver_->activity() == before) std::this_thread::yield();
    driver_->interrupt();
    ASSERT_EQ(blocked.wait_for(20s), std::future_status::ready);
    EXPECT_FALSE(blocked.get());
    EXPECT_FALSE(driver_->connect());
    EXPECT_FALSE(read(samples_));
    device_->heal();
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    ASSERT_TRUE(read(samples_));
}

TEST_P(DriverContract, DisconnectMayBeCalledAtAnyTime) {
    driver_->disconnect();
    ASSERT_TRUE(driver_->connect());
    driver_->disconnect();
    driver_->disconnect();
    EXPECT_FALSE(read(samples_));
}

INSTANTIATE_TEST_SUITE_P(
    Drivers, DriverContract,
    testing::Values(Implementation{"modbus_tcp", made<ModbusTcpDevice>},
                    Implementation{"modbus_rtu", made<ModbusRtuDevice>},
                    Implementation{"modbus_rtu_tcp", made<ModbusRtuTcpDevice>},
                    Implementation{"mc_3e_binary", [] { return mc_device("3E", "binary"); }},
                    Implementation{"mc_3e_ascii", [] { return mc_device("3E", "ascii"); }},
                    Implementation{"mc_4e_binary", [] { return mc_device("4E", "binary"); }},
                    Implementation{"mc_4e_ascii", [] { return mc_device("4E", "ascii"); }},
                    Implementation{"mc_1e_binary", [] { return mc_device("1E", "binary"); }},
                    Implementation{"mc_1e_ascii", [] { return mc_device("1E", "ascii"); }}),
    [](const auto& implementation) { return std::string{implementation.param.name}; });

}  // namespace
}  // namespace fieldwarden::worker
