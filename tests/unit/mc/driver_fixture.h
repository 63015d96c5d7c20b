// A driver connected to a simulated PLC.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/simulator/mc/mc_simulator.h"
#include "tests/simulator/mc/memory.h"
#include "worker/drivers/mc/mc_driver.h"

namespace fieldwarden::worker::mc {

inline PointConfig point(std::string address, std::string_view type = "uint16",
                         ByteOrder order = ByteOrder::kAbcd) {
    PointConfig config;
    config.point_code = address;
    config.address = std::move(address);
    config.data_type = parse_data_type(type).value();
    config.byte_order = order;
    return config;
}

inline std::vector<PointConfig> row(const std::string& device, unsigned first, unsigned count,
                                    std::string_view type = "uint16") {
    std::vector<PointConfig> points;
    for (unsigned i = 0; i < count; ++i)
        points.push_back(point(fmt::format("{}{}", device, first + i), type));
    return points;
}

// The simulator's device 0 takes 3E and 4E frames, device 1 takes 1E frames.
class McDriverTest : public testing::Test {
  protected:
    void SetUp() override { ASSERT_TRUE(simulator_.start()); }

    void connect_to(std::vector<PointConfig> points, Options options = {}) {
        const auto frame = options.find("frame");
        device_ = frame != options.end() && frame->second == "1E" ? 1 : 0;
        config_.device_code = "PLC";
        config_.protocol = Protocol::kMitsubishiMc;
        config_.address = fmt::format("127.0.0.1:{}", simulator_.port(device_));
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
    std::uint64_t requests_of_a_read() {
        const auto before = driver_->stats().requests;
        EXPECT_TRUE(read());
        return driver_->stats().requests - before;
    }
    std::size_t good() const {
        return static_cast<std::size_t>(std::count_if(
            samples_.begin(), samples_.end(), [](const auto& s) { return s.quality == Quality::kGood; }));
    }
    void set_faults(simulator::mc::Faults faults) { simulator_.set_faults(std::move(faults), device_); }

    static simulator::mc::SimulatorOptions both() {
        simulator::mc::SimulatorOptions options;
        options.ports_1e = {0};
        return options;
    }
    simulator::mc::McSimulator simulator_{both()};
    std::size_t device_ = 0;
    DeviceConfig config_;
    std::unique_ptr<Driver> driver_;
    SampleBatch samples_;
};

}  // namespace fieldwarden::worker::mc
