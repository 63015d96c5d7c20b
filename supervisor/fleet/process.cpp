#include "supervisor/fleet/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include "proto/wire.h"
#include "supervisor/fleet/proc_info.h"

namespace fieldwarden::supervisor {

namespace asio = boost::asio;

namespace {

// A crash file keeps what earlier starts wrote. The log service keeps it small; one that is this large
// nobody looked after, and the next start begins it anew.
constexpr off_t kCrashFileLimit = 4 * 1024 * 1024;
constexpr int kKillDeadline = 1'000;  // ms; only a process stuck in the kernel takes longer

std::string_view exit_code_meaning(int code) {
    switch (static_cast<proto::ExitCode>(code)) {
        case proto::ExitCode::kDone:
            return "done";
        case proto::ExitCode::kInternalError:
            return "internal error";
        case proto::ExitCode::kSpoolInUse:
            return "another worker holds the task's spool";
        case proto::ExitCode::kOrphaned:
            return "no supervisor for too long";
        case proto::ExitCode::kUnreachable:
            return "device or sink unreachable at start";
        case proto::ExitCode::kRefused:
            return "refused by the supervisor";
        case proto::ExitCode::kBadConfiguration:
            return "bad configuration";
    }
    return code == 127 ? "the program could not be executed" : "unknown to this version";
}

class PidfdProcess final : public Process {
  public:
    PidfdProcess(asio::io_context& loop, pid_t pid, int pidfd, std::uint64_t start_ticks, bool is_child,
                 ProcessLauncher::ExitHandler on_exit)
        : pid_(pid),
          start_ticks_(start_ticks),
          is_child_(is_child),
          pidfd_(loop, pidfd),
          on_exit_(std::move(on_exit)) {
        // A cancelled wait (this object was destroyed) reports an error and touches nothing.
        pidfd_.async_wait(asio::posix::stream_descriptor::wait_read,
                          [this](const boost::system::error_code& error) {
                              if (!error) exited();
                          });
    }

    std::int64_t pid() const override { return pid_; }
    std::uint64_t start_ticks() const override { return start_ticks_; }
    MonoTime started_at() const override { return mono_of_ticks(start_ticks_); }

    void send_signal(int signal_number) override {
        if (!gone_) signal_pidfd(pidfd_.native_handle(), signal_number);
    }

    void kill_group() override {
        if (gone_) return;
        send_signal(SIGKILL);
        kill_rest_of_group();
    }

    void end_now() override {
        if (gone_) return;
        kill_group();
        pollfd ended{pidfd_.native_handle(), POLLIN, 0};
        siginfo_t info{};
        if (poll(&ended, 1, kKillDeadline) == 1 && is_child_) {
            waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &info, WEXITED | WNOHANG);
        }
        gone_ = true;
        pidfd_.close();
    }

  private:
    // Only while the pid cannot have been given to anyone else: our child is not reaped yet, an adopted
    // process still has its start ticks.
    void kill_rest_of_group() const {
        if (is_child_ || start_ticks_of(pid_) == start_ticks_) ::kill(-pid_, SIGKILL);
    }

    void exited() {
        const auto now = std::chrono::steady_clock::now();
        ExitStatus status;
        if (is_child_) {
            kill_rest_of_group();  // grandchildren, before the pid is free again
            siginfo_t info{};
            if (waitid(P_PIDFD, static_cast<id_t>(pidfd_.native_handle()), &info, WEXITED | WNOHANG) == 0 &&
                info.si_pid != 0) {
                (info.si_code == CLD_EXITED ? status.code : status.signal) = info.si_status;
            }
        }
        gone_ = true;
        pidfd_.close();
        // The handler may destroy this object.
        auto handler = std::move(on_exit_);
        handler(status, now);
    }

    pid_t pid_;
    std::uint64_t start_ticks_;
    bool is_child_;
    bool gone_ = false;
    asio::posix::stream_descriptor pidfd_;
    ProcessLauncher::ExitHandler on_exit_;
};

class SpawnActions {
  public:
    SpawnActions() {
        posix_spawn_file_actions_init(&actions_);
        posix_spawnattr_init(&attributes_);
    }
    ~SpawnActions() {
        posix_spawn_file_actions_destroy(&actions_);
        posix_spawnattr_destroy(&attributes_);
    }
    SpawnActions(const SpawnActions&) = delete;
    SpawnActions& operator=(const SpawnActions&) = delete;

    posix_spawn_file_actions_t* actions() { return &actions_; }
    posix_spawnattr_t* attributes() { return &attributes_; }

