// How the supervisor begins (what an earlier one left is taken over), turns and ends.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <filesystem>

#include "common/sink_options.h"
#include "supervisor/fleet/proc_info.h"
#include "supervisor/plant/task_options.h"
#include "supervisor/supervisor_loop.h"
#include "supervisor/systemd.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;
using proto::LogLevel;
using proto::ProcessState;

namespace {

constexpr milliseconds kTick{100};
constexpr std::chrono::seconds kOwnMemoryInterval{10};
constexpr std::chrono::minutes kLagMemory{1};
constexpr std::chrono::hours kPruneInterval{6};
// Beyond the longest stop_grace and term_grace of a task: a process that even SIGKILL does not end (stuck in
// the kernel) does not keep the supervisor.
constexpr std::chrono::seconds kStopMargin{10};

LogServiceOptions log_service_options(const Settings& settings) {
    LogServiceOptions options;
    options.data_dir = settings.server.data_dir;
    options.files = {settings.log.max_file_bytes, settings.log.max_files};
    options.retention = {std::chrono::days{settings.log.max_age_days}, settings.log.max_total_bytes};
    return options;
}

}  // namespace

SupervisorLoop::SupervisorLoop(Settings settings, Store& store, StatusBus& bus, LiveValues& live,
                               const Clock& clock, Supervisor::Log log,
                               const Supervisor::MakeLauncher& make_launcher)
    : settings_(std::move(settings)),
      store_(store),
      bus_(bus),
      live_(live),
      clock_(clock),
      log_(std::move(log)),
      launcher_(make_launcher(io_)),
      logs_(settings_.log.lines_in_memory),
      log_service_(log_service_options(settings_), clock_),
      store_queue_(
          store,
          [this](const std::string& what, const Error& error) {
              this->log(LogLevel::kError, fmt::format("store: {} was not written: {}", what, error.message));
          },
          [this](const std::string& text) { this->log(LogLevel::kWarning, "store: " + text); }),
      recorder_(store_queue_, bus_, logs_, log_service_, clock_),
      alerts_(settings_.server.data_dir, store, store_queue_, bus, live, clock,
              [this](LogLevel level, const std::string& message) { this->log(level, message); }),
      launch_gate_(settings_.worker.spawn_rate),
      plant_(std::make_shared<const Plant>()) {}

// --- begin -------------------------------------------------------------------------------------------------

Status SupervisorLoop::open() {
    const auto& data_dir = settings_.server.data_dir;
    std::error_code error;
    std::filesystem::create_directories(data_dir + "/log", error);
    if (error) {
        return make_error(ErrorKind::kIo, fmt::format("cannot create {}/log: {}", data_dir, error.message()));
    }
    auto lock = InstanceLock::take(data_dir + "/run/supervisor.lock");
    if (!lock) return lock.error();
    lock_ = std::move(*lock);

    auto link = FleetLink::open(
        io_, data_dir + "/run/control.sock",
        {[this](WorkerId worker, const proto::Hello& hello) { return on_hello(worker, hello); },
         [this](WorkerId worker, proto::Message&& message) { on_message(worker, std::move(message)); },
         [this](WorkerId worker) { on_gone(worker); }});
    if (!link) return link.error();
    link_ = std::move(*link);
    auto status = StatusPub::open(io_, zmq_, bus_,
                                  {data_dir + "/run/status.sock", settings_.server.status_tcp,
                                   settings_.server.status_curve_secret_key});
    if (!status) return status.error();
    status_pub_ = std::move(*status);
    worker_launch_ = std::make_unique<WorkerLaunch>(settings_, link_->path());
    probes_ = std::make_unique<Probes>(*launcher_, *link_, *worker_launch_, settings_.worker, clock_,
                                       [this] { return ++last_worker_; });
    recall_ = std::make_unique<Recall>(
        live_, clock_,
        [this](proto::QueryStore question, std::string subject, Recall::Answered done) {
            ask_probe({std::move(question), nullptr, std::move(subject)}, std::move(done));
        },
        [this](LogLevel level, const std::string& message) { this->log(level, message); });
    spares_ = std::make_unique<Spares>(
        *launcher_, *link_, *worker_launch_, settings_.worker, clock_, [this] { return ++last_worker_; },
        [this](WorkerId worker, const ExitStatus& end, MonoTime at) { on_exit(worker, end, at); }, log_);
    {
        const std::lock_guard shared{shared_mutex_};
        vitals_.started_at = clock_.utc_now();
        rlimit limit{};
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
            vitals_.descriptor_limit =
                static_cast<std::uint32_t>(std::min<rlim_t>(limit.rlim_cur, UINT32_MAX));
        }
        open_for_questions_ = true;
    }
    if (const auto& root = settings_.worker.cgroup_root; !root.empty()) {
        auto cgroups = Cgroups::open(root);
        if (!cgroups) return cgroups.error();
        cgroups_ = std::move(*cgroups);
    }
    if (const auto limit = systemd::watchdog_limit()) {
        watchdog_ = true;
        log(LogLevel::kInfo, fmt::format("systemd expects a sign of life every {} ms",
                                         std::chrono::duration_cast<milliseconds>(*limit).count()));
    }
    return load();
}

