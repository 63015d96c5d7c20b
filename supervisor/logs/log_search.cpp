#include "supervisor/logs/log_search.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <unordered_set>

#include "supervisor/logs/backward_lines.h"
#include "supervisor/logs/crash_text.h"

namespace fieldwarden::supervisor {

using proto::LogEntry;
using std::chrono::milliseconds;

namespace {

// Lines stand nearly in the order of time: what a process printed is written down a moment later, and clocks
// are set back by a second now and then.
constexpr std::chrono::seconds kDisorder{10};
constexpr std::int64_t kLatestMillis = 253'402'300'799'999;  // the end of the year 9999

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// `part` is in lower case.
bool contains_lower(std::string_view text, std::string_view part) {
    if (part.empty()) return true;
    if (text.size() < part.size()) return false;
    const auto last = text.size() - part.size();
    for (std::size_t i = 0; i <= last; ++i) {
        if (lower(text[i]) != part[0]) continue;
        std::size_t k = 1;
        while (k < part.size() && lower(text[i + k]) == part[k]) ++k;
        if (k == part.size()) return true;
    }
    return false;
}

std::string lowered(std::string_view text) {
    std::string low{text};
    std::ranges::transform(low, low.begin(), lower);
    return low;
}

std::int64_t millis_of(UtcTime time) {
    return std::chrono::floor<milliseconds>(time).time_since_epoch().count();
}

// A string member of a line of ours without parsing it. A quote inside a string is escaped, so the member's
// name with its quotes cannot be a part of one. Members stand in the order of the alphabet: what nested
// objects hold is before `timestamp`.
std::string_view member_of(std::string_view line, std::string_view quoted_name, bool last) {
    const auto at = last ? line.rfind(quoted_name) : line.find(quoted_name);
    if (at == std::string_view::npos) return {};
    const auto value = line.substr(at + quoted_name.size());
    return value.substr(0, value.find('"'));
}

// What can be told from a line before it is parsed. Parsing costs fifty times as much.
class QuickLook {
  public:
    explicit QuickLook(const LogQuery& query) : query_(query), part_(lowered(query.q)) {
        // What JSON escapes looks different in the file.
        part_is_plain_ = std::ranges::none_of(
            part_, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; });
    }

    enum class Verdict { kPerhaps, kNo, kTooOld };
    [[nodiscard]] Verdict look(std::string_view line) const {
        if (query_.since || query_.until) {
            const auto time = parse_rfc3339(member_of(line, "\"timestamp\":\"", true));
            if (time && query_.since && *time < *query_.since - kDisorder) return Verdict::kTooOld;
            if (time && query_.until && *time > *query_.until) return Verdict::kNo;
        }
        if (query_.least) {
            const auto level = from_name<proto::LogLevel>(member_of(line, "\"level\":\"", false));
            if (level && *level < *query_.least) return Verdict::kNo;
        }
        if (query_.type && line.find("\"log_type\":null") != std::string_view::npos) return Verdict::kNo;
        if (part_is_plain_ && !contains_lower(line, part_)) return Verdict::kNo;
        return Verdict::kPerhaps;
    }

  private:
    const LogQuery& query_;
    std::string part_;
    bool part_is_plain_;
};

// One rotating file: its entries that fit, newest first.
class Source {
  public:
    Source(const std::string& path, LogPosition from) : lines_(path, from), place_(from) {}

    // Fills `hit` unless it is filled. False when the budget ended before the next entry was found.
    bool advance(const LogQuery& query, const QuickLook& quick, std::uint64_t most_bytes) {
        const auto begin = lines_.bytes_read();
        while (!entry_ && !ended_) {
            if (lines_.bytes_read() - begin > most_bytes) return false;
            const auto line = lines_.next();
            if (!line) {
                ended_ = true;
                place_ = lines_.before();
                break;
            }
            place_ = lines_.before();
            behind_ = lines_.behind();
            const auto verdict = quick.look(*line);
            if (verdict == QuickLook::Verdict::kTooOld) {
                ended_ = true;
                break;
            }
            if (verdict == QuickLook::Verdict::kNo) continue;
            LogEntry entry;
            if (!parse_log_line(*line, entry)) {
                ++damaged_;
                continue;
            }
            if (query.fits(entry)) entry_ = std::move(entry);
        }
        return true;
    }

