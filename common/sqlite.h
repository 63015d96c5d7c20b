// A thin owner of SQLite handles: connections, statements and transactions that close themselves and speak
// Result<T>. Used by the configuration store and the embedded history.
//
// Threads. A connection and its statements belong to one thread at a time; the caller locks. Errors. kBusy:
// the database stayed locked over the busy timeout; kCorrupt: not a database, or damaged; kConflict: a
// constraint; kIo: disk full, read-only or unreadable; the text names the file and what was being done.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/bytes.h"
#include "common/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace fieldwarden {

// A prepared statement. Parameters are bound in order; a failed bind is reported by the next step().
class SqlStatement {
  public:
    // Rewinds and binds all parameters, first to last. Text and bytes are copied.
    template <class... Values>
    SqlStatement& bind(const Values&... values) {
        rewind();
        int at = 0;
        (put(++at, values), ...);
        return *this;
    }
    // One parameter, counted from 1, for statements whose number of parameters is not known when compiling.
    void put(int at, std::int64_t value);
    void put(int at, double value);
    void put(int at, std::string_view value);
    void put(int at, ByteSpan value);
    void put(int at, std::nullptr_t);
    void put(int at, bool value) { put(at, static_cast<std::int64_t>(value)); }
    void put(int at, int value) { put(at, static_cast<std::int64_t>(value)); }
    void put(int at, std::uint32_t value) { put(at, static_cast<std::int64_t>(value)); }
    // Kept as the signed integer of the same bits.
    void put(int at, std::uint64_t value) { put(at, static_cast<std::int64_t>(value)); }
    void put(int at, const char* value) { put(at, std::string_view{value}); }
    void put(int at, const std::string& value) { put(at, std::string_view{value}); }
    template <class T>
    void put(int at, const std::optional<T>& value) {
        if (value) {
            put(at, *value);
        } else {
            put(at, nullptr);
        }
    }

    // True: a row is there to read. False: done, and the statement is rewound.
    Result<bool> step();
    // Steps to the end; for statements that give no rows.
    Status run();
    // Ready to run again; parameters are forgotten.
    void rewind();

    // Columns of the current row, counted from 0. Views hold until the next step().
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] double number(int column) const;
    [[nodiscard]] std::string_view text(int column) const;
    [[nodiscard]] ByteSpan bytes(int column) const;
    [[nodiscard]] bool is_null(int column) const;
    [[nodiscard]] std::string string(int column) const { return std::string{text(column)}; }

  private:
    friend class SqlDatabase;
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int bind_error_ = 0;
};

class SqlDatabase {
  public:
    enum class Mode : std::uint8_t { kReadOnly, kReadWrite, kCreate };

    // A new file gets mode 0600: the store may hold passwords of devices.
    static Result<SqlDatabase> open(const std::string& path, Mode mode,
                                    std::chrono::milliseconds busy_timeout = std::chrono::seconds{5});

    // One or more statements without parameters and without rows of interest.
    Status execute(const std::string& sql);
    Result<SqlStatement> prepare(std::string_view sql);
    // The single value of a query such as a PRAGMA; kNotFound when there is no row.
    Result<std::int64_t> integer(std::string_view sql);
    Result<std::string> text(std::string_view sql);

    [[nodiscard]] std::int64_t last_insert_id() const;
    [[nodiscard]] std::int64_t changes() const;  // rows the last statement changed
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    struct Close {
        void operator()(sqlite3* connection) const;
    };
    std::unique_ptr<sqlite3, Close> connection_;
    std::string path_;
};

// BEGIN IMMEDIATE now; ROLLBACK when it goes out of scope without commit().
class SqlTransaction {
  public:
    static Result<SqlTransaction> begin(SqlDatabase& database);
    SqlTransaction(SqlTransaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    SqlTransaction& operator=(SqlTransaction&&) = delete;
    ~SqlTransaction();
    Status commit();

  private:
    explicit SqlTransaction(SqlDatabase& database) : database_(&database) {}
    SqlDatabase* database_;
};

}  // namespace fieldwarden
