#include "supervisor/fleet/probes.h"

#include <fmt/format.h>

#include <utility>

#include "common/secrets.h"

namespace fieldwarden::supervisor {

namespace {
// A probe that has answered keeps nothing that a kill could lose.
constexpr milliseconds kLeaveGrace{1'000};

// What a probe that crashes may have printed of what it was asked about.
SecretMask secrets_in(const Probes::Request& request) {
    SecretMask mask;
    if (request.config) mask.add(secrets_of(request.config.kept().outline()));
    if (const auto* connection = std::get_if<proto::TestConnection>(&request.question)) {
        mask.add(secrets_of(connection->device));
    }
    if (const auto* write = std::get_if<proto::WritePoint>(&request.question); write && write->device) {
        mask.add(secrets_of(*write->device));
    }
    if (const auto* browse = std::get_if<proto::Browse>(&request.question)) {
        mask.add(secrets_of(browse->device));
    }
    if (const auto* storage = std::get_if<proto::TestStorage>(&request.question)) {
        mask.add(secrets_of(storage->sink));
    }
    if (const auto* query = std::get_if<proto::QueryStore>(&request.question)) {
        mask.add(secrets_of(query->sink));
    }
    return mask;
}
}  // namespace

Probes::Probes(ProcessLauncher& launcher, FleetLink& link, const WorkerLaunch& launch,
               const WorkerSettings& settings, const Clock& clock, std::function<WorkerId()> next_id)
    : launcher_(launcher),
      link_(link),
      launch_(launch),
      settings_(settings),
      clock_(clock),
      next_id_(std::move(next_id)) {}

Status Probes::ask(Request request, Done done) {
    if (running_.size() >= kMostAtOnce) {
        return make_error(
            ErrorKind::kBusy,
            fmt::format("{} probes are running already; try again when one has ended", running_.size()));
    }
    const auto worker = next_id_();
    const auto key = make_launch_key();
    const auto spec = launch_.spec(key, {}, 0);
    const auto crash_offset = file_size_of(spec.crash_file);
    link_.expect(key, worker);
    auto process = launcher_.launch(
        spec, [this, worker](const ExitStatus& status, MonoTime) { on_exit(worker, status); });
    if (!process) {
        link_.forget(worker);
        return process.error();
    }
    auto& probe = running_[worker];
    probe.request = std::move(request);
    probe.done = std::move(done);
    probe.process = std::move(*process);
    probe.deadline = clock_.mono_now() + kDeadline;
    probe.crash_offset = crash_offset;
    return {};
}

std::optional<std::string> Probes::on_hello(WorkerId worker, const proto::Hello& hello) {
    auto& probe = running_.at(worker);
    if (hello.pid != probe.process->pid()) return "the launch key belongs to another process";
    proto::Welcome welcome;
    welcome.heartbeat_interval = settings_.heartbeat_interval;
    welcome.orphan_grace = milliseconds{kDeadline};
    welcome.paused = true;
    if (probe.request.config) {
        auto config = probe.request.config.kept().full();
        if (!config) return config.error().message;
        welcome.config = std::move(*config);
    }
    link_.send(worker, welcome);
    // With a configuration the question waits for Ready.
    if (!probe.request.config) put_question(worker, probe);
    return std::nullopt;
}

void Probes::put_question(WorkerId worker, Probe& probe) {
    if (std::exchange(probe.asked, true)) return;
    const auto number = ++last_request_;
    std::visit(
        [&](auto& question) {
            if constexpr (requires { question.request_id; }) question.request_id = number;
        },
        probe.request.question);
    link_.send(worker, probe.request.question);
}

void Probes::on_message(WorkerId worker, proto::Message&& message) {
    auto& probe = running_.at(worker);
    if (std::holds_alternative<proto::Ready>(message)) {
        put_question(worker, probe);
    } else if (const auto* beat = std::get_if<proto::Heartbeat>(&message)) {
        link_.send(worker, proto::BeatAck{beat->seq});
    } else if (auto* finished = std::get_if<proto::Finished>(&message)) {
        probe.farewell = std::move(finished->reason);
    } else if (auto* reply = std::get_if<proto::Reply>(&message)) {
        answer(probe, std::move(*reply));
        let_go(worker, probe);
    }
}

void Probes::answer(Probe& probe, Result<proto::Reply> result) {
    if (auto done = std::exchange(probe.done, nullptr)) done(std::move(result));
}

void Probes::let_go(WorkerId worker, Probe& probe) {
    if (std::exchange(probe.leaving, true)) return;
    probe.deadline = clock_.mono_now() + kLeaveGrace;
    if (!link_.send(worker, proto::Stop{milliseconds{0}})) probe.process->kill_group();
}

void Probes::on_exit(WorkerId worker, const ExitStatus& status) {
    const auto found = running_.find(worker);
    if (found == running_.end()) return;
    auto probe = std::move(found->second);
    running_.erase(found);
    link_.forget(worker);
    if (!probe.done) return;
    auto text =
        fmt::format("{}: the probe ended without an answer: {}", probe.request.subject, describe(status));
    const auto crash = tail_of(launch_.crash_file({}), probe.crash_offset);
    if (!probe.farewell.empty()) {
        text += ": " + probe.farewell;
    } else if (!crash.empty()) {
        text += ": " + crash;
    }
    secrets_in(probe.request).apply(text);
    answer(probe, make_error(ErrorKind::kUnavailable, std::move(text)));
}

void Probes::tick(MonoTime now) {
    for (auto& [worker, probe] : running_) {
        if (now < probe.deadline) continue;
        answer(probe, make_error(ErrorKind::kTimeout,
                                 fmt::format("{}: no answer within {} s; the probe is being ended",
                                             probe.request.subject, kDeadline.count())));
        probe.leaving = true;
        probe.process->kill_group();
    }
}

bool Probes::yield_to_task(const std::string& task_code) {
    bool yielded = false;
    for (auto& [worker, probe] : running_) {
        if (!probe.request.config || probe.request.config->task_code != task_code) continue;
        answer(probe,
               make_error(ErrorKind::kConflict, fmt::format("{}: given up because the task is being started",
                                                            probe.request.subject)));
        probe.leaving = true;
        probe.process->kill_group();
        yielded = true;
    }
    return yielded;
}

void Probes::stop_all() {
    for (auto& [worker, probe] : running_) {
        answer(probe, make_error(ErrorKind::kUnavailable, "the supervisor is stopping"));
        probe.leaving = true;
        probe.process->kill_group();
    }
}

}  // namespace fieldwarden::supervisor
