// A fleet without processes: the launcher starts threads that speak the wire as a worker does, each as its
// script says. The supervisor under test cannot tell the difference.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proto/wire.h"
#include "supervisor/fleet/process.h"

namespace fieldwarden::supervisor {

// How a worker behaves; may be changed while it runs.
struct WorkerScript {
    std::atomic<bool> says_hello{true};
    std::atomic<bool> gets_ready{true};
    std::atomic<bool> beats{true};
    std::atomic<bool> loop_turns{true};
    std::atomic<bool> obeys_stop{true};
    std::atomic<bool> good_data{true};
    std::atomic<bool> connected{true};
    std::atomic<int> exit_at_once{-1};       // ≥ 0: leaves with this code before it says anything
    std::atomic<bool> completes{false};      // reports its run limit as reached
    std::atomic<bool> answers{true};         // AcquireOnce, TestConnection, TestStorage
    std::atomic<std::uint64_t> scans{0};     // of its device D1, as reported
    std::atomic<std::uint64_t> timeouts{0};  // … and how many of them timed out
};

// What a worker was told, in order.
struct WorkerLog {
    std::mutex mutex;
    std::vector<std::string> messages;
    std::optional<TaskConfig> config;
    std::optional<proto::Welcome> welcome;

    bool has(const std::string& message);
};

class FakeWorker {
  public:
    FakeWorker(std::map<std::string, std::string> environment, std::int64_t pid,
               std::shared_ptr<WorkerScript> script);
    ~FakeWorker();

    // As if the process had ended: it says nothing more.
    void end(ExitStatus status);
    // Calls `handler`, which only posts, when the worker ends, or at once when it has ended.
    void on_end(std::function<void(ExitStatus)> handler);
    [[nodiscard]] bool ended() const { return ended_; }
    // Launched for, or as a spare given; "" for a spare that waits and for a probe.
    [[nodiscard]] std::string task_code();

    const std::map<std::string, std::string> environment;
    const std::int64_t pid;
    const std::uint64_t ticks;
    const std::shared_ptr<WorkerScript> script;
    WorkerLog log;
    std::atomic<std::uint64_t> counter_of_beats{0};
    std::atomic<std::uint64_t> counter{0};  // samples "acquired": no gap over a change of supervisor

  private:
    void run();

    std::mutex mutex_;
    std::atomic<bool> ended_{false};
    std::optional<ExitStatus> status_;
    std::function<void(ExitStatus)> handler_;
    std::thread thread_;
};

// The machine: workers stay when a supervisor goes, and the next one's launcher finds them again.
class FakeMachine {
  public:
    ~FakeMachine();
    std::unique_ptr<ProcessLauncher> launcher(boost::asio::io_context& loop);

    std::shared_ptr<WorkerScript> script(const std::string& task_code);  // of its present and future workers
    // The last one of the task, "" for spares that wait and probes; may be null.
    std::shared_ptr<FakeWorker> worker(const std::string& task_code);
    std::size_t launches(const std::string& task_code);
    std::size_t alive(const std::string& task_code);
    std::atomic<bool> refuses_to_launch{false};

  private:
    friend class FakeLauncher;
    std::mutex mutex_;
    std::int64_t last_pid_ = 4'200'000;  // above any pid of a real process
    std::map<std::string, std::shared_ptr<WorkerScript>> scripts_;
    std::vector<std::shared_ptr<FakeWorker>> workers_;
};

}  // namespace fieldwarden::supervisor
