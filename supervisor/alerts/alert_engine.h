// AlertEngine: what fires, what goes on, what is over and who is to be told. It knows no clock, socket, store
// or thread: everything comes in with the call, and what has to be done comes out.
//
// One alert per rule and subject. It opens when the rule's condition has held for for_ms and resolves when
// the condition has been over for clear_ms; a condition that comes back meanwhile counts (Alert::count) and
// opens no second alert. A condition that is not known holds everything as it is. An alert also resolves when
// its rule is removed or disabled, or when its subject is gone or no longer in the rule's scope.
//
// Notifications. One when it fires, more every repeat_ms, one when it is resolved (if its firing was told).
// An acknowledged alert is told of once more only: when it is resolved. A silence holds notifications back;
// an alert that still fires when the silence ends is told of then.
//
// Durations are measured on the monotonic clock; only what is shown, and the windows of silences, go by UTC.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "supervisor/alerts/alert_facts.h"
#include "supervisor/alerts/alert_rule.h"
#include "supervisor/alerts/silence.h"
#include "supervisor/plant/plant.h"
#include "supervisor/store/store.h"

namespace fieldwarden::supervisor {

struct AlertMoment {
    MonoTime mono{};
    UtcTime utc{};
};

struct Notification {
    proto::Alert alert;
    std::vector<std::string> channels;  // as in the rule: codes, or "*"
};

struct AlertOutcome {
    std::vector<AlertRow> changed;  // to be stored and published
    std::vector<Notification> notifications;
};

// A point that a rule watches.
struct WatchedPoint {
    PointId id = 0;
    std::string point_code;
    std::string device_code;
    std::string subject;  // "point:" and the code
};
// Rule id → its points. Made where the time for it is: a plant may hold 100,000 points.
using WatchedPoints = std::map<std::int64_t, std::vector<WatchedPoint>>;
WatchedPoints resolve_points(const std::vector<AlertRule>& rules, const Plant& plant);

class AlertEngine {
  public:
    // Takes up alerts that an earlier supervisor left open, and numbers new ones after `last_id`. Before
    // set_rules().
    void take_up(std::vector<AlertRow> open, std::int64_t last_id, AlertMoment now);
    AlertOutcome set_rules(std::vector<AlertRule> rules, WatchedPoints points, AlertMoment now);
    void set_silences(std::vector<Silence> silences) { silences_ = std::move(silences); }

    AlertOutcome evaluate(const AlertFacts& facts, AlertMoment now);
    // The points whose samples evaluate() wants, in its order; some may stand there more than once.
    [[nodiscard]] const std::vector<PointId>& point_ids() const { return point_ids_; }
    // What a point's alert names as its task.
    using TaskOfDevice = std::function<std::string(const std::string& device_code)>;
    void set_task_of_device(TaskOfDevice task_of_device) { task_of_device_ = std::move(task_of_device); }

    // kNotFound when no such alert is open. A second acknowledgement changes nothing.
    Result<AlertRow> acknowledge(std::int64_t id, const std::string& by, const std::string& note,
                                 AlertMoment now);
    [[nodiscard]] std::vector<AlertRow> open() const;

  private:
    struct Track {
        MonoTime since{};     // the condition holds
        bool active = false;  // at the last look
        bool seen = false;    // in this evaluation
        bool over = false;    // to be dropped after this evaluation
        std::optional<MonoTime> clear_since;
        std::optional<AlertRow> row;  // once it is an alert
        std::optional<MonoTime> told_at;
        MonoTime kept_at{};  // last_at was last stored
    };
    struct RuleState {
        AlertRule rule;
        std::unordered_map<std::string, Track> tracks;            // by subject
        std::unordered_map<std::string, RestartMemory> restarts;  // by task
        std::vector<WatchedPoint> points;
        std::vector<PointMemory> memory;  // of `points`
        std::size_t first_sample = 0;     // of `points` in point_ids_
    };
    // Who a reading is about.
    struct Subject {
        std::string key;
        std::string_view task;
        std::string_view device;
        std::string_view point;
    };

    void judge_tasks(RuleState& state, const AlertFacts& facts, AlertMoment now, AlertOutcome& out);
    void judge_points(RuleState& state, const AlertFacts& facts, AlertMoment now, AlertOutcome& out);
    void judge_disk(RuleState& state, const AlertFacts& facts, AlertMoment now, AlertOutcome& out);
    void take(RuleState& state, const Subject& subject, const Reading& reading, AlertMoment now,
              AlertOutcome& out);
    void take_active(const AlertRule& rule, Track& track, const Subject& subject, const Reading& reading,
                     AlertMoment now, AlertOutcome& out);
    void open_alert(const AlertRule& rule, Track& track, const Subject& subject, AlertMoment now);
    void resolve(const AlertRule* rule, AlertRow row, const std::string& why, AlertMoment now,
                 AlertOutcome& out) const;
    bool tell(const AlertRule& rule, Track& track, AlertMoment now, AlertOutcome& out) const;
    void sweep(RuleState& state, AlertMoment now, AlertOutcome& out) const;
    void claim(AlertMoment now, AlertOutcome& out);
    Track* find_track(std::int64_t id);
    [[nodiscard]] bool silenced(const AlertRow& row, UtcTime now) const;

    std::map<std::int64_t, RuleState> rules_;
    std::vector<AlertRow> unclaimed_;  // taken up, before the rules are known
    std::vector<Silence> silences_;
    std::vector<PointId> point_ids_;
    TaskOfDevice task_of_device_ = [](const std::string&) { return std::string{}; };
    std::int64_t last_id_ = 0;
};

}  // namespace fieldwarden::supervisor
