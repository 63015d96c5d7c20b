#include "common/sqlite.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>

namespace fieldwarden {

namespace {

ErrorKind kind_of(int code) {
    switch (code & 0xff) {  // extended codes carry the primary one in the low byte
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return ErrorKind::kBusy;
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return ErrorKind::kCorrupt;
        case SQLITE_CONSTRAINT:
            return ErrorKind::kConflict;
        case SQLITE_TOOBIG:
            return ErrorKind::kTooLarge;
        case SQLITE_IOERR:
        case SQLITE_FULL:
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_AUTH:
            return ErrorKind::kIo;
        default:
            return ErrorKind::kInternal;
    }
}

Error error_of(sqlite3* connection, int code, std::string_view doing) {
    const char* file = connection == nullptr ? nullptr : sqlite3_db_filename(connection, "main");
    const char* detail = connection == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(connection);
    return make_error(
        kind_of(code),
        fmt::format("{}: {}: {}", file == nullptr || *file == '\0' ? "SQLite" : file, doing, detail));
}

constexpr std::string_view kUnprepared = "running a statement that was never prepared";

// Enough of the statement to tell which it was.
std::string_view shown(std::string_view sql) {
    return sql.substr(0, 60);
}

}  // namespace

void SqlStatement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

void SqlStatement::rewind() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
    bind_error_ = SQLITE_OK;
}

void SqlStatement::put(int at, std::int64_t value) {
    if (const int code = sqlite3_bind_int64(statement_.get(), at, value); code != SQLITE_OK)
        bind_error_ = code;
}
void SqlStatement::put(int at, double value) {
    if (const int code = sqlite3_bind_double(statement_.get(), at, value); code != SQLITE_OK)
        bind_error_ = code;
}
void SqlStatement::put(int at, std::string_view value) {
    // A null pointer would bind NULL; an empty view is an empty text.
    const char* data = value.data() == nullptr ? "" : value.data();
    const int code =
        sqlite3_bind_text64(statement_.get(), at, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK) bind_error_ = code;
}
void SqlStatement::put(int at, ByteSpan value) {
    const void* data = value.data() == nullptr ? static_cast<const void*>("") : value.data();
    const int code = sqlite3_bind_blob64(statement_.get(), at, data, value.size(), SQLITE_TRANSIENT);
    if (code != SQLITE_OK) bind_error_ = code;
}
void SqlStatement::put(int at, std::nullptr_t) {
    if (const int code = sqlite3_bind_null(statement_.get(), at); code != SQLITE_OK) bind_error_ = code;
}

Result<bool> SqlStatement::step() {
    if (!statement_) return make_error(ErrorKind::kInternal, std::string{kUnprepared});
    sqlite3* connection = sqlite3_db_handle(statement_.get());
    const std::string_view sql = sqlite3_sql(statement_.get());
    if (bind_error_ != SQLITE_OK) {
        const auto failed = make_error(
            kind_of(bind_error_),
            fmt::format("SQLite: binding a parameter of '{}': {}", shown(sql), sqlite3_errstr(bind_error_)));
        rewind();
        return failed;
    }
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) {
        rewind();
        return false;
    }
    const auto failed = error_of(connection, code, fmt::format("'{}'", shown(sql)));
    rewind();
    return failed;
}

Status SqlStatement::run() {
    while (true) {
        const auto row = step();
        if (!row) return row.error();
        if (!*row) return {};
    }
}

std::int64_t SqlStatement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}
double SqlStatement::number(int column) const {
    return sqlite3_column_double(statement_.get(), column);
}
std::string_view SqlStatement::text(int column) const {
    const auto* data = sqlite3_column_text(statement_.get(), column);
    if (data == nullptr) return {};
    return {reinterpret_cast<const char*>(data),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
ByteSpan SqlStatement::bytes(int column) const {
    const auto* data = sqlite3_column_blob(statement_.get(), column);
    if (data == nullptr) return {};
    return {static_cast<const std::byte*>(data),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
bool SqlStatement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void SqlDatabase::Close::operator()(sqlite3* connection) const {
    sqlite3_close_v2(connection);
}

Result<SqlDatabase> SqlDatabase::open(const std::string& path, Mode mode,
                                      std::chrono::milliseconds busy_timeout) {
    int flags = SQLITE_OPEN_READONLY;
    if (mode != Mode::kReadOnly) flags = SQLITE_OPEN_READWRITE;
    if (mode == Mode::kCreate) {
        // SQLite would create it with the umask's mode.
        const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (file < 0) {
            return make_error(ErrorKind::kIo,
                              fmt::format("{}: cannot be opened for writing: {}", path, errno_text(errno)));
        }
        ::close(file);
    }
    sqlite3* connection = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    SqlDatabase database;
    database.connection_.reset(connection);
    database.path_ = path;
    if (code != SQLITE_OK) {
        return make_error(kind_of(code), fmt::format("{}: cannot be opened: {}", path, sqlite3_errstr(code)));
    }
    sqlite3_extended_result_codes(connection, 1);
    sqlite3_busy_timeout(connection, static_cast<int>(busy_timeout.count()));
    return database;
}

Status SqlDatabase::execute(const std::string& sql) {
    const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error_of(connection_.get(), code, fmt::format("'{}'", shown(sql)));
    return {};
}

Result<SqlStatement> SqlDatabase::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()), 0,
                                        &statement, nullptr);
    if (code != SQLITE_OK) return error_of(connection_.get(), code, fmt::format("'{}'", shown(sql)));
    SqlStatement prepared;
    prepared.statement_.reset(statement);
    return prepared;
}

namespace {

Status first_row(const Result<bool>& row, std::string_view sql) {
    if (!row) return row.error();
    if (!*row) return make_error(ErrorKind::kNotFound, fmt::format("SQLite: '{}' gave no row", shown(sql)));
    return {};
}

}  // namespace

Result<std::int64_t> SqlDatabase::integer(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    if (const auto row = first_row(statement->step(), sql); !row) return row.error();
    return statement->integer(0);
}

Result<std::string> SqlDatabase::text(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    if (const auto row = first_row(statement->step(), sql); !row) return row.error();
    return statement->string(0);
}

std::int64_t SqlDatabase::last_insert_id() const {
    return sqlite3_last_insert_rowid(connection_.get());
}
std::int64_t SqlDatabase::changes() const {
    return sqlite3_changes64(connection_.get());
}

Result<SqlTransaction> SqlTransaction::begin(SqlDatabase& database) {
    if (const auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return begun.error();
    return SqlTransaction{database};
}

SqlTransaction::~SqlTransaction() {
    // Fails when SQLite has rolled back by itself (disk full); then there is nothing left to undo.
    if (database_ != nullptr) static_cast<void>(database_->execute("ROLLBACK"));
}

Status SqlTransaction::commit() {
    if (const auto done = database_->execute("COMMIT"); !done) return done.error();
    database_ = nullptr;
    return {};
}

}  // namespace fieldwarden
