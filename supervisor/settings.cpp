#include "supervisor/settings.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <functional>
#include <variant>

#include "common/clock.h"
#include "common/device_options.h"

namespace fieldwarden::supervisor {

namespace {

// Where a key's value lives in Settings. The alternatives are the kinds of value a key can have.
using Text = std::string& (*)(Settings&);
using Flag = bool& (*)(Settings&);
using Count32 = std::uint32_t& (*)(Settings&);
using Bytes64 = std::uint64_t& (*)(Settings&);
using Number = double& (*)(Settings&);
using Duration = milliseconds& (*)(Settings&);
using FullPolicy = SpoolFullPolicy& (*)(Settings&);
using Place = std::variant<Text, Flag, Count32, Bytes64, Number, Duration, FullPolicy>;

struct Key {
    std::string_view section;
    std::string_view name;
    Place place;
    double least;  // of numbers; of durations in milliseconds; of sizes in bytes
    double most;
    std::string_view help;
};

constexpr double kDay = 24.0 * 3600 * 1000;
constexpr double kAny = 1e18;

#define FW_AT(type, member) +[](Settings& s) -> type& { return s.member; }

// Every key of fieldwarden.toml. The file, the environment, the flags and the template all derive from this
// table.
const std::array kKeys = std::to_array<Key>({
    {"server", "data_dir", FW_AT(std::string, server.data_dir), 0, 0,
     "Where everything that must survive is kept. Default: /var/lib/fieldwarden as root, "
     "~/.local/share/fieldwarden "
     "otherwise."},
    {"server", "listen", FW_AT(std::string, server.listen), 0, 0,
     "Address of the HTTP API: host:port; port 0 takes any."},
    {"server", "allow_insecure_listen", FW_AT(bool, server.allow_insecure_listen), 0, 0,
     "Allow listening beyond loopback without TLS. Tokens and data then cross the network in the clear."},
    {"server", "status_tcp", FW_AT(std::string, server.status_tcp), 0, 0,
     "Also publish the ZeroMQ status channel here, e.g. \"tcp://127.0.0.1:8701\". Empty: only ipc in the "
     "data "
     "directory."},
    {"server", "max_upload_bytes", FW_AT(std::uint64_t, server.max_upload_bytes), 1024, 4e9,
     "Largest workbook accepted, in bytes (or \"200MB\")."},
    {"server", "api_threads", FW_AT(std::uint32_t, server.api_threads), 1, 64,
     "Threads that answer API calls."},

    {"worker", "program", FW_AT(std::string, worker.program), 0, 0,
     "Path of fieldwarden-worker. Empty: the one beside this program."},
    {"worker", "heartbeat_interval", FW_AT(milliseconds, worker.heartbeat_interval), 100, 60'000,
     "How often a worker reports."},
    {"worker", "heartbeat_timeout", FW_AT(milliseconds, worker.heartbeat_timeout), 500, kDay,
     "A worker silent, or whose acquisition stands still, for this long is hung and replaced."},
    {"worker", "start_timeout", FW_AT(milliseconds, worker.start_timeout), 500, kDay,
     "A worker not ready after this long counts as a failed start."},
    {"worker", "stop_grace", FW_AT(milliseconds, worker.stop_grace), 0, kDay,
     "Time a stopping worker has to deliver its spool; the rest stays on disk."},
    {"worker", "term_grace", FW_AT(milliseconds, worker.term_grace), 0, kDay,
     "Time between SIGTERM and SIGKILL for a worker that does not leave."},
    {"worker", "orphan_grace", FW_AT(milliseconds, worker.orphan_grace), 1'000, 30 * kDay,
     "How long workers go on acquiring without a supervisor before they stop by themselves."},
    {"worker", "spawn_rate", FW_AT(std::uint32_t, worker.spawn_rate), 1, 10'000,
     "Most worker starts a second, all tasks together."},

    {"restart", "first_delay", FW_AT(milliseconds, restart.first_delay), 1, kDay,
     "Delay before the second restart in a row; the first is immediate, later ones double."},
    {"restart", "longest_delay", FW_AT(milliseconds, restart.longest_delay), 1, kDay,
     "Upper bound of that delay."},
    {"restart", "jitter", FW_AT(double, restart.jitter), 0, 1,
     "Share of a delay drawn at random, so that many do not return at once (0 to 1)."},
    {"restart", "stable_period", FW_AT(milliseconds, restart.stable_period), 1, 30 * kDay,
     "A run longer than this forgets earlier failures."},
    {"restart", "max_attempts", FW_AT(std::uint32_t, restart.max_attempts), 1, 1'000,
     "Deaths within attempts_window after which the task is CRASHED."},
    {"restart", "attempts_window", FW_AT(milliseconds, restart.attempts_window), 1, 30 * kDay,
     "Window over which deaths are counted."},
    {"restart", "crashed_retry_interval", FW_AT(milliseconds, restart.crashed_retry_interval), 0, 30 * kDay,
     "How often a CRASHED task is tried again; 0: never. A person's start works at once."},

    {"health", "interval", FW_AT(milliseconds, health.interval), 100, kDay,
     "How often each task is checked."},
    {"health", "cpu_percent", FW_AT(double, health.cpu_percent), 1, 10'000,
     "CPU of one worker that is a warning, in percent."},
    {"health", "memory_mb", FW_AT(double, health.memory_mb), 1, 1e6,
     "Private memory of one worker that is critical, in MB."},
    {"health", "data_timeout", FW_AT(milliseconds, health.data_timeout), 100, 30 * kDay,
     "No good data for this long is critical."},
    {"health", "connection_timeout", FW_AT(milliseconds, health.connection_timeout), 100, 30 * kDay,
     "A device away for this long is critical."},

    {"spool", "max_bytes", FW_AT(std::uint64_t, spool.max_bytes), 1 << 20, kAny,
     "Largest spool of one task, in bytes (or \"1GB\")."},
    {"spool", "max_age", FW_AT(milliseconds, spool.max_age), 1'000, 3650 * kDay,
     "Oldest sample kept for a sink that is down."},
    {"spool", "fsync_window", FW_AT(milliseconds, spool.fsync_window), 1, 60'000,
     "Samples are forced to disk this often: what a power cut may take."},
    {"spool", "when_full", FW_AT(SpoolFullPolicy, spool.when_full), 0, 0,
     "drop_oldest (counted, reported) or block (acquisition waits)."},

    {"history", "max_age", FW_AT(milliseconds, history.max_age), 1'000, 36'500 * kDay,
     "Oldest sample kept in the embedded history."},
    {"history", "max_bytes", FW_AT(std::uint64_t, history.max_bytes), 1 << 20, kAny,
     "Largest history of one task, in bytes (or \"2GB\")."},

    {"log", "level", FW_AT(std::string, log.level), 0, 0, "debug, info, warning or error."},
    {"log", "max_file_bytes", FW_AT(std::uint64_t, log.max_file_bytes), 1 << 16, 1e10,
     "Size at which a log file is rotated."},
    {"log", "max_files", FW_AT(std::uint32_t, log.max_files), 1, 1'000, "Rotated log files kept per task."},
    {"log", "lines_in_memory", FW_AT(std::uint32_t, log.lines_in_memory), 10, 100'000,
     "Newest log lines kept in memory per task."},

    {"retention", "session_days", FW_AT(std::uint32_t, retention.session_days), 1, 36'500,
     "Days that ended sessions, their timelines and import jobs are kept."},
});

#undef FW_AT

std::string dotted(const Key& key) {
    return fmt::format("{}.{}", key.section, key.name);
}

// "200MB", "1GB", "1048576": sizes in powers of 1024, as engineers mean them.
Result<std::uint64_t> parse_size(std::string_view text) {
    double number = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string_view unit{rest, static_cast<std::size_t>(text.data() + text.size() - rest)};
    constexpr std::array<std::pair<std::string_view, double>, 5> kUnits{
        {{"", 1}, {"B", 1}, {"KB", 1024}, {"MB", 1 << 20}, {"GB", 1 << 30}}};
    for (const auto& [name, size] : kUnits) {
        if (error == std::errc{} && unit == name && number >= 0 && number * size < 1e18) {
            return static_cast<std::uint64_t>(number * size);
        }
    }
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("'{}' is not a size such as 1048576, 200MB or 1GB", text));
}

template <class T>
Result<T> parse_number(std::string_view text) {
    T number{};
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc{} || rest != text.data() + text.size()) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}' is not a number", text));
    }
    return number;
}

