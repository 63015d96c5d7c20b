// What others may have the supervisor do.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "common/data_paths.h"
#include "supervisor/plant/task_options.h"
#include "supervisor/supervisor_ask.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;
using proto::LogLevel;
using proto::ProcessState;

namespace {

TaskEventKind event_of(TaskAction action) {
    switch (action) {
        case TaskAction::kStart:
            return TaskEventKind::kStart;
        case TaskAction::kStop:
            return TaskEventKind::kStop;
        case TaskAction::kPause:
            return TaskEventKind::kPause;
        case TaskAction::kResume:
            return TaskEventKind::kResume;
        case TaskAction::kRestart:
            return TaskEventKind::kRestart;
    }
    return TaskEventKind::kStop;
}

bool needs_config(TaskAction action) {
    return action == TaskAction::kStart || action == TaskAction::kRestart;
}

// The stream of a task: its worker's lines and the supervisor's about it.
std::vector<std::string> files_of_task(const std::string& data_dir, const std::string& code) {
    return {log_file(data_dir, code), task_events_file(data_dir, code)};
}

}  // namespace

// --- on the loop -------------------------------------------------------------------------------------------

TaskRuntime* SupervisorLoop::find(const std::string& code) {
    const auto found = tasks_.find(code);
    return found == tasks_.end() ? nullptr : &found->second;
}

TaskDefaults SupervisorLoop::defaults() const {
    return {settings_.spool,
            settings_.history,
            settings_.worker.stop_grace,
            settings_.log.level,
            {settings_.log.max_file_bytes, settings_.log.max_files}};
}

MachineSettings SupervisorLoop::machine_settings(const TaskRuntime& task) const {
    static const Options kNone;
    const auto& options = task.config ? task.config->options : kNone;
    MachineSettings settings;
    settings.start_timeout = task_duration(options, "start_timeout", settings_.worker.start_timeout);
    settings.stop_grace = task.config ? task.config->stop_grace : settings_.worker.stop_grace;
    settings.term_grace = settings_.worker.term_grace;
    settings.restart = settings_.restart;
    settings.restart.max_attempts = static_cast<std::uint32_t>(
        task_number(options, "max_restart_attempts", settings_.restart.max_attempts));
    return settings;
}

ProcessLimits SupervisorLoop::limits_of(const TaskRuntime& task) const {
    static const Options kNone;
    const auto& options = task.config ? task.config->options : kNone;
    ProcessLimits limits;
    limits.open_files =
        static_cast<std::uint32_t>(task_number(options, "open_files", settings_.worker.open_files));
    limits.nice = static_cast<int>(task_number(options, "nice", settings_.worker.nice));
    // With a cgroup the limit is of memory itself; address space would only be in the way.
    if (!cgroups_) {
        limits.memory_bytes = task_number(options, "memory_limit_mb", settings_.worker.memory_limit_mb) << 20;
    }
    return limits;
}

GroupLimits SupervisorLoop::group_limits_of(const TaskRuntime& task) const {
    static const Options kNone;
    const auto& options = task.config ? task.config->options : kNone;
    GroupLimits limits;
    limits.memory_bytes = task_number(options, "memory_limit_mb", settings_.worker.memory_limit_mb) << 20;
    limits.cpu_percent = static_cast<std::uint32_t>(
        task_number(options, "cpu_limit_percent", settings_.worker.cpu_limit_percent));
    return limits;
}

PlantPtr SupervisorLoop::plant() const {
    const std::lock_guard lock{shared_mutex_};
    return plant_;
}

void SupervisorLoop::set_plant(PlantPtr plant) {
    const std::lock_guard lock{shared_mutex_};
    plant_ = std::move(plant);
}

void SupervisorLoop::save_process(const TaskRuntime& task) {
    const auto& worker = *task.worker;
    ProcessRow row{.task_code = task.code,
                   .pid = worker.process->pid(),
                   .start_ticks = worker.process->start_ticks(),
                   .session_id = task.session ? task.session->row.session_id : 0,
                   .launch_key = worker.launch_key,
                   .restart_count = task.restart_count,
                   .config_revision = task.config ? task.config->revision : 0};
    store_queue_.submit("process of " + task.code, "process." + task.code,
                        [row = std::move(row)](Store& store) { return store.put_process(row); });
}

