// Opening, and the configuration. The rows of sessions, jobs and the like are in sqlite_store_rows.cpp.
#include "supervisor/store/sqlite_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "supervisor/store/migrations.h"
#include "supervisor/store/plant_records.h"
#include "supervisor/store/sqlite_rows.h"

namespace fieldwarden::supervisor {

bool ChangeSet::empty() const {
    return std::all_of(kinds.begin(), kinds.end(),
                       [](const KindChanges& kind) { return kind.put.empty() && kind.removed.empty(); });
}

Result<std::unique_ptr<Store>> open_sqlite_store(const std::string& path) {
    return SqliteStore::open(path);
}

namespace {

Status load_kind(SqlDatabase& database, Kind kind, Records& records) {
    const auto& schema = schema_of(kind);
    // Ids rise in the order of insertion, which is the order of the workbook.
    auto rows = database.prepare(
        fmt::format("SELECT id{} FROM \"{}\" ORDER BY id", quoted_columns(schema), schema.sheet));
    if (!rows) return rows.error();
    std::vector<std::string> cells(schema.fields.size());
    while (true) {
        const auto row = rows->step();
        if (!row) return row.error();
        if (!*row) return {};
        for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = rows->string(static_cast<int>(i) + 1);
        const auto added =
            add_loaded(records, Record{rows->integer(0), Cells{cells}}, schema, database.path());
        if (!added) return added;
    }
}

Result<std::uint64_t> stored_revision(SqlDatabase& database) {
    const auto revision = database.integer("SELECT value FROM meta WHERE name = 'revision'");
    if (!revision) return revision.error();
    return static_cast<std::uint64_t>(*revision);
}

Result<std::shared_ptr<Plant>> load(SqlDatabase& database) {
    auto plant = std::make_shared<Plant>();
    const auto revision = stored_revision(database);
    if (!revision) return revision.error();
    plant->revision = *revision;
    for (const Kind kind : kAllKinds) {
        if (const auto loaded = load_kind(database, kind, plant->of(kind)); !loaded) return loaded.error();
    }
    return plant;
}

// Writes the puts of one kind and brings `records` to what is stored.
Status put_records(SqlDatabase& database, Kind kind, const std::vector<Record>& puts, Records& records) {
    if (puts.empty()) return {};
    const auto& schema = schema_of(kind);
    std::string marks;
    std::string assignments;
    for (const auto& field : schema.fields) {
        marks += ", ?";
        assignments += fmt::format("{}\"{}\" = ?", assignments.empty() ? "" : ", ", field.name);
    }
    auto insert = database.prepare(fmt::format("INSERT INTO \"{}\" (id{}) VALUES (NULL{})", schema.sheet,
                                               quoted_columns(schema), marks));
    if (!insert) return insert.error();
    auto update =
        database.prepare(fmt::format("UPDATE \"{}\" SET {} WHERE id = ?", schema.sheet, assignments));
    if (!update) return update.error();

    if (records.empty()) records.reserve(puts.size());
    for (const auto& put : puts) {
        if (const auto fits = check_record(schema, put); !fits) return fits;
        Record record = put;
        const auto* known = records.find(put.code());
        if (known != nullptr && known->cells == put.cells) continue;
        auto& statement = known == nullptr ? *insert : *update;
        statement.rewind();
        int at = 0;
        for (const auto cell : record.cells) statement.put(++at, cell);
        if (known != nullptr) statement.put(++at, known->id);
        if (const auto done = statement.run(); !done) return done;
        record.id = known == nullptr ? database.last_insert_id() : known->id;
        if (const auto fits = check_id(kind, record.id); !fits) return fits;
        records.put(std::move(record));
    }
    return {};
}

Status remove_records(SqlDatabase& database, Kind kind, const std::vector<std::string>& codes,
                      Records& records) {
    if (codes.empty()) return {};
    const auto& schema = schema_of(kind);
    auto remove = database.prepare(
        fmt::format("DELETE FROM \"{}\" WHERE \"{}\" = ?", schema.sheet, schema.fields.front().name));
    if (!remove) return remove.error();
    auto forget = database.prepare("DELETE FROM desired WHERE task_code = ?");
    if (!forget) return forget.error();
    for (const auto& code : codes) {
        if (const auto done = remove->bind(code).run(); !done) return done;
        if (kind != Kind::kTask) continue;
        if (const auto done = forget->bind(code).run(); !done) return done;
    }
    records.remove_all(codes);
    return {};
}

}  // namespace

Result<std::unique_ptr<Store>> SqliteStore::open(const std::string& path) {
    std::unique_ptr<SqliteStore> store{new SqliteStore};
    auto writer = SqlDatabase::open(path, SqlDatabase::Mode::kCreate);
    if (!writer) return writer.error();
    store->writer_.database = std::move(*writer);
    if (auto ready = store->configure(); !ready) {
        auto error = ready.error();
        if (error.kind == ErrorKind::kCorrupt) {
            error.message +=
                ". The file is not, or no longer, a sound store; it was left as it is. Restore a "
                "backup, or move it away to start with an empty configuration";
        }
        return error;
    }
    auto reader = SqlDatabase::open(path, SqlDatabase::Mode::kReadWrite);
    if (!reader) return reader.error();
    if (const auto set = reader->execute("PRAGMA query_only = 1"); !set) return set.error();
    store->reader_.database = std::move(*reader);
    return std::unique_ptr<Store>{std::move(store)};
}

Status SqliteStore::configure() {
    auto& database = writer_.database;
    // Looks before it writes: a file that is not ours is left untouched.
    const auto sound = database.text("PRAGMA quick_check(1)");
    if (!sound) return sound.error();
    if (*sound != "ok") {
        return make_error(ErrorKind::kCorrupt, fmt::format("{}: is damaged: {}", database.path(), *sound));
    }
    const auto version = database.integer("PRAGMA user_version");
    if (!version) return version.error();
    if (const auto migrated = migrate_store(database); !migrated) return migrated;
    const auto mode = database.text("PRAGMA journal_mode = WAL");
    if (!mode) return mode.error();
    if (*mode != "wal") {
        return make_error(ErrorKind::kIo,
                          fmt::format("{}: the file system does not allow SQLite's WAL ({}); use a "
                                      "local disk for the data directory",
                                      database.path(), *mode));
    }
    return database.execute("PRAGMA synchronous = FULL");
}

Result<PlantPtr> SqliteStore::load_plant() {
    auto loaded = read([](SqlDatabase& database) { return load(database); });
    if (!loaded) return loaded.error();
    return PlantPtr{std::move(*loaded)};
}

Result<PlantPtr> SqliteStore::apply(const ChangeSet& changes, std::uint64_t expected_revision,
                                    const AuditEntry& audit) {
    auto stored = write(Sync::kFull, [&](SqlDatabase& database) -> Result<PlantPtr> {
        const auto revision = stored_revision(database);
        if (!revision) return revision.error();
        if (*revision != expected_revision) return stale_revision(*revision, expected_revision);
        std::shared_ptr<Plant> plant;
        if (newest_ && newest_->revision == *revision) {
            plant = std::make_shared<Plant>(*newest_);
        } else {
            auto loaded = load(database);
            if (!loaded) return loaded.error();
            plant = std::move(*loaded);
        }
        for (const Kind kind : kAllKinds) {
            const auto& of_kind = changes.of(kind);
            if (const auto done = remove_records(database, kind, of_kind.removed, plant->of(kind)); !done) {
                return done.error();
            }
            if (const auto done = put_records(database, kind, of_kind.put, plant->of(kind)); !done) {
                return done.error();
            }
        }
        plant->revision = *revision + 1;
        auto raise = database.prepare("UPDATE meta SET value = ? WHERE name = 'revision'");
        if (!raise) return raise.error();
        if (const auto done = raise->bind(plant->revision).run(); !done) return done.error();
        if (const auto done = insert_audit(database, audit); !done) return done.error();
        return PlantPtr{std::move(plant)};
    });
    if (stored) {
        const std::lock_guard lock{writer_.mutex};
        if (!newest_ || newest_->revision < (*stored)->revision) newest_ = *stored;
        // The pages that a change went through are not asked for again soon.
        (void)writer_.database.execute("PRAGMA shrink_memory");
    }
    return stored;
}

}  // namespace fieldwarden::supervisor