// Puts the text of one value where it belongs, checked against the key's bounds.
class Assign {
  public:
    Assign(const Key& key, std::string_view text, Settings& settings)
        : key_(key), text_(text), settings_(settings) {}

    Status operator()(Text place) const {
        if (key_.name == "level" && text_ != "debug" && text_ != "info" && text_ != "warning" &&
            text_ != "error") {
            return refuse("use debug, info, warning or error");
        }
        place(settings_) = text_;
        return {};
    }
    Status operator()(Flag place) const {
        if (text_ != "true" && text_ != "false") return refuse("use true or false");
        place(settings_) = text_ == "true";
        return {};
    }
    Status operator()(FullPolicy place) const {
        const auto policy = from_name<SpoolFullPolicy>(text_);
        if (!policy) return refuse(fmt::format("use one of {}", all_names<SpoolFullPolicy>()));
        place(settings_) = *policy;
        return {};
    }
    Status operator()(Count32 place) const { return bounded(parse_number<std::uint32_t>(text_), place); }
    Status operator()(Number place) const { return bounded(parse_number<double>(text_), place); }
    Status operator()(Bytes64 place) const { return bounded(parse_size(text_), place); }
    Status operator()(Duration place) const {
        const auto parsed = parse_duration(text_);
        if (!parsed) return refuse(parsed.error().message);
        if (!within(static_cast<double>(parsed->count()))) {
            return refuse(fmt::format("allowed: {} to {}",
                                      format_duration(milliseconds{static_cast<std::int64_t>(key_.least)}),
                                      format_duration(milliseconds{static_cast<std::int64_t>(key_.most)})));
        }
        place(settings_) = *parsed;
        return {};
    }

