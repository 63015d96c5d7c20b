// The embedded history: one SQLite database per task, <data-dir>/history/<task_code>.db, written by the
// task's worker, read by anyone (common/history/history_reader.h).
//
// Data goes in as it comes out of the spool and is put in order later:
//
//   frames    the newest samples: one spooled sample block per row, appended in spool order. The row id is
//   the
//             spool's sequence number, so a block delivered twice is stored once.
//   windows   a stretch of frames that was transposed: from then on one chunk per point holds its samples.
//   chunks    (window, point) → the point's samples of that window, sorted by time, as a sample block. Rows
//   are
//             clustered by window and written in key order: compaction appends, retention cuts off whole
//             windows, and one point's range costs one look-up per window.
//   points    who a point id is. Ids are never reused; a code may have had several ids.
//   meta      the last sequence number applied, the last one compacted, the version of the point directory.
//
// A window counts from the moment `complete` is set; in the same transaction `compacted_seq` says that the
// frames up to it are out of date, and they are deleted step by step. So at every moment each sample is
// visible once, whatever was killed when. Times are microseconds since 1970-01-01T00:00:00Z.
//
// Settings. WAL, synchronous=FULL: a delivery is accepted when its transaction is on the disk, because the
// spool deletes what was accepted. One transaction per delivery, with the sequence number in it.
// auto_vacuum=INCREMENTAL: space that retention frees goes back to the file system in steps.
#pragma once

#include <cstdint>
#include <string_view>

#include "common/sqlite.h"

namespace fieldwarden::history {

inline constexpr std::int64_t kSchemaVersion = 1;

inline constexpr const char* kSchema = R"sql(
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS points (
  id INTEGER PRIMARY KEY, point_code TEXT NOT NULL, device_code TEXT NOT NULL, site_code TEXT NOT NULL,
  unit TEXT NOT NULL, data_type TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS points_by_code ON points (point_code);
CREATE TABLE IF NOT EXISTS frames (
  seq INTEGER PRIMARY KEY, t_first INTEGER NOT NULL, t_last INTEGER NOT NULL, point_least INTEGER NOT NULL,
  point_most INTEGER NOT NULL, samples INTEGER NOT NULL, block BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS windows (
  id INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, t_first INTEGER NOT NULL, t_last INTEGER NOT NULL,
  samples INTEGER NOT NULL, complete INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS chunks (
  window INTEGER NOT NULL, point INTEGER NOT NULL, block BLOB NOT NULL, PRIMARY KEY (window, point)) WITHOUT ROWID;
)sql";

// Keys of meta. The schema version is PRAGMA user_version; 0 is a database being created.
inline constexpr const char* kMetaAppliedSeq = "applied_seq";
inline constexpr const char* kMetaCompactedSeq = "compacted_seq";
inline constexpr const char* kMetaDirectory = "directory_version";

// The value of a query for one number; 0 when there is no row or it is null.
inline Result<std::int64_t> number(SqlDatabase& db, std::string_view sql) {
    auto value = db.integer(sql);
    if (!value && value.error().kind == ErrorKind::kNotFound) return 0;
    return value;
}

}  // namespace fieldwarden::history
