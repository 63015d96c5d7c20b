// Spool: the append-only queue on disk between acquisition and the sinks of one task. A sample counts as
// acquired once append() has taken it; it stays until every sink's cursor has passed it.
//
// Files, all in one directory that one process at a time may use (flock on `lock`): segments and cursors as
// laid out in worker/spool_segment.h, dead letters written by the flusher.
//
// Durability. append() writes at once, so killing the process loses nothing. A background thread makes what
// was written durable every `fsync_window` (group commit): a power cut loses at most that. Readers get only
// durable records, so no sink ever holds a record whose sequence number could come back with other samples.
// Cursors are not synced: after a power cut records may be delivered again, which sinks must stand anyway.
//
// Recovery, at open: a torn tail is cut off; a damaged record in the middle is skipped, to the next valid one
// or to the next segment, and counted; sequence numbers go on where they stopped. A new spool starts its
// numbers at the wall clock in microseconds, so that a spool which was deleted does not repeat the old ones.
//
// Limits. Past max_bytes or max_age the oldest segment goes, also when sinks still need it, counted for the
// slowest of them; with SpoolFullPolicy::kBlock, append() waits instead. A disk that is full counts as a
// spool that is full.
//
// Failing disk. An append that cannot be written leaves the spool as it was and returns the error; the caller
// keeps the samples and tries again. When fdatasync fails, everything since the last
// success is still in memory, is written again and synced again: a failed sync is never taken for a success
// because a later one succeeded.
//
// Threads. append, sync, stats: any thread. set_directory, set_limits, set_sinks, reader: the owner's thread.
// Each SpoolReader: one thread, except its interrupt(). Memory: what was appended in one fsync window (at
// most kMaxUnsyncedBytes), the directory, and one batch per reader.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "common/clock.h"
#include "common/task_config.h"
#include "worker/log_function.h"
#include "worker/spool_file.h"
#include "worker/spool_segment.h"

namespace fieldwarden::worker {

class SpoolReader;

// A scan with more samples than this becomes several records, so that one record fits every sink's batch.
inline constexpr std::size_t kSamplesPerRecord = 5'000;
inline constexpr std::size_t kMaxUnsyncedBytes = 8U << 20;

struct SpoolOptions {
    std::string directory;
    SpoolConfig limits;
    std::uint64_t segment_bytes = 0;  // 0: a sixteenth of max_bytes, at least 64 KiB, at most 8 MiB
    // Tests that count every file operation call sync() themselves.
    bool background_sync = true;
    LogFunction log;
};

struct SpoolStats {
    std::uint64_t appended_seq = 0;  // of the last record; 0 before the first
    std::uint64_t durable_seq = 0;
    std::uint64_t pending = 0;  // samples not yet delivered to every sink
    std::uint64_t bytes = 0;    // of all segments
    std::uint64_t dropped = 0;  // samples that limits took before the slowest sink had them
    std::uint64_t damaged = 0;  // samples lost to damaged records, of the sink that met the most
};

class Spool {
  public:
    // Errors: kBusy when another process uses the directory (ExitCode::kSpoolInUse), kIo.
    static Result<std::unique_ptr<Spool>> open(SpoolOptions options, FileSystem& files, const Clock& clock);
    ~Spool();  // syncs once more; readers must be gone
    Spool(const Spool&) = delete;
    Spool& operator=(const Spool&) = delete;

    // Who the points of the samples appended from now on are. Starts a new segment when that changed. Needed
    // before the first append.
    Status set_directory(const PointDirectory& directory);
    void set_limits(const SpoolConfig& limits);
    // The sinks for which data is kept; cursors of other sinks are removed. A sink seen for the first time
    // starts at the oldest record.
    Status set_sinks(const std::vector<std::string>& sink_codes);
    // `sink_code` is one of set_sinks. One reader per sink at a time.
    std::unique_ptr<SpoolReader> reader(const std::string& sink_code);

    // All samples or none. With SpoolFullPolicy::kBlock waits for room; kUnavailable when interrupted.
    Status append(std::span<const Sample> samples);
    // Returns once everything appended before is durable.
    Status sync();
    // Drops what is older than max_age. The background thread does it every minute.
    Status enforce_age();
    // Makes waiting and later appends that would wait return at once; `false` lets them wait again.
    void interrupt_appends(bool interrupted);

    [[nodiscard]] std::uint64_t durable_seq() const;
    [[nodiscard]] SpoolStats stats() const;

  private:
    friend class SpoolReader;
    using Lock = std::unique_lock<std::mutex>;

    struct Segment {
        std::uint64_t first_seq = 0;
        std::uint64_t samples_before = 0;
        UtcTime created{};
        std::uint64_t bytes = 0;
        std::string path;
    };
    struct Cursor {
        explicit Cursor(CursorFile opened) : file(std::move(opened)) {}
        CursorFile file;
        SpoolPosition committed;
        std::uint64_t handed_out = 0;  // samples_total behind the batch the reader holds
        std::uint64_t dropped = 0;
        std::uint64_t damaged = 0;
        bool interrupted = false;
    };
    // Where a reader at some position may read.
    struct Readable {
        SpoolPosition position;  // moved on when its segment is read through or gone
        std::string path;
        std::uint64_t end = 0;        // readable up to this offset
        std::uint64_t below_seq = 0;  // records from this number on belong to the next segment
        std::uint64_t dropped = 0;    // samples left behind because their segment is gone
        std::uint64_t damaged = 0;    // samples left behind because they did not decode
        bool last = true;             // the active segment: more may come
        SpoolPosition durable_end;    // of the active segment
    };