void SupervisorLoop::fail_pending(const std::function<bool(const PendingReply&)>& which, const Error& error) {
    for (auto at = pending_.begin(); at != pending_.end();) {
        if (!which(at->second)) {
            ++at;
            continue;
        }
        auto done = std::move(at->second.done);
        at = pending_.erase(at);
        done(error);
    }
}

ActionResult SupervisorLoop::act(TaskAction action, const std::string& code,
                                 const Result<TaskConfigPtr>* config, const Actor& actor) {
    ActionResult result;
    result.task_code = code;
    const auto refused = [&](Error error) {
        result.error = std::move(error);
        return result;
    };
    auto* task = find(code);
    if (task == nullptr || task->removed) return refused(unknown_task(code));
    result.task_id = task->id;
    if (stopping_) return refused(make_error(ErrorKind::kUnavailable, "the supervisor is stopping"));
    // A running worker keeps its configuration; only one that is to start takes the new one.
    if (config != nullptr && !task->worker) {
        if (!*config) return refused(config->error());
        task->set_config(**config, settings_);
    }
    const auto why = feed(*task, {.kind = event_of(action), .cause = actor.name});
    if (task->session) {
        result.session_id = task->session->row.session_id;
        result.started_at = task->session->row.started_at;
    }
    result.status = session_state(task->machine);
    if (why) {
        const auto session = result.session_id ? fmt::format(" (session {})", *result.session_id) : "";
        return refused(make_error(ErrorKind::kConflict, fmt::format("task {}: {}{}", code, *why, session)));
    }
    AuditEntry entry;
    entry.at = clock_.utc_now();
    entry.actor = actor;
    entry.action = fmt::format("task.{}", to_name(action));
    entry.subject = code;
    store_queue_.submit_audit(std::move(entry));
    return result;
}

// Also of tasks that do not run, or never did since this supervisor began; and what a worker still said of
// points removed by an earlier change, which it had not heard of yet.
void SupervisorLoop::forget_removed_points(const Plant& plant) {
    std::vector<PointId> points;
    for (const auto& point : plant.of(Kind::kPoint).all()) points.push_back(static_cast<PointId>(point.id));
    live_.keep_only(std::move(points));
}

ApplyResult SupervisorLoop::take_plant(NewPlant changed) {
    ApplyResult result;
    forget_removed_points(*changed.plant);
    set_plant(changed.plant);
    result.plant = changed.plant;
    take_status_points(std::move(changed.status_points));
    for (const auto& code : changed.changes.added) {
        auto& task = add_task(*changed.plant, *changed.plant->of(Kind::kTask).find(code));
        show(task, false);
    }
    for (const auto& code : changed.changes.changed) {
        auto* task = find(code);
        if (task == nullptr) continue;
        set_schedule(*task, *changed.plant->of(Kind::kTask).find(code));
        if (reload(*task, changed.configs.at(code))) result.reloaded.push_back(code);
    }
    for (const auto& code : changed.changes.removed) {
        auto* task = find(code);
        if (task == nullptr) continue;
        task->removed = true;
        if (task->machine.state != ProcessState::kStopped) {
            if (task->is_active()) result.stopped.push_back(code);
            feed(*task, {.kind = TaskEventKind::kStop, .cause = "the supervisor: the task was deleted"});
        }
        if (task->machine.state == ProcessState::kStopped) forget_task(code);
    }
    return result;
}

void SupervisorLoop::take_status_points(StatusPointsPtr points) {
    const auto now = clock_.utc_now();
    states_->take_plant(points, now);
    SampleBatch known;
    for (const auto& device : points->devices()) {
        if (device.status_point == 0) continue;
        if (auto sample = live_.get(device.status_point)) known.push_back(std::move(*sample));
    }
    states_->take(known, now);
    for (const auto& [code, task] : tasks_) {
        if (task.config && task.worker && task.worker->told_paused)
            states_->lose(task.config.kept().point_ids(), now);
    }
}

