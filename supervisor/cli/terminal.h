// What the process knows about its terminal, and the progress line.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "common/result.h"

namespace fieldwarden::supervisor::cli {

bool stdout_is_terminal();
// A terminal, and neither NO_COLOR (no-color.org) is set nor TERM=dumb.
bool colour_wanted();
struct TerminalSize {
    std::size_t columns = 80;
    std::size_t rows = 24;
};
TerminalSize terminal_size();  // of standard output
// For Table::render: COLUMNS where it is exported, otherwise the width of the terminal; nullopt when the
// output goes elsewhere.
std::optional<std::size_t> table_width();

// One line from standard input without its end: a password. From a terminal it is asked for on standard error
// and not echoed. kInvalidArgument when there is none.
Result<std::string> read_secret(const std::string& prompt);

// One line on standard error that tells how far a long step is; drawn only on a terminal and only when the
// step has lasted a second, gone when the object is.
class ProgressLine {
  public:
    explicit ProgressLine(std::string label);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;

    void relabel(std::string label) { label_ = std::move(label); }
    // Bytes: a bar with percent; with `total` 0 a moving mark, because the length is not known.
    void update(std::uint64_t done, std::uint64_t total);

  private:
    std::string label_;
    std::chrono::steady_clock::time_point started_;
    std::chrono::steady_clock::time_point drawn_;
    bool on_terminal_;
    bool visible_ = false;
};

}  // namespace fieldwarden::supervisor::cli
