// What the supervisor counts, keeps and shows; schedules, starts in order, devices that are asked less often.
#include "tests/unit/fleet/fleet_fixture.h"

namespace fieldwarden::supervisor {
namespace {

TEST_F(Fleet, OldRecordsArePrunedByAge) {
    settings_.retention.session_days = 10;
    settings_.retention.statistics_days = 20;
    start();
    ASSERT_TRUE(wait_for([&] {
        const std::lock_guard lock{store_.mutex};
        return store_.pruned_before.has_value();
    }));
    const auto age = system_clock().utc_now() - *store_.pruned_before;
    EXPECT_GE(age, std::chrono::days{10});
    EXPECT_LT(age, std::chrono::days{11});
    ASSERT_TRUE(wait_for([&] {
        const std::lock_guard lock{store_.mutex};
        return store_.state_times_pruned_before.has_value();
    }));
    const auto days = system_clock().utc_now() - *store_.state_times_pruned_before;
    EXPECT_GE(days, std::chrono::days{19});
    EXPECT_LE(days, std::chrono::days{22});
}

// What is written for devices and states, over all days: a test may run at midnight.
std::map<std::string, std::chrono::microseconds> written_states(FakeStore& store, const std::string& device) {
    const std::lock_guard lock{store.mutex};
    std::map<std::string, std::chrono::microseconds> spent;
    for (const auto& [key, row] : store.state_rows) {
        if (row.device == device) spent[row.state] += row.spent;
    }
    return spent;
}

TEST_F(Fleet, MinutesInStatesSurviveTheSupervisorAndAreCountedOnce) {
    ChangeSet changes;
    changes.of(Kind::kDeviceType)
        .put.push_back(make_record(Kind::kDeviceType, {{"type_code", "W"},
                                                       {"type_name", "W"},
                                                       {"status_point", "P_D1"},
                                                       {"state_map", "run=0..1e15"}}));
    auto device_cells = (*store_.load_plant())->of(Kind::kDevice).find("D1")->cells;
    device_cells.set(schema_of(Kind::kDevice).index_of("type_code"), "W");
    changes.of(Kind::kDevice).put.push_back({.id = 0, .cells = device_cells});
    ASSERT_TRUE(store_.apply(changes, 1, {}));

    const auto began = std::chrono::steady_clock::now();
    start();
    start_task();
    start_task("T2");
    // Values have come for a while: time to be counted has passed.
    const auto more_values = [&] {
        const auto wanted = machine_.worker("T1")->counter + 30;
        return wait_for([&] {
            const auto value = live_.get(point());
            return value && std::get<std::int64_t>(value->value) >= static_cast<std::int64_t>(wanted);
        });
    };
    ASSERT_TRUE(more_values());
    leave();
    const auto first = written_states(store_, "D1");
    ASSERT_TRUE(first.contains("run"));
    EXPECT_GT(first.at("run").count(), 0);
    EXPECT_FALSE(first.contains("online"));
    EXPECT_GT(written_states(store_, "D2").at("online").count(), 0)
        << "no status point: its connection counts";

    start();
    ASSERT_TRUE(more_values());
    const auto revision = supervisor_->plant()->revision;
    ChangeSet renamed;
    auto type = *supervisor_->plant()->of(Kind::kDeviceType).find("W");
    type.cells.set(schema_of(Kind::kDeviceType).index_of("state_map"), "go=0..1e15");
    renamed.of(Kind::kDeviceType).put.push_back(type);
    ASSERT_TRUE(supervisor_->apply(renamed, revision, {}));
    ASSERT_TRUE(more_values());
    stop();
    const auto whole = std::chrono::steady_clock::now() - began;
    const auto second = written_states(store_, "D1");
    EXPECT_GT(second.at("run"), first.at("run"));
    EXPECT_GT(second.at("go").count(), 0);
    std::chrono::microseconds sum{0};
    for (const auto& [state, spent] : second) sum += spent;
    EXPECT_LE(sum, whole) << "no moment is counted twice";
}

TEST_F(Fleet, APausedTaskDoesNotKnowItsDevicesStates) {
    ChangeSet changes;
    changes.of(Kind::kDeviceType)
        .put.push_back(make_record(Kind::kDeviceType, {{"type_code", "W"},
                                                       {"type_name", "W"},
                                                       {"status_point", "P_D1"},
                                                       {"state_map", "run=0..1e15"}}));
    auto device_cells = (*store_.load_plant())->of(Kind::kDevice).find("D1")->cells;
    device_cells.set(schema_of(Kind::kDevice).index_of("type_code"), "W");
    changes.of(Kind::kDevice).put.push_back({.id = 0, .cells = device_cells});
    ASSERT_TRUE(store_.apply(changes, 1, {}));
    start();
    start_task();
    ASSERT_TRUE(wait_for([&] { return live_.get(point()).has_value(); }));
    EXPECT_FALSE(act(TaskAction::kPause).error);
    ASSERT_TRUE(wait_for_status("PAUSED"));
    const auto paused = std::chrono::steady_clock::now();
    ASSERT_TRUE(wait_for([&] { return std::chrono::steady_clock::now() - paused > milliseconds{200}; }));
    leave();
    EXPECT_GE(written_states(store_, "D1").at("unknown"), milliseconds{200});
}

TEST_F(Fleet, DataIsOnlyMadeIntoJsonWhenSomeoneWantsIt) {
    start();
    start_task();
    ASSERT_TRUE(wait_for([&] { return live_.get(point()).has_value(); }));
    EXPECT_EQ(bus_->last_value("data.T1"), nullptr);
    const auto subscription = bus_->subscribe("data.T1", [](const EventPtr&) {});
    ASSERT_TRUE(wait_for([&] { return bus_->last_value("data.T1") != nullptr; }));
    EXPECT_EQ(bus_->last_value("data.T1")->data().at("points").at(0).at("point_code"), "P_D1");
}

TEST_F(Fleet, ProgressAndLogsAndVitalsAreThere) {
    start();
    start_task();
    EXPECT_TRUE(wait_for([&] {
        const auto progress = supervisor_->progress("T1");
        return progress && progress->points_per_second > 0;
    }));
    EXPECT_THAT(supervisor_->logs("T1", {})->hits, Not(IsEmpty()));
    EXPECT_TRUE(wait_for([&] {
        const auto vitals = supervisor_->vitals();
        return vitals.workers == 1 && vitals.memory_mb > 0 && vitals.open_descriptors > 0 &&
               vitals.link_received > 0;
    }));
    EXPECT_EQ(supervisor_->progress("NO_SUCH").error().kind, ErrorKind::kNotFound);
}

TEST_F(Fleet, ManyTasksStartAndStopTogether) {
    ChangeSet change;
    std::vector<std::string> codes;
    for (int i = 0; i < 40; ++i) {
        codes.push_back("M" + std::to_string(i));
        change.of(Kind::kTask).put.push_back(task(codes.back(), "D1"));
    }
    start();
    ASSERT_TRUE(supervisor_->apply(change, supervisor_->plant()->revision, {}));
    for (const auto& result : supervisor_->act(TaskAction::kStart, codes, {})) EXPECT_FALSE(result.error);
    for (const auto& code : codes) ASSERT_TRUE(wait_for_status("RUNNING", code)) << code;
    for (const auto& code : codes) machine_.worker(code)->end({.code = {}, .signal = 9});
    for (const auto& code : codes) {
        ASSERT_TRUE(wait_for([&] { return machine_.launches(code) == 2 && status(code) == "RUNNING"; }))
            << code;
    }
    stop();
    for (const auto& code : codes) EXPECT_EQ(machine_.alive(code), 0U) << code;
}

void put_task(FakeStore& store, const Record& record) {
    ChangeSet change;
    change.of(Kind::kTask).put.push_back(record);
    ASSERT_TRUE(store.apply(change, store.load_plant().value()->revision, {}));
}

TEST_F(Fleet, AScheduleOpensAndClosesItsWindow) {
    settings_.server.time_zone = "UTC";
    put_task(store_, task("T1", "D1", {{"schedule", "start=0 8 * * *; stop=0 18 * * *"}}));
    clock_.set("2026-11-22T07:59:59.5Z");
    start();
    EXPECT_EQ(status(), "STOPPED");
    ASSERT_TRUE(wait_for_status("RUNNING")) << "eight o'clock comes by itself";
    EXPECT_TRUE(wait_for([&] {
        return messages(1).find("the schedule (start due at 2026-11-22T08:00") != std::string::npos;
    }));
    clock_.set("2026-11-22T18:00:00.1Z");
    ASSERT_TRUE(wait_for_status("STOPPED"));
    EXPECT_TRUE(
        wait_for([&] { return messages(1).find("stop requested by the schedule") != std::string::npos; }));
    EXPECT_TRUE(wait_for([&] { return session(1).status == SessionState::kStopped; }));
    clock_.set("2026-11-23T08:00:01Z");
    EXPECT_TRUE(wait_for_status("RUNNING"));
}

TEST_F(Fleet, APersonsStopStandsUntilTheNextOpening) {
    settings_.server.time_zone = "UTC";
    put_task(store_, task("T1", "D1", {{"schedule", "start=0 8 * * *; stop=0 18 * * *"}}));
    clock_.set("2026-11-22T07:59:59.8Z");
    start();
    ASSERT_TRUE(wait_for_status("RUNNING"));
    clock_.set("2026-11-22T09:00:00Z");
    EXPECT_FALSE(act(TaskAction::kStop).error);
    ASSERT_TRUE(wait_for_status("STOPPED"));
    stop();
    clock_.set("2026-11-22T10:00:00Z");
    start();  // within the window, after the person's word
    EXPECT_EQ(status(), "STOPPED");
    stop();
    clock_.set("2026-11-23T09:00:00Z");
    start();  // eight o'clock passed while no supervisor ran
    EXPECT_TRUE(wait_for_status("RUNNING"));
    stop();
    clock_.set("2026-11-23T20:00:00Z");
    start();  // and so did the closing
    EXPECT_EQ(status(), "STOPPED");
}

TEST_F(Fleet, TasksThatStartTogetherStartInOrderAndApart) {
    settings_.worker.start_stagger = milliseconds{300};
    ChangeSet change;
    change.of(Kind::kTask)
        .put.push_back(task("T1", "D1", {{"autostart", "true"}, {"options", "start_order=200"}}));
    change.of(Kind::kTask)
        .put.push_back(task("T2", "D2", {{"autostart", "true"}, {"options", "start_order=5"}}));
    ASSERT_TRUE(store_.apply(change, store_.load_plant().value()->revision, {}));
    start();
    ASSERT_TRUE(wait_for_status("RUNNING", "T2"));
    EXPECT_EQ(machine_.launches("T1"), 0U) << "its turn comes later";
    EXPECT_EQ(status("T1"), "STARTING");
    ASSERT_TRUE(wait_for_status("RUNNING", "T1"));
    // A restart does not wait for anyone.
    settings_.worker.start_stagger = milliseconds{0};
    machine_.worker("T2")->end({.code = {}, .signal = 9});
    EXPECT_TRUE(wait_for([&] { return machine_.launches("T2") == 2; }));
}

TEST_F(Fleet, ADeviceThatKeepsTimingOutIsAskedLessOftenAndThenAsBefore) {
    settings_.worker.heartbeat_timeout = std::chrono::minutes{10};  // the clock leaps here
    settings_.health.data_timeout = std::chrono::minutes{10};
    start();
    auto& script = *machine_.script("T1");
    script.scans = 100;
    start_task();
    // Windows of ten seconds pass as fast as the clock is moved.
    const auto pass = [&](std::uint64_t scans, std::uint64_t timeouts, seconds time) {
        script.scans += scans;
        script.timeouts += timeouts;
        const auto seen = machine_.worker("T1")->counter.load();
        ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->counter > seen + 20; }));  // two heartbeats
        clock_.mono_shift = clock_.mono_shift.load() + time;
    };
    pass(0, 0, seconds{0});
    pass(10, 4, seconds{4});
    pass(0, 0, seconds{4});
    pass(0, 0, seconds{4});
    ASSERT_TRUE(wait_for([&] { return machine_.worker("T1")->log.has("slow_down"); }));
    ASSERT_TRUE(wait_for(
        [&] { return messages(1).find("D1 is scanned at 2 times its period") != std::string::npos; }));
    for (int n = 0; n < 25; ++n) pass(1, 0, seconds{4});
    EXPECT_TRUE(wait_for([&] {
        return messages(1).find("D1 is scanned at 1 times its period") != std::string::npos;
    })) << messages(1);
    EXPECT_EQ(machine_.launches("T1"), 1U);
}

TEST_F(Fleet, TheSupervisorsOwnTroublesAreInTheSummary) {
    settings_.health.memory_mb = 1;  // it takes more than that
    start();
    ASSERT_TRUE(wait_for([&] { return !supervisor_->health_summary().issues.empty(); }));
    EXPECT_THAT(supervisor_->health_summary().issues, Contains(HasSubstr("the supervisor takes")));
    EXPECT_EQ(supervisor_->health_summary().overall_status, proto::HealthStatus::kWarning);
}

}  // namespace
}  // namespace fieldwarden::supervisor