    [[nodiscard]] const std::optional<LogEntry>& entry() const { return entry_; }
    LogEntry take() {
        auto taken = std::move(*entry_);
        entry_.reset();
        return taken;
    }
    // Where the next page begins: behind an entry that was found and not taken.
    [[nodiscard]] LogPosition place() const { return entry_ ? behind_ : place_; }
    [[nodiscard]] std::uint64_t bytes_read() const { return lines_.bytes_read(); }
    [[nodiscard]] std::uint64_t damaged() const { return lines_.damaged() + damaged_; }

  private:
    BackwardLines lines_;
    LogPosition place_;
    LogPosition behind_;
    std::optional<LogEntry> entry_;
    bool ended_ = false;
    std::uint64_t damaged_ = 0;
};

// "time.inode.offset.inode.offset": the places in the files, and the time from which on everything has been
// given (an inode may come to name a new file).
std::string make_cursor(std::int64_t newest, const std::vector<std::unique_ptr<Source>>& sources) {
    auto cursor = std::to_string(newest);
    for (const auto& source : sources) {
        cursor += fmt::format(".{}.{}", source->place().inode, source->place().offset);
    }
    return cursor;
}

struct Cursor {
    std::optional<std::int64_t> newest;  // milliseconds
    std::vector<LogPosition> places;
};

Result<Cursor> read_cursor(std::string_view text, std::size_t files) {
    Cursor cursor;
    cursor.places.resize(files);
    if (text.empty()) return cursor;
    std::vector<std::uint64_t> numbers;
    const auto* at = text.data();
    const auto* end = at + text.size();
    while (numbers.size() <= 2 * files) {
        std::uint64_t number = 0;
        const auto parsed = std::from_chars(at, end, number);
        if (parsed.ec != std::errc{}) break;
        numbers.push_back(number);
        at = parsed.ptr;
        if (at == end || *at != '.') break;
        ++at;
    }
    if (at != end || numbers.size() != 1 + 2 * files) {
        return make_error(ErrorKind::kInvalidArgument,
                          "`before` is no cursor of an earlier page of this log");
    }
    cursor.newest = static_cast<std::int64_t>(std::min<std::uint64_t>(numbers[0], kLatestMillis));
    for (std::size_t i = 0; i < files; ++i) cursor.places[i] = {numbers[1 + 2 * i], numbers[2 + 2 * i]};
    return cursor;
}

std::uint64_t weight_of(const LogEntry& entry) {
    return 400 + entry.message.size() + entry.exception_info.size();
}

void sort_by_time(std::vector<LogHit>& hits) {
    std::ranges::stable_sort(hits, [](const LogHit& a, const LogHit& b) {
        return millis_of(a.entry.timestamp) < millis_of(b.entry.timestamp);
    });
}

}  // namespace

bool LogQuery::fits(const LogEntry& entry) const {
    if (least && entry.level < *least) return false;
    if (type && entry.log_type != type) return false;
    if (phase && entry.execution_phase != phase) return false;
    // As precise as what is shown.
    if (since && millis_of(entry.timestamp) < millis_of(*since)) return false;
    if (until && millis_of(entry.timestamp) > millis_of(*until)) return false;
    if (q.empty()) return true;
    const auto part = lowered(q);
    return contains_lower(entry.message, part) || contains_lower(entry.exception_info, part) ||
           contains_lower(entry.source_file, part);
}