  private:
    posix_spawn_file_actions_t actions_{};
    posix_spawnattr_t attributes_{};
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    for (auto& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

class PosixLauncher final : public ProcessLauncher {
  public:
    explicit PosixLauncher(asio::io_context& loop) : loop_(loop) {}

    Result<std::unique_ptr<Process>> launch(const LaunchSpec& spec, ExitHandler on_exit) override {
        const int crash = open(spec.crash_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (crash < 0) return failure(spec, "open the crash file " + spec.crash_file, errno);
        struct stat info {};
        // The limit keeps a crash loop from filling the disk; a failed truncate only costs space.
        if (fstat(crash, &info) == 0 && info.st_size > kCrashFileLimit && ftruncate(crash, 0) != 0) {
            close(crash);
            return failure(spec, "truncate the crash file " + spec.crash_file, errno);
        }

        SpawnActions spawn;
        posix_spawn_file_actions_addopen(spawn.actions(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(spawn.actions(), crash, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(spawn.actions(), crash, STDERR_FILENO);
        posix_spawn_file_actions_addclosefrom_np(spawn.actions(), STDERR_FILENO + 1);
        sigset_t none;
        sigset_t all;
        sigemptyset(&none);
        sigfillset(&all);
        posix_spawnattr_setsigmask(spawn.attributes(), &none);
        posix_spawnattr_setsigdefault(spawn.attributes(), &all);
        posix_spawnattr_setpgroup(spawn.attributes(), 0);
        posix_spawnattr_setflags(spawn.attributes(),
                                 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

        std::vector<std::string> arguments{spec.program};
        arguments.insert(arguments.end(), spec.arguments.begin(), spec.arguments.end());
        std::vector<std::string> environment;
        for (const auto& [name, value] : spec.environment) environment.push_back(name + "=" + value);
        pid_t pid = 0;
        const int error = posix_spawn(&pid, spec.program.c_str(), spawn.actions(), spawn.attributes(),
                                      pointers(arguments).data(), pointers(environment).data());
        close(crash);
        if (error != 0) return failure(spec, "execute it", error);

        // The child cannot be reaped by anyone but us, so the pid is its own until then.
        const int pidfd = open_pidfd(pid);
        if (pidfd < 0) {
            const int open_error = errno;
            ::kill(-pid, SIGKILL);
            waitpid(pid, nullptr, 0);
            return failure(spec, "open its pidfd", open_error);
        }
        // posix_spawn cannot set them for the child; it has hardly begun when they come from here.
        if (const auto limited = set_limits(pid, spec.limits); !limited) {
            ::kill(-pid, SIGKILL);
            waitpid(pid, nullptr, 0);
            close(pidfd);
            return failure(spec, limited.error().message, 0);
        }
        return std::make_unique<PidfdProcess>(loop_, pid, pidfd, start_ticks_of(pid).value_or(0), true,
                                              std::move(on_exit));
    }

    Result<std::unique_ptr<Process>> adopt(std::int64_t pid, std::uint64_t start_ticks,
                                           ExitHandler on_exit) override {
        const auto not_there = [&] {
            return make_error(ErrorKind::kNotFound,
                              fmt::format("no process {} with start ticks {}", pid, start_ticks));
        };
        if (pid <= 1 || pid > INT32_MAX) return not_there();
        const auto native = static_cast<pid_t>(pid);
        const int pidfd = open_pidfd(native);
        if (pidfd < 0) return not_there();
        // Checked after the pidfd is open: from here on the pid cannot come to mean another process.
        const auto ticks = start_ticks_of(native);
        if (!ticks || *ticks != start_ticks) {
            close(pidfd);
            return not_there();
        }
        return std::make_unique<PidfdProcess>(loop_, native, pidfd, start_ticks, is_child_of_ours(native),
                                              std::move(on_exit));
    }

  private:
    static Error failure(const LaunchSpec& spec, const std::string& what, int error_number) {
        const auto why = error_number == 0 ? std::string{} : ": " + errno_text(error_number);
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot start {}: could not {}{}", spec.program, what, why));
    }

    // After an upgrade in place the workers are still children of this process.
    static bool is_child_of_ours(pid_t pid) {
        siginfo_t info{};
        return waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
    }

    asio::io_context& loop_;
};

}  // namespace

std::string describe(const ExitStatus& status) {
    if (status.code) return fmt::format("exit code {} ({})", *status.code, exit_code_meaning(*status.code));
    if (status.signal) {
        const char* text = sigdescr_np(*status.signal);
        return fmt::format("killed by signal {} ({})", *status.signal, text != nullptr ? text : "unknown");
    }
    return "gone (exit status unknown: it was started by another supervisor)";
}

Status set_limits(std::int64_t pid, const ProcessLimits& limits) {
    const auto native = static_cast<pid_t>(pid);
    const auto lower = [&](__rlimit_resource which, rlim_t most, const char* what) -> Status {
        rlimit now{};
        if (most == 0) return {};
        if (prlimit(native, which, nullptr, &now) == 0) {
            // A limit that is lower already stays.
            if (now.rlim_max != RLIM_INFINITY) most = std::min(most, now.rlim_max);
            const rlimit wanted{most, most};
            if (prlimit(native, which, &wanted, nullptr) == 0) return {};
        }
        if (errno == ESRCH) return {};  // gone already: its exit is on the way
        return make_error(ErrorKind::kIo, fmt::format("limit its {}: {}", what, errno_text(errno)));
    };
    if (auto done = lower(RLIMIT_NOFILE, limits.open_files, "open files"); !done) return done;
    if (auto done = lower(RLIMIT_DATA, limits.memory_bytes, "memory"); !done) return done;
    if (limits.nice > 0 && setpriority(PRIO_PROCESS, static_cast<id_t>(native), limits.nice) != 0 &&
        errno != ESRCH) {
        return make_error(ErrorKind::kIo,
                          fmt::format("set its nice level {}: {}", limits.nice, errno_text(errno)));
    }
    return {};
}

std::unique_ptr<ProcessLauncher> make_posix_launcher(asio::io_context& loop) {
    return std::make_unique<PosixLauncher>(loop);
}

}  // namespace fieldwarden::supervisor
