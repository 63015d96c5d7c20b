#include "fake_control.h"

#include <fmt/format.h>

#include <cstdlib>

namespace fieldwarden::supervisor::testing {

using proto::SessionState;

FakeControl::FakeControl(Store& store, StatusBus& bus, LiveValues& live, const Clock& clock)
    : store_(store), bus_(bus), live_(live), clock_(clock), plant_(store.load_plant().value()) {}

SupervisorVitals FakeControl::vitals() const {
    SupervisorVitals vitals;
    vitals.started_at = clock_.utc_now();
    vitals.loop_lag_ms = 0.5;
    SinkDelivery delivery{"T1", "archive", "postgres", {}};
    delivery.ages.add(std::chrono::milliseconds{400}, 3);
    delivery.ages.add(std::chrono::hours{2}, 1);
    vitals.deliveries = std::make_shared<std::vector<SinkDelivery>>(1, delivery);
    return vitals;
}

proto::SystemHealthSummary FakeControl::health_summary() const {
    proto::SystemHealthSummary summary;
    summary.overall_status = proto::HealthStatus::kCritical;
    summary.total_processes = 2;
    summary.critical_processes = 1;
    summary.issues = {"T10: connection: lost"};
    return summary;
}

PlantPtr FakeControl::plant() const {
    const std::scoped_lock lock(mutex_);
    return plant_;
}

Result<ApplyResult> FakeControl::apply(const ChangeSet& changes, std::uint64_t expected_revision,
                                       const AuditEntry& audit) {
    const std::scoped_lock lock(mutex_);
    auto stored = store_.apply(changes, expected_revision, audit);
    if (!stored) return stored.error();
    ApplyResult result{*stored, {}, {}};
    const auto touched = task_changes(*plant_, **stored);
    for (const auto& code : touched.changed) {
        if (tasks_[code].state == SessionState::kRunning) result.reloaded.push_back(code);
    }
    for (const auto& code : touched.removed) {
        if (tasks_[code].state == SessionState::kRunning) result.stopped.push_back(code);
        tasks_.erase(code);
    }
    plant_ = *stored;
    return result;
}

std::vector<ActionResult> FakeControl::act(TaskAction action, const std::vector<std::string>& task_codes,
                                           const Actor& actor) {
    const std::scoped_lock lock(mutex_);
    std::vector<ActionResult> results;
    for (const auto& code : task_codes) {
        results.push_back(act_on(action, code));
        AuditEntry entry;
        entry.at = clock_.utc_now();
        entry.actor = actor;
        entry.action = fmt::format("task.{}", to_name(action));
        entry.subject = code;
        (void)store_.add_audit(entry);
    }
    return results;
}

ActionResult FakeControl::act_on(TaskAction action, const std::string& task_code) {
    ActionResult result;
    result.task_code = task_code;
    const auto* record = plant_->of(Kind::kTask).find(task_code);
    if (!record) {
        result.error = make_error(ErrorKind::kNotFound, fmt::format("there is no task '{}'", task_code));
        return result;
    }
    result.task_id = record->id;
    auto& task = tasks_[task_code];
    const bool active = task.state == SessionState::kRunning || task.state == SessionState::kPaused;
    const auto refuse = [&](std::string_view why) {
        result.status = task.state;
        if (active) result.session_id = task.session_id;
        result.error = make_error(ErrorKind::kConflict, fmt::format("task {} {}", task_code, why));
        return result;
    };
    switch (action) {
        case TaskAction::kStart:
        case TaskAction::kRestart: {
            if (active && action == TaskAction::kStart) return refuse("is running");
            SessionRow row;
            row.task_id = record->id;
            row.task_code = task_code;
            row.status = SessionState::kRunning;
            row.started_at = clock_.utc_now();
            const auto ids = store_.last_ids();
            row.session_id = ids->first + 1;
            task.session_id = store_.add_session(row).value();
            task.points_read = 0;
            task.state = SessionState::kRunning;
            result.started_at = row.started_at;
            result.status = SessionState::kStarting;
            proto::LogEntry start;
            start.id = ids->second + 1;
            start.timestamp = row.started_at;
            start.process_name = task_code;
            start.message = "execution starts";
            start.log_type = proto::LogType::kExecutionStart;
            start.execution_phase = proto::ExecutionPhase::kInitial;
            (void)store_.add_log_entry(task.session_id, start);
            proto::LogEntry good = start;
            good.id = start.id + 1;
            good.message = "first scan is good";
            good.log_type = proto::LogType::kSuccess;
            good.parent_log_id = start.id;
            (void)store_.add_log_entry(task.session_id, good);
            break;
        }
        case TaskAction::kStop:
            if (!active) return refuse("is not running");
            task.state = SessionState::kStopped;
            result.status = SessionState::kStopping;
            break;
        case TaskAction::kPause:
            if (task.state != SessionState::kRunning) return refuse("is not running");
            task.state = SessionState::kPaused;
            result.status = SessionState::kPaused;
            break;
        case TaskAction::kResume:
            if (task.state != SessionState::kPaused) return refuse("is not paused");
            task.state = SessionState::kRunning;
            result.status = SessionState::kRunning;
            break;
    }
    result.session_id = task.session_id;
    publish(task_code, task);
    return result;
}

Result<ActionResult> FakeControl::act_on_session(TaskAction action, std::int64_t session_id,
                                                 const Actor& actor) {
    const std::scoped_lock lock(mutex_);
    const auto row = store_.session(session_id);
    if (!row) return row.error();
    const auto& task = tasks_[row->task_code];
    if (task.session_id != session_id || task.state == SessionState::kStopped) {
        return make_error(ErrorKind::kConflict, fmt::format("session {} has ended", session_id));
    }
    return act(action, {row->task_code}, actor).front();
}

void FakeControl::publish(const std::string& task_code, const Task& task) {
    const bool active = task.state == SessionState::kRunning || task.state == SessionState::kPaused;
    const auto now = clock_.utc_now();
    proto::ProcessStatus process;
    process.name = task_code;
    process.type = "modbus_tcp";
    process.status = task.state == SessionState::kRunning  ? proto::ProcessState::kRunning
                     : task.state == SessionState::kPaused ? proto::ProcessState::kPaused
                                                           : proto::ProcessState::kStopped;
    if (active) {
        process.pid = 4242;
        process.last_heartbeat = now;
    }
    process.connection_status = active ? "connected" : "unknown";
    bus_.publish("process_status." + task_code, "process_status_update", proto::to_json(process));

    auto row = store_.session(task.session_id).value();
    row.status = task.state;
    row.points_read = task.points_read;
    if (!active) row.stopped_at = now;
    (void)store_.update_session(row);
    bus_.publish(fmt::format("session.{}", task.session_id), "session_status_update", proto::to_json(row));

    const auto config = compile_task(*plant_, task_code);
    if (!config) return;
    for (const auto& device : config->devices) {
        proto::ConnectionStatus connection;
        connection.device_code = device.device_code;
        connection.protocol_type = "modbus_tcp";
        connection.is_connected = active;
        bus_.publish(fmt::format("connection_status.{}.{}", task_code, device.device_code),
                     "connection_status", proto::to_json(connection));
    }
    for (const auto& check : EnumNames<proto::CheckType>::table) {
        proto::HealthCheckResult health;
        health.process_name = task_code;
        health.check_type = check.value;
        health.status = proto::HealthStatus::kHealthy;
        health.score = 100;
        health.timestamp = now;
        bus_.publish("health_checks." + task_code, "health_check_result", proto::to_json(health), true,
                     check.name);
    }
}

SampleBatch FakeControl::scan(const std::string& task_code) {
    SampleBatch samples;
    const auto config = compile_task(*plant_, task_code);
    if (!config) return samples;
    ++scans_;
    for (const auto& device : config->devices) {
        for (const auto& point : device.points) {
            Sample sample;
            sample.point = point.id;
            sample.time = clock_.utc_now();
            sample.value = static_cast<double>(scans_);
            samples.push_back(std::move(sample));
        }
    }
    return samples;
}

Result<AcquireResult> FakeControl::acquire_once(const std::string& task_code) {
    if (on_acquire) on_acquire();
    const std::scoped_lock lock(mutex_);
    if (tasks_[task_code].state != SessionState::kRunning) {
        return make_error(ErrorKind::kConflict, fmt::format("task {} is not running", task_code));
    }
    return AcquireResult{scan(task_code), 1.5};
}

Result<WriteResult> FakeControl::write_point(const std::string&, const Value& value, const Actor&) {
    if (const auto* number = std::get_if<std::int64_t>(&value); number != nullptr && *number > 1000) {
        return make_error(ErrorKind::kInvalidArgument, "the device refused the value");
    }
    WriteResult result;
    result.task_code = "T1";
    result.read_back.value = value;
    result.read_back.time = UtcTime{std::chrono::seconds{1'700'000'000}};
    result.confirmed = true;
    result.duration_ms = 3.5;
    return result;
}

Result<proto::BrowsePage> FakeControl::browse(const DeviceConfig&, const std::string& node) {
    if (node == "nowhere") return make_error(ErrorKind::kNotFound, "there is no node 'nowhere'");
    return proto::BrowsePage{{{"ns=2;s=T", "Temp", "variable", "float64", "Double", false, true}}, false};
}

Result<Control::Diagnostics> FakeControl::diagnostics(const std::string& device_code) {
    proto::DeviceDiagnostics device;
    device.device_code = device_code;
    device.requests = 12;
    return Diagnostics{{"T1", device}};
}

Result<TaskProgress> FakeControl::progress(const std::string& task_code) {
    const std::scoped_lock lock(mutex_);
    TaskProgress progress;
    const auto config = compile_task(*plant_, task_code);
    if (!config) return config.error();
    const bool running = tasks_[task_code].state == SessionState::kRunning;
    for (const auto& device : config->devices) {
        const auto total = static_cast<std::uint32_t>(device.points.size());
        progress.units.push_back(
            {device.device_code, running ? "connected" : "unknown", running ? total : 0, total, ""});
    }
    progress.overall_progress = running ? 100 : 0;
    progress.cycle = static_cast<std::uint64_t>(scans_);
    return progress;
}

Result<proto::ProbeResult> FakeControl::test_connection(const DeviceConfig& device) {
    proto::ProbeResult result;
    result.ok = !device.address.ends_with(":1");
    result.latency_ms = 0.4;
    result.detail = result.ok ? "answered" : "connection refused";
    if (!result.ok) result.error_category = proto::ErrorCategory::kConnectionError;
    return result;
}

Result<proto::ProbeResult> FakeControl::test_storage(const SinkConfig&) {
    return proto::ProbeResult{true, 0.2, "written and read back", std::nullopt};
}

Result<SampleBatch> FakeControl::stored_samples(const StoredQuestion&) {
    return make_error(ErrorKind::kNotFound, "no sink of the task can be asked for what it holds");
}

Result<LogPage> FakeControl::logs(const std::string& task_code, const LogQuery& query) {
    const std::scoped_lock lock(mutex_);
    LogPage page;
    if (!query.before.empty() && query.before != "1.1.1") {
        return make_error(ErrorKind::kInvalidArgument, "`before` is no cursor");
    }
    for (const auto& entry : logs_[task_code]) {
        if (query.fits(entry)) page.hits.push_back({entry, "1.1.1"});
    }
    const auto leave = page.hits.size() - std::min(page.hits.size(), query.limit);
    if (leave > 0) page.before = "1.1.1";
    page.hits.erase(page.hits.begin(), page.hits.begin() + static_cast<std::ptrdiff_t>(leave));
    return page;
}

Result<DeadLetterPage> FakeControl::dead_letters(const DeadLetterQuery& query) {
    const auto& task = query.scope.task_code;
    const std::vector tasks{task.empty() ? std::string{"T1"} : task};
    return list_dead_letters(letters_dir, tasks, query);
}

Result<std::vector<DeadLetterChange>> FakeControl::retry_dead_letters(const DeadLetterScope& scope,
                                                                      const Actor&) {
    auto change = supervisor::retry_dead_letters(letters_dir, scope.task_code, scope.sink_code);
    if (!change) return change.error();
    return std::vector{*change};
}

Result<std::vector<DeadLetterChange>> FakeControl::clear_dead_letters(const DeadLetterScope& scope,
                                                                      const Actor&) {
    auto change = supervisor::clear_dead_letters(letters_dir, scope.task_code, scope.sink_code);
    if (!change) return change.error();
    return std::vector{*change};
}

LogPage FakeControl::all_logs(const LogQuery& query) {
    const std::scoped_lock lock(mutex_);
    LogPage page;
    for (const auto& [code, lines] : logs_) {
        for (const auto& entry : lines) {
            if (query.fits(entry)) page.hits.push_back({entry, {}});
        }
    }
    return page;
}

void FakeControl::tick() {
    const std::scoped_lock lock(mutex_);
    proto::FleetSummary fleet;
    for (auto& [code, task] : tasks_) {
        if (task.state != SessionState::kRunning) continue;
        const auto samples = scan(code);
        live_.put(samples);
        task.points_read += samples.size();
        ++fleet.workers;
        proto::Json points = proto::Json::array();
        for (const auto& sample : samples) {
            if (const auto* point = plant_->of(Kind::kPoint).find_id(sample.point)) {
                points.push_back(proto::point_json(point->code(), sample));
            }
        }
        bus_.publish("data." + code, "data_point_update", {{"points", std::move(points)}}, false);
        proto::PerformanceMetrics metrics;
        metrics.process_name = code;
        metrics.timestamp = clock_.utc_now();
        bus_.publish("performance." + code, "performance_metrics", proto::to_json(metrics));
        proto::LogEntry line;
        line.timestamp = clock_.utc_now();
        line.process_name = code;
        line.level = scans_ % 2 == 0 ? proto::LogLevel::kInfo : proto::LogLevel::kWarning;
        // A device may answer anything: the line is not UTF-8.
        line.message = fmt::format("scan {} \xff done", scans_);
        auto& lines = logs_[code];
        lines.push_back(line);
        if (lines.size() > 1000) lines.erase(lines.begin());
        bus_.publish("log_streams." + code, "log_stream", proto::to_json(line), false);
    }
    bus_.publish("fleet", "processor_status", proto::to_json(fleet));
}

Status fire_sample_alert(Alerts& alerts) {
    const auto made = alerts.config().create(AlertDocumentKind::kRule,
                                             {{"code", "sample"},
                                              {"kind", "disk_low"},
                                              {"parameters", {{"free_mb", 1e12}}},
                                              {"channels", {"log"}}},
                                             {});
    if (!made.ok())
        return made.error ? *made.error : make_error(ErrorKind::kInternal, "the sample rule is wrong");
    alerts.tick({}, system_clock().mono_now());
    return {};
}

Record make_record(Kind kind, const std::map<std::string, std::string>& cells) {
    const auto& schema = schema_of(kind);
    Record record;
    record.cells.resize(schema.fields.size());
    for (const auto& [name, text] : cells) record.cells.set(schema.index_of(name), text);
    return record;
}

Result<PlantPtr> store_sample_plant(Store& store) {
    ChangeSet changes;
    const auto put = [&](Kind kind, const std::map<std::string, std::string>& cells) {
        changes.of(kind).put.push_back(make_record(kind, cells));
    };
    put(Kind::kSite, {{"site_code", "S1"}, {"site_name", "North hall"}});
    put(Kind::kSite, {{"site_code", "S2"}, {"site_name", "South hall"}});
    put(Kind::kDeviceType, {{"type_code", "welder"}, {"type_name", "Welder"}});
    put(Kind::kDeviceType, {{"type_code", "pump"}, {"type_name", "Pump"}});
    for (const std::string_view device : {"W001", "W002", "P001"}) {
        put(Kind::kDevice, {{"device_code", std::string(device)},
                            {"device_name", fmt::format("Device {}", device)},
                            {"site_code", "S1"},
                            {"protocol", "modbus_tcp"},
                            {"address", "127.0.0.1:1502"},
                            {"type_code", device.starts_with('W') ? "welder" : "pump"}});
        for (int i = 0; i < 4; ++i) {
            // The second welder lacks the last field of the first.
            const auto field = i == 3 && device == "W002" ? std::string("SPARE") : fmt::format("F{}", i);
            put(Kind::kPoint, {{"point_code", fmt::format("{}_{}", device, field)},
                               {"point_name", fmt::format("Field {}", i)},
                               {"device_code", std::string(device)},
                               {"address", fmt::format("hr:{}", i * 2)},
                               {"data_type", "float32"},
                               {"unit", "A"}});
        }
    }
    put(Kind::kSink, {{"sink_code", "archive"},
                      {"type", "influxdb"},
                      {"url", "http://user:planted-secret@local:8086"},
                      {"options", "token=planted-secret"}});
    put(Kind::kTask, {{"task_code", "T1"},
                      {"task_name", "Welders"},
                      {"devices", "W001,W002"},
                      {"period_ms", "1000"},
                      {"group", "hall"}});
    put(Kind::kTask,
        {{"task_code", "T10"}, {"task_name", "Pumps"}, {"devices", "P001"}, {"period_ms", "1000"}});
    AuditEntry audit;
    audit.at = system_clock().utc_now();
    audit.action = "import.apply";
    return store.apply(changes, store.load_plant().value()->revision, audit);
}

}  // namespace fieldwarden::supervisor::testing
