// What tests of the device loop stand on: a scripted driver, and a catcher of what the loop hands on.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "worker/device_loop.h"

namespace fieldwarden::worker {

using namespace std::chrono_literals;

inline constexpr auto kPatience = 20s;

// What the scripted device does; tests change it while the loop runs.
struct Script {
    std::mutex mutex;
    std::condition_variable changed;
    bool reachable = true;
    std::optional<Error> read_error;  // every read fails with it
    unsigned lose_reads = 0;          // the next reads end with a lost connection
    bool blocked = false;             // reads and connects hang until released or interrupted
    bool interrupted = false;
    QualityCode point_code = QualityCode::kNone;  // of the first point
    std::uint64_t connects = 0;
    std::uint64_t reads = 0;
    std::uint64_t entered = 0;  // calls that began
    bool connected = false;

    template <class Change>
    void set(Change change) {
        const std::lock_guard lock{mutex};
        change(*this);
        changed.notify_all();
    }
    std::uint64_t calls() {
        const std::lock_guard lock{mutex};
        return entered;
    }
    template <class Condition>
    bool wait(Condition condition) {
        std::unique_lock lock{mutex};
        return changed.wait_for(lock, kPatience, [&] { return condition(*this); });
    }
};

class ScriptedDriver final : public Driver {
  public:
    ScriptedDriver(const DeviceConfig& config, Script& script) : config_(config), script_(script) {}

    Status connect() override {
        std::unique_lock lock{script_.mutex};
        ++script_.connects;
        if (!enter(lock)) return make_error(ErrorKind::kUnavailable, "interrupted");
        if (!script_.reachable) return make_error(ErrorKind::kUnavailable, "scripted: connection refused");
        script_.connected = true;
        return {};
    }
    void disconnect() override {
        const std::lock_guard lock{script_.mutex};
        script_.interrupted = false;
        script_.connected = false;
        script_.changed.notify_all();
    }
    ConnectStep failed_step() const override { return ConnectStep::kConnect; }
    Status read(std::span<const std::uint32_t> due, SampleBatch& out) override {
        std::unique_lock lock{script_.mutex};
        EXPECT_TRUE(script_.connected);
        const bool go = enter(lock);
        ++script_.reads;
        std::optional<Error> error = script_.read_error;
        if (script_.lose_reads > 0) {
            --script_.lose_reads;
            error = make_error(ErrorKind::kUnavailable, "scripted: connection lost");
        }
        if (!go) error = make_error(ErrorKind::kUnavailable, "interrupted");
        for (const auto index : due) {
            auto& sample = out.emplace_back();
            sample.point = config_.points[index].id;
            sample.time = system_clock().utc_now();
            sample.code = index == 0 ? script_.point_code : QualityCode::kNone;
            if (error)
                sample.code =
                    error->kind == ErrorKind::kTimeout ? QualityCode::kTimeout : QualityCode::kDisconnected;
            sample.quality = sample.code == QualityCode::kNone ? Quality::kGood : Quality::kBad;
            if (sample.quality == Quality::kGood) sample.value = script_.reads;
        }
        if (error) return *error;
        return {};
    }
    Status write(std::uint32_t, const Value&) override {
        return make_error(ErrorKind::kInvalidArgument, "scripted: read only");
    }
    void interrupt() override {
        const std::lock_guard lock{script_.mutex};
        script_.interrupted = true;
        script_.changed.notify_all();
    }
    std::uint64_t activity() const override {
        const std::lock_guard lock{script_.mutex};
        return script_.entered;
    }
    const DriverStats& stats() const override { return stats_; }

  private:
    bool enter(std::unique_lock<std::mutex>& lock) {
        ++script_.entered;
        script_.changed.notify_all();
        script_.changed.wait(lock, [&] { return !script_.blocked || script_.interrupted; });
        return !script_.interrupted;
    }
    const DeviceConfig config_;
    Script& script_;
    DriverStats stats_;
};

// Collects what the loop hands on; tests wait for what they expect.
class Catcher {
  public:
    DeviceEvents events() {
        return {.on_samples =
                    [this](SampleBatch&& samples) {
                        const std::lock_guard lock{mutex_};
                        EXPECT_FALSE(samples.empty());
                        for (auto& sample : samples) samples_.push_back(std::move(sample));
                        ++batches_;
                        changed_.notify_all();
                    },
                .on_live =
                    [this](const SampleBatch& samples) {
                        const std::lock_guard lock{mutex_};
                        live_ += samples.size();
                        changed_.notify_all();
                    },
                .on_log =
                    [this](proto::LogLevel level, std::string message) {
                        const std::lock_guard lock{mutex_};
                        log_.push_back(fmt::format("{}: {}", to_name(level), message));
                        changed_.notify_all();
                    }};
    }
    template <class Condition>
    bool wait(Condition condition) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, kPatience, [&] { return condition(samples_); });
    }
    bool wait_log(std::string_view part) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, kPatience, [&] { return count_log(part) != 0; });
    }
    std::size_t logged(std::string_view part) {
        const std::lock_guard lock{mutex_};
        return count_log(part);
    }
    SampleBatch samples() {
        const std::lock_guard lock{mutex_};
        return samples_;
    }
    std::size_t live() {
        const std::lock_guard lock{mutex_};
        return live_;
    }

  private:
    std::size_t count_log(std::string_view part) const {
        return static_cast<std::size_t>(std::count_if(log_.begin(), log_.end(), [&](const auto& line) {
            return line.find(part) != std::string::npos;
        }));
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    SampleBatch samples_;
    std::size_t batches_ = 0;
    std::size_t live_ = 0;
    std::vector<std::string> log_;
};

inline std::size_t with_code(const SampleBatch& samples, QualityCode code) {
    return static_cast<std::size_t>(
        std::count_if(samples.begin(), samples.end(), [&](const auto& s) { return s.code == code; }));
}

inline bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::sleep_for(1ms);
    }
    return true;
}

inline DeviceConfig device(unsigned points = 2) {
    DeviceConfig config;
    config.device_code = "PRESS_1";
    config.address = "127.0.0.1:502";
    config.options = {{"reconnect_min_ms", "10"}, {"reconnect_max_ms", "20"}};
    for (unsigned i = 0; i < points; ++i) {
        PointConfig point;
        point.id = 10 + i;
        point.point_code = fmt::format("P{}", i);
        point.address = fmt::format("hr:{}", i);
        point.data_type = {BaseType::kUint16, 0};
        config.points.push_back(point);
    }
    return config;
}

class DeviceLoopTest : public testing::Test {
  protected:
    std::unique_ptr<DeviceLoop> make(DeviceConfig config = device(), std::chrono::milliseconds period = 5ms) {
        return std::make_unique<DeviceLoop>(
            std::move(config), period, catcher_.events(),
            [this](const DeviceConfig& given) -> Result<std::unique_ptr<Driver>> {
                return std::unique_ptr<Driver>{std::make_unique<ScriptedDriver>(given, script_)};
            },
            system_clock());
    }
    Script script_;
    Catcher catcher_;
};

}  // namespace fieldwarden::worker
