#include "worker/device_loop.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>
#include <utility>

#include "common/device_options.h"
#include "worker/device_peer.h"
#include "worker/outage.h"
#include "worker/pipeline.h"
#include "worker/scan_schedule.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

namespace {

// The loop turns at least this often, so that its ticks show that it lives.
constexpr milliseconds kLongestWait{500};
// A driver call may overstay the timeouts it was given by this much before it counts as hung.
constexpr milliseconds kCallSlack{2000};
// Changes of point quality are logged at most this often.
constexpr std::chrono::seconds kQualityLogInterval{5};
constexpr std::size_t kPointsNamedInLog = 5;

BackoffPolicy reconnect_policy(const DeviceConfig& config) {
    BackoffPolicy policy;
    policy.first = milliseconds{integer_option(config.protocol, config.options, "reconnect_min_ms")};
    policy.longest = std::max(
        policy.first, milliseconds{integer_option(config.protocol, config.options, "reconnect_max_ms")});
    return policy;
}

// The longest time a driver needs between two signs of activity.
milliseconds call_allowance(const DeviceConfig& config) {
    const auto option = [&](std::string_view name) {
        return milliseconds{integer_option(config.protocol, config.options, name)};
    };
    return std::max(option("timeout_ms"), option("connect_timeout_ms")) + option("inter_request_delay_ms") +
           kCallSlack;
}

// Stands for a configuration that is not kept: equal for equal ones, and different for any two that a person
// would write.
struct Fingerprint {
    std::size_t size = 0;
    std::size_t hash = 0;
    std::uint64_t other_hash = 0;  // FNV-1a

