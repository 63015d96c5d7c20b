// Warm spares: workers that have started and connected and wait for a task. When a task is to be launched, a
// spare takes it over the link, and nothing of a start but the task's own part is left to do.
//
// A spare that is used or dies is replaced in the background: after a pause, never while tasks wait to be
// launched, and the more rarely the more of them died unused. A spare knows no task and no secret.
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
#include "supervisor/fleet/worker_launch.h"

namespace fieldwarden::supervisor {

class Spares {
  public:
    // Between the use of a spare and the start of the next: the task that took it has the machine first.
    static constexpr milliseconds kAfterUse{500};

    struct Spare {
        WorkerId id = 0;
        std::unique_ptr<Process> process;
        std::string launch_key;
    };
    // The end of every spare's process, also after it was taken.
    using ExitHandler = std::function<void(WorkerId, const ExitStatus&, MonoTime)>;
    using Log = std::function<void(proto::LogLevel, const std::string&)>;

    Spares(ProcessLauncher& launcher, FleetLink& link, const WorkerLaunch& launch,
           const WorkerSettings& settings, const Clock& clock, std::function<WorkerId()> next_id,
           ExitHandler on_exit, Log log);

    // A spare that is connected and has been heard lately; it is the caller's from now on, and its next
    // message is to be a Welcome with the task.
    std::optional<Spare> take();

    [[nodiscard]] bool owns(WorkerId worker) const { return waiting_.contains(worker); }
    std::optional<std::string> on_hello(WorkerId worker, const proto::Hello& hello);
    void on_message(WorkerId worker, const proto::Message& message);
    void on_exit(WorkerId worker, const ExitStatus& status);
    // Ends spares that have gone silent; starts one that is missing, when it is time and `may_start`.
    void tick(MonoTime now, bool may_start);
    void stop_all();  // no further one is started
    // As stop_all, when the loop no longer turns: returns when they are gone.
    void end_all();
    [[nodiscard]] bool empty() const { return waiting_.empty(); }

  private:
    struct Waiting {
        std::unique_ptr<Process> process;
        std::string launch_key;
        MonoTime heard{};  // or launched
        bool connected = false;
        bool ending = false;
    };
    void start(MonoTime now);
    void died(MonoTime now);

    ProcessLauncher& launcher_;
    FleetLink& link_;
    const WorkerLaunch& launch_;
    const WorkerSettings& settings_;
    const Clock& clock_;
    std::function<WorkerId()> next_id_;
    ExitHandler on_exit_;
    Log log_;
    std::map<WorkerId, Waiting> waiting_;
    unsigned died_unused_ = 0;  // in a row
    MonoTime next_start_{};
    bool stopped_ = false;
};

}  // namespace fieldwarden::supervisor
