#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <map>

#include "worker/device_loop_impl.h"

namespace fieldwarden::worker {

namespace {

// The loop turns at least this often, so that its ticks show that it lives.
constexpr milliseconds kLongestWait{500};
// Changes of point quality are logged at most this often.
constexpr std::chrono::seconds kQualityLogInterval{5};
constexpr std::size_t kPointsNamedInLog = 5;
// What a device kept during an outage comes within this time after it is back.
constexpr std::chrono::seconds kPatienceWithKept{1};

}  // namespace

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
        // After a pause besides, so that a device which has lost the subscription says so at once.
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
    AwayPoints::Samples again;
    if (away_points) again = away_points->look(due, batch, clock.utc_now());
    pipeline.convert(due, batch);
    pipeline.convert(again.which, again.samples);
    const auto read = batch.size();
    const auto good = static_cast<std::uint64_t>(std::count_if(
        batch.begin(), batch.end(), [](const Sample& sample) { return sample.quality == Quality::kGood; }));
    const auto time = clock.utc_now();  // a sample may carry the device's own, of days ago
    enter(Where::kHandover);
    if (events.on_live && !batch.empty()) events.on_live(batch);
    changes.clear();
    pipeline.filter(due, batch, changes);
    std::ranges::move(again.samples, std::back_inserter(batch));
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
    continued_at.reset();
    if (called_off()) return false;
    if (!status) {
        failed(status.error(), true);
    } else if (source->continues()) {
        continued_at = clock.utc_now();
    }
    return status.has_value();
}

void DeviceLoop::Impl::take_updates(milliseconds wait, bool is_paused) {
    if (!is_paused && !meanwhile.empty()) hand_on_meanwhile();
    const auto began = clock.mono_now();
    due.clear();
    batch.clear();
    enter(Where::kDriver);
    const auto status = source->take(wait, due, batch);
    enter(Where::kLoop);
    const auto confirmed = source->confirmed_at();
    if (!batch.empty() || (confirmed && !proven)) succeeded();
    if (is_paused) {
        keep_meanwhile();
    } else {
        const bool was_quiet = batch.empty();
        if (!was_quiet) hand_on(std::chrono::duration<double, std::milli>(clock.mono_now() - began).count());
        bring_back(confirmed, was_quiet);
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

void DeviceLoop::Impl::keep_meanwhile() {
    for (std::size_t i = 0; i < batch.size(); ++i) meanwhile.insert_or_assign(due[i], std::move(batch[i]));
}

// Only once nothing more comes of what the device kept during an outage; of one that always has something,
// after a while.
void DeviceLoop::Impl::bring_back(std::optional<UtcTime> confirmed, bool was_quiet) {
    if (!away_points || !away_points->any() || !continued_at || !confirmed || *confirmed <= *continued_at)
        return;
    if (!was_quiet && *confirmed <= *continued_at + kPatienceWithKept) return;
    auto back = away_points->bring_back(clock.utc_now());
    due = std::move(back.which);
    batch = std::move(back.samples);
    if (!batch.empty()) hand_on(0);
}

// What the device said last of each point during a pause: it holds now, and may not be said again for hours.
void DeviceLoop::Impl::hand_on_meanwhile() {
    due.clear();
    batch.clear();
    for (auto& [point, sample] : meanwhile) {
        due.push_back(point);
        batch.push_back(std::move(sample));
    }
    meanwhile.clear();
    hand_on(0);
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
    // A source would have to be subscribed to again: it goes the long way.
    if (!status && status.error().kind == ErrorKind::kUnavailable && proven && source == nullptr &&
        !called_off()) {
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
    if (source != nullptr) {
        if (!subscribe()) return;
        // What holds now is said anew.
        if (!continued_at) meanwhile.clear();
    }
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
    if (was_paused) {
        keep_meanwhile();
    } else if (!batch.empty()) {
        hand_on(0);
    }
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

}  // namespace fieldwarden::worker
