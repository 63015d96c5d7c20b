#include "common/log/trim_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace fieldwarden {

namespace {

Error failure(const char* what) {
    return make_error(ErrorKind::kIo, fmt::format("{}: {}", what, errno_text(errno)));
}

}  // namespace

Result<std::uint64_t> trim_front(int file, std::uint64_t limit, std::uint64_t keep) {
    struct stat info {};
    if (::fstat(file, &info) != 0) return failure("cannot ask for the size");
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (!S_ISREG(info.st_mode) || size <= limit || size <= keep) return std::uint64_t{0};

    const auto block = static_cast<std::uint64_t>(info.st_blksize > 0 ? info.st_blksize : 4096);
    const auto range = (size - keep) / block * block;
    if (range > 0 && ::fallocate(file, FALLOC_FL_COLLAPSE_RANGE, 0, static_cast<off_t>(range)) == 0) {
        return range;
    }
    std::string tail(keep, '\0');
    const auto got = ::pread(file, tail.data(), keep, static_cast<off_t>(size - keep));
    tail.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    if (::ftruncate(file, 0) != 0) return failure("cannot truncate");
    const auto written = tail.empty() ? 0 : ::write(file, tail.data(), tail.size());
    // A tail that did not fit (the disk is full) is gone; the cut has made room for what comes next.
    return size - (written > 0 ? static_cast<std::uint64_t>(written) : 0);
}

Result<std::uint64_t> trim_front(const std::string& path, std::uint64_t limit, std::uint64_t keep) {
    const int file = ::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) {
        if (errno == ENOENT) return std::uint64_t{0};
        return failure(("cannot open " + path).c_str());
    }
    auto trimmed = trim_front(file, limit, keep);
    ::close(file);
    if (!trimmed) trimmed.error().message = path + ": " + trimmed.error().message;
    return trimmed;
}

}  // namespace fieldwarden