// True when a running worker takes the new configuration.
bool SupervisorLoop::reload(TaskRuntime& task, const Result<TaskConfigPtr>& config) {
    if (!config) {
        log(LogLevel::kError, fmt::format("task {} keeps its configuration, the new one does not compile: {}",
                                          task.code, config.error().message));
        return false;
    }
    recall_->forget(task.code);
    const auto before = task.config;
    if (before && task.worker) {
        // Points that are gone are not shown any more.
        auto gone = before.kept().point_ids();
        const auto kept = config->kept().point_ids();
        const std::unordered_set<PointId> stay{kept.begin(), kept.end()};
        std::erase_if(gone, [&](PointId point) { return stay.contains(point); });
        live_.forget(gone);
        states_->lose(gone, clock_.utc_now());
        const auto& devices = config->kept().outline().devices;
        for (const auto& device : before->devices) {
            const bool stays =
                std::ranges::find(devices, device.device_code, &DeviceConfig::device_code) != devices.end();
            if (!stays) states_->set_connected(task.code, device.device_code, false, clock_.utc_now());
        }
    }
    task.set_config(*config, settings_);
    log_service_.hide(task.code, secrets_of(config->kept().outline()));
    task.status_changed = true;
    if (!task.worker) {
        feed(task, {.kind = TaskEventKind::kConfigChanged});
        return false;
    }
    if (task.machine.state == ProcessState::kStopping) return false;
    // A worker that has not said Hello yet gets the new configuration with its Welcome.
    if (!link_->is_connected(task.worker->id)) return true;
    const auto& now = config->kept().outline();
    std::string what;
    if (before && before.kept().only_period_differs(config->kept())) {
        link_->send(task.worker->id, proto::SetPeriod{now.period});
        task.worker->config_revision = now.revision;
        what = fmt::format("period changed from {} to {}", format_duration(before->period),
                           format_duration(now.period));
    } else {
        auto full = config->kept().full();
        if (!full) {
            log(LogLevel::kError, fmt::format("task {}: {}", task.code, full.error().message));
            return false;
        }
        link_->send(task.worker->id, proto::Configure{std::move(*full)});
        trim_at_ = clock_.mono_now() + kSettled;
        what = fmt::format("configuration revision {} sent to the running worker", now.revision);
    }
    recorder_.note(task, {proto::LogType::kStrategyChange, proto::ExecutionPhase::kRetry, LogLevel::kInfo,
                          std::move(what)});
    save_process(task);
    return true;
}

// --- from other threads ------------------------------------------------------------------------------------

Supervisor::Supervisor(Settings settings, Store& store, StatusBus& bus, LiveValues& live, const Clock& clock,
                       Log log, MakeLauncher make_launcher)
    : loop_(std::make_unique<SupervisorLoop>(std::move(settings), store, bus, live, clock, std::move(log),
                                             make_launcher)) {}
Supervisor::~Supervisor() = default;

Status Supervisor::open() {
    return loop_->open();
}
void Supervisor::run() {
    loop_->run();
}
void Supervisor::request_stop() {
    asio::post(loop_->io_, [loop = loop_.get()] { loop->begin_stop(); });
}
void Supervisor::request_leave() {
    asio::post(loop_->io_, [loop = loop_.get()] { loop->io_.stop(); });
}

SupervisorVitals Supervisor::vitals() const {
    const std::lock_guard lock{loop_->shared_mutex_};
    return loop_->vitals_;
}
proto::SystemHealthSummary Supervisor::health_summary() const {
    const std::lock_guard lock{loop_->shared_mutex_};
    return loop_->summary_;
}
std::string Supervisor::status_tcp_endpoint() const {
    return loop_->status_pub_ ? loop_->status_pub_->tcp_endpoint() : std::string{};
}
Alerts& Supervisor::alerts() {
    return loop_->alerts_;
}
PlantPtr Supervisor::plant() const {
    return loop_->plant();
}
Result<LogPage> Supervisor::logs(const std::string& task_code, const LogQuery& query) {
    const auto& data_dir = loop_->settings_.server.data_dir;
    loop_->log_service_.flush();
    if (task_code.empty()) return search_logs(std::array{supervisor_log_file(data_dir)}, query);
    auto page = search_logs(files_of_task(data_dir, task_code), query);
    if (page) add_recent(*page, loop_->logs_.recent(task_code), query);
    return page;
}
LogPage Supervisor::all_logs(const LogQuery& query) {
    const auto& data_dir = loop_->settings_.server.data_dir;
    loop_->log_service_.flush();
    std::vector<std::vector<std::string>> streams{{supervisor_log_file(data_dir)}};
    const auto current = plant();  // held: an import may replace it meanwhile
    for (const auto& task : current->of(Kind::kTask).all()) {
        streams.push_back(files_of_task(data_dir, std::string{task.code()}));
    }
    return search_streams(streams, query);
}
LogCounters Supervisor::log_counters() const {
    return loop_->log_service_.counters();
}
void Supervisor::keep_line(proto::LogLevel level, std::string_view message) {
    loop_->log_service_.add_own(level, std::string{message});
}

