#include "supervisor/gateway/import_desk.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace fieldwarden::supervisor::gateway {

namespace fs = std::filesystem;

namespace {

Error io_error(std::string_view what, const fs::path& path, const std::error_code& error) {
    return make_error(ErrorKind::kIo, fmt::format("cannot {} {}: {}", what, path.string(), error.message()));
}

Status make_private_directory(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return io_error("create", path, error);
    fs::permissions(path, fs::perms::owner_all, error);
    if (error) return io_error("set the mode of", path, error);
    return {};
}

std::optional<std::int64_t> job_of(const fs::path& directory) {
    const auto name = directory.filename().string();
    std::int64_t id = 0;
    const auto [rest, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc{} || rest != name.data() + name.size()) return std::nullopt;
    return id;
}

std::size_t records_of(const Diff& diff) {
    std::size_t records = 0;
    for (const auto kind : kAllKinds) {
        const auto& of_kind = diff.of(kind);
        records += of_kind.added.size() + of_kind.changed.size() + of_kind.removed.size();
    }
    return records;
}

}  // namespace

ImportDesk::ImportDesk(fs::path data_dir) : data_dir_(std::move(data_dir)) {}

Status ImportDesk::prepare() {
    if (auto made = make_private_directory(imports_dir()); !made) return made;
    if (auto made = make_private_directory(upload_dir()); !made) return made;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(upload_dir(), error)) {
        // Uploads and downloads that were under way when the last run ended.
        const auto name = entry.path().filename().string();
        std::error_code ignored;
        if (name.starts_with("upload-") || name.starts_with("scratch-")) fs::remove(entry.path(), ignored);
    }
    return {};
}

Status ImportDesk::keep(std::int64_t job_id, const fs::path& uploaded) {
    const auto directory = imports_dir() / std::to_string(job_id);
    if (auto made = make_private_directory(directory); !made) return made;
    std::error_code error;
    fs::rename(uploaded, directory / "workbook", error);
    if (error) return io_error("move the upload to", directory, error);

    std::vector<std::int64_t> jobs;
    for (const auto& entry : fs::directory_iterator(imports_dir(), error)) {
        if (const auto id = job_of(entry.path())) jobs.push_back(*id);
    }
    std::ranges::sort(jobs, std::greater{});
    for (std::size_t i = kKeptFiles; i < jobs.size(); ++i) discard(jobs[i]);
    return {};
}

Result<fs::path> ImportDesk::file(std::int64_t job_id) const {
    auto path = imports_dir() / std::to_string(job_id) / "workbook";
    std::error_code error;
    if (!fs::is_regular_file(path, error)) {
        return make_error(
            ErrorKind::kNotFound,
            fmt::format("the workbook of import job {} is not kept any more; upload it again", job_id));
    }
    return path;
}

void ImportDesk::discard(std::int64_t job_id) {
    std::error_code ignored;
    fs::remove_all(imports_dir() / std::to_string(job_id), ignored);
    const std::scoped_lock lock(mutex_);
    std::erase_if(diffs_, [&](const auto& entry) { return entry.first == job_id; });
}

void ImportDesk::remember(std::int64_t job_id, std::shared_ptr<const Diff> diff) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(diffs_, [&](const auto& entry) { return entry.first == job_id; });
    diffs_.emplace_front(job_id, std::move(diff));
    std::size_t records = 0;
    std::size_t kept = 0;
    while (kept < std::min(diffs_.size(), kCachedDiffs)) {
        records += records_of(*diffs_[kept].second);
        if (kept > 0 && records > kCachedRecords) break;
        ++kept;
    }
    diffs_.resize(kept);
}

void ImportDesk::applied(std::int64_t job_id) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(diffs_, [&](const auto& entry) {
        return entry.first == job_id && records_of(*entry.second) > kCachedRecords / kCachedDiffs;
    });
}

std::shared_ptr<const Diff> ImportDesk::recall(std::int64_t job_id) const {
    const std::scoped_lock lock(mutex_);
    const auto found = std::ranges::find(diffs_, job_id, [](const auto& entry) { return entry.first; });
    return found == diffs_.end() ? nullptr : found->second;
}

fs::path ImportDesk::scratch(std::string_view extension) {
    const std::scoped_lock lock(mutex_);
    return upload_dir() / fmt::format("scratch-{}-{}{}", ::getpid(), ++scratch_count_, extension);
}

}  // namespace fieldwarden::supervisor::gateway
