// The files of import jobs: <data-dir>/imports/<id>/ holds the workbook as it was uploaded, so that a job can
// be applied after a restart, and the last few proposals stay in memory, so that apply does not read it
// twice; large ones only until they are applied or another comes. Threads: thread safe.
#pragma once

#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/result.h"
#include "supervisor/workbook/workbook.h"

namespace fieldwarden::supervisor::gateway {

class ImportDesk {
  public:
    static constexpr std::size_t kCachedDiffs = 4;
    // Records in all cached diffs together. The newest is kept whatever its size until it is applied.
    static constexpr std::size_t kCachedRecords = 20'000;
    static constexpr std::size_t kKeptFiles =
        50;  // jobs whose workbook is kept; older ones cannot be applied

    explicit ImportDesk(std::filesystem::path data_dir);

    // Creates <data-dir>/tmp and <data-dir>/imports (mode 0700) and removes what an earlier run left in tmp.
    Status prepare();
    [[nodiscard]] std::filesystem::path upload_dir() const { return data_dir_ / "tmp"; }

    // Takes the uploaded file over. Removes the files of the oldest jobs beyond kKeptFiles.
    Status keep(std::int64_t job_id, const std::filesystem::path& uploaded);
    // The workbook of a job; kNotFound when it is not kept any more.
    Result<std::filesystem::path> file(std::int64_t job_id) const;
    void discard(std::int64_t job_id);

    void remember(std::int64_t job_id, std::shared_ptr<const Diff> diff);
    std::shared_ptr<const Diff> recall(std::int64_t job_id) const;
    // The job is done with: its diff stays only when it is small.
    void applied(std::int64_t job_id);

    // Applying is one at a time, so that one job cannot be applied twice at once.
    std::mutex& apply_mutex() { return apply_mutex_; }
    // A new file for a download that is written and read at once; removed by the caller.
    std::filesystem::path scratch(std::string_view extension);

  private:
    [[nodiscard]] std::filesystem::path imports_dir() const { return data_dir_ / "imports"; }

    std::filesystem::path data_dir_;
    mutable std::mutex mutex_;
    std::deque<std::pair<std::int64_t, std::shared_ptr<const Diff>>> diffs_;
    std::uint64_t scratch_count_ = 0;
    std::mutex apply_mutex_;
};

}  // namespace fieldwarden::supervisor::gateway
