#include "supervisor/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "supervisor/cli/text.h"

namespace fieldwarden::supervisor::cli {

using std::chrono::steady_clock;

bool stdout_is_terminal() {
    return ::isatty(STDOUT_FILENO) == 1;
}

bool colour_wanted() {
    const char* refused = std::getenv("NO_COLOR");
    if (refused != nullptr && *refused != '\0') return false;
    const char* term = std::getenv("TERM");
    return stdout_is_terminal() && (term == nullptr || std::string_view{term} != "dumb");
}

namespace {

TerminalSize size_of(int descriptor) {
    struct winsize size {};
    if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
    return {size.ws_col, size.ws_row};
}

}  // namespace

TerminalSize terminal_size() {
    return size_of(STDOUT_FILENO);
}

std::optional<std::size_t> table_width() {
    constexpr std::size_t kWidest = 10'000;
    if (const char* given = std::getenv("COLUMNS"); given != nullptr) {
        const std::string_view text{given};
        std::size_t columns = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), columns);
        if (error == std::errc{} && end == text.data() + text.size() && columns > 0 && columns <= kWidest)
            return columns;
    }
    return stdout_is_terminal() ? std::optional{terminal_size().columns} : std::nullopt;
}

Result<std::string> read_secret(const std::string& prompt) {
    const bool terminal = ::isatty(STDIN_FILENO) == 1;
    termios before{};
    const bool hidden = terminal && ::tcgetattr(STDIN_FILENO, &before) == 0;
    if (hidden) {
        auto quiet = before;
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        fmt::print(stderr, "{}: ", prompt);
        std::fflush(stderr);
    }
    std::string line;
    const bool read = static_cast<bool>(std::getline(std::cin, line));
    if (hidden) {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fmt::print(stderr, "\n");
    }
    if (line.ends_with('\r')) line.pop_back();
    if (!read || line.empty()) {
        return make_error(ErrorKind::kInvalidArgument,
                          "no password was given; type it at the prompt or pipe it to standard input");
    }
    return line;
}

ProgressLine::ProgressLine(std::string label)
    : label_(std::move(label)),
      started_(steady_clock::now()),
      drawn_(started_),
      on_terminal_(::isatty(STDERR_FILENO) == 1) {}

ProgressLine::~ProgressLine() {
    if (visible_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressLine::update(std::uint64_t done, std::uint64_t total) {
    constexpr std::chrono::milliseconds kPatience{1000};
    constexpr std::chrono::milliseconds kRefresh{100};
    constexpr std::size_t kBar = 30;
    const auto now = steady_clock::now();
    if (!on_terminal_ || now - started_ < kPatience || now - drawn_ < kRefresh) return;
    drawn_ = now;
    visible_ = true;
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - started_);
    std::string bar(kBar, '.');
    std::string figure;
    if (total > 0) {
        const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
        const auto full = static_cast<std::ptrdiff_t>(share * static_cast<double>(kBar));
        std::fill(bar.begin(), bar.begin() + full, '#');
        const auto megabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; };
        // Rounded down: 100 % is all of it.
        figure = fmt::format(" {:3} % {:.1f} of {:.1f} MB", static_cast<int>(share * 100), megabytes(done),
                             megabytes(total));
    } else {
        bar[static_cast<std::size_t>(elapsed / kRefresh) % kBar] = '#';
    }
    const auto state = fmt::format(" [{}]{} {} s", bar, figure, elapsed.count() / 1000);
    // A line that wraps could not be taken back.
    const auto columns = size_of(STDERR_FILENO).columns - 1;
    const auto room = columns > state.size() ? columns - state.size() : 0;
    fmt::print(stderr, "\r\x1b[K{}", cut_to_width(cut_to_width(printable(label_), room) + state, columns));
    std::fflush(stderr);
}

}  // namespace fieldwarden::supervisor::cli
