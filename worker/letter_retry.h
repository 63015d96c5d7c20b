// LetterRetry: letters that are to be delivered again, from their file to the sink, a few at a time, so that
// fresh data never waits long for them. What the sink takes is gone, what it refuses goes back to the dead
// letters with the new reason, what it keeps is tried again later.
//
// A place in a file is in memory alone: after a crash the file is delivered from its beginning, which a sink
// must bear as it does with records. A file goes away when all of it is settled.
//
// Threads. The flusher's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/dead_letters.h"
#include "worker/log_function.h"

namespace fieldwarden::worker {

class LetterRetry {
  public:
    LetterRetry(std::string sink_code, DeadLetters& letters, Sink& sink, const Clock& clock, LogFunction log);

    enum class Step : std::uint8_t {
        kIdle,     // nothing waits
        kWorked,   // some were settled; there may be more
        kBlocked,  // the sink does not take them now
    };
    // One delivery.
    Step step();
    // Of the last blocked step.
    [[nodiscard]] const std::string& reason() const { return reason_; }
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const { return retry_after_; }
    // Samples accepted since it was made.
    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }

  private:
    // The next letters and where each ends; they name each point alike.
    struct Portion {
        std::vector<DeadLetter> letters;
        std::vector<std::uint64_t> ends;
        PointDirectory points;
        std::uint64_t skipped_to = 0;  // lines that are no letters end here
    };
    Portion read_portion();
    bool set_aside(std::string_view line);
    Step finish_file();

    std::string sink_code_;
    DeadLetters& letters_;
    Sink& sink_;
    const Clock& clock_;
    LogFunction log_;
    std::string path_;  // the file in hand; empty: none
    std::uint64_t offset_ = 0;
    bool singly_ = false;  // the sink asked for smaller batches
    std::string reason_;
    std::optional<std::chrono::milliseconds> retry_after_;
    std::uint64_t delivered_ = 0;
};

}  // namespace fieldwarden::worker
