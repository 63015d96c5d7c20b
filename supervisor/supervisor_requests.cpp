// Questions that a worker answers: the task's own when it runs, otherwise a probe, a worker process started
// for the one question.
#include <fmt/format.h>

#include <set>

#include "supervisor/plant/store_question.h"
#include "supervisor/supervisor_ask.h"

namespace fieldwarden::supervisor {

using proto::ProcessState;

namespace {

// What a worker is given to answer; longer than its own limits for the work.
constexpr std::chrono::seconds kAnswerDeadline{30};

// Where a task that is asked stands.
enum class Asked : std::uint8_t { kRuns, kBetween, kStands };

Asked asked(ProcessState state) {
    switch (state) {
        case ProcessState::kRunning:
        case ProcessState::kPaused:
            return Asked::kRuns;
        case ProcessState::kStarting:
        case ProcessState::kStopping:
            return Asked::kBetween;
        case ProcessState::kStopped:
        case ProcessState::kBackoff:
        case ProcessState::kCrashed:
            return Asked::kStands;
    }
    return Asked::kStands;
}

Error between(const TaskRuntime& task) {
    return make_error(ErrorKind::kConflict,
                      fmt::format("task {} is {}; try again when it runs or has stopped", task.code,
                                  to_name(session_state(task.machine))));
}

bool acquires(const TaskRuntime& task, const std::string& device_code) {
    return task.config && std::ranges::any_of(task.config->devices, [&](const DeviceConfig& device) {
               return device.device_code == device_code;
           });
}

bool acquires(const TaskRuntime& task, PointId point) {
    return std::ranges::any_of(task.config.kept().points(), [&](const Record& record) {
        return record.id == static_cast<std::int64_t>(point);
    });
}

Error error_of(proto::Reply& reply) {
    return make_error(reply.error_kind, std::move(reply.error));
}

}  // namespace

// --- on the loop -------------------------------------------------------------------------------------------

// Sends `question` to the task's worker; its request_id is set here.
template <class Question>
void SupervisorLoop::ask_worker(TaskRuntime& task, Question question, Answered done) {
    question.request_id = ++last_request_;
    if (!link_->send(task.worker->id, question)) {
        return done(
            make_error(ErrorKind::kUnavailable,
                       fmt::format("the worker of task {} is not connected at the moment", task.code)));
    }
    pending_[question.request_id] = {task.code, clock_.mono_now() + kAnswerDeadline, std::move(done)};
}

void SupervisorLoop::ask_probe(Probes::Request request, Answered done) {
    // Shared by the answer and by the refusal to ask at all.
    const auto answer = std::make_shared<Answered>(std::move(done));
    const auto asked = probes_->ask(std::move(request),
                                    [answer](Result<proto::Reply> reply) { (*answer)(std::move(reply)); });
    if (!asked) (*answer)(asked.error());
}

void SupervisorLoop::acquire_once(const std::string& code, const Result<TaskConfigPtr>& config,
                                  Answered done) {
    auto* task = find(code);
    if (task == nullptr || task->removed) return done(unknown_task(code));
    if (stopping_) return done(make_error(ErrorKind::kUnavailable, "the supervisor is stopping"));
    switch (asked(task->machine.state)) {
        case Asked::kRuns:
            return ask_worker(*task, proto::AcquireOnce{}, std::move(done));
        case Asked::kBetween:
            return done(between(*task));
        case Asked::kStands:
            break;
    }
    if (!config) return done(config.error());
    ask_probe({proto::AcquireOnce{}, *config, "task " + code}, std::move(done));
}

void SupervisorLoop::write_point(proto::WritePoint question, std::string* via_task, Answered done) {
    if (stopping_) return done(make_error(ErrorKind::kUnavailable, "the supervisor is stopping"));
    const auto& device = question.device->device_code;
    TaskRuntime* busy = nullptr;
    for (auto& [code, task] : tasks_) {
        if (task.removed || !acquires(task, device) || !acquires(task, question.point)) continue;
        const auto state = asked(task.machine.state);
        if (state == Asked::kRuns) {
            // Through the connection that is open already: many devices take no second one.
            *via_task = code;
            question.device.reset();
            return ask_worker(task, std::move(question), std::move(done));
        }
        if (state == Asked::kBetween) busy = &task;
    }
    if (busy != nullptr) return done(between(*busy));
    const auto subject = "device " + device;
    ask_probe({std::move(question), nullptr, subject}, std::move(done));
}

void SupervisorLoop::diagnose(const std::string& device_code,
                              std::function<void(Result<Control::Diagnostics>)> done) {
    std::vector<TaskRuntime*> running;
    for (auto& [code, task] : tasks_) {
        if (!task.removed && acquires(task, device_code) && asked(task.machine.state) == Asked::kRuns) {
            running.push_back(&task);
        }
    }
    if (running.empty()) return done(Control::Diagnostics{});
    struct Gathered {
        Control::Diagnostics found;
        std::size_t missing = 0;
    };
    const auto gathered = std::make_shared<Gathered>(Gathered{{}, running.size()});
    for (auto* task : running) {
        ask_worker(*task, proto::Diagnose{},
                   [gathered, done, device_code, code = task->code](Result<proto::Reply> reply) {
                       if (reply) {
                           for (auto& device : reply->diagnostics) {
                               if (device.device_code == device_code) {
                                   gathered->found.emplace_back(code, std::move(device));
                               }
                           }
                       }
                       if (--gathered->missing == 0) done(std::move(gathered->found));
                   });
    }
}

// --- from other threads ------------------------------------------------------------------------------------

Result<AcquireResult> Supervisor::acquire_once(const std::string& task_code) {
    const auto now = plant();
    const TaskCompiler compiler{*now, loop_->defaults()};
    const auto config = std::make_shared<Result<TaskConfigPtr>>(keep_config(compiler, task_code));
    auto reply = ask<proto::Reply>([loop = loop_.get(), task_code, config](auto answer) {
        loop->acquire_once(task_code, *config, std::move(answer));
    });
    if (!reply) return reply.error();
    if (!reply->ok) return error_of(*reply);
    return AcquireResult{std::move(reply->samples), reply->duration_ms};
}

Result<WriteResult> Supervisor::write_point(const std::string& point_code, const Value& value,
                                            const Actor& actor) {
    const auto now = plant();
    const auto* record = now->of(Kind::kPoint).find(point_code);
    if (record == nullptr) {
        return make_error(ErrorKind::kNotFound,
                          fmt::format("there is no point '{}'", point_code.substr(0, kLongestCode)));
    }
    auto device = compile_device(*now, cell_of(Kind::kPoint, *record, "device_code"));
    if (!device) return device.error();
    std::erase_if(device->points, [&](const PointConfig& point) { return point.point_code != point_code; });
    if (device->points.empty() || !device->points.front().writable) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("point {} is read only; set its access to rw first", point_code));
    }
    const auto point = device->points.front().id;
    const auto via = std::make_shared<std::string>();
    auto question =
        std::make_shared<proto::WritePoint>(proto::WritePoint{0, std::move(*device), point, value});
    auto reply = ask<proto::Reply>([loop = loop_.get(), question, via](auto answer) {
        loop->write_point(std::move(*question), via.get(), std::move(answer));
    });
    Result<WriteResult> result = WriteResult{};
    if (!reply) {
        result = reply.error();
    } else if (!reply->ok) {
        result = error_of(*reply);
    } else if (reply->samples.size() != 1) {
        result = make_error(ErrorKind::kInternal, "the worker did not say what it read back");
    } else {
        result = WriteResult{*via, std::move(reply->samples.front()), reply->confirmed, reply->duration_ms};
    }
    // Attempts too: a write that timed out may have reached the device.
    AuditEntry entry;
    entry.at = loop_->clock_.utc_now();
    entry.actor = actor;
    entry.action = "point.write";
    entry.subject = point_code;
    entry.detail = {{"value", proto::to_json(value)},
                    {"confirmed", result && result->confirmed},
                    {"read_back", result ? proto::to_json(result->read_back.value) : proto::Json(nullptr)},
                    {"error", result ? proto::Json(nullptr) : proto::Json(result.error().message)}};
    loop_->store_queue_.submit_audit(std::move(entry));
    return result;
}

