// Opening, and the configuration. The rows of sessions, jobs and the like are in postgres_store_rows.cpp.
#include "supervisor/store/postgres/postgres_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "supervisor/store/plant_records.h"
#include "supervisor/store/postgres/rows.h"
#include "supervisor/store/postgres/schema.h"

namespace fieldwarden::supervisor {

using namespace postgres;

namespace {

// How long the start of a supervisor waits for one that is leaving, and a connection that is made again for
// the server to let go of the one before.
constexpr std::chrono::milliseconds kPatienceAtStart{10'000};
constexpr std::chrono::milliseconds kPatienceLater{2'000};
// Rows of one statement, so that each stays far below the time a statement may take.
constexpr std::size_t kSlice = 5'000;

Status load_kind(Connection& connection, Kind kind, Records& records) {
    const auto& schema = schema_of(kind);
    // Ids rise in the order of insertion, which is the order of the workbook.
    const auto sql = fmt::format("SELECT id{} FROM \"{}\" WHERE id > $1 ORDER BY id LIMIT {}",
                                 quoted_columns(schema), schema.sheet, kSlice);
    std::vector<std::string> cells(schema.fields.size());
    for (std::int64_t last = 0;;) {
        const auto rows = connection.run(sql, Parameters{last});
        if (!rows) return rows.error();
        for (int row = 0; row < rows->rows(); ++row) {
            last = rows->integer(row, 0);
            for (std::size_t i = 0; i < cells.size(); ++i) {
                cells[i] = rows->text(row, static_cast<int>(i) + 1);
            }
            const auto added = add_loaded(records, Record{last, Cells{cells}}, schema, connection.label());
            if (!added) return added;
        }
        if (static_cast<std::size_t>(rows->rows()) < kSlice) return {};
    }
}

Result<std::uint64_t> stored_revision(Connection& connection) {
    const auto revision = integer_of(connection, "SELECT value FROM meta WHERE name = 'revision'");
    if (!revision) return revision.error();
    return static_cast<std::uint64_t>(*revision);
}

Result<std::shared_ptr<Plant>> load(Connection& connection) {
    auto plant = std::make_shared<Plant>();
    const auto revision = stored_revision(connection);
    if (!revision) return revision.error();
    plant->revision = *revision;
    for (const Kind kind : kAllKinds) {
        if (const auto loaded = load_kind(connection, kind, plant->of(kind)); !loaded) return loaded.error();
    }
    return plant;
}

// Writes records a slice at a time; `sql` takes the ids, then a column of texts per field.
Status write_slices(Connection& connection, const KindSchema& schema, const std::string& sql,
                    const std::vector<const Record*>& records) {
    for (std::size_t from = 0; from < records.size(); from += kSlice) {
        const auto to = std::min(from + kSlice, records.size());
        IdArray ids;
        std::vector<TextArray> columns(schema.fields.size());
        for (auto at = from; at < to; ++at) {
            ids.items.push_back(records[at]->id);
            std::size_t field = 0;
            for (const auto cell : records[at]->cells) columns.at(field++).items.push_back(cell);
        }
        Parameters parameters{ids};
        for (const auto& column : columns) parameters.add(column);
        if (const auto done = connection.run(sql, parameters); !done) return done.error();
    }
    return {};
}

Status insert_records(Connection& connection, const KindSchema& schema,
                      const std::vector<const Record*>& records) {
    return write_slices(connection, schema,
                        fmt::format("INSERT INTO \"{}\" (id{}) SELECT * FROM unnest({})", schema.sheet,
                                    quoted_columns(schema), places(schema.fields.size() + 1, 1)),
                        records);
}

Status update_records(Connection& connection, const KindSchema& schema,
                      const std::vector<const Record*>& records) {
    std::string assignments;
    for (const auto& field : schema.fields) {
        assignments += fmt::format("{0}\"{1}\" = new.\"{1}\"", assignments.empty() ? "" : ", ", field.name);
    }
    return write_slices(
        connection, schema,
        fmt::format("UPDATE \"{0}\" SET {1} FROM unnest({2}) AS new (id{3}) WHERE \"{0}\".id "
                    "= new.id",
                    schema.sheet, assignments, places(schema.fields.size() + 1, 1), quoted_columns(schema)),
        records);
}

// Writes the puts of one kind and brings `records` to what is stored.
Status put_records(Connection& connection, Kind kind, const std::vector<Record>& puts, Records& records) {
    if (puts.empty()) return {};
    const auto& schema = schema_of(kind);
    const auto before =
        integer_of(connection, fmt::format("SELECT last FROM last_ids WHERE name = '{}'", schema.sheet));
    if (!before) return before.error();
    auto last = *before;

    // A code may be put more than once; what counts is what it ends as.
    std::vector<std::string> touched;
    std::unordered_set<std::string_view> seen;
    if (records.empty()) records.reserve(puts.size());
    for (const auto& put : puts) {
        if (const auto fits = check_record(schema, put); !fits) return fits;
        const auto* known = records.find(put.code());
        if (known != nullptr && known->cells == put.cells) continue;
        Record record = put;
        record.id = known == nullptr ? ++last : known->id;
        if (const auto fits = check_id(kind, record.id); !fits) return fits;
        if (seen.insert(put.code()).second) touched.emplace_back(put.code());
        records.put(std::move(record));
    }
    std::vector<const Record*> added;
    std::vector<const Record*> changed;
    for (const auto& code : touched) {
        const auto* record = records.find(code);
        (record->id > *before ? added : changed).push_back(record);
    }
    if (const auto done = insert_records(connection, schema, added); !done) return done;
    if (const auto done = update_records(connection, schema, changed); !done) return done;
    return run(connection, "UPDATE last_ids SET last = $1 WHERE name = $2", last, schema.sheet);
}

Status remove_records(Connection& connection, Kind kind, const std::vector<std::string>& codes,
                      Records& records) {
    if (codes.empty()) return {};
    const auto& schema = schema_of(kind);
    for (std::size_t from = 0; from < codes.size(); from += kSlice) {
        TextArray slice;
        for (auto at = from; at < std::min(from + kSlice, codes.size()); ++at) {
            slice.items.push_back(codes[at]);
        }
        const auto removed = run(connection,
                                 fmt::format("DELETE FROM \"{}\" WHERE \"{}\" = ANY ($1)", schema.sheet,
                                             schema.fields.front().name),
                                 slice);
        if (!removed) return removed;
        if (kind != Kind::kTask) continue;
        const auto forgotten = run(connection, "DELETE FROM desired WHERE task_code = ANY ($1)", slice);
        if (!forgotten) return forgotten;
    }
    records.remove_all(codes);
    return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_postgres_store(std::string_view url) {
    return PostgresStore::open(url);
}

PostgresStore::PostgresStore(Address address)
    : address_(std::move(address)),
      writer_(Link::Use::kWrite, address_,
              [this](Connection& connection) { return prepare_writer(connection); }),
      reader_(Link::Use::kRead, address_, [](Connection& connection) { return check_version(connection); }) {}

Result<std::unique_ptr<Store>> PostgresStore::open(std::string_view url) {
    auto address = read_address(url);
    if (!address) return address.error();
    std::unique_ptr<PostgresStore> store{new PostgresStore{std::move(*address)}};
    if (const auto opened = store->writer_.open(); !opened) return opened.error();
    if (const auto opened = store->reader_.open(); !opened) return opened.error();
    return std::unique_ptr<Store>{std::move(store)};
}

// Runs under the writer's lock.
Status PostgresStore::prepare_writer(Connection& connection) {
    const auto owned = take_ownership(connection, address_, opened_ ? kPatienceLater : kPatienceAtStart);
    if (!owned) return owned;
    if (opened_) {
        // Somebody else may have had the store meanwhile.
        const std::lock_guard lock{newest_mutex_};
        newest_.reset();
        return check_version(connection);
    }
    if (const auto migrated = migrate(connection); !migrated) return migrated;
    opened_ = true;
    return {};
}

Result<PlantPtr> PostgresStore::load_plant() {
    auto loaded = read([](Connection& connection) { return load(connection); });
    if (!loaded) return loaded.error();
    return PlantPtr{std::move(*loaded)};
}

Result<PlantPtr> PostgresStore::apply(const ChangeSet& changes, std::uint64_t expected_revision,
                                      const AuditEntry& audit) {
    auto stored = write([&](Connection& connection) -> Result<PlantPtr> {
        const auto revision = stored_revision(connection);
        if (!revision) return revision.error();
        if (*revision != expected_revision) return stale_revision(*revision, expected_revision);
        std::shared_ptr<Plant> plant;
        if (const std::lock_guard lock{newest_mutex_}; newest_ && newest_->revision == *revision) {
            plant = std::make_shared<Plant>(*newest_);
        }
        if (!plant) {
            auto loaded = load(connection);
            if (!loaded) return loaded.error();
            plant = std::move(*loaded);
        }
        for (const Kind kind : kAllKinds) {
            const auto& of_kind = changes.of(kind);
            if (const auto done = remove_records(connection, kind, of_kind.removed, plant->of(kind)); !done) {
                return done.error();
            }
            if (const auto done = put_records(connection, kind, of_kind.put, plant->of(kind)); !done) {
                return done.error();
            }
        }
        plant->revision = *revision + 1;
        const auto raised =
            run(connection, "UPDATE meta SET value = $1 WHERE name = 'revision'", plant->revision);
        if (!raised) return raised.error();
        if (const auto done = insert_audit(connection, audit); !done) return done.error();
        return PlantPtr{std::move(plant)};
    });
    if (stored) {
        const std::lock_guard lock{newest_mutex_};
        if (!newest_ || newest_->revision < (*stored)->revision) newest_ = *stored;
    }
    return stored;
}

Status PostgresStore::delete_slices(const std::string& sql, UtcTime before) {
    for (;;) {
        const auto deleted = write([&](Connection& connection) -> Result<std::int64_t> {
            const auto done = connection.run(fmt::format(fmt::runtime(sql), kSlice), Parameters{before});
            if (!done) return done.error();
            return done->changed();
        });
        if (!deleted) return deleted.error();
        if (static_cast<std::size_t>(*deleted) < kSlice) return {};
    }
}

}  // namespace fieldwarden::supervisor