  private:
    [[nodiscard]] bool within(double number) const { return number >= key_.least && number <= key_.most; }
    [[nodiscard]] Error refuse(std::string_view why) const {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("{} = '{}': {}", dotted(key_), text_, why));
    }
    template <class T, class P>
    Status bounded(const Result<T>& parsed, P place) const {
        if (!parsed) return refuse(parsed.error().message);
        if (!within(static_cast<double>(*parsed))) {
            return refuse(fmt::format("allowed: {} to {}", key_.least, key_.most));
        }
        place(settings_) = *parsed;
        return {};
    }

    const Key& key_;
    std::string_view text_;
    Settings& settings_;
};

const Key* find_key(std::string_view section, std::string_view name) {
    const auto found = std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& key) {
        return key.section == section && key.name == name;
    });
    return found == kKeys.end() ? nullptr : &*found;
}

// Edits between two short words; how a misspelt key finds the one that was meant.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t above = row[j];
            row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::string nearest_key(std::string_view wrong) {
    std::string best;
    std::size_t least = 4;  // farther away it is no misspelling
    for (const auto& key : kKeys) {
        const auto name = dotted(key);
        if (const auto edits = distance(name, wrong.substr(0, 80)); edits < least) {
            least = edits;
            best = name;
        }
    }
    return best;
}

// The text of a TOML value as the key's parser takes it; nullopt for arrays, tables and dates.
std::optional<std::string> text_of(const toml::node& node) {
    if (const auto text = node.value_exact<std::string>()) return *text;
    if (const auto flag = node.value_exact<bool>()) return *flag ? "true" : "false";
    if (const auto whole = node.value_exact<std::int64_t>()) return std::to_string(*whole);
    if (const auto number = node.value_exact<double>()) return fmt::format("{}", *number);
    return std::nullopt;
}

bool wants_text(const Key& key) {
    return std::holds_alternative<Text>(key.place) || std::holds_alternative<FullPolicy>(key.place);
}

