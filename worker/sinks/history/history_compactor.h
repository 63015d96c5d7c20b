// HistoryCompactor: turns frames into windows of per-point chunks, and forgets what retention no longer
// keeps. All in steps of some tens of milliseconds, between two deliveries, in the writer's thread.
//
// A window is compacted slice by slice, each a range of points that holds at most slice_samples samples, so
// that memory is bounded by a slice and not by the window. Each slice is one transaction; a window that was
// interrupted is done again from its first slice, which writes the same chunks over the old ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/sample.h"
#include "common/sqlite.h"
#include "common/task_config.h"

namespace fieldwarden::worker {

struct CompactionLimits {
    std::uint64_t window_samples = 1'500'000;  // frames are compacted when they hold this many samples …
    std::chrono::minutes window_age{15};       // … or the oldest is this old
    std::uint64_t slice_samples = 100'000;     // in memory at once; no point has more in one window
    int frames_per_delete = 200;
    std::chrono::seconds retention_interval{60};
};

class HistoryCompactor {
  public:
    HistoryCompactor(SqlDatabase& db, const HistoryConfig& config, CompactionLimits limits = {});

    // Reads where the last process stopped.
    Status open();
    // The writer stored frames with this many samples.
    void added(std::uint64_t samples);
    // The next bounded piece of work, if any is due at `now`. Whether something was done.
    Result<bool> step(UtcTime now);

  private:
    struct Slice {
        PointId least = 0;
        PointId most = 0;
        std::uint64_t samples = 0;
    };
    struct Window {
        std::int64_t id = 0;  // its first frame's seq
        std::int64_t last_seq = 0;
        std::int64_t t_first = 0;
        std::int64_t t_last = 0;
        std::uint64_t samples = 0;
        std::vector<Slice> slices;
        std::size_t next_slice = 0;
    };

    [[nodiscard]] std::uint64_t window_samples() const;
    Result<bool> due(UtcTime now);
    Status plan_window(std::optional<std::int64_t> until_seq);
    Status compact_slice();
    Status finish_window();
    Result<bool> delete_frames();
    Result<bool> retain(UtcTime now);
    Status drop_window(std::int64_t id);

    SqlDatabase& db_;
    HistoryConfig config_;
    CompactionLimits limits_;
    std::optional<Window> window_;
    std::int64_t compacted_seq_ = 0;
    std::uint64_t waiting_samples_ = 0;  // in frames not yet compacted
    std::int64_t point_count_ = 0;
    bool frames_to_delete_ = true;
    UtcTime next_age_check_{};
    UtcTime next_retention_{};
    SampleBatch samples_;  // one slice
    SampleBatch frame_;    // one frame
};

}  // namespace fieldwarden::worker
