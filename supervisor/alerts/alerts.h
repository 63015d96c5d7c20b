// Alerts: the one object that alerting is to the supervisor and to the gateway.
//
//   tasks, live values, disk → facts → engine ─┬→ store (history)
//                                              ├→ status bus: error_alerts.<task_code>
//                                              └→ delivery → webhook · mail · log
//
// Threads. tick(), look_soon() and operator_needed() belong to the supervisor's loop; everything else may be
// called from any thread but the loop, as it waits for the store.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "supervisor/alerts/alert_config.h"
#include "supervisor/alerts/alert_engine.h"
#include "supervisor/alerts/delivery.h"
#include "supervisor/fleet/store_queue.h"
#include "supervisor/fleet/task_runtime.h"
#include "supervisor/settings.h"
#include "supervisor/status/live_values.h"
#include "supervisor/status/status_bus.h"

namespace fieldwarden::supervisor {

inline constexpr std::string_view kAlertTopic = "error_alerts.";
// The last part of the topic of an alert that is about no task.
inline constexpr std::string_view kNoTaskTopic = "supervisor";

class Alerts {
  public:
    using Tasks = std::map<std::string, TaskRuntime, std::less<>>;

    // The references outlive it. `data_dir`: whose disk is watched.
    Alerts(std::string data_dir, Store& store, StoreQueue& queue, StatusBus& bus, LiveValues& live,
           const Clock& clock, AlertLog log, DeliverySettings delivery = {});

    // Loads the configuration of alerting and takes up the alerts that are open. Once, before anything else.
    Status open(PlantPtr plant);

    // --- the supervisor's loop ---
    // Looks once a second, or at once after look_soon().
    void tick(const Tasks& tasks, MonoTime now);
    void look_soon() { due_ = {}; }
    // Recovery has found nothing automatic that helps; holds while a RecoveryHistory::alerted of the task
    // does.
    void operator_needed(const std::string& task_code, proto::ErrorCategory category, std::string cause,
                         std::string advice);

    // --- any other thread ---
    // The configuration of the plant is another one: globs of points are resolved again.
    void take_plant(PlantPtr plant);
    [[nodiscard]] AlertConfig& config() { return config_; }
    // Open alerts as they are now, oldest first.
    [[nodiscard]] std::vector<AlertRow> open_alerts() const;
    // kNotFound: there is no such alert; kConflict: it is resolved.
    Result<AlertRow> acknowledge(std::int64_t id, const std::string& note, const Actor& actor);
    // Sends a test alert now and waits for it.
    Result<proto::ProbeResult> test_channel(const std::string& id_or_code, const Actor& actor);
    [[nodiscard]] std::vector<ChannelVitals> delivery_vitals() const { return delivery_.vitals(); }

  private:
    struct OperatorCall {
        std::string category;
        std::string cause;
        std::string advice;
    };
    void apply_config(AlertDocumentKind kind);
    void apply_rules();
    void perform(AlertOutcome&& outcome);
    void publish(const AlertRow& row);
    [[nodiscard]] AlertMoment moment() const { return {clock_.mono_now(), clock_.utc_now()}; }
    AlertFacts facts_of_all(const Tasks& tasks, MonoTime now);

    const std::string data_dir_;
    Store& store_;
    StoreQueue& queue_;
    StatusBus& bus_;
    LiveValues& live_;
    const Clock& clock_;
    const AlertLog log_;
    AlertConfig config_;
    Delivery delivery_;

    std::mutex rules_mutex_;  // one resolving of globs after the other; never held by the loop
    PlantPtr plant_;          // under rules_mutex_

    mutable std::mutex mutex_;  // guards the engine; held for one evaluation at most
    AlertEngine engine_;

    // The loop's own.
    MonoTime due_{};
    MonoTime disk_due_{};
    std::optional<DiskFact> disk_;
    std::map<std::string, OperatorCall> operator_calls_;
    const Tasks* tasks_ = nullptr;  // during tick()
};

// What one task gives to be judged by. The views are into `task`.
TaskFact task_fact_of(const TaskRuntime& task, MonoTime now);

}  // namespace fieldwarden::supervisor