Status SupervisorLoop::load() {
    const auto plant = store_.load_plant();
    if (!plant) return plant.error();
    set_plant(*plant);
    const auto ids = store_.last_ids();
    if (!ids) return ids.error();
    recorder_.continue_after(ids->first, ids->second);
    if (const auto states = load_states(**plant); !states) return states;
    if (const auto alerting = alerts_.open(*plant); !alerting) return alerting.error();
    const auto desired_rows = store_.desired();
    if (!desired_rows) return desired_rows.error();
    Desired desired;
    for (const auto& row : *desired_rows) desired.emplace(row.task_code, row);

    for (const auto& record : (*plant)->of(Kind::kTask).all()) add_task(**plant, record);
    log_service_.start(
        [this](const std::string& code, std::vector<proto::LogEntry> lines) {
            asio::post(
                io_, [this, code, lines = std::move(lines)]() mutable { on_output(code, std::move(lines)); });
        },
        [this] {
            std::vector<std::string> codes;
            const auto current = this->plant();  // held: an import may replace it meanwhile
            for (const auto& record : current->of(Kind::kTask).all()) codes.emplace_back(record.code());
            return codes;
        });
    take_up_processes(desired);
    take_up_waiting(desired);
    close_lost_sessions();
    start_desired(desired);
    recall_stored();
    for (auto& [code, task] : tasks_) show(task, false);
    return {};
}

Status SupervisorLoop::load_states(const Plant& plant) {
    const auto zone = find_zone(settings_.server.time_zone);
    if (!zone) return make_error(zone.error().kind, "server.time_zone: " + zone.error().message);
    zone_ = *zone;
    states_ = std::make_unique<DeviceStates>([zone = zone_](UtcTime time) { return local_day(zone, time); });
    const auto now = clock_.utc_now();
    const auto counted = store_.state_times_since(local_day(zone_, now).date - std::chrono::days{1});
    if (!counted) return counted.error();
    states_->restore(*counted);
    states_->take_plant(std::make_shared<const StatusPoints>(plant), now);
    return {};
}

namespace {

// The protocol of the task's devices, or "mixed"; without compiling the task, which may never be wanted.
std::string protocol_of(const Plant& plant, const Record& task) {
    const auto& all_devices = plant.of(Kind::kDevice);
    auto devices = match_codes(all_devices, cell_of(Kind::kTask, task, "devices"));
    if (devices.empty()) {
        for (const auto* point : match_codes(plant.of(Kind::kPoint), cell_of(Kind::kTask, task, "points"))) {
            const auto* device = all_devices.find(cell_of(Kind::kPoint, *point, "device_code"));
            if (device != nullptr) devices.push_back(device);
        }
    }
    std::string label;
    for (const auto* device : devices) {
        const auto protocol = cell_of(Kind::kDevice, *device, "protocol");
        if (label.empty()) label = protocol;
        if (label != protocol) return "mixed";
    }
    return label;
}

}  // namespace

