// Fleet: a supervisor over a machine without processes and a store in memory, with the plant the tests begin
// with: two devices of one point each, a task for each.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "supervisor/plant/schema.h"
#include "supervisor/supervisor.h"
#include "tests/unit/fleet/fake_fleet.h"
#include "tests/unit/fleet/fake_store.h"

namespace fieldwarden::supervisor {

using proto::Json;
using proto::LogType;
using proto::SessionState;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

inline Record make_record(Kind kind, const std::map<std::string, std::string>& cells) {
    const auto& schema = schema_of(kind);
    Record record;
    record.cells.resize(schema.fields.size());
    for (const auto& [name, value] : cells) record.cells.set(schema.index_of(name), value);
    return record;
}

// The machine's clocks, with a wall clock that a test may move.
class ShiftedClock final : public Clock {
  public:
    UtcTime utc_now() const override { return system_clock().utc_now() + shift.load(); }
    MonoTime mono_now() const override { return system_clock().mono_now() + mono_shift.load(); }
    std::atomic<std::chrono::microseconds> shift{std::chrono::microseconds{0}};
    std::atomic<milliseconds> mono_shift{milliseconds{0}};
    // Makes it `time` now.
    void set(std::string_view time) { shift = parse_rfc3339(time).value() - system_clock().utc_now(); }
};

class Fleet : public testing::Test {
  protected:
    Fleet() {
        auto pattern = (std::filesystem::temp_directory_path() / "fw_fleet_XXXXXX").string();
        settings_.server.data_dir = mkdtemp(pattern.data());
        settings_.worker.program = "/fake/worker";
        settings_.worker.heartbeat_interval = milliseconds{50};
        settings_.worker.heartbeat_timeout = milliseconds{600};
        settings_.worker.start_timeout = milliseconds{1500};
        settings_.worker.stop_grace = milliseconds{200};
        settings_.worker.term_grace = milliseconds{200};
        settings_.worker.warm_spares = 0;  // tests of spares set it
        settings_.restart.first_delay = milliseconds{50};
        settings_.restart.longest_delay = milliseconds{100};
        settings_.health.interval = milliseconds{200};
        settings_.health.data_timeout = milliseconds{800};
        settings_.health.connection_timeout = milliseconds{400};

        ChangeSet plant;
        plant.of(Kind::kSite)
            .put.push_back(make_record(Kind::kSite, {{"site_code", "S1"}, {"site_name", "S"}}));
        for (const auto* device : {"D1", "D2"}) {
            plant.of(Kind::kDevice)
                .put.push_back(make_record(Kind::kDevice, {{"device_code", device},
                                                           {"device_name", device},
                                                           {"site_code", "S1"},
                                                           {"protocol", "modbus_tcp"},
                                                           {"address", "127.0.0.1:1502"}}));
            plant.of(Kind::kPoint)
                .put.push_back(make_record(Kind::kPoint, {{"point_code", std::string{"P_"} + device},
                                                          {"device_code", device},
                                                          {"address", "40001"},
                                                          {"data_type", "int16"}}));
        }
        plant.of(Kind::kTask).put.push_back(task("T1", "D1"));
        plant.of(Kind::kTask).put.push_back(task("T2", "D2"));
        const auto stored = store_.apply(plant, 0, {});
        EXPECT_TRUE(stored);
    }

    ~Fleet() override {
        stop();
        std::filesystem::remove_all(settings_.server.data_dir);
    }

    static Record task(const std::string& code, const std::string& devices,
                       const std::map<std::string, std::string>& more = {}) {
        std::map<std::string, std::string> cells{
            {"task_code", code}, {"task_name", code}, {"devices", devices}, {"period_ms", "100"}};
        for (const auto& [name, value] : more) cells[name] = value;
        return make_record(Kind::kTask, cells);
    }

    void start() {
        bus_ = std::make_unique<StatusBus>(clock_);
        supervisor_ = std::make_unique<Supervisor>(
            settings_, store_, *bus_, live_, clock_,
            [this](proto::LogLevel, const std::string& line) {
                const std::lock_guard lock{lines_mutex_};
                lines_.push_back(line);
            },
            [this](boost::asio::io_context& loop) { return machine_.launcher(loop); });
        const auto opened = supervisor_->open();
        ASSERT_TRUE(opened) << opened.error().message;
        thread_ = std::thread{[this] { supervisor_->run(); }};
    }
    void stop() {
        if (!supervisor_) return;
        supervisor_->request_stop();
        thread_.join();
        supervisor_.reset();
    }
    // As after kill -9: the workers stay.
    void leave() {
        supervisor_->request_leave();
        thread_.join();
        supervisor_.reset();
    }

    template <class Condition>
    static bool wait_for(Condition condition, seconds limit = seconds{15}) {
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (std::chrono::steady_clock::now() < deadline) {
            if (condition()) return true;
            std::this_thread::sleep_for(milliseconds{2});
        }
        return condition();
    }
    Json shown(const std::string& code = "T1") const {
        const auto event = bus_->last_value("process_status." + code);
        return event ? event->data() : Json{};
    }
    std::string status(const std::string& code = "T1") const { return shown(code).value("status", ""); }
    bool wait_for_status(const std::string& wanted, const std::string& code = "T1") const {
        return wait_for([&] { return status(code) == wanted; });
    }
    ActionResult act(TaskAction action, const std::string& code = "T1") {
        return supervisor_->act(action, {code}, {.name = "alice", .role = "operator", .remote = "here"})
            .front();
    }
    ActionResult start_task(const std::string& code = "T1") {
        auto result = act(TaskAction::kStart, code);
        EXPECT_FALSE(result.error) << result.error->message;
        EXPECT_TRUE(wait_for_status("RUNNING", code)) << shown(code).dump();
        return result;
    }
    // A spare that has been welcomed.
    bool wait_for_spare() {
        return wait_for([&] {
            const auto spare = machine_.worker("");
            return spare && !spare->ended() && spare->log.has("welcome");
        });
    }
    // The one point of D1.
    PointId point() {
        return static_cast<PointId>(store_.load_plant().value()->of(Kind::kPoint).find("P_D1")->id);
    }
    static DeviceConfig device() {
        DeviceConfig config;
        config.device_code = "D1";
        return config;
    }
    SessionRow session(std::int64_t id) {
        auto row = store_.session(id);
        return row ? *row : SessionRow{};
    }
    std::vector<LogType> timeline(std::int64_t id) {
        std::vector<LogType> types;
        const auto entries = store_.timeline(id);
        for (const auto& entry : *entries) types.push_back(*entry.log_type);
        return types;
    }
    std::string messages(std::int64_t id) {
        std::string text;
        const auto entries = store_.timeline(id);
        for (const auto& entry : *entries) text += entry.message + "\n";
        return text;
    }

    ShiftedClock clock_;
    Settings settings_;
    FakeStore store_;
    LiveValues live_;
    FakeMachine machine_;
    std::unique_ptr<StatusBus> bus_;
    std::unique_ptr<Supervisor> supervisor_;
    std::thread thread_;
    std::mutex lines_mutex_;
    std::vector<std::string> lines_;
};

}  // namespace fieldwarden::supervisor