Result<LogPage> search_logs(std::span<const std::string> files, const LogQuery& query,
                            const LogSearchLimits& limits) {
    const auto cursor = read_cursor(query.before, files.size());
    if (!cursor) return cursor.error();
    LogQuery bounded = query;
    if (cursor->newest) {
        const UtcTime newest{milliseconds{*cursor->newest} + kDisorder};
        bounded.until = std::min(bounded.until.value_or(newest), newest);
    }
    const QuickLook quick{bounded};
    std::vector<std::unique_ptr<Source>> sources;
    for (std::size_t i = 0; i < files.size(); ++i) {
        sources.push_back(std::make_unique<Source>(files[i], cursor->places[i]));
    }
    const auto read_so_far = [&] {
        std::uint64_t bytes = 0;
        for (const auto& source : sources) bytes += source->bytes_read();
        return bytes;
    };

    LogPage page;
    auto newest = cursor->newest.value_or(INT64_MAX);
    std::uint64_t answer_bytes = 0;
    bool more = false;
    while (true) {
        for (auto& source : sources) {
            const auto read = read_so_far();
            const auto left = limits.max_bytes > read ? limits.max_bytes - read : 0;
            page.complete = source->advance(bounded, quick, left) && page.complete;
        }
        Source* next = nullptr;
        for (auto& source : sources) {
            if (!source->entry()) continue;
            if (next == nullptr || source->entry()->timestamp > next->entry()->timestamp) next = source.get();
        }
        more = next != nullptr || !page.complete;
        // A source that was not read far enough may hold something newer than what the others have found.
        if (next == nullptr || !page.complete || page.hits.size() >= query.limit) break;
        answer_bytes += weight_of(*next->entry());
        if (answer_bytes > limits.max_answer_bytes && !page.hits.empty()) {
            page.complete = false;
            break;
        }
        auto& hit = page.hits.emplace_back();
        hit.entry = next->take();
        newest = std::min(newest, millis_of(hit.entry.timestamp));
        hit.before = make_cursor(newest, sources);
    }
    if (more) {
        // Nothing found yet: the times of what was passed over are not known.
        page.before = make_cursor(std::min(newest, kLatestMillis), sources);
    }
    for (const auto& source : sources) page.damaged_lines += source->damaged();
    page.scanned_bytes = read_so_far();
    std::ranges::reverse(page.hits);
    sort_by_time(page.hits);
    return page;
}

LogPage search_streams(std::span<const std::vector<std::string>> streams, const LogQuery& query,
                       const LogSearchLimits& limits) {
    LogPage all;
    LogQuery narrowed = query;
    narrowed.before.clear();
    std::uint64_t answer_bytes = 0;
    for (const auto& files : streams) {
        if (all.scanned_bytes >= limits.max_bytes) {
            all.complete = false;
            break;
        }
        auto found =
            search_logs(files, narrowed, {limits.max_bytes - all.scanned_bytes, limits.max_answer_bytes});
        if (!found) continue;  // without a cursor there is nothing to refuse
        all.scanned_bytes += found->scanned_bytes;
        all.damaged_lines += found->damaged_lines;
        all.complete = all.complete && found->complete;
        for (auto& hit : found->hits) {
            answer_bytes += weight_of(hit.entry);
            hit.before.clear();
            all.hits.push_back(std::move(hit));
        }
        sort_by_time(all.hits);
        std::size_t leave = all.hits.size() - std::min(all.hits.size(), query.limit);
        for (std::size_t i = 0; i < all.hits.size(); ++i) {
            if (i < leave) answer_bytes -= weight_of(all.hits[i].entry);
            if (i < leave || answer_bytes <= limits.max_answer_bytes) continue;
            all.complete = false;
            answer_bytes -= weight_of(all.hits[i].entry);
            leave = i + 1;
        }
        all.hits.erase(all.hits.begin(), all.hits.begin() + static_cast<std::ptrdiff_t>(leave));
        // Only what is newer than the oldest of a full page can still get in.
        if (all.hits.size() >= query.limit) {
            const auto oldest = all.hits.front().entry.timestamp;
            narrowed.since = std::max(narrowed.since.value_or(oldest), oldest);
        }
    }
    return all;
}

void add_recent(LogPage& page, const std::vector<LogEntry>& recent, const LogQuery& query) {
    if (!query.before.empty()) return;
    std::unordered_set<std::int64_t> on_disk;
    for (const auto& hit : page.hits) on_disk.insert(hit.entry.id);
    // What is older than a page that goes on is on a later page, or not at all.
    const auto oldest =
        page.before && !page.hits.empty() ? millis_of(page.hits.front().entry.timestamp) : INT64_MIN;
    const auto before = page.hits.size();
    for (const auto& entry : recent) {
        if (on_disk.contains(entry.id) || millis_of(entry.timestamp) <= oldest || !query.fits(entry))
            continue;
        page.hits.push_back({entry, {}});
    }
    if (page.hits.size() == before) return;
    sort_by_time(page.hits);
    if (page.hits.size() <= query.limit) return;
    const auto leave = static_cast<std::ptrdiff_t>(page.hits.size() - query.limit);
    // The page before this one begins before the oldest entry of the files that is still on it.
    for (auto hit = page.hits.begin() + leave; hit != page.hits.end(); ++hit) {
        if (hit->before.empty()) continue;
        page.before = hit->before;
        break;
    }
    page.hits.erase(page.hits.begin(), page.hits.begin() + leave);
}

}  // namespace fieldwarden::supervisor