TaskRuntime& SupervisorLoop::new_runtime(const std::string& code) {
    auto& task = tasks_[code];
    task.code = code;
    task.status_topic = bus_.topic("process_status." + code);
    task.performance_topic = bus_.topic("performance." + code);
    return task;
}

TaskRuntime& SupervisorLoop::add_task(const Plant& plant, const Record& record) {
    auto& task = new_runtime(std::string{record.code()});
    task.id = record.id;
    task.removed = false;
    task.protocol = protocol_of(plant, record);
    task.thresholds = thresholds_for(settings_, {});
    set_schedule(task, record);
    return task;
}

// Every row of the process table is a worker that the supervisor before this one had running.
void SupervisorLoop::take_up_processes(const Desired& desired) {
    const auto rows = store_.processes();
    if (!rows) {
        log(LogLevel::kError,
            "the process table cannot be read, no worker is adopted: " + rows.error().message);
        return;
    }
    const TaskCompiler compiler{*plant(), defaults()};
    for (const auto& row : *rows) {
        auto* known = find(row.task_code);
        if (known == nullptr) {
            // Its task was deleted meanwhile: taken over only to be stopped properly.
            known = &new_runtime(row.task_code);
            known->removed = true;
        }
        auto& task = *known;
        if (!task.removed) {
            const auto config = keep_config(compiler, row.task_code);
            if (config) task.set_config(*config, settings_);
        }
        const auto wanted = desired.find(row.task_code);
        const auto state = wanted == desired.end() ? DesiredState::kRunning : wanted->second.state;
        const bool alive = adopt(task, row, task.removed ? DesiredState::kStopped : state);
        if (!alive && task.removed) forget_task(row.task_code);
    }
}

bool SupervisorLoop::adopt(TaskRuntime& task, const ProcessRow& row, DesiredState desired) {
    if (auto session = store_.session(row.session_id); session && !session->stopped_at) {
        take_up_session(task, std::move(*session), row.restart_count);
    }
    task.machine.desired = desired;
    // What it printed while nobody read it.
    log_service_.watch(task.code, 0, true, {row.launch_key});
    if (task.config) log_service_.hide(task.code, secrets_of(task.config.kept().outline()));

    const auto worker = ++last_worker_;
    auto process = launcher_->adopt(
        row.pid, row.start_ticks,
        [this, worker](const ExitStatus& status, MonoTime at) { on_exit(worker, status, at); });
    if (!process) {
        // It died while nobody watched. That is a death like any other.
        log_service_.unwatch(task.code);
        store_queue_.submit("process of " + task.code, "process." + task.code,
                            [code = task.code](Store& store) { return store.remove_process(code); });
        if (!task.session) return false;
        task.machine.state = ProcessState::kRunning;
        task.machine.has_process = true;
        if (desired == DesiredState::kStopped) task.machine.state = ProcessState::kStopping;
        feed(task,
             {.kind = TaskEventKind::kExited,
              .death = {.kind = Death::Kind::kUnexpected,
                        .text = fmt::format("process {} was gone when the supervisor started", row.pid)}});
        return false;
    }
    WorkerTrack track;
    track.id = worker;
    track.limits = limits_of(task);
    track.process = std::move(*process);
    track.launch_key = row.launch_key;
    track.adopted = true;
    track.config_revision = row.config_revision;
    track.started_at = clock_.utc_now() - std::chrono::duration_cast<std::chrono::microseconds>(
                                              clock_.mono_now() - track.process->started_at());
    // A process that was a spare is older than its work; no work is older than its session.
    track.since = track.process->started_at();
    if (task.session) {
        const auto session_age =
            std::max(UtcTime::duration{0}, clock_.utc_now() - task.session->row.started_at);
        track.since = std::max(track.since, clock_.mono_now() - session_age);
    }
    link_->expect(track.launch_key, track.id);
    task_of_worker_[track.id] = &task;
    task.worker = std::move(track);
    feed(task, {.kind = TaskEventKind::kAdopted,
                .cause = fmt::format("process {}, started by an earlier supervisor", row.pid)});
    if (desired == DesiredState::kStopped) {
        feed(task, {.kind = TaskEventKind::kStop,
                    .cause = task.removed ? "the supervisor: its task was deleted"
                                          : "the supervisor: it was to be stopped"});
    }
    return true;
}

