#include "supervisor/fleet/spares.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/backoff.h"

namespace fieldwarden::supervisor {

using proto::LogLevel;

namespace {
// A worker that dies before it was of any use would die again at once.
constexpr BackoffPolicy kAfterDeath{milliseconds{1'000}, milliseconds{60'000}, 0};
}  // namespace

Spares::Spares(ProcessLauncher& launcher, FleetLink& link, const WorkerLaunch& launch,
               const WorkerSettings& settings, const Clock& clock, std::function<WorkerId()> next_id,
               ExitHandler on_exit, Log log)
    : launcher_(launcher),
      link_(link),
      launch_(launch),
      settings_(settings),
      clock_(clock),
      next_id_(std::move(next_id)),
      on_exit_(std::move(on_exit)),
      log_(std::move(log)) {}

std::optional<Spares::Spare> Spares::take() {
    const auto now = clock_.mono_now();
    const auto found = std::ranges::find_if(waiting_, [&](const auto& each) {
        const auto& spare = each.second;
        return spare.connected && !spare.ending && now - spare.heard < settings_.heartbeat_timeout &&
               link_.is_connected(each.first);
    });
    if (found == waiting_.end()) return std::nullopt;
    Spare spare{found->first, std::move(found->second.process), std::move(found->second.launch_key)};
    waiting_.erase(found);
    died_unused_ = 0;
    next_start_ = now + kAfterUse;
    return spare;
}

std::optional<std::string> Spares::on_hello(WorkerId worker, const proto::Hello& hello) {
    auto& spare = waiting_.at(worker);
    if (hello.pid != spare.process->pid() || hello.start_ticks != spare.process->start_ticks()) {
        return "the launch key belongs to another process";
    }
    spare.connected = true;
    spare.heard = clock_.mono_now();
    proto::Welcome welcome;
    welcome.heartbeat_interval = settings_.heartbeat_interval;
    welcome.orphan_grace = settings_.orphan_grace;
    link_.send(worker, welcome);
    return std::nullopt;
}

void Spares::on_message(WorkerId worker, const proto::Message& message) {
    const auto* beat = std::get_if<proto::Heartbeat>(&message);
    if (beat == nullptr) return;
    waiting_.at(worker).heard = clock_.mono_now();
    link_.send(worker, proto::BeatAck{beat->seq});
}

void Spares::on_exit(WorkerId worker, const ExitStatus& status) {
    const auto found = waiting_.find(worker);
    if (found == waiting_.end()) return;
    link_.forget(worker);
    waiting_.erase(found);
    if (stopped_) return;
    died(clock_.mono_now());
    log_(LogLevel::kWarning,
         fmt::format("a spare worker ended unused: {}; see {}", describe(status), launch_.crash_file({})));
}

void Spares::died(MonoTime now) {
    ++died_unused_;
    next_start_ = now + backoff_delay(kAfterDeath, died_unused_, 0);
}

void Spares::tick(MonoTime now, bool may_start) {
    for (auto& [worker, spare] : waiting_) {
        const auto patience = spare.connected ? settings_.heartbeat_timeout : settings_.start_timeout;
        if (spare.ending || now - spare.heard < patience) continue;
        spare.ending = true;
        spare.process->kill_group();
    }
    if (may_start && !stopped_ && waiting_.size() < settings_.warm_spares && now >= next_start_) start(now);
}

void Spares::start(MonoTime now) {
    const auto worker = next_id_();
    Waiting spare;
    spare.launch_key = make_launch_key();
    spare.heard = now;
    link_.expect(spare.launch_key, worker);
    auto process = launcher_.launch(
        launch_.spare(spare.launch_key),
        [this, worker](const ExitStatus& status, MonoTime at) { on_exit_(worker, status, at); });
    if (!process) {
        link_.forget(worker);
        died(now);
        log_(LogLevel::kWarning, "no spare worker: " + process.error().message);
        return;
    }
    spare.process = std::move(*process);
    waiting_.emplace(worker, std::move(spare));
}

void Spares::stop_all() {
    stopped_ = true;
    for (auto& [worker, spare] : waiting_) {
        spare.ending = true;
        spare.process->kill_group();
    }
}

void Spares::end_all() {
    stopped_ = true;
    for (auto& [worker, spare] : waiting_) {
        link_.forget(worker);
        spare.process->end_now();
    }
    waiting_.clear();
}

}  // namespace fieldwarden::supervisor
