// The floor under every supervisor: wait on a pidfd, reap, posix_spawn the same program again, and nothing
// else. Usage: bench_spawn_floor ROUNDS COUNT PROGRAM [ARGUMENT…]. Kills COUNT processes at once in each of
// ROUNDS rounds; prints per round the milliseconds from before the first kill to the last replacement's
// main().
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "arrival.h"

namespace {

struct Child {
    pid_t pid;
    int pidfd;
};

Child spawn(char** arguments) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    Child child{0, -1};
    if (posix_spawn(&child.pid, arguments[0], &actions, &attributes, arguments, environ) != 0) std::exit(1);
    child.pidfd = static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0));
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return child;
}

// Waits until `count` processes have arrived since the file was emptied; the time of the last.
std::int64_t last_of(int file, std::size_t count) {
    std::vector<Arrival> records(count);
    const auto wanted = static_cast<ssize_t>(count * sizeof(Arrival));
    while (pread(file, records.data(), static_cast<std::size_t>(wanted), 0) < wanted) usleep(1'000);
    return std::ranges::max_element(records, {}, &Arrival::at)->at;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return 2;
    const int rounds = std::atoi(argv[1]);
    const auto count = static_cast<std::size_t>(std::atoi(argv[2]));
    const int file = open(std::getenv("BENCH_ARRIVALS"), O_RDWR | O_CLOEXEC);
    if (file < 0) return 1;
    std::vector<Child> children;
    for (std::size_t i = 0; i < count; ++i) children.push_back(spawn(argv + 3));
    last_of(file, count);
    for (int round = 0; round < rounds; ++round) {
        usleep(100'000);
        if (ftruncate(file, 0) != 0) return 1;
        std::vector<pollfd> watched;
        for (const auto& child : children) watched.push_back({child.pidfd, POLLIN, 0});
        const auto killer = fork();  // as from outside: the loop does not know
        if (killer == 0) {
            const auto killed = monotonic_ns();
            for (const auto& child : children) kill(child.pid, SIGKILL);
            std::printf("%lld ", static_cast<long long>(killed));
            std::fflush(stdout);
            _exit(0);
        }
        for (std::size_t left = count; left > 0;) {
            poll(watched.data(), watched.size(), -1);
            for (std::size_t i = 0; i < count; ++i) {
                if ((watched[i].revents & POLLIN) == 0) continue;
                waitpid(children[i].pid, nullptr, 0);
                close(children[i].pidfd);
                children[i] = spawn(argv + 3);
                watched[i].fd = -1;
                --left;
            }
        }
        waitpid(killer, nullptr, 0);
        std::printf("%lld\n", static_cast<long long>(last_of(file, count)));
        std::fflush(stdout);
    }
    for (const auto& child : children) kill(child.pid, SIGKILL);
    for (const auto& child : children) waitpid(child.pid, nullptr, 0);
}
