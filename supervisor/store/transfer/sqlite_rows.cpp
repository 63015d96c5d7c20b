#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "common/sqlite.h"
#include "supervisor/store/migrations.h"
#include "supervisor/store/transfer/row_store.h"

namespace fieldwarden::supervisor::transfer {

namespace {

std::string quoted(const Table& table) {
    std::string columns;
    for (const auto& column : table.columns)
        columns += fmt::format("{}\"{}\"", columns.empty() ? "" : ", ", column.name);
    return columns;
}

Cell cell(const SqlStatement& row, int at, ColumnType type) {
    if (row.is_null(at)) return {};
    switch (type) {
        case ColumnType::kReal:
            return row.number(at);
        case ColumnType::kText:
        case ColumnType::kJson:
            return row.string(at);
        case ColumnType::kInteger:
        case ColumnType::kTime:
        case ColumnType::kFlag:
        case ColumnType::kDay:
            return row.integer(at);
    }
    return {};
}

class SqliteSource final : public RowSource {
  public:
    explicit SqliteSource(SqlDatabase database) : database_(std::move(database)) {}

    Status read(const Table& table, const std::function<Status(const Row&)>& take) override {
        auto rows =
            database_.prepare(fmt::format("SELECT {} FROM \"{}\" ORDER BY 1", quoted(table), table.name));
        if (!rows) return rows.error();
        Row row(table.columns.size());
        for (;;) {
            const auto more = rows->step();
            if (!more) return more.error();
            if (!*more) return {};
            for (std::size_t i = 0; i < row.size(); ++i)
                row[i] = cell(*rows, static_cast<int>(i), table.columns[i].type);
            if (const auto taken = take(row); !taken) return taken;
        }
    }
    Result<std::int64_t> last_id(const Table& table) override {
        return database_.integer(
            fmt::format("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '{}'", table.name));
    }
    Result<std::int64_t> revision() override {
        return database_.integer("SELECT value FROM meta WHERE name = 'revision'");
    }

  private:
    SqlDatabase database_;
};

class SqliteTarget final : public RowTarget {
  public:
    explicit SqliteTarget(SqlDatabase database) : database_(std::move(database)) {}
    Status begin() {
        // By hand, not by SqlTransaction: that one refers to a database that does not move.
        return database_.execute("BEGIN IMMEDIATE");
    }
    Status write(const Table& table, const Row& row) override {
        auto found = inserts_.find(table.name);
        if (found == inserts_.end()) {
            std::string places;
            for (std::size_t i = 0; i < table.columns.size(); ++i) places += i == 0 ? "?" : ", ?";
            auto made = database_.prepare(
                fmt::format("INSERT INTO \"{}\" ({}) VALUES ({})", table.name, quoted(table), places));
            if (!made) return made.error();
            found = inserts_.emplace(table.name, std::move(*made)).first;
        }
        auto& insert = found->second;
        insert.rewind();
        for (std::size_t i = 0; i < row.size(); ++i) {
            const int at = static_cast<int>(i) + 1;
            if (std::holds_alternative<std::monostate>(row[i]))
                insert.put(at, nullptr);
            else if (const auto* number = std::get_if<std::int64_t>(&row[i]))
                insert.put(at, *number);
            else if (const auto* real = std::get_if<double>(&row[i]))
                insert.put(at, *real);
            else
                insert.put(at, std::get<std::string>(row[i]));
        }
        return insert.run();
    }
    Status set_last_id(const Table& table, std::int64_t id) override {
        const auto done =
            database_.execute(fmt::format("DELETE FROM sqlite_sequence WHERE name = '{}'", table.name));
        if (!done) return done;
        return database_.execute(
            fmt::format("INSERT INTO sqlite_sequence (name, seq) VALUES ('{}', {})", table.name, id));
    }
    Status set_revision(std::int64_t revision) override {
        return database_.execute(fmt::format("UPDATE meta SET value = {} WHERE name = 'revision'", revision));
    }
    Status commit() override {
        inserts_.clear();
        return database_.execute("COMMIT");
    }

  private:
    SqlDatabase database_;
    std::map<std::string, SqlStatement, std::less<>> inserts_;
};

}  // namespace

Result<std::unique_ptr<RowSource>> open_sqlite_source(const std::string& path) {
    // The last connection to close takes -wal and -shm away, but not one that may only read. Where the file
    // or its folder cannot be written there is no other.
    const auto folder = std::filesystem::path{path}.parent_path();
    const bool ours =
        ::access(path.c_str(), W_OK) == 0 && ::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0;
    auto database =
        SqlDatabase::open(path, ours ? SqlDatabase::Mode::kReadWrite : SqlDatabase::Mode::kReadOnly);
    if (!database) return database.error();
    if (const auto set = database->execute("PRAGMA query_only = 1"); !set) return set.error();
    const auto version = database->integer("PRAGMA user_version");
    if (!version) return version.error();
    const auto application = database->integer("PRAGMA application_id");
    if (!application) return application.error();
    if (*application != kStoreApplicationId) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("{}: is no store or backup of Fieldwarden", path));
    }
    if (*version != kStoreSchemaVersion) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("{}: written by another version of Fieldwarden (schema {}, this program "
                        "knows {}); use that version, or let this one's supervisor start on it once",
                        path, *version, kStoreSchemaVersion));
    }
    // One moment for all tables.
    if (const auto begun = database->execute("BEGIN"); !begun) return begun.error();
    return std::unique_ptr<RowSource>{new SqliteSource{std::move(*database)}};
}

Result<std::unique_ptr<RowTarget>> open_sqlite_target(const std::string& path) {
    auto database = SqlDatabase::open(path, SqlDatabase::Mode::kCreate);
    if (!database) return database.error();
    if (const auto migrated = migrate_store(*database); !migrated) return migrated.error();
    for (const auto& table : tables()) {
        const auto rows = database->integer(fmt::format("SELECT count(*) FROM \"{}\"", table.name));
        if (!rows) return rows.error();
        if (*rows > 0) {
            return make_error(
                ErrorKind::kConflict,
                fmt::format("{}: holds something already ({} rows in {}); nothing was changed. Name "
                            "a file that is not there yet, or move this one away",
                            path, *rows, table.name));
        }
    }
    auto target = std::make_unique<SqliteTarget>(std::move(*database));
    if (const auto begun = target->begin(); !begun) return begun.error();
    return std::unique_ptr<RowTarget>{std::move(target)};
}

}  // namespace fieldwarden::supervisor::transfer