void take_file(const std::string& file, Settings& settings, SettingsProblems& problems) {
    toml::table document;
    try {
        document = toml::parse_file(file);
    } catch (const toml::parse_error& error) {
        problems.errors.push_back(
            fmt::format("{}:{}: {}", file, error.source().begin.line, error.description()));
        return;
    }
    const auto where = [&](const toml::node& node) {
        return fmt::format("{}:{}", file, node.source().begin.line);
    };
    const auto unknown = [&](const toml::node& node, const std::string& name) {
        const auto meant = nearest_key(name);
        problems.warnings.push_back(
            fmt::format("{}: unknown key {}{}; it is ignored", where(node), name,
                        meant.empty() ? "" : fmt::format(" (did you mean {}?)", meant)));
    };
    for (const auto& [section, node] : document) {
        const auto* table = node.as_table();
        if (table == nullptr) {
            unknown(node, std::string{section.str()});
            continue;
        }
        for (const auto& [name, value] : *table) {
            const auto* key = find_key(section.str(), name.str());
            if (key == nullptr) {
                unknown(value, fmt::format("{}.{}", section.str(), name.str()));
                continue;
            }
            const auto text = text_of(value);
            if (!text || (wants_text(*key) && !value.is_string())) {
                problems.errors.push_back(
                    fmt::format("{}: {} takes {}", where(value), dotted(*key),
                                wants_text(*key) ? "text in quotes" : "a single value"));
                continue;
            }
            if (const auto done = std::visit(Assign{*key, *text, settings}, key->place); !done) {
                problems.errors.push_back(fmt::format("{}: {}", where(value), done.error().message));
            }
        }
    }
}

std::string default_data_dir(const Environment& environment) {
    if (::geteuid() == 0) return "/var/lib/fieldwarden";
    const auto home = environment.find("HOME");
    return (home == environment.end() ? std::string{"."} : home->second) + "/.local/share/fieldwarden";
}

// How the template writes a default.
struct DefaultText {
    Settings& settings;
    std::string operator()(Text place) const { return fmt::format("\"{}\"", place(settings)); }
    std::string operator()(Flag place) const { return place(settings) ? "true" : "false"; }
    std::string operator()(Count32 place) const { return fmt::format("{}", place(settings)); }
    std::string operator()(Number place) const { return fmt::format("{}", place(settings)); }
    std::string operator()(FullPolicy place) const { return fmt::format("\"{}\"", to_name(place(settings))); }
    std::string operator()(Duration place) const {
        return fmt::format("\"{}\"", format_duration(place(settings)));
    }
    std::string operator()(Bytes64 place) const {
        const std::uint64_t bytes = place(settings);
        if (bytes % (1ULL << 30) == 0) return fmt::format("\"{}GB\"", bytes >> 30);
        if (bytes % (1ULL << 20) == 0) return fmt::format("\"{}MB\"", bytes >> 20);
        return fmt::format("{}", bytes);
    }
};

// `help` as comment lines of at most 110 columns.
std::string comment(std::string_view help) {
    std::string out;
    std::size_t column = 0;
    while (!help.empty()) {
        const auto space = std::min(help.find(' '), help.size());
        const auto word = help.substr(0, space);
        if (column == 0 || column + 1 + word.size() > 110) {
            out += out.empty() ? "#" : "\n#";
            column = 1;
        }
        out += ' ';
        out += word;
        column += 1 + word.size();
        help.remove_prefix(std::min(space + 1, help.size()));
    }
    return out;
}

}  // namespace

std::string environment_name(std::string_view section, std::string_view key) {
    std::string name = fmt::format("FIELDWARDEN_{}_{}", section, key);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    return name;
}

Settings load_settings(const std::optional<std::string>& file, const Environment& environment,
                       const FlagValues& flags, SettingsProblems& problems) {
    Settings settings;
    settings.server.data_dir = default_data_dir(environment);
    if (file) take_file(*file, settings, problems);
    for (const auto& key : kKeys) {
        const auto variable = environment_name(key.section, key.name);
        if (const auto given = environment.find(variable); given != environment.end()) {
            if (const auto done = std::visit(Assign{key, given->second, settings}, key.place); !done) {
                problems.errors.push_back(fmt::format("environment {}: {}", variable, done.error().message));
            }
        }
        if (const auto given = flags.find(dotted(key)); given != flags.end()) {
            if (const auto done = std::visit(Assign{key, given->second, settings}, key.place); !done) {
                problems.errors.push_back(fmt::format("flag: {}", done.error().message));
            }
        }
    }
    if (settings.restart.longest_delay < settings.restart.first_delay) {
        problems.errors.push_back("restart.longest_delay is shorter than restart.first_delay");
    }
    if (settings.worker.heartbeat_timeout < 2 * settings.worker.heartbeat_interval) {
        problems.errors.push_back(
            "worker.heartbeat_timeout must be at least twice worker.heartbeat_interval, or one late beat is "
            "a hang");
    }
    return settings;
}

