#include "worker/spool.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "common/sample_block.h"
#include "proto/shapes.h"

namespace fieldwarden::worker {

using proto::LogLevel;
using std::chrono::milliseconds;

namespace {

constexpr std::uint64_t kLeastSegmentBytes = 64U << 10;
constexpr std::uint64_t kMostSegmentBytes = 8U << 20;
constexpr auto kAgeCheckInterval = std::chrono::seconds{60};

std::uint64_t segment_bytes(const SpoolOptions& options) {
    if (options.segment_bytes != 0) return options.segment_bytes;
    return std::clamp(options.limits.max_bytes / 16, kLeastSegmentBytes, kMostSegmentBytes);
}

bool is_disk_full(int error) {
    return error == ENOSPC || error == EDQUOT;
}

std::string segment_path(const std::string& directory, std::uint64_t first_seq) {
    return fmt::format("{}/{:020}.seg", directory, first_seq);
}

}  // namespace

Spool::Spool(SpoolOptions options, FileSystem& files, const Clock& clock)
    : options_(std::move(options)), files_(files), clock_(clock) {}

Result<std::unique_ptr<Spool>> Spool::open(SpoolOptions options, FileSystem& files, const Clock& clock) {
    std::unique_ptr<Spool> spool{new Spool{std::move(options), files, clock}};
    if (auto recovered = spool->recover(); !recovered) return recovered.error();
    if (spool->options_.background_sync) {
        spool->sync_thread_ = std::thread{[raw = spool.get()] { raw->run_sync_thread(); }};
    }
    return spool;
}

Spool::~Spool() {
    {
        const Lock lock{mutex_};
        stopping_ = true;
        interrupted_ = true;
    }
    changed_.notify_all();
    unsynced_appended_.notify_all();
    if (sync_thread_.joinable()) sync_thread_.join();
    if (const auto synced = sync(); !synced) say(LogLevel::kError, synced.error().message);
}

void Spool::say(LogLevel level, std::string text) const {
    if (options_.log) options_.log(level, std::move(text));
}

// --- appending
// ---------------------------------------------------------------------------------------------

Status Spool::append(std::span<const Sample> samples) {
    if (samples.empty()) return {};
    // Encoded outside the lock; only numbers and checksums are filled in under it.
    thread_local Bytes records;
    thread_local std::vector<std::size_t> ends;
    records.clear();
    ends.clear();
    for (std::size_t at = 0; at < samples.size(); at += kSamplesPerRecord) {
        records.resize(records.size() + kRecordHeaderBytes);
        encode_sample_block(samples.subspan(at, std::min(kSamplesPerRecord, samples.size() - at)), records);
        ends.push_back(records.size());
    }
    Lock lock{mutex_};
    return append_locked(lock, records, ends, samples.size());
}

Status Spool::append_locked(Lock& lock, Bytes& records, std::span<const std::size_t> ends,
                            std::uint64_t samples) {
    if (!directory_set_) {
        return make_error(ErrorKind::kInternal, "spool: append before the point directory is set");
    }
    for (;;) {
        if (auto room = make_room(lock, records.size()); !room) return room;
        if (auto rolled = roll_if_due(lock, records.size()); !rolled) return rolled;
        // Waiting for room or for a sync lets other threads append, so the numbers are taken only now.
        std::uint64_t seq = tail_.next_seq;
        std::size_t start = 0;
        for (const auto end : ends) {
            seal_record(std::span{records}.subspan(start, end - start), RecordType::kSamples, seq++);
            start = end;
        }
        const int error = write_all(*active_, records, tail_.offset);
        if (error == 0) break;
        // Bytes of a failed write must not be taken for records later. If cutting them off fails as well, a
        // new segment follows: its first number shuts them out.
        if (active_->truncate(tail_.offset) != 0) must_roll_ = true;
        if (is_disk_full(error) && may_drop() && drop_front("the disk is full")) continue;
        return make_error(ErrorKind::kIo, fmt::format("spool {}: cannot write {} samples: {}; they are kept "
                                                      "and written again",
                                                      segments_.back().path, samples, errno_text(error)));
    }
    unsynced_.insert(unsynced_.end(), records.begin(), records.end());
    tail_.offset += records.size();
    tail_.next_seq += ends.size();
    tail_.samples_total += samples;
    segments_.back().bytes = tail_.offset;
    // The samples are in the queue, so a sync that fails is no failed append: the sync thread tries again.
    if (options_.limits.fsync_window.count() == 0) (void)sync_locked(lock, WhileSyncing::kAppends);
    unsynced_appended_.notify_one();
    return {};
}

Status Spool::make_room(Lock& lock, std::size_t bytes) {
    if (unsynced_.size() + bytes > kMaxUnsyncedBytes) {
        if (auto synced = sync_locked(lock, WhileSyncing::kAppends); !synced) return synced;
    }
    const auto too_full = [&] { return total_bytes() + bytes > options_.limits.max_bytes; };
    constexpr std::size_t kOverhead = kSegmentHeaderBytes + kRecordHeaderBytes;
    if (kOverhead + directory_->size() + bytes > options_.limits.max_bytes) {
        return make_error(ErrorKind::kTooLarge,
                          fmt::format("spool {}: {} bytes in one scan do not fit max_bytes {}",
                                      options_.directory, bytes, options_.limits.max_bytes));
    }
    while (too_full()) {
        release_delivered();
        if (!too_full()) break;
        // The active segment alone fills the spool: it can only go once it is no longer the active one.
        if (segments_.size() == 1) {
            if (auto rolled = roll(lock); !rolled) return rolled;
            continue;
        }
        if (may_drop()) {
            if (!drop_front(fmt::format("the spool reached max_bytes {}", options_.limits.max_bytes))) {
                return make_error(ErrorKind::kIo, fmt::format("spool {}: cannot drop the oldest segment",
                                                              options_.directory));
            }
            continue;
        }
        if (interrupted_) {
            return make_error(ErrorKind::kUnavailable,
                              fmt::format("spool {}: full; stopped waiting for room", options_.directory));
        }
        changed_.wait(lock);
    }
    return {};
}

Status Spool::roll_if_due(Lock& lock, std::size_t bytes) {
    if (must_roll_) return roll(lock);
    const Segment& active = segments_.back();
    if (active.first_seq == tail_.next_seq) return {};  // no record yet
    const bool full = tail_.offset + bytes > segment_bytes(options_);
    // Age is bounded segment by segment, so a slow task must not keep one segment for ever.
    const bool old = clock_.utc_now() - active.created > options_.limits.max_age / 8;
    return full || old ? roll(lock) : Status{};
}

// Starts a new segment. What the old one holds is durable when this returns successfully; when it fails the
// old one stays the active one.
Status Spool::roll(Lock& lock) {
    if (auto synced = sync_locked(lock, WhileSyncing::kNoAppends); !synced) return synced;
    // A segment's file is named after its first record: one without records gives its number up.
    const bool empty = !segments_.empty() && segments_.back().first_seq == tail_.next_seq;
    const SegmentHeader header{tail_.next_seq + (empty ? 1 : 0), tail_.samples_total, clock_.utc_now()};
    Bytes start;
    encode_segment_header(header, start);
    const auto record_at = start.size();
    start.resize(record_at + kRecordHeaderBytes);
    start.insert(start.end(), directory_->begin(), directory_->end());
    seal_record(std::span{start}.subspan(record_at), RecordType::kDirectory, header.first_seq);

    const std::string path = segment_path(options_.directory, header.first_seq);
    auto file = create_segment(path, start);
    if (!file) {
        (void)files_.remove(path);
        return make_error(file.error().kind,
                          fmt::format("spool: cannot start segment {}: {}", path, file.error().message));
    }
    segments_.push_back({header.first_seq, header.samples_before, header.created, start.size(), path});
    active_ = std::move(*file);
    tail_ = {header.first_seq, start.size(), header.first_seq, header.samples_before};
    durable_ = tail_;
    durable_.offset = 0;
    unsynced_ = std::move(start);
    unsynced_from_ = 0;
    must_roll_ = false;
    release_delivered();
    return {};
}

Result<std::shared_ptr<File>> Spool::create_segment(const std::string& path, ByteSpan start) {
    auto opened = files_.open(path, OpenMode::kReadWrite);
    if (!opened) return opened.error();
    std::shared_ptr<File> file{std::move(*opened)};
    int error = file->truncate(0);
    while (error == 0) {
        error = write_all(*file, start, 0);
        if (error == 0) break;
        if (is_disk_full(error) && may_drop() && drop_front("the disk is full")) error = 0;
    }
    if (error != 0) return make_error(ErrorKind::kIo, errno_text(error));
    // The name must outlive a power cut before an older segment is deleted on its strength.
    if (auto synced = files_.sync_directory(options_.directory); !synced) return synced.error();
    return file;
}

Status Spool::set_directory(const PointDirectory& directory) {
    auto encoded = std::make_shared<const Bytes>(encode_directory(directory));
    if (encoded->size() > kMaxRecordBytes) {
        return make_error(ErrorKind::kTooLarge,
                          fmt::format("the directory of {} points takes {} bytes, at most {} fit a record",
                                      directory.size(), encoded->size(), kMaxRecordBytes));
    }
    Lock lock{mutex_};
    if (active_ == nullptr || *encoded != *directory_) {
        const auto before = std::exchange(directory_, encoded);
        if (auto rolled = roll(lock); !rolled) {
            directory_ = before;
            return rolled;
        }
    }
    directory_version_ = directory_version(*directory_);
    directory_set_ = true;
    return {};
}

void Spool::set_limits(const SpoolConfig& limits) {
    const Lock lock{mutex_};
    options_.limits = limits;
    changed_.notify_all();
}

void Spool::interrupt_appends(bool interrupted) {
    const Lock lock{mutex_};
    interrupted_ = interrupted;
    changed_.notify_all();
}

// --- making it durable
// -------------------------------------------------------------------------------------

Status Spool::sync() {
    Lock lock{mutex_};
    return sync_locked(lock, WhileSyncing::kAppends);
}

Status Spool::sync_locked(Lock& lock, WhileSyncing meanwhile) {
    while (syncing_) changed_.wait(lock);
    if (active_ == nullptr || (unsynced_.empty() && !adopted_tail_unsynced_)) return {};
    const SpoolPosition target = tail_;
    const std::size_t covered = unsynced_.size();
    const auto file = active_;
    int error = 0;
    if (rewrite_unsynced_) error = write_all(*file, unsynced_, unsynced_from_);
    if (error == 0) {
        // A new segment does not begin before this sync has ended.
        syncing_ = true;
        if (meanwhile == WhileSyncing::kAppends) lock.unlock();
        // The process that created an adopted segment may not have lived to make its name durable.
        if (adopted_tail_unsynced_ && !files_.sync_directory(options_.directory)) error = EIO;
        if (error == 0) error = file->sync_data();
        if (meanwhile == WhileSyncing::kAppends) lock.lock();
        syncing_ = false;
    }
    if (error != 0) {
        rewrite_unsynced_ = true;
        changed_.notify_all();
        return make_error(
            ErrorKind::kIo,
            fmt::format("spool {}: cannot make {} bytes durable: {}; they are in memory and are "
                        "written again",
                        segments_.back().path, covered, errno_text(error)));
    }
    unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<std::ptrdiff_t>(covered));
    if (unsynced_.empty() && unsynced_.capacity() > (1U << 20)) unsynced_.shrink_to_fit();
    unsynced_from_ += covered;
    rewrite_unsynced_ = false;
    adopted_tail_unsynced_ = false;
    durable_ = target;
    changed_.notify_all();
    readable_.notify_all();
    return {};
}

