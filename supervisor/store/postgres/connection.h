// One connection to PostgreSQL over libpq's non-blocking calls, so that every wait ends: a server that is
// frozen or cut off costs seconds, not the thread.
//
// Threads. A connection belongs to one thread at a time; the caller locks. Errors. The text names host, port
// and database and what to check, never the password. kUnavailable: the server cannot be reached, is shutting
// down or has no room; kBusy: it took longer than it may; kConflict: a constraint; kInvalidArgument: it does
// not let us in, or the user may not do this.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "common/result.h"
#include "supervisor/store/postgres/address.h"

struct pg_conn;
struct pg_result;

namespace fieldwarden::supervisor::postgres {

// Text that is JSON: a parameter of type json.
struct JsonText {
    std::string text;
};
// Arrays, as parameters of bulk statements.
struct TextArray {
    std::vector<std::string_view> items;
};
struct IdArray {
    std::vector<std::int64_t> items;
};

// What is kept of a text. Those of devices may be no UTF-8; they are stored readable rather than refused. NUL
// is the one character that text cannot hold.
std::string storable(std::string_view text);

// Parameters of a statement, $1 first, each with its type, so that the server has nothing to guess. Numbers,
// times and days travel in the binary format (PostgreSQL 15, "Message Data Types"; timestamptz: microseconds,
// date: days, both since 2000-01-01). Text is made storable: what is no UTF-8, and NUL, becomes U+FFFD.
class Parameters {
  public:
    template <class... Values>
    explicit Parameters(const Values&... values) {
        (add(values), ...);
    }
    void add(std::int64_t value);
    void add(int value) { add(static_cast<std::int64_t>(value)); }
    void add(std::uint32_t value) { add(static_cast<std::int64_t>(value)); }
    // Kept as the signed integer of the same bits.
    void add(std::uint64_t value) { add(static_cast<std::int64_t>(value)); }
    void add(double value);
    void add(bool value);
    void add(UtcTime value);
    void add(std::chrono::sys_days value);
    void add(std::string_view value);
    void add(const std::string& value) { add(std::string_view{value}); }
    void add(const char* value) { add(std::string_view{value}); }
    void add(const JsonText& value);
    void add(const TextArray& value);
    void add(const IdArray& value);
    template <class T>
    void add(const std::optional<T>& value) {
        add(value.value_or(T{}));
        if (!value) values_.back().reset();
    }

  private:
    friend class Connection;
    void put(unsigned type, bool binary, std::string value);
    std::vector<std::optional<std::string>> values_;
    std::vector<unsigned> types_;
    std::vector<int> formats_;
};

// What a statement gave. Rows and columns count from 0; columns are read as what they are declared.
class Answer {
  public:
    [[nodiscard]] int rows() const;
    [[nodiscard]] std::int64_t changed() const;  // rows that were inserted, changed or deleted
    [[nodiscard]] bool is_null(int row, int column) const;
    [[nodiscard]] std::string_view text(int row, int column) const;  // text, json, name
    [[nodiscard]] std::int64_t integer(int row, int column) const;   // bigint, integer
    [[nodiscard]] double number(int row, int column) const;          // double precision
    [[nodiscard]] bool boolean(int row, int column) const;
    [[nodiscard]] UtcTime time(int row, int column) const;               // timestamptz
    [[nodiscard]] std::chrono::sys_days day(int row, int column) const;  // date

  private:
    friend class Connection;
    struct Clear {
        void operator()(pg_result* result) const;
    };
    std::unique_ptr<pg_result, Clear> result_;
};

class Connection {
  public:
    // Connects, signs in and sets the session up. Takes kConnectTimeout at most, after the host's name is
    // resolved.
    static Result<std::unique_ptr<Connection>> open(const Address& address);

    // One statement.
    Result<Answer> run(const std::string& statement, const Parameters& parameters = Parameters{});
    // Several, separated by ';'; the rows of the last one, whose values are all text.
    Result<Answer> script(const std::string& statements);
    Status execute(const std::string& statements);

    // What has become of the connection: once it is not kGood it is of no further use.
    enum class Health : std::uint8_t {
        kGood,
        kLost,    // it ended
        kSilent,  // the server said nothing in time
    };
    [[nodiscard]] Health health() const { return health_; }
    [[nodiscard]] const std::string& label() const { return label_; }

    static constexpr std::chrono::milliseconds kConnectTimeout{3'000};
    // The server gives a statement up after this long …
    static constexpr std::chrono::milliseconds kStatementTimeout{5'000};
    // … and we the server, when nothing at all comes from it.
    static constexpr std::chrono::milliseconds kSilence{6'000};

  private:
    struct Close {
        void operator()(pg_conn* connection) const;
    };
    Connection() = default;
    Status sign_in();
    Status wait(bool write, std::chrono::steady_clock::time_point deadline);
    Status send_rest();
    Result<Answer> collect();
    Error lost();
    Error refused_connection();
    Error refused(const pg_result* result);

    std::string label_;
    std::unique_ptr<pg_conn, Close> connection_;
    Health health_ = Health::kGood;
};

}  // namespace fieldwarden::supervisor::postgres
