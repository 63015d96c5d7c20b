#include "worker/device_loop.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
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

}  // namespace

struct DeviceLoop::Impl {
    Impl(DeviceConfig device, milliseconds task_period, DeviceEvents device_events, DriverFactory factory,
         const Clock& loop_clock)
        : config(std::move(device)),
          events(std::move(device_events)),
          make(std::move(factory)),
          clock(loop_clock),
          allowance(call_allowance(config)),
          period(task_period),
          outage(reconnect_policy(config)),
          pipeline(config.points) {
        all_points.resize(config.points.size());
        std::iota(all_points.begin(), all_points.end(), 0U);
        shown.progress.device_code = config.device_code;
        shown.progress.points_total = static_cast<std::uint32_t>(config.points.size());
        shown.connection.device_code = config.device_code;
        shown.connection.protocol_type = to_name(config.protocol);
        if (const auto peer = parse_host_port(config.address, kModbusPort)) {
            shown.connection.device_ip = peer->host;
            shown.connection.device_port = peer->port;
        }
    }

    // A request for a scan beside the schedule; the asker may have gone.
    struct Once {
        std::promise<Result<SampleBatch>> answer;
        bool given_up = false;  // guarded by mutex
    };

    // --- constant after start
    const DeviceConfig config;
    const DeviceEvents events;
    const DriverFactory make;
    const Clock& clock;
    const milliseconds allowance;
    std::unique_ptr<Driver> driver;
    std::thread thread;
    std::mutex join_mutex;  // several may call stop()

    // --- shared, guarded by mutex
    mutable std::mutex mutex;
    std::condition_variable wake;
    bool running = false;
    bool stopping = false;
    bool paused = false;
    bool reset = false;
    milliseconds period;
    bool period_changed = false;
    std::uint32_t period_factor = 1;
    bool factor_changed = false;
    bool nudged = false;  // something above changed: the loop shall turn now
    std::deque<std::shared_ptr<Once>> once;
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
    void answer_once(Once& request);
    void failed(const Error& error, bool while_reading);
    void succeeded();
    void drop_connection();
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
    driver->disconnect();
    show_disconnected();
    const std::lock_guard lock{mutex};
    running = false;
    for (auto& request : once) {
        request->answer.set_value(make_error(
            ErrorKind::kUnavailable, fmt::format("device {}: acquisition was stopped", config.device_code)));
    }
    once.clear();
}

// One turn: commands, connection, what is due. False when it is time to stop.
bool DeviceLoop::Impl::turn() {
    bool is_paused = false;
    bool reconnect = false;
    std::optional<milliseconds> new_period;
    std::optional<std::uint32_t> new_factor;
    std::deque<std::shared_ptr<Once>> requests;
    {
        const std::lock_guard lock{mutex};
        ++shown.loop_ticks;
        if (stopping) return false;
        is_paused = paused;
        reconnect = std::exchange(reset, false);
        if (std::exchange(period_changed, false)) new_period = period;
        if (std::exchange(factor_changed, false)) new_factor = period_factor;
        requests.swap(once);
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
    if (!connected && clock.mono_now() >= attempt_at) try_connect();
    for (auto& request : requests) answer_once(*request);
    const auto now = clock.mono_now();
    if (is_paused) {
        schedule->skip(now);
    } else if (schedule->next_due() <= now) {
        scan(now);
    }
    return true;
}

void DeviceLoop::Impl::wait_for_work() {
    std::unique_lock lock{mutex};
    auto until = clock.mono_now() + kLongestWait;
    if (!paused) until = std::min(until, schedule->next_due());
    if (!connected) until = std::min(until, attempt_at);
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
    const auto time = batch.empty() ? clock.utc_now() : batch.back().time;
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
    } else if (pipeline.points_good() == config.points.size()) {
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

void DeviceLoop::Impl::answer_once(Once& request) {
    {
        const std::lock_guard lock{mutex};
        if (request.given_up) return;
    }
    if (!connected) try_connect();
    SampleBatch samples;
    const auto status = read_points(all_points, samples);
    if (!status && called_off()) {
        request.answer.set_value(make_error(
            ErrorKind::kUnavailable, fmt::format("device {}: the read was called off", config.device_code)));
        return;
    }
    pipeline.convert(all_points, samples);
    request.answer.set_value(std::move(samples));
}

// --- reading ---------------------------------------------------------------------------------------------

// Appends one sample per wanted point whatever happens. An error means the connection is gone (or the read
// was called off).
Status DeviceLoop::Impl::read_points(std::span<const std::uint32_t> wanted, SampleBatch& out) {
    if (!connected) {
        const auto now = clock.utc_now();
        for (const auto index : wanted) {
            auto& sample = out.emplace_back();
            sample.point = config.points[index].id;
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
            line.names +=
                fmt::format("{}{}", line.names.empty() ? "" : ", ", config.points[change.index].point_code);
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

Result<SampleBatch> DeviceLoop::acquire_once(milliseconds deadline) {
    auto& self = *impl_;
    const auto request = std::make_shared<Impl::Once>();
    auto answer = request->answer.get_future();
    {
        const std::lock_guard lock{self.mutex};
        if (!self.running || self.stopping) {
            return make_error(ErrorKind::kUnavailable,
                              fmt::format("device {} is not being acquired", self.config.device_code));
        }
        self.once.push_back(request);
        self.nudge();
    }
    if (answer.wait_for(deadline) == std::future_status::ready) return answer.get();
    const std::lock_guard lock{self.mutex};
    request->given_up = true;
    return make_error(ErrorKind::kTimeout,
                      fmt::format("device {} was not read within {} ms; it is {}", self.config.device_code,
                                  deadline.count(),
                                  self.shown.connection.is_connected
                                      ? "busy with a longer read"
                                      : "not connected: " + self.shown.connection.last_error));
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

const DeviceConfig& DeviceLoop::config() const {
    return impl_->config;
}

void DeviceLoop::set_cycle_limit(std::uint64_t cycles, std::function<void()> done) {
    const std::lock_guard lock{impl_->mutex};
    impl_->cycles_left = cycles;
    impl_->limit_reached = std::move(done);
}

}  // namespace fieldwarden::worker
