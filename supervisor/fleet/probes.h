// Probes: worker processes that answer one question and leave (test-connection, test-storage, browse, stored
// data; acquire_once and write when no task runs), so that nothing a device or a sink does can touch the
// supervisor.
//
// Threads. Loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "supervisor/fleet/fleet_link.h"
#include "supervisor/fleet/process.h"
#include "supervisor/fleet/task_runtime.h"
#include "supervisor/fleet/worker_launch.h"

namespace fieldwarden::supervisor {

class Probes {
  public:
    static constexpr std::size_t kMostAtOnce = 4;
    static constexpr std::chrono::seconds kDeadline{60};

    struct Request {
        // TestConnection, TestStorage, WritePoint, Browse, QueryStore or AcquireOnce; the request_id is set
        // here.
        proto::Message question;
        TaskConfigPtr config;  // AcquireOnce: given, paused, before the question
        std::string subject;   // for messages: "device PUMP_01"
    };
    using Done = std::function<void(Result<proto::Reply>)>;

    Probes(ProcessLauncher& launcher, FleetLink& link, const WorkerLaunch& launch,
           const WorkerSettings& settings, const Clock& clock, std::function<WorkerId()> next_id);

    // `done` is called once, later. kBusy when kMostAtOnce are running.
    Status ask(Request request, Done done);

    [[nodiscard]] bool owns(WorkerId worker) const { return running_.contains(worker); }
    std::optional<std::string> on_hello(WorkerId worker, const proto::Hello& hello);
    void on_message(WorkerId worker, proto::Message&& message);
    // Ends what is over its deadline.
    void tick(MonoTime now);
    // Ends the probe that holds this task's spool, because the task itself is to start. Whether there was
    // one.
    bool yield_to_task(const std::string& task_code);
    void stop_all();
    [[nodiscard]] bool empty() const { return running_.empty(); }

  private:
    struct Probe {
        Request request;
        Done done;
        std::unique_ptr<Process> process;
        MonoTime deadline{};
        bool asked = false;
        bool leaving = false;
        std::string farewell;
        std::uint64_t crash_offset = 0;
    };
    void put_question(WorkerId worker, Probe& probe);
    void answer(Probe& probe, Result<proto::Reply> result);
    void let_go(WorkerId worker, Probe& probe);
    void on_exit(WorkerId worker, const ExitStatus& status);

    ProcessLauncher& launcher_;
    FleetLink& link_;
    const WorkerLaunch& launch_;
    const WorkerSettings& settings_;
    const Clock& clock_;
    std::function<WorkerId()> next_id_;
    std::uint64_t last_request_ = 0;
    std::map<WorkerId, Probe> running_;
};

}  // namespace fieldwarden::supervisor
