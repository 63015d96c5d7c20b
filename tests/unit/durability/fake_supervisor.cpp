#include "tests/unit/durability/fake_supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "common/data_paths.h"

namespace fieldwarden::worker {

using std::chrono::milliseconds;

namespace {

std::string control_socket(const std::string& data_dir) {
    return data_dir + "/run/control.sock";
}

}  // namespace

FakeSupervisor::FakeSupervisor(std::string data_dir) : data_dir_(std::move(data_dir)) {
    EXPECT_TRUE(make_directories(data_dir_ + "/run"));
    reopen();
}

FakeSupervisor::~FakeSupervisor() {
    for (auto& [key, worker] : workers_) {
        if (worker.pid <= 0 || worker.exited) continue;
        ::kill(worker.pid, SIGKILL);
        ::waitpid(worker.pid, nullptr, 0);
    }
}

void FakeSupervisor::close() {
    listener_.reset();
    strangers_.clear();
    for (auto& [key, worker] : workers_) worker.socket.close();
}

void FakeSupervisor::reopen() {
    listener_.emplace(control_socket(data_dir_));
}

std::string FakeSupervisor::launch(const std::string& task_code,
                                   const std::map<std::string, std::string>& environment) {
    const std::string key = fmt::format("key-{}-{}", ::getpid(), ++launched_);
    std::map<std::string, std::string> all{{proto::kEnvLaunchKey, key},
                                           {proto::kEnvControl, control_socket(data_dir_)},
                                           {proto::kEnvDataDir, data_dir_},
                                           {proto::kEnvSession, "17"}};
    if (!task_code.empty()) all[proto::kEnvTask] = task_code;
    // A worker built with a sanitizer obeys the same options as the test.
    for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
        if (const char* value = std::getenv(name)) all[name] = value;
    }
    for (const auto& [name, value] : environment) all[name] = value;
    std::vector<std::string> texts;
    for (const auto& [name, value] : all) texts.push_back(name + "=" + value);
    std::vector<char*> env;
    for (auto& text : texts) env.push_back(text.data());
    env.push_back(nullptr);
    std::string program = FIELDWARDEN_WORKER;
    char* argv[] = {program.data(), nullptr};
    Worker worker;
    EXPECT_EQ(::posix_spawn(&worker.pid, program.c_str(), nullptr, nullptr, argv, env.data()), 0);
    workers_[key] = std::move(worker);
    return key;
}

void FakeSupervisor::read_all() {
    if (listener_) {
        while (auto socket = listener_->accept()) strangers_.push_back(std::move(*socket));
    }
    for (auto& stranger : strangers_) {
        auto message = stranger.receive();
        if (!message) continue;
        const auto* hello = std::get_if<proto::Hello>(&*message);
        if (hello == nullptr || !workers_.contains(hello->launch_key)) continue;
        const auto key = hello->launch_key;
        workers_.at(key).socket = std::move(stranger);
        take(key, std::move(*message));
    }
    std::erase_if(strangers_, [](const auto& socket) { return !socket.is_open(); });
    for (auto& [key, worker] : workers_) {
        while (auto message = worker.socket.receive()) take(key, std::move(*message));
    }
}

void FakeSupervisor::take(const std::string& key, proto::Message message) {
    if (const auto* beat = std::get_if<proto::Heartbeat>(&message); beat != nullptr && acks) {
        send(key, proto::BeatAck{beat->seq});
    }
    workers_.at(key).heard.push_back(std::move(message));
}

bool FakeSupervisor::until(const std::function<bool()>& done, milliseconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        std::vector<pollfd> waits;
        if (listener_) waits.push_back({listener_->fd(), POLLIN, 0});
        for (const auto& stranger : strangers_) waits.push_back({stranger.fd(), POLLIN, 0});
        for (const auto& [key, worker] : workers_) waits.push_back({worker.socket.fd(), POLLIN, 0});
        ::poll(waits.data(), waits.size(), 10);
        read_all();
    }
    return true;
}

void FakeSupervisor::send(const std::string& key, const proto::Message& message) {
    workers_.at(key).socket.send(message);
}

void FakeSupervisor::send_raw(const std::string& key, std::string_view header, std::string_view payload) {
    workers_.at(key).socket.send_raw(header, payload);
}

std::string FakeSupervisor::start(const TaskConfig& config) {
    const auto key = launch(config.task_code);
    EXPECT_TRUE(await<proto::Hello>(key)) << "no Hello";
    proto::Welcome welcome;
    welcome.session_id = 17;
    welcome.config = config;
    welcome.heartbeat_interval = heartbeat;
    welcome.orphan_grace = orphan_grace;
    send(key, welcome);
    EXPECT_TRUE(await<proto::Ready>(key)) << "not ready";
    return key;
}

int FakeSupervisor::wait_exit(const std::string& key) {
    auto& worker = workers_.at(key);
    until([&] {
        if (!worker.exited) worker.exited = ::waitpid(worker.pid, &worker.exit_status, WNOHANG) == worker.pid;
        return worker.exited;
    });
    if (!worker.exited) {
        ADD_FAILURE() << "the worker does not end";
        return -1000;
    }
    // What it said last may still be on its way.
    until([] { return false; }, milliseconds{50});
    return WIFEXITED(worker.exit_status) ? WEXITSTATUS(worker.exit_status) : -WTERMSIG(worker.exit_status);
}

void FakeSupervisor::kill(const std::string& key, int signal) {
    ASSERT_EQ(::kill(workers_.at(key).pid, signal), 0);
}

}  // namespace fieldwarden::worker
