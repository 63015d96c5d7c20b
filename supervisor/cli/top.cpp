// top: the fleet on a full screen, drawn again every second and when the window changes.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <optional>

#include "common/clock.h"
#include "supervisor/cli/cli.h"
#include "supervisor/cli/fleet_table.h"
#include "supervisor/cli/json_text.h"
#include "supervisor/cli/terminal.h"
#include "supervisor/cli/text.h"
#include "supervisor/cli/verbs.h"

namespace fieldwarden::supervisor::cli {

namespace {

using std::chrono::steady_clock;

volatile std::sig_atomic_t end_asked = 0;

// Raw keys, the alternate screen and no cursor; all of it taken back at the end, also on SIGTERM.
class Screen {
  public:
    Screen() {
        ::tcgetattr(STDIN_FILENO, &before_);
        termios raw = before_;
        raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        fmt::print("\x1b[?1049h\x1b[?25l");
        // Without SA_RESTART: both must wake poll(), the first to draw at the new size.
        handle(
            SIGWINCH, [](int) {}, before_winch_);
        handle(
            SIGTERM, [](int) { end_asked = 1; }, before_term_);
        handle(
            SIGHUP, [](int) { end_asked = 1; }, before_hangup_);
    }
    ~Screen() {
        fmt::print("\x1b[?25h\x1b[?1049l");
        std::fflush(stdout);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        ::sigaction(SIGWINCH, &before_winch_, nullptr);
        ::sigaction(SIGTERM, &before_term_, nullptr);
        ::sigaction(SIGHUP, &before_hangup_, nullptr);
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

  private:
    static void handle(int signal, void (*handler)(int), struct sigaction& before) {
        struct sigaction action {};
        action.sa_handler = handler;
        ::sigaction(signal, &action, &before);
    }
    termios before_{};
    struct sigaction before_winch_ {};
    struct sigaction before_term_ {};
    struct sigaction before_hangup_ {};
};

enum class SortBy { kTask, kCpu, kMemory, kRate };

struct View {
    SortBy sort = SortBy::kTask;
    std::size_t scroll = 0;
    bool quit = false;
};

void sort_processes(std::vector<Json>& processes, SortBy by) {
    const auto descending = [&](const char* name) {
        std::stable_sort(processes.begin(), processes.end(), [&](const Json& a, const Json& b) {
            return number_of(a, name) > number_of(b, name);
        });
    };
    switch (by) {
        case SortBy::kTask:
            std::stable_sort(processes.begin(), processes.end(), [](const Json& a, const Json& b) {
                return text_of(a, "name") < text_of(b, "name");
            });
            return;
        case SortBy::kCpu:
            return descending("cpu_percent");
        case SortBy::kMemory:
            return descending("memory_mb");
        case SortBy::kRate:
            return descending("data_collection_rate");
    }
}

void take_keys(std::string_view keys, View& view, std::size_t page) {
    const auto up = [&](std::size_t rows) { view.scroll -= std::min(view.scroll, rows); };
    while (!keys.empty()) {
        if (keys.starts_with("\x1b[A")) up(1);
        if (keys.starts_with("\x1b[B")) ++view.scroll;
        if (keys.starts_with("\x1b[5~")) up(page);
        if (keys.starts_with("\x1b[6~")) view.scroll += page;
        if (keys.starts_with("\x1b[")) {  // the whole sequence, known or not
            const auto end = keys.find_first_of("ABCDEFGHZ~", 2);
            keys.remove_prefix(end == std::string_view::npos ? keys.size() : end + 1);
            continue;
        }
        switch (keys.front()) {
            case 'q':
            case 'Q':
            case '\x03':  // Ctrl-C
            case '\x1b':
                view.quit = true;
                break;
            case 't':
                view.sort = SortBy::kTask;
                break;
            case 'c':
                view.sort = SortBy::kCpu;
                break;
            case 'm':
                view.sort = SortBy::kMemory;
                break;
            case 'p':
                view.sort = SortBy::kRate;
                break;
            default:
                break;
        }
        keys.remove_prefix(1);
    }
}

struct Fleet {
    std::vector<Json> processes;
    Json health;
};

Result<Fleet> look(ApiClient& api) {
    auto processes = api.get_all("/processes");
    if (!processes) return processes.error();
    auto health = api.get("/health", "");
    if (!health) return health.error();
    return Fleet{std::move(*processes), std::move(*health)};
}

std::string heading(const Session& session, const Fleet& fleet, std::optional<std::size_t> width) {
    double rate = 0;
    std::size_t running = 0;
    for (const auto& process : fleet.processes) {
        rate += number_of(process, "data_collection_rate");
        running += text_of(process, "status") == "RUNNING" ? 1 : 0;
    }
    const auto overall = text_of(fleet.health, "overall_status");
    const auto figures = fmt::format("{} of {} tasks running   {} points/s", running, fleet.processes.size(),
                                     short_number(rate));
    const auto state = printable(overall);
    auto where = "Fieldwarden " + printable(session.api.server());
    // The address gives way first: the figures are what one looks for.
    if (const auto rest = display_width(figures) + display_width(state) + 6; width) {
        where = cut_to_width(where, *width > rest ? *width - rest : 0);
        if (where.empty()) return cut_to_width(figures, *width);
    }
    return fmt::format("{}   {}   {}", where, figures,
                       styled(state, style_of_health(overall), session.colour));
}

// One whole frame, written at once so that the screen never shows half of it.
void draw(const Session& session, const Fleet& fleet, View& view, const std::string& trouble) {
    const auto size = terminal_size();
    auto lines = process_table(fleet.processes).lines(size.columns, session.colour);
    const std::size_t room = size.rows > 4 ? size.rows - 4 : 1;
    const std::size_t rows = lines.size() - 1;
    view.scroll = std::min(view.scroll, rows > room ? rows - room : 0);
    std::string frame = "\x1b[H";
    const auto put = [&](const std::string& line) { frame += line + "\x1b[K\r\n"; };
    put(heading(session, fleet, size.columns));
    put(styled(cut_to_width(printable(trouble), size.columns), Style::kBad, session.colour));
    put(lines.front());
    const auto first = lines.begin() + 1 + static_cast<std::ptrdiff_t>(view.scroll);
    for (auto line = first; line != lines.end() && line - first < static_cast<std::ptrdiff_t>(room); ++line)
        put(*line);
    frame += "\x1b[J";
    frame += fmt::format(
        "\x1b[{};1H{}\x1b[K", size.rows,
        styled(
            cut_to_width("q quit   t c m p sort by task, CPU, memory, points   arrows scroll", size.columns),
            Style::kDim, session.colour));
    fmt::print("{}", frame);
    std::fflush(stdout);
}

int run_screen(Session& session, Fleet fleet) {
    constexpr std::chrono::seconds kRefresh{1};
    const Screen screen;
    View view;
    std::string trouble;
    auto next_look = steady_clock::now() + kRefresh;
    while (!view.quit && end_asked == 0) {
        sort_processes(fleet.processes, view.sort);
        draw(session, fleet, view, trouble);
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(next_look - steady_clock::now());
        pollfd input{STDIN_FILENO, POLLIN, 0};
        const int ready = ::poll(&input, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
        if (ready > 0) {
            std::array<char, 64> keys{};
            const auto got = ::read(STDIN_FILENO, keys.data(), keys.size());
            if (got <= 0) return kExitDone;  // the terminal is gone
            take_keys({keys.data(), static_cast<std::size_t>(got)}, view, terminal_size().rows / 2);
        }
        if (steady_clock::now() < next_look) continue;
        auto now = look(session.api);
        next_look = steady_clock::now() + kRefresh;
        if (now) {
            fleet = std::move(*now);
            trouble.clear();
        } else {
            trouble = now.error().message;
        }
    }
    return kExitDone;
}

}  // namespace

int top(Session& session) {
    auto fleet = look(session.api);
    if (!fleet) return fail(fleet.error());
    if (session.common.json) return print_json({{"items", fleet->processes}, {"health", fleet->health}});
    if (!stdout_is_terminal() || ::isatty(STDIN_FILENO) != 1) {
        fmt::print("{}\n{}", heading(session, *fleet, table_width()),
                   process_table(fleet->processes).render(table_width(), false));
        return kExitDone;
    }
    return run_screen(session, std::move(*fleet));
}

}  // namespace fieldwarden::supervisor::cli