void SupervisorLoop::take_up_session(TaskRuntime& task, SessionRow session, std::uint32_t restart_count) {
    std::int64_t start_entry = 0;
    if (const auto timeline = store_.timeline(session.session_id)) {
        for (const auto& entry : *timeline) {
            if (entry.log_type == proto::LogType::kExecutionStart) start_entry = entry.id;
        }
    }
    recorder_.take_up(task, std::move(session), start_entry, restart_count + 1);
    task.restart_count = restart_count;
}

// Sessions between two processes: their task waited for its restart when the last supervisor left. It waits
// no longer, and its session goes on.
void SupervisorLoop::take_up_waiting(const Desired& desired) {
    const SessionFilter active{.task_id = {}, .task_code = {}, .active_only = true};
    const auto page = store_.sessions(active, {1, 1000});
    if (!page) return;
    const auto now_plant = plant();
    const TaskCompiler compiler{*now_plant, defaults()};
    for (const auto& row : page->items) {
        auto* task = find(row.task_code);
        const auto wanted = desired.find(row.task_code);
        if (task == nullptr || task->session || task->machine.state != ProcessState::kStopped) continue;
        if (wanted == desired.end() || wanted->second.state == DesiredState::kStopped) continue;
        const auto config = keep_config(compiler, row.task_code);
        if (!config) continue;  // start_desired() says so
        task->set_config(*config, settings_);
        // Each retry_attempt stands for one launch, the last one for the launch that is still to come.
        std::uint32_t attempts = 0;
        if (const auto timeline = store_.timeline(row.session_id)) {
            attempts = static_cast<std::uint32_t>(std::ranges::count_if(*timeline, [](const auto& entry) {
                return entry.log_type == proto::LogType::kRetryAttempt;
            }));
        }
        take_up_session(*task, row, attempts > 0 ? attempts - 1 : 0);
        task->machine.state = ProcessState::kBackoff;
        task->machine.desired = wanted->second.state;
        task->machine.deadline = clock_.mono_now();
    }
}

// Sessions that say they run, without a process: their supervisor ended between two writes.
void SupervisorLoop::close_lost_sessions() {
    const SessionFilter active{.task_id = {}, .task_code = {}, .active_only = true};
    const auto page = store_.sessions(active, {1, 1000});
    if (!page) return;
    for (auto row : page->items) {
        const auto* task = find(row.task_code);
        if (task != nullptr && task->session && task->session->row.session_id == row.session_id) continue;
        row.status = proto::SessionState::kError;
        row.stopped_at = clock_.utc_now();
        row.error_message = "the supervisor ended before it could record how this session ended";
        store_queue_.submit(fmt::format("session {}", row.session_id), {},
                            [row](Store& store) { return store.update_session(row); });
    }
}

// What the sinks hold of tasks that have not acquired anything yet, or never will because they stand.
void SupervisorLoop::recall_stored() {
    const auto now_plant = plant();
    const auto& sinks = now_plant->of(Kind::kSink).all();
    const bool any = std::ranges::any_of(sinks, [](const Record& record) {
        const auto* type = find_sink_type(cell_of(Kind::kSink, record, "type"));
        return type != nullptr && type->readable;
    });
    if (!any) return;
    const TaskCompiler compiler{*now_plant, defaults()};
    for (const auto& [code, task] : tasks_) {
        if (const auto config = keep_config(compiler, code)) recall_->add(*config);
    }
}

