// The supervisor's line, top to bottom: what a worker says, what that means for its health, what the task
// machine makes of it, what is done, what is shown.
#include "supervisor/supervisor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "supervisor/fleet/proc_info.h"
#include "supervisor/supervisor_loop.h"

namespace fieldwarden::supervisor {

using proto::LogLevel;
using proto::ProcessState;

namespace {
// A little less than the time between two heartbeats, so that each is shown when it comes: those of a
// thousand workers are spread over the second, and to show all of them at a tick is a burst for who listens.
constexpr milliseconds kStatusInterval{900};
// Of a process; those of a large fleet are looked at less often between two health checks.
constexpr milliseconds kSampleInterval{5'000};
constexpr milliseconds kSampleIntervalPerTask{15};
constexpr std::chrono::seconds kSessionSaveInterval{30};
constexpr std::chrono::seconds kNotSentInterval{5};
constexpr milliseconds kLastWords{50};  // time for a worker's Finished to arrive after its end
}  // namespace

// --- worker → fleet link -----------------------------------------------------------------------------------

std::optional<std::string> SupervisorLoop::on_hello(WorkerId worker, const proto::Hello& hello) {
    if (probes_->owns(worker)) return probes_->on_hello(worker, hello);
    if (spares_->owns(worker)) return spares_->on_hello(worker, hello);
    const auto code = task_of_worker_.find(worker);
    if (code == task_of_worker_.end()) return "the worker has ended";
    auto& task = *code->second;
    auto& track = *task.worker;
    if (hello.pid != track.process->pid() || hello.start_ticks != track.process->start_ticks()) {
        return fmt::format("the launch key of task {} belongs to process {}, not to {}", task.code,
                           track.process->pid(), hello.pid);
    }
    const bool stopping = task.machine.state == ProcessState::kStopping;
    const bool configured = hello.config_revision != 0;
    track.config_revision = hello.config_revision;
    if (auto failed = welcome(task, hello.config_revision)) return failed;
    if (stopping) {
        link_->send(worker, proto::Stop{machine_settings(task).stop_grace});
    } else if (configured) {
        // It acquires already: adopted, or back after its connection broke.
        if (!track.ready_at) track.ready_at = clock_.mono_now();
        feed(task, {.kind = TaskEventKind::kReady, .paused = track.told_paused});
    }
    return std::nullopt;
}

// Tells the task's worker what it is to do, unless it runs this configuration already. Why it could not.
std::optional<std::string> SupervisorLoop::welcome(TaskRuntime& task, std::uint64_t known_revision) {
    auto& track = *task.worker;
    track.told_paused = task.machine.desired == DesiredState::kPaused;
    proto::Welcome welcome;
    welcome.session_id = task.session ? task.session->row.session_id : 0;
    welcome.heartbeat_interval = settings_.worker.heartbeat_interval;
    welcome.orphan_grace = settings_.worker.orphan_grace;
    welcome.paused = track.told_paused;
    const bool stopping = task.machine.state == ProcessState::kStopping;
    if (task.config && !stopping && known_revision != task.config->revision) {
        auto config = task.config.kept().full();
        if (!config) return config.error().message;
        welcome.config = std::move(*config);
        trim_at_ = clock_.mono_now() + kSettled;
    }
    link_->send(track.id, welcome);
    return std::nullopt;
}

void SupervisorLoop::on_message(WorkerId worker, proto::Message&& message) {
    if (probes_->owns(worker)) {
        probes_->on_message(worker, std::move(message));
        return;
    }
    if (spares_->owns(worker)) return spares_->on_message(worker, message);
    const auto code = task_of_worker_.find(worker);
    if (code == task_of_worker_.end()) return;  // it ended a moment ago
    auto& task = *code->second;
    if (auto* beat = std::get_if<proto::Heartbeat>(&message)) {
        on_beat(task, std::move(*beat));
    } else if (auto* connection = std::get_if<proto::Connection>(&message)) {
        on_connection(task, std::move(connection->status));
    } else if (const auto* live = std::get_if<proto::Live>(&message)) {
        on_live(task, live->samples);
    } else if (auto* lines = std::get_if<proto::Log>(&message)) {
        on_log(task, std::move(*lines));
    } else if (auto* reply = std::get_if<proto::Reply>(&message)) {
        on_reply(std::move(*reply));
    } else if (const auto* ready = std::get_if<proto::Ready>(&message)) {
        task.worker->config_revision = ready->config_revision;
        task.worker->ready_at = clock_.mono_now();
        feed(task, {.kind = TaskEventKind::kReady, .paused = task.worker->told_paused});
    } else if (auto* finished = std::get_if<proto::Finished>(&message)) {
        on_finished(task, std::move(*finished));
    }
}

void SupervisorLoop::on_beat(TaskRuntime& task, proto::Heartbeat&& beat) {
    const auto now = clock_.mono_now();
    auto& worker = *task.worker;
    // The last one carries the counters that the session ends with: the worker waits until they are taken.
    if (beat.seq % proto::kBeatsPerAck == 0 || worker.finished) {
        link_->send(worker.id, proto::BeatAck{beat.seq});
    }

    const auto delivered_before = worker.beat      ? worker.beat->points_delivered
                                  : worker.adopted ? beat.points_delivered
                                                   : 0;
    if (beat.points_delivered > delivered_before) {
        processed_total_ += beat.points_delivered - delivered_before;
        processed_today_ += beat.points_delivered - delivered_before;
    }
    // What an adopted worker lost before was counted by the supervisor of that time.
    const auto dropped_before = worker.beat      ? worker.beat->spool_dropped
                                : worker.adopted ? beat.spool_dropped
                                                 : 0;
    spool_dropped_ += beat.spool_dropped - std::min(beat.spool_dropped, dropped_before);
    task.take_beat(std::move(beat), now, clock_.utc_now());
    sample(worker, std::max(kSampleInterval, kSampleIntervalPerTask * static_cast<int>(tasks_.size())), now);
    if (task.config) pace(task, now);
    task.performance = performance_of(task, clock_.utc_now());
    bus_.publish_later(task.performance_topic, "performance_metrics",
                       [metrics = *task.performance] { return proto::to_json(metrics); });
    task.status_changed = true;
    show_if_due(task, now);
}

// What the process costs, unless that was measured within `interval`.
void SupervisorLoop::sample(WorkerTrack& worker, milliseconds interval, MonoTime now) {
    if (worker.sampled_at && now - *worker.sampled_at < interval) return;
    worker.sampled_at = now;
    if (const auto usage = worker.sampler.sample(static_cast<pid_t>(worker.process->pid()), now)) {
        worker.usage = *usage;
    }
}

void SupervisorLoop::on_connection(TaskRuntime& task, proto::ConnectionStatus&& status) {
    if (status.device_code.empty()) return;
    bus_.publish(fmt::format("connection_status.{}.{}", task.code, status.device_code), "connection_status",
                 proto::to_json(status));
    states_->set_connected(task.code, status.device_code, status.is_connected, clock_.utc_now());
    task.take_connection(std::move(status), clock_.mono_now());
    task.status_changed = true;
}

void SupervisorLoop::on_live(TaskRuntime& task, const SampleBatch& samples) {
    live_.put(samples);
    // A paused worker may still say what it had read before.
    if (!task.worker->told_paused) states_->take(samples, clock_.utc_now());
    const auto topic = "data." + task.code;
    if (bus_.wanted(topic)) bus_.publish(topic, "data_point_update", data_json(task, samples));
}

void SupervisorLoop::on_log(TaskRuntime& task, proto::Log&& lines) {
    for (auto& entry : lines.entries) recorder_.worker_line(task, std::move(entry));
    if (lines.lost > 0) log_service_.count_lost(task.code, lines.lost);
    task.lines_not_sent += lines.dropped;
    const auto now = clock_.mono_now();
    if (task.lines_not_sent == 0 || now - task.not_sent_told_at < kNotSentInterval) return;
    task.not_sent_told_at = now;
    proto::LogEntry entry;
    entry.timestamp = clock_.utc_now();
    entry.level = LogLevel::kWarning;
    entry.message = fmt::format(
        "{} lines were not sent because the worker logs too fast; its own file under log/ has them",
        std::exchange(task.lines_not_sent, 0));
    recorder_.plain_line(task, std::move(entry));
}

// What a process printed, as far as it was read.
void SupervisorLoop::on_output(const std::string& code, std::vector<proto::LogEntry>&& lines) {
    auto* task = find(code);
    if (task == nullptr) return;
    for (auto& entry : lines) recorder_.plain_line(*task, std::move(entry));
}

void SupervisorLoop::on_reply(proto::Reply&& reply) {
    const auto found = pending_.find(reply.request_id);
    if (found == pending_.end()) return;  // over its deadline already
    auto done = std::move(found->second.done);
    pending_.erase(found);
    done(std::move(reply));
}

void SupervisorLoop::on_finished(TaskRuntime& task, proto::Finished&& finished) {
    task.worker->farewell = std::move(finished.reason);
    task.worker->finished = true;
    if (finished.completed) feed(task, {.kind = TaskEventKind::kCompleted});
    if (task.worker->exit) conclude_exit(task);
}

namespace {

Death::Kind death_kind(const ExitStatus& status, ProcessState state) {
    if (status.code) {
        switch (static_cast<proto::ExitCode>(*status.code)) {
            case proto::ExitCode::kBadConfiguration:
                return Death::Kind::kBadConfiguration;
            case proto::ExitCode::kSpoolInUse:
                return Death::Kind::kSpoolInUse;
            case proto::ExitCode::kUnreachable:
                return Death::Kind::kUnreachable;
            case proto::ExitCode::kDone:
            case proto::ExitCode::kInternalError:
            case proto::ExitCode::kOrphaned:
            case proto::ExitCode::kRefused:
                break;
        }
    }
    return state == ProcessState::kStarting ? Death::Kind::kStartup : Death::Kind::kUnexpected;
}

}  // namespace

void SupervisorLoop::on_exit(WorkerId worker, const ExitStatus& status, MonoTime exited_at) {
    if (spares_->owns(worker)) return spares_->on_exit(worker, status);
    const auto found = task_of_worker_.find(worker);
    if (found == task_of_worker_.end()) return;
    auto& task = *found->second;
    task.worker->exit = ExitNotice{status, exited_at};
    // The kernel tells of the end sooner than the link delivers the worker's last words, and those decide
    // whether a run was completed. A signal leaves no last words.
    const bool may_have_said_more = !status.signal && !task.worker->finished && link_->is_connected(worker);
    if (!may_have_said_more) conclude_exit(task);
}

// Its connection has ended and everything it said has been read.
void SupervisorLoop::on_gone(WorkerId worker) {
    const auto found = task_of_worker_.find(worker);
    if (found == task_of_worker_.end()) return;
    auto& task = *found->second;
    if (task.worker->exit) conclude_exit(task);
}

void SupervisorLoop::conclude_exit(TaskRuntime& task) {
    const auto [status, exited_at] = *task.worker->exit;
    task_of_worker_.erase(task.worker->id);
    link_->forget(task.worker->id);

    Death death;
    death.kind = death_kind(status, task.machine.state);
    death.uptime =
        std::max(milliseconds{0}, std::chrono::duration_cast<milliseconds>(exited_at - task.worker->since));
    death.text = describe(status);
    if (!task.worker->farewell.empty()) death.text += ": " + task.worker->farewell;
    death.crash = tail_of(worker_launch_->crash_file(task.code), task.worker->crash_offset);
    // Of all SIGKILLs the kernel's own for memory is the one that a person can do something about.
    if (status.signal && cgroups_ && cgroups_->memory_kills(task.code) > task.worker->memory_kills) {
        death.text += ", by the kernel: it went beyond the memory limit of its cgroup (memory_limit_mb)";
    }
    for (auto* text : {&death.text, &death.crash}) task.secrets.apply(*text);
    log_service_.unwatch(task.code);
    if (task.machine.state != ProcessState::kStopping) {
        task.last_error = death.text;
        last_error_ = task.code + ": " + death.text;
        ++worker_deaths_;
    }
    recorder_.process_ended(task);
    show_stale(task);
    task.worker.reset();
    store_queue_.submit("process of " + task.code, "process." + task.code,
                        [code = task.code](Store& store) { return store.remove_process(code); });
    fail_pending([&](const PendingReply& pending) { return pending.task_code == task.code; },
                 make_error(ErrorKind::kUnavailable, "the worker ended before it answered"));

    feed(task, {.kind = TaskEventKind::kExited,
                .death = std::move(death),
                .random = std::uniform_real_distribution<double>{0, 1}(random_)});
    if (task.removed && !task.machine.has_process && task.machine.state == ProcessState::kStopped) {
        forget_task(std::string{task.code});
    }
}

// --- health ------------------------------------------------------------------------------------------------

namespace {

// False: it surely does not, and nobody needs to look closer. Ten times a second for a thousand workers.
bool may_hang(const WorkerTrack& worker, const HealthThresholds& thresholds, MonoTime now) {
    return !worker.beat || now - std::min(worker.beat_at, worker.progress_at) > thresholds.heartbeat_timeout;
}

}  // namespace

// Every tick for every task.
void SupervisorLoop::watch(TaskRuntime& task, MonoTime now) {
    if (task.worker && task.worker->exit && now - task.worker->exit->at >= kLastWords) {
        // May forget the task altogether; whatever follows is for the next turn.
        return conclude_exit(task);
    }
    if (task.machine.deadline && now >= *task.machine.deadline) {
        feed(task, {.kind = TaskEventKind::kDeadline});
    }
    if (task.worker && task.worker->ready_at && may_hang(*task.worker, task.thresholds, now)) {
        const auto facts = facts_of(task, now, clock_.utc_now());
        if (auto hung = hung_reason(facts, task.thresholds)) {
            feed(task, {.kind = TaskEventKind::kUnhealthy, .cause = std::move(*hung)});
        }
    }
    if (now >= task.health_due) check(task, now);
    show_if_due(task, now);
}

void SupervisorLoop::show_if_due(TaskRuntime& task, MonoTime now) {
    if (!task.status_changed || now < task.status_due) return;
    const bool save = task.session && now - task.session->saved_at >= kSessionSaveInterval;
    show(task, save);
}

void SupervisorLoop::check(TaskRuntime& task, MonoTime now) {
    if (task.worker) {
        sample(*task.worker, kSampleInterval, now);
        task.worker->open_descriptors =
            open_descriptors_of(static_cast<pid_t>(task.worker->process->pid())).value_or(0);
    }
    const auto facts = facts_of(task, now, clock_.utc_now());
    task.health_due = now + task.thresholds.interval;
    task.health = check_health(facts, task.thresholds, clock_.utc_now());
    const auto score = health_score(task.health);
    task.status_changed = task.status_changed || score != task.health_score;
    task.health_score = score;
    for (const auto& result : task.health) {
        bus_.publish("health_checks." + task.code, "health_check_result", proto::to_json(result), true,
                     to_name(result.check_type));
    }
    if (task.machine.state == ProcessState::kRunning) recover(task, facts, now);
}

void SupervisorLoop::recover(TaskRuntime& task, const TaskFacts& facts, MonoTime now) {
    const auto troubles = troubles_of(facts, task.thresholds, task.health);
    const bool all_connected = facts.devices_connected == facts.devices_total;
    const auto time_to_help = std::max(task.thresholds.data_timeout, task.thresholds.connection_timeout);
    for (const auto trouble : kAllTroubles) {
        auto& history = task.recovery[static_cast<std::size_t>(trouble)];
        if (std::ranges::find(troubles, trouble) == troubles.end()) {
            history.sightings = 0;
            if (is_over(trouble, history, facts, task.thresholds, now)) history = {};
            continue;
        }
        ++history.sightings;
        history.seen_at = now;
        if (history.acted_at && now - *history.acted_at < time_to_help) continue;
        const auto choice = choose_recovery(trouble, history, all_connected);
        if (choice.action == proto::RecoveryAction::kNoAction) continue;
        history.acted_at = now;

        const auto category = category_of(trouble);
        const auto why = fmt::format("{}: {}", to_name(category), choice.why);
        proto::RetryContext context;
        context.strategy_name = to_name(choice.action);
        context.attempt_number = history.resets + history.restarts + 1;
        context.error_category = category;
        recorder_.note(task, {proto::LogType::kStrategyChange,
                              proto::ExecutionPhase::kRetry,
                              LogLevel::kWarning,
                              fmt::format("{} because of {}", to_name(choice.action), why),
                              {},
                              context});
        switch (choice.action) {
            case proto::RecoveryAction::kResetConnection:
                ++history.resets;
                link_->send(task.worker->id, proto::ResetConnection{facts.away_device});
                break;
            case proto::RecoveryAction::kRestartProcess:
                ++history.restarts;
                feed(task, {.kind = TaskEventKind::kUnhealthy, .cause = why});
                return;  // the new process is judged anew
            case proto::RecoveryAction::kAlertOperator:
                history.alerted = true;
                last_error_ = task.code + ": " + why;
                alerts_.operator_needed(task.code, category, choice.why, choice.advice);
                break;
            case proto::RecoveryAction::kClearCache:
            case proto::RecoveryAction::kReduceFrequency:
            case proto::RecoveryAction::kNoAction:
                break;
        }
    }
}

// Asks devices that keep timing out less often, and those that are calm again as often as before.
void SupervisorLoop::pace(TaskRuntime& task, MonoTime now) {
    if (!task.slow_down || task.machine.state != ProcessState::kRunning) return;
    for (const auto& device : task.worker->beat->devices) {
        const auto known = task.worker->devices.find(device.device_code);
        if (known == task.worker->devices.end())
            continue;  // its connection has not been told yet, or it left
        auto& frequency = known->second.frequency;
        frequency.factor = device.period_factor;  // what is in force: a reload begins at 1 again
        const auto change =
            adapt_frequency(frequency, {device.cycles, device.timeouts}, task.config->period, now);
        if (!change) continue;
        link_->send(task.worker->id, proto::SlowDown{device.device_code, change->factor});
        proto::RetryContext context;
        context.strategy_name = to_name(proto::RecoveryAction::kReduceFrequency);
        context.error_category = proto::ErrorCategory::kDataCollectionError;
        context.adaptive_adjustments = {fmt::format("period of {} × {}", device.device_code, change->factor)};
        recorder_.note(task,
                       {proto::LogType::kStrategyChange,
                        proto::ExecutionPhase::kRetry,
                        change->factor > device.period_factor ? LogLevel::kWarning : LogLevel::kInfo,
                        fmt::format("{} is scanned at {} times its period now (before: {}): {}",
                                    device.device_code, change->factor, device.period_factor, change->why),
                        {},
                        context});
    }
}

// --- task machine → actions --------------------------------------------------------------------------------

std::optional<std::string> SupervisorLoop::feed(TaskRuntime& task, TaskEvent event) {
    const auto before = task.machine.state;
    auto out = step(task.machine, event, clock_.mono_now(), machine_settings(task));
    if (out.refused) return std::move(out.refused);
    task.machine = std::move(out.next);
    for (const auto& effect : out.effects) {
        if (effect.decision) recorder_.note(task, *effect.decision);
        if (effect.action) perform(task, *effect.action);
    }
    launch_waiting();
    if (task.machine.state != before) {
        task.health_due = clock_.mono_now();  // the checks say something else now
        if (task.machine.state == ProcessState::kCrashed) alerts_.look_soon();
        show(task, true);
    }
    return std::nullopt;
}

void SupervisorLoop::perform(TaskRuntime& task, const MachineAction& action) {
    switch (action.kind) {
        case MachineAction::Kind::kOpenSession:
            recorder_.open(task);
            break;
        case MachineAction::Kind::kCloseSession:
            recorder_.close(task, action.end, action.text);
            break;
        case MachineAction::Kind::kLaunch:
            enqueue(task);
            break;
        case MachineAction::Kind::kCancelLaunch:
            std::erase_if(launch_queue_, [&](const auto& entry) { return entry.task_code == task.code; });
            break;
        case MachineAction::Kind::kSendStop:
            if (!link_->send(task.worker->id, proto::Stop{machine_settings(task).stop_grace})) {
                task.worker->process->send_signal(SIGTERM);
            }
            break;
        case MachineAction::Kind::kTerminate:
            task.worker->process->send_signal(SIGTERM);
            break;
        case MachineAction::Kind::kKill:
            task.worker->process->kill_group();
            break;
        case MachineAction::Kind::kSendPause:
            send_pause(task, true);
            break;
        case MachineAction::Kind::kSendResume:
            send_pause(task, false);
            break;
        case MachineAction::Kind::kSaveDesired:
            save_desired(task.code, task.machine.desired);
            break;
        case MachineAction::Kind::kEndStray:
            end_stray(task);
            break;
    }
}

// Sessions that begin together begin one after the other; a restart does not wait behind them.
void SupervisorLoop::enqueue(const TaskRuntime& task) {
    Waiting entry{task.code, {}};
    const bool first = !task.session || task.session->launches == 0;
    if (first && settings_.worker.start_stagger > milliseconds{0}) {
        entry.not_before = std::max(first_start_due_, clock_.mono_now());
        first_start_due_ = entry.not_before + settings_.worker.start_stagger;
    }
    launch_queue_.push_back(std::move(entry));
}

void SupervisorLoop::launch_waiting() {
    const auto now = clock_.mono_now();
    for (;;) {
        const auto next = std::ranges::find_if(launch_queue_,
                                               [&](const Waiting& entry) { return entry.not_before <= now; });
        if (next == launch_queue_.end() || !launch_gate_.admit(now)) return;
        const auto code = std::move(next->task_code);
        launch_queue_.erase(next);
        if (auto* task = find(code)) launch(*task);
    }
}

void SupervisorLoop::save_desired(const std::string& code, DesiredState desired) {
    store_queue_.submit(
        "desired state of " + code, "desired." + code,
        [row = DesiredRow{code, desired, clock_.utc_now()}](Store& store) { return store.set_desired(row); });
}

void SupervisorLoop::launch(TaskRuntime& task) {
    // A spare would meet the spool before the probe that has to leave it is gone.
    const bool yielded = probes_->yield_to_task(task.code);
    ++launches_;
    if (!yielded && hand_to_spare(task)) return;
    WorkerTrack track;
    track.id = ++last_worker_;
    track.launch_key = make_launch_key();
    auto spec =
        worker_launch_->spec(track.launch_key, task.code, task.session ? task.session->row.session_id : 0);
    spec.limits = track.limits = limits_of(task);
    track.crash_offset = file_size_of(spec.crash_file);
    link_->expect(track.launch_key, track.id);
    auto process = launcher_->launch(
        spec, [this, id = track.id](const ExitStatus& status, MonoTime at) { on_exit(id, status, at); });
    if (!process) {
        link_->forget(track.id);
        task.last_error = process.error().message;
        feed(task, {.kind = TaskEventKind::kSpawnFailed,
                    .death = {.kind = Death::Kind::kStartup, .text = process.error().message},
                    .random = std::uniform_real_distribution<double>{0, 1}(random_)});
        return;
    }
    track.process = std::move(*process);
    track.since = track.process->started_at();
    launched(task, std::move(track));
}

bool SupervisorLoop::hand_to_spare(TaskRuntime& task) {
    if (!task.config) return false;
    auto spare = spares_->take();
    if (!spare) return false;
    WorkerTrack track;
    track.limits = limits_of(task);
    if (const auto limited = set_limits(spare->process->pid(), track.limits); !limited) {
        log(LogLevel::kError,
            fmt::format("a spare is ended, task {} could not {}", task.code, limited.error().message));
        spare->process->kill_group();
        link_->forget(spare->id);
        return false;
    }
    track.id = spare->id;
    track.process = std::move(spare->process);
    track.launch_key = std::move(spare->launch_key);
    track.since = clock_.mono_now();
    track.crash_offset = file_size_of(worker_launch_->crash_file(task.code));
    task.worker = std::move(track);
    if (const auto failed = welcome(task, 0)) {
        log(LogLevel::kError, fmt::format("task {} cannot be handed to a spare: {}", task.code, *failed));
        task.worker->process->kill_group();
        link_->forget(task.worker->id);
        task.worker.reset();
        return false;
    }
    launched(task, std::move(*task.worker));
    return true;
}

void SupervisorLoop::launched(TaskRuntime& task, WorkerTrack track) {
    track.started_at = clock_.utc_now();
    if (cgroups_) {
        const auto placed = cgroups_->place(task.code, track.process->pid(), group_limits_of(task));
        if (!placed) log(LogLevel::kError, "no cgroup for task " + task.code + ": " + placed.error().message);
        track.memory_kills = cgroups_->memory_kills(task.code);
    }
    task_of_worker_[track.id] = &task;
    auto secrets = task.config ? secrets_of(task.config.kept().outline()) : std::vector<std::string>{};
    secrets.push_back(track.launch_key);
    log_service_.watch(task.code, track.crash_offset, false, std::move(secrets));
    task.worker = std::move(track);
    if (task.session) task.restart_count = task.session->launches++;
    save_process(task);
    feed(task, {.kind = TaskEventKind::kSpawned});
    show(task, false);
}

void SupervisorLoop::send_pause(TaskRuntime& task, bool paused) {
    task.worker->told_paused = paused;
    if (paused && task.config) states_->lose(task.config.kept().point_ids(), clock_.utc_now());
    link_->send(task.worker->id, paused ? proto::Message{proto::Pause{}} : proto::Message{proto::Resume{}});
}

// Another worker of this task holds its spool, and no process table names it.
void SupervisorLoop::end_stray(const TaskRuntime& task) {
    for (const auto pid : processes_with_environment(proto::kEnvTask, task.code)) {
        if (task.worker && task.worker->process->pid() == pid) continue;
        const int pidfd = open_pidfd(pid);
        if (pidfd < 0) continue;
        // Asked again now that the pid can no longer change its meaning.
        if (environment_of(pid, proto::kEnvTask) == task.code &&
            environment_of(pid, proto::kEnvDataDir) == settings_.server.data_dir) {
            log(LogLevel::kWarning,
                fmt::format("ending process {}: a worker of task {} that nobody knows holds "
                            "its spool",
                            pid, task.code));
            signal_pidfd(pidfd, SIGKILL);
        }
        close(pidfd);
    }
}

// --- what is shown -----------------------------------------------------------------------------------------

void SupervisorLoop::show(TaskRuntime& task, bool save_session) {
    const auto now = clock_.mono_now();
    const auto status = std::make_shared<const proto::ProcessStatus>(
        process_status_of(task, now, clock_.utc_now(), worker_launch_->program()));
    bus_.publish_later(task.status_topic, "process_status_update",
                       [status] { return proto::to_json(*status); });
    recorder_.show(task, save_session, status);
    task.status_changed = false;
    task.status_due = now + kStatusInterval;
}

// A worker is gone: nothing it said before is current any more.
void SupervisorLoop::show_stale(TaskRuntime& task) {
    for (auto& [code, device] : task.worker->devices) {
        device.status.is_connected = false;
        device.status.last_error = "the task's worker is not running";
        bus_.publish(fmt::format("connection_status.{}.{}", task.code, code), "connection_status",
                     proto::to_json(device.status));
        states_->set_connected(task.code, code, false, clock_.utc_now());
    }
    if (!task.config || !task.worker->ready_at) return;
    const auto points = task.config.kept().point_ids();
    live_.mark_stale(points, clock_.utc_now());
    states_->lose(points, clock_.utc_now());
    const auto topic = "data." + task.code;
    if (!bus_.wanted(topic)) return;
    SampleBatch stale;
    for (auto& sample : live_.get(points)) {
        if (sample) stale.push_back(std::move(*sample));
    }
    bus_.publish(topic, "data_point_update", data_json(task, stale));
}

// What the devices have been doing, on its way to the store.
void SupervisorLoop::save_states() {
    const auto now = clock_.utc_now();
    if (states_refused_.exchange(false)) states_->take_back();
    auto changes = states_->take_changes(now);
    // Yesterday may still be written to when the clock is set back a little.
    states_->drop_before(local_day(zone_, now).date - std::chrono::days{1});
    if (changes.empty()) return;
    store_queue_.submit("minutes of the devices in their states", {},
                        [this, rows = std::move(changes)](Store& store) {
                            auto written = store.put_state_times(rows);
                            if (!written) states_refused_ = true;
                            return written;
                        });
}

void SupervisorLoop::show_fleet(MonoTime now) {
    proto::FleetSummary fleet;
    fleet.running = !stopping_;
    std::vector<TaskHealth> health;
    for (const auto& [code, task] : tasks_) {
        if (task.machine.state != ProcessState::kStopped) health.push_back({code, task.health});
        if (!task.worker) continue;
        ++fleet.workers;
        if (!task.worker->beat) continue;
        const auto& beat = *task.worker->beat;
        fleet.queue_pending += beat.spool_pending;
        fleet.queue_retry += beat.retrying;
        fleet.queue_dead += beat.dead_letters;
        fleet.speed += task.worker->points_per_second;
    }
    const auto day = std::chrono::floor<std::chrono::days>(clock_.utc_now()).time_since_epoch().count();
    if (day != today_) {
        today_ = day;
        processed_today_ = 0;
    }
    fleet.processed_total = processed_total_;
    fleet.processed_today = processed_today_;
    fleet.last_error = last_error_;
    bus_.publish("fleet", "processor_status", proto::to_json(fleet));
    measure(fleet.workers, now);
    auto summary = summarize(health, clock_.utc_now());
    const std::lock_guard lock{shared_mutex_};
    for (auto& issue : check_vitals(vitals_, {.memory_mb = settings_.health.memory_mb})) {
        summary.issues.push_back(std::move(issue));
        if (summary.overall_status == proto::HealthStatus::kHealthy) {
            summary.overall_status = proto::HealthStatus::kWarning;
        }
    }
    summary_ = std::move(summary);
}

}  // namespace fieldwarden::supervisor