bool is_loopback(std::string_view listen) {
    const auto address = parse_host_port(listen, 8700);
    if (!address) return false;
    return address->host == "localhost" || address->host == "::1" || address->host.starts_with("127.");
}

std::vector<std::string> check_settings(const Settings& settings) {
    std::vector<std::string> problems;
    // Port 0 (any free one) is for tests and is no host:port of a device, so only the host is judged here.
    const auto colon = settings.server.listen.rfind(':');
    if (colon == std::string::npos) {
        problems.push_back(fmt::format("server.listen = '{}': write host:port, as in 127.0.0.1:8700",
                                       settings.server.listen));
    } else if (!is_loopback(settings.server.listen.substr(0, colon)) &&
               !settings.server.allow_insecure_listen) {
        problems.push_back(
            fmt::format("server.listen = '{}' reaches beyond loopback without TLS: listen on 127.0.0.1 "
                        "behind a TLS proxy, "
                        "or set server.allow_insecure_listen = true if the network is trusted",
                        settings.server.listen));
    }
    if (!settings.server.status_tcp.empty()) {
        constexpr std::string_view kTcp = "tcp://";
        const std::string_view endpoint = settings.server.status_tcp;
        if (!endpoint.starts_with(kTcp) || !is_loopback(endpoint.substr(kTcp.size()))) {
            problems.push_back(fmt::format(
                "server.status_tcp = '{}': only tcp://127.0.0.1:PORT is accepted, because the status "
                "channel is not encrypted",
                endpoint));
        }
    }
    if (!settings.worker.program.empty() && ::access(settings.worker.program.c_str(), X_OK) != 0) {
        problems.push_back(
            fmt::format("worker.program = '{}': {}", settings.worker.program, errno_text(errno)));
    }
    // The nearest folder that exists must let us write; the rest is created at start.
    std::error_code error;
    auto folder = std::filesystem::absolute(settings.server.data_dir, error);
    while (!std::filesystem::exists(folder, error) && folder.has_relative_path())
        folder = folder.parent_path();
    if (!std::filesystem::is_directory(folder, error) || ::access(folder.c_str(), W_OK | X_OK) != 0) {
        problems.push_back(fmt::format(
            "server.data_dir = '{}': cannot write to {}: {}", settings.server.data_dir, folder.string(),
            std::filesystem::is_directory(folder, error) ? errno_text(errno) : "not a directory"));
    }
    return problems;
}

std::string settings_template() {
    Settings defaults;
    std::string text =
        "# Configuration of `fieldwarden serve`: every key with its default.\n"
        "#\n"
        "# Precedence: command line flag, environment (FIELDWARDEN_<SECTION>_<KEY>), this file, default.\n"
        "# Durations: \"500ms\", \"30s\", \"5m\", \"2h\", \"7d\". Sizes: 1048576, \"200MB\", \"1GB\".\n"
        "# Check it with: fieldwarden serve --check --config FILE\n";
    std::string_view section;
    for (const auto& key : kKeys) {
        if (key.section != section) {
            section = key.section;
            text += fmt::format("\n[{}]\n", section);
        }
        // The default of the data directory depends on the user: shown, not set.
        const bool depends = key.name == "data_dir";
        text +=
            fmt::format("{}\n{}{} = {}\n", comment(key.help), depends ? "# " : "", key.name,
                        depends ? "\"/var/lib/fieldwarden\"" : std::visit(DefaultText{defaults}, key.place));
    }
    return text;
}

}  // namespace fieldwarden::supervisor
