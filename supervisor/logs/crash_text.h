// CrashText: makes LogEntry of what a worker's process prints to its standard output and error, where no
// program of ours has a say: assertions, aborts of the C library, uncaught exceptions, sanitizers, libraries
// that log by themselves.
//
// One line is one entry, except where lines belong together (a sanitizer's report, an exception and its
// what(), indented lines below another): then the first telling line is the message and `exception_info` has
// all of it. The level is what the text says of itself, by a tag ("[error]", "E1122 …", "%3|…") or by its
// words; a line that says nothing is `info`. `source_file` and `line_number` are set when the text names
// them.
//
// A pure value: no clock, no file. Bounded: a longer line is cut, a longer block is counted. What it gives
// is valid UTF-8 without control characters, and secrets are masked before anything is cut.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/secrets.h"
#include "proto/shapes.h"

namespace fieldwarden::supervisor {

class CrashText {
  public:
    static constexpr std::size_t kLongestLine = 8'192;  // bytes, of the message
    static constexpr std::size_t kMostBlockLines = 200;
    static constexpr std::size_t kMostBlockBytes = 16'384;

    // `mask` outlives this.
    explicit CrashText(const SecretMask& mask) : mask_(&mask) {}

    // The entries that are complete after these bytes; timestamp, id and process_name are the caller's.
    void feed(std::string_view bytes, std::vector<proto::LogEntry>& out);
    // Nothing more came for a while, or ever will: what is open becomes an entry.
    void flush(std::vector<proto::LogEntry>& out);
    // Bytes were left out here: the line that was begun is given up, as is the rest of the next one up to its
    // end.
    void skip(std::vector<proto::LogEntry>& out);
    [[nodiscard]] bool is_open() const { return has_entry_ || !line_.empty(); }

  private:
    void take_line(std::vector<proto::LogEntry>& out);
    void begin(proto::LogEntry entry, std::string_view line, bool block, std::vector<proto::LogEntry>& out);
    void append(std::string_view line);
    void finish(std::vector<proto::LogEntry>& out);

    const SecretMask* mask_;
    std::string line_;            // so far; at most what is kept of a line
    std::uint64_t line_cut_ = 0;  // bytes of it beyond that
    bool skipping_ = false;       // up to the next line feed

    // The entry that may still grow.
    bool has_entry_ = false;
    bool in_block_ = false;  // until its end is seen, every line belongs to it
    bool source_is_sure_ = false;
    proto::LogEntry entry_;
    std::string text_;  // all lines of it
    std::size_t lines_ = 0;
    std::size_t left_out_ = 0;  // lines
};

// A line of one of our log files; false when it is torn, damaged or none.
bool parse_log_line(std::string_view line, proto::LogEntry& entry);

// Control characters (but tabs) and terminal sequences become blanks, bytes that are not UTF-8 U+FFFD.
std::string clean_text(std::string_view text);

}  // namespace fieldwarden::supervisor
