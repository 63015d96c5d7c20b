// The file system as the spool needs it: a seam, so that tests can cut the power, tear writes and fill the
// disk at every single operation.
//
// Threads. Methods of FileSystem and different Files may be called from any thread; one File is written by
// one thread at a time, and may be read and synced by others meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/bytes.h"
#include "common/result.h"

namespace fieldwarden::worker {

// As the system call gave it: bytes moved (possibly fewer than asked), or an errno.
struct IoResult {
    std::size_t count = 0;
    int error = 0;
};

class File {
  public:
    virtual ~File() = default;
    virtual IoResult write_at(ByteSpan bytes, std::uint64_t offset) = 0;
    // count 0 without an error: the end of the file.
    virtual IoResult read_at(std::span<std::byte> into, std::uint64_t offset) const = 0;
    // Everything written so far survives a power cut once this returned 0; otherwise an errno, and what was
    // written since the last success may be gone.
    virtual int sync_data() = 0;
    virtual int truncate(std::uint64_t size) = 0;
    [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
};

// An exclusive lock, held while the object lives; the operating system drops it when the process dies.
class FileLock {
  public:
    virtual ~FileLock() = default;
};

enum class OpenMode : std::uint8_t {
    kRead,
    kReadWrite,  // created when missing
};

class FileSystem {
  public:
    virtual ~FileSystem() = default;
    virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
    // Names (not paths) of the files in `directory`.
    virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
    virtual Status make_directories(const std::string& path) = 0;
    virtual Status remove(const std::string& path) = 0;
    // Names created and removed so far survive a power cut.
    virtual Status sync_directory(const std::string& path) = 0;
    // kBusy when another process (or another lock object) holds it.
    virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path) = 0;
};

FileSystem& real_file_system();

// Moves all bytes, through short transfers. The error number, or 0.
int write_all(File& file, ByteSpan bytes, std::uint64_t offset);
// The bytes read; fewer than asked only at the end of the file.
Result<std::size_t> read_up_to(const File& file, std::span<std::byte> into, std::uint64_t offset,
                               const std::string& path);

}  // namespace fieldwarden::worker
