// A worker like the real one that also does what no worker should: floods its log, prints to its standard
// error, dies of an exception. The name of its task says what. For tests/system/test_logs.py.
#include <fmt/format.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include "proto/wire.h"
#include "worker/worker_loop.h"

namespace {

using namespace fieldwarden;
using namespace std::chrono_literals;

constexpr int kLinesPerSecond = 100'000;
constexpr int kTurnsPerSecond = 50;

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{} : value;
}

// Calls `say` with a batch of lines' numbers, kTurnsPerSecond times a second.
template <class Say>
void flood(const std::atomic<bool>& stop, Say say) {
    auto due = std::chrono::steady_clock::now();
    for (std::uint64_t number = 0; !stop;) {
        say(number, kLinesPerSecond / kTurnsPerSecond);
        number += kLinesPerSecond / kTurnsPerSecond;
        due += 1000ms / kTurnsPerSecond;
        std::this_thread::sleep_until(due);
    }
}

void print(std::string_view text) {
    (void)!::write(STDERR_FILENO, text.data(), text.size());
}

void misbehave(const std::string& task, worker::WorkerLoop& loop, const std::atomic<bool>& stop) {
    if (task == "FLOOD_LOG") {
        const auto log = loop.log();
        flood(stop, [&](std::uint64_t number, int count) {
            for (int i = 0; i < count; ++i) {
                log(proto::LogLevel::kInfo, fmt::format("flood line {} of the logger", number++));
            }
        });
    } else if (task == "FLOOD_RAW") {
        flood(stop, [](std::uint64_t number, int count) {
            std::string text;
            for (int i = 0; i < count; ++i) text += fmt::format("flood line {} of the process\n", number++);
            print(text);
        });
    } else if (task == "PRINTS") {
        print("plain words\n");
        print("[2026-11-22 17:08:43.123] [error] [net.cpp:77] login with hunter22-planted failed\n");
        print("/src/a.cpp:9:5: runtime error: signed integer overflow\n    #0 0x5 in f /src/a.cpp:9\n");
        loop.log()(proto::LogLevel::kError, "logged hunter22-planted as well");
    } else if (task == "THROWS") {
        throw std::runtime_error("device hunter22-planted is gone");  // nobody catches it
    }
}

}  // namespace

int main() {
    worker::LaunchEnvironment launch;
    launch.launch_key = environment(proto::kEnvLaunchKey);
    launch.control = environment(proto::kEnvControl);
    launch.task_code = environment(proto::kEnvTask);
    launch.data_dir = environment(proto::kEnvDataDir);
    const auto session = environment(proto::kEnvSession);
    std::from_chars(session.data(), session.data() + session.size(), launch.session_id);
    std::signal(SIGPIPE, SIG_IGN);
    sigset_t stop_signals;
    sigemptyset(&stop_signals);
    sigaddset(&stop_signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &stop_signals, nullptr);
    const int signals = signalfd(-1, &stop_signals, SFD_NONBLOCK | SFD_CLOEXEC);

    const auto task = launch.task_code;
    worker::WorkerLoop loop{std::move(launch), signals, system_clock()};
    std::atomic<bool> stop{false};
    std::thread loud{[&] {
        std::this_thread::sleep_for(500ms);  // it is configured by then and knows its secrets
        misbehave(task, loop, stop);
    }};
    const auto code = loop.run();
    stop = true;
    loud.join();
    return static_cast<int>(code);
}
