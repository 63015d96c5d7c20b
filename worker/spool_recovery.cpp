// Opening a spool: what the last process, or a power cut, left behind becomes a queue again.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "common/data_paths.h"
#include "proto/shapes.h"
#include "worker/spool.h"

namespace fieldwarden::worker {

using proto::LogLevel;

namespace {

constexpr std::string_view kCursorPrefix = "cursor.";
constexpr std::string_view kSegmentSuffix = ".seg";
constexpr std::size_t kSegmentDigits = 20;

std::optional<std::uint64_t> segment_number(std::string_view name) {
    if (name.size() != kSegmentDigits + kSegmentSuffix.size() || !name.ends_with(kSegmentSuffix)) return {};
    std::uint64_t number = 0;
    const auto* end = name.data() + kSegmentDigits;
    const auto parsed = std::from_chars(name.data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return {};
    return number;
}

}  // namespace

Status Spool::recover() {
    if (auto made = files_.make_directories(options_.directory); !made) return made;
    auto locked = files_.lock(options_.directory + "/lock");
    if (!locked) {
        if (locked.error().kind != ErrorKind::kBusy) return locked.error();
        return make_error(ErrorKind::kBusy,
                          fmt::format("the spool {} is in use by another worker", options_.directory));
    }
    file_lock_ = std::move(*locked);
    auto names = files_.list(options_.directory);
    if (!names) return names.error();
    std::sort(names->begin(), names->end());
    if (auto read = recover_cursors(*names); !read) return read;
    if (auto read = recover_segments(*names); !read) return read;
    if (auto read = recover_tail(); !read) return read;
    for (auto& [name, cursor] : cursors_) place_cursor(cursor);
    return {};
}

Status Spool::recover_cursors(const std::vector<std::string>& names) {
    for (const auto& name : names) {
        if (!name.starts_with(kCursorPrefix)) continue;
        auto file = CursorFile::open(files_, options_.directory + "/" + name);
        if (!file) return file.error();
        cursors_.try_emplace(name, std::move(*file));
    }
    return {};
}

Status Spool::recover_segments(const std::vector<std::string>& names) {
    std::vector<std::pair<std::uint64_t, std::string>> found;
    for (const auto& name : names) {
        if (const auto number = segment_number(name))
            found.emplace_back(*number, options_.directory + "/" + name);
    }
    for (const auto& [number, path] : found) {
        const auto file = files_.open(path, OpenMode::kRead);
        if (!file) return file.error();
        const auto size = (*file)->size();
        if (!size) return size.error();
        std::array<std::byte, kSegmentHeaderBytes> head{};
        const auto read = read_up_to(**file, head, 0, path);
        if (!read) return read.error();
        const auto header = decode_segment_header(ByteSpan{head}.first(*read));
        if (header && header->first_seq == number) {
            segments_.push_back({header->first_seq, header->samples_before, header->created, *size, path});
            continue;
        }
        // The last one is a segment whose birth a power cut interrupted: nothing in it was durable.
        const bool newborn = number == found.back().first;
        say(newborn ? LogLevel::kInfo : LogLevel::kError,
            fmt::format("spool segment {}: {}; {}", path,
                        header ? "it bears another number" : header.error().message,
                        newborn ? "its creation was interrupted, it is removed" : "its samples are lost"));
        if (auto removed = files_.remove(path); !removed) return removed;
    }
    return {};
}

Status Spool::recover_tail() {
    // Where numbers go on when there is no segment to read them from.
    const auto now = clock_.utc_now().time_since_epoch().count();
    tail_.next_seq = static_cast<std::uint64_t>(std::max<std::int64_t>(now, 1));
    for (const auto& [name, cursor] : cursors_) {
        if (const auto& position = cursor.file.position()) {
            tail_.next_seq = std::max(tail_.next_seq, position->next_seq);
            tail_.samples_total = std::max(tail_.samples_total, position->samples_total);
        }
    }
    durable_ = tail_;

    while (!segments_.empty()) {
        Segment& segment = segments_.back();
        auto file = files_.open(segment.path, OpenMode::kReadWrite);
        if (!file) return file.error();
        auto start = read_segment_start(**file, segment.path);
        if (!start && start.error().kind != ErrorKind::kCorrupt) return start.error();
        if (!start) {
            // As with the header: without a directory nothing behind it was durable, or it cannot be told
            // whose samples they are.
            say(LogLevel::kWarning, start.error().message + "; the segment is removed");
            if (auto removed = files_.remove(segment.path); !removed) return removed;
            segments_.pop_back();
            continue;
        }
        // Up to the furthest cursor a reader has already checked every record.
        SpoolPosition from{segment.first_seq, start->first_record, segment.first_seq, segment.samples_before};
        std::uint64_t beyond = segment.first_seq;
        for (const auto& [name, cursor] : cursors_) {
            const auto& position = cursor.file.position();
            if (!position) continue;
            beyond = std::max(beyond, position->next_seq);
            if (position->segment == segment.first_seq && position->offset > from.offset &&
                position->offset <= segment.bytes) {
                from = *position;
            }
        }
        const auto scan = scan_segment(**file, segment.path, from.offset, from.next_seq);
        if (!scan) return scan.error();
        if (scan->corrupt_records > 0) {
            say(LogLevel::kError, fmt::format("spool segment {}: {} damaged records are skipped",
                                              segment.path, scan->corrupt_records));
        }
        if (scan->torn_bytes > 0) {
            if (const int error = (*file)->truncate(scan->end); error != 0) {
                return make_error(ErrorKind::kIo,
                                  fmt::format("spool segment {}: cannot cut off {} torn bytes: {}",
                                              segment.path, scan->torn_bytes, errno_text(error)));
            }
            say(LogLevel::kInfo, fmt::format("spool segment {}: cut off {} bytes of an unfinished write",
                                             segment.path, scan->torn_bytes));
        }
        segment.bytes = scan->end;
        active_ = std::move(*file);
        directory_ = std::make_shared<const Bytes>(std::move(start->directory));
        directory_version_ = directory_version(*directory_);
        tail_ = {segment.first_seq, scan->end, std::max(scan->next_seq, beyond),
                 from.samples_total + scan->samples};
        durable_ = from;
        unsynced_from_ = tail_.offset;
        // Whatever the last process wrote may not have reached the disk.
        adopted_tail_unsynced_ = true;
        return {};
    }
    return {};
}

// Where the sink goes on: at its cursor, or at the oldest record when it has none or lags behind what is
// kept.
void Spool::place_cursor(Cursor& cursor) const {
    const auto& position = cursor.file.position();
    if (segments_.empty()) {
        cursor.committed = {0, 0, tail_.next_seq, tail_.samples_total};
        return;
    }
    const Segment& front = segments_.front();
    if (!position || position->segment < front.first_seq) {
        cursor.committed = {front.first_seq, 0, front.first_seq, front.samples_before};
    } else if (position->segment > tail_.segment ||
               (position->segment == tail_.segment && position->offset > tail_.offset)) {
        cursor.committed = tail_;
    } else {
        cursor.committed = *position;
    }
}

Status Spool::set_sinks(const std::vector<std::string>& sink_codes) {
    const Lock lock{mutex_};
    std::vector<std::string> wanted;
    for (const auto& code : sink_codes) wanted.push_back(std::string{kCursorPrefix} + file_name_of(code));
    for (auto it = cursors_.begin(); it != cursors_.end();) {
        if (std::find(wanted.begin(), wanted.end(), it->first) != wanted.end()) {
            ++it;
            continue;
        }
        if (auto removed = files_.remove(options_.directory + "/" + it->first); !removed) return removed;
        it = cursors_.erase(it);
    }
    for (const auto& name : wanted) {
        if (cursors_.contains(name)) continue;
        auto file = CursorFile::open(files_, options_.directory + "/" + name);
        if (!file) return file.error();
        place_cursor(cursors_.try_emplace(name, std::move(*file)).first->second);
    }
    release_delivered();
    return {};
}

std::unique_ptr<SpoolReader> Spool::reader(const std::string& sink_code) {
    const Lock lock{mutex_};
    auto& cursor = cursors_.at(std::string{kCursorPrefix} + file_name_of(sink_code));
    cursor.interrupted = false;
    cursor.handed_out = 0;
    return std::make_unique<SpoolReader>(*this, cursor, sink_code);
}

}  // namespace fieldwarden::worker