    bool operator==(const Fingerprint&) const = default;
};

Fingerprint fingerprint_of(const DeviceConfig& config) {
    const auto payload = proto::encode(proto::TestConnection{0, config}).payload;
    const std::string_view bytes{reinterpret_cast<const char*>(payload.data()), payload.size()};
    Fingerprint print{bytes.size(), std::hash<std::string_view>{}(bytes), 0xcbf29ce484222325ULL};
    for (const char byte : bytes) {
        print.other_hash = (print.other_hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
    }
    return print;
}

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

}  // namespace

struct DeviceLoop::Impl {
    Impl(DeviceConfig device, milliseconds task_period, DeviceEvents device_events, DriverFactory factory,
         const Clock& loop_clock)
        : config(std::move(device)),
          events(std::move(device_events)),
          make(std::move(factory)),
          clock(loop_clock),
          allowance(call_allowance(config)),
          fingerprint(fingerprint_of(config)),
          points(config.points),
          period(task_period),
          outage(reconnect_policy(config)),
          pipeline(config.points) {
        all_points.resize(points.size());
        std::iota(all_points.begin(), all_points.end(), 0U);
        shown.progress.device_code = config.device_code;
        shown.progress.points_total = static_cast<std::uint32_t>(points.size());
        shown.connection.device_code = config.device_code;
        shown.connection.protocol_type = to_name(config.protocol);
        if (const auto peer = device_peer(config.protocol, config.address)) {
            shown.connection.device_ip = peer->host;
            shown.connection.device_port = peer->port;
        }
    }

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

// --- the loop --------------------------------------------------------------------------------------------

void DeviceLoop::Impl::run() {
    pthread_setname_np(pthread_self(), fmt::format("dev-{}", config.device_code).substr(0, 15).c_str());
    attempt_at = clock.mono_now();
    while (turn()) wait_for_work();
    drop_connection();
    show_disconnected();
    const std::lock_guard lock{mutex};
    running = false;
    for (auto& request : requests) {
        request->refuse(make_error(ErrorKind::kUnavailable,
                                   fmt::format("device {}: acquisition was stopped", config.device_code)));
    }
    requests.clear();
}

// One turn: commands, connection, what is due. False when it is time to stop.
bool DeviceLoop::Impl::turn() {
    bool is_paused = false;
    bool reconnect = false;
    std::optional<milliseconds> new_period;
    std::optional<std::uint32_t> new_factor;
    std::deque<std::shared_ptr<Request>> asked;
    bool resumed = false;
    {
        const std::lock_guard lock{mutex};
        ++shown.loop_ticks;
        if (stopping) return false;
        is_paused = paused;
        resumed = std::exchange(was_paused, paused) && !paused;
        reconnect = std::exchange(reset, false);
        if (std::exchange(period_changed, false)) new_period = period;
        if (std::exchange(factor_changed, false)) new_factor = period_factor;
        asked.swap(requests);
    }
    if (new_period) schedule->set_task_period(*new_period, clock.mono_now());
    if (new_factor) {
        schedule->stretch(*new_factor, clock.mono_now());
        log(proto::LogLevel::kInfo,
            fmt::format("{}: {}", name(),
                        *new_factor == 1 ? std::string{"back to its configured period"}
                                         : fmt::format("scanned at {} times its period", *new_factor)));
    }
    if (reconnect) {
        drop_connection();
        attempt_at = clock.mono_now();
        show_disconnected();
        log(proto::LogLevel::kInfo, fmt::format("{}: connection is reset on request", name()));
    }
    if (!connected && clock.mono_now() >= attempt_at) {
        try_connect();
    } else if (connected && source != nullptr && (new_period || new_factor || resumed)) {
        // After a pause for the newest values besides: what came meanwhile was let go.
        subscribe();
    }
    for (auto& request : asked) do_request(*request);
    const auto now = clock.mono_now();
    if (is_paused) {
        schedule->skip(now);
    } else if (schedule->next_due() <= now) {
        connected&& source != nullptr ? pass_cycle(now) : scan(now);
    }
    return true;
}

void DeviceLoop::Impl::wait_for_work() {
    std::unique_lock lock{mutex};
    auto until = clock.mono_now() + kLongestWait;
    if (!paused) until = std::min(until, schedule->next_due());
    if (!connected) until = std::min(until, attempt_at);
    if (connected && source != nullptr) {
        const bool is_paused = paused;
        const bool at_once = std::exchange(nudged, false);
        lock.unlock();
        const auto left = std::chrono::ceil<milliseconds>(until - clock.mono_now());
        return take_updates(at_once ? milliseconds{0} : std::max(milliseconds{0}, left), is_paused);
    }
    wake.wait_for(lock, until - clock.mono_now(), [&] { return std::exchange(nudged, false); });
}

void DeviceLoop::Impl::scan(MonoTime now) {
    schedule->take_due(now, due);
    batch.clear();
    const auto status = read_points(due, batch);
    if (!status && called_off()) {
        // Broken off by stop() or reset_connection(): what it holds is half a scan, and its bad points say
        // nothing about the device.
        schedule->scan_done(clock.mono_now());
        return;
    }
    hand_on(std::chrono::duration<double, std::milli>(clock.mono_now() - now).count());
    schedule->scan_done(clock.mono_now());
    count_cycle();
}

// batch → pipeline → live view, delivery, counters.
void DeviceLoop::Impl::hand_on(double cycle_ms) {
    pipeline.convert(due, batch);
    const auto read = batch.size();
    const auto good = static_cast<std::uint64_t>(std::count_if(
        batch.begin(), batch.end(), [](const Sample& sample) { return sample.quality == Quality::kGood; }));
    const auto time = clock.utc_now();  // a sample may carry the device's own, of days ago
    enter(Where::kHandover);
    if (events.on_live && !batch.empty()) events.on_live(batch);
    changes.clear();
    pipeline.filter(due, batch, changes);
    if (events.on_samples && !batch.empty()) events.on_samples(std::exchange(batch, {}));
    enter(Where::kLoop);
    if (!changes.empty()) log_changes();

    const auto& stats = driver->stats();
    const std::lock_guard lock{mutex};
    ++shown.cycles;
    shown.points_read += read;
    shown.points_good += good;
    shown.cycle_ms = cycle_ms;
    shown.progress.cycles = shown.cycles;
    shown.progress.points_ok = pipeline.points_good();
    shown.last_read_time = time;
    if (good != 0) shown.last_good_time = time;
    if (!connected) return;
    shown.response_ms = stats.last_response_ms;
    shown.connection.response_time_ms = stats.last_response_ms;
    if (!stats.last_refusal.empty()) {
        ++shown.errors;
        shown.progress.last_error = stats.last_refusal;
    } else if (pipeline.points_good() == points.size()) {
        shown.progress.last_error.clear();
    }
}

void DeviceLoop::Impl::count_cycle() {
    std::function<void()> reached;
    {
        const std::lock_guard lock{mutex};
        shown.missed_cycles = schedule->missed();
        if (cycles_left == 0 || --cycles_left != 0) return;
        paused = true;
        reached = std::exchange(limit_reached, {});
    }
    if (reached) reached();
}

// --- what a device sends by itself -------------------------------------------------------------------------

// After every connect, and when periods change. False: the connection is gone.
bool DeviceLoop::Impl::subscribe() {
    std::vector<milliseconds> periods = own_periods;
    {
        const std::lock_guard lock{mutex};
        for (auto& each : periods) each = (each == milliseconds{0} ? period : each) * period_factor;
    }
    enter(Where::kDriver);
    const auto status = source->subscribe(periods);
    enter(Where::kLoop);
    if (called_off()) return false;
    if (!status) failed(status.error(), true);
    return status.has_value();
}

void DeviceLoop::Impl::take_updates(milliseconds wait, bool is_paused) {
    const auto began = clock.mono_now();
    due.clear();
    batch.clear();
    enter(Where::kDriver);
    const auto status = source->take(wait, due, batch);
    enter(Where::kLoop);
    const auto confirmed = source->confirmed_at();
    if (!batch.empty() || (confirmed && !proven)) succeeded();
    if (!batch.empty() && !is_paused) {
        hand_on(std::chrono::duration<double, std::milli>(clock.mono_now() - began).count());
    }
    if (confirmed) {
        const std::lock_guard lock{mutex};
        shown.last_read_time = std::max(shown.last_read_time, confirmed);
        if (pipeline.points_good() != 0) shown.last_good_time = std::max(shown.last_good_time, confirmed);
    }
    if (!status && !called_off()) {
        failed(status.error(), true);
        // The next turn says so of every point.
        schedule->due_now(clock.mono_now());
    }
}

// A period of a device that is not scanned.
void DeviceLoop::Impl::pass_cycle(MonoTime now) {
    schedule->take_due(now, due);
    schedule->scan_done(now);
    {
        const std::lock_guard lock{mutex};
        ++shown.cycles;
        shown.progress.cycles = shown.cycles;
    }
    count_cycle();
}

// --- beside the schedule -----------------------------------------------------------------------------------

void DeviceLoop::Impl::do_request(Request& request) {
    {
        const std::lock_guard lock{mutex};
        if (request.given_up) return;
    }
    request.work();
}

Result<SampleBatch> DeviceLoop::Impl::scan_once() {
    if (!connected) try_connect();
    SampleBatch samples;
    const auto status = read_points(all_points, samples);
    if (!status && called_off()) {
        return make_error(ErrorKind::kUnavailable,
                          fmt::format("device {}: the read was called off", config.device_code));
    }
    pipeline.convert(all_points, samples);
    return samples;
}

Result<ReadBack> DeviceLoop::Impl::write_once(PointId point, const Value& engineering) {
    const auto found = writable.find(point);
    if (found == writable.end()) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("device {}: the point is read only for this task", config.device_code));
    }
    const auto& [index, rule] = found->second;
    auto raw = raw_value(rule, engineering);
    if (!raw) return raw.error();
    if (!connected) try_connect();
    if (!connected) {
        const std::lock_guard lock{mutex};
        return make_error(ErrorKind::kUnavailable,
                          fmt::format("{} is not connected: {}", name(), shown.connection.last_error));
    }
    enter(Where::kDriver);
    auto result = write_and_read_back(*driver, index, rule, *raw, [&](milliseconds pause) {
        enter(Where::kDriver);  // each pause is a sign of life
        std::unique_lock lock{mutex};
        return wake.wait_for(lock, pause, [&] { return stopping || reset; });
    });
    enter(Where::kLoop);
    if (!result) {
        if (result.error().kind != ErrorKind::kInvalidArgument && !called_off()) failed(result.error(), true);
        return result.error();
    }
    log(proto::LogLevel::kInfo,
        fmt::format("{}: point {} was written{}", name(), rule.point_code,
                    result->confirmed ? "" : "; the device does not hold the value it was given"));
    const std::array<std::uint32_t, 1> one{index};
    pipeline.convert(one, std::span{&result->sample, 1});
    return result;
}

