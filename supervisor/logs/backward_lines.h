// BackwardLines: the lines of a rotating file and its older parts (path, path.1, path.2, …), newest first.
//
// One file is open at a time and a bounded part of it in memory. The file may be rotated while it is read: a
// file is known by its inode, its successor by standing one name further. Errors. What cannot be read ends
// the lines; a last line without its end (torn by a crash or a full disk) and a line of more than
// kLongestLine are left out and counted.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace fieldwarden::supervisor {

// A place between two lines. Inode 0: the newest end.
struct LogPosition {
    std::uint64_t inode = 0;
    std::uint64_t offset = 0;

    bool operator==(const LogPosition&) const = default;
};

class BackwardLines {
  public:
    static constexpr std::size_t kLongestLine = 1 << 20;

    // Begins before `from`. A place that is gone with its file has no lines before it.
    explicit BackwardLines(std::string path, LogPosition from = {});
    ~BackwardLines();
    BackwardLines(const BackwardLines&) = delete;
    BackwardLines& operator=(const BackwardLines&) = delete;

    // The next older line without its line feed, valid until the next call; nullopt at the oldest.
    std::optional<std::string_view> next();
    // Before and behind the line that next() gave last.
    [[nodiscard]] LogPosition before() const { return before_; }
    [[nodiscard]] LogPosition behind() const { return behind_; }

    [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }
    [[nodiscard]] std::uint64_t damaged() const { return damaged_; }

  private:
    bool open_first(LogPosition from);
    bool open_older();
    bool open_number(unsigned number, std::optional<std::uint64_t> end);
    bool load();
    void close_file();

    std::string path_;
    int file_ = -1;
    std::uint64_t inode_ = 0;
    std::set<std::uint64_t> seen_;  // inodes
    std::string data_;              // bytes of the file from begin_ on; the first left_ are not given yet
    std::uint64_t begin_ = 0;
    std::size_t left_ = 0;
    bool torn_ = false;  // what is left ends in the middle of a line
    LogPosition before_;
    LogPosition behind_;
    std::uint64_t bytes_read_ = 0;
    std::uint64_t damaged_ = 0;
};

}  // namespace fieldwarden::supervisor
