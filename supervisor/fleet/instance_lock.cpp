#include "supervisor/fleet/instance_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

namespace fieldwarden::supervisor {

namespace {

std::string read_holder(int file) {
    char buffer[32] = {};
    const auto got = pread(file, buffer, sizeof buffer - 1, 0);
    std::string text{buffer, got > 0 ? static_cast<std::size_t>(got) : 0};
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text.empty() ? "unknown" : text;
}

}  // namespace

Result<InstanceLock> InstanceLock::take(const std::string& path) {
    std::error_code ignored;
    std::filesystem::create_directories(std::filesystem::path{path}.parent_path(), ignored);
    InstanceLock lock;
    lock.file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock.file_ < 0) {
        return make_error(ErrorKind::kIo, fmt::format("cannot open {}: {}", path, errno_text(errno)));
    }
    if (flock(lock.file_, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) {
            return make_error(ErrorKind::kIo, fmt::format("cannot lock {}: {}", path, errno_text(errno)));
        }
        return make_error(ErrorKind::kConflict,
                          fmt::format("another supervisor (pid {}) already runs on this data directory: it "
                                      "holds {}; stop it first or choose another --data-dir",
                                      read_holder(lock.file_), path));
    }
    // The text only helps people; the lock itself is what counts.
    const auto text = fmt::format("{}\n", getpid());
    if (ftruncate(lock.file_, 0) != 0 ||
        pwrite(lock.file_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
        return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", path, errno_text(errno)));
    }
    return lock;
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

InstanceLock& InstanceLock::operator=(InstanceLock&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
}

InstanceLock::~InstanceLock() {
    if (file_ >= 0) close(file_);
}

}  // namespace fieldwarden::supervisor
