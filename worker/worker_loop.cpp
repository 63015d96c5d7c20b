#include "worker/worker_loop.h"

#include <fmt/format.h>
#include <malloc.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "common/data_paths.h"
#include "common/log/trim_file.h"
#include "worker/point_directory.h"
#include "worker/spare_identity.h"

namespace fieldwarden::worker {

using proto::ExitCode;
using proto::LogLevel;
using std::chrono::milliseconds;

namespace {

// Live values, connection changes and log lines go out together, at most five times a second (CONTRACT 4).
constexpr milliseconds kNewsInterval{200};
constexpr std::size_t kLogBatch = 200;
// What the process itself lets its standard error grow to: well above what the supervisor does.
constexpr std::uint64_t kMostPrinted = 8 << 20;
constexpr std::uint64_t kKeptPrinted = 64 << 10;
// A launched worker that nobody welcomes has nobody to work for.
constexpr milliseconds kWelcomePatience{60'000};
// A scan is tried again this often while the spool cannot be written.
constexpr milliseconds kSpoolRetry{200};
// With drop_oldest a device waits this long for a spool that cannot be written, then lets the scan go.
constexpr int kSpoolAttempts = 10;
// A supervisor that lives answers within a turn of its loop; for a dead one a leaving worker does not wait
// long.
constexpr milliseconds kLastWord{500};
// By now a configuration has reached the last of its sinks.
constexpr milliseconds kSettled{5'000};

// Devices and sinks keep their own part of the configuration; a task of 10,000 points does not need it twice.
TaskConfig settings_of(const TaskConfig& config) {
    TaskConfig settings;
    settings.task_code = config.task_code;
    settings.revision = config.revision;
    settings.period = config.period;
    settings.run_limit = config.run_limit;
    settings.stop_grace = config.stop_grace;
    return settings;
}

}  // namespace

WorkerLoop::WorkerLoop(LaunchEnvironment environment, int signal_fd, const Clock& clock)
    : environment_(std::move(environment)),
      signal_fd_(signal_fd),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      clock_(clock),
      launched_by_(::getppid()),
      log_(clock),
      session_id_(environment_.session_id) {}

WorkerLoop::~WorkerLoop() {
    stop_line(milliseconds{0});
    line_.reset();
    ::close(wake_fd_);
}

ExitCode WorkerLoop::run() {
    auto link = SupervisorLink::open(environment_, clock_);
    if (!link) {
        fmt::print(stderr, "fieldwarden-worker: {}\n", link.error().message);
        return ExitCode::kInternalError;
    }
    link_ = std::move(*link);
    log_.hide({environment_.launch_key});
    requests_.emplace([this] { wake(); });
    const std::array descriptors{signal_fd_, wake_fd_};
    while (!ending_) {
        const auto now = clock_.mono_now();
        const auto next = std::min(next_heartbeat_, next_news_);
        const auto idle =
            std::clamp(std::chrono::ceil<milliseconds>(next - now), milliseconds{0}, kNewsInterval);
        const auto ready = link_->wait(descriptors, idle);
        if ((ready & 1U) != 0) {
            signalfd_siginfo info{};
            if (::read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
                finish({ExitCode::kDone, false, fmt::format("stopped by signal {}", info.ssi_signo),
                        line_ ? line_->config.stop_grace : milliseconds{0}});
            }
        }
        if ((ready & 2U) != 0) {
            std::uint64_t count = 0;
            (void)!::read(wake_fd_, &count, sizeof(count));
        }
        take_messages();
        while (auto reply = requests_->take()) link_->send(*reply);
        check_limits();
        check_orphaned();
        if (clock_.mono_now() >= next_heartbeat_) heartbeat();
        if (clock_.mono_now() >= next_news_) tell_news();
        if (trim_at_ && clock_.mono_now() >= *trim_at_) {
            // A configuration of 10,000 points passes through some 20 MB on its way in; they go back.
            ::malloc_trim(0);
            trim_at_.reset();
        }
    }
    close();
    return ending_->code;
}

// --- the line: device → driver → pipeline → spool → flusher → sink
// ------------------------------------------------

Status WorkerLoop::start_line(const TaskConfig& config) {
    Line line;
    line.config = settings_of(config);
    line.started = clock_.mono_now();
    wait_for_room_ = config.spool.when_full == SpoolFullPolicy::kBlock;

    SpoolOptions spool_options;
    spool_options.directory = spool_directory(environment_.data_dir, config.task_code);
    spool_options.limits = config.spool;
    spool_options.log = log_.function();
    auto spool = Spool::open(std::move(spool_options), real_file_system(), clock_);
    if (!spool) return spool.error();
    line.spool = std::move(*spool);
    if (auto set = line.spool->set_directory(directory_of(config.devices)); !set) return set;

    line.sinks = std::make_unique<SinkSet>(*line.spool, environment_.data_dir, config.task_code,
                                           log_.function(), clock_);
    if (auto applied = line.sinks->apply(config); !applied) return applied;

    DeviceSet::Handlers handlers;
    handlers.on_samples = [this](SampleBatch&& samples) { to_spool(std::move(samples)); };
    handlers.log = log_.function();
    handlers.on_limit_reached = [this] {
        limit_reached_ = true;
        wake();
    };
    line.devices = std::make_unique<DeviceSet>(std::move(handlers), clock_);
    // Devices begin at once and may hand on a scan before apply() returns: the line stands first.
    line_ = std::move(line);
    return line_->devices->apply(config, paused_);
}

// What did not change keeps running; what is in the spool stays there.
Status WorkerLoop::change_line(const TaskConfig& config) {
    line_->spool->set_limits(config.spool);
    wait_for_room_ = config.spool.when_full == SpoolFullPolicy::kBlock;
    // The directory goes first, so that no sample is spooled before it says whose it is.
    if (auto set = line_->spool->set_directory(directory_of(config.devices)); !set) return set;
    if (auto applied = line_->sinks->apply(config); !applied) return applied;
    if (auto applied = line_->devices->apply(config, paused_); !applied) return applied;
    line_->config = settings_of(config);
    return {};
}

// Nothing is acquired after this, and what can be delivered within `grace` is; the counters still stand.
void WorkerLoop::halt_line(milliseconds grace) {
    {
        const std::lock_guard lock{spool_mutex_};
        leaving_ = true;
    }
    spool_wait_.notify_all();
    line_->spool->interrupt_appends(true);
    if (line_->devices) line_->devices->stop();
    if (auto synced = line_->spool->sync(); !synced) log_.write(LogLevel::kError, synced.error().message);
    line_->sinks->stop(grace);
}

void WorkerLoop::stop_line(milliseconds grace) {
    if (!line_) return;
    halt_line(grace);
    line_.reset();
}

// Where a sample becomes acquired. Runs on the device's thread, and holds it while the spool cannot take the
// samples: then scans are missed, and counted as missed, instead of samples being lost.
void WorkerLoop::to_spool(SampleBatch&& samples) {
    for (int attempt = 1;; ++attempt) {
        const auto kept = line_->spool->append(samples);
        bool news = false;
        {
            const std::lock_guard lock{spool_mutex_};
            news = spool_trouble_ == kept.has_value();
            spool_trouble_ = !kept;
        }
        if (news) {
            log_.write(kept ? LogLevel::kInfo : LogLevel::kError,
                       kept ? "the spool takes samples again" : kept.error().message);
        }
        if (kept) return;
        const bool hopeless = kept.error().kind == ErrorKind::kTooLarge;
        const bool tired = !wait_for_room_ && attempt >= kSpoolAttempts;
        if (hopeless || tired || !wait_for_spool()) {
            dropped_ += samples.size();
            return;
        }
    }
}

// False: the worker is leaving.
bool WorkerLoop::wait_for_spool() {
    std::unique_lock lock{spool_mutex_};
    return !spool_wait_.wait_for(lock, kSpoolRetry, [this] { return leaving_; });
}

void WorkerLoop::apply_config(const TaskConfig& config) {
    if (!environment_.task_code.empty() && config.task_code != environment_.task_code) {
        finish({ExitCode::kBadConfiguration,
                false,
                fmt::format("launched for task {} and configured for task {}", environment_.task_code,
                            config.task_code),
                {}});
        return;
    }
    if (line_ && config.task_code != line_->config.task_code) {
        finish({ExitCode::kBadConfiguration, false,
                fmt::format("configured for task {} while task {} runs", config.task_code,
                            line_->config.task_code),
                line_->config.stop_grace});
        return;
    }
    const bool first = !line_;
    log_.hide(secrets_of(config));
    log_.open(environment_.data_dir, config);
    if (first && !environment_.spare_name.empty()) {
        const auto taken = take_identity(environment_.spare_name, environment_.data_dir, config.task_code);
        if (!taken) log_.write(LogLevel::kWarning, taken.error().message);
    }
    const auto applied = first ? start_line(config) : change_line(config);
    if (!applied) {
        const auto& error = applied.error();
        const auto code = error.kind == ErrorKind::kInvalidArgument ? ExitCode::kBadConfiguration
                          : error.kind == ErrorKind::kBusy          ? ExitCode::kSpoolInUse
                                                                    : ExitCode::kInternalError;
        finish({code, false, fmt::format("task {}: {}", config.task_code, error.message), milliseconds{0}});
        return;
    }
    link_->describe(config.task_code, session_id_, config.revision);
    link_->send(proto::Ready{config.revision});
    trim_at_ = clock_.mono_now() + kSettled;
    tell_everything_ = true;
    std::size_t points = 0;
    for (const auto& device : config.devices) points += device.points.size();
    log_.write(LogLevel::kInfo, fmt::format("{} revision {}: {} devices, {} points every {}, {} sinks{}",
                                            first ? "acquiring with" : "took", config.revision,
                                            config.devices.size(), points, format_duration(config.period),
                                            sinks_of(config).size(), paused_ ? ", paused" : ""));
}

// --- messages
// -----------------------------------------------------------------------------------------------------

void WorkerLoop::take_messages() {
    while (!ending_) {
        const auto message = link_->receive();
        if (!message) return;
        std::visit([this](const auto& m) { handle(m); }, *message);
    }
}

void WorkerLoop::handle(const proto::Welcome& message) {
    heartbeat_interval_ = std::clamp(message.heartbeat_interval, milliseconds{50}, milliseconds{60'000});
    orphan_grace_ = message.orphan_grace;
    session_id_ = message.session_id;
    link_->welcomed(heartbeat_interval_);
    next_heartbeat_ = clock_.mono_now() + heartbeat_interval_;
    tell_everything_ = true;
    if (line_ && message.paused != paused_) set_paused(message.paused);
    paused_ = message.paused;
    const bool news = message.config && (!line_ || message.config->revision != line_->config.revision);
    if (news) {
        apply_config(*message.config);
    } else if (line_) {
        link_->describe(line_->config.task_code, session_id_, line_->config.revision);
        link_->send(proto::Ready{line_->config.revision});
    }
}

void WorkerLoop::handle(const proto::Refuse& message) {
    finish({ExitCode::kRefused, false, "refused by the supervisor: " + message.reason,
            line_ ? line_->config.stop_grace : milliseconds{0}});
}

void WorkerLoop::handle(const proto::Configure& message) {
    apply_config(message.config);
}

void WorkerLoop::handle(const proto::SetPeriod& message) {
    if (!line_ || message.period < milliseconds{1}) return;
    line_->config.period = message.period;
    line_->devices->set_period(message.period);
    log_.write(LogLevel::kInfo, fmt::format("period is {} now", format_duration(message.period)));
}

void WorkerLoop::handle(const proto::Pause&) {
    set_paused(true);
}

void WorkerLoop::handle(const proto::Resume&) {
    set_paused(false);
}

void WorkerLoop::handle(const proto::Stop& message) {
    finish({ExitCode::kDone, false, "stopped", message.grace});
}

void WorkerLoop::handle(const proto::ResetConnection& message) {
    if (line_ && !line_->devices->reset_connection(message.device_code)) {
        log_.write(LogLevel::kWarning, fmt::format("no device {} to reset", message.device_code));
    }
}

void WorkerLoop::handle(const proto::SlowDown& message) {
    constexpr std::uint32_t kSlowest = 1000;
    if (!line_ || message.period_factor < 1 || message.period_factor > kSlowest) return;
    if (!line_->devices->set_period_factor(message.device_code, message.period_factor)) {
        log_.write(LogLevel::kWarning, fmt::format("no device {} to slow down", message.device_code));
    }
}

// Being heard is all it says, and the link has noted it. It comes every few seconds while there is a
// supervisor, which alone moves dead letters: the time to look at them.
void WorkerLoop::handle(const proto::BeatAck&) {
    if (line_) line_->sinks->look_at_letters();
}

void WorkerLoop::set_paused(bool paused) {
    if (!line_ || paused == paused_) return;
    paused_ = paused;
    paused ? line_->devices->pause() : line_->devices->resume();
    // What the supervisor stopped counting on may not change for hours: it is said again.
    if (!paused) tell_everything_ = true;
    log_.write(LogLevel::kInfo, paused ? "paused" : "resumed");
}

// --- timers
// -------------------------------------------------------------------------------------------------------

void WorkerLoop::heartbeat() {
    next_heartbeat_ = clock_.mono_now() + heartbeat_interval_;
    proto::Heartbeat beat;
    beat.seq = ++beats_;
    beat.paused = paused_;
    if (line_) {
        line_->devices->report(beat);
        const auto spool = line_->spool->stats();
        auto sinks = line_->sinks->stats();
        // A sink that was added begins at zero; what was said before is not taken back.
        delivered_ = std::max(delivered_, sinks.delivered);
        beat.points_delivered = delivered_;
        beat.dead_letters = sinks.dead;
        beat.retrying = sinks.retrying;
        beat.sinks = std::move(sinks.sinks);
        beat.spool_pending = spool.pending;
        beat.spool_bytes = spool.bytes;
        beat.spool_dropped = spool.dropped + spool.damaged + dropped_;
    } else {
        beat.loop_ticks = beats_;
    }
    link_->send(beat);
    // The supervisor keeps what this process prints within a smaller limit; while there is none, we do.
    (void)trim_front(STDERR_FILENO, kMostPrinted, kKeptPrinted);
}

void WorkerLoop::tell_news() {
    next_news_ = clock_.mono_now() + kNewsInterval;
    if (!link_->is_welcome()) return;
    if (line_) {
        const bool all = std::exchange(tell_everything_, false);
        for (auto& status : line_->devices->connections(all))
            link_->send(proto::Connection{std::move(status)});
        proto::Live live{line_->devices->live(all)};
        if (!live.samples.empty()) {
            // A heartbeat that is due soon goes along, and that of a task with a long period always does: the
            // supervisor of a thousand workers is woken half as often.
            const auto now = clock_.mono_now();
            const bool rare = now - std::exchange(last_live_, now) >= heartbeat_interval_ * 4 / 5;
            if (rare || next_heartbeat_ - now <= kNewsInterval) heartbeat();
            link_->send(live);
        }
    }
    tell_logs();
}

void WorkerLoop::tell_logs() {
    if (!link_->is_welcome()) return;
    if (auto batch = log_.take(kLogBatch); batch && !link_->send(*batch)) log_.not_sent(*batch);
}

void WorkerLoop::check_limits() {
    if (!line_ || ending_) return;
    const auto& limit = line_->config.run_limit;
    if (limit.cycles && limit_reached_) {
        finish({ExitCode::kDone, true, fmt::format("completed {} cycles", *limit.cycles),
                line_->config.stop_grace});
    } else if (limit.duration && clock_.mono_now() - line_->started >= *limit.duration) {
        finish({ExitCode::kDone, true, fmt::format("completed {}", format_duration(*limit.duration)),
                line_->config.stop_grace});
    }
}

void WorkerLoop::check_orphaned() {
    if (ending_) return;
    const auto silence = link_->silence();
    if (line_) {
        if (silence > orphan_grace_) {
            finish({ExitCode::kOrphaned, false,
                    fmt::format("no supervisor for {}", format_duration(orphan_grace_)),
                    line_->config.stop_grace});
        }
        return;
    }
    // The parent shows at once that the supervisor is gone; the silence also shows it when it was gone before
    // this process could ask who its parent is.
    if (silence > kWelcomePatience || ::getppid() != launched_by_) {
        finish({ExitCode::kOrphaned, false, "no supervisor wants this worker", milliseconds{0}});
    }
}

// --- leaving
// ------------------------------------------------------------------------------------------------------

void WorkerLoop::finish(Ending ending) {
    if (ending_) return;
    ending_ = std::move(ending);
}

void WorkerLoop::await_acknowledgement() {
    const auto deadline = clock_.mono_now() + kLastWord;
    while (link_->is_welcome() && clock_.mono_now() < deadline) {
        link_->wait({}, std::chrono::ceil<milliseconds>(deadline - clock_.mono_now()));
        while (const auto message = link_->receive()) {
            const auto* ack = std::get_if<proto::BeatAck>(&*message);
            if (ack != nullptr && ack->seq >= beats_) return;
        }
    }
}

void WorkerLoop::wake() {
    const std::uint64_t one = 1;
    (void)!::write(wake_fd_, &one, sizeof(one));
}

void WorkerLoop::close() {
    const bool expected = ending_->code == ExitCode::kDone;
    log_.write(
        expected ? LogLevel::kInfo : LogLevel::kError,
        fmt::format("{}; leaving with exit code {}", ending_->reason, static_cast<int>(ending_->code)));
    if (!expected) fmt::print(stderr, "fieldwarden-worker: {}\n", ending_->reason);
    if (line_) halt_line(ending_->grace);
    tell_logs();
    link_->send(proto::Finished{ending_->code, ending_->completed, ending_->reason});
    // The last heartbeat carries the counters that the session ends with. Its acknowledgement says that the
    // supervisor has taken them: were the process gone first, they would come from nobody.
    heartbeat();
    await_acknowledgement();
    line_.reset();
    link_.reset();
    // A probe may hang in its device; the process does not wait for it.
    if (requests_->busy()) {
        std::fflush(nullptr);
        ::_exit(static_cast<int>(ending_->code));
    }
    requests_.reset();
}

}  // namespace fieldwarden::worker
