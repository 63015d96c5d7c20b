#include "common/log/rotating_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace fieldwarden {

RotatingFile::RotatingFile(std::string path, RotatingFileOptions options)
    : path_(std::move(path)), options_(options) {}

RotatingFile::~RotatingFile() {
    if (fd_ >= 0) ::close(fd_);
}

Status RotatingFile::open() {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd_ < 0) {
        return make_error(ErrorKind::kIo, fmt::format("cannot open {}: {}", path_, errno_text(errno)));
    }
    struct stat info {};
    size_ = ::fstat(fd_, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
    return {};
}

// Someone deleted or renamed the file: what is written now would be seen by nobody.
bool RotatingFile::was_removed() const {
    struct stat ours {};
    struct stat named {};
    return ::fstat(fd_, &ours) == 0 &&
           (::stat(path_.c_str(), &named) != 0 || named.st_ino != ours.st_ino || named.st_dev != ours.st_dev);
}

void RotatingFile::rotate() {
    ::close(fd_);
    fd_ = -1;
    // A rename that fails leaves a file that goes on growing by one `max_bytes` at a time; the next rotation
    // tries again, and no line is lost for it.
    if (options_.max_files <= 1) {
        ::unlink(path_.c_str());
        return;
    }
    for (std::uint32_t number = options_.max_files - 1; number > 1; --number) {
        std::rename(fmt::format("{}.{}", path_, number - 1).c_str(),
                    fmt::format("{}.{}", path_, number).c_str());
    }
    std::rename(path_.c_str(), fmt::format("{}.1", path_).c_str());
}

Status RotatingFile::write_line(std::string_view line) {
    if (fd_ >= 0 && was_removed()) {
        ::close(fd_);
        fd_ = -1;
    }
    if (fd_ >= 0 && size_ + line.size() + 1 > options_.max_bytes && size_ > 0) rotate();
    if (fd_ < 0) {
        if (auto opened = open(); !opened) {
            ++dropped_;
            return opened;
        }
        if (size_ + line.size() + 1 > options_.max_bytes && size_ > 0) {
            rotate();
            if (auto opened = open(); !opened) {
                ++dropped_;
                return opened;
            }
        }
    }
    buffer_.assign(line);
    buffer_ += '\n';
    ssize_t written = 0;
    do {
        written = ::write(fd_, buffer_.data(), buffer_.size());
    } while (written < 0 && errno == EINTR);
    if (written == static_cast<ssize_t>(buffer_.size())) {
        size_ += buffer_.size();
        return {};
    }
    const std::string why = written < 0 ? errno_text(errno) : "only a part of the line fitted";
    // Half a line would spoil the next one.
    if (written > 0 && ::ftruncate(fd_, static_cast<off_t>(size_)) != 0)
        size_ += static_cast<std::uint64_t>(written);
    ++dropped_;
    return make_error(ErrorKind::kIo, fmt::format("cannot write to {}: {}; the line is dropped", path_, why));
}

}  // namespace fieldwarden
