#include "common/history/sqlite_db.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace fieldwarden::sqlite {

namespace {

// Damage is told apart from trouble that may pass: the one is moved aside, the other waited out.
ErrorKind kind_of(int code) {
    switch (code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return ErrorKind::kCorrupt;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return ErrorKind::kBusy;
        case SQLITE_INTERRUPT:
            return ErrorKind::kUnavailable;
        case SQLITE_TOOBIG:
            return ErrorKind::kTooLarge;
        case SQLITE_MISUSE:
        case SQLITE_RANGE:
            return ErrorKind::kInternal;
        default:
            return ErrorKind::kIo;
    }
}

Error error_of(sqlite3* db, const std::string& path) {
    const int code = sqlite3_extended_errcode(db);
    return make_error(kind_of(code), fmt::format("{}: {} (SQLite {})", path, sqlite3_errmsg(db), code));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

Statement& Statement::bind(int index, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), index + 1, value);
    return *this;
}
Statement& Statement::bind(int index, std::string_view text) {
    sqlite3_bind_text64(statement_.get(), index + 1, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    return *this;
}
Statement& Statement::bind_blob(int index, ByteSpan bytes) {
    sqlite3_bind_blob64(statement_.get(), index + 1, bytes.data(), bytes.size(), SQLITE_STATIC);
    return *this;
}

Result<bool> Statement::step() {
    switch (sqlite3_step(statement_.get())) {
        case SQLITE_ROW:
            return true;
        case SQLITE_DONE:
            return false;
        default: {
            auto error = error_of(db_, *path_);
            sqlite3_reset(statement_.get());
            return error;
        }
    }
}

Status Statement::run() {
    auto stepped = step();
    reset();
    if (!stepped) return stepped.error();
    return {};
}

void Statement::reset() {
    sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}
std::string_view Statement::text(int column) const {
    const auto* text = sqlite3_column_text(statement_.get(), column);
    if (text == nullptr) return {};
    return {reinterpret_cast<const char*>(text),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
ByteSpan Statement::blob(int column) const {
    const auto* bytes = sqlite3_column_blob(statement_.get(), column);
    if (bytes == nullptr) return {};
    return {static_cast<const std::byte*>(bytes),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}
bool Statement::is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

void Database::Close::operator()(sqlite3* db) const {
    sqlite3_close_v2(db);
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Mode mode) {
    sqlite3* raw = nullptr;
    const int flags =
        mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    const int code = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
    std::unique_ptr<Database> db{new Database{raw, path}};
    if (code != SQLITE_OK) {
        if (raw == nullptr) return make_error(ErrorKind::kIo, fmt::format("{}: no memory to open it", path));
        return error_of(raw, path);
    }
    // The other side holds its locks for milliseconds.
    sqlite3_busy_timeout(raw, 2'000);
    return db;
}

Status Database::exec(const char* sql) {
    if (sqlite3_exec(db_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
        return error_of(db_.get(), path_);
    return {};
}

Result<Statement> Database::prepare(const char* sql) {
    sqlite3_stmt* raw = nullptr;
    if (sqlite3_prepare_v3(db_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) != SQLITE_OK) {
        return error_of(db_.get(), path_);
    }
    return Statement{db_.get(), raw, &path_};
}

Result<std::int64_t> Database::number(const char* sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    const auto row = statement->step();
    if (!row) return row.error();
    return *row ? statement->integer(0) : 0;
}

void Database::interrupt() {
    sqlite3_interrupt(db_.get());
}

Result<Transaction> Transaction::begin(Database& db) {
    // Immediate: a write lock that cannot be had is met here and not in the middle.
    if (auto begun = db.exec("BEGIN IMMEDIATE"); !begun) return begun.error();
    return Transaction{db};
}

Transaction::~Transaction() {
    // Fails harmlessly when SQLite has already rolled back by itself.
    if (db_ != nullptr) (void)db_->exec("ROLLBACK");
}

Status Transaction::commit() {
    auto committed = db_->exec("COMMIT");
    if (committed) db_ = nullptr;
    return committed;
}

}  // namespace fieldwarden::sqlite
