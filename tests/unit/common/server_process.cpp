#include "tests/unit/common/server_process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace fieldwarden {

namespace {

using namespace std::chrono_literals;

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void replace_all(std::string& text, std::string_view what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

std::string contents_of(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

// Streams of the child: files by name, empty for /dev/null.
struct Streams {
    std::string in;
    std::string out;
    std::string err;
};

int spawn(std::vector<std::string> arguments, const Streams& streams, pid_t& pid) {
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    const auto open = [&](int fd, const std::string& path, int flags) {
        posix_spawn_file_actions_addopen(&files, fd, path.empty() ? "/dev/null" : path.c_str(), flags, 0600);
    };
    constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
    open(0, streams.in, O_RDONLY);
    open(1, streams.out, kAppend);
    if (streams.err == streams.out) {
        posix_spawn_file_actions_adddup2(&files, 1, 2);
    } else {
        open(2, streams.err, kAppend);
    }
    int failed = posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
    if (failed != 0) {
        // Debian keeps servers outside of a user's PATH.
        const auto elsewhere = "/usr/sbin/" + arguments.front();
        failed = posix_spawn(&pid, elsewhere.c_str(), &files, nullptr, argv.data(), environ);
    }
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

}  // namespace

int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    close(fd);
    return ntohs(address.sin_port);
}

ServerProcess::ServerProcess(std::vector<std::string> command, std::function<bool()> ready)
    : command_(std::move(command)), ready_(std::move(ready)) {}

ServerProcess::~ServerProcess() {
    kill();
}

std::string ServerProcess::log() const {
    return contents_of(dir_.file("log"));
}

void ServerProcess::start(const std::function<void()>& prepare) {
    for (int attempt = 0; attempt < 5; ++attempt) {
        if (port_ == 0) port_ = free_port();
        if (prepare) prepare();
        auto arguments = command_;
        for (auto& argument : arguments) {
            replace_all(argument, "{port}", std::to_string(port_));
            replace_all(argument, "{dir}", dir());
        }
        ASSERT_EQ(spawn(arguments, {{}, dir_.file("log"), dir_.file("log")}, pid_), 0)
            << arguments.front() << " is not installed";
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < deadline) {
            if (ready_ ? ready_() : takes_connections()) return;
            if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
                pid_ = -1;
                break;
            }
            std::this_thread::sleep_for(2ms);
        }
        halt(SIGKILL);
        port_ = 0;  // somebody else took it
    }
    FAIL() << command_.front() << " does not start: " << log();
}

bool ServerProcess::takes_connections() const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(port_);
    const bool open = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return open;
}

void ServerProcess::halt(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

void ServerProcess::stop() {
    halt(SIGTERM);
}

void ServerProcess::kill() {
    halt(SIGKILL);
}

void ServerProcess::freeze() {
    ::kill(pid_, SIGSTOP);
}

void ServerProcess::thaw() {
    ::kill(pid_, SIGCONT);
}

int ServerProcess::run(std::vector<std::string> arguments, const std::string& input,
                       std::string* output) const {
    const auto in = dir_.file("run.in");
    const auto out = dir_.file("run.out");
    std::ofstream{in, std::ios::binary} << input;
    std::ofstream{out, std::ios::trunc}.flush();
    pid_t pid = -1;
    if (spawn(std::move(arguments), {in, out, dir_.file("run.log")}, pid) != 0) return -1;
    int status = 0;
    waitpid(pid, &status, 0);
    if (output != nullptr) *output = contents_of(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace fieldwarden
