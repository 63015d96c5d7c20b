// A file system in memory that forgets. It counts every operation that changes something, fails the ones it
// is told to, and can cut the power: what was not synced is then kept, torn or gone, each at random.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>

#include "worker/spool_file.h"

namespace fieldwarden::worker {

class FaultyFileSystem : public FileSystem {
  public:
    FaultyFileSystem();
    ~FaultyFileSystem() override;

    Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
    Result<std::vector<std::string>> list(const std::string& directory) override;
    Status make_directories(const std::string& path) override;
    Status remove(const std::string& path) override;
    Status sync_directory(const std::string& path) override;
    Result<std::unique_ptr<FileLock>> lock(const std::string& path) override;

    // Decides over operation number `n` (from 1): 0 lets it happen, an errno fails it. A write that fails has
    // written half of its bytes when `torn`. After `dead` there is no process any more: nothing has any
    // effect.
    struct Verdict {
        int error = 0;
        bool torn = false;
        bool dead = false;
    };
    using Fault = std::function<Verdict(std::uint64_t n)>;
    void set_fault(Fault fault) { fault_ = std::move(fault); }
    [[nodiscard]] std::uint64_t operations() const { return operations_; }

    // The machine comes back after a power cut.
    void cut_power(std::minstd_rand& random);
    [[nodiscard]] std::vector<std::string> paths() const;
    // Flips one bit of a file, as a failing disk does.
    void flip(const std::string& path, std::uint64_t byte);
    [[nodiscard]] std::uint64_t size_of(const std::string& path) const;

    struct Content;

  private:
    friend class FaultyFile;
    Verdict next_operation();

    std::mutex mutex_;  // spools are used by several threads
    std::map<std::string, std::shared_ptr<Content>> names_;
    std::map<std::string, std::shared_ptr<Content>> durable_names_;
    std::set<std::string> locks_;
    Fault fault_;
    std::uint64_t operations_ = 0;
};

}  // namespace fieldwarden::worker
