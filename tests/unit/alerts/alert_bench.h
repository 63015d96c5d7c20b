// A bench for the alert engine: a clock moved by hand, tasks and points with facts that a test sets, and what
// came of every evaluation.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "supervisor/alerts/alert_engine.h"
#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {

class AlertBench : public testing::Test {
  protected:
    using Seconds = std::chrono::seconds;

    static AlertRule rule_of(RuleKind kind, std::string code = "R") {
        AlertRule rule;
        rule.id = 1;
        rule.code = std::move(code);
        rule.kind = kind;
        rule.hold = milliseconds{0};
        if (kind == RuleKind::kProcessState) rule.states = {proto::ProcessState::kCrashed};
        return rule;
    }

    void use(std::vector<AlertRule> rules) {
        rules_ = std::move(rules);
        Plant plant;
        plant.of(Kind::kPoint).reserve(points_.size());
        std::int64_t id = 0;
        for (const auto& [code, device_code] : points_) {
            auto record = point(code, device_code);
            record.id = ++id;
            plant.of(Kind::kPoint).add(std::move(record));
        }
        took(engine_.set_rules(rules_, resolve_points(rules_, plant), now_));
    }
    void silence(std::vector<Silence> silences) { engine_.set_silences(std::move(silences)); }

    TaskFact& task(const std::string& code = "T1") {
        auto& task = tasks_[code];
        if (task.task_code.empty()) {
            task.task_code = *names_.insert(code).first;
            task.state = proto::ProcessState::kRunning;
            task.reported = true;
            task.spool_limit = 1000;
        }
        return task;
    }
    DeviceFact& device(const std::string& code = "D1", const std::string& of = "T1") {
        auto& devices = task(of).devices;
        for (auto& each : devices) {
            if (each.device_code == code) return each;
        }
        DeviceFact fact;
        fact.device_code = *names_.insert(code).first;
        fact.connected = true;
        devices.push_back(fact);
        return devices.back();
    }
    void away(const std::string& code = "D1") {
        auto& each = device(code);
        each.connected = false;
        each.away_since = now_.mono;
        each.last_error = "no answer";
    }
    void back(const std::string& code = "D1") { device(code).connected = true; }
    void set(const std::string& point_code, Value value, Quality quality = Quality::kGood) {
        Sample sample;
        sample.value = std::move(value);
        sample.quality = quality;
        sample.time = now_.utc;
        values_[point_code] = sample;
    }

    // Moves both clocks, then evaluates.
    void pass(std::chrono::milliseconds time) {
        now_.mono += time;
        now_.utc += time;
        look();
    }
    // Evaluates once a second for this long.
    void run(Seconds time) {
        for (Seconds at{0}; at < time; ++at) pass(Seconds{1});
    }
    void look() {
        AlertFacts facts;
        for (const auto& [code, fact] : tasks_) facts.tasks.push_back(fact);
        facts.disk = disk_;
        std::vector<std::optional<Sample>> samples;
        for (const auto id : engine_.point_ids()) {
            auto at = points_.begin();
            std::advance(at, static_cast<std::ptrdiff_t>(id) - 1);
            const auto value = values_.find(at->first);
            samples.push_back(value == values_.end() ? std::nullopt : std::optional{value->second});
        }
        facts.samples = samples;
        took(engine_.evaluate(facts, now_));
    }
    void took(AlertOutcome&& out) {
        out_ = std::move(out);
        for (const auto& row : out_.changed) history_[row.alert.id] = row;
        for (const auto& each : out_.notifications) {
            told_.push_back(std::string{to_name(each.alert.state)} + " " + std::to_string(each.alert.id));
        }
    }
    // What was told since the last call.
    std::vector<std::string> told() { return std::exchange(told_, {}); }
    std::size_t open() const { return engine_.open().size(); }
    proto::Alert only() const {
        const auto all = engine_.open();
        EXPECT_EQ(all.size(), 1U);
        return all.empty() ? proto::Alert{} : all.front().alert;
    }
    proto::Alert kept(std::int64_t id) { return history_[id].alert; }

    AlertEngine engine_;
    AlertMoment now_{MonoTime{std::chrono::hours{1}}, UtcTime{std::chrono::seconds{1'795'000'000}}};
    std::vector<AlertRule> rules_;
    std::map<std::string, TaskFact> tasks_;
    std::map<std::string, std::string> points_;  // code → device
    std::map<std::string, Sample> values_;
    std::optional<DiskFact> disk_ = DiskFact{10'000, 50};
    std::set<std::string> names_;
    AlertOutcome out_;
    std::map<std::int64_t, AlertRow> history_;
    std::vector<std::string> told_;
};

}  // namespace fieldwarden::supervisor
