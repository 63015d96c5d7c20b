#include "supervisor/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/close_range.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>

#include "common/clock.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kMostOutput = 4096;
constexpr std::string_view kDeleted = " (deleted)";  // proc(5): the file was replaced or removed

std::vector<std::string> own_arguments() {
    std::ifstream file{"/proc/self/cmdline", std::ios::binary};
    const std::string all{std::istreambuf_iterator<char>{file}, {}};
    std::vector<std::string> arguments;
    for (std::size_t at = 0; at < all.size();) {
        const auto end = std::min(all.find('\0', at), all.size());
        arguments.push_back(all.substr(at, end - at));
        at = end + 1;
    }
    return arguments;
}

// The path as it was given, when it was one: an installation that switches a symbolic link is followed.
std::string own_program(const std::vector<std::string>& arguments) {
    std::error_code error;
    if (!arguments.empty() && arguments.front().find('/') != std::string::npos) {
        const auto path = std::filesystem::absolute(arguments.front(), error);
        if (!error) return path.lexically_normal().string();
    }
    auto path = std::filesystem::read_symlink("/proc/self/exe", error).string();
    if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
    return path;
}

// The environment of this process without what belongs to one process alone.
std::vector<std::string> environment_without(std::initializer_list<std::string_view> names) {
    std::vector<std::string> kept;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const auto name = text.substr(0, text.find('='));
        if (std::find(names.begin(), names.end(), name) == names.end()) kept.emplace_back(text);
    }
    return kept;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> list;
    for (auto& text : texts) list.push_back(text.data());
    list.push_back(nullptr);
    return list;
}

// What the other end writes until it closes the pipe, the last kMostOutput bytes of it. False: not in time.
bool read_until_closed(int pipe_end, MonoTime deadline, std::string& output) {
    char buffer[1024];
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - system_clock().mono_now());
        if (left.count() <= 0) return false;
        pollfd wait{pipe_end, POLLIN, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
        if (ready < 0 && errno != EINTR) return false;
        if (ready <= 0) continue;
        const auto got = ::read(pipe_end, buffer, sizeof(buffer));
        if (got <= 0) return got == 0;
        output.append(buffer, static_cast<std::size_t>(got));
        if (output.size() > kMostOutput) output.erase(0, output.size() - kMostOutput);
    }
}

}  // namespace

Upgrade::Upgrade() : arguments_(own_arguments()) {
    program_ = own_program(arguments_);
}

Upgrade::Upgrade(std::string program, std::vector<std::string> arguments)
    : program_(std::move(program)), arguments_(std::move(arguments)) {}

Status Upgrade::check(std::chrono::milliseconds patience) const {
    const auto refused = [this](const std::string& why) {
        return make_error(ErrorKind::kUnavailable, fmt::format("{}: {}", program_, why));
    };
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return refused("cannot make a pipe: " + errno_text(errno));
    auto arguments = arguments_;
    arguments.emplace_back("--check");
    auto environment = environment_without({"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"});

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t none;
    ::sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    pid_t pid = 0;
    const int error = posix_spawn(&pid, program_.c_str(), &actions, &attributes, pointers(arguments).data(),
                                  pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    ::close(ends[1]);
    if (error != 0) {
        ::close(ends[0]);
        return refused("cannot be executed: " + errno_text(error));
    }
    std::string output;
    const bool in_time = read_until_closed(ends[0], system_clock().mono_now() + patience, output);
    ::close(ends[0]);
    if (!in_time) ::kill(pid, SIGKILL);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    while (!output.empty() && output.back() == '\n') output.pop_back();
    if (!in_time) return refused("its --check did not end in time");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const auto how = WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                       : fmt::format("signal {}", WTERMSIG(status));
    return refused(fmt::format("its --check failed with {}{}{}", how, output.empty() ? "" : ": ", output));
}

Error Upgrade::replace(int listener) const {
    auto environment = environment_without({"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"});
    ::close_range(SD_LISTEN_FDS_START, ~0U, CLOSE_RANGE_CLOEXEC);
    const int in_the_way = listener >= 0 && listener != SD_LISTEN_FDS_START
                               ? ::fcntl(SD_LISTEN_FDS_START, F_DUPFD_CLOEXEC, SD_LISTEN_FDS_START + 1)
                               : -1;
    if (listener >= 0) {
        // A descriptor made by dup2 stays open across exec; one that is there already has to be told.
        if (listener == SD_LISTEN_FDS_START) {
            ::fcntl(listener, F_SETFD, 0);
        } else {
            ::dup2(listener, SD_LISTEN_FDS_START);
        }
        environment.push_back(fmt::format("LISTEN_PID={}", ::getpid()));
        environment.emplace_back("LISTEN_FDS=1");
    }
    auto arguments = arguments_;
    ::execve(program_.c_str(), pointers(arguments).data(), pointers(environment).data());
    const int error = errno;
    // This program goes on: what stood in the socket's place comes back.
    if (in_the_way >= 0) {
        ::dup3(in_the_way, SD_LISTEN_FDS_START, O_CLOEXEC);
        ::close(in_the_way);
    } else if (listener >= 0 && listener != SD_LISTEN_FDS_START) {
        ::close(SD_LISTEN_FDS_START);
    }
    return make_error(ErrorKind::kIo, fmt::format("cannot become {}: {}", program_, errno_text(error)));
}

int inherited_listener() {
    // Unsets the variables: what this process starts must not take the socket for its own.
    if (::sd_listen_fds(1) < 1) return -1;
    const bool fits = ::sd_is_socket(SD_LISTEN_FDS_START, AF_UNSPEC, SOCK_STREAM, 1) > 0;
    return fits ? SD_LISTEN_FDS_START : -1;
}

}  // namespace fieldwarden::supervisor