proto::DeviceDiagnostics DeviceLoop::Impl::diagnose() const {
    const auto& stats = driver->stats();
    proto::DeviceDiagnostics shown_stats;
    shown_stats.device_code = config.device_code;
    shown_stats.requests = stats.requests;
    shown_stats.timeouts = stats.timeouts;
    shown_stats.exceptions = stats.exceptions;
    shown_stats.broken_answers = stats.broken_answers;
    shown_stats.lost_connections = stats.lost_connections;
    shown_stats.updates = stats.updates;
    shown_stats.overflowed = stats.overflowed;
    shown_stats.bytes_sent = stats.bytes_sent;
    shown_stats.bytes_received = stats.bytes_received;
    shown_stats.response_p50_ms = stats.response_times.percentile_ms(0.5);
    shown_stats.response_p99_ms = stats.response_times.percentile_ms(0.99);
    shown_stats.last_refusal = stats.last_refusal;
    return shown_stats;
}

// --- reading ---------------------------------------------------------------------------------------------

// Appends one sample per wanted point whatever happens. An error means the connection is gone (or the read
// was called off).
Status DeviceLoop::Impl::read_points(std::span<const std::uint32_t> wanted, SampleBatch& out) {
    if (!connected) {
        const auto now = clock.utc_now();
        for (const auto index : wanted) {
            auto& sample = out.emplace_back();
            sample.point = points.id(index);
            sample.quality = Quality::kBad;
            sample.code = away_code;
            sample.time = now;
        }
        return make_error(ErrorKind::kUnavailable, "not connected");
    }
    const auto begin = out.size();
    bool reading = true;
    enter(Where::kDriver);
    auto status = driver->read(wanted, out);
    // Many devices close connections that are idle for a while. One that worked and is gone is opened again
    // at once, so that a scan slower than the device's patience is not bad every time.
    if (!status && status.error().kind == ErrorKind::kUnavailable && proven && !called_off()) {
        log(proto::LogLevel::kDebug, fmt::format("{}; opening it again at once", status.error().message));
        proven = false;
        driver->disconnect();
        status = called_off() ? status : driver->connect();
        reading = status.has_value();
        if (reading) {
            out.resize(begin);
            status = driver->read(wanted, out);
        }
    }
    enter(Where::kLoop);
    if (called_off()) return status;
    if (status) {
        succeeded();
    } else {
        failed(status.error(), reading);
    }
    return status;
}

