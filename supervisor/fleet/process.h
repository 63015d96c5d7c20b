// The operating system behind one small interface, so that the supervisor runs in tests with processes that
// are not there.
//
// Threads. Everything happens on the supervisor's loop, the exit handler included.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/result.h"

namespace boost::asio {
class io_context;
}

namespace fieldwarden::supervisor {

// How a process ended. Of an adopted process, which is not our child, only that it ended.
struct ExitStatus {
    std::optional<int> code;    // exited by itself
    std::optional<int> signal;  // killed
};
// "exit code 70 (internal error)", "killed by signal 9 (Killed)", "gone (exit status unknown: adopted)".
std::string describe(const ExitStatus& status);

// 0: none (of nice: normal).
struct ProcessLimits {
    std::uint32_t open_files = 0;
    std::uint64_t memory_bytes = 0;  // of writable memory, as address space (RLIMIT_DATA)
    int nice = 0;

    bool operator==(const ProcessLimits&) const = default;
};
// Puts them on a process of ours from outside; it may run already.
Status set_limits(std::int64_t pid, const ProcessLimits& limits);

struct LaunchSpec {
    std::string program;
    std::vector<std::string> arguments;              // without the program's own name
    std::map<std::string, std::string> environment;  // all of it
    std::string crash_file;                          // takes stdout and stderr; created with mode 0600
    ProcessLimits limits = {};
};

// One live process (or one that is just ending). Destroying it neither kills nor waits; its exit handler is
// then never called.
class Process {
  public:
    virtual ~Process() = default;
    [[nodiscard]] virtual std::int64_t pid() const = 0;
    [[nodiscard]] virtual std::uint64_t start_ticks() const = 0;
    [[nodiscard]] virtual MonoTime started_at() const = 0;  // from the start ticks
    // To the process alone. A process that is gone is no error.
    virtual void send_signal(int signal_number) = 0;
    // SIGKILL to its whole process group: nothing it started stays behind.
    virtual void kill_group() = 0;
    // kill_group(), for when the loop no longer turns: returns when the process is gone and, as our child,
    // reaped. Its exit handler is not called.
    virtual void end_now() = 0;
};

class ProcessLauncher {
  public:
    virtual ~ProcessLauncher() = default;
    // Called once, when the process has ended. `exited_at` is when the kernel told us.
    using ExitHandler = std::function<void(const ExitStatus& status, MonoTime exited_at)>;

    // Starts the program in a process group of its own: stdin is /dev/null, no descriptor of ours is
    // inherited, all signals are at their defaults.
    virtual Result<std::unique_ptr<Process>> launch(const LaunchSpec& spec, ExitHandler on_exit) = 0;
    // Takes over a process that another supervisor started. kNotFound when no process has this pid and these
    // start ticks: a pid alone is never trusted.
    virtual Result<std::unique_ptr<Process>> adopt(std::int64_t pid, std::uint64_t start_ticks,
                                                   ExitHandler on_exit) = 0;
};

// The real one: posix_spawn and pidfd. `loop` outlives it and every process it made.
std::unique_ptr<ProcessLauncher> make_posix_launcher(boost::asio::io_context& loop);

}  // namespace fieldwarden::supervisor
