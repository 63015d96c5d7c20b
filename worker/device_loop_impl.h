// DeviceLoop::Impl, for the two files that hold it: device_loop.cpp (the loop's own thread, from the schedule
// to the hand-over) and device_loop_control.cpp (what others ask of it).
#pragma once

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "worker/away_points.h"
#include "worker/device_loop.h"
#include "worker/outage.h"
#include "worker/pipeline.h"
#include "worker/scan_schedule.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

// Stands for a configuration that is not kept: equal for equal ones, and different for any two that a person
// would write.
struct Fingerprint {
    std::size_t size = 0;
    std::size_t hash = 0;
    std::uint64_t other_hash = 0;  // FNV-1a

    bool operator==(const Fingerprint&) const = default;
};
Fingerprint fingerprint_of(const DeviceConfig& config);

// What is needed of the points once driver, schedule and pipeline are made of them: the tenth part.
class PointNames {
  public:
    explicit PointNames(std::span<const PointConfig> points) {
        std::size_t bytes = 0;
        for (const auto& point : points) bytes += point.point_code.size();
        codes_.reserve(bytes);
        ids_.reserve(points.size());
        ends_.reserve(points.size());
        for (const auto& point : points) {
            codes_ += point.point_code;
            ids_.push_back(point.id);
            ends_.push_back(static_cast<std::uint32_t>(codes_.size()));
        }
    }
    [[nodiscard]] std::size_t size() const { return ids_.size(); }
    [[nodiscard]] PointId id(std::size_t index) const { return ids_[index]; }
    [[nodiscard]] std::string_view code(std::size_t index) const {
        const auto begin = index == 0 ? 0 : ends_[index - 1];
        return std::string_view{codes_}.substr(begin, ends_[index] - begin);
    }

  private:
    std::string codes_;
    std::vector<PointId> ids_;
    std::vector<std::uint32_t> ends_;
};

struct DeviceLoop::Impl {
    Impl(DeviceConfig device, milliseconds task_period, DeviceEvents device_events, DriverFactory factory,
         const Clock& loop_clock);

    // Work beside the schedule; the asker may have gone.
    struct Request {
        std::function<void()> work;  // on the loop's thread
        std::function<void(Error)> refuse;
        bool given_up = false;  // guarded by mutex
    };

    // --- constant after start
    DeviceConfig config;  // without points
    const DeviceEvents events;
    const DriverFactory make;
    const Clock& clock;
    const milliseconds allowance;
    const Fingerprint fingerprint;
    const PointNames points;
    std::unique_ptr<Driver> driver;
    PushSource* source = nullptr;                                     // of the driver; null: it is polled
    std::map<PointId, std::pair<std::uint32_t, WriteRule>> writable;  // with their indices
    std::vector<milliseconds> own_periods;  // of the points of a source; 0: the task's
    std::thread thread;
    std::mutex join_mutex;  // several may call stop()

    // --- shared, guarded by mutex
    mutable std::mutex mutex;
    std::condition_variable wake;
    bool running = false;
    bool stopping = false;
    bool paused = false;
    bool was_paused = false;  // at the last turn
    bool reset = false;
    milliseconds period;
    bool period_changed = false;
    std::uint32_t period_factor = 1;
    bool factor_changed = false;
    bool nudged = false;  // something above changed: the loop shall turn now
    std::deque<std::shared_ptr<Request>> requests;
    std::uint64_t cycles_left = 0;  // 0: no limit
    std::function<void()> limit_reached;
    DeviceSnapshot shown;
    enum class Where : std::uint8_t { kLoop, kDriver, kHandover };
    Where where = Where::kLoop;
    mutable MonoTime moved_at{};
    mutable std::uint64_t seen_activity = 0;
    mutable std::uint64_t watched_ticks = 0;  // given by snapshot() while a call is within its time

    // --- the loop thread's own
    Outage outage;
    Pipeline pipeline;
    std::optional<ScanSchedule> schedule;
    std::vector<std::uint32_t> all_points;
    std::vector<std::uint32_t> due;
    SampleBatch batch;
    std::map<std::uint32_t, Sample> meanwhile;  // newest of each point a source sent during the pause
    std::optional<AwayPoints> away_points;      // of a device whose values hold when they come
    std::optional<UtcTime> continued_at;        // the source went on with the subscription of before
    std::vector<Pipeline::Change> changes;
    bool connected = false;
    bool proven = false;  // this connection has answered
    QualityCode away_code = QualityCode::kDisconnected;
    MonoTime attempt_at{};
    MonoTime quality_logged_at{};
    std::uint64_t quality_lines_held = 0;
    std::minstd_rand random{std::random_device{}()};

    void run();
    bool turn();
    void wait_for_work();
    void try_connect();
    Status read_points(std::span<const std::uint32_t> wanted, SampleBatch& out);
    void scan(MonoTime now);
    void hand_on(double cycle_ms);
    void do_request(Request& request);
    Result<SampleBatch> scan_once();
    Result<ReadBack> write_once(PointId point, const Value& engineering);
    proto::DeviceDiagnostics diagnose() const;
    bool subscribe();
    void take_updates(milliseconds wait, bool is_paused);
    void keep_meanwhile();
    void hand_on_meanwhile();
    void bring_back(std::optional<UtcTime> confirmed, bool was_quiet);
    void pass_cycle(MonoTime now);
    // Has the loop's thread do `work` and waits for what it gives.
    template <class T>
    Result<T> ask(milliseconds deadline, std::function<Result<T>()> work);
    void failed(const Error& error, bool while_reading);
    void succeeded();
    void drop_connection();  // `due` and `batch` are not in use
    void show_connected();
    void show_disconnected();
    void log_changes();
    void count_cycle();
    void log(proto::LogLevel level, std::string message) const {
        if (events.on_log) events.on_log(level, std::move(message));
    }
    void enter(Where place) {
        const std::lock_guard lock{mutex};
        where = place;
        moved_at = clock.mono_now();
    }
    bool called_off() const {
        const std::lock_guard lock{mutex};
        return stopping || reset;
    }
    void nudge() {  // with the mutex held
        nudged = true;
        wake.notify_all();
        if (source != nullptr) source->wake();
    }
    std::string name() const {
        return fmt::format("{} {} ({})", to_name(config.protocol), config.address, config.device_code);
    }
};

}  // namespace fieldwarden::worker
