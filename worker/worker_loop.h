// WorkerLoop: the worker process from launch to exit.
//
//   device → driver → pipeline → spool → flusher → sink
//
// The line is put together in start_line(). Each device runs it up to the spool on its own thread, each sink
// from the spool on, on its own; the main thread is here: the link to the supervisor, commands, timers.
//
// A worker without a task is a warm spare or a probe: it waits for a Welcome or Configure that brings one,
// answers TestConnection and TestStorage, and leaves on Stop or when the process that launched it is gone.
// A worker with a task outlives its supervisor by orphan_grace.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "proto/wire.h"
#include "worker/device_set.h"
#include "worker/requests.h"
#include "worker/sink_set.h"
#include "worker/spool.h"
#include "worker/supervisor_link.h"
#include "worker/worker_log.h"

namespace fieldwarden::worker {

class WorkerLoop {
  public:
    // SIGTERM and SIGINT are blocked in every thread and come in by `signal_fd`.
    WorkerLoop(LaunchEnvironment environment, int signal_fd, const Clock& clock);
    ~WorkerLoop();
    WorkerLoop(const WorkerLoop&) = delete;
    WorkerLoop& operator=(const WorkerLoop&) = delete;

    // Returns when the process has to end. Everything is stopped and said by then, except perhaps a request
    // that hangs in a device.
    proto::ExitCode run();
    // The task's log, for what else runs in this process. Any thread.
    [[nodiscard]] LogFunction log() { return log_.function(); }

  private:
    // The task that runs, in the order in which samples pass it. Taken apart from the back.
    struct Line {
        TaskConfig config;  // without devices and sinks
        std::unique_ptr<Spool> spool;
        std::unique_ptr<SinkSet> sinks;
        std::unique_ptr<DeviceSet> devices;
        MonoTime started{};
    };
    struct Ending {
        proto::ExitCode code = proto::ExitCode::kDone;
        bool completed = false;
        std::string reason;
        std::chrono::milliseconds grace{0};
    };

    // --- the line
    void apply_config(const TaskConfig& config);
    Status start_line(const TaskConfig& config);
    Status change_line(const TaskConfig& config);
    void halt_line(std::chrono::milliseconds grace);
    void await_acknowledgement();
    void stop_line(std::chrono::milliseconds grace);
    void to_spool(SampleBatch&& samples);  // on a device's thread
    bool wait_for_spool();

    // --- messages: one overload of handle() each; those that travel the other way are ignored
    void take_messages();
    void handle(const proto::Welcome& message);
    void handle(const proto::Refuse& message);
    void handle(const proto::Configure& message);
    void handle(const proto::SetPeriod& message);
    void handle(const proto::Pause& message);
    void handle(const proto::Resume& message);
    void handle(const proto::Stop& message);
    void handle(const proto::ResetConnection& message);
    void handle(const proto::SlowDown& message);
    void handle(const proto::AcquireOnce& message);
    void handle(const proto::TestConnection& message);
    void handle(const proto::TestStorage& message);
    void handle(const proto::WritePoint& message);
    void handle(const proto::Browse& message);
    void handle(const proto::Diagnose& message);
    void handle(const proto::QueryStore& message);
    void handle(const proto::BeatAck& message);
    template <class Other>
    void handle(const Other&) {}

    // --- timers
    void heartbeat();
    void tell_news();
    void tell_logs();
    void check_limits();
    void check_orphaned();

    void set_paused(bool paused);
    void post_request(std::uint64_t request_id, std::function<proto::Reply()> work);
    void finish(Ending ending);
    void wake();
    void close();

    const LaunchEnvironment environment_;
    const int signal_fd_;
    const int wake_fd_;
    const Clock& clock_;
    const int launched_by_;

    WorkerLog log_;
    std::unique_ptr<SupervisorLink> link_;
    std::optional<Line> line_;
    std::optional<Requests> requests_;
    std::optional<Ending> ending_;
    std::int64_t session_id_ = 0;
    bool paused_ = false;
    bool tell_everything_ = false;  // a supervisor that has just welcomed us knows nothing yet

    std::chrono::milliseconds heartbeat_interval_{1'000};
    std::chrono::milliseconds orphan_grace_{0};
    MonoTime next_heartbeat_{};
    MonoTime next_news_{};
    MonoTime last_live_{};
    std::optional<MonoTime> trim_at_;
    std::uint64_t beats_ = 0;
    std::uint64_t delivered_ = 0;

    // Shared with device threads.
    std::atomic<bool> limit_reached_{false};
    std::atomic<bool> wait_for_room_{false};  // SpoolFullPolicy::kBlock
    std::atomic<std::uint64_t> dropped_{0};   // samples the spool could not take
    std::mutex spool_mutex_;
    std::condition_variable spool_wait_;
    bool leaving_ = false;
    bool spool_trouble_ = false;
};

}  // namespace fieldwarden::worker
