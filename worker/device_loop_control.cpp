// What others ask of a device loop: its making, its commands, and work beside the schedule.
#include <algorithm>
#include <array>
#include <future>
#include <numeric>

#include "common/device_options.h"
#include "worker/device_loop_impl.h"
#include "worker/device_peer.h"

namespace fieldwarden::worker {

namespace {

// A driver call may overstay the timeouts it was given by this much before it counts as hung.
constexpr milliseconds kCallSlack{2000};

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

Fingerprint fingerprint_of(const DeviceConfig& config) {
    const auto payload = proto::encode(proto::TestConnection{0, config}).payload;
    const std::string_view bytes{reinterpret_cast<const char*>(payload.data()), payload.size()};
    Fingerprint print{bytes.size(), std::hash<std::string_view>{}(bytes), 0xcbf29ce484222325ULL};
    for (const char byte : bytes) {
        print.other_hash = (print.other_hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
    }
    return print;
}

DeviceLoop::Impl::Impl(DeviceConfig device, milliseconds task_period, DeviceEvents device_events,
                       DriverFactory factory, const Clock& loop_clock)
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
    if (self.source == nullptr || self.source->values_hold())
        self.away_points.emplace(self.config.points.size(), self.source != nullptr, self.clock.utc_now());
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
