#include "tests/unit/durability/faulty_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace fieldwarden::worker {

struct FaultyFileSystem::Content {
    struct Change {
        std::uint64_t offset = 0;
        Bytes bytes;
        bool truncate = false;  // to `offset`
    };
    Bytes now;
    Bytes durable;
    std::vector<Change> unsynced;
};

namespace {

void write_into(Bytes& content, ByteSpan bytes, std::uint64_t offset) {
    if (content.size() < offset + bytes.size()) content.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), content.begin() + static_cast<std::ptrdiff_t>(offset));
}

class HeldLock : public FileLock {
  public:
    HeldLock(std::set<std::string>& locks, std::string path) : locks_(locks), path_(std::move(path)) {}
    ~HeldLock() override { locks_.erase(path_); }

  private:
    std::set<std::string>& locks_;
    std::string path_;
};

}  // namespace

class FaultyFile : public File {
  public:
    FaultyFile(FaultyFileSystem& files, std::shared_ptr<FaultyFileSystem::Content> content)
        : files_(files), content_(std::move(content)) {}

    IoResult write_at(ByteSpan bytes, std::uint64_t offset) override {
        const std::lock_guard lock{files_.mutex_};
        const auto verdict = files_.next_operation();
        if (verdict.error != 0 && !verdict.torn) return {0, verdict.error};
        const auto part = verdict.error != 0 ? bytes.first(bytes.size() / 2) : bytes;
        write_into(content_->now, part, offset);
        content_->unsynced.push_back({offset, {part.begin(), part.end()}, false});
        return {part.size(), verdict.error};
    }
    IoResult read_at(std::span<std::byte> into, std::uint64_t offset) const override {
        const std::lock_guard lock{files_.mutex_};
        const auto& bytes = content_->now;
        if (offset >= bytes.size()) return {0, 0};
        // Short on purpose: callers have to come back for the rest.
        const auto count = std::min<std::size_t>({into.size(), bytes.size() - offset, 1'000});
        std::memcpy(into.data(), bytes.data() + offset, count);
        return {count, 0};
    }
    int sync_data() override {
        const std::lock_guard lock{files_.mutex_};
        const auto verdict = files_.next_operation();
        if (verdict.error != 0) {
            // As Linux does after a failed write-back: what was dirty counts as clean from now on, and is
            // lost with the next power cut.
            if (!verdict.dead) content_->unsynced.clear();
            return verdict.error;
        }
        for (const auto& change : content_->unsynced) {
            if (change.truncate) {
                content_->durable.resize(change.offset);
            } else {
                write_into(content_->durable, change.bytes, change.offset);
            }
        }
        content_->unsynced.clear();
        return 0;
    }
    int truncate(std::uint64_t size) override {
        const std::lock_guard lock{files_.mutex_};
        const auto verdict = files_.next_operation();
        if (verdict.error != 0) return verdict.error;
        content_->now.resize(size);
        content_->unsynced.push_back({size, {}, true});
        return 0;
    }
    [[nodiscard]] Result<std::uint64_t> size() const override {
        const std::lock_guard lock{files_.mutex_};
        return content_->now.size();
    }

  private:
    FaultyFileSystem& files_;
    std::shared_ptr<FaultyFileSystem::Content> content_;
};

FaultyFileSystem::FaultyFileSystem() = default;
FaultyFileSystem::~FaultyFileSystem() = default;

FaultyFileSystem::Verdict FaultyFileSystem::next_operation() {
    ++operations_;
    return fault_ ? fault_(operations_) : Verdict{};
}

Result<std::unique_ptr<File>> FaultyFileSystem::open(const std::string& path, OpenMode mode) {
    const std::lock_guard lock{mutex_};
    auto found = names_.find(path);
    if (found == names_.end()) {
        if (mode == OpenMode::kRead) return make_error(ErrorKind::kIo, path + ": no such file");
        if (const auto verdict = next_operation(); verdict.error != 0) {
            return make_error(ErrorKind::kIo, path + ": cannot create");
        }
        found = names_.emplace(path, std::make_shared<Content>()).first;
    }
    return std::unique_ptr<File>{std::make_unique<FaultyFile>(*this, found->second)};
}

Result<std::vector<std::string>> FaultyFileSystem::list(const std::string& directory) {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> names;
    for (const auto& [path, content] : names_) {
        if (path.starts_with(directory + "/")) names.push_back(path.substr(directory.size() + 1));
    }
    return names;
}

Status FaultyFileSystem::make_directories(const std::string&) {
    return {};
}

Status FaultyFileSystem::remove(const std::string& path) {
    const std::lock_guard lock{mutex_};
    if (next_operation().error != 0) return make_error(ErrorKind::kIo, path + ": cannot remove");
    names_.erase(path);
    return {};
}

Status FaultyFileSystem::sync_directory(const std::string& path) {
    const std::lock_guard lock{mutex_};
    if (next_operation().error != 0) return make_error(ErrorKind::kIo, path + ": cannot sync");
    durable_names_ = names_;
    return {};
}

Result<std::unique_ptr<FileLock>> FaultyFileSystem::lock(const std::string& path) {
    if (!locks_.insert(path).second) return make_error(ErrorKind::kBusy, path + " is locked");
    return std::unique_ptr<FileLock>{std::make_unique<HeldLock>(locks_, path)};
}

void FaultyFileSystem::cut_power(std::minstd_rand& random) {
    const auto coin = [&](unsigned sides) { return random() / 7 % sides; };
    // Of names that were not synced each may or may not be as it was before.
    auto names = durable_names_;
    for (const auto& [path, content] : names_) {
        if (coin(2) == 0) names[path] = content;
    }
    for (const auto& [path, content] : durable_names_) {
        if (!names_.contains(path) && coin(2) == 0) names.erase(path);
    }
    std::set<Content*> done;
    for (const auto& [path, content] : names) {
        if (!done.insert(content.get()).second) continue;
        Bytes kept = content->durable;
        for (const auto& change : content->unsynced) {
            const auto fate = coin(4);
            if (fate == 0) continue;
            if (change.truncate) {
                kept.resize(change.offset);
            } else {
                const auto part = fate == 1 ? change.bytes.size() * coin(10) / 10 : change.bytes.size();
                write_into(kept, ByteSpan{change.bytes}.first(part), change.offset);
            }
        }
        content->now = content->durable = std::move(kept);
        content->unsynced.clear();
    }
    names_ = durable_names_ = std::move(names);
    fault_ = nullptr;
}

std::vector<std::string> FaultyFileSystem::paths() const {
    std::vector<std::string> paths;
    for (const auto& [path, content] : names_) paths.push_back(path);
    return paths;
}

void FaultyFileSystem::flip(const std::string& path, std::uint64_t byte) {
    names_.at(path)->now.at(byte) ^= std::byte{0x10};
}

std::uint64_t FaultyFileSystem::size_of(const std::string& path) const {
    return names_.at(path)->now.size();
}

}  // namespace fieldwarden::worker
