#include "supervisor/alerts/alerts.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>

namespace fieldwarden::supervisor {

using proto::LogLevel;

namespace {

constexpr std::chrono::seconds kLookInterval{1};
constexpr std::chrono::seconds kDiskInterval{10};

bool needs_operator(const TaskRuntime& task) {
    return std::ranges::any_of(task.recovery, [](const RecoveryHistory& history) { return history.alerted; });
}

std::optional<DiskFact> disk_fact_of(const std::string& path) {
    struct statvfs disk {};
    if (::statvfs(path.c_str(), &disk) != 0 || disk.f_blocks == 0) return std::nullopt;
    const auto free = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
    const auto total = static_cast<double>(disk.f_blocks) * static_cast<double>(disk.f_frsize);
    return DiskFact{free / (1024.0 * 1024.0), 100.0 * free / total};
}

}  // namespace

TaskFact task_fact_of(const TaskRuntime& task, MonoTime) {
    TaskFact fact;
    fact.task_code = task.code;
    fact.state = task.machine.state;
    fact.awaits_configuration = task.machine.awaits_configuration;
    fact.last_error = task.last_error;
    fact.restart_count = task.restart_count;
    fact.connection_timeout = task.thresholds.connection_timeout;
    fact.data_timeout = task.thresholds.data_timeout;
    fact.operator_needed = needs_operator(task);
    if (task.config) {
        fact.spool_limit = task.config->spool.max_bytes;
        for (const auto& device : task.config->devices) {
            DeviceFact each;
            each.device_code = device.device_code;
            each.known = false;
            fact.devices.push_back(each);
        }
    }
    if (!task.worker) return fact;
    const auto& worker = *task.worker;
    for (auto& device : fact.devices) {
        const auto known = worker.devices.find(std::string{device.device_code});
        if (known == worker.devices.end()) continue;
        const auto& track = known->second;
        device.known = track.status.is_connected || track.away_since.has_value();
        device.connected = track.status.is_connected;
        device.last_error = track.status.last_error;
        if (track.away_since) device.away_since = *track.away_since;
    }
    if (!worker.beat) return fact;
    fact.reported = true;
    fact.spool_pending = worker.beat->spool_pending;
    fact.spool_bytes = worker.beat->spool_bytes;
    fact.retrying = worker.beat->retrying;
    for (const auto& sink : worker.beat->sinks) {
        if (!sink.last_error.empty()) fact.sinks.push_back({sink.sink_code, sink.last_error});
        if (sink.dead != 0) fact.dead_letters.push_back({sink.sink_code, sink.dead, sink.dead_reason});
    }
    // A worker that has just become ready, or goes on after a pause, has all its time to bring data.
    if (worker.ready_at)
        fact.no_data_since = std::max(*worker.ready_at, worker.good_at.value_or(MonoTime::min()));
    return fact;
}

Alerts::Alerts(std::string data_dir, Store& store, StoreQueue& queue, StatusBus& bus, LiveValues& live,
               const Clock& clock, AlertLog log, DeliverySettings delivery)
    : data_dir_(std::move(data_dir)),
      store_(store),
      queue_(queue),
      bus_(bus),
      live_(live),
      clock_(clock),
      log_(std::move(log)),
      config_(store, clock, [this](AlertDocumentKind kind) { apply_config(kind); }),
      delivery_([this](const AlertChannel& channel) { return make_notifier(channel, clock_, log_); }, log_,
                delivery),
      plant_(std::make_shared<const Plant>()) {
    engine_.set_task_of_device([this](const std::string& device_code) -> std::string {
        if (tasks_ == nullptr) return {};
        for (const auto& [code, task] : *tasks_) {
            if (!task.config || !task.worker) continue;
            for (const auto& device : task.config->devices) {
                if (device.device_code == device_code) return code;
            }
        }
        return {};
    });
}

// --- begin and configuration -------------------------------------------------------------------------------

Status Alerts::open(PlantPtr plant) {
    std::vector<std::string> complaints;
    if (const auto loaded = config_.load(complaints); !loaded) return loaded;
    for (const auto& complaint : complaints) log_(LogLevel::kError, complaint);
    auto open = store_.open_alerts();
    if (!open) return open.error();
    const auto last = store_.last_alert_id();
    if (!last) return last.error();
    {
        const std::lock_guard lock{mutex_};
        engine_.take_up(std::move(*open), *last, moment());
        engine_.set_silences(config_.silences());
    }
    delivery_.set_channels(config_.channels());
    take_plant(std::move(plant));
    for (const auto& row : open_alerts()) publish(row);
    return {};
}

void Alerts::take_plant(PlantPtr plant) {
    const std::lock_guard resolving{rules_mutex_};
    plant_ = std::move(plant);
    apply_rules();
}

void Alerts::apply_config(AlertDocumentKind kind) {
    switch (kind) {
        case AlertDocumentKind::kRule: {
            const std::lock_guard resolving{rules_mutex_};
            apply_rules();
            return;
        }
        case AlertDocumentKind::kChannel:
            delivery_.set_channels(config_.channels());
            return;
        case AlertDocumentKind::kSilence: {
            const std::lock_guard lock{mutex_};
            engine_.set_silences(config_.silences());
            return;
        }
    }
}

// Under rules_mutex_.
void Alerts::apply_rules() {
    auto rules = config_.rules();
    auto points = resolve_points(rules, *plant_);
    AlertOutcome outcome;
    {
        const std::lock_guard lock{mutex_};
        outcome = engine_.set_rules(std::move(rules), std::move(points), moment());
    }
    perform(std::move(outcome));
}

// --- the loop ----------------------------------------------------------------------------------------------

AlertFacts Alerts::facts_of_all(const Tasks& tasks, MonoTime now) {
    AlertFacts facts;
    facts.tasks.reserve(tasks.size());
    for (const auto& [code, task] : tasks) {
        if (task.removed) continue;
        facts.tasks.push_back(task_fact_of(task, now));
        auto& fact = facts.tasks.back();
        if (!fact.operator_needed) continue;
        if (const auto call = operator_calls_.find(code); call != operator_calls_.end()) {
            fact.operator_category = call->second.category;
            fact.operator_cause = call->second.cause;
            fact.operator_advice = call->second.advice;
        }
    }
    std::erase_if(operator_calls_, [&](const auto& call) {
        const auto task = tasks.find(call.first);
        return task == tasks.end() || !needs_operator(task->second);
    });
    if (now >= disk_due_) {
        disk_due_ = now + kDiskInterval;
        disk_ = disk_fact_of(data_dir_);
    }
    facts.disk = disk_;
    return facts;
}

void Alerts::tick(const Tasks& tasks, MonoTime now) {
    if (now < due_) return;
    due_ = now + kLookInterval;
    auto facts = facts_of_all(tasks, now);
    std::vector<std::optional<Sample>> samples;
    AlertOutcome outcome;
    {
        const std::lock_guard lock{mutex_};
        if (!engine_.point_ids().empty()) samples = live_.get(engine_.point_ids());
        facts.samples = samples;
        tasks_ = &tasks;
        outcome = engine_.evaluate(facts, {now, clock_.utc_now()});
        tasks_ = nullptr;
    }
    perform(std::move(outcome));
}

void Alerts::operator_needed(const std::string& task_code, proto::ErrorCategory category, std::string cause,
                             std::string advice) {
    operator_calls_[task_code] = {std::string{to_name(category)}, std::move(cause), std::move(advice)};
    look_soon();
}

void Alerts::perform(AlertOutcome&& outcome) {
    for (auto& row : outcome.changed) {
        publish(row);
        const auto name = fmt::format("alert {}", row.alert.id);
        queue_.submit(name, name, [row = std::move(row)](Store& store) { return store.put_alert(row); });
    }
    delivery_.submit(outcome.notifications);
}

// Every open alert is a last value of its topic, so that a new subscriber learns of all of them.
void Alerts::publish(const AlertRow& row) {
    const auto& alert = row.alert;
    const auto topic = std::string{kAlertTopic} +
                       (alert.process_name.empty() ? std::string{kNoTaskTopic} : alert.process_name);
    const bool open = alert.state != proto::AlertState::kResolved;
    const auto variant = std::to_string(alert.id);
    bus_.publish(topic, "error_alert", proto::to_json(alert), open, variant);
    if (!open) bus_.forget(topic, variant);
}

// --- other threads -----------------------------------------------------------------------------------------

std::vector<AlertRow> Alerts::open_alerts() const {
    const std::lock_guard lock{mutex_};
    return engine_.open();
}

Result<AlertRow> Alerts::acknowledge(std::int64_t id, const std::string& note, const Actor& actor) {
    const auto now = moment();
    auto row = [&] {
        const std::lock_guard lock{mutex_};
        return engine_.acknowledge(id, actor.name, note, now);
    }();
    if (!row) {
        const auto stored = store_.alert(id);
        if (!stored) return stored.error();
        return make_error(ErrorKind::kConflict, fmt::format("alert {} is resolved", id));
    }
    publish(*row);
    const auto name = fmt::format("alert {}", id);
    queue_.submit(name, name, [kept = *row](Store& store) { return store.put_alert(kept); });
    AuditEntry entry;
    entry.at = now.utc;
    entry.actor = actor;
    entry.action = "alert.ack";
    entry.subject = std::to_string(id);
    entry.detail = {{"message", row->alert.message}, {"note", note}};
    queue_.submit_audit(std::move(entry));
    // Whoever asked next finds it done.
    queue_.flush();
    return row;
}

Result<proto::ProbeResult> Alerts::test_channel(const std::string& id_or_code, const Actor& actor) {
    const auto channel = config_.channel(id_or_code);
    if (!channel) {
        return make_error(ErrorKind::kNotFound,
                          fmt::format("there is no alert channel '{}'", id_or_code.substr(0, 64)));
    }
    const auto now = moment();
    proto::Alert alert;
    alert.error_type = "test";
    alert.message =
        fmt::format("this is a test of the alert channel {}, asked for by {}", channel->code, actor.name);
    alert.severity = proto::Severity::kInfo;
    alert.context = {{"test", true}, {"rule", ""}, {"kind", "test"}};
    alert.suggested_action = "Nothing is wrong: alerts arrive here";
    alert.timestamp = alert.first_at = alert.last_at = now.utc;
    static const std::atomic<bool> kNeverStop{false};
    const auto sent = make_notifier(*channel, clock_, log_)->send(alert, kNeverStop);
    proto::ProbeResult result;
    result.ok = sent.has_value();
    result.latency_ms = std::chrono::duration<double, std::milli>(clock_.mono_now() - now.mono).count();
    result.detail = sent ? *sent : sent.error().message;
    if (!sent) {
        result.error_category = sent.error().kind == ErrorKind::kInvalidArgument
                                    ? proto::ErrorCategory::kConfigurationError
                                    : proto::ErrorCategory::kConnectionError;
    }
    AuditEntry entry;
    entry.at = now.utc;
    entry.actor = actor;
    entry.action = "alert_channel.test";
    entry.subject = channel->code;
    entry.detail = {{"ok", result.ok}, {"detail", result.detail}};
    if (const auto noted = store_.add_audit(entry); !noted) return noted.error();
    return result;
}

}  // namespace fieldwarden::supervisor
