// A Control without processes: tasks start and stop at once, values are made up. What the gateway shows of it
// goes the real way, over the store, the status bus and the live values.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "supervisor/alerts/alerts.h"
#include "supervisor/control.h"
#include "supervisor/status/live_values.h"
#include "supervisor/status/status_bus.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor::testing {

class FakeControl : public Control {
  public:
    FakeControl(Store& store, StatusBus& bus, LiveValues& live, const Clock& clock);

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
    // A device that holds what it is told, except values above 1000, which it refuses.
    Result<WriteResult> write_point(const std::string& point_code, const Value& value,
                                    const Actor& actor) override;
    Result<proto::BrowsePage> browse(const DeviceConfig& device, const std::string& node) override;
    Result<Diagnostics> diagnostics(const std::string& device_code) override;
    Result<TaskProgress> progress(const std::string& task_code) override;
    // Unreachable when the device's port is 1, as on any machine.
    Result<proto::ProbeResult> test_connection(const DeviceConfig& device) override;
    Result<proto::ProbeResult> test_storage(const SinkConfig& sink) override;
    Result<SampleBatch> stored_samples(const StoredQuestion& question) override;
    Result<LogPage> logs(const std::string& task_code, const LogQuery& query) override;
    LogPage all_logs(const LogQuery& query) override;
    // Of the files under letters_dir, which the test fills.
    Result<DeadLetterPage> dead_letters(const DeadLetterQuery& query) override;
    Result<std::vector<DeadLetterChange>> retry_dead_letters(const DeadLetterScope& scope,
                                                             const Actor& actor) override;
    Result<std::vector<DeadLetterChange>> clear_dead_letters(const DeadLetterScope& scope,
                                                             const Actor& actor) override;
    std::string letters_dir;

    // One scan of every running task: values, performance, a log line, the fleet summary.
    void tick();
    // Called at the start of acquire_once: lets a test hold a call on the pool.
    std::function<void()> on_acquire;

  private:
    struct Task {
        proto::SessionState state = proto::SessionState::kStopped;
        std::int64_t session_id = 0;
        std::uint64_t points_read = 0;
    };
    ActionResult act_on(TaskAction action, const std::string& task_code);
    void publish(const std::string& task_code, const Task& task);
    SampleBatch scan(const std::string& task_code);

    Store& store_;
    StatusBus& bus_;
    LiveValues& live_;
    const Clock& clock_;
    mutable std::recursive_mutex mutex_;
    PlantPtr plant_;
    std::map<std::string, Task> tasks_;
    std::map<std::string, std::vector<proto::LogEntry>> logs_;
    std::int64_t scans_ = 0;
};

// Two sites, two device types, three devices with twelve points, a sink with a secret, and the tasks T1 (two
// devices) and T10 (one): stored in an empty store.
Result<PlantPtr> store_sample_plant(Store& store);
// An alert without a fleet: a rule on the disk that always holds.
Status fire_sample_alert(Alerts& alerts);
// A record of the fields given by name; the others are empty.
Record make_record(Kind kind, const std::map<std::string, std::string>& cells);

}  // namespace fieldwarden::supervisor::testing
