#include "worker/sinks/history/history_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "common/data_paths.h"
#include "common/history/history_format.h"

namespace fieldwarden::worker {

namespace {

// Readers never hold the write lock; whoever does is not waited for longer than a stop may take.
constexpr std::chrono::milliseconds kBusyTimeout{1'000};

std::int64_t micros(UtcTime time) {
    return time.time_since_epoch().count();
}

// Sequence numbers and versions use all 64 bits; SQLite's integers are signed.
std::int64_t stored(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

}  // namespace

HistoryWriter::HistoryWriter(SqlDatabase db, const HistoryConfig& config, const CompactionLimits& limits)
    : db_(std::move(db)), config_(config), limits_(limits) {}

Result<std::unique_ptr<HistoryWriter>> HistoryWriter::open(const std::string& path,
                                                           const HistoryConfig& config,
                                                           const CompactionLimits& limits) {
    if (auto made = make_directories(path.substr(0, path.rfind('/'))); !made) return made.error();
    auto db = SqlDatabase::open(path, SqlDatabase::Mode::kCreate, kBusyTimeout);
    if (!db) return db.error();
    std::unique_ptr<HistoryWriter> writer{new HistoryWriter{std::move(*db), config, limits}};
    if (auto prepared = writer->prepare(); !prepared) return prepared.error();
    return writer;
}

Status HistoryWriter::prepare() {
    // auto_vacuum takes effect only before the first table.
    for (const char* pragma :
         {"PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL",
          "PRAGMA cache_size=-512", "PRAGMA journal_size_limit=16777216"}) {
        if (auto done = db_.execute(pragma); !done) return done;
    }
    const auto version = history::number(db_, "PRAGMA user_version");
    if (!version) return version.error();
    if (*version > history::kSchemaVersion) {
        return make_error(ErrorKind::kConflict,
                          fmt::format("{} was written by a newer version (schema {}, known {})", db_.path(),
                                      *version, history::kSchemaVersion));
    }
    if (*version == 0) {
        auto transaction = SqlTransaction::begin(db_);
        if (!transaction) return transaction.error();
        if (auto created = db_.execute(history::kSchema); !created) return created;
        const auto stamp = fmt::format("PRAGMA user_version={}", history::kSchemaVersion);
        if (auto stamped = db_.execute(stamp); !stamped) return stamped;
        if (auto committed = transaction->commit(); !committed) return committed;
    }
    auto insert = db_.prepare(
        "INSERT INTO frames (seq, t_first, t_last, point_least, point_most, samples, block) VALUES (?, ?, ?, "
        "?, ?, "
        "?, ?)");
    if (!insert) return insert.error();
    insert_frame_ = std::move(*insert);
    auto set = db_.prepare(
        "INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = "
        "excluded.value");
    if (!set) return set.error();
    set_meta_ = std::move(*set);

    const auto meta = [&](const char* key) {
        return history::number(db_, fmt::format("SELECT value FROM meta WHERE key = '{}'", key));
    };
    const auto applied = meta(history::kMetaAppliedSeq);
    if (!applied) return applied.error();
    applied_seq_ = static_cast<std::uint64_t>(*applied);
    const auto directory = meta(history::kMetaDirectory);
    if (!directory) return directory.error();
    directory_version_ = static_cast<std::uint64_t>(*directory);

    compactor_ = std::make_unique<HistoryCompactor>(db_, config_, limits_);
    return compactor_->open();
}

Result<std::string> HistoryWriter::move_aside(const std::string& path, UtcTime now) {
    std::string aside = fmt::format("{}.damaged-{}", path, micros(now) / 1'000'000);
    if (std::rename(path.c_str(), aside.c_str()) != 0) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot move the damaged {} aside: {}", path, errno_text(errno)));
    }
    // The log belongs to the damaged file; left here it would be replayed into the new one.
    for (const char* suffix : {"-wal", "-shm"})
        std::rename((path + suffix).c_str(), (aside + suffix).c_str());
    return aside;
}

Status HistoryWriter::set_meta(const char* key, std::uint64_t value) {
    return set_meta_.bind(std::string_view{key}, stored(value)).run();
}

Status HistoryWriter::write(const DeliveryBatch& batch) {
    if (batch.records.empty() || batch.records.back().seq <= applied_seq_) return {};
    auto transaction = SqlTransaction::begin(db_);
    if (!transaction) return transaction.error();
    const bool new_directory = batch.directory != nullptr && batch.directory_version != directory_version_;
    if (new_directory) {
        if (auto written = write_directory(*batch.directory); !written) return written;
        if (auto set = set_meta(history::kMetaDirectory, batch.directory_version); !set) return set;
    }
    std::uint64_t samples = 0;
    for (const auto& record : batch.records) {
        if (record.seq <= applied_seq_ || record.samples.empty()) continue;
        const auto [first, last] = std::minmax_element(record.samples.begin(), record.samples.end(),
                                                       [](auto& a, auto& b) { return a.time < b.time; });
        const auto [least, most] = std::minmax_element(record.samples.begin(), record.samples.end(),
                                                       [](auto& a, auto& b) { return a.point < b.point; });
        auto inserted = insert_frame_
                            .bind(stored(record.seq), micros(first->time), micros(last->time),
                                  std::int64_t{least->point}, std::int64_t{most->point},
                                  static_cast<std::int64_t>(record.samples.size()), record.block)
                            .run();
        if (!inserted) return inserted;
        samples += record.samples.size();
    }
    if (auto set = set_meta(history::kMetaAppliedSeq, batch.records.back().seq); !set) return set;
    if (auto committed = transaction->commit(); !committed) return committed;
    applied_seq_ = batch.records.back().seq;
    if (new_directory) directory_version_ = batch.directory_version;
    compactor_->added(samples);
    return {};
}

Status HistoryWriter::write_directory(const PointDirectory& directory) {
    auto upsert = db_.prepare(
        "INSERT INTO points (id, point_code, device_code, site_code, unit, data_type) VALUES (?, ?, ?, ?, ?, "
        "?) "
        "ON CONFLICT (id) DO UPDATE SET point_code = excluded.point_code, device_code = "
        "excluded.device_code, "
        "site_code = excluded.site_code, unit = excluded.unit, data_type = excluded.data_type");
    if (!upsert) return upsert.error();
    for (const auto& [id, point] : directory) {
        auto written =
            upsert
                ->bind(std::int64_t{id}, std::string_view{point.point_code},
                       std::string_view{point.device_code}, std::string_view{point.site_code},
                       std::string_view{point.unit}, std::string_view{format_data_type(point.data_type)})
                .run();
        if (!written) return written;
    }
    return {};
}

Result<bool> HistoryWriter::maintain(UtcTime now) {
    return compactor_->step(now);
}

}  // namespace fieldwarden::worker
