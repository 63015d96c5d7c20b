// What is particular to the SQLite store: files that are not, no longer or not yet its own.
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "common/sqlite.h"
#include "supervisor/store/audit_chain.h"
#include "supervisor/store/migrations.h"
#include "tests/contract/store_contract.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {

std::vector<StoreImplementation> store_implementations() {
    return {
        {"sqlite", [](const std::string& directory) { return open_sqlite_store(directory + "/state.db"); }},
        postgres_implementation()};
}

namespace {

class SqliteStoreFile : public testing::Test {
  protected:
    std::string path() const { return directory_.file("state.db"); }
    void write_file(std::string_view text) const { std::ofstream{path(), std::ios::binary} << text; }
    std::string read_file() const {
        std::ifstream in{path(), std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    void execute(const std::string& sql) const {
        auto database = SqlDatabase::open(path(), SqlDatabase::Mode::kCreate);
        ASSERT_TRUE(database) << database.error().message;
        const auto done = database->execute(sql);
        ASSERT_TRUE(done) << done.error().message;
    }
    std::unique_ptr<Store> opened() const {
        auto store = open_sqlite_store(path());
        EXPECT_TRUE(store) << store.error().message;
        return store ? std::move(*store) : nullptr;
    }
    void expect_refused(ErrorKind kind, std::string_view says) const {
        const auto refused = open_sqlite_store(path());
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().kind, kind) << refused.error().message;
        EXPECT_NE(refused.error().message.find(says), std::string::npos) << refused.error().message;
        EXPECT_NE(refused.error().message.find(path()), std::string::npos) << "names the file";
    }
    TempDir directory_;
};

TEST_F(SqliteStoreFile, IsReadableByItsOwnerOnly) {
    const auto store = opened();
    struct stat info {};
    ASSERT_EQ(::stat(path().c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(SqliteStoreFile, SomethingElseIsRefusedAndLeftAlone) {
    std::string text(5000, 'x');
    write_file(text);
    expect_refused(ErrorKind::kCorrupt, "not a database");
    EXPECT_EQ(read_file(), text);
}

TEST_F(SqliteStoreFile, AnotherProgramsDatabaseIsRefusedAndLeftAlone) {
    execute("CREATE TABLE theirs (x)");
    const auto before = read_file();
    expect_refused(ErrorKind::kInvalidArgument, "another program");
    EXPECT_EQ(read_file(), before);
}

TEST_F(SqliteStoreFile, ANewerSchemaIsRefused) {
    opened().reset();
    execute(fmt::format("PRAGMA user_version = {}", kStoreSchemaVersion + 1));
    expect_refused(ErrorKind::kInvalidArgument, "newer Fieldwarden");
}

TEST_F(SqliteStoreFile, DamageInsideTheFileIsFoundWhenItIsOpened) {
    {
        const auto store = opened();
        ChangeSet changes;
        for (int i = 0; i < 2000; ++i)
            changes.of(Kind::kPoint).put.push_back(point(fmt::format("P{}", i), "D"));
        ASSERT_TRUE(store->apply(changes, 0, {}));
    }
    auto bytes = read_file();
    ASSERT_GT(bytes.size(), 40'000U);
    for (std::size_t at = 20'000; at < 36'000; ++at) bytes[at] = static_cast<char>(at * 37);
    write_file(bytes);
    const auto refused = open_sqlite_store(path());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kCorrupt) << refused.error().message;
    EXPECT_NE(refused.error().message.find("backup"), std::string::npos) << "says what to do";
}

TEST_F(SqliteStoreFile, ACutOffFileIsFoundWhenItIsOpened) {
    {
        const auto store = opened();
        ChangeSet changes;
        for (int i = 0; i < 2000; ++i)
            changes.of(Kind::kPoint).put.push_back(point(fmt::format("P{}", i), "D"));
        ASSERT_TRUE(store->apply(changes, 0, {}));
    }
    const auto whole = read_file();
    for (const std::size_t keep :
         {std::size_t{50}, std::size_t{5'000}, whole.size() / 2, whole.size() - 4'096}) {
        write_file(std::string_view{whole}.substr(0, keep));
        const auto refused = open_sqlite_store(path());
        ASSERT_FALSE(refused) << keep;
        EXPECT_EQ(refused.error().kind, ErrorKind::kCorrupt) << refused.error().message;
    }
}

TEST_F(SqliteStoreFile, AMissingDirectoryIsTold) {
    const auto refused = open_sqlite_store(directory_.file("none/state.db"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kIo);
    EXPECT_NE(refused.error().message.find("No such file"), std::string::npos) << refused.error().message;
}

TEST_F(SqliteStoreFile, AReadOnlyDirectoryIsTold) {
    opened().reset();
    std::filesystem::permissions(path(), std::filesystem::perms{0666});
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0555});
    // Root may write anywhere, so the store is opened by a child that gave root up.
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (::geteuid() == 0 &&
            (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0)) {
            ::_exit(99);
        }
        const auto fresh = open_sqlite_store(directory_.file("other.db"));
        if (fresh || fresh.error().kind != ErrorKind::kIo) ::_exit(1);
        if (fresh.error().message.find("Permission denied") == std::string::npos) ::_exit(2);
        const auto existing = open_sqlite_store(path());
        if (existing || existing.error().kind != ErrorKind::kIo) ::_exit(3);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    std::filesystem::permissions(directory_.path(), std::filesystem::perms{0755});
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 99) GTEST_SKIP() << "root here cannot become another user";
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SqliteStoreFile, AFieldTheSchemaGainedAppearsEmpty) {
    {
        const auto store = opened();
        ChangeSet changes;
        changes.of(Kind::kPoint).put.push_back(point("P1", "D1"));
        ASSERT_TRUE(store->apply(changes, 0, {}));
    }
    execute("ALTER TABLE points DROP COLUMN description");
    const auto store = opened();
    const auto plant = store->load_plant();
    ASSERT_TRUE(plant) << plant.error().message;
    EXPECT_EQ((*plant)->of(Kind::kPoint).find("P1")->cells, point("P1", "D1").cells);
}

// --- the audit trail, changed behind the store's back ---

AuditEntry an_entry(int n) {
    AuditEntry entry;
    entry.at = UtcTime{std::chrono::microseconds{1'795'000'000'123'456 + n}};
    entry.actor = {"chen", "admin", "10.0.0.9"};
    entry.action = "task.start";
    entry.subject = fmt::format("T{}", n);
    entry.detail = {{"n", n}, {"rate", 0.1 * n}};
    return entry;
}

class AuditTrailFile : public SqliteStoreFile {
  protected:
    void SetUp() override {
        const auto store = opened();
        for (int i = 1; i <= 10; ++i) ASSERT_TRUE(store->add_audit(an_entry(i)));
    }
    // As somebody with the file and a shell would.
    void tamper(const std::string& sql) const {
        execute(
            "DROP TRIGGER audit_keeps_changes; DROP TRIGGER audit_keeps_rows; DROP TRIGGER audit_keeps_ids;" +
            sql);
    }
    std::optional<std::int64_t> first_broken() const {
        const auto store = opened();
        AuditWalk walk;
        for (std::int64_t last = 0;;) {
            const auto next = store->audit_after(last, 3);
            EXPECT_TRUE(next) << next.error().message;
            if (!next || next->empty()) return std::nullopt;
            if (const auto broken = walk.take(*next)) return broken->id;
            last = next->back().id;
        }
    }
};

TEST_F(AuditTrailFile, RefusesChangeRemovalAndReplacement) {
    auto database = SqlDatabase::open(path(), SqlDatabase::Mode::kReadWrite);
    ASSERT_TRUE(database);
    for (const std::string sql :
         {"UPDATE audit SET actor = 'nobody' WHERE id = 3", "DELETE FROM audit WHERE id = 3",
          "DELETE FROM audit", "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 3",
          "UPDATE OR REPLACE audit SET id = 4 WHERE id = 3"}) {
        const auto refused = database->execute(sql);
        ASSERT_FALSE(refused) << sql;
        EXPECT_NE(refused.error().message.find("append-only"), std::string::npos) << refused.error().message;
    }
    EXPECT_EQ(first_broken(), std::nullopt);
}

TEST_F(AuditTrailFile, EveryChangedColumnIsFound) {
    for (const std::string change :
         {"at = at + 1", "actor = 'li'", "role = 'viewer'", "remote = ''", "action = 'task.stop'",
          "subject = 'T1'", "detail = '{}'", "detail = 'nonsense'", "hash = ''", "hash = upper(hash)",
          "actor = actor || role, role = ''"}) {
        std::filesystem::remove(path());
        SetUp();
        tamper("UPDATE audit SET " + change + " WHERE id = 4");
        EXPECT_EQ(first_broken(), 4) << change;
    }
}

TEST_F(AuditTrailFile, ARemovedEntryShowsInTheNextOne) {
    tamper("DELETE FROM audit WHERE id = 5");
    EXPECT_EQ(first_broken(), 6);
}

TEST_F(AuditTrailFile, TheFirstEntryCannotGoUnnoticed) {
    tamper("DELETE FROM audit WHERE id = 1");
    EXPECT_EQ(first_broken(), 2);
}

TEST_F(AuditTrailFile, AnInsertedEntryIsFound) {
    tamper(
        "DELETE FROM audit WHERE id = 7; INSERT INTO audit SELECT 7, at, actor, role, remote, action, "
        "subject, "
        "detail, hash FROM audit WHERE id = 6");
    EXPECT_EQ(first_broken(), 7);
}

TEST_F(AuditTrailFile, SwappedEntriesAreFound) {
    tamper(
        "UPDATE audit SET id = 99 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 8;"
        "UPDATE audit SET id = 8 WHERE id = 99");
    EXPECT_EQ(first_broken(), 3);
}

TEST_F(AuditTrailFile, EntriesOfBeforeTheChainAreTakenIntoIt) {
    execute(
        "DROP TRIGGER audit_keeps_changes; DROP TRIGGER audit_keeps_rows; DROP TRIGGER audit_keeps_ids;"
        "ALTER TABLE audit DROP COLUMN hash; DROP TABLE users; DROP TABLE api_tokens; DROP TABLE "
        "web_sessions;"
        "PRAGMA user_version = 4");
    EXPECT_EQ(first_broken(), std::nullopt);
    const auto store = opened();
    ASSERT_TRUE(store->add_audit(an_entry(11)));
    EXPECT_EQ(first_broken(), std::nullopt);
    EXPECT_EQ(store->audit({})->total, 11U);
    tamper("UPDATE audit SET subject = '' WHERE id = 2");
    EXPECT_EQ(first_broken(), 2);
}

TEST_F(SqliteStoreFile, AWriterElsewhereIsWaitedForAndThenToldAsBusy) {
    const auto store = opened();
    auto other = SqlDatabase::open(path(), SqlDatabase::Mode::kReadWrite, std::chrono::milliseconds{1});
    ASSERT_TRUE(other);
    auto held = SqlTransaction::begin(*other);
    ASSERT_TRUE(held);
    EXPECT_TRUE(store->load_plant()) << "readers are not held up by a writer";
    auto third = SqlDatabase::open(path(), SqlDatabase::Mode::kReadWrite, std::chrono::milliseconds{1});
    ASSERT_TRUE(third);
    const auto refused = SqlTransaction::begin(*third);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kBusy);
}

TEST_F(SqliteStoreFile, ARowEditedByHandIntoNonsenseIsToldNotInvented) {
    const auto store = opened();
    proto::SessionStatus session;
    const auto id = store->add_session(session);
    ASSERT_TRUE(id);
    execute("UPDATE sessions SET status = 'dancing'");
    const auto read = store->session(*id);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().kind, ErrorKind::kCorrupt);
}

}  // namespace

}  // namespace fieldwarden::supervisor