// --- the connection --------------------------------------------------------------------------------------

void DeviceLoop::Impl::try_connect() {
    // The order matters: disconnect() ends an earlier interrupt(), so whoever interrupts after it is heard by
    // connect(), and whoever interrupted before it has left its flag.
    driver->disconnect();
    if (called_off()) return;
    enter(Where::kDriver);
    const auto status = driver->connect();
    enter(Where::kLoop);
    if (called_off()) return;
    if (!status) {
        failed(status.error(), false);
        return;
    }
    connected = true;
    proven = false;
    if (source != nullptr && !subscribe()) return;
    // After a failure only an answer proves that the device is back; while paused there will be none.
    bool is_paused = false;
    {
        const std::lock_guard lock{mutex};
        is_paused = paused;
    }
    if (outage.failures() == 0 || is_paused) show_connected();
}

void DeviceLoop::Impl::show_connected() {
    const std::lock_guard lock{mutex};
    if (shown.connection.is_connected) return;
    shown.connection.is_connected = true;
    shown.connection.last_connect_time = clock.utc_now();
    shown.connection.last_error.clear();
    ++shown.connection_version;
}

void DeviceLoop::Impl::show_disconnected() {
    const std::lock_guard lock{mutex};
    if (!shown.connection.is_connected) return;
    shown.connection.is_connected = false;
    ++shown.connection_version;
}

void DeviceLoop::Impl::drop_connection() {
    driver->disconnect();
    connected = false;
    proven = false;
    if (source == nullptr) return;
    // What came before the end: the device counts on it that this has been taken.
    due.clear();
    batch.clear();
    (void)source->take(milliseconds{0}, due, batch);
    if (!batch.empty() && !was_paused) hand_on(0);
}

void DeviceLoop::Impl::failed(const Error& error, bool while_reading) {
    drop_connection();
    const auto now = clock.mono_now();
    away_code = while_reading && error.kind == ErrorKind::kTimeout ? QualityCode::kTimeout
                                                                   : QualityCode::kDisconnected;
    const auto verdict = outage.failed(error, now, std::uniform_real_distribution<double>{0, 1}(random));
    attempt_at = now + verdict.delay;
    {
        const std::lock_guard lock{mutex};
        ++shown.errors;
        ++shown.connection.connection_errors;
        if (away_code == QualityCode::kTimeout) ++shown.progress.timeouts;
        shown.connection.last_error = verdict.text;
        shown.progress.last_error = verdict.text;
        if (verdict.news || shown.connection.is_connected) ++shown.connection_version;
        shown.connection.is_connected = false;
    }
    if (verdict.news) log(proto::LogLevel::kWarning, verdict.text);
}

