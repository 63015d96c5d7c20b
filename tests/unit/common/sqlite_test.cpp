#include "common/sqlite.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/unit/common/temp_dir.h"

namespace fieldwarden {

namespace {

class Sqlite : public testing::Test {
  protected:
    SqlDatabase open(SqlDatabase::Mode mode = SqlDatabase::Mode::kCreate) {
        auto database = SqlDatabase::open(directory_.file("a.db"), mode);
        EXPECT_TRUE(database) << database.error().message;
        return std::move(*database);
    }
    TempDir directory_;
};

TEST_F(Sqlite, EveryTypeComesBackAsItWasBound) {
    auto database = open();
    ASSERT_TRUE(database.execute("CREATE TABLE t (a, b, c, d, e, f)"));
    auto insert = database.prepare("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)");
    ASSERT_TRUE(insert);
    const Bytes blob{std::byte{0}, std::byte{255}};
    const std::string with_zero{"a\0b", 3};
    ASSERT_TRUE(insert
                    ->bind(INT64_MIN, 2.5, std::string_view{with_zero}, ByteSpan{blob}, nullptr,
                           std::optional<std::int64_t>{})
                    .run());
    ASSERT_TRUE(
        insert->bind(UINT64_MAX, true, std::string_view{}, ByteSpan{}, "text", std::optional{7}).run());
    auto rows = database.prepare("SELECT * FROM t ORDER BY rowid");
    ASSERT_TRUE(rows);
    ASSERT_TRUE(*rows->step());
    EXPECT_EQ(rows->integer(0), INT64_MIN);
    EXPECT_EQ(rows->number(1), 2.5);
    EXPECT_EQ(rows->text(2), with_zero);
    EXPECT_EQ(Bytes(rows->bytes(3).begin(), rows->bytes(3).end()), blob);
    EXPECT_TRUE(rows->is_null(4));
    EXPECT_TRUE(rows->is_null(5));
    ASSERT_TRUE(*rows->step());
    EXPECT_EQ(static_cast<std::uint64_t>(rows->integer(0)), UINT64_MAX);
    EXPECT_FALSE(rows->is_null(2)) << "an empty text is not NULL";
    EXPECT_FALSE(rows->is_null(3));
    EXPECT_EQ(rows->integer(5), 7);
    EXPECT_FALSE(*rows->step());
    EXPECT_EQ(*database.integer("SELECT count(*) FROM t"), 2);
    EXPECT_EQ(*database.text("SELECT e FROM t ORDER BY rowid DESC"), "text");
    EXPECT_EQ(database.integer("SELECT a FROM t WHERE a = 3").error().kind, ErrorKind::kNotFound);
}

TEST_F(Sqlite, ATransactionThatIsNotCommittedLeavesNothing) {
    auto database = open();
    ASSERT_TRUE(database.execute("CREATE TABLE t (a)"));
    {
        auto transaction = SqlTransaction::begin(database);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(database.execute("INSERT INTO t VALUES (1)"));
    }
    EXPECT_EQ(*database.integer("SELECT count(*) FROM t"), 0);
    {
        auto transaction = SqlTransaction::begin(database);
        ASSERT_TRUE(database.execute("INSERT INTO t VALUES (1)"));
        ASSERT_TRUE(transaction->commit());
    }
    EXPECT_EQ(*database.integer("SELECT count(*) FROM t"), 1);
}

TEST_F(Sqlite, ErrorsHaveTheirKindAndNameTheFile) {
    auto database = open();
    ASSERT_TRUE(database.execute("CREATE TABLE t (a UNIQUE); INSERT INTO t VALUES (1)"));
    const auto twice = database.execute("INSERT INTO t VALUES (1)");
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().kind, ErrorKind::kConflict);
    EXPECT_NE(twice.error().message.find("a.db"), std::string::npos) << twice.error().message;
    EXPECT_EQ(database.prepare("SELEC 1").error().kind, ErrorKind::kInternal);
    auto too_many = database.prepare("SELECT ?");
    ASSERT_TRUE(too_many);
    EXPECT_FALSE(too_many->bind(1, 2).step()) << "a parameter that is not there";
    EXPECT_TRUE(too_many->bind(1).step()) << "and the statement is usable again";
    auto reader = open(SqlDatabase::Mode::kReadOnly);
    EXPECT_EQ(reader.execute("INSERT INTO t VALUES (2)").error().kind, ErrorKind::kIo);
    EXPECT_EQ(SqlDatabase::open(directory_.file("none.db"), SqlDatabase::Mode::kReadWrite).error().kind,
              ErrorKind::kIo);
    EXPECT_FALSE(SqlStatement{}.step()) << "a statement that was never prepared";
}

TEST_F(Sqlite, AFullDiskIsToldAndTheTransactionLeavesNothing) {
    auto database = open();
    ASSERT_TRUE(database.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)"));
    // The limit on file size stands in for the disk's end.
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{64 << 10, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    Status filled;
    {
        auto transaction = SqlTransaction::begin(database);
        for (int i = 0; i < 100 && filled; ++i)
            filled = database.execute("INSERT INTO t VALUES (zeroblob(8192))");
        if (filled) filled = transaction->commit();
    }
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ::signal(SIGXFSZ, ignored);
    ASSERT_FALSE(filled);
    EXPECT_EQ(filled.error().kind, ErrorKind::kIo) << filled.error().message;
    EXPECT_EQ(*database.integer("SELECT count(*) FROM t"), 0);
    EXPECT_TRUE(database.execute("INSERT INTO t VALUES (1)")) << "and it goes on when there is room again";
}

}  // namespace

}  // namespace fieldwarden
