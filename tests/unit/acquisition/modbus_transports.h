// A simulated Modbus device on each transport, and drivers to it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>

#include "tests/simulator/modbus/modbus_simulator.h"
#include "worker/drivers/driver.h"

namespace fieldwarden::worker {

enum class Transport : std::uint8_t { kTcp, kRtuTcp, kSerial };

inline void PrintTo(Transport transport, std::ostream* out) {
    *out << (transport == Transport::kTcp ? "tcp" : transport == Transport::kRtuTcp ? "rtu_tcp" : "serial");
}

inline PointConfig modbus_point(std::string address, std::string_view type = "uint16",
                                ByteOrder order = ByteOrder::kAbcd) {
    PointConfig config;
    config.point_code = address;
    config.address = std::move(address);
    config.data_type = parse_data_type(type).value();
    config.byte_order = order;
    return config;
}

// One device of the simulator, and a way to it.
class SimulatedModbus {
  public:
    explicit SimulatedModbus(Transport transport, std::vector<std::uint8_t> units = {})
        : transport_(transport),
          path_(testing::TempDir() + fmt::format("fieldwarden-line-{}-{}", getpid(), ++made_)) {
        simulator::modbus::SimulatorOptions options{.ports = {}, .units = std::move(units)};
        switch (transport) {
            case Transport::kTcp:
                options.ports = {0};
                break;
            case Transport::kRtuTcp:
                options.rtu_ports = {0};
                break;
            case Transport::kSerial:
                options.serial = {path_};
                break;
        }
        simulator_ = std::make_unique<simulator::modbus::ModbusSimulator>(std::move(options));
        const auto started = simulator_->start();
        EXPECT_TRUE(started) << started.error().message;
    }
    simulator::modbus::ModbusSimulator* operator->() { return simulator_.get(); }
    [[nodiscard]] std::string address() const {
        return transport_ == Transport::kSerial ? path_ : fmt::format("127.0.0.1:{}", simulator_->port());
    }
    [[nodiscard]] DeviceConfig config(std::vector<PointConfig> points, Options options = {}) const {
        DeviceConfig config;
        config.device_code = "D1";
        config.protocol = transport_ == Transport::kTcp ? Protocol::kModbusTcp : Protocol::kModbusRtu;
        config.address = address();
        config.options = std::move(options);
        config.options.try_emplace("timeout_ms", "300");
        config.options.try_emplace("reconnect_min_ms", "10");
        config.options.try_emplace("reconnect_max_ms", "20");
        if (transport_ == Transport::kSerial) config.options.try_emplace("baud_rate", "115200");
        config.points = std::move(points);
        for (std::uint32_t i = 0; i < config.points.size(); ++i) config.points[i].id = 100 + i;
        return config;
    }

  private:
    static inline std::atomic<unsigned> made_ = 0;
    const Transport transport_;
    const std::string path_;
    std::unique_ptr<simulator::modbus::ModbusSimulator> simulator_;
};

// A connected driver and its last samples.
class ModbusClient {
  public:
    explicit ModbusClient(const DeviceConfig& config) : points_(config.points.size()) {
        auto made = make_driver(config);
        EXPECT_TRUE(made) << made.error().message;
        if (made) driver = std::move(*made);
    }
    void connect() const {
        const auto status = driver->connect();
        ASSERT_TRUE(status) << status.error().message;
    }
    Status read() {
        std::vector<std::uint32_t> due(points_);
        std::iota(due.begin(), due.end(), 0U);
        samples.clear();
        return driver->read(due, samples);
    }
    // As the device loop does it: a failed read ends the connection.
    Status read_or_reconnect() {
        auto status = read();
        if (!status) {
            driver->disconnect();
            (void)driver->connect();
        }
        return status;
    }
    [[nodiscard]] std::size_t good() const {
        return static_cast<std::size_t>(std::count_if(
            samples.begin(), samples.end(), [](const auto& s) { return s.quality == Quality::kGood; }));
    }

    std::unique_ptr<Driver> driver;
    SampleBatch samples;

  private:
    std::size_t points_;
};

}  // namespace fieldwarden::worker
