// Supervisor: keeps every task's worker process as it should be, and shows what it does.
//
//   worker beat → fleet link → health → task machine → actions
//                                     └→ status bus → ZeroMQ PUB · WebSocket · SSE · REST · /metrics
//
// supervisor.cpp is that line from top to bottom; supervisor_boot.cpp is how it begins (adoption) and ends;
// supervisor_control.cpp is what others may ask of it.
//
// Threads. open(), then run() on one thread, which owns all task state. The Control methods, request_stop(),
// request_leave(), vitals() and health_summary() may be called from any other thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "supervisor/control.h"
#include "supervisor/fleet/process.h"
#include "supervisor/health/vitals.h"
#include "supervisor/settings.h"
#include "supervisor/status/live_values.h"
#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor {

class Alerts;
class SupervisorLoop;

class Supervisor final : public Control {
  public:
    // Where the supervisor's own lines go; called on the loop's and the store queue's thread.
    using Log = std::function<void(proto::LogLevel level, const std::string& message)>;
    using MakeLauncher = std::function<std::unique_ptr<ProcessLauncher>(boost::asio::io_context&)>;

    // The references outlive the supervisor.
    Supervisor(Settings settings, Store& store, StatusBus& bus, LiveValues& live, const Clock& clock, Log log,
               MakeLauncher make_launcher = make_posix_launcher);
    ~Supervisor() override;
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    // Takes the data directory's lock, loads the configuration, opens the sockets, adopts the workers that an
    // earlier supervisor left and starts what should run. Fails with a message for the operator: another
    // supervisor on the same data directory, a socket that cannot be bound, a store that does not answer.
    Status open();
    // Serves until stopped. Everything asked through Control is answered before it returns.
    void run();
    // Stops all workers within their deadlines, then run() returns. What is desired stays: the tasks come
    // back with the next start. A second call does nothing.
    void request_stop();
    // run() returns at once and the workers go on acquiring: the next supervisor adopts them.
    void request_leave();

    // Rules, channels, silences and open alerts. Loaded by open().
    [[nodiscard]] Alerts& alerts();
    // Where the status channel listens by tcp; "" when it does not.
    [[nodiscard]] std::string status_tcp_endpoint() const;

    SupervisorVitals vitals() const override;
    proto::SystemHealthSummary health_summary() const override;
    PlantPtr plant() const override;
    Result<ApplyResult> apply(const ChangeSet& changes, std::uint64_t expected_revision,
                              const AuditEntry& audit) override;
    std::vector<ActionResult> act(TaskAction action, const std::vector<std::string>& task_codes,
                                  const Actor& actor) override;
    Result<ActionResult> act_on_session(TaskAction action, std::int64_t session_id,
                                        const Actor& actor) override;
    Result<AcquireResult> acquire_once(const std::string& task_code) override;
    Result<WriteResult> write_point(const std::string& point_code, const Value& value,
                                    const Actor& actor) override;
    Result<proto::BrowsePage> browse(const DeviceConfig& device, const std::string& node) override;
    Result<Diagnostics> diagnostics(const std::string& device_code) override;
    Result<TaskProgress> progress(const std::string& task_code) override;
    Result<proto::ProbeResult> test_connection(const DeviceConfig& device) override;
    Result<proto::ProbeResult> test_storage(const SinkConfig& sink) override;
    Result<SampleBatch> stored_samples(const StoredQuestion& question) override;
    Result<LogPage> logs(const std::string& task_code, const LogQuery& query) override;
    LogPage all_logs(const LogQuery& query) override;
    Result<DeadLetterPage> dead_letters(const DeadLetterQuery& query) override;
    Result<std::vector<DeadLetterChange>> retry_dead_letters(const DeadLetterScope& scope,
                                                             const Actor& actor) override;
    Result<std::vector<DeadLetterChange>> clear_dead_letters(const DeadLetterScope& scope,
                                                             const Actor& actor) override;
    LogCounters log_counters() const override;
    // A line of the program around the supervisor (the gateway, the start): kept in log/supervisor.jsonl.
    void keep_line(proto::LogLevel level, std::string_view message);

  private:
    using LetterChange = Result<DeadLetterChange> (*)(const std::string& data_dir,
                                                      const std::string& task_code,
                                                      const std::string& sink_code);
    Result<std::vector<DeadLetterChange>> change_dead_letters(LetterChange change, const char* action,
                                                              const DeadLetterScope& scope,
                                                              const Actor& actor);
    template <class T>
    Result<T> ask(std::function<void(std::function<void(Result<T>)>)> question);
    Result<proto::Reply> probe(proto::Message question, std::string subject);

    std::unique_ptr<SupervisorLoop> loop_;
};

}  // namespace fieldwarden::supervisor