// What ran when the last supervisor ended, what is to start by itself unless a person stopped it, and what a
// schedule opened or closed while nobody watched.
void SupervisorLoop::start_desired(const Desired& desired) {
    const auto now_plant = plant();
    const TaskCompiler compiler{*now_plant, defaults()};
    const auto time = clock_.utc_now();
    std::vector<std::pair<TaskRuntime*, const Record*>> in_order;
    for (const auto& record : now_plant->of(Kind::kTask).all())
        in_order.emplace_back(find(std::string{record.code()}), &record);
    std::ranges::stable_sort(in_order, {}, [](const auto& each) { return each.first->start_order; });
    for (const auto& [found, record] : in_order) {
        auto& task = *found;
        const auto wanted = desired.find(task.code);
        const bool decided = wanted != desired.end();
        const bool autostart = cell_of(Kind::kTask, *record, "autostart") == "true";
        auto state = decided     ? wanted->second.state
                     : autostart ? DesiredState::kRunning
                                 : DesiredState::kStopped;
        std::string cause = decided ? "the supervisor (it ran before)" : "the supervisor (autostart)";
        if (task.schedule) {
            const auto since = decided ? std::optional{wanted->second.changed_at} : std::nullopt;
            const auto missed = missed_edge(*task.schedule, task.zone, time, since, autostart);
            if (missed) {
                state = *missed ? DesiredState::kRunning : DesiredState::kStopped;
                cause = "the schedule (due while no supervisor ran)";
            } else if (!decided) {
                state = DesiredState::kStopped;  // its window is closed
            }
        }
        if (task.machine.state == ProcessState::kStopped) {
            if (state != DesiredState::kStopped) start(task, compiler, cause, state == DesiredState::kPaused);
        } else if (state == DesiredState::kStopped && task.machine.desired != DesiredState::kStopped) {
            feed(task, {.kind = TaskEventKind::kStop, .cause = cause});
        }
    }
}

bool SupervisorLoop::start(TaskRuntime& task, const TaskCompiler& compiler, std::string cause, bool paused) {
    const auto config = keep_config(compiler, task.code);
    if (!config) {
        task.last_error = config.error().message;
        log(LogLevel::kError, fmt::format("task {} is not started: {}", task.code, task.last_error));
        return false;
    }
    task.set_config(*config, settings_);
    return !feed(task, {.kind = TaskEventKind::kStart, .cause = std::move(cause), .paused = paused});
}

void SupervisorLoop::set_schedule(TaskRuntime& task, const Record& record) {
    const auto options = parse_options(cell_of(Kind::kTask, record, "options"));
    task.start_order = static_cast<std::uint32_t>(
        task_number(options ? *options : Options{}, "start_order", TaskRuntime{}.start_order));
    task.schedule.reset();
    task.next_edge.reset();
    const auto text = cell_of(Kind::kTask, record, "schedule");
    const auto parsed = parse_schedule(text);
    if (!parsed || !*parsed) return;
    const auto& name = (*parsed)->time_zone.empty() ? settings_.server.time_zone : (*parsed)->time_zone;
    const auto zone = find_zone(name);
    if (!zone) {
        task.last_error = "schedule: " + zone.error().message;
        log(LogLevel::kError,
            fmt::format("task {} follows no schedule: {}", task.code, zone.error().message));
        return;
    }
    task.schedule = **parsed;
    task.zone = *zone;
    task.next_edge = next_edge(*task.schedule, task.zone, clock_.utc_now());
}

// Every tick: opens or closes the window when it is time. After a jump of the clock only the last edge
// counts.
void SupervisorLoop::follow_schedule(TaskRuntime& task) {
    const auto time = clock_.utc_now();
    if (!task.next_edge || time < task.next_edge->at || task.removed || stopping_) return;
    const auto edge = last_edge(*task.schedule, task.zone, time);
    task.next_edge = next_edge(*task.schedule, task.zone, time);
    if (!edge) return;
    const auto cause =
        fmt::format("the schedule ({} due at {})", edge->opens ? "start" : "stop", format_rfc3339(edge->at));
    if (!edge->opens) {
        if (task.machine.state != ProcessState::kStopped)
            feed(task, {.kind = TaskEventKind::kStop, .cause = cause});
        return;
    }
    if (task.is_active()) return;
    const auto now_plant = plant();
    start(task, TaskCompiler{*now_plant, defaults()}, cause, false);
}

