#include "supervisor/fleet/task_runtime.h"

#include <algorithm>

namespace fieldwarden::supervisor {

namespace {

constexpr std::int64_t kMinutesPerDay = 24 * 60;

milliseconds age(MonoTime since, MonoTime now) {
    return std::chrono::duration_cast<milliseconds>(now - since);
}
std::optional<milliseconds> age(const std::optional<MonoTime>& since, MonoTime now) {
    return since ? std::optional{age(*since, now)} : std::nullopt;
}

std::int64_t minute_of(UtcTime time) {
    return std::chrono::duration_cast<std::chrono::minutes>(time.time_since_epoch()).count();
}

// A counter of a process that was taken over may be behind what was saved of it.
std::uint64_t difference(std::uint64_t now, std::uint64_t before) {
    return now > before ? now - before : 0;
}

std::uint32_t connected_devices(const WorkerTrack& worker) {
    return static_cast<std::uint32_t>(std::ranges::count_if(
        worker.devices, [](const auto& device) { return device.second.status.is_connected; }));
}

std::string connection_label(const TaskRuntime& task) {
    if (!task.worker || task.worker->devices.empty()) return "unknown";
    const auto connected = connected_devices(*task.worker);
    if (connected == task.worker->devices.size()) return "connected";
    return connected == 0 ? "disconnected" : "partial";
}

}  // namespace

void ErrorWindow::add(UtcTime now, std::uint64_t count) {
    const auto minute = minute_of(now);
    if (minutes_.empty() || minutes_.back().first < minute) minutes_.emplace_back(minute, 0);
    minutes_.back().second += count;
    while (minutes_.front().first <= minute - kMinutesPerDay) minutes_.pop_front();
}

std::uint64_t ErrorWindow::within(std::chrono::minutes window, UtcTime now) const {
    const auto oldest = minute_of(now) - window.count();
    std::uint64_t sum = 0;
    for (auto at = minutes_.rbegin(); at != minutes_.rend() && at->first > oldest; ++at) sum += at->second;
    return sum;
}

void TaskRuntime::set_config(TaskConfigPtr new_config, const Settings& settings) {
    decltype(point_codes){}.swap(point_codes);
    config = std::move(new_config);
    const auto& options = config ? config->options : Options{};
    thresholds = thresholds_for(settings, options);
    const auto slow = options.find("slow_down");
    slow_down = slow == options.end() ? settings.health.slow_down : slow->second == "true";
    if (config) secrets.add(secrets_of(config.kept().outline()));
    if (config && !config->devices.empty()) {
        const auto first = config->devices.front().protocol;
        const bool same = std::ranges::all_of(config->devices,
                                              [&](const auto& device) { return device.protocol == first; });
        protocol = same ? to_name(first) : "mixed";
    }
    if (config) {
        std::erase_if(delivery_ages, [&](const auto& known) { return sink_type_of(known.first).empty(); });
    }
    if (!config || !worker) return;
    std::erase_if(worker->devices, [&](const auto& known) {
        return std::ranges::none_of(config->devices,
                                    [&](const auto& device) { return device.device_code == known.first; });
    });
}

void TaskRuntime::take_beat(proto::Heartbeat beat, MonoTime now, UtcTime time) {
    auto& track = *worker;
    if (track.beat) {
        const auto& last = *track.beat;
        const auto seconds = std::chrono::duration<double>(now - track.beat_at).count();
        const auto read = difference(beat.points_read, last.points_read);
        if (seconds > 0) track.points_per_second = static_cast<double>(read) / seconds;
        const auto good = difference(beat.points_good, last.points_good);
        track.error_rate =
            read == 0 ? 0 : 1.0 - static_cast<double>(std::min(good, read)) / static_cast<double>(read);
        if (beat.loop_ticks != last.loop_ticks) track.progress_at = now;
        if (beat.points_good != last.points_good) track.good_at = now;
    } else {
        track.progress_at = now;
        if (beat.last_good_time) {
            // The worker's clock is ours; an adopted worker tells how old its last good sample is.
            const auto since = std::max(UtcTime::duration{0}, time - *beat.last_good_time);
            track.good_at = now - since;
        }
        if (track.adopted && session) {
            // What the session had before this process: not kept anywhere, but what was saved of the whole
            // less what this process has done since is at most a few seconds short of it.
            const auto& row = session->row;
            const auto good =
                static_cast<std::uint64_t>(static_cast<double>(row.points_read) * row.success_rate / 100.0);
            session->read_before = difference(row.points_read, beat.points_read);
            session->good_before = difference(good, beat.points_good);
            session->delivered_before = difference(row.points_delivered, beat.points_delivered);
            session->errors_before = difference(row.error_count, beat.errors);
        }
    }
    count_ages(beat);
    track.beat = std::move(beat);
    track.beat_at = now;
    track.beat_time = time;
    count_into_session();
}

void TaskRuntime::take_connection(proto::ConnectionStatus status, MonoTime now) {
    auto& device = worker->devices[status.device_code];
    if (status.is_connected) {
        device.away_since.reset();
    } else if (!device.away_since) {
        device.away_since = now;
    }
    if (!status.last_error.empty() && status.last_error != device.status.last_error) {
        last_error = status.device_code + ": " + status.last_error;
    }
    device.status = std::move(status);
}

void TaskRuntime::count_into_session() {
    if (!session || !worker || !worker->beat) return;
    const auto& beat = *worker->beat;
    auto& row = session->row;
    row.points_read = session->read_before + beat.points_read;
    row.points_delivered = session->delivered_before + beat.points_delivered;
    row.error_count = session->errors_before + beat.errors;
    const auto good = session->good_before + beat.points_good;
    row.success_rate =
        row.points_read == 0
            ? 100.0
            : std::min(100.0, 100.0 * static_cast<double>(good) / static_cast<double>(row.points_read));
    if (beat.last_read_time) row.last_read_time = beat.last_read_time;
    row.period_ms = beat.period_ms;
    row.cycle_ms = beat.cycle_ms;
    row.spool_pending = beat.spool_pending;
}

TaskFacts facts_of(const TaskRuntime& task, MonoTime now, UtcTime time) {
    TaskFacts facts;
    facts.task_code = task.code;
    facts.state = task.machine.state;
    facts.recent_deaths = static_cast<std::uint32_t>(task.machine.deaths.size());
    facts.last_error = task.last_error;
    facts.log_errors = task.errors.within(kLogErrorWindow, time);
    if (task.config) {
        facts.period = task.config->period;
        facts.devices_total = static_cast<std::uint32_t>(task.config->devices.size());
    }
    if (!task.worker) return facts;
    const auto& worker = *task.worker;
    facts.uptime = age(worker.since, now);
    facts.ready_age = age(worker.ready_at, now);
    facts.cpu_percent = worker.usage.cpu_percent;
    facts.memory_mb = worker.usage.memory_mb;
    facts.open_descriptors = worker.open_descriptors;
    facts.descriptor_limit = worker.limits.open_files;
    facts.good_data_age = age(worker.good_at, now);
    if (worker.beat) {
        facts.beat_age = age(worker.beat_at, now);
        facts.progress_age = age(worker.progress_at, now);
    }
    facts.devices_connected = connected_devices(worker);
    for (const auto& [code, device] : worker.devices) {
        if (!device.away_since) continue;
        const auto away = age(*device.away_since, now);
        if (facts.away_for && away <= *facts.away_for) continue;
        facts.away_for = away;
        facts.away_device = code;
        facts.away_error = device.status.last_error;
    }
    return facts;
}

proto::ProcessStatus process_status_of(const TaskRuntime& task, MonoTime now, UtcTime time,
                                       const std::string& command) {
    proto::ProcessStatus status;
    status.name = task.code;
    status.type = task.protocol;
    status.status = task.machine.state;
    status.restart_count = task.restart_count;
    status.last_error = task.last_error;
    status.connection_status = connection_label(task);
    status.health_score = task.health_score;
    status.error_count_24h = task.errors.within(std::chrono::hours{24}, time);
    status.config_revision = task.config ? task.config->revision : 0;
    if (task.session) status.last_data_time = task.session->row.last_read_time;
    if (!task.worker) return status;
    const auto& worker = *task.worker;
    status.pid = worker.process->pid();
    status.cpu_percent = worker.usage.cpu_percent;
    status.memory_mb = worker.usage.memory_mb;
    status.start_time = worker.started_at;
    status.uptime_seconds = std::chrono::duration<double>(now - worker.since).count();
    status.command = command;
    status.adopted = worker.adopted;
    if (worker.config_revision != 0) status.config_revision = worker.config_revision;
    for (const auto& [code, device] : worker.devices) status.connections.push_back(device.status);
    if (worker.beat) {
        status.last_heartbeat = worker.beat_time;
        status.data_collection_rate = worker.points_per_second;
    }
    return status;
}

proto::PerformanceMetrics performance_of(const TaskRuntime& task, UtcTime time) {
    proto::PerformanceMetrics metrics;
    metrics.process_name = task.code;
    metrics.timestamp = time;
    if (!task.worker || !task.worker->beat) return metrics;
    const auto& worker = *task.worker;
    const auto& beat = *worker.beat;
    metrics.cpu_percent = worker.usage.cpu_percent;
    metrics.memory_mb = worker.usage.memory_mb;
    metrics.data_points_per_minute = worker.points_per_second * 60;
    metrics.error_rate = worker.error_rate;
    metrics.response_time_ms = beat.response_ms;
    metrics.cycle_ms = beat.cycle_ms;
    metrics.missed_cycles = beat.missed_cycles;
    metrics.spool_pending = beat.spool_pending;
    metrics.spool_bytes = beat.spool_bytes;
    return metrics;
}

TaskProgress progress_of(const TaskRuntime& task, MonoTime now) {
    TaskProgress progress;
    progress.next_edge = task.next_edge;
    if (!task.worker || !task.worker->beat) return progress;
    const auto& worker = *task.worker;
    const auto& beat = *worker.beat;
    std::uint64_t ok = 0;
    std::uint64_t total = 0;
    std::optional<std::uint64_t> slowest;  // device, in cycles
    for (const auto& device : beat.devices) {
        const auto known = worker.devices.find(device.device_code);
        progress.units.push_back({device.device_code,
                                  known == worker.devices.end()       ? "unknown"
                                  : known->second.status.is_connected ? "connected"
                                                                      : "disconnected",
                                  device.points_ok, device.points_total, device.last_error, device.timeouts,
                                  device.period_factor});
        ok += device.points_ok;
        total += device.points_total;
        slowest = std::min(slowest.value_or(device.cycles), device.cycles);
    }
    progress.cycle = slowest.value_or(beat.cycles);
    progress.points_per_second = worker.points_per_second;
    if (total > 0) progress.overall_progress = 100.0 * static_cast<double>(ok) / static_cast<double>(total);
    if (!task.config) return progress;

    const auto bounded = [&](double done, double all, double per_second) {
        progress.overall_progress = all <= 0 ? 100.0 : std::min(100.0, 100.0 * done / all);
        if (per_second > 0) progress.eta_seconds = std::max(0.0, all - done) / per_second;
    };
    const auto running =
        worker.ready_at ? std::chrono::duration<double>(now - *worker.ready_at).count() : 0.0;
    const auto& limit = task.config->run_limit;
    if (limit.cycles) {
        const auto done = static_cast<double>(progress.cycle);
        bounded(done, static_cast<double>(*limit.cycles), running > 0 ? done / running : 0);
    } else if (limit.duration) {
        bounded(running, std::chrono::duration<double>(*limit.duration).count(), 1.0);
    }
    return progress;
}

std::string_view TaskRuntime::sink_type_of(std::string_view sink_code) const {
    if (!config) return {};
    if (config->sinks.empty() && sink_code == kHistorySink) return kHistorySink;
    const auto sink = std::ranges::find(config->sinks, sink_code, &SinkConfig::sink_code);
    return sink == config->sinks.end() ? std::string_view{} : sink->type;
}

void TaskRuntime::count_ages(const proto::Heartbeat& beat) {
    const auto of = [](const std::vector<proto::SinkProgress>& sinks, std::string_view sink_code) {
        return std::ranges::find(sinks, sink_code, &proto::SinkProgress::sink_code);
    };
    for (const auto& sink : beat.sinks) {
        auto& ages = delivery_ages[sink.sink_code];
        if (worker->beat) {
            const auto last = of(worker->beat->sinks, sink.sink_code);
            ages += last == worker->beat->sinks.end() ? sink.ages : sink.ages.since(last->ages);
        } else if (!worker->adopted) {
            ages += sink.ages;
        }
    }
}

proto::Json data_json(TaskRuntime& task, const SampleBatch& samples) {
    if (task.point_codes.empty() && task.config) {
        const auto& points = task.config.kept().points();
        task.point_codes.reserve(points.size());
        for (const auto& point : points) {
            task.point_codes.emplace_back(static_cast<PointId>(point.id), point.code());
        }
        std::ranges::sort(task.point_codes);
    }
    proto::Json points = proto::Json::array();
    for (const auto& sample : samples) {
        const auto code = std::ranges::lower_bound(task.point_codes, sample.point, {},
                                                   &std::pair<PointId, std::string_view>::first);
        if (code == task.point_codes.end() || code->first != sample.point) continue;
        points.push_back(proto::point_json(code->second, sample));
    }
    return {{"points", std::move(points)}};
}

}  // namespace fieldwarden::supervisor
