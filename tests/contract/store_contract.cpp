#include "tests/contract/store_contract.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>

#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {

namespace {

using std::chrono::seconds;

constexpr UtcTime kNoon{std::chrono::microseconds{1'795'000'000'123'456}};
UtcTime at_minute(int n) {
    return kNoon + std::chrono::minutes{n};
}

AuditEntry by(std::string action) {
    AuditEntry entry;
    entry.at = kNoon;
    entry.actor = {"chen", "admin", "10.0.0.9"};
    entry.action = std::move(action);
    entry.subject = "plant";
    entry.detail = {{"file", "plant.xlsx"}};
    return entry;
}

class StoreContract : public StoreTest {
  protected:
    PlantPtr plant() {
        auto loaded = store_->load_plant();
        EXPECT_TRUE(loaded) << loaded.error().message;
        return loaded ? *loaded : std::make_shared<const Plant>();
    }
    PlantPtr apply(const ChangeSet& changes) {
        auto stored = store_->apply(changes, plant()->revision, by("test"));
        EXPECT_TRUE(stored) << stored.error().message;
        return stored ? *stored : std::make_shared<const Plant>();
    }
};

void expect_same(const Plant& a, const Plant& b) {
    EXPECT_EQ(a.revision, b.revision);
    for (const Kind kind : kAllKinds) EXPECT_EQ(a.of(kind).all(), b.of(kind).all()) << schema_of(kind).sheet;
}

ChangeSet as_changes(const Plant& plant) {
    ChangeSet changes;
    for (const Kind kind : kAllKinds) changes.of(kind).put = plant.of(kind).all();
    return changes;
}

proto::SessionStatus a_session(std::string task_code) {
    proto::SessionStatus session;
    session.task_id = 4;
    session.task_code = std::move(task_code);
    session.status = proto::SessionState::kRunning;
    session.pid = 4242;
    session.started_at = kNoon;
    session.period_ms = 500;
    return session;
}

// --- configuration ---

TEST_P(StoreContract, AFreshStoreIsEmptyAtRevisionZero) {
    expect_same(*plant(), Plant{});
}

TEST_P(StoreContract, AppliedRecordsComeBackInOrderWithIdsAlsoAfterReopening) {
    const auto stored = apply(as_changes(small_plant()));
    EXPECT_EQ(stored->revision, 1U);
    const auto& points = stored->of(Kind::kPoint).all();
    ASSERT_EQ(points.size(), 6U);
    EXPECT_EQ(points[0].code(), "W1");
    EXPECT_EQ(points[5].code(), "W3");
    for (const auto& point : points) EXPECT_GT(point.id, 0);
    EXPECT_EQ(points[0].cells, small_plant().of(Kind::kPoint).all()[0].cells);
    expect_same(*stored, *plant());
    reopen();
    expect_same(*stored, *plant());
}

TEST_P(StoreContract, EveryCellKeepsItsText) {
    ChangeSet changes;
    const std::string awkward = "'; DROP TABLE sites; -- \"双引号\" \n\t\\ \xF0\x9F\x94\xA7";
    changes.of(Kind::kSite).put.push_back(with(Kind::kSite, site("S1"), "description", awkward));
    auto everything = site("S2");
    for (std::size_t i = 1; i < everything.cells.size(); ++i) everything.cells.set(i, std::string(1000, 'x'));
    changes.of(Kind::kSite).put.push_back(everything);
    apply(changes);
    reopen();
    EXPECT_EQ(plant()->of(Kind::kSite).all()[0].cells.back(), awkward);
    EXPECT_EQ(plant()->of(Kind::kSite).all()[1].cells, everything.cells);
}

TEST_P(StoreContract, AReplacedRecordKeepsIdAndPlace) {
    const auto before = apply(as_changes(small_plant()));
    ChangeSet changes;
    changes.of(Kind::kPoint).put.push_back(with(Kind::kPoint, point("W2", "WELD_01"), "unit", "A"));
    const auto after = apply(changes);
    EXPECT_EQ(after->revision, 2U);
    const auto& was = before->of(Kind::kPoint).all()[2];
    const auto& is = after->of(Kind::kPoint).all()[2];
    EXPECT_EQ(is.id, was.id);
    EXPECT_EQ(cell_of(Kind::kPoint, is, "unit"), "A");
    expect_same(*after, *plant());
}

TEST_P(StoreContract, IdsAreNeverGivenTwice) {
    const auto first = apply(as_changes(small_plant()));
    const auto last_id = first->of(Kind::kPoint).all().back().id;
    ChangeSet remove;
    remove.of(Kind::kPoint).removed = {"W3", "no such point"};
    apply(remove);
    reopen();
    EXPECT_EQ(plant()->of(Kind::kPoint).find("W3"), nullptr);
    ChangeSet again;
    again.of(Kind::kPoint).put.push_back(point("W3", "WELD_01"));
    EXPECT_GT(apply(again)->of(Kind::kPoint).find("W3")->id, last_id);
}

TEST_P(StoreContract, ACodeRemovedAndPutInOneChangeIsANewRecord) {
    const auto before = apply(as_changes(small_plant()));
    ChangeSet changes;
    changes.of(Kind::kSite).removed = {"S1"};
    changes.of(Kind::kSite).put.push_back(site("S1"));
    const auto after = apply(changes);
    EXPECT_GT(after->of(Kind::kSite).find("S1")->id, before->of(Kind::kSite).find("S1")->id);
    expect_same(*after, *plant());
}

TEST_P(StoreContract, AStaleRevisionIsRefusedAndChangesNothing) {
    const auto stored = apply(as_changes(small_plant()));
    ChangeSet changes;
    changes.of(Kind::kSite).removed = {"S1"};
    for (const std::uint64_t stale : {0U, 2U}) {
        const auto refused = store_->apply(changes, stale, by("stale"));
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind, ErrorKind::kConflict);
    }
    expect_same(*stored, *plant());
    const auto trail = store_->audit({});
    ASSERT_TRUE(trail);
    EXPECT_EQ(trail->total, 1U) << "a refused change leaves no audit entry";
}

TEST_P(StoreContract, ABadRecordRefusesTheWholeChange) {
    const auto stored = apply(as_changes(small_plant()));
    ChangeSet changes;
    changes.of(Kind::kSite).put.push_back(site("S2"));
    changes.of(Kind::kDevice).put.push_back(Record{0, {"D9", "too few cells"}});
    const auto refused = store_->apply(changes, stored->revision, by("bad"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
    expect_same(*stored, *plant());
    // The refused records must not linger in what the next apply starts from.
    ChangeSet next;
    next.of(Kind::kSite).put.push_back(site("S3"));
    const auto after = apply(next);
    EXPECT_EQ(after->of(Kind::kSite).find("S2"), nullptr);
    expect_same(*after, *plant());
}

TEST_P(StoreContract, RemovingATaskForgetsThatItShouldRun) {
    apply(as_changes(small_plant()));
    ASSERT_TRUE(store_->set_desired({"T1", DesiredState::kRunning, at_minute(1)}));
    ChangeSet changes;
    changes.of(Kind::kTask).removed = {"T1"};
    apply(changes);
    const auto desired = store_->desired();
    ASSERT_TRUE(desired);
    EXPECT_TRUE(desired->empty());
}

TEST_P(StoreContract, AHundredThousandPointsAreOneChange) {
    ChangeSet changes;
    changes.of(Kind::kSite).put.push_back(site("S1"));
    changes.of(Kind::kDevice).put.push_back(device("D1"));
    for (int i = 0; i < 100'000; ++i)
        changes.of(Kind::kPoint).put.push_back(point(fmt::format("P{}", i), "D1"));
    const auto stored = apply(changes);
    EXPECT_EQ(stored->of(Kind::kPoint).size(), 100'000U);
    EXPECT_EQ(stored->of(Kind::kPoint).find("P99999")->id - stored->of(Kind::kPoint).find("P0")->id, 99'999);
    reopen();
    EXPECT_EQ(plant()->of(Kind::kPoint).all(), stored->of(Kind::kPoint).all());
    ChangeSet half;
    for (int i = 0; i < 100'000; i += 2) half.of(Kind::kPoint).removed.push_back(fmt::format("P{}", i));
    const auto rest = apply(half);
    EXPECT_EQ(rest->of(Kind::kPoint).size(), 50'000U);
    EXPECT_EQ(rest->of(Kind::kPoint).find("P0"), nullptr);
    EXPECT_EQ(rest->of(Kind::kPoint).find("P99999")->code(), "P99999");
    EXPECT_EQ(plant()->of(Kind::kPoint).all(), rest->of(Kind::kPoint).all());
}

// --- import jobs ---

TEST_P(StoreContract, ImportJobsAreKeptWithTheirProblems) {
    ImportJob job;
    job.file_name = "工厂.xlsx";
    job.mode = "merge";
    job.status = "invalid";
    job.created_at = kNoon;
    job.created_by = "chen";
    job.base_revision = 3;
    job.summary = {{"points", {{"added", 4}}}};
    job.errors = {{{"sheet", "points"}, {"row", 7}, {"message", "no"}}};
    const auto id = store_->add_import_job(job);
    ASSERT_TRUE(id) << id.error().message;
    job.id = *id;
    job.status = "applied";
    job.applied_at = kNoon + seconds{5};
    ASSERT_TRUE(store_->update_import_job(job));
    reopen();
    const auto read = store_->import_job(*id);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->file_name, job.file_name);
    EXPECT_EQ(read->status, "applied");
    EXPECT_EQ(read->created_at, job.created_at);
    EXPECT_EQ(read->applied_at, job.applied_at);
    EXPECT_EQ(read->base_revision, 3U);
    EXPECT_EQ(read->summary, job.summary);
    EXPECT_EQ(read->errors, job.errors);
    EXPECT_EQ(read->warnings, job.warnings);

    const auto second = store_->add_import_job(ImportJob{});
    ASSERT_TRUE(second);
    const auto listed = store_->import_jobs({});
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->total, 2U);
    EXPECT_EQ(listed->items.at(0).id, *second) << "newest first";
    EXPECT_TRUE(listed->items.at(1).errors.empty()) << "the list leaves problems out";

    job.id = 99;
    EXPECT_EQ(store_->update_import_job(job).error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(store_->import_job(99).error().kind, ErrorKind::kNotFound);
}

// --- sessions ---

TEST_P(StoreContract, ASessionComesBackAsItWasLeft) {
    auto session = a_session("T1");
    const auto id = store_->add_session(session);
    ASSERT_TRUE(id) << id.error().message;
    session.session_id = *id;
    session.status = proto::SessionState::kError;
    session.pid.reset();
    session.stopped_at = kNoon + seconds{60};
    session.points_read = UINT64_MAX;
    session.points_delivered = 5;
    session.last_read_time = kNoon + seconds{59};
    session.error_count = 2;
    session.success_rate = 99.5;
    session.cycle_ms = 12.25;
    session.spool_pending = 1;
    session.error_message = "设备 10.0.0.5 timed out";
    ASSERT_TRUE(store_->update_session(session));
    reopen();
    const auto read = store_->session(*id);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(proto::to_json(*read), proto::to_json(session));

    session.session_id = *id + 1;
    EXPECT_EQ(store_->update_session(session).error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(store_->session(*id + 1).error().kind, ErrorKind::kNotFound);
}

TEST_P(StoreContract, SessionsAreFilteredAndPagedNewestFirst) {
    for (int i = 1; i <= 25; ++i) {
        auto session = a_session(i % 5 == 0 ? "T5" : "T1");
        session.task_id = i % 5 == 0 ? 5 : 1;
        session.status = i > 20 ? proto::SessionState::kRunning : proto::SessionState::kStopped;
        ASSERT_TRUE(store_->add_session(session));
    }
    const auto ids = [&](const SessionFilter& filter, PageRequest page) {
        std::vector<std::int64_t> found;
        const auto answer = store_->sessions(filter, page);
        EXPECT_TRUE(answer) << answer.error().message;
        for (const auto& session : answer->items) found.push_back(session.session_id);
        return std::pair{found, answer->total};
    };
    using Ids = std::vector<std::int64_t>;
    EXPECT_EQ(ids({}, {1, 3}), std::pair(Ids({25, 24, 23}), std::uint64_t{25}));
    EXPECT_EQ(ids({}, {9, 3}), std::pair(Ids({1}), std::uint64_t{25}));
    EXPECT_EQ(ids({}, {10, 3}), std::pair(Ids{}, std::uint64_t{25}));
    EXPECT_EQ(ids({.task_code = "T5"}, {}), std::pair(Ids({25, 20, 15, 10, 5}), std::uint64_t{5}));
    EXPECT_EQ(ids({.task_id = 5, .active_only = true}, {}), std::pair(Ids({25}), std::uint64_t{1}));
    EXPECT_EQ(ids({.active_only = true}, {}).second, 5U);
    EXPECT_EQ(ids({.task_id = 1, .task_code = "T5"}, {}).second, 0U);
}

TEST_P(StoreContract, APageBehindAnIdIsTheSameWhateverHasComeSince) {
    for (int i = 1; i <= 5; ++i) ASSERT_TRUE(store_->add_session(a_session("T1")));
    const auto first = store_->sessions({}, {1, 2});
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_TRUE(first->more);
    ASSERT_TRUE(store_->add_session(a_session("T1")));
    const auto second = store_->sessions({}, {1, 2, first->items.back().session_id});
    ASSERT_TRUE(second) << second.error().message;
    ASSERT_EQ(second->items.size(), 2U);
    EXPECT_EQ(second->items.front().session_id, 3);
    EXPECT_TRUE(second->more);
    EXPECT_EQ(second->total, 6U);
    const auto last = store_->sessions({.task_code = "T1"}, {1, 2, 2});
    ASSERT_EQ(last->items.size(), 1U);
    EXPECT_FALSE(last->more);
    EXPECT_FALSE(store_->sessions({}, {1, 6})->more);
    // Tables without a condition of their own.
    EXPECT_TRUE(store_->import_jobs({1, 2, 2})->items.empty());
    EXPECT_TRUE(store_->audit({1, 2, 1})->items.empty());
    EXPECT_TRUE(store_->alerts({}, {1, 2, 1})->items.empty());
}

TEST_P(StoreContract, SessionIdsMayBeGivenByTheCallerAndStillOnlyRise) {
    auto session = a_session("T1");
    session.session_id = 1000;
    const auto given = store_->add_session(session);
    ASSERT_TRUE(given);
    EXPECT_EQ(*given, 1000);
    EXPECT_EQ(store_->add_session(session).error().kind, ErrorKind::kConflict);
    session.session_id = 0;
    EXPECT_EQ(*store_->add_session(session), 1001);
    EXPECT_EQ(store_->last_ids()->first, 1001);
}

TEST_P(StoreContract, ATimelineKeepsEveryMemberOldestFirst) {
    proto::LogEntry entry;
    entry.timestamp = kNoon;
    entry.level = proto::LogLevel::kWarning;
    entry.process_name = "T1";
    entry.message = "retrying";
    entry.source_file = "fleet.cpp";
    entry.line_number = 12;
    entry.exception_info = "signal 9";
    entry.log_type = proto::LogType::kRetryAttempt;
    entry.execution_phase = proto::ExecutionPhase::kRetry;
    entry.retry_context =
        proto::RetryContext{"restart", 1.5, 2, 3, proto::ErrorCategory::kStartupFailure, {"slow"}};
    entry.performance_metrics = proto::Json{{"cpu_percent", 3.5}};
    const auto parent = store_->add_log_entry(7, proto::LogEntry{});
    ASSERT_TRUE(parent) << parent.error().message;
    entry.parent_log_id = *parent;
    const auto child = store_->add_log_entry(7, entry);
    ASSERT_TRUE(child);
    ASSERT_TRUE(store_->add_log_entry(8, entry));
    reopen();
    const auto timeline = store_->timeline(7);
    ASSERT_TRUE(timeline) << timeline.error().message;
    ASSERT_EQ(timeline->size(), 2U);
    entry.id = *child;
    EXPECT_EQ(timeline->at(0).id, *parent);
    EXPECT_EQ(proto::to_json(timeline->at(1)), proto::to_json(entry));
    EXPECT_TRUE(store_->timeline(99)->empty());
    EXPECT_EQ(store_->last_ids()->second, *child + 1);
}

TEST_P(StoreContract, PruneTakesEndedSessionsTheirTimelinesAndOldJobsOnly) {
    const auto add = [&](std::optional<UtcTime> stopped) {
        auto session = a_session("T1");
        session.stopped_at = stopped;
        const auto id = store_->add_session(session);
        EXPECT_TRUE(id);
        EXPECT_TRUE(store_->add_log_entry(*id, proto::LogEntry{}));
        return *id;
    };
    const auto old = add(kNoon - seconds{1});
    const auto running = add(std::nullopt);
    const auto recent = add(kNoon);
    ImportJob job;
    job.created_at = kNoon - seconds{1};
    const auto old_job = *store_->add_import_job(job);
    job.created_at = kNoon;
    const auto new_job = *store_->add_import_job(job);
    const auto last = *store_->last_ids();

    ASSERT_TRUE(store_->prune(kNoon));
    EXPECT_EQ(store_->session(old).error().kind, ErrorKind::kNotFound);
    EXPECT_TRUE(store_->timeline(old)->empty());
    for (const auto id : {running, recent}) {
        EXPECT_TRUE(store_->session(id));
        EXPECT_EQ(store_->timeline(id)->size(), 1U);
    }
    EXPECT_FALSE(store_->import_job(old_job));
    EXPECT_TRUE(store_->import_job(new_job));
    ASSERT_TRUE(store_->prune(kNoon + std::chrono::hours{1}));
    EXPECT_EQ(*store_->last_ids(), last) << "pruned ids stay used";
}

// --- desired states, processes, audit ---

TEST_P(StoreContract, DesiredStatesAndProcessesSurviveReopening) {
    ASSERT_TRUE(store_->set_desired({"T2", DesiredState::kRunning, at_minute(1)}));
    ASSERT_TRUE(store_->set_desired({"T1", DesiredState::kPaused, at_minute(2)}));
    ASSERT_TRUE(store_->set_desired({"T2", DesiredState::kStopped, at_minute(3)}));
    ProcessRow row{"T1", 4242, UINT64_MAX - 1, 12, "key", 3, 9};
    ASSERT_TRUE(store_->put_process(row));
    ASSERT_TRUE(store_->put_process({"T2", 1, 2, 3, "k", 0, 1}));
    row.restart_count = 4;
    ASSERT_TRUE(store_->put_process(row));
    ASSERT_TRUE(store_->remove_process("T2"));
    ASSERT_TRUE(store_->remove_process("none"));
    reopen();
    EXPECT_EQ(*store_->desired(), (std::vector<DesiredRow>{{"T1", DesiredState::kPaused, at_minute(2)},
                                                           {"T2", DesiredState::kStopped, at_minute(3)}}));
    const auto processes = store_->processes();
    ASSERT_TRUE(processes);
    ASSERT_EQ(processes->size(), 1U);
    const auto& read = processes->front();
    EXPECT_EQ(read.task_code, "T1");
    EXPECT_EQ(read.pid, 4242);
    EXPECT_EQ(read.start_ticks, UINT64_MAX - 1);
    EXPECT_EQ(read.session_id, 12);
    EXPECT_EQ(read.launch_key, "key");
    EXPECT_EQ(read.restart_count, 4U);
    EXPECT_EQ(read.config_revision, 9U);
}

TEST_P(StoreContract, TheAuditTrailIsKeptNewestFirst) {
    ASSERT_TRUE(store_->add_audit(by("task.start")));
    ChangeSet changes;
    changes.of(Kind::kSite).put.push_back(site("S1"));
    apply(changes);
    const auto trail = store_->audit({});
    ASSERT_TRUE(trail) << trail.error().message;
    ASSERT_EQ(trail->total, 2U);
    EXPECT_EQ(trail->items[0].action, "test");
    const auto& entry = trail->items[1];
    EXPECT_EQ(entry.action, "task.start");
    EXPECT_EQ(entry.at, kNoon);
    EXPECT_EQ(entry.actor.name, "chen");
    EXPECT_EQ(entry.actor.role, "admin");
    EXPECT_EQ(entry.actor.remote, "10.0.0.9");
    EXPECT_EQ(entry.subject, "plant");
    EXPECT_EQ(entry.detail, by("").detail);
}

TEST_P(StoreContract, CheckTouchesTheStoreAndChangesNoConfiguration) {
    const auto before = apply(as_changes(small_plant()));
    EXPECT_TRUE(store_->check());
    expect_same(*before, *plant());
}

// --- threads and crashes ---

TEST_P(StoreContract, ConcurrentChangesAreNeitherLostNorMixed) {
    constexpr int kThreads = 4;
    constexpr int kEach = 25;
    std::atomic<int> failures = 0;
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < kEach; ++i) {
                ChangeSet changes;
                changes.of(Kind::kSite).put.push_back(site(fmt::format("S{}_{}", t, i)));
                while (true) {  // what a client does that is told 409
                    const auto now = store_->load_plant();
                    if (!now) {
                        ++failures;
                        return;
                    }
                    const auto stored = store_->apply(changes, (*now)->revision, by("thread"));
                    if (stored) break;
                    if (stored.error().kind != ErrorKind::kConflict) {
                        ++failures;
                        return;
                    }
                }
                const auto id = store_->add_session(a_session(fmt::format("T{}", t)));
                if (!id || !store_->add_log_entry(*id, proto::LogEntry{}) || !store_->session(*id))
                    ++failures;
            }
        });
    }
    threads.clear();
    EXPECT_EQ(failures, 0);
    const auto stored = plant();
    EXPECT_EQ(stored->revision, static_cast<std::uint64_t>(kThreads * kEach));
    EXPECT_EQ(stored->of(Kind::kSite).size(), static_cast<std::size_t>(kThreads * kEach));
    std::set<std::int64_t> ids;
    for (const auto& record : stored->of(Kind::kSite).all()) ids.insert(record.id);
    EXPECT_EQ(ids.size(), static_cast<std::size_t>(kThreads * kEach));
    EXPECT_EQ(store_->sessions({}, {})->total, static_cast<std::uint64_t>(kThreads * kEach));
}

// Applies change after change, each of which writes its number into every point, and reports each that
// succeeded.
[[noreturn]] void apply_until_killed(const StoreImplementation& implementation, const std::string& directory,
                                     int report) {
    auto store = implementation.open(directory);
    if (!store) _exit(2);
    while (true) {
        const auto now = (*store)->load_plant();
        if (!now) _exit(3);
        const auto number = (*now)->revision + 1;
        ChangeSet changes;
        for (int i = 0; i < 500; ++i) {
            changes.of(Kind::kPoint)
                .put.push_back(with(Kind::kPoint, point(fmt::format("P{}", i), "D1"), "description",
                                    fmt::format("{}", number)));
        }
        if (!(*store)->apply(changes, (*now)->revision, by("crash"))) _exit(4);
        if (::write(report, &number, sizeof number) != sizeof number) _exit(5);
    }
}

TEST_P(StoreContract, AKillInTheMiddleOfAChangeLeavesAllOfItOrNothing) {
    store_.reset();
    std::mt19937 random{2026};
    std::uint64_t reported = 0;
    for (int round = 0; round < 12; ++round) {
        std::array<int, 2> pipe_ends{};
        ASSERT_EQ(::pipe(pipe_ends.data()), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(pipe_ends[0]);
            apply_until_killed(GetParam(), directory_.path().string(), pipe_ends[1]);
        }
        ::close(pipe_ends[1]);
        // At least one change is in; the random wait puts the kill anywhere inside a later one.
        ASSERT_EQ(::read(pipe_ends[0], &reported, sizeof reported), static_cast<ssize_t>(sizeof reported));
        std::this_thread::sleep_for(std::chrono::microseconds{random() % 20'000});
        ASSERT_EQ(::kill(child, SIGKILL), 0);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFSIGNALED(status)) << "the child gave up by itself: " << WEXITSTATUS(status);
        while (::read(pipe_ends[0], &reported, sizeof reported) == static_cast<ssize_t>(sizeof reported)) {
        }
        ::close(pipe_ends[0]);

        reopen();
        const auto stored = plant();
        EXPECT_GE(stored->revision, reported) << "a change reported as stored is gone";
        ASSERT_EQ(stored->of(Kind::kPoint).size(), 500U);
        for (const auto& record : stored->of(Kind::kPoint).all()) {
            ASSERT_EQ(cell_of(Kind::kPoint, record, "description"), std::to_string(stored->revision));
        }
        EXPECT_EQ(store_->audit({})->total, stored->revision);
        store_.reset();
    }
}

AlertRow an_alert(std::int64_t id, std::string task_code) {
    AlertRow row;
    auto& alert = row.alert;
    alert.id = id;
    alert.error_type = "connection_error";
    alert.message = "device D1 is not connected: 无应答";
    alert.timestamp = kNoon;
    alert.process_name = std::move(task_code);
    alert.device_code = "D1";
    alert.point_code = "P1";
    alert.severity = proto::Severity::kCritical;
    alert.context = {{"rule", "R"}, {"detail", "x"}};
    alert.suggested_action = "look at it";
    alert.count = 3;
    alert.first_at = kNoon - seconds{60};
    alert.last_at = kNoon;
    row.rule_id = 4;
    row.rule_code = "R";
    row.subject = "device:T1/D1";
    row.notified = true;
    return row;
}

TEST_P(StoreContract, AlertsAreKeptAsTheyAreAndReplacedById) {
    EXPECT_EQ(store_->last_alert_id().value(), 0);
    ASSERT_TRUE(store_->put_alert(an_alert(1, "T1")));
    reopen();
    const auto stored = store_->alert(1);
    ASSERT_TRUE(stored) << stored.error().message;
    const auto wanted = an_alert(1, "T1");
    EXPECT_EQ(proto::to_json(stored->alert), proto::to_json(wanted.alert));
    EXPECT_EQ(stored->rule_id, wanted.rule_id);
    EXPECT_EQ(stored->rule_code, wanted.rule_code);
    EXPECT_EQ(stored->subject, wanted.subject);
    EXPECT_TRUE(stored->notified);
    EXPECT_EQ(stored->resolved_at, std::nullopt);

    auto over = wanted;
    over.alert.state = proto::AlertState::kResolved;
    over.resolved_at = kNoon;
    ASSERT_TRUE(store_->put_alert(over));
    EXPECT_EQ(store_->alert(1)->alert.state, proto::AlertState::kResolved);
    EXPECT_EQ(store_->alert(1)->resolved_at, kNoon);
    EXPECT_EQ(store_->alerts({}, {})->total, 1U);
    const auto none = store_->alert(2);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().kind, ErrorKind::kNotFound);
}

TEST_P(StoreContract, AlertsAreFoundByWhatTheyAre) {
    for (std::int64_t id = 1; id <= 6; ++id) {
        auto row = an_alert(id, id % 2 == 0 ? "EVEN" : "ODD");
        row.alert.last_at = kNoon + seconds{id};
        if (id <= 2) {
            row.alert.state = proto::AlertState::kResolved;
            row.resolved_at = kNoon + seconds{id};
        } else if (id == 3) {
            row.alert.state = proto::AlertState::kAcknowledged;
        }
        if (id == 6) row.alert.severity = proto::Severity::kInfo;
        ASSERT_TRUE(store_->put_alert(row));
    }
    const auto ids = [&](const AlertFilter& filter) {
        std::vector<std::int64_t> found;
        for (const auto& row : store_->alerts(filter, {}).value().items) found.push_back(row.alert.id);
        return found;
    };
    using Ids = std::vector<std::int64_t>;
    EXPECT_EQ(ids({}), (Ids{6, 5, 4, 3, 2, 1}));
    EXPECT_EQ(ids({.open_only = true}), (Ids{6, 5, 4, 3}));
    EXPECT_EQ(ids({.state = proto::AlertState::kAcknowledged}), (Ids{3}));
    EXPECT_EQ(ids({.severity = proto::Severity::kInfo}), (Ids{6}));
    EXPECT_EQ(ids({.task_code = "ODD"}), (Ids{5, 3, 1}));
    EXPECT_EQ(ids({.open_only = true, .task_code = "EVEN", .since = kNoon + seconds{5}}), (Ids{6}));
    const auto page = store_->alerts({}, {2, 4});
    ASSERT_TRUE(page);
    EXPECT_EQ(page->total, 6U);
    ASSERT_EQ(page->items.size(), 2U);
    EXPECT_EQ(page->items.front().alert.id, 2);

    std::vector<std::int64_t> open;
    const auto left = store_->open_alerts();
    ASSERT_TRUE(left);
    for (const auto& row : *left) open.push_back(row.alert.id);
    EXPECT_EQ(open, (Ids{3, 4, 5, 6}));
}

TEST_P(StoreContract, OnlyResolvedAlertsArePrunedAndTheirIdsStayTaken) {
    auto over = an_alert(9, "T1");
    over.alert.state = proto::AlertState::kResolved;
    over.resolved_at = kNoon;
    ASSERT_TRUE(store_->put_alert(an_alert(8, "T1")));
    ASSERT_TRUE(store_->put_alert(over));
    ASSERT_TRUE(store_->prune(kNoon));
    EXPECT_TRUE(store_->alert(9));
    ASSERT_TRUE(store_->prune(kNoon + seconds{1}));
    EXPECT_FALSE(store_->alert(9));
    EXPECT_TRUE(store_->alert(8));
    reopen();
    EXPECT_EQ(store_->last_alert_id().value(), 9);
}

TEST_P(StoreContract, TheConfigurationOfAlertingIsKeptWithItsAudit) {
    for (const auto kind :
         {AlertDocumentKind::kRule, AlertDocumentKind::kChannel, AlertDocumentKind::kSilence}) {
        const auto audits = store_->audit({})->total;
        const auto id = store_->put_alert_document(kind, {0, "A", {{"x", 1}}}, by("make"));
        ASSERT_TRUE(id) << id.error().message;
        const auto taken = store_->put_alert_document(kind, {0, "A", {{"x", 2}}}, by("again"));
        ASSERT_FALSE(taken);
        EXPECT_EQ(taken.error().kind, ErrorKind::kConflict);
        ASSERT_TRUE(store_->put_alert_document(kind, {0, "", {{"x", 3}}}, by("make")));
        ASSERT_TRUE(store_->put_alert_document(kind, {0, "", {{"x", 4}}}, by("make")))
            << "no code is taken by none";
        ASSERT_TRUE(store_->put_alert_document(kind, {*id, "A", {{"x", 5}}}, by("change")));
        reopen();
        const auto all = store_->alert_documents(kind);
        ASSERT_TRUE(all);
        ASSERT_EQ(all->size(), 3U);
        EXPECT_EQ(all->front().id, *id);
        EXPECT_EQ(all->front().code, "A");
        EXPECT_EQ(all->front().body["x"], 5);
        EXPECT_EQ(store_->put_alert_document(kind, {4711, "B", {}}, by("change")).error().kind,
                  ErrorKind::kNotFound);
        EXPECT_EQ(store_->remove_alert_document(kind, 4711, by("delete")).error().kind, ErrorKind::kNotFound);
        ASSERT_TRUE(store_->remove_alert_document(kind, *id, by("delete")));
        EXPECT_EQ(store_->alert_documents(kind)->size(), 2U);
        EXPECT_EQ(store_->audit({})->total, audits + 5) << "what was refused left no trace";
        const auto next = store_->put_alert_document(kind, {0, "A", {}}, by("make"));
        ASSERT_TRUE(next);
        EXPECT_GT(*next, *id) << "ids are not given twice";
    }
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, testing::ValuesIn(store_implementations()),
                         [](const auto& of) { return of.param.name; });

}  // namespace

}  // namespace fieldwarden::supervisor
