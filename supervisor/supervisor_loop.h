// The inside of Supervisor: the state that the loop thread owns and what is done with it. Private to
// supervisor.cpp, supervisor_boot.cpp and supervisor_control.cpp.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <mutex>
#include <random>
#include <zmq.hpp>

#include "supervisor/alerts/alerts.h"
#include "supervisor/fleet/cgroups.h"
#include "supervisor/fleet/fleet_link.h"
#include "supervisor/fleet/instance_lock.h"
#include "supervisor/fleet/probes.h"
#include "supervisor/fleet/recall.h"
#include "supervisor/fleet/recorder.h"
#include "supervisor/fleet/spares.h"
#include "supervisor/fleet/store_queue.h"
#include "supervisor/fleet/task_runtime.h"
#include "supervisor/fleet/worker_launch.h"
#include "supervisor/logs/log_service.h"
#include "supervisor/plant/schedule.h"
#include "supervisor/statistics/device_states.h"
#include "supervisor/status/log_hub.h"
#include "supervisor/status/status_pub.h"
#include "supervisor/supervisor.h"

namespace fieldwarden::supervisor {

// How long after a configuration was compiled what that took is given back to the system.
inline constexpr std::chrono::seconds kSettled{3};

// What a change of configuration compiled to, made before the loop hears of it.
struct NewPlant {
    PlantPtr plant;
    TaskChanges changes;
    std::map<std::string, Result<TaskConfigPtr>> configs;  // of added and changed tasks
    StatusPointsPtr status_points;
};

class SupervisorLoop {
  public:
    SupervisorLoop(Settings settings, Store& store, StatusBus& bus, LiveValues& live, const Clock& clock,
                   Supervisor::Log log, const Supervisor::MakeLauncher& make_launcher);

    using Desired = std::map<std::string, DesiredRow>;

    // --- supervisor.cpp: from the worker's word to the action, and to what is shown ---
    std::optional<std::string> on_hello(WorkerId worker, const proto::Hello& hello);
    void on_message(WorkerId worker, proto::Message&& message);
    void on_beat(TaskRuntime& task, proto::Heartbeat&& beat);
    void on_connection(TaskRuntime& task, proto::ConnectionStatus&& status);
    void on_live(TaskRuntime& task, const SampleBatch& samples);
    void on_log(TaskRuntime& task, proto::Log&& log);
    void on_output(const std::string& code, std::vector<proto::LogEntry>&& lines);
    void on_reply(proto::Reply&& reply);
    void on_finished(TaskRuntime& task, proto::Finished&& finished);
    void on_exit(WorkerId worker, const ExitStatus& status, MonoTime exited_at);
    void on_gone(WorkerId worker);
    void conclude_exit(TaskRuntime& task);

    void watch(TaskRuntime& task, MonoTime now);
    void sample(WorkerTrack& worker, std::chrono::milliseconds interval, MonoTime now);
    void check(TaskRuntime& task, MonoTime now);
    void recover(TaskRuntime& task, const TaskFacts& facts, MonoTime now);
    void pace(TaskRuntime& task, MonoTime now);

    // Feeds the machine and performs what it says. The refusal of a request that does not fit the state.
    std::optional<std::string> feed(TaskRuntime& task, TaskEvent event);
    void perform(TaskRuntime& task, const MachineAction& action);
    void enqueue(const TaskRuntime& task);
    void launch_waiting();
    void launch(TaskRuntime& task);
    bool hand_to_spare(TaskRuntime& task);
    void launched(TaskRuntime& task, WorkerTrack track);
    std::optional<std::string> welcome(TaskRuntime& task, std::uint64_t known_revision);
    void save_desired(const std::string& code, DesiredState desired);
    void send_pause(TaskRuntime& task, bool paused);
    void end_stray(const TaskRuntime& task);

    void show(TaskRuntime& task, bool save_session);
    void show_if_due(TaskRuntime& task, MonoTime now);
    void show_fleet(MonoTime now);
    void show_stale(TaskRuntime& task);
    void save_states();

    // --- supervisor_boot.cpp: begin, tick, end ---
    Status open();
    Status load();
    Status load_states(const Plant& plant);
    void take_up_processes(const Desired& desired);
    bool adopt(TaskRuntime& task, const ProcessRow& row, DesiredState desired);
    void take_up_waiting(const Desired& desired);
    void take_up_session(TaskRuntime& task, SessionRow session, std::uint32_t restart_count);
    void start_desired(const Desired& desired);
    bool start(TaskRuntime& task, const TaskCompiler& compiler, std::string cause, bool paused);
    void close_lost_sessions();
    void recall_stored();
    void set_schedule(TaskRuntime& task, const Record& record);
    void follow_schedule(TaskRuntime& task);
    TaskRuntime& new_runtime(const std::string& code);
    TaskRuntime& add_task(const Plant& plant, const Record& record);
    void forget_task(const std::string& code);
    void run();
    void schedule_tick();
    void tick();
    void measure(std::uint32_t workers, MonoTime now);
    void begin_stop();
    void end_if_stopped();

