// RotatingFile: a file of lines that cannot fill the disk. At `max_bytes` the file becomes <path>.1, the
// older ones move up, and the oldest beyond `max_files` is removed. A file that someone else removed or moved
// is begun anew.
//
// Threads. Not thread safe; the caller holds its lock. Errors. A line that cannot be written is dropped and
// counted; the next line tries again. Nothing is fsynced: logs are not data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/result.h"

namespace fieldwarden {

struct RotatingFileOptions {
    std::uint64_t max_bytes = 10ULL << 20;  // of one file
    std::uint32_t max_files = 5;            // the current one included
};

class RotatingFile {
  public:
    RotatingFile(std::string path, RotatingFileOptions options);
    ~RotatingFile();
    RotatingFile(const RotatingFile&) = delete;
    RotatingFile& operator=(const RotatingFile&) = delete;

    // Appends `line` and a line feed in one write, so that lines of several writers do not mix.
    Status write_line(std::string_view line);
    // From the next line on.
    void set_options(RotatingFileOptions options) { options_ = options; }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    Status open();
    bool was_removed() const;
    void rotate();

    std::string path_;
    RotatingFileOptions options_;
    int fd_ = -1;
    std::uint64_t size_ = 0;
    std::uint64_t dropped_ = 0;
    std::string buffer_;
};

}  // namespace fieldwarden
