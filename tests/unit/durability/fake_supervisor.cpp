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

std::string endpoint(const std::string& data_dir) {
    return "ipc://" + data_dir + "/run/control.sock";
}

ByteSpan bytes(const zmq::message_t& frame) {
    return {static_cast<const std::byte*>(frame.data()), frame.size()};
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
    socket_.close();
}

void FakeSupervisor::reopen() {
    socket_ = zmq::socket_t{context_, zmq::socket_type::router};
    socket_.set(zmq::sockopt::linger, 200);
    socket_.bind(endpoint(data_dir_));
}

std::string FakeSupervisor::launch(const std::string& task_code,
                                   const std::map<std::string, std::string>& environment) {
    const std::string key = fmt::format("key-{}-{}", ::getpid(), ++launched_);
    std::map<std::string, std::string> all{{proto::kEnvLaunchKey, key},
                                           {proto::kEnvControl, endpoint(data_dir_)},
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
    workers_[key] = worker;
    return key;
}

void FakeSupervisor::read_one() {
    std::vector<zmq::message_t> frames;
    for (;;) {
        zmq::message_t frame;
        if (!socket_.recv(frame, zmq::recv_flags::dontwait)) return;
        const bool more = frame.more();
        frames.push_back(std::move(frame));
        if (!more) break;
    }
    ASSERT_EQ(frames.size(), 3U);
    const auto identity = frames[0].to_string();
    auto message = proto::decode(bytes(frames[1]), bytes(frames[2]));
    ASSERT_TRUE(message) << message.error().message;
    if (const auto* hello = std::get_if<proto::Hello>(&*message)) {
        const auto found = workers_.find(hello->launch_key);
        if (found != workers_.end()) found->second.identity = identity;
    }
    for (auto& [key, worker] : workers_) {
        if (worker.identity != identity) continue;
        if (const auto* beat = std::get_if<proto::Heartbeat>(&*message); beat != nullptr && acks) {
            send(key, proto::BeatAck{beat->seq});
        }
        worker.heard.push_back(std::move(*message));
        return;
    }
}

bool FakeSupervisor::until(const std::function<bool()>& done, milliseconds deadline) {
    const auto end = std::chrono::steady_clock::now() + deadline;
    while (!done()) {
        if (std::chrono::steady_clock::now() >= end) return false;
        if (!socket_) {
            ::poll(nullptr, 0, 5);
            continue;
        }
        zmq::pollitem_t item{socket_.handle(), 0, ZMQ_POLLIN, 0};
        zmq::poll(&item, 1, milliseconds{10});
        if ((item.revents & ZMQ_POLLIN) != 0) read_one();
    }
    return true;
}

void FakeSupervisor::send(const std::string& key, const proto::Message& message) {
    const auto frames = proto::encode(message);
    const auto text = [](const Bytes& b) { return std::string{as_text(b)}; };
    send_raw(key, {text(frames.header), text(frames.payload)});
}

void FakeSupervisor::send_raw(const std::string& key, const std::vector<std::string>& frames) {
    socket_.send(zmq::buffer(workers_.at(key).identity), zmq::send_flags::sndmore);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        socket_.send(zmq::buffer(frames[i]),
                     i + 1 < frames.size() ? zmq::send_flags::sndmore : zmq::send_flags::none);
    }
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
