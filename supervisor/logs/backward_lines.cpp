#include "supervisor/logs/backward_lines.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kChunk = 64 * 1024;
constexpr unsigned kMostFiles = 1'001;
constexpr int kRotationRetries = 50;

std::string numbered(const std::string& path, unsigned number) {
    return number == 0 ? path : fmt::format("{}.{}", path, number);
}

// The number under which the file with this inode stands now. While a rotation is under way one name is
// missing.
std::optional<unsigned> number_of(const std::string& path, std::uint64_t inode) {
    unsigned missing = 0;
    for (unsigned number = 0; number < kMostFiles && missing < 3; ++number) {
        struct stat info {};
        if (::stat(numbered(path, number).c_str(), &info) != 0) {
            ++missing;
        } else {
            missing = 0;
            if (info.st_ino == inode) return number;
        }
    }
    return std::nullopt;
}

}  // namespace

BackwardLines::BackwardLines(std::string path, LogPosition from) : path_(std::move(path)) {
    before_ = behind_ = from;
    open_first(from);
}

BackwardLines::~BackwardLines() {
    close_file();
}

void BackwardLines::close_file() {
    if (file_ >= 0) ::close(file_);
    file_ = -1;
}

bool BackwardLines::open_number(unsigned number, std::optional<std::uint64_t> end) {
    const int file = ::open(numbered(path_, number).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return false;
    struct stat info {};
    if (::fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || seen_.contains(info.st_ino)) {
        ::close(file);
        return false;
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    close_file();
    file_ = file;
    inode_ = info.st_ino;
    seen_.insert(inode_);
    data_.clear();
    left_ = 0;
    begin_ = std::min(size, end.value_or(size));
    torn_ = true;  // until the last byte turns out to be a line feed
    before_ = {inode_, begin_};
    return true;
}

bool BackwardLines::open_first(LogPosition from) {
    if (from.inode != 0) {
        for (int attempt = 0; attempt < kRotationRetries; ++attempt) {
            const auto number = number_of(path_, from.inode);
            if (!number) return false;
            if (open_number(*number, from.offset) && inode_ == from.inode) return true;
            close_file();
            seen_.clear();
        }
        return false;
    }
    // In the middle of a rotation there is no newest file.
    return open_number(0, std::nullopt) || open_number(1, std::nullopt);
}

bool BackwardLines::open_older() {
    const auto inode = inode_;
    // Stays open meanwhile: the inode of a file that is deleted and closed is soon that of a newer one.
    const int current = std::exchange(file_, -1);
    bool opened = false;
    for (int attempt = 0; attempt < kRotationRetries; ++attempt) {
        // A file that is gone was the oldest: those before it went earlier.
        const auto number = number_of(path_, inode);
        if (!number) break;
        opened = open_number(*number + 1, std::nullopt) || open_number(*number + 2, std::nullopt);
        // Unless it still stands where it stood, the other may be any file.
        if (number_of(path_, inode) == number) break;
        if (opened) seen_.erase(inode_);
        close_file();
        opened = false;
    }
    ::close(current);
    return opened;
}

// Puts the bytes before begin_ in front of what is left; false at the file's beginning.
bool BackwardLines::load() {
    if (begin_ == 0 || file_ < 0) return false;
    const auto size = static_cast<std::size_t>(
        std::min<std::uint64_t>(begin_, std::max<std::size_t>(kChunk, left_)));  // doubles for a long line
    std::string chunk(size, '\0');
    const auto offset = begin_ - size;
    std::size_t got = 0;
    while (got < size) {
        const auto count = ::pread(file_, chunk.data() + got, size - got, static_cast<off_t>(offset + got));
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        got += static_cast<std::size_t>(count);
    }
    bytes_read_ += got;
    if (got < size) {
        // Cut from outside while it was read.
        begin_ = 0;
        left_ = 0;
        return false;
    }
    chunk.append(data_, 0, left_);
    data_ = std::move(chunk);
    left_ += size;
    begin_ = offset;
    return true;
}

std::optional<std::string_view> BackwardLines::next() {
    while (file_ >= 0) {
        if (left_ == 0 && !load()) {
            if (!open_older()) return std::nullopt;
            continue;
        }
        if (torn_) {
            // Up to the last line feed nothing is whole.
            const auto end = data_.rfind('\n', left_ - 1);
            if (end == left_ - 1) {
                torn_ = false;
            } else if (end != std::string::npos) {
                ++damaged_;
                left_ = end + 1;
                torn_ = false;
            } else {
                left_ = 0;
                if (begin_ == 0) ++damaged_;
                continue;
            }
        }
        const auto feed = left_ < 2 ? std::string::npos : data_.rfind('\n', left_ - 2);
        if (feed == std::string::npos && begin_ > 0) {
            if (left_ <= kLongestLine) {
                if (!load()) left_ = 0;
            } else {
                // Given up; what is before it ends somewhere further up.
                left_ = 0;
                torn_ = true;
            }
            continue;
        }
        const auto start = feed == std::string::npos ? 0 : feed + 1;
        const std::string_view line{data_.data() + start, left_ - start - 1};
        behind_ = {inode_, begin_ + left_};
        before_ = {inode_, begin_ + start};
        left_ = start;
        if (line.size() > kLongestLine) {
            ++damaged_;
            continue;
        }
        return line;
    }
    return std::nullopt;
}

}  // namespace fieldwarden::supervisor
