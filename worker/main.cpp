// fieldwarden-worker: runs one task. Started by the supervisor only; what it needs is in its environment
// (proto/wire.h), its configuration comes over the link once it has proved its launch key.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/signalfd.h>

#include <charconv>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <string>

#include "proto/wire.h"
#include "worker/spare_identity.h"
#include "worker/worker_loop.h"

namespace {

using namespace fieldwarden;

constexpr int kUsage = 64;  // EX_USAGE

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{} : value;
}

// A worker is one of a thousand on its machine: memory counts more than the last microsecond of an
// allocation. One heap for the few threads, and large blocks go back to the system when they are freed.
void spare_memory() {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 512 << 10);
}

// Termination is a message to the main loop; everything else that could kill a worker whose supervisor or
// terminal went away is ignored. Before any thread starts: they inherit the mask.
int take_signals() {
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGHUP, SIG_IGN);
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigprocmask(SIG_BLOCK, &stop, nullptr);
    return signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
}

}  // namespace

int main() {
    spare_memory();
    worker::LaunchEnvironment launch;
    launch.launch_key = environment(proto::kEnvLaunchKey);
    launch.control = environment(proto::kEnvControl);
    launch.spare_name = worker::blanks_of_spare();
    if (launch.spare_name.empty()) launch.task_code = environment(proto::kEnvTask);
    launch.data_dir = environment(proto::kEnvDataDir);
    const auto session = environment(proto::kEnvSession);
    std::from_chars(session.data(), session.data() + session.size(), launch.session_id);
    // Nothing this process starts or dumps shall show the key.
    unsetenv(proto::kEnvLaunchKey);
    if (launch.launch_key.empty() || launch.control.empty() || launch.data_dir.empty()) {
        fmt::print(
            stderr,
            "fieldwarden-worker is started by the supervisor only, which gives it a task and a launch key.\n"
            "Run 'fieldwarden serve', and start tasks with 'fieldwarden start TASK'.\n");
        return kUsage;
    }
    const int signals = take_signals();
    try {
        return static_cast<int>(worker::WorkerLoop{std::move(launch), signals, system_clock()}.run());
    } catch (const std::exception& error) {
        fmt::print(stderr, "fieldwarden-worker: internal error: {}\n", error.what());
        return static_cast<int>(proto::ExitCode::kInternalError);
    }
}