void DeviceLoop::Impl::succeeded() {
    const bool first_answer = !std::exchange(proven, true);
    if (!first_answer) return;
    const auto recovered = outage.ended(clock.mono_now());
    show_connected();
    if (recovered) {
        log(proto::LogLevel::kInfo, fmt::format("{} {}", name(), *recovered));
    } else {
        log(proto::LogLevel::kDebug, fmt::format("{} answers", name()));
    }
}

// "3 points became bad (illegal_address): P1, P2, P3; <what the device said>". Not while the device is away:
// then the connection's own lines say it.
void DeviceLoop::Impl::log_changes() {
    if (!connected) return;
    const auto now = clock.mono_now();
    if (quality_logged_at != MonoTime{} && now - quality_logged_at < kQualityLogInterval) {
        ++quality_lines_held;
        return;
    }
    const auto away = [](QualityCode code) {
        return code == QualityCode::kDisconnected || code == QualityCode::kTimeout;
    };
    struct Line {
        std::size_t points = 0;
        std::string names;
    };
    std::map<QualityCode, Line> lines;
    for (const auto& change : changes) {
        // Back from an outage of the whole device: told by the connection.
        if (change.after == QualityCode::kNone && away(change.before)) continue;
        auto& line = lines[change.after];
        if (line.points++ < kPointsNamedInLog) {
            line.names += fmt::format("{}{}", line.names.empty() ? "" : ", ", points.code(change.index));
        }
    }
    for (const auto& [code, line] : lines) {
        const auto more = line.points > kPointsNamedInLog
                              ? fmt::format(" and {} more", line.points - kPointsNamedInLog)
                              : std::string{};
        const auto held = quality_lines_held == 0
                              ? std::string{}
                              : fmt::format(" ({} earlier changes not logged)", quality_lines_held);
        const auto& why = driver->stats().last_refusal;
        if (code == QualityCode::kNone) {
            log(proto::LogLevel::kInfo,
                fmt::format("{}: {} point{} good again: {}{}{}", name(), line.points,
                            line.points == 1 ? " is" : "s are", line.names, more, held));
        } else {
            log(proto::LogLevel::kWarning,
                fmt::format("{}: {} point{} became bad ({}): {}{}{}{}{}", name(), line.points,
                            line.points == 1 ? "" : "s", to_name(code), line.names, more,
                            why.empty() ? "" : "; ", why, held));
        }
        quality_logged_at = now;
        quality_lines_held = 0;
    }
}

// --- the outside -----------------------------------------------------------------------------------------

DeviceLoop::DeviceLoop(DeviceConfig config, milliseconds task_period, DeviceEvents events, DriverFactory make,
                       const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(config), task_period, std::move(events), std::move(make),
                                   clock)) {}

DeviceLoop::~DeviceLoop() {
    stop();
}

Status DeviceLoop::start(bool paused) {
    auto& self = *impl_;
    auto driver = self.make(self.config);
    if (!driver) return driver.error();
    const std::lock_guard lock{self.mutex};
    self.driver = std::move(*driver);
    self.paused = paused;
    self.running = true;
    self.schedule.emplace(self.config.points, self.period, self.clock.mono_now());
    self.source = self.driver->push_source();
    for (std::uint32_t i = 0; i < self.config.points.size(); ++i) {
        const auto& point = self.config.points[i];
        if (point.writable) self.writable.emplace(point.id, std::pair{i, WriteRule{point}});
        if (self.source != nullptr) self.own_periods.push_back(point.period);
    }
    std::vector<PointConfig>{}.swap(self.config.points);  // the memory too, which = {} would keep
    self.thread = std::thread([&self] { self.run(); });
    return {};
}

void DeviceLoop::stop() {
    auto& self = *impl_;
    {
        const std::lock_guard lock{self.mutex};
        self.stopping = true;
        if (self.driver != nullptr) self.driver->interrupt();
        self.nudge();
    }
    const std::lock_guard joining{self.join_mutex};
    if (self.thread.joinable()) self.thread.join();
}

