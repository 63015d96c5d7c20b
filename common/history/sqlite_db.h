// SQLite as Fieldwarden uses it: RAII over the C interface, errors as values.
//
// Threads. A Database and its Statements belong to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/bytes.h"
#include "common/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fieldwarden::sqlite {

// A prepared statement. Columns and parameters count from 0.
class Statement {
  public:
    Statement() = default;
    Statement(sqlite3* db, sqlite3_stmt* statement, const std::string* path)
        : db_(db), statement_(statement), path_(path) {}

    Statement& bind(int index, std::int64_t value);
    Statement& bind(int index, std::string_view text);
    // The bytes must live until the next step.
    Statement& bind_blob(int index, ByteSpan bytes);
    // Whether there is a row.
    Result<bool> step();
    // For statements without rows: runs once and makes it ready for the next time.
    Status run();
    void reset();

    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string_view text(int column) const;  // valid until the next step
    [[nodiscard]] ByteSpan blob(int column) const;          // valid until the next step
    [[nodiscard]] bool is_null(int column) const;

  private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    sqlite3* db_ = nullptr;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    const std::string* path_ = nullptr;
};

class Database {
  public:
    enum class Mode : std::uint8_t { kReadOnly, kReadWrite };
    // kNotFound when a read-only database does not exist; kReadWrite creates it.
    static Result<std::unique_ptr<Database>> open(const std::string& path, Mode mode);

    Status exec(const char* sql);
    Result<Statement> prepare(const char* sql);
    // One number, for `PRAGMA name` and `SELECT count(*) …`.
    Result<std::int64_t> number(const char* sql);
    // Makes a running statement end soon with kUnavailable. Thread safe.
    void interrupt();
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    struct Close {
        void operator()(sqlite3* db) const;
    };
    Database(sqlite3* db, std::string path) : path_(std::move(path)), db_(db) {}

    std::string path_;
    std::unique_ptr<sqlite3, Close> db_;
};

// Commits on commit(); rolls back when destroyed before.
class Transaction {
  public:
    static Result<Transaction> begin(Database& db);
    ~Transaction();
    Transaction(Transaction&& other) noexcept : db_(other.db_) { other.db_ = nullptr; }
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    Transaction& operator=(Transaction&&) = delete;
    Status commit();

  private:
    explicit Transaction(Database& db) : db_(&db) {}
    Database* db_;
};

}  // namespace fieldwarden::sqlite