    Spool(SpoolOptions options, FileSystem& files, const Clock& clock);

    enum class WhileSyncing : std::uint8_t { kAppends, kNoAppends };

    // spool_recovery.cpp
    Status recover();
    Status recover_cursors(const std::vector<std::string>& names);
    Status recover_segments(const std::vector<std::string>& names);
    Status recover_tail();
    void place_cursor(Cursor& cursor) const;

    // spool.cpp; all with the lock held
    Status append_locked(Lock& lock, Bytes& records, std::span<const std::size_t> ends,
                         std::uint64_t samples);
    Status make_room(Lock& lock, std::size_t bytes);
    Status roll_if_due(Lock& lock, std::size_t bytes);
    Status roll(Lock& lock);
    Result<std::shared_ptr<File>> create_segment(const std::string& path, ByteSpan start);
    Status sync_locked(Lock& lock, WhileSyncing meanwhile);
    void release_delivered();
    [[nodiscard]] bool may_drop() const;
    bool drop_front(std::string_view why);
    Status drop_aged();
    [[nodiscard]] std::uint64_t total_bytes() const;
    [[nodiscard]] std::uint64_t lost_to(const Cursor& cursor) const;
    void run_sync_thread();
    void say(proto::LogLevel level, std::string text) const;

    // spool_reader.cpp
    [[nodiscard]] Readable readable_at(SpoolPosition position) const;

    SpoolOptions options_;
    FileSystem& files_;
    const Clock& clock_;
    std::unique_ptr<FileLock> file_lock_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;   // a sync ended, room came free, or something was interrupted
    std::condition_variable readable_;  // more records are durable
    std::condition_variable unsynced_appended_;

    std::deque<Segment> segments_;  // oldest first; the last is the active one when active_ is set
    std::shared_ptr<File> active_;
    SpoolPosition tail_;     // behind the last record written
    SpoolPosition durable_;  // behind the last record synced; its segment is the active one
    // What was written since the last successful sync, in case it has to be written again.
    Bytes unsynced_;
    std::uint64_t unsynced_from_ = 0;  // its offset in the active segment
    bool rewrite_unsynced_ = false;    // the last sync failed
    bool must_roll_ = false;           // bytes of a failed write lie behind the tail
    bool syncing_ = false;
    bool adopted_tail_unsynced_ = false;  // found at open, written by a process that did not live to sync it

    // Kept encoded: ten thousand points take 200 kB so and 3 MB as a PointDirectory.
    std::shared_ptr<const Bytes> directory_ = std::make_shared<Bytes>();
    std::uint64_t directory_version_ = 0;
    bool directory_set_ = false;

    std::map<std::string, Cursor> cursors_;  // by file name
    bool interrupted_ = false;
    bool stopping_ = false;
    MonoTime next_age_check_{};
    std::thread sync_thread_;
};

// One record as spooled; `block` lies in the batch's bytes.
struct SpooledRecord {
    std::uint64_t seq = 0;
    ByteSpan block;
    std::uint64_t samples = 0;
    SpoolPosition end;  // what commit() takes to pass this record
};

struct SpoolBatch {
    Bytes bytes;
    std::vector<SpooledRecord> records;
    std::uint64_t samples = 0;
    std::shared_ptr<const Bytes> directory;  // for decode_directory(); not null when there are records
    std::uint64_t directory_version = 0;
};

class SpoolReader {
  public:
    SpoolReader(Spool& spool, Spool::Cursor& cursor, std::string sink_code);
    SpoolReader(const SpoolReader&) = delete;
    SpoolReader& operator=(const SpoolReader&) = delete;

    // Waits until `samples` durable samples lie ahead, or at least one does and `linger` has passed since, or
    // `until`, or an interrupt. Whether at least one lies ahead.
    bool wait(std::uint64_t samples, std::chrono::milliseconds linger, MonoTime until);
    // The next records, about `samples` samples of them and at least one record if there is one, all of one
    // directory. Empty when there is none. Damaged ones are skipped, said and counted. An error means that
    // nothing was skipped and the same call may be tried again.
    Result<SpoolBatch> read(std::uint64_t samples);
    // Everything before `position` is delivered: it is never read again, and is deleted once all sinks are
    // past it. On failure only the file kept its old position.
    Status commit(const SpoolPosition& position);
    // Makes wait() return; until resume(), later ones do not wait either. Thread safe.
    void interrupt();
    void resume();
    // Samples from the committed position to the end of the spool. Thread safe.
    [[nodiscard]] std::uint64_t pending() const;

  private:
    Status enter_segment(const Spool::Readable& place);
    void skip_segment(const Spool::Readable& place, const std::string& why);
    void parse(const Spool::Readable& place, std::uint64_t samples, SpoolBatch& batch);

    Spool& spool_;
    Spool::Cursor& cursor_;
    std::string sink_code_;
    SpoolPosition position_;
    std::uint64_t open_segment_ = 0;
    std::unique_ptr<File> file_;
    std::shared_ptr<const Bytes> directory_;
    std::uint64_t directory_version_ = 0;
    std::size_t read_bytes_ = 0;  // grows when a record is larger than the usual read
};

}  // namespace fieldwarden::worker
