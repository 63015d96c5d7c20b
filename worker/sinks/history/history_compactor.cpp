#include "worker/sinks/history/history_compactor.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "common/history/history_format.h"
#include "common/sample_block.h"

namespace fieldwarden::worker {

namespace {

std::int64_t micros(UtcTime time) {
    return time.time_since_epoch().count();
}

// A window holds about this many samples of each point: enough to make chunks worth their row, few enough to
// read one quickly.
constexpr std::uint64_t kSamplesPerPoint = 500;
constexpr std::uint64_t kLeastWindowSamples = 20'000;
constexpr std::uint64_t kBytesPerSample = 9;
// Free pages are used again by the next frames, so only a surplus goes back to the file system.
constexpr std::int64_t kFreeBytesKept = 64 << 20;
constexpr int kPagesPerVacuum = 1'000;

}  // namespace

HistoryCompactor::HistoryCompactor(SqlDatabase& db, const HistoryConfig& config, CompactionLimits limits)
    : db_(db), config_(config), limits_(limits) {}

Status HistoryCompactor::open() {
    const auto compacted = history::number(
        db_, fmt::format("SELECT value FROM meta WHERE key = '{}'", history::kMetaCompactedSeq));
    if (!compacted) return compacted.error();
    compacted_seq_ = *compacted;
    const auto waiting =
        history::number(db_, fmt::format("SELECT sum(samples) FROM frames WHERE seq > {}", compacted_seq_));
    if (!waiting) return waiting.error();
    waiting_samples_ = static_cast<std::uint64_t>(*waiting);
    const auto points = history::number(db_, "SELECT count(*) FROM points");
    if (!points) return points.error();
    point_count_ = *points;
    const auto interrupted = history::number(db_, "SELECT last_seq FROM windows WHERE complete = 0");
    if (!interrupted) return interrupted.error();
    return *interrupted != 0 ? plan_window(*interrupted) : Status{};
}

void HistoryCompactor::added(std::uint64_t samples) {
    waiting_samples_ += samples;
}

Result<bool> HistoryCompactor::step(UtcTime now) {
    if (window_) {
        auto done = window_->next_slice < window_->slices.size() ? compact_slice() : finish_window();
        if (!done) {
            // Planned again from what is stored, whatever went wrong.
            window_.reset();
            return done.error();
        }
        return true;
    }
    if (frames_to_delete_) return delete_frames();
    const auto compact = due(now);
    if (!compact) return compact.error();
    if (*compact) {
        if (auto planned = plan_window(std::nullopt); !planned) return planned.error();
        return window_.has_value();
    }
    return retain(now);
}

std::uint64_t HistoryCompactor::window_samples() const {
    const auto by_points = static_cast<std::uint64_t>(point_count_) * kSamplesPerPoint;
    // Retention works by whole windows, so one is a small part of the space allowed.
    const auto by_space = config_.max_bytes / 8 / kBytesPerSample;
    return std::clamp(std::min(by_points, by_space), std::min(kLeastWindowSamples, limits_.window_samples),
                      limits_.window_samples);
}

Result<bool> HistoryCompactor::due(UtcTime now) {
    if (waiting_samples_ == 0) return false;
    if (waiting_samples_ >= window_samples()) return true;
    if (now < next_age_check_ && next_age_check_ - now <= limits_.retention_interval) return false;
    next_age_check_ = now + limits_.retention_interval;
    const auto points = history::number(db_, "SELECT count(*) FROM points");
    if (!points) return points.error();
    point_count_ = *points;
    const auto oldest = history::number(
        db_, fmt::format("SELECT t_first FROM frames WHERE seq > {} ORDER BY seq LIMIT 1", compacted_seq_));
    if (!oldest) return oldest.error();
    return *oldest < micros(now - limits_.window_age);
}

// Chooses the frames of the next window, oldest first, up to `until_seq` when an interrupted window says so,
// and cuts their points into slices.
Status HistoryCompactor::plan_window(std::optional<std::int64_t> until_seq) {
    auto frames =
        db_.prepare("SELECT seq, t_first, t_last, samples, block FROM frames WHERE seq > ? ORDER BY seq");
    if (!frames) return frames.error();
    frames->bind(compacted_seq_);
    Window window;
    std::map<PointId, std::uint64_t> counts;
    std::uint64_t most_of_one_point = 0;
    for (;;) {
        const auto row = frames->step();
        if (!row) return row.error();
        if (!*row) break;
        const auto seq = frames->integer(0);
        if (until_seq ? seq > *until_seq
                      : window.samples >= window_samples() || most_of_one_point >= limits_.slice_samples) {
            break;
        }
        if (window.id == 0) {
            window.id = seq;
            window.t_first = frames->integer(1);
            window.t_last = frames->integer(2);
        }
        window.last_seq = seq;
        window.t_first = std::min(window.t_first, frames->integer(1));
        window.t_last = std::max(window.t_last, frames->integer(2));
        window.samples += static_cast<std::uint64_t>(frames->integer(3));
        frame_.clear();
        // The spool has checked the block; one that does not decode now is damage to the database, of one
        // frame.
        (void)decode_sample_block(frames->bytes(4), frame_);
        for (const auto& sample : frame_)
            most_of_one_point = std::max(most_of_one_point, ++counts[sample.point]);
    }
    if (window.id == 0) {
        waiting_samples_ = 0;
        return {};
    }
    for (const auto& [point, count] : counts) {
        if (window.slices.empty() || window.slices.back().samples + count > limits_.slice_samples) {
            window.slices.push_back({point, point, 0});
        }
        window.slices.back().most = point;
        window.slices.back().samples += count;
    }
    auto begun = db_.prepare(
        "INSERT OR REPLACE INTO windows (id, last_seq, t_first, t_last, samples, complete) VALUES (?, ?, ?, "
        "?, ?, 0)");
    if (!begun) return begun.error();
    auto inserted = begun
                        ->bind(window.id, window.last_seq, window.t_first, window.t_last,
                               static_cast<std::int64_t>(window.samples))
                        .run();
    if (!inserted) return inserted;
    window_ = std::move(window);
    return {};
}

Status HistoryCompactor::compact_slice() {
    const Slice slice = window_->slices[window_->next_slice];
    auto frames = db_.prepare(
        "SELECT block FROM frames WHERE seq BETWEEN ? AND ? AND point_most >= ? AND point_least <= ? ORDER "
        "BY seq");
    if (!frames) return frames.error();
    frames->bind(window_->id, window_->last_seq, std::int64_t{slice.least}, std::int64_t{slice.most});
    samples_.clear();
    samples_.reserve(slice.samples);
    for (;;) {
        const auto row = frames->step();
        if (!row) return row.error();
        if (!*row) break;
        frame_.clear();
        (void)decode_sample_block(frames->bytes(0), frame_);
        for (auto& sample : frame_) {
            if (sample.point >= slice.least && sample.point <= slice.most)
                samples_.push_back(std::move(sample));
        }
    }
    // Stable: of two samples of one point at one time the later delivered comes last, and is kept.
    std::stable_sort(samples_.begin(), samples_.end(), [](const Sample& a, const Sample& b) {
        return std::tie(a.point, a.time) < std::tie(b.point, b.time);
    });
    auto transaction = SqlTransaction::begin(db_);
    if (!transaction) return transaction.error();
    auto insert = db_.prepare("INSERT OR REPLACE INTO chunks (window, point, block) VALUES (?, ?, ?)");
    if (!insert) return insert.error();
    Bytes block;
    for (auto first = samples_.begin(); first != samples_.end();) {
        auto last = first;  // behind the point's samples kept
        auto next = first;
        while (next != samples_.end() && next->point == first->point) {
            if (last != first && std::prev(last)->time == next->time) --last;
            if (last != next) *last = std::move(*next);
            ++last;
            ++next;
        }
        block.clear();
        encode_sample_block(std::span{first, last}, block);
        auto inserted = insert->bind(window_->id, std::int64_t{first->point}, block).run();
        if (!inserted) return inserted;
        first = next;
    }
    if (auto committed = transaction->commit(); !committed) return committed;
    ++window_->next_slice;
    return {};
}

Status HistoryCompactor::finish_window() {
    auto transaction = SqlTransaction::begin(db_);
    if (!transaction) return transaction.error();
    auto completed = db_.execute(
        fmt::format("UPDATE windows SET complete = 1 WHERE id = {0}; INSERT INTO meta (key, value) VALUES "
                    "('{1}', {2}) ON CONFLICT (key) DO UPDATE SET value = {2}",
                    window_->id, history::kMetaCompactedSeq, window_->last_seq));
    if (!completed) return completed;
    if (auto committed = transaction->commit(); !committed) return committed;
    compacted_seq_ = window_->last_seq;
    waiting_samples_ -= std::min(waiting_samples_, window_->samples);
    frames_to_delete_ = true;
    window_.reset();
    samples_ = {};
    frame_ = {};
    return {};
}

Result<bool> HistoryCompactor::delete_frames() {
    auto rows = db_.prepare(
        "DELETE FROM frames WHERE seq IN (SELECT seq FROM frames WHERE seq <= ? ORDER BY seq "
        "LIMIT ?)");
    if (!rows) return rows.error();
    if (auto deleted = rows->bind(compacted_seq_, std::int64_t{limits_.frames_per_delete}).run(); !deleted) {
        return deleted.error();
    }
    const auto left = history::number(
        db_, fmt::format("SELECT EXISTS (SELECT 1 FROM frames WHERE seq <= {})", compacted_seq_));
    if (!left) return left.error();
    frames_to_delete_ = *left != 0;
    return true;
}

Status HistoryCompactor::drop_window(std::int64_t id) {
    auto transaction = SqlTransaction::begin(db_);
    if (!transaction) return transaction.error();
    const auto sql =
        fmt::format("DELETE FROM chunks WHERE window = {0}; DELETE FROM windows WHERE id = {0}", id);
    if (auto deleted = db_.execute(sql); !deleted) return deleted;
    return transaction->commit();
}

Result<bool> HistoryCompactor::retain(UtcTime now) {
    if (now < next_retention_ && next_retention_ - now <= limits_.retention_interval) return false;
    const auto oldest_kept = micros(now) - std::chrono::microseconds{config_.max_age}.count();
    const auto aged = history::number(
        db_, fmt::format("SELECT id FROM windows WHERE complete = 1 AND t_last < {} ORDER BY id LIMIT 1",
                         oldest_kept));
    if (!aged) return aged.error();
    if (*aged != 0) {
        if (auto dropped = drop_window(*aged); !dropped) return dropped.error();
        return true;
    }
    const auto page_size = history::number(db_, "PRAGMA page_size");
    const auto pages = history::number(db_, "PRAGMA page_count");
    const auto free_pages = history::number(db_, "PRAGMA freelist_count");
    if (!page_size || !pages || !free_pages) {
        return !page_size ? page_size.error() : !pages ? pages.error() : free_pages.error();
    }
    if (static_cast<std::uint64_t>((*pages - *free_pages) * *page_size) > config_.max_bytes) {
        const auto oldest =
            history::number(db_, "SELECT id FROM windows WHERE complete = 1 ORDER BY id LIMIT 1");
        if (!oldest) return oldest.error();
        if (*oldest != 0) {
            if (auto dropped = drop_window(*oldest); !dropped) return dropped.error();
            return true;
        }
    }
    const auto kept = std::min(kFreeBytesKept, static_cast<std::int64_t>(config_.max_bytes / 4));
    if (*free_pages * *page_size > kept) {
        const auto vacuum = fmt::format("PRAGMA incremental_vacuum({})", kPagesPerVacuum);
        if (auto vacuumed = db_.execute(vacuum); !vacuumed) return vacuumed.error();
        return true;
    }
    next_retention_ = now + limits_.retention_interval;
    return false;
}

}  // namespace fieldwarden::worker