void DeviceLoop::pause() {
    const std::lock_guard lock{impl_->mutex};
    impl_->paused = true;
    impl_->nudge();
}

void DeviceLoop::resume() {
    const std::lock_guard lock{impl_->mutex};
    impl_->paused = false;
    impl_->nudge();
}

void DeviceLoop::set_period(milliseconds task_period) {
    const std::lock_guard lock{impl_->mutex};
    impl_->period = task_period;
    impl_->period_changed = true;
    impl_->nudge();
}

void DeviceLoop::set_period_factor(std::uint32_t factor) {
    const std::lock_guard lock{impl_->mutex};
    if (impl_->period_factor == factor) return;
    impl_->period_factor = factor;
    impl_->factor_changed = true;
    impl_->shown.progress.period_factor = factor;
    impl_->nudge();
}

void DeviceLoop::reset_connection() {
    const std::lock_guard lock{impl_->mutex};
    if (!impl_->running) return;
    impl_->reset = true;
    impl_->driver->interrupt();
    impl_->nudge();
}

template <class T>
Result<T> DeviceLoop::Impl::ask(milliseconds deadline, std::function<Result<T>()> work) {
    const auto promise = std::make_shared<std::promise<Result<T>>>();
    auto answer = promise->get_future();
    const auto request = std::make_shared<Request>();
    request->work = [promise, work = std::move(work)] { promise->set_value(work()); };
    request->refuse = [promise](Error error) { promise->set_value(std::move(error)); };
    {
        const std::lock_guard lock{mutex};
        if (!running || stopping) {
            return make_error(ErrorKind::kUnavailable,
                              fmt::format("device {} is not being acquired", config.device_code));
        }
        requests.push_back(request);
        nudge();
    }
    if (answer.wait_for(deadline) == std::future_status::ready) return answer.get();
    const std::lock_guard lock{mutex};
    request->given_up = true;
    return make_error(
        ErrorKind::kTimeout,
        fmt::format("device {} was not reached within {} ms; it is {}", config.device_code, deadline.count(),
                    shown.connection.is_connected ? "busy with a longer read"
                                                  : "not connected: " + shown.connection.last_error));
}

Result<SampleBatch> DeviceLoop::acquire_once(milliseconds deadline) {
    auto* const self = impl_.get();
    return self->ask<SampleBatch>(deadline, [self] { return self->scan_once(); });
}

Result<ReadBack> DeviceLoop::write(PointId point, const Value& engineering, milliseconds deadline) {
    auto* const self = impl_.get();
    return self->ask<ReadBack>(deadline,
                               [self, point, engineering] { return self->write_once(point, engineering); });
}

bool DeviceLoop::may_write(PointId point) const {
    return impl_->writable.contains(point);
}

Result<proto::DeviceDiagnostics> DeviceLoop::diagnostics(milliseconds deadline) {
    auto* const self = impl_.get();
    return self->ask<proto::DeviceDiagnostics>(
        deadline, [self]() -> Result<proto::DeviceDiagnostics> { return self->diagnose(); });
}

DeviceSnapshot DeviceLoop::snapshot() const {
    const auto& self = *impl_;
    const std::lock_guard lock{self.mutex};
    // A turn may rightly take longer than the watchdog's patience: a slow device with a long timeout, or a
    // full spool that holds back the hand-over. Ticks go on as long as the call keeps to its own limits.
    if (self.where != Impl::Where::kLoop) {
        const auto now = self.clock.mono_now();
        const auto activity = self.driver->activity();
        if (activity != self.seen_activity) {
            self.seen_activity = activity;
            self.moved_at = now;
        }
        if (self.where == Impl::Where::kHandover || now - self.moved_at < self.allowance)
            ++self.watched_ticks;
    }
    auto copy = self.shown;
    copy.loop_ticks += self.watched_ticks;
    return copy;
}

bool DeviceLoop::is_made_of(const DeviceConfig& config) const {
    return impl_->fingerprint == fingerprint_of(config);
}

void DeviceLoop::set_cycle_limit(std::uint64_t cycles, std::function<void()> done) {
    const std::lock_guard lock{impl_->mutex};
    impl_->cycles_left = cycles;
    impl_->limit_reached = std::move(done);
}

}  // namespace fieldwarden::worker
