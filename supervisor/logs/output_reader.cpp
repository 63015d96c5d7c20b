#include "supervisor/logs/output_reader.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>

#include "common/log/trim_file.h"

namespace fieldwarden::supervisor {

using proto::LogEntry;
using proto::LogLevel;

namespace {

constexpr std::chrono::milliseconds kQuiet{400};  // after that an open entry is complete
constexpr std::chrono::seconds kSayInterval{1};
constexpr std::size_t kLastWords = 20;  // entries of a process that has ended

UtcTime time_of(const timespec& time) {
    return UtcTime{std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::seconds{time.tv_sec} + std::chrono::nanoseconds{time.tv_nsec})};
}

}  // namespace

OutputReader::OutputReader(std::string path, std::string place_file, std::uint64_t offset)
    : path_(std::move(path)), place_file_(std::move(place_file)), offset_(offset) {}

void OutputReader::resume() {
    std::ifstream file{place_file_};
    if (!(file >> inode_ >> offset_)) inode_ = offset_ = 0;
}

void OutputReader::note_place() {
    // A place that is not noted costs lines that are told twice after a restart of the supervisor.
    const int file = ::open(place_file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return;
    const auto text = fmt::format("{:<20} {:<20}\n", inode_, offset_);
    (void)!::pwrite(file, text.data(), text.size(), 0);
    ::close(file);
}

// Reads what is new and returns how much that was.
std::uint64_t OutputReader::read(std::vector<LogEntry>& found, UtcTime now) {
    struct stat info {};
    if (::stat(path_.c_str(), &info) != 0) return 0;
    const auto size = static_cast<std::uint64_t>(info.st_size);
    const auto inode = static_cast<std::uint64_t>(info.st_ino);
    if ((inode_ != 0 && inode != inode_) || size < offset_) {
        // Another file, or one that was cut from outside: all of it is new.
        text_.skip(found);
        text_.flush(found);
        text_ = CrashText{mask_};
        offset_ = 0;
    }
    inode_ = inode;
    if (size == offset_) return 0;
    written_at_ = std::min(now, time_of(info.st_mtim));
    const auto grown = size - offset_;
    if (grown > kMostPerTurn) {
        text_.skip(found);
        counters_.bytes_skipped += grown - kNewest;
        offset_ = size - kNewest;
    }
    const int file = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (file < 0) return 0;
    std::string bytes(std::min(size - offset_, kMostPerTurn), '\0');
    const auto got = ::pread(file, bytes.data(), bytes.size(), static_cast<off_t>(offset_));
    ::close(file);
    if (got <= 0) return 0;
    bytes.resize(static_cast<std::size_t>(got));
    offset_ += static_cast<std::uint64_t>(got);
    text_.feed(bytes, found);

    if (size > kFileLimit) {
        const auto gone = trim_front(path_, kFileLimit, kFileKeep);
        if (gone && *gone > 0) {
            counters_.bytes_trimmed += *gone;
            // What was printed between the two looks and is cut off as well was never read.
            if (*gone > offset_) {
                counters_.bytes_skipped += *gone - offset_;
                text_.skip(found);
            }
            offset_ -= std::min(offset_, *gone);
        }
    }
    note_place();
    return grown;
}

// All that the rates allow; the last `sure` ones whatever they say.
void OutputReader::give(std::vector<LogEntry> found, std::size_t sure, MonoTime mono,
                        std::vector<LogEntry>& out) {
    auto left = found.size();
    for (auto& entry : found) {
        // How a process ends is told however much it chattered before.
        auto& rate = entry.level == LogLevel::kCritical  ? last_words_rate_
                     : entry.level >= LogLevel::kWarning ? trouble_rate_
                                                         : rate_;
        if (const bool allowed = rate.allow(mono); left-- > sure && !allowed) {
            ++counters_.lines_dropped;
            continue;
        }
        entry.timestamp = written_at_;
        ++counters_.lines;
        out.push_back(std::move(entry));
    }
}

void OutputReader::say_left_out(UtcTime now, MonoTime mono, bool at_once, std::vector<LogEntry>& out) {
    const auto lines = counters_.lines_dropped - said_.lines_dropped;
    const auto bytes = counters_.bytes_skipped - said_.bytes_skipped;
    if (lines == 0 && bytes == 0) return;
    if (!at_once && mono - said_at_ < kSayInterval) return;
    said_at_ = mono;
    said_ = counters_;
    LogEntry told;
    told.timestamp = now;
    told.level = LogLevel::kWarning;
    told.message = fmt::format("the process prints too much: {} lines were dropped and {} KiB not even read",
                               lines, (bytes + 1023) / 1024);
    out.push_back(std::move(told));
}

bool OutputReader::turn(UtcTime now, MonoTime mono, std::vector<LogEntry>& out) {
    std::vector<LogEntry> found;
    const auto grown = read(found, now);
    if (grown > 0 || !text_.is_open()) {
        quiet_since_.reset();
        if (text_.is_open()) quiet_since_ = mono;
    } else if (quiet_since_ && mono - *quiet_since_ >= kQuiet) {
        text_.flush(found);
        quiet_since_.reset();
    }
    give(std::move(found), 0, mono, out);
    say_left_out(now, mono, false, out);
    return grown > kMostPerTurn;
}

void OutputReader::finish(UtcTime now, MonoTime mono, std::vector<LogEntry>& out) {
    std::vector<LogEntry> found;
    read(found, now);
    text_.flush(found);
    give(std::move(found), kLastWords, mono, out);
    say_left_out(now, mono, true, out);
}

}  // namespace fieldwarden::supervisor
