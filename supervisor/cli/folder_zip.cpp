#include "supervisor/cli/folder_zip.h"

#include <fmt/format.h>
#include <unistd.h>
#include <zip.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace fieldwarden::supervisor::cli {

namespace fs = std::filesystem;

Result<TemporaryFile> TemporaryFile::create(const std::string& suffix) {
    std::error_code error;
    auto directory = fs::temp_directory_path(error);
    if (error) directory = "/tmp";
    std::string path = (directory / ("fieldwarden-XXXXXX" + suffix)).string();
    const int file = ::mkstemps(path.data(), static_cast<int>(suffix.size()));
    if (file < 0) {
        return make_error(ErrorKind::kIo, fmt::format("{}: cannot be created: {}", path, errno_text(errno)));
    }
    ::close(file);
    return TemporaryFile{std::move(path)};
}

TemporaryFile::~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
}

Result<TemporaryFile> zip_csv_folder(const std::string& folder) {
    std::vector<fs::path> files;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{folder, error}) {
        auto extension = entry.path().extension().string();
        std::transform(extension.begin(), extension.end(), extension.begin(),
                       [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        std::error_code ignored;
        if (extension == ".csv" && entry.is_regular_file(ignored)) files.push_back(entry.path());
    }
    if (error) {
        return make_error(ErrorKind::kIo, fmt::format("{}: cannot be read: {}", folder, error.message()));
    }
    if (files.empty()) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("{}: holds no .csv file; one per sheet is wanted (sites.csv, devices.csv, …)",
                        folder));
    }
    std::sort(files.begin(), files.end());
    auto target = TemporaryFile::create(".zip");
    if (!target) return target;
    int code = 0;
    zip_t* archive = zip_open(target->path().c_str(), ZIP_CREATE | ZIP_TRUNCATE, &code);
    const auto failed = [&](std::string_view what, const fs::path& file) {
        const std::string why =
            archive == nullptr ? fmt::format("libzip error {}", code) : zip_strerror(archive);
        if (archive != nullptr) zip_discard(archive);
        return make_error(ErrorKind::kIo, fmt::format("{}: {}: {}", file.string(), what, why));
    };
    if (archive == nullptr) return failed("cannot be written", target->path());
    for (const auto& file : files) {
        zip_source_t* source = zip_source_file(archive, file.c_str(), 0, -1);
        if (source == nullptr) return failed("cannot be packed", file);
        if (zip_file_add(archive, file.filename().c_str(), source, ZIP_FL_ENC_UTF_8) < 0) {
            zip_source_free(source);
            return failed("cannot be packed", file);
        }
    }
    if (zip_close(archive) != 0) return failed("cannot be packed", folder);
    return target;
}

}  // namespace fieldwarden::supervisor::cli