Result<ApplyResult> Supervisor::apply(const ChangeSet& changes, std::uint64_t expected_revision,
                                      const AuditEntry& audit) {
    const std::lock_guard one_at_a_time{loop_->apply_mutex_};
    const auto before = plant();
    auto stored = loop_->store_.apply(changes, expected_revision, audit);
    if (!stored) return stored.error();
    // Compiled here, so that a plant of any size does not hold up the loop.
    auto changed = std::make_shared<NewPlant>();
    changed->plant = *stored;
    changed->changes = task_changes(*before, **stored);
    const TaskCompiler compiler{**stored, loop_->defaults()};
    for (const auto& code : changed->changes.changed) {
        changed->configs.emplace(code, keep_config(compiler, code));
    }
    changed->status_points = std::make_shared<const StatusPoints>(**stored);
    loop_->alerts_.take_plant(*stored);
    return ask<ApplyResult>(
        [loop = loop_.get(), changed](auto answer) { answer(loop->take_plant(std::move(*changed))); });
}

std::vector<ActionResult> Supervisor::act(TaskAction action, const std::vector<std::string>& task_codes,
                                          const Actor& actor) {
    auto configs = std::make_shared<std::map<std::string, Result<TaskConfigPtr>>>();
    if (needs_config(action)) {
        const auto now = plant();
        const TaskCompiler compiler{*now, loop_->defaults()};
        for (const auto& code : task_codes) configs->emplace(code, keep_config(compiler, code));
    }
    auto results =
        ask<std::vector<ActionResult>>([loop = loop_.get(), action, task_codes, actor, configs](auto answer) {
            // Done in the tasks' start order, answered in the order asked.
            std::vector<std::size_t> order(task_codes.size());
            std::iota(order.begin(), order.end(), std::size_t{0});
            std::ranges::stable_sort(order, {}, [&](std::size_t index) {
                const auto* task = loop->find(task_codes[index]);
                return task == nullptr ? 0U : task->start_order;
            });
            std::vector<ActionResult> all(task_codes.size());
            for (const auto index : order) {
                const auto& code = task_codes[index];
                const auto config = configs->find(code);
                all[index] =
                    loop->act(action, code, config == configs->end() ? nullptr : &config->second, actor);
            }
            answer(std::move(all));
        });
    if (results) return std::move(*results);
    std::vector<ActionResult> failed;
    for (const auto& code : task_codes) {
        ActionResult result;
        result.task_code = code;
        result.error = results.error();
        failed.push_back(std::move(result));
    }
    return failed;
}

Result<ActionResult> Supervisor::act_on_session(TaskAction action, std::int64_t session_id,
                                                const Actor& actor) {
    auto session = loop_->store_.session(session_id);
    const auto code = ask<std::string>([loop = loop_.get(), session_id](auto answer) {
        for (const auto& [task_code, task] : loop->tasks_) {
            if (task.session && task.session->row.session_id == session_id) return answer(task_code);
        }
        answer(make_error(ErrorKind::kConflict, fmt::format("session {} has ended", session_id)));
    });
    if (!code) {
        // Only the store knows whether there ever was such a session.
        if (!session && code.error().kind == ErrorKind::kConflict) return session.error();
        return code.error();
    }
    auto result = act(action, {*code}, actor).front();
    if (result.error) return *result.error;
    return result;
}

Result<TaskProgress> Supervisor::progress(const std::string& task_code) {
    return ask<TaskProgress>([loop = loop_.get(), task_code](auto answer) {
        const auto* task = loop->find(task_code);
        if (task == nullptr) return answer(unknown_task(task_code));
        answer(progress_of(*task, loop->clock_.mono_now()));
    });
}

}  // namespace fieldwarden::supervisor
