// The pure parts of the PostgreSQL store: the address, and what the server's refusals mean.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>

#include "supervisor/store/open_store.h"
#include "supervisor/store/postgres/address.h"
#include "supervisor/store/postgres/sqlstate.h"

namespace fieldwarden::supervisor::postgres {
namespace {

std::string value_of(const Address& address, std::string_view keyword) {
    const auto found =
        std::ranges::find_if(address.connection, [&](const auto& each) { return each.first == keyword; });
    return found == address.connection.end() ? std::string{"-"} : found->second;
}

TEST(PostgresAddress, SaysWhereWithoutSecretsAndKeepsThemForTheConnection) {
    const auto address = read_address("postgresql://chen:s3cret%40x@10.0.0.7:5433/plant?sslmode=verify-full");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->label, "postgres 10.0.0.7:5433/plant");
    EXPECT_EQ(value_of(*address, "password"), "s3cret@x");
    EXPECT_EQ(value_of(*address, "sslmode"), "verify-full");
    EXPECT_EQ(value_of(*address, "tcp_user_timeout"), "10000");
    EXPECT_LE(address->name.size(), 63U);
}

TEST(PostgresAddress, IsItsOwnEachTimeAndTheUrlDoesNotChooseItsName) {
    const auto one = read_address("postgresql://h/d?application_name=psql&client_encoding=LATIN1");
    const auto two = read_address("postgresql://h/d");
    ASSERT_TRUE(one && two);
    EXPECT_NE(one->name, two->name);
    EXPECT_EQ(value_of(*one, "application_name"), one->name);
    EXPECT_EQ(value_of(*one, "client_encoding"), "UTF8");
}

TEST(PostgresAddress, WhatTheUrlLeavesOutIsTakenFromTheEnvironment) {
    ASSERT_EQ(::setenv("PGHOST", "db.example", 1), 0);
    ASSERT_EQ(::setenv("PGPORT", "6000", 1), 0);
    const auto address = read_address("postgresql:///plant");
    ::unsetenv("PGHOST");
    ::unsetenv("PGPORT");
    ASSERT_TRUE(address);
    EXPECT_EQ(address->label, "postgres db.example:6000/plant");
}

TEST(PostgresAddress, WhatDoesNotParseIsNotShown) {
    for (const char* url :
         {"postgresql://u:s3cret@h:5432:1/d", "postgresql://u:s3cret@h/d?nonsense=1",
          "postgresql://u:x@s3cret@h/d", "postgresql://u@h:s3cret/d", "postgresql://u:s3cret%zz@h/d"}) {
        const auto refused = read_address(url);
        ASSERT_FALSE(refused) << url;
        EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_EQ(refused.error().message.find("s3cret"), std::string::npos) << refused.error().message;
    }
}

TEST(StoreName, OnlyAFileOrAUrlWillDoAndIsNotShown) {
    for (const char* good : {"", "sqlite", "postgres://h/d", "postgresql:///d"}) {
        EXPECT_TRUE(check_store_name(good)) << good;
    }
    for (const char* bad : {"mysql://u:s3cret@h/d", "s3cret", "postgresql://u:s3cret@h:x:y/d"}) {
        const auto refused = check_store_name(bad);
        ASSERT_FALSE(refused) << bad;
        EXPECT_EQ(refused.error().message.find("s3cret"), std::string::npos) << refused.error().message;
    }
}

TEST(PostgresRefusal, IsReadFromWhatLibpqSays) {
    const auto refused = read_refusal(
        "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  28P01: password authentication "
        "failed for user \"x\"\nLOCATION:  auth_failed, auth.c:338\n");
    EXPECT_EQ(refused.sqlstate, "28P01");
    EXPECT_EQ(refused.message, "password authentication failed for user \"x\"");
    EXPECT_EQ(read_refusal("connection to server at \"h\" failed: Connection refused\n").sqlstate, "");
    for (const char* text : {"", ":  ", ":  28P01", ":  28P01: ", ":  28p01: x", "a:  b:  57P03: y"}) {
        static_cast<void>(read_refusal(text));
    }
    EXPECT_EQ(read_refusal("a:  b:  57P03: y").sqlstate, "57P03");
}

TEST(PostgresFailure, IsWhatLibpqSaysWithoutItsAdvice) {
    EXPECT_EQ(failure_of("connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs the "
                         "server running on that host and accepting TCP/IP connections?\n"),
              "connection to server at \"127.0.0.1\", port 1 failed: Connection refused");
    EXPECT_EQ(failure_of("server closed the connection unexpectedly\n\tThis probably means the server "
                         "terminated abnormally\n\tbefore or while processing the request.\n"),
              "server closed the connection unexpectedly");
    EXPECT_EQ(failure_of("a failed: refused\n\tIs it?\nb failed: refused.\n\tIs it?\n"),
              "a failed: refused; b failed: refused");
    for (const char* nothing : {"", "\n", "\t\n\tx", " . \r\n"})
        EXPECT_EQ(failure_of(nothing), "") << nothing;
}

TEST(PostgresRefusal, MeansWhatTheCallerCanDo) {
    EXPECT_EQ(kind_of("23505"), ErrorKind::kConflict);
    EXPECT_EQ(kind_of("28P01"), ErrorKind::kInvalidArgument);
    EXPECT_EQ(kind_of("3D000"), ErrorKind::kInvalidArgument);
    EXPECT_EQ(kind_of("42501"), ErrorKind::kInvalidArgument);
    for (const char* later : {"57P03", "57P01", "53300", "53100", "08006", "25006", "58030"}) {
        EXPECT_EQ(kind_of(later), ErrorKind::kUnavailable) << later;
    }
    for (const char* slow : {"57014", "55P03", "40001", "40P01"}) EXPECT_EQ(kind_of(slow), ErrorKind::kBusy);
    EXPECT_EQ(kind_of("XX001"), ErrorKind::kCorrupt);
    EXPECT_EQ(kind_of("42601"), ErrorKind::kInternal);
    EXPECT_EQ(kind_of(""), ErrorKind::kInternal);
}

}  // namespace
}  // namespace fieldwarden::supervisor::postgres