Result<Control::Diagnostics> Supervisor::diagnostics(const std::string& device_code) {
    return ask<Diagnostics>(
        [loop = loop_.get(), device_code](auto answer) { loop->diagnose(device_code, std::move(answer)); });
}

Result<proto::Reply> Supervisor::probe(proto::Message question, std::string subject) {
    return ask<proto::Reply>(
        [loop = loop_.get(), question = std::move(question), subject = std::move(subject)](auto answer) {
            if (loop->stopping_)
                return answer(make_error(ErrorKind::kUnavailable, "the supervisor is stopping"));
            loop->ask_probe({question, nullptr, subject}, answer);
        });
}

Result<proto::ProbeResult> Supervisor::test_connection(const DeviceConfig& device) {
    auto reply = probe(proto::TestConnection{0, device}, "device " + device.device_code);
    if (!reply) return reply.error();
    if (!reply->probe) return error_of(*reply);
    return std::move(*reply->probe);
}

Result<proto::ProbeResult> Supervisor::test_storage(const SinkConfig& sink) {
    auto reply = probe(proto::TestStorage{0, sink}, "sink " + sink.sink_code);
    if (!reply) return reply.error();
    if (!reply->probe) return error_of(*reply);
    return std::move(*reply->probe);
}

Result<SampleBatch> Supervisor::stored_samples(const StoredQuestion& asked) {
    const auto now = plant();
    auto config = compile_task(*now, asked.task_code, loop_->defaults());
    if (!config) return config.error();
    auto question = store_question(std::move(*config), asked.sink_code);
    if (!question) {
        return make_error(
            ErrorKind::kNotFound,
            asked.sink_code.empty()
                ? fmt::format("no sink of task {} can be asked for what it holds", asked.task_code)
                : fmt::format("task {} has no sink '{}' that can be asked for what it holds", asked.task_code,
                              asked.sink_code.substr(0, kLongestCode)));
    }
    std::erase_if(question->devices,
                  [&](const DeviceConfig& device) { return device.device_code != asked.device_code; });
    const std::set<std::string_view> wanted{asked.point_codes.begin(), asked.point_codes.end()};
    keep_points(*question, [&](const PointConfig& point) { return wanted.contains(point.point_code); });
    question->range = asked.range;
    const auto subject = "sink " + question->sink.sink_code;
    auto reply = probe(std::move(*question), subject);
    if (!reply) return reply.error();
    if (!reply->ok) return error_of(*reply);
    return std::move(reply->samples);
}

Result<proto::BrowsePage> Supervisor::browse(const DeviceConfig& device, const std::string& node) {
    auto reply = probe(proto::Browse{0, device, node}, "device " + device.device_code);
    if (!reply) return reply.error();
    if (!reply->ok || !reply->browse) return error_of(*reply);
    return std::move(*reply->browse);
}

}  // namespace fieldwarden::supervisor
