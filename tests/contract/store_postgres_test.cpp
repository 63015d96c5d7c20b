// What is particular to the PostgreSQL store: servers that end, freeze, refuse or are somebody else's.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <set>
#include <sstream>
#include <thread>

#include "supervisor/store/postgres/postgres_store.h"
#include "tests/contract/store_contract.h"
#include "tests/unit/common/cutting_relay.h"
#include "tests/unit/common/postgres_server.h"
#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {

StoreImplementation postgres_implementation() {
    return {"postgres", [](const std::string& directory) {
                static PostgresServer server;
                const auto database = std::filesystem::path{directory}.filename().string();
                server.make_database(database);
                return open_postgres_store(server.url(database, PostgresServer::kPassword));
            }};
}

namespace {

AuditEntry by(std::string action) {
    AuditEntry entry;
    entry.action = std::move(action);
    return entry;
}

SessionRow a_session(std::int64_t id) {
    SessionRow session;
    session.session_id = id;
    session.task_code = "T1";
    return session;
}

class PostgresStoreFaults : public testing::Test {
  protected:
    std::string url() const { return server_.url("plant", PostgresServer::kPassword); }
    std::unique_ptr<Store> opened() const {
        auto store = open_postgres_store(url());
        EXPECT_TRUE(store) << store.error().message;
        return store ? std::move(*store) : nullptr;
    }
    // The error names the place and no secret.
    void expect_refused(const Error& error, ErrorKind kind, std::string_view says = {}) const {
        EXPECT_EQ(error.kind, kind) << error.message;
        EXPECT_NE(error.message.find(says), std::string::npos) << error.message;
        EXPECT_NE(error.message.find(fmt::format("127.0.0.1:{}/", server_.process().port())),
                  std::string::npos)
            << error.message;
        EXPECT_EQ(error.message.find("pass word"), std::string::npos) << error.message;
    }
    std::vector<pid_t> backends() const {
        std::vector<pid_t> pids;
        std::stringstream lines{
            server_.sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'fieldwarden%'")};
        for (pid_t pid = 0; lines >> pid;) pids.push_back(pid);
        return pids;
    }

    mutable PostgresServer server_;
};

TEST_F(PostgresStoreFaults, AServerThatWasKilledAndIsBackIsNotNoticed) {
    const auto store = opened();
    ASSERT_TRUE(store->add_session(a_session(1)));
    for (std::int64_t round = 2; round < 4; ++round) {
        server_.process().end(SIGQUIT);
        server_.process().start();
        const auto read = store->session(1);
        EXPECT_TRUE(read) << read.error().message;
        const auto written = store->add_session(a_session(round));
        EXPECT_TRUE(written) << written.error().message;
    }
    EXPECT_EQ(store->sessions({}, {})->total, 3U);
}

TEST_F(PostgresStoreFaults, AServerThatIsDownIsSaidToBeAndUsedAgainWhenItIsBack) {
    const auto store = opened();
    server_.process().end(SIGQUIT);
    for (int i = 0; i < 3; ++i) {
        const auto written = store->add_session(a_session(0));
        ASSERT_FALSE(written);
        expect_refused(written.error(), ErrorKind::kUnavailable, "check that the server runs");
        const auto read = store->load_plant();
        ASSERT_FALSE(read);
        expect_refused(read.error(), ErrorKind::kUnavailable);
    }
    const auto refused = open_postgres_store(url());
    ASSERT_FALSE(refused);
    expect_refused(refused.error(), ErrorKind::kUnavailable);
    server_.process().start();
    // For a moment calls still fail without trying.
    while (!store->check()) std::this_thread::sleep_for(std::chrono::milliseconds{50});
    EXPECT_TRUE(store->add_session(a_session(0)));
}

// The server's processes for our connections stand still; the kernel goes on taking what we send.
TEST_F(PostgresStoreFaults, AFrozenServerCostsSecondsNotTheThread) {
    const auto store = opened();
    const auto frozen = backends();
    ASSERT_EQ(frozen.size(), 2U);
    for (const auto pid : frozen) ASSERT_EQ(::kill(pid, SIGSTOP), 0);
    server_.process().freeze();
    const auto written = store->add_session(a_session(1));
    ASSERT_FALSE(written);
    expect_refused(written.error(), ErrorKind::kUnavailable, "does not answer");
    const auto at_once = store->add_session(a_session(1));
    ASSERT_FALSE(at_once);
    expect_refused(at_once.error(), ErrorKind::kUnavailable);
    const auto read = store->load_plant();
    ASSERT_FALSE(read);
    expect_refused(read.error(), ErrorKind::kUnavailable);
    for (const auto pid : frozen) ::kill(pid, SIGCONT);
    server_.process().thaw();
    while (!store->check()) std::this_thread::sleep_for(std::chrono::milliseconds{50});
    EXPECT_TRUE(store->add_session(a_session(1)));
}

// Connections are cut at any moment, also while a commit is under way: what is said to be stored is there,
// what is said not to be is not, and nothing is there twice.
TEST_F(PostgresStoreFaults, ConnectionsThatAreCutInTheMiddleLoseAndDoubleNothing) {
    const auto store = opened();
    std::atomic<bool> over = false;
    std::jthread cutter{[&] {
        while (!over) {
            for (const auto pid : backends()) ::kill(pid, SIGTERM);
        }
    }};
    std::set<std::int64_t> stored;
    std::set<std::int64_t> unknown;
    int refused = 0;
    for (std::int64_t id = 1; id <= 300; ++id) {
        const auto done = store->add_session(a_session(id));
        if (done) {
            stored.insert(id);
            continue;
        }
        EXPECT_TRUE(done.error().kind == ErrorKind::kUnavailable || done.error().kind == ErrorKind::kTimeout)
            << done.error().message;
        if (done.error().kind == ErrorKind::kTimeout) {
            unknown.insert(id);
        } else {
            ++refused;
        }
        static_cast<void>(store->check());
    }
    over = true;
    cutter.join();
    while (!store->check()) std::this_thread::sleep_for(std::chrono::milliseconds{50});
    std::set<std::int64_t> found;
    std::stringstream lines{server_.sql("SELECT id FROM fieldwarden.sessions")};
    for (std::int64_t id = 0; lines >> id;) EXPECT_TRUE(found.insert(id).second) << id;
    for (const auto id : stored) EXPECT_TRUE(found.contains(id)) << id << " was reported as stored";
    for (const auto id : found) {
        EXPECT_TRUE(stored.contains(id) || unknown.contains(id)) << id << " was reported as not stored";
    }
    RecordProperty("stored", static_cast<int>(stored.size()));
    RecordProperty("refused", refused);
    EXPECT_FALSE(stored.empty());
}

// The same forced, at the commit itself: the server is asked what became of it.
TEST_F(PostgresStoreFaults, ACommitWhoseAnswerIsLostIsAskedAfter) {
    CuttingRelay relay{server_.process().port()};
    const auto opened =
        open_postgres_store(server_.url_over(relay.port(), "plant", PostgresServer::kPassword));
    ASSERT_TRUE(opened) << opened.error().message;
    auto& store = **opened;
    const auto rows = [&] { return server_.sql("SELECT count(*) FROM fieldwarden.sessions"); };
    // It was done: that is said, and it is not done again.
    relay.lose("COMMIT", CuttingRelay::Loses::kAnswer);
    const auto done = store.add_session(a_session(1));
    EXPECT_TRUE(done) << done.error().message;
    relay.wait_for_break();
    EXPECT_EQ(rows(), "1");
    // It was not done: it is done again.
    relay.lose("COMMIT", CuttingRelay::Loses::kRequest);
    const auto again = store.add_session(a_session(2));
    EXPECT_TRUE(again) << again.error().message;
    relay.wait_for_break();
    EXPECT_EQ(rows(), "2");
    // Nobody is there to be asked: that is said, and neither the one nor the other is claimed.
    std::int64_t id = 2;
    for (const auto what : {CuttingRelay::Loses::kAnswer, CuttingRelay::Loses::kRequest}) {
        relay.stay_away(true);
        relay.lose("COMMIT", what);
        const auto unknown = store.add_session(a_session(++id));
        ASSERT_FALSE(unknown);
        EXPECT_EQ(unknown.error().kind, ErrorKind::kTimeout);
        EXPECT_NE(unknown.error().message.find("is not known"), std::string::npos) << unknown.error().message;
        relay.wait_for_break();
        relay.stay_away(false);
        while (!store.check()) std::this_thread::sleep_for(std::chrono::milliseconds{50});
        EXPECT_EQ(rows(), "3");
    }
}

TEST_F(PostgresStoreFaults, AKilledServerLeavesAllOfAChangeOrNothing) {
    const auto store = opened();
    ChangeSet changes;
    for (int i = 0; i < 20'000; ++i) {
        changes.of(Kind::kPoint).put.push_back(point(fmt::format("P{}", i), "D1"));
    }
    std::atomic<bool> begun = false;
    std::jthread killer{[&] {
        while (!begun) std::this_thread::yield();
        server_.process().end(SIGQUIT);
    }};
    begun = true;
    const auto stored = store->apply(changes, 0, by("large"));
    killer.join();
    server_.process().start();
    while (!store->check()) std::this_thread::sleep_for(std::chrono::milliseconds{50});
    const auto plant = store->load_plant();
    ASSERT_TRUE(plant) << plant.error().message;
    EXPECT_EQ((*plant)->of(Kind::kPoint).size(), (*plant)->revision == 1 ? 20'000U : 0U);
    EXPECT_TRUE(!stored || (*plant)->revision == 1U);
    EXPECT_EQ(store->audit({})->total, (*plant)->revision);
}

TEST_F(PostgresStoreFaults, AWrongPasswordAndAMissingDatabaseAreToldApart) {
    const auto wrong = open_postgres_store(server_.url("plant", "wrong pass word"));
    ASSERT_FALSE(wrong);
    expect_refused(wrong.error(), ErrorKind::kInvalidArgument, "check user and password");
    const auto missing = open_postgres_store(server_.url("nowhere", PostgresServer::kPassword));
    ASSERT_FALSE(missing);
    expect_refused(missing.error(), ErrorKind::kInvalidArgument, "create the database first");
}

TEST_F(PostgresStoreFaults, AUserWhoMayNotMakeTheSchemaIsTold) {
    server_.sql("CREATE DATABASE strange OWNER root", "postgres");
    const auto refused = open_postgres_store(server_.url("strange", PostgresServer::kPassword));
    ASSERT_FALSE(refused);
    expect_refused(refused.error(), ErrorKind::kInvalidArgument, "grant the user");
    server_.sql("CREATE SCHEMA fieldwarden AUTHORIZATION writer", "strange");
    const auto store = open_postgres_store(server_.url("strange", PostgresServer::kPassword));
    EXPECT_TRUE(store) << store.error().message;
}

TEST_F(PostgresStoreFaults, ANewerSchemaIsLeftAsItIs) {
    opened().reset();
    server_.sql("UPDATE fieldwarden.meta SET value = 99 WHERE name = 'schema'");
    const auto refused = open_postgres_store(url());
    ASSERT_FALSE(refused);
    expect_refused(refused.error(), ErrorKind::kInvalidArgument, "newer Fieldwarden (schema 99");
    EXPECT_EQ(server_.sql("SELECT value FROM fieldwarden.meta WHERE name = 'schema'"), "99");
}

TEST_F(PostgresStoreFaults, AFieldThatTheTablesDoNotKnowYetBecomesAColumn) {
    opened().reset();
    server_.sql("ALTER TABLE fieldwarden.points DROP COLUMN description");
    const auto store = opened();
    ChangeSet changes;
    changes.of(Kind::kPoint).put.push_back(point("P1", "D1"));
    EXPECT_TRUE(store->apply(changes, 0, by("x")));
}

TEST_F(PostgresStoreFaults, OfTwoThatOpenAtOnceOneHasTheStoreAndTheOtherIsTold) {
    std::array<Result<std::unique_ptr<Store>>, 2> stores{make_error(ErrorKind::kInternal, ""),
                                                         make_error(ErrorKind::kInternal, "")};
    {
        std::jthread one{[&] { stores[0] = open_postgres_store(url()); }};
        std::jthread two{[&] { stores[1] = open_postgres_store(url()); }};
    }
    ASSERT_NE(stores[0].has_value(), stores[1].has_value());
    const auto& refused = stores[0] ? stores[1] : stores[0];
    expect_refused(refused.error(), ErrorKind::kConflict,
                   fmt::format("another supervisor uses this store (fieldwarden "));
    EXPECT_NE(refused.error().message.find(fmt::format("pid {}", getpid())), std::string::npos);
    auto& had = stores[0] ? stores[0] : stores[1];
    EXPECT_TRUE((*had)->check());
}

TEST_F(PostgresStoreFaults, WhoWaitsForOneThatLeavesGetsTheStoreMigratedOnce) {
    auto first = opened();
    auto second = std::async(std::launch::async, [&] { return open_postgres_store(url()); });
    ASSERT_TRUE(first->add_session(a_session(7)));
    first.reset();
    const auto store = second.get();
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE((*store)->session(7));
}

TEST_F(PostgresStoreFaults, WhoLostTheStoreToAnotherWritesNoMore) {
    const auto mine = opened();
    // Our server process is told to go, and another supervisor is quicker than we are.
    server_.process().end(SIGQUIT);
    server_.process().start();
    const auto other = opened();
    const auto refused = mine->add_session(a_session(1));
    ASSERT_FALSE(refused);
    expect_refused(refused.error(), ErrorKind::kUnavailable, "another supervisor uses this store");
    EXPECT_TRUE(other->add_session(a_session(1)));
}

TEST_F(PostgresStoreFaults, TextsThatAreNoTextsAreKeptReadable) {
    const auto store = opened();
    auto session = a_session(1);
    session.error_message = std::string{"a\0b\xFF\xE4\xB8", 6} + "中";
    ASSERT_TRUE(store->add_session(session));
    proto::LogEntry entry;
    entry.message = std::string{"\0", 1};
    entry.performance_metrics = proto::Json{{"raw", std::string{"x\0\xC3y", 4}}};
    ASSERT_TRUE(store->add_log_entry(1, entry));
    EXPECT_EQ(store->session(1)->error_message, "a\uFFFDb\uFFFD\uFFFD中");
    const auto timeline = store->timeline(1);
    ASSERT_TRUE(timeline) << timeline.error().message;
    EXPECT_EQ(timeline->at(0).message, "\uFFFD");
    EXPECT_EQ(timeline->at(0).performance_metrics->at("raw"), (std::string{"x\0", 2} + "\uFFFDy"));
}

TEST_F(PostgresStoreFaults, TimesAtTheEndsOfTimeAreKept) {
    const auto store = opened();
    auto session = a_session(1);
    session.started_at = UtcTime::max();
    session.stopped_at = UtcTime{std::chrono::microseconds{-1}};
    ASSERT_TRUE(store->add_session(session));
    EXPECT_EQ(store->session(1)->started_at, UtcTime::max());
    EXPECT_EQ(store->session(1)->stopped_at, session.stopped_at);
    session = a_session(2);
    session.started_at = UtcTime::min();
    EXPECT_TRUE(store->add_session(session)) << "as early as the database can say";
}

TEST_F(PostgresStoreFaults, ARowEditedByHandIntoNonsenseIsToldNotInvented) {
    const auto store = opened();
    ASSERT_TRUE(store->add_session(a_session(1)));
    server_.sql("UPDATE fieldwarden.sessions SET status = 'dancing'");
    const auto read = store->session(1);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::kCorrupt);
}

TEST_F(PostgresStoreFaults, ATableThatSomebodyHoldsIsBusyNotForEver) {
    const auto store = opened();
    server_.sql("ALTER ROLE writer SET lock_timeout = 0");
    std::atomic<bool> held = false;
    std::jthread holder{[&] {
        server_.process().run({"psql", "-X", "-q", "-h", server_.process().dir(), "-p",
                               std::to_string(server_.process().port()), "-U", "root", "-d", "plant"},
                              "BEGIN; LOCK TABLE fieldwarden.sessions; CREATE TABLE held(); SELECT "
                              "pg_sleep(6); COMMIT;\n");
        held = true;
    }};
    // Until the lock is taken, calls get through.
    Result<std::int64_t> done{1};
    for (std::int64_t id = 1; done && !held; ++id) done = store->add_session(a_session(id));
    ASSERT_FALSE(done) << "the lock was never met";
    expect_refused(done.error(), ErrorKind::kBusy, "holds its tables");
}

}  // namespace

}  // namespace fieldwarden::supervisor
