#include "tests/unit/mqtt/broker.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
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

namespace fieldwarden::testing_mqtt {

namespace {

using namespace std::chrono_literals;

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// mosquitto cannot be told to take any free port.
int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    bind(fd, reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    close(fd);
    return ntohs(address.sin_port);
}

std::vector<char*> argv_of(std::vector<std::string>& arguments) {
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    return argv;
}

void replace_all(std::string& text, std::string_view what, const std::string& with) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
        text.replace(at, what.size(), with);
}

}  // namespace

Broker::Broker(std::string settings) {
    configure(std::move(settings));
    start();
}
void Broker::configure(std::string settings) {
    settings_ = std::move(settings);
    replace_all(settings_, "{dir}", dir_.path().string());
}

Broker::~Broker() {
    kill();
}

std::string Broker::address() const {
    return fmt::format("mqtt://127.0.0.1:{}", port_);
}

std::string Broker::log() const {
    std::ifstream file{dir_.file("log")};
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

void Broker::start() {
    for (int attempt = 0; attempt < 5; ++attempt) {
        if (port_ == 0) port_ = free_port();
        std::ofstream{dir_.file("conf")}
            << (geteuid() == 0 ? "user root\n" : "") << fmt::format("listener {} 127.0.0.1\n", port_)
            << "persistence true\npersistence_location " << dir_.path().string() << "/\n"
            << settings_;
        std::vector<std::string> arguments{"mosquitto", "-c", dir_.file("conf")};
        auto argv = argv_of(arguments);
        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&files, 1, dir_.file("log").c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                         0600);
        posix_spawn_file_actions_adddup2(&files, 1, 2);
        // Debian keeps it outside of a user's PATH.
        int failed = posix_spawnp(&pid_, "mosquitto", &files, nullptr, argv.data(), environ);
        if (failed != 0)
            failed = posix_spawn(&pid_, "/usr/sbin/mosquitto", &files, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&files);
        ASSERT_EQ(failed, 0) << "mosquitto is not installed";
        const auto deadline = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < deadline) {
            if (answers()) return;
            if (waitpid(pid_, nullptr, WNOHANG) == pid_) break;
            std::this_thread::sleep_for(2ms);
        }
        halt(SIGKILL);
        port_ = 0;  // somebody else took it
    }
    FAIL() << "mosquitto does not listen: " << log();
}

bool Broker::answers() const {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(port_);
    const bool open = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    close(fd);
    return open;
}

void Broker::halt(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
}

void Broker::stop() {
    halt(SIGTERM);
}

void Broker::kill() {
    halt(SIGKILL);
}

void Broker::freeze() {
    ::kill(pid_, SIGSTOP);
}

void Broker::thaw() {
    ::kill(pid_, SIGCONT);
}

bool Broker::publish(std::vector<std::string> arguments, const std::string& input) const {
    arguments.insert(arguments.begin(), {"mosquitto_pub", "-h", "127.0.0.1", "-p", std::to_string(port_)});
    return run(std::move(arguments), input);
}

bool Broker::run(std::vector<std::string> arguments, const std::string& input) const {
    const auto in = dir_.file("input");
    const auto out = dir_.file("run.log");
    std::ofstream{in} << input;
    auto argv = argv_of(arguments);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, in.c_str(), O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    posix_spawn_file_actions_adddup2(&files, 1, 2);
    pid_t pid = -1;
    const int failed = posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    if (failed != 0) return false;
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool Broker::publish(const std::string& topic, const std::string& payload, bool retain) const {
    // From a file, so that any bytes pass.
    std::ofstream{dir_.file("payload"), std::ios::binary} << payload;
    std::vector<std::string> arguments{"-q", "1", "-t", topic, "-f", dir_.file("payload")};
    if (payload.empty()) arguments = {"-q", "1", "-t", topic, "-n"};
    if (retain) arguments.emplace_back("-r");
    return publish(std::move(arguments));
}

}  // namespace fieldwarden::testing_mqtt
