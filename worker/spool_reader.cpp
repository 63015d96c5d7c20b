#include <fmt/format.h>

#include <algorithm>

#include "proto/shapes.h"
#include "worker/spool.h"

namespace fieldwarden::worker {

using proto::LogLevel;
using std::chrono::milliseconds;

namespace {

// Usual size of one read: samples take 6 to 12 bytes, and a read that is too short costs only another one.
constexpr std::size_t kBytesPerSample = 12;
constexpr std::size_t kLeastReadBytes = 64U << 10;
constexpr std::size_t kMostReadBytes = 1U << 20;

}  // namespace

Spool::Readable Spool::readable_at(SpoolPosition position) const {
    Readable place;
    place.position = position;
    auto segment = std::find_if(segments_.begin(), segments_.end(),
                                [&](const Segment& s) { return s.first_seq >= position.segment; });
    if (segment == segments_.end()) return place;
    const auto move_to = [&](const Segment& next) {
        const std::uint64_t before = place.position.samples_total;
        place.position = {next.first_seq, 0, next.first_seq, next.samples_before};
        return next.samples_before > before ? next.samples_before - before : 0;
    };
    if (segment->first_seq != position.segment) place.dropped = move_to(*segment);
    for (;;) {
        const auto next = std::next(segment);
        place.last = next == segments_.end();
        place.path = segment->path;
        place.end = place.last ? durable_.offset : segment->bytes;
        place.below_seq = place.last ? durable_.next_seq : next->first_seq;
        place.durable_end = durable_;
        if (place.last || place.position.offset < place.end) return place;
        place.damaged += move_to(*next);
        segment = next;
    }
}

SpoolReader::SpoolReader(Spool& spool, Spool::Cursor& cursor, std::string sink_code)
    : spool_(spool), cursor_(cursor), sink_code_(std::move(sink_code)), position_(cursor.committed) {}

bool SpoolReader::wait(std::uint64_t samples, milliseconds linger, MonoTime until) {
    Spool::Lock lock{spool_.mutex_};
    const auto ahead = [&] {
        const auto durable = spool_.durable_.samples_total;
        return durable > position_.samples_total ? durable - position_.samples_total : 0;
    };
    // Told by the numbers: damaged records leave the counts of samples apart.
    const auto any = [&] { return spool_.durable_.next_seq > position_.next_seq; };
    spool_.readable_.wait_until(lock, until, [&] { return cursor_.interrupted || any(); });
    if (!any() || cursor_.interrupted) return any();
    const auto full = std::min(until, std::chrono::steady_clock::now() + linger);
    spool_.readable_.wait_until(lock, full, [&] { return cursor_.interrupted || ahead() >= samples; });
    return true;
}

void SpoolReader::interrupt() {
    const Spool::Lock lock{spool_.mutex_};
    cursor_.interrupted = true;
    spool_.readable_.notify_all();
}

void SpoolReader::resume() {
    const Spool::Lock lock{spool_.mutex_};
    cursor_.interrupted = false;
}

std::uint64_t SpoolReader::pending() const {
    const Spool::Lock lock{spool_.mutex_};
    const auto total = spool_.tail_.samples_total;
    const auto done = std::max(cursor_.committed.samples_total,
                               spool_.segments_.empty() ? total : spool_.segments_.front().samples_before);
    return total > done ? total - done : 0;
}

Status SpoolReader::enter_segment(const Spool::Readable& place) {
    auto file = spool_.files_.open(place.path, OpenMode::kRead);
    if (!file) return file.error();
    auto start = read_segment_start(**file, place.path);
    if (!start) return start.error();
    const auto version = directory_version(start->directory);
    if (version != directory_version_ || directory_ == nullptr) {
        const Spool::Lock lock{spool_.mutex_};
        directory_ = version == spool_.directory_version_
                         ? spool_.directory_
                         : std::make_shared<const Bytes>(std::move(start->directory));
        directory_version_ = version;
    }
    file_ = std::move(*file);
    open_segment_ = place.position.segment;
    position_.offset = std::max(place.position.offset, start->first_record);
    return {};
}

Result<SpoolBatch> SpoolReader::read(std::uint64_t samples) {
    for (;;) {
        Spool::Readable place;
        {
            const Spool::Lock lock{spool_.mutex_};
            place = spool_.readable_at(position_);
            cursor_.dropped += place.dropped;
            cursor_.damaged += place.damaged;
            cursor_.handed_out = std::max(cursor_.handed_out, place.position.samples_total);
        }
        if (place.damaged > 0) {
            spool_.say(LogLevel::kError,
                       fmt::format("spool, sink {}: {} samples in damaged records are skipped", sink_code_,
                                   place.damaged));
        }
        position_ = place.position;
        if (place.path.empty() || position_.offset >= place.end) {
            position_.next_seq = std::max(position_.next_seq, place.below_seq);
            return SpoolBatch{};
        }
        if (file_ == nullptr || open_segment_ != position_.segment) {
            file_ = nullptr;
            if (auto entered = enter_segment(place); !entered) {
                if (entered.error().kind != ErrorKind::kCorrupt) {
                    // A segment that limits dropped in this very moment is no trouble: look again.
                    const Spool::Lock lock{spool_.mutex_};
                    if (spool_.readable_at(position_).path != place.path) continue;
                    return entered.error();
                }
                skip_segment(place, entered.error().message);
                continue;
            }
            place.position = position_;
            if (position_.offset >= place.end) continue;
        }

        SpoolBatch batch;
        batch.directory = directory_;
        batch.directory_version = directory_version_;
        const std::size_t usual =
            std::clamp(static_cast<std::size_t>(samples) * kBytesPerSample, kLeastReadBytes, kMostReadBytes);
        batch.bytes.resize(
            std::min<std::uint64_t>(std::max(usual, read_bytes_), place.end - position_.offset));
        const auto got = read_up_to(*file_, batch.bytes, position_.offset, place.path);
        if (!got) return got.error();
        batch.bytes.resize(*got);
        const auto before = position_;
        parse(place, samples, batch);
        if (!batch.records.empty()) {
            read_bytes_ = 0;
            const Spool::Lock lock{spool_.mutex_};
            cursor_.handed_out = position_.samples_total;
            return batch;
        }
        // Nothing usable and no move: the rest of the segment cannot be read.
        if (position_ == before && read_bytes_ == 0) {
            skip_segment(place, fmt::format("nothing readable behind offset {}", position_.offset));
        }
    }
}

// Takes records from the bytes read at position_ and moves position_ behind the last one taken. When the
// first one is longer than what was read, read_bytes_ says how much it takes.
void SpoolReader::parse(const Spool::Readable& place, std::uint64_t samples, SpoolBatch& batch) {
    ByteSpan rest{batch.bytes};
    std::uint64_t corrupt = 0;
    read_bytes_ = 0;
    SpoolPosition at = position_;
    while (!rest.empty() && batch.samples < samples) {
        RecordView record;
        const auto state = decode_record(rest, record);
        if (state == RecordState::kIncomplete) {
            const std::uint64_t left = place.end - at.offset;
            if (batch.records.empty() && record.bytes > rest.size() && record.bytes <= left) {
                read_bytes_ = record.bytes;
            }
            break;
        }
        const bool usable = state == RecordState::kValid && record.type == RecordType::kSamples &&
                            record.seq >= at.next_seq && record.seq < place.below_seq;
        if (!usable && (state == RecordState::kValid || record.bytes == 0)) break;
        at.offset += record.bytes;
        rest = rest.subspan(record.bytes);
        if (!usable) {
            // Its length may still be true; the next record tells.
            ++corrupt;
            continue;
        }
        const auto count = samples_in_block(record.payload);
        at.next_seq = record.seq + 1;
        at.samples_total += count;
        batch.samples += count;
        batch.records.push_back({record.seq, record.payload, count, at});
        position_ = at;
        if (corrupt > 0) {
            spool_.say(LogLevel::kError,
                       fmt::format("spool segment {}: {} damaged records before number {} are "
                                   "skipped",
                                   place.path, corrupt, record.seq));
            corrupt = 0;
        }
    }
    // Damaged records up to the end of what was read: go on behind them if anything is left there.
    if (batch.records.empty() && corrupt > 0 && at.offset < place.end && read_bytes_ == 0) {
        spool_.say(LogLevel::kError,
                   fmt::format("spool segment {}: {} damaged records are skipped", place.path, corrupt));
        position_ = at;
    }
}

void SpoolReader::skip_segment(const Spool::Readable& place, const std::string& why) {
    spool_.say(LogLevel::kError,
               fmt::format("spool segment {}: {}; the rest of it is skipped", place.path, why));
    if (!place.last) {
        // readable_at() moves on from the segment's end and counts what was left behind.
        position_.offset = place.end;
        return;
    }
    // The end of what is durable is a place between two records, whatever lies before it.
    const Spool::Lock lock{spool_.mutex_};
    const auto& end = place.durable_end;
    cursor_.damaged += end.samples_total - std::min(end.samples_total, position_.samples_total);
    position_ = end;
}

Status SpoolReader::commit(const SpoolPosition& position) {
    const Spool::Lock lock{spool_.mutex_};
    cursor_.committed = position;
    const auto written = cursor_.file.write(position);
    spool_.release_delivered();
    return written;
}

}  // namespace fieldwarden::worker
