// OutputReader: follows what one worker's process prints (its crash file) and makes LogEntry of it.
//
// Bounded in every direction. A turn reads at most kMostPerTurn: of more, the newest is read and the rest is
// counted. At most a few hundred entries a second get through, with a rate of its own for what went wrong.
// The file is kept within kFileLimit by cutting off its front. What was left out is said, once a second, by
// an entry of its own. Threads. One; never the loop: it reads a disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/log/rate_limit.h"
#include "common/secrets.h"
#include "proto/shapes.h"
#include "supervisor/logs/crash_text.h"
#include "supervisor/logs/log_counters.h"

namespace fieldwarden::supervisor {

class OutputReader {
  public:
    static constexpr std::uint64_t kMostPerTurn = 64 * 1024;
    static constexpr std::uint64_t kNewest = 32 * 1024;  // read when there is more than that
    static constexpr std::uint64_t kFileLimit = 256 * 1024;
    static constexpr std::uint64_t kFileKeep = 64 * 1024;

    // Begins at `offset` of the file. `place_file`: where it notes how far it has read, so that the next
    // supervisor goes on there.
    OutputReader(std::string path, std::string place_file, std::uint64_t offset);
    OutputReader(const OutputReader&) = delete;
    OutputReader& operator=(const OutputReader&) = delete;

    // Begins where the reader before noted its place; at 0 when it noted none.
    void resume();
    void hide(std::vector<std::string> secrets) { mask_.add(std::move(secrets)); }

    // What came since the last turn; entries have a timestamp and nothing else of the caller's. True when the
    // file grows so fast that the next turn should come soon.
    bool turn(UtcTime now, MonoTime mono, std::vector<proto::LogEntry>& out);
    // The last turn: nothing more will be printed.
    void finish(UtcTime now, MonoTime mono, std::vector<proto::LogEntry>& out);
    [[nodiscard]] const OutputCounters& counters() const { return counters_; }
    // How far into the file it has come.
    [[nodiscard]] std::uint64_t place() const { return offset_; }

  private:
    std::uint64_t read(std::vector<proto::LogEntry>& found, UtcTime now);
    void give(std::vector<proto::LogEntry> found, std::size_t sure, MonoTime mono,
              std::vector<proto::LogEntry>& out);
    void say_left_out(UtcTime now, MonoTime mono, bool at_once, std::vector<proto::LogEntry>& out);
    void note_place();

    const std::string path_;
    const std::string place_file_;
    SecretMask mask_;
    CrashText text_{mask_};
    std::uint64_t inode_ = 0;
    std::uint64_t offset_;
    std::optional<MonoTime> quiet_since_;  // something is open and nothing came
    UtcTime written_at_{};                 // of what was read last
    RateLimit rate_{100, 500};
    RateLimit trouble_rate_{100, 500};  // warnings and errors
    RateLimit last_words_rate_{10, 50};
    OutputCounters counters_;
    OutputCounters said_;
    MonoTime said_at_{};
};

}  // namespace fieldwarden::supervisor
