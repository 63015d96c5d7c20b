// HistoryWriter: the writing side of the embedded history (layout: common/history/history_format.h).
//
// Threads. One thread. Memory. One slice of samples (kSliceSamples) while compacting.
#pragma once

#include <memory>
#include <string>

#include "common/clock.h"
#include "common/sqlite.h"
#include "common/task_config.h"
#include "worker/sinks/history/history_compactor.h"
#include "worker/sinks/sink.h"

namespace fieldwarden::worker {

class HistoryWriter {
  public:
    // Creates the database when it is missing. kCorrupt: it is damaged; move_aside() makes way for a new one.
    static Result<std::unique_ptr<HistoryWriter>> open(const std::string& path, const HistoryConfig& config,
                                                       const CompactionLimits& limits = {});
    // Renames a damaged database, so that it can be examined, and says its new name.
    static Result<std::string> move_aside(const std::string& path, UtcTime now);

    // Stores the batch in one transaction; records already stored are left out. All or nothing.
    Status write(const DeliveryBatch& batch);
    // A bounded piece of compaction or retention, if any is due. Whether something was done.
    Result<bool> maintain(UtcTime now);
    [[nodiscard]] std::uint64_t applied_seq() const { return applied_seq_; }
    // Of the points written last.
    [[nodiscard]] std::uint64_t directory_version() const { return directory_version_; }

  private:
    HistoryWriter(SqlDatabase db, const HistoryConfig& config, const CompactionLimits& limits);
    Status prepare();
    Status write_directory(const PointDirectory& directory);
    Status set_meta(const char* key, std::uint64_t value);

    SqlDatabase db_;
    HistoryConfig config_;
    CompactionLimits limits_;
    SqlStatement insert_frame_;
    SqlStatement set_meta_;
    std::uint64_t applied_seq_ = 0;
    std::uint64_t directory_version_ = 0;
    std::unique_ptr<HistoryCompactor> compactor_;
};

}  // namespace fieldwarden::worker