void SupervisorLoop::forget_task(const std::string& code) {
    const auto found = tasks_.find(code);
    if (found == tasks_.end()) return;
    const auto& task = found->second;
    for (const auto* topic : {"process_status.", "health_checks.", "performance.", "data."}) {
        bus_.forget(topic + code);
    }
    for (const auto& event : bus_.last_values("connection_status." + code + ".")) bus_.forget(event->topic);
    recall_->forget(code);
    if (task.config) live_.forget(task.config.kept().point_ids());
    logs_.forget(code);
    log_service_.forget(code);
    std::erase_if(launch_queue_, [&](const auto& entry) { return entry.task_code == code; });
    if (cgroups_) cgroups_->remove(code);
    save_desired(code, DesiredState::kStopped);
    tasks_.erase(found);
}

// --- turn --------------------------------------------------------------------------------------------------

void SupervisorLoop::run() {
    tick_due_ = clock_.mono_now();
    schedule_tick();
    auto work = asio::make_work_guard(io_);
    io_.run();
    {
        const std::lock_guard shared{shared_mutex_};
        open_for_questions_ = false;
    }
    // What was asked before the door closed is still answered: whatever would take time is refused now.
    stopping_ = true;
    io_.restart();
    io_.poll();
    fail_pending([](const PendingReply&) { return true; },
                 make_error(ErrorKind::kUnavailable, "the supervisor is stopping"));
    probes_->stop_all();
    spares_->end_all();
    save_states();
    store_queue_.flush();
}

void SupervisorLoop::schedule_tick() {
    tick_due_ += kTick;
    const auto now = clock_.mono_now();
    if (tick_due_ < now) tick_due_ = now;  // after a long stall: no burst of missed ticks
    timer_.expires_after(tick_due_ - now);
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (error) return;
        tick();
        schedule_tick();
    });
}

void SupervisorLoop::tick() {
    const auto now = clock_.mono_now();
    const auto lag = std::chrono::duration<double, std::milli>(now - tick_due_).count();
    {
        const std::lock_guard shared{shared_mutex_};
        vitals_.loop_lag_ms = std::max(0.0, lag);
        if (now >= lag_forgotten_at_) {
            lag_forgotten_at_ = now + kLagMemory;
            vitals_.worst_loop_lag_ms = 0;
        }
        vitals_.worst_loop_lag_ms = std::max(vitals_.worst_loop_lag_ms, vitals_.loop_lag_ms);
    }
    launch_waiting();
    for (auto at = tasks_.begin(); at != tasks_.end();) {
        auto& task = (at++)->second;  // a task that was removed is forgotten when its worker has ended
        follow_schedule(task);
        watch(task, now);
    }
    probes_->tick(now);
    if (!stopping_) recall_->tick(now);
    spares_->tick(now, launch_queue_.empty() && !stopping_);
    fail_pending([&](const PendingReply& pending) { return now >= pending.deadline; },
                 make_error(ErrorKind::kTimeout, "the worker did not answer in time"));
    if (trim_at_ && now >= *trim_at_) {
        // A task of 10,000 points passes through some 20 MB on its way to its worker.
        ::malloc_trim(0);
        trim_at_.reset();
    }
    if (now >= second_due_) {
        second_due_ = now + std::chrono::seconds{1};
        show_fleet(now);
        if (watchdog_) systemd::notify_watchdog();
    }
    // Tasks that end with the supervisor are over for now only: what fires goes on with the next one.
    if (!stopping_) alerts_.tick(tasks_, now);
    if (now >= states_due_) {
        states_due_ = now + DeviceStates::kInterval;
        save_states();
    }
    if (now >= prune_due_) {
        prune_due_ = now + kPruneInterval;
        const auto before = clock_.utc_now() - std::chrono::days{settings_.retention.session_days};
        store_queue_.submit("pruning of old sessions", "prune",
                            [before](Store& store) { return store.prune(before); });
        const auto first_day =
            local_day(zone_, clock_.utc_now()).date - std::chrono::days{settings_.retention.statistics_days};
        store_queue_.submit("pruning of old statistics", "prune statistics",
                            [first_day](Store& store) { return store.prune_state_times(first_day); });
    }
    if (stopping_) end_if_stopped();
}

