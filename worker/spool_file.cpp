#include "worker/spool_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/data_paths.h"

namespace fieldwarden::worker {

namespace {

Error io_error(std::string_view what, const std::string& path, int error) {
    return make_error(ErrorKind::kIo, fmt::format("cannot {} {}: {}", what, path, errno_text(error)));
}

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_;
};

class PosixFile : public File {
  public:
    PosixFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

    IoResult write_at(ByteSpan bytes, std::uint64_t offset) override {
        return finish(::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)));
    }
    IoResult read_at(std::span<std::byte> into, std::uint64_t offset) const override {
        return finish(::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset)));
    }
    int sync_data() override { return ::fdatasync(fd_.get()) == 0 ? 0 : errno; }
    int truncate(std::uint64_t size) override {
        return ::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0 ? 0 : errno;
    }
    [[nodiscard]] Result<std::uint64_t> size() const override {
        struct stat info {};
        if (::fstat(fd_.get(), &info) != 0) return io_error("read the size of", path_, errno);
        return static_cast<std::uint64_t>(info.st_size);
    }

  private:
    static IoResult finish(ssize_t moved) {
        if (moved < 0) return {0, errno};
        return {static_cast<std::size_t>(moved), 0};
    }

    Descriptor fd_;
    std::string path_;
};

class PosixLock : public FileLock {
  public:
    explicit PosixLock(Descriptor fd) : fd_(std::move(fd)) {}

  private:
    Descriptor fd_;
};

class PosixFileSystem : public FileSystem {
  public:
    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
        const int flags = mode == OpenMode::kRead ? O_RDONLY : O_RDWR | O_CREAT;
        Descriptor fd{::open(path.c_str(), flags | O_CLOEXEC, 0600)};
        if (fd.get() < 0) return io_error("open", path, errno);
        return std::unique_ptr<File>{std::make_unique<PosixFile>(std::move(fd), path)};
    }

    Result<std::vector<std::string>> list(const std::string& directory) override {
        DIR* dir = ::opendir(directory.c_str());
        if (dir == nullptr) return io_error("list", directory, errno);
        std::vector<std::string> names;
        while (const dirent* entry = ::readdir(dir)) {
            if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
        }
        ::closedir(dir);
        return names;
    }

    Status make_directories(const std::string& path) override { return fieldwarden::make_directories(path); }

    Status remove(const std::string& path) override {
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) return io_error("remove", path, errno);
        return {};
    }

    Status sync_directory(const std::string& path) override {
        const Descriptor fd{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        if (fd.get() < 0 || ::fsync(fd.get()) != 0) return io_error("sync directory", path, errno);
        return {};
    }

    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
        Descriptor fd{::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
        if (fd.get() < 0) return io_error("open", path, errno);
        if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return io_error("lock", path, errno);
            return make_error(ErrorKind::kBusy, fmt::format("{} is locked by another process", path));
        }
        return std::unique_ptr<FileLock>{std::make_unique<PosixLock>(std::move(fd))};
    }
};

}  // namespace

FileSystem& real_file_system() {
    static PosixFileSystem instance;
    return instance;
}

int write_all(File& file, ByteSpan bytes, std::uint64_t offset) {
    while (!bytes.empty()) {
        const auto moved = file.write_at(bytes, offset);
        if (moved.error == EINTR) continue;
        if (moved.error != 0) return moved.error;
        if (moved.count == 0) return EIO;
        bytes = bytes.subspan(moved.count);
        offset += moved.count;
    }
    return 0;
}

Result<std::size_t> read_up_to(const File& file, std::span<std::byte> into, std::uint64_t offset,
                               const std::string& path) {
    std::size_t total = 0;
    while (total < into.size()) {
        const auto moved = file.read_at(into.subspan(total), offset + total);
        if (moved.error == EINTR) continue;
        if (moved.error != 0) return io_error("read", path, moved.error);
        if (moved.count == 0) break;
        total += moved.count;
    }
    return total;
}

}  // namespace fieldwarden::worker
