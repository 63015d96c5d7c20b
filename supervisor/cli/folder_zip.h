// A folder of .csv files as one .zip, the form in which the supervisor takes it.
#pragma once

#include <string>

#include "common/result.h"

namespace fieldwarden::supervisor::cli {

// A temporary file, deleted with the object.
class TemporaryFile {
  public:
    static Result<TemporaryFile> create(const std::string& suffix);
    TemporaryFile(TemporaryFile&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
    TemporaryFile& operator=(TemporaryFile&&) = delete;
    ~TemporaryFile();
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// The .csv files that lie directly in `folder`. Fails when there is none.
Result<TemporaryFile> zip_csv_folder(const std::string& folder);

}  // namespace fieldwarden::supervisor::cli