void SupervisorLoop::measure(std::uint32_t workers, MonoTime now) {
    const auto store = store_queue_.vitals();
    std::optional<ResourceUsage> usage;
    std::uint32_t descriptors = 0;
    struct statvfs disk {};
    if (now >= memory_due_) {
        memory_due_ = now + kOwnMemoryInterval;
        usage = own_sampler_.sample(getpid(), now);
        descriptors = open_descriptors();
        (void)statvfs(settings_.server.data_dir.c_str(), &disk);  // all zero: not measured
    }
    auto deliveries = std::make_shared<std::vector<SinkDelivery>>();
    for (const auto& [code, task] : tasks_) {
        for (const auto& [sink, ages] : task.delivery_ages) {
            const auto type = task.sink_type_of(sink);
            if (!type.empty()) deliveries->push_back({code, sink, std::string{type}, ages});
        }
    }
    const std::lock_guard shared{shared_mutex_};
    vitals_.deliveries = std::move(deliveries);
    if (usage) {
        vitals_.cpu_percent = usage->cpu_percent;
        vitals_.memory_mb = usage->memory_mb;
        vitals_.open_descriptors = descriptors;
        vitals_.disk_bytes = std::uint64_t{disk.f_blocks} * disk.f_frsize;
        vitals_.disk_free_bytes = std::uint64_t{disk.f_bavail} * disk.f_frsize;
    }
    vitals_.tasks = static_cast<std::uint32_t>(tasks_.size());
    vitals_.workers = workers;
    vitals_.waiting_to_launch = static_cast<std::uint32_t>(launch_queue_.size());
    vitals_.launches = launches_;
    vitals_.worker_deaths = worker_deaths_;
    vitals_.spool_dropped = spool_dropped_;
    vitals_.store_queue_depth = store.depth;
    vitals_.store_latency_ms = store.last_latency_ms;
    vitals_.worst_store_latency_ms = store.worst_latency_ms;
    vitals_.store_failures = store.failed;
    vitals_.store_last_error = store.last_error;
    const auto& link = link_->counters();
    vitals_.link_received = link.received;
    vitals_.link_malformed = link.malformed + link.stranger;
    vitals_.link_refused = link.refused;
    vitals_.status_events = bus_.last_seq();
}

// --- end ---------------------------------------------------------------------------------------------------

void SupervisorLoop::begin_stop() {
    if (stopping_) return;
    stopping_ = true;
    systemd::notify_stopping();
    milliseconds longest = settings_.worker.stop_grace;
    probes_->stop_all();
    spares_->stop_all();
    for (auto& [code, task] : tasks_) {
        if (task.config) longest = std::max(longest, task.config->stop_grace);
        feed(task, {.kind = TaskEventKind::kShutdown, .cause = "the supervisor is stopping"});
    }
    stop_due_ = clock_.mono_now() + longest + settings_.worker.term_grace + kStopMargin;
    end_if_stopped();
}

void SupervisorLoop::end_if_stopped() {
    std::string left;
    for (const auto& [code, task] : tasks_) {
        if (task.machine.has_process) left += (left.empty() ? "" : ", ") + code;
    }
    if (!left.empty() || !probes_->empty() || !spares_->empty()) {
        if (clock_.mono_now() < stop_due_) return;
        log(LogLevel::kError, fmt::format("leaving although workers have not ended: {}", left));
    }
    io_.stop();
}

}  // namespace fieldwarden::supervisor
