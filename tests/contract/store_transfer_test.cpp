// Moving a store and backing it up: every table in every direction, and what is refused.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <set>

#include "common/sqlite.h"
#include "supervisor/store/migrations.h"
#include "supervisor/store/transfer/copy_store.h"
#include "tests/unit/common/postgres_server.h"
#include "tests/unit/common/temp_dir.h"

namespace fieldwarden::supervisor::transfer {

namespace {

constexpr std::int64_t kRows = 1'200;  // more than one FETCH and one INSERT of PostgreSQL take

// A value of this type that tells row and column apart; every seventh is absent where that may be.
Cell value(const Table& table, const Column& column, std::int64_t row) {
    static const std::set<std::string> kOptional{
        "sessions.pid",  "stopped_at",  "last_read_time", "applied_at", "log_type",     "parent_log_id",
        "retry_context", "resolved_at", "code",           "expires_at", "last_used_at", "last_login_at"};
    if (row % 7 == 3 &&
        (kOptional.contains(column.name) || kOptional.contains(table.name + '.' + column.name)))
        return {};
    switch (column.type) {
        case ColumnType::kInteger:
            return row;
        case ColumnType::kReal:
            return static_cast<double>(row) + 0.1;
        case ColumnType::kText:
            return fmt::format("{} {} 'ü 温度' \\ \"{{,}}\"", column.name, row);
        case ColumnType::kJson:
            return fmt::format(R"({{"a": [{}, null, "温度"], "b":  1.50}})", row);
        case ColumnType::kTime:
            return std::int64_t{1'795'000'000'123'456} + row;
        case ColumnType::kFlag:
            return row % 2;
        case ColumnType::kDay:
            return std::int64_t{20'000} + row;
    }
    return {};
}

Row row_of(const Table& table, std::int64_t number) {
    Row row;
    for (const auto& column : table.columns) row.push_back(value(table, column, number));
    return row;
}

std::vector<Row> rows_of(RowSource& source, const Table& table) {
    std::vector<Row> rows;
    const auto read = source.read(table, [&](const Row& row) -> Status {
        rows.push_back(row);
        return {};
    });
    EXPECT_TRUE(read) << read.error().message;
    return rows;
}

class StoreTransfer : public testing::Test {
  protected:
    static void SetUpTestSuite() { server_ = new PostgresServer; }
    static void TearDownTestSuite() { delete server_; }

    std::string file(const std::string& name) const { return directory_.path().string() + "/" + name; }
    std::string database(const std::string& name) const {
        server_->make_database(name);
        return server_->url(name, PostgresServer::kPassword);
    }
    static void fill(const std::string& store) {
        auto target = open_row_target(store);
        ASSERT_TRUE(target) << target.error().message;
        for (const auto& table : tables()) {
            for (std::int64_t row = 1; row <= kRows; ++row) {
                const auto written = (*target)->write(table, row_of(table, row));
                ASSERT_TRUE(written) << table.name << ": " << written.error().message;
            }
            if (table.numbered) {
                ASSERT_TRUE((*target)->set_last_id(table, kRows + 5));
            }
        }
        ASSERT_TRUE((*target)->set_revision(77));
        const auto committed = (*target)->commit();
        ASSERT_TRUE(committed) << committed.error().message;
    }
    static Result<Copied> copy(const std::string& from, const std::string& to) {
        auto source = open_row_source(from, Sharing::kShared);
        if (!source) return source.error();
        auto target = open_row_target(to);
        if (!target) return target.error();
        return copy_store(**source, **target);
    }
    // By key: the two sort texts alike only where they are ASCII.
    static void expect_filled(const std::string& store) {
        auto source = open_row_source(store, Sharing::kShared);
        ASSERT_TRUE(source) << source.error().message;
        for (const auto& table : tables()) {
            auto rows = rows_of(**source, table);
            ASSERT_EQ(rows.size(), static_cast<std::size_t>(kRows)) << table.name;
            std::vector<Row> expected;
            for (std::int64_t row = 1; row <= kRows; ++row) expected.push_back(row_of(table, row));
            std::sort(rows.begin(), rows.end());
            std::sort(expected.begin(), expected.end());
            EXPECT_TRUE(rows == expected) << table.name;
            if (table.numbered) {
                EXPECT_EQ((*source)->last_id(table).value(), kRows + 5) << table.name;
            }
        }
        EXPECT_EQ((*source)->revision().value(), 77);
    }
    static void expect_refused(const Status& done, ErrorKind kind, std::string_view says) {
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().kind, kind) << done.error().message;
        EXPECT_NE(done.error().message.find(says), std::string::npos) << done.error().message;
        EXPECT_EQ(done.error().message.find("pass word"), std::string::npos) << done.error().message;
    }
    template <class T>
    static Status status(const Result<T>& result) {
        if (result) return {};
        return result.error();
    }

    inline static PostgresServer* server_ = nullptr;
    TempDir directory_;
};

TEST_F(StoreTransfer, EverythingSurvivesBothWays) {
    fill(file("a.db"));
    const auto there = copy(file("a.db"), database("both_ways"));
    ASSERT_TRUE(there) << there.error().message;
    expect_filled(database("both_ways"));
    const auto back = copy(database("both_ways"), file("b.db"));
    ASSERT_TRUE(back) << back.error().message;
    expect_filled(file("b.db"));
    EXPECT_EQ(*there, *back);
    EXPECT_EQ(there->size(), tables().size());
}

// A table or column that a migration adds and the catalogue lacks would be lost without a word.
TEST_F(StoreTransfer, TheCatalogueIsTheSchema) {
    ASSERT_TRUE(open_row_target(file("empty.db")));
    const auto url = database("catalogue");
    ASSERT_TRUE(open_row_target(url));
    auto sqlite = SqlDatabase::open(file("empty.db"), SqlDatabase::Mode::kReadOnly);
    ASSERT_TRUE(sqlite);
    std::string listed;
    for (const auto& table : tables()) {
        std::set<std::string> ours;
        std::set<std::string> in_postgres;
        for (const auto& column : table.columns) {
            ours.insert(column.name);
            in_postgres.insert(column.postgres_name);
        }
        std::set<std::string> real;
        auto rows = sqlite->prepare(fmt::format("PRAGMA table_info(\"{}\")", table.name));
        ASSERT_TRUE(rows);
        while (rows->step().value()) real.insert(rows->string(1));
        EXPECT_EQ(ours, real) << table.name;
        std::string names;
        for (const auto& name : in_postgres) names += (names.empty() ? "" : ",") + name;
        EXPECT_EQ(
            server_->sql(fmt::format("SELECT string_agg(column_name, ',' ORDER BY column_name COLLATE \"C\") "
                                     "FROM information_schema.columns WHERE table_schema = 'fieldwarden' AND "
                                     "table_name = '{}'",
                                     table.name),
                         "catalogue"),
            names)
            << table.name;
        listed += fmt::format("{}'{}'", listed.empty() ? "" : ", ", table.name);
    }
    EXPECT_EQ(
        sqlite
            ->integer(fmt::format("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT IN "
                                  "({}, 'meta', 'web_sessions', 'sqlite_sequence')",
                                  listed))
            .value(),
        0);
    EXPECT_EQ(server_->sql(
                  fmt::format("SELECT count(*) FROM information_schema.tables WHERE table_schema = "
                              "'fieldwarden' AND table_name NOT IN ({}, 'meta', 'web_sessions', 'last_ids')",
                              listed),
                  "catalogue"),
              "0");
}

TEST_F(StoreTransfer, WhatIsThereIsNotTouched) {
    fill(file("a.db"));
    const auto url = database("touched");
    ASSERT_TRUE(copy(file("a.db"), url));
    expect_refused(status(copy(file("a.db"), url)), ErrorKind::kConflict, "holds something already");
    expect_refused(status(copy(url, file("a.db"))), ErrorKind::kConflict, "holds something already");
    expect_filled(url);
    expect_filled(file("a.db"));
}

TEST_F(StoreTransfer, AHalfCopyIsNoCopy) {
    const auto url = database("half");
    for (const auto& store : {file("half.db"), url}) {
        {
            auto target = open_row_target(store);
            ASSERT_TRUE(target) << target.error().message;
            ASSERT_TRUE((*target)->write(tables().front(), row_of(tables().front(), 1)));
        }
        auto again = open_row_target(store);
        EXPECT_TRUE(again) << again.error().message;
    }
}

TEST_F(StoreTransfer, OthersAndOtherVersionsAreRefused) {
    fill(file("a.db"));
    {
        auto newer = SqlDatabase::open(file("a.db"), SqlDatabase::Mode::kReadWrite);
        ASSERT_TRUE(newer->execute(fmt::format("PRAGMA user_version = {}", kStoreSchemaVersion + 1)));
        auto foreign = SqlDatabase::open(file("foreign.db"), SqlDatabase::Mode::kCreate);
        ASSERT_TRUE(foreign->execute("CREATE TABLE t (a)"));
    }
    expect_refused(status(open_row_source(file("a.db"), Sharing::kShared)), ErrorKind::kInvalidArgument,
                   "another version");
    expect_refused(status(open_row_source(file("foreign.db"), Sharing::kShared)), ErrorKind::kInvalidArgument,
                   "no store or backup");
    expect_refused(status(open_row_source(file("none.db"), Sharing::kShared)), ErrorKind::kIo, "none.db");
    const auto url = database("never_used");
    EXPECT_FALSE(open_row_source(url, Sharing::kShared));
}

TEST_F(StoreTransfer, ADatabaseInUseIsReadButNotMoved) {
    const auto url = database("in_use");
    auto user = open_row_target(url);
    ASSERT_TRUE(user);
    expect_refused(status(open_row_source(url, Sharing::kAlone)), ErrorKind::kConflict, "another supervisor");
    expect_refused(status(open_row_target(url)), ErrorKind::kConflict, "another supervisor");
    EXPECT_TRUE(open_row_source(url, Sharing::kShared));
}

}  // namespace

}  // namespace fieldwarden::supervisor::transfer