    // --- supervisor_control.cpp ---
    ActionResult act(TaskAction action, const std::string& code, const Result<TaskConfigPtr>* config,
                     const Actor& actor);
    void forget_removed_points(const Plant& plant);
    ApplyResult take_plant(NewPlant changed);
    bool reload(TaskRuntime& task, const Result<TaskConfigPtr>& config);
    void take_status_points(StatusPointsPtr points);

    // --- supervisor_requests.cpp ---
    using Answered = std::function<void(Result<proto::Reply>)>;
    template <class Question>
    void ask_worker(TaskRuntime& task, Question question, Answered done);
    void ask_probe(Probes::Request request, Answered done);
    void acquire_once(const std::string& code, const Result<TaskConfigPtr>& config, Answered done);
    // `question` holds the device with the one point; `via_task` gets the task whose connection is used.
    void write_point(proto::WritePoint question, std::string* via_task, Answered done);
    void diagnose(const std::string& device_code, std::function<void(Result<Control::Diagnostics>)> done);

    [[nodiscard]] TaskRuntime* find(const std::string& code);
    [[nodiscard]] TaskDefaults defaults() const;
    [[nodiscard]] ProcessLimits limits_of(const TaskRuntime& task) const;
    [[nodiscard]] GroupLimits group_limits_of(const TaskRuntime& task) const;
    [[nodiscard]] MachineSettings machine_settings(const TaskRuntime& task) const;
    [[nodiscard]] PlantPtr plant() const;
    void set_plant(PlantPtr plant);
    void save_process(const TaskRuntime& task);
    void log(proto::LogLevel level, const std::string& message) {
        log_(level, message);
        log_service_.add_own(level, message);
    }

    // An answer that a running worker still owes.
    struct PendingReply {
        std::string task_code;
        MonoTime deadline{};
        std::function<void(Result<proto::Reply>)> done;
    };
    void fail_pending(const std::function<bool(const PendingReply&)>& which, const Error& error);

    const Settings settings_;
    Store& store_;
    StatusBus& bus_;
    LiveValues& live_;
    const Clock& clock_;
    Supervisor::Log log_;

    InstanceLock lock_;
    zmq::context_t zmq_;
    boost::asio::io_context io_;
    boost::asio::steady_timer timer_{io_};
    std::unique_ptr<ProcessLauncher> launcher_;
    LogHub logs_;
    LogService log_service_;
    std::atomic<bool> states_refused_{false};  // the store did not take the last minutes of the devices
    StoreQueue store_queue_;
    Recorder recorder_;
    Alerts alerts_;
    std::unique_ptr<FleetLink> link_;
    std::unique_ptr<WorkerLaunch> worker_launch_;
    std::unique_ptr<StatusPub> status_pub_;
    std::unique_ptr<Recall> recall_;
    std::unique_ptr<Probes> probes_;
    std::unique_ptr<Spares> spares_;
    std::optional<Cgroups> cgroups_;
    Zone zone_ = nullptr;                   // of the days of statistics; never null once loaded
    std::unique_ptr<DeviceStates> states_;  // as above

    std::map<std::string, TaskRuntime, std::less<>> tasks_;
    std::unordered_map<WorkerId, TaskRuntime*> task_of_worker_;
    struct Waiting {
        std::string task_code;
        MonoTime not_before{};
    };
    std::deque<Waiting> launch_queue_;
    MonoTime first_start_due_{};  // no first start of a session before (worker.start_stagger)
    LaunchGate launch_gate_;
    std::map<std::uint64_t, PendingReply> pending_;
    WorkerId last_worker_ = 0;
    std::uint64_t last_request_ = 0;
    std::mt19937_64 random_{std::random_device{}()};

    MonoTime tick_due_{};
    MonoTime second_due_{};
    MonoTime memory_due_{};
    MonoTime stop_due_{};
    MonoTime prune_due_{};
    MonoTime states_due_{};
    std::optional<MonoTime> trim_at_;  // a configuration was compiled: what that took goes back
    MonoTime lag_forgotten_at_{};
    std::uint64_t launches_ = 0;
    std::uint64_t worker_deaths_ = 0;
    bool leaving_ = false;   // run() is to return at once
    bool stopping_ = false;  // all workers are being stopped
    std::uint64_t processed_total_ = 0;
    std::uint64_t spool_dropped_ = 0;
    std::uint64_t processed_today_ = 0;
    std::int64_t today_ = 0;  // day since the epoch
    std::string last_error_;  // of the fleet
    ResourceSampler own_sampler_;
    bool watchdog_ = false;

    // Shared with other threads.
    mutable std::mutex shared_mutex_;
    PlantPtr plant_;
    SupervisorVitals vitals_;
    proto::SystemHealthSummary summary_;
    bool open_for_questions_ = false;
    std::mutex apply_mutex_;  // one change of configuration after the other; never held by the loop
};

inline Error unknown_task(std::string_view code) {
    return make_error(ErrorKind::kNotFound,
                      fmt::format("there is no task '{}'", code.substr(0, kLongestCode)));
}

}  // namespace fieldwarden::supervisor