void Spool::run_sync_thread() {
    Lock lock{mutex_};
    std::string last_error;
    while (!stopping_) {
        const auto dirty = [&] { return stopping_ || !unsynced_.empty() || adopted_tail_unsynced_; };
        unsynced_appended_.wait_for(lock, kAgeCheckInterval, dirty);
        if (const auto now = clock_.mono_now(); now >= next_age_check_) {
            next_age_check_ = now + kAgeCheckInterval;
            (void)drop_aged();  // drop_front() has said why it could not
        }
        if (!dirty() || stopping_) continue;
        // Everything appended within the window shares one sync.
        changed_.wait_for(lock, options_.limits.fsync_window,
                          [&] { return stopping_ || unsynced_.size() > kMaxUnsyncedBytes / 2; });
        const auto synced = sync_locked(lock, WhileSyncing::kAppends);
        const std::string error = synced ? std::string{} : synced.error().message;
        if (error != last_error) {
            say(error.empty() ? LogLevel::kInfo : LogLevel::kError,
                error.empty() ? fmt::format("spool {}: durable again", options_.directory) : error);
            last_error = error;
        }
        if (!error.empty()) {
            changed_.wait_for(lock, std::max(options_.limits.fsync_window, milliseconds{1'000}),
                              [&] { return stopping_; });
        }
    }
}

// --- letting go
// --------------------------------------------------------------------------------------------

std::uint64_t Spool::total_bytes() const {
    std::uint64_t total = 0;
    for (const auto& segment : segments_) total += segment.bytes;
    return total;
}

// Deletes the segments that every cursor has passed.
void Spool::release_delivered() {
    std::uint64_t passed = tail_.next_seq;
    for (const auto& [sink, cursor] : cursors_) passed = std::min(passed, cursor.committed.next_seq);
    bool released = false;
    while (segments_.size() > 1 && segments_[1].first_seq <= passed) {
        if (auto removed = files_.remove(segments_.front().path); !removed) {
            say(LogLevel::kWarning, removed.error().message);
            break;
        }
        segments_.pop_front();
        released = true;
    }
    if (released) changed_.notify_all();
}

bool Spool::may_drop() const {
    return options_.limits.when_full == SpoolFullPolicy::kDropOldest;
}

bool Spool::drop_front(std::string_view why) {
    if (segments_.size() < 2) return false;
    const Segment front = segments_.front();
    if (auto removed = files_.remove(front.path); !removed) {
        say(LogLevel::kError, removed.error().message);
        return false;
    }
    segments_.pop_front();
    std::uint64_t undelivered = 0;
    for (const auto& [sink, cursor] : cursors_) undelivered = std::max(undelivered, lost_to(cursor));
    say(LogLevel::kWarning,
        fmt::format("spool {}: {}; dropped the oldest segment ({} samples, acquired from {}); {} samples are "
                    "lost to the slowest sink since this process started",
                    options_.directory, why, segments_.front().samples_before - front.samples_before,
                    format_rfc3339(front.created), undelivered));
    changed_.notify_all();
    return true;
}

Status Spool::enforce_age() {
    const Lock lock{mutex_};
    return drop_aged();
}

Status Spool::drop_aged() {
    const UtcTime oldest = clock_.utc_now() - options_.limits.max_age;
    // A segment's newest record is older than the creation of its successor.
    while (segments_.size() > 1 && segments_[1].created < oldest) {
        if (!drop_front(fmt::format("older than max_age {}", format_duration(options_.limits.max_age)))) {
            return make_error(ErrorKind::kIo,
                              fmt::format("spool {}: cannot drop the oldest segment", options_.directory));
        }
    }
    return {};
}

// Samples this sink can no longer get because their segments were dropped. A batch that the reader already
// holds is not lost.
std::uint64_t Spool::lost_to(const Cursor& cursor) const {
    const std::uint64_t safe = std::max(cursor.committed.samples_total, cursor.handed_out);
    const std::uint64_t oldest = segments_.empty() ? safe : segments_.front().samples_before;
    return cursor.dropped + (oldest > safe ? oldest - safe : 0);
}

std::uint64_t Spool::durable_seq() const {
    const Lock lock{mutex_};
    return durable_.next_seq - 1;
}

SpoolStats Spool::stats() const {
    const Lock lock{mutex_};
    SpoolStats stats;
    stats.appended_seq = tail_.next_seq - 1;
    stats.durable_seq = durable_.next_seq - 1;
    stats.bytes = total_bytes();
    const std::uint64_t oldest = segments_.empty() ? tail_.samples_total : segments_.front().samples_before;
    for (const auto& [sink, cursor] : cursors_) {
        const std::uint64_t from = std::max(cursor.committed.samples_total, oldest);
        stats.pending = std::max(stats.pending, tail_.samples_total - std::min(from, tail_.samples_total));
        stats.dropped = std::max(stats.dropped, lost_to(cursor));
        stats.damaged = std::max(stats.damaged, cursor.damaged);
    }
    return stats;
}

}  // namespace fieldwarden::worker
