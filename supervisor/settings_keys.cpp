#include "supervisor/settings_keys.h"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <variant>

namespace fieldwarden::supervisor {

namespace {

struct ByteCount {
    std::uint64_t* bytes;
};
// Where a key's value goes; the alternative is its type.
using Target =
    std::variant<std::string*, bool*, milliseconds*, double*, std::uint32_t*, ByteCount, SpoolFullPolicy*>;

struct Key {
    std::string_view section;
    std::string_view name;
    Target (*target)(Settings&);
    std::string_view help;
    double least = 0;  // milliseconds of a duration
    double most = 1e15;

    [[nodiscard]] std::string path() const { return fmt::format("{}.{}", section, name); }
};

constexpr double kHour = 3600e3;

// The one table of keys.
constexpr std::array kKeys{
    // clang-format off
    Key{"server", "data_dir", [](Settings& s) -> Target { return &s.server.data_dir; },
        "Where everything is kept: state.db, history/, spool/, log/, run/, admin.token.\n"
        "Default: /var/lib/fieldwarden as root, ~/.local/share/fieldwarden otherwise."},
    Key{"server", "store", [](Settings& s) -> Target { return &s.server.store; },
        "Where the configuration, sessions, alerts and accounts are kept. Empty or \"sqlite\": state.db in data_dir.\n"
        "\"postgresql://user@host:5432/database\": a PostgreSQL database (13 or newer), in a schema fieldwarden that\n"
        "is made when it is missing; parameters of libpq behind '?' (sslmode=verify-full). One supervisor per\n"
        "database. The password is better in ~/.pgpass, PGPASSWORD or FIELDWARDEN_SERVER_STORE than written here."},
    Key{"server", "listen", [](Settings& s) -> Target { return &s.server.listen; },
        "Address and port of the HTTP API and the console."},
    Key{"server", "allow_insecure_listen", [](Settings& s) -> Target { return &s.server.allow_insecure_listen; },
        "Allows `listen` beyond loopback without TLS. Passwords and tokens then cross the network readable."},
    Key{"server", "tls_certificate", [](Settings& s) -> Target { return &s.server.tls_certificate; },
        "PEM file with the server's certificate and the intermediate ones: the API and the console then speak\n"
        "HTTPS only. A renewed file is taken up within a second, without a restart. Empty: plain HTTP."},
    Key{"server", "tls_private_key", [](Settings& s) -> Target { return &s.server.tls_private_key; },
        "PEM file with its private key, without a pass phrase, readable by this program's user only."},
    Key{"server", "access_log", [](Settings& s) -> Target { return &s.server.access_log; },
        "Keeps <data_dir>/log/access.jsonl, a line for each HTTP request, in files as [log] says."},
    Key{"server", "max_streams_per_user", [](Settings& s) -> Target { return &s.server.max_streams_per_user; },
        "Most WebSockets and event streams that one user has open at a time.", 1, 100'000},
    Key{"server", "status_tcp", [](Settings& s) -> Target { return &s.server.status_tcp; },
        "Second address of the ZeroMQ status channel, e.g. \"tcp://127.0.0.1:8701\". Empty: only\n"
        "ipc://<data_dir>/run/status.sock. Beyond loopback status_curve_secret_key is needed."},
    Key{"server", "status_curve_secret_key", [](Settings& s) -> Target { return &s.server.status_curve_secret_key; },
        "CURVE secret key of the status channel (Z85, 40 characters, from zmq_curve_keypair). Better given by\n"
        "FIELDWARDEN_SERVER_STATUS_CURVE_SECRET_KEY than written here."},
    Key{"server", "max_upload_bytes", [](Settings& s) -> Target { return ByteCount{&s.server.max_upload_bytes}; },
        "Largest workbook that is accepted.", 1024, 8e9},
    Key{"server", "api_threads", [](Settings& s) -> Target { return &s.server.api_threads; },
        "Threads that serve HTTP requests.", 1, 256},
    Key{"server", "time_zone", [](Settings& s) -> Target { return &s.server.time_zone; },
        "Time zone of the days of /device/statistics, and of schedules that name none: Asia/Shanghai, Europe/Berlin,\n"
        "UTC. Empty: the system's."},

    Key{"worker", "program", [](Settings& s) -> Target { return &s.worker.program; },
        "The worker program. Empty: fieldwarden-worker beside this program."},
    Key{"worker", "heartbeat_interval", [](Settings& s) -> Target { return &s.worker.heartbeat_interval; },
        "How often a worker reports.", 100, 60e3},
    Key{"worker", "heartbeat_timeout", [](Settings& s) -> Target { return &s.worker.heartbeat_timeout; },
        "A worker silent, or whose acquisition loop has not moved, for this long is hung: it is killed and\n"
        "restarted.", 500, kHour},
    Key{"worker", "start_timeout", [](Settings& s) -> Target { return &s.worker.start_timeout; },
        "A worker not ready this long after its launch has failed to start.", 500, kHour},
    Key{"worker", "stop_grace", [](Settings& s) -> Target { return &s.worker.stop_grace; },
        "Time a worker has to flush its spool and leave after a stop; then it gets SIGTERM.", 0, kHour},
    Key{"worker", "term_grace", [](Settings& s) -> Target { return &s.worker.term_grace; },
        "Time between SIGTERM and SIGKILL.", 0, kHour},
    Key{"worker", "orphan_grace", [](Settings& s) -> Target { return &s.worker.orphan_grace; },
        "How long a worker goes on acquiring without a supervisor before it stops by itself.", 1e3, 7 * 24 * kHour},
    Key{"worker", "spawn_rate", [](Settings& s) -> Target { return &s.worker.spawn_rate; },
        "Most worker starts per second, all tasks together; half a second's worth may go at once.", 1, 10'000},
    Key{"worker", "warm_spares", [](Settings& s) -> Target { return &s.worker.warm_spares; },
        "Workers that are started and wait for a task, so that the next one to be launched acquires within a few\n"
        "milliseconds. Each costs about 1 MB.", 0, 64},
    Key{"worker", "start_stagger", [](Settings& s) -> Target { return &s.worker.start_stagger; },
        "Pause between tasks that start together (at the daemon's start, by group or all at once), in the order\n"
        "of their option start_order. Restarts do not wait for it.", 0, 60e3},
    Key{"worker", "open_files", [](Settings& s) -> Target { return &s.worker.open_files; },
        "Most files a worker may hold open (RLIMIT_NOFILE); 0: as this program.", 0, 1'000'000},
    Key{"worker", "memory_limit_mb", [](Settings& s) -> Target { return &s.worker.memory_limit_mb; },
        "Hard limit of a worker's writable memory (MiB): by cgroup where cgroup_root is set, otherwise as address\n"
        "space (RLIMIT_DATA, which also counts 8 MiB for each thread's stack). Beyond it the worker ends and is\n"
        "restarted. 0: none; health.memory_mb restarts in good order before that.", 0, 1e7},
    Key{"worker", "cpu_limit_percent", [](Settings& s) -> Target { return &s.worker.cpu_limit_percent; },
        "Most processor time of a worker in percent of one core (cgroup cpu.max; needs cgroup_root). 0: none.", 0, 100'000},
    Key{"worker", "nice", [](Settings& s) -> Target { return &s.worker.nice; },
        "Nice level of workers, 0 (normal) to 19 (last).", 0, 19},
    Key{"worker", "cgroup_root", [](Settings& s) -> Target { return &s.worker.cgroup_root; },
        "A cgroup v2 directory that this program may fill with one group per task (memory and cpu delegated to\n"
        "it). It must not be the unit's own: a group with members of its own cannot limit its children, and\n"
        "workers that outlive a crash would keep systemd from starting the next daemon. Empty: no cgroups."},

    Key{"restart", "first_delay", [](Settings& s) -> Target { return &s.restart.first_delay; },
        "The first restart after a death is at once; the second waits this long, each further one twice as\n"
        "long.", 1, kHour},
    Key{"restart", "longest_delay", [](Settings& s) -> Target { return &s.restart.longest_delay; },
        "Longest wait before a restart.", 1, 24 * kHour},
    Key{"restart", "jitter", [](Settings& s) -> Target { return &s.restart.jitter; },
        "Share of each wait that is random (0 to 1), so that many that died together do not return together.", 0, 1},
    Key{"restart", "stable_period", [](Settings& s) -> Target { return &s.restart.stable_period; },
        "A run longer than this clears the history of deaths.", 0, 24 * kHour},
    Key{"restart", "max_attempts", [](Settings& s) -> Target { return &s.restart.max_attempts; },
        "More deaths than this within attempts_window: the task is CRASHED.", 0, 1000},
    Key{"restart", "attempts_window", [](Settings& s) -> Target { return &s.restart.attempts_window; },
        "Time within which deaths are counted.", 1e3, 24 * kHour},
    Key{"restart", "crashed_retry_interval", [](Settings& s) -> Target { return &s.restart.crashed_retry_interval; },
        "A CRASHED task is tried again this often; 0s: never (a start by hand always works).", 0, 7 * 24 * kHour},

    Key{"health", "interval", [](Settings& s) -> Target { return &s.health.interval; },
        "How often each task's health is checked.", 100, 24 * kHour},
    Key{"health", "cpu_percent", [](Settings& s) -> Target { return &s.health.cpu_percent; },
        "Percent of one core above which a worker counts as overloaded.", 1, 100'000},
    Key{"health", "memory_mb", [](Settings& s) -> Target { return &s.health.memory_mb; },
        "Private memory (MiB) above which a worker is restarted; the supervisor warns of itself above it.", 1, 1e6},
    Key{"health", "data_timeout", [](Settings& s) -> Target { return &s.health.data_timeout; },
        "A running task without good data for this long is critical.", 100, 7 * 24 * kHour},
    Key{"health", "connection_timeout", [](Settings& s) -> Target { return &s.health.connection_timeout; },
        "Devices away for this long make their task critical.", 100, 7 * 24 * kHour},
    Key{"health", "descriptors_percent", [](Settings& s) -> Target { return &s.health.descriptors_percent; },
        "Share of its open_files that a worker may hold open before it is restarted: files only add up when they\n"
        "leak.", 1, 100},
    Key{"health", "log_errors", [](Settings& s) -> Target { return &s.health.log_errors; },
        "Errors logged within five minutes that make a task critical.", 1, 1e6},
    Key{"health", "slow_down", [](Settings& s) -> Target { return &s.health.slow_down; },
        "Ask a device that keeps timing out half as often (down to an eighth), and restore that step by step."},

    Key{"spool", "max_bytes", [](Settings& s) -> Target { return ByteCount{&s.spool.max_bytes}; },
        "Disk space of one task's spool.", 1 << 20, 1e15},
    Key{"spool", "max_age", [](Settings& s) -> Target { return &s.spool.max_age; },
        "Undelivered samples older than this are dropped (and counted).", 60e3, 3650 * 24 * kHour},
    Key{"spool", "fsync_window", [](Settings& s) -> Target { return &s.spool.fsync_window; },
        "What a power cut may take: samples are on disk at most this much later.", 0, 10e3},
    Key{"spool", "when_full", [](Settings& s) -> Target { return &s.spool.when_full; },
        "What a full spool does: drop_oldest or block (acquisition waits for the sinks)."},

    Key{"history", "max_age", [](Settings& s) -> Target { return &s.history.max_age; },
        "Age at which samples leave the embedded history.", 60e3, 36500 * 24 * kHour},
    Key{"history", "max_bytes", [](Settings& s) -> Target { return ByteCount{&s.history.max_bytes}; },
        "Disk space of one task's embedded history.", 1 << 20, 1e15},

    Key{"log", "level", [](Settings& s) -> Target { return &s.log.level; },
        "Least level that is logged: debug, info, warning, error or critical."},
    Key{"log", "max_file_bytes", [](Settings& s) -> Target { return ByteCount{&s.log.max_file_bytes}; },
        "Size at which a log file is rotated, per task.", 4096, 1e12},
    Key{"log", "max_files", [](Settings& s) -> Target { return &s.log.max_files; },
        "Rotated files kept per task.", 1, 1000},
    Key{"log", "lines_in_memory", [](Settings& s) -> Target { return &s.log.lines_in_memory; },
        "Last lines per task that are kept in memory, for when the disk does not take them.", 10, 100'000},
    Key{"log", "max_age_days", [](Settings& s) -> Target { return &s.log.max_age_days; },
        "Days after its last line at which a log file is removed. The file in use stays.", 1, 36'500},
    Key{"log", "max_total_bytes", [](Settings& s) -> Target { return ByteCount{&s.log.max_total_bytes}; },
        "Disk space of all log files together; the oldest rotated files go first.", 1 << 20, 1e15},

    Key{"retention", "session_days", [](Settings& s) -> Target { return &s.retention.session_days; },
        "Days that ended sessions, their timelines, resolved alerts and import jobs are kept.", 1, 36'500},
    Key{"retention", "statistics_days", [](Settings& s) -> Target { return &s.retention.statistics_days; },
        "Days that the minutes of devices in their states (GET /device/statistics) are kept.", 1, 36'500},

    Key{"sign_in", "session_idle", [](Settings& s) -> Target { return &s.sign_in.session_idle; },
        "A person is signed out this long after the last request of the browser. An open page with live values\n"
        "goes on asking.", 60e3, 30 * 24 * kHour},
    Key{"sign_in", "session_longest", [](Settings& s) -> Target { return &s.sign_in.session_longest; },
        "… and this long after signing in, in any case.", 60e3, 365 * 24 * kHour},
    Key{"sign_in", "failures", [](Settings& s) -> Target { return &s.sign_in.failures; },
        "Failed attempts with one name, or from one address, within failures_window before the next has to wait.",
        1, 1'000},
    Key{"sign_in", "failures_window", [](Settings& s) -> Target { return &s.sign_in.failures_window; },
        "How long a failed attempt counts.", 1e3, 24 * kHour},
    // clang-format on
};

constexpr std::array<std::string_view, 9> kSectionHelp{
    "server:the daemon itself",
    "worker:the worker processes",
    "restart:when a worker that died is started again",
    "health:thresholds of the health checks",
    "spool:what is acquired but not delivered yet (a task's options override it)",
    "history:the embedded time series (a task's options override it)",
    "log:log files and lines",
    "retention:how long records are kept",
    "sign_in:sessions of people, and how guessing of passwords is slowed down",
};

// --- values as text --------------------------------------------------------------------------------------

struct Unit {
    std::string_view name;
    std::uint64_t bytes;
};
constexpr std::array<Unit, 3> kUnits{{{"GiB", 1ULL << 30}, {"MiB", 1ULL << 20}, {"KiB", 1ULL << 10}}};

std::optional<std::uint64_t> parse_byte_count(std::string_view text) {
    std::uint64_t scale = 1;
    for (const auto& unit : kUnits) {
        if (!text.ends_with(unit.name)) continue;
        scale = unit.bytes;
        text.remove_suffix(unit.name.size());
        break;
    }
    std::uint64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (count > std::numeric_limits<std::uint64_t>::max() / scale) return std::nullopt;
    return count * scale;
}

std::string format_byte_count(std::uint64_t bytes) {
    for (const auto& unit : kUnits) {
        if (bytes >= unit.bytes && bytes % unit.bytes == 0) {
            return fmt::format("{}{}", bytes / unit.bytes, unit.name);
        }
    }
    return std::to_string(bytes);
}

std::string in_range(const Key& key, double value, const std::function<std::string(double)>& show) {
    if (value >= key.least && value <= key.most) return {};
    return fmt::format("is outside {} to {}", show(key.least), show(key.most));
}

std::string show_number(double value) {
    return fmt::format("{:.0f}", value);
}
std::string show_duration(double value) {
    return format_duration(milliseconds{static_cast<std::int64_t>(value)});
}

// Puts the text into its place; the reason when it does not fit.
struct Assign {
    const Key& key;
    std::string_view text;

    std::string operator()(std::string* target) const {
        *target = text;
        return {};
    }
    std::string operator()(bool* target) const {
        if (text != "true" && text != "false") return "is neither true nor false";
        *target = text == "true";
        return {};
    }
    std::string operator()(milliseconds* target) const {
        const auto parsed = parse_duration(text);
        if (!parsed) return "is no duration such as 500ms, 30s, 5m, 2h or 7d";
        *target = *parsed;
        return in_range(key, static_cast<double>(parsed->count()), show_duration);
    }
    std::string operator()(double* target) const {
        double value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return "is no number";
        *target = value;
        return in_range(key, value, show_number);
    }
    std::string operator()(std::uint32_t* target) const {
        std::uint32_t value = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (error != std::errc{} || end != text.data() + text.size()) return "is no whole number";
        *target = value;
        return in_range(key, value, show_number);
    }
    std::string operator()(ByteCount target) const {
        const auto count = parse_byte_count(text);
        if (!count) return "is no number of bytes such as 1048576, 512KiB, 10MiB or 1GiB";
        *target.bytes = *count;
        return in_range(key, static_cast<double>(*count), show_number);
    }
    std::string operator()(SpoolFullPolicy* target) const {
        const auto policy = from_name<SpoolFullPolicy>(text);
        if (!policy) return "is none of " + all_names<SpoolFullPolicy>();
        *target = *policy;
        return {};
    }
};

// As it stands in the file.
struct Show {
    std::string operator()(const std::string* value) const { return fmt::format("\"{}\"", *value); }
    std::string operator()(const bool* value) const { return *value ? "true" : "false"; }
    std::string operator()(const milliseconds* value) const {
        return fmt::format("\"{}\"", format_duration(*value));
    }
    std::string operator()(const double* value) const { return fmt::format("{}", *value); }
    std::string operator()(const std::uint32_t* value) const { return std::to_string(*value); }
    std::string operator()(ByteCount value) const {
        return fmt::format("\"{}\"", format_byte_count(*value.bytes));
    }
    std::string operator()(const SpoolFullPolicy* value) const {
        return fmt::format("\"{}\"", to_name(*value));
    }
};

// --- names -----------------------------------------------------------------------------------------------

const Key* find_key(std::string_view path) {
    const auto found = std::ranges::find_if(kKeys, [&](const Key& key) { return key.path() == path; });
    return found == kKeys.end() ? nullptr : &*found;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const auto above = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
            diagonal = above;
        }
    }
    return row[b.size()];
}

std::string suggestion(std::string_view path) {
    path = path.substr(0, 100);
    const Key* nearest = nullptr;
    std::size_t distance = path.size() / 2 + 1;  // further away it is no slip of the pen
    for (const auto& key : kKeys) {
        const auto now = edit_distance(path, key.path());
        if (now < distance) {
            distance = now;
            nearest = &key;
        }
    }
    return nearest == nullptr ? "it is ignored"
                              : fmt::format("did you mean {}? It is ignored", nearest->path());
}

std::string environment_name(const Key& key) {
    auto name = fmt::format("FIELDWARDEN_{}_{}", key.section, key.name);
    std::ranges::transform(name, name.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return name;
}

// --- reading ---------------------------------------------------------------------------------------------

class Loader {
  public:
    Loader(Settings& settings, SettingsProblems& problems) : settings_(settings), problems_(problems) {}

    void file(std::string_view text, const std::string& path) {
        toml::table table;
        try {
            table = toml::parse(text, path);
        } catch (const toml::parse_error& error) {
            problems_.errors.push_back(
                fmt::format("{}:{}: {}", path, error.source().begin.line, error.description()));
            return;
        }
        for (const auto& [section, node] : table) {
            const std::string name{section.str()};
            if (const auto* keys = node.as_table()) {
                for (const auto& [key, value] : *keys) {
                    node_value(path, name + "." + std::string{key.str()}, value);
                }
            } else {
                unknown(path, node, name);
            }
        }
    }

    void environment(const Environment& environment) {
        for (const auto& key : kKeys) {
            const auto name = environment_name(key);
            if (const auto given = environment.find(name); given != environment.end()) {
                assign(key, given->second, "environment variable " + name);
            }
        }
    }

    void flags(const FlagValues& flags) {
        for (const auto& [path, value] : flags) {
            const auto* key = find_key(path);
            if (key == nullptr) {
                problems_.errors.push_back(fmt::format("flag {}: there is no such setting", path));
            } else {
                assign(*key, value, "flag --" + std::string{key->name});
            }
        }
    }

  private:
    void unknown(const std::string& path, const toml::node& node, const std::string& name) {
        problems_.warnings.push_back(
            fmt::format("{}:{}: unknown key {}: {}", path, node.source().begin.line, name, suggestion(name)));
    }

    void node_value(const std::string& path, const std::string& name, const toml::node& node) {
        const auto* key = find_key(name);
        if (key == nullptr) return unknown(path, node, name);
        const auto where = fmt::format("{}:{}", path, node.source().begin.line);
        const auto target = key->target(settings_);
        const bool wants_text = std::holds_alternative<std::string*>(target);
        if (const auto* text = node.as_string()) {
            assign(*key, text->get(), where);
        } else if (const auto* number = node.as_integer(); number != nullptr && !wants_text) {
            assign(*key, std::to_string(number->get()), where);
        } else if (const auto* real = node.as_floating_point(); real != nullptr && !wants_text) {
            assign(*key, fmt::format("{}", real->get()), where);
        } else if (const auto* flag = node.as_boolean(); flag != nullptr && !wants_text) {
            assign(*key, flag->get() ? "true" : "false", where);
        } else {
            problems_.errors.push_back(fmt::format("{}: {} must be {}", where, name,
                                                   wants_text ? "a text in quotes" : "a single value"));
        }
    }

    void assign(const Key& key, std::string_view text, const std::string& where) {
        // A value that does not fit leaves what was there, so that one mistake is reported once.
        Settings trial = settings_;
        const auto problem = std::visit(Assign{key, text}, key.target(trial));
        if (problem.empty()) {
            settings_ = std::move(trial);
        } else {
            problems_.errors.push_back(
                fmt::format("{}: {} = '{}' {}", where, key.path(), text.substr(0, 100), problem));
        }
    }

    Settings& settings_;
    SettingsProblems& problems_;
};

}  // namespace

void read_settings_file(std::string_view text, const std::string& path, Settings& settings,
                        SettingsProblems& problems) {
    Loader{settings, problems}.file(text, path);
}

void read_settings_environment(const Environment& environment, Settings& settings,
                               SettingsProblems& problems) {
    Loader{settings, problems}.environment(environment);
}

void read_settings_flags(const FlagValues& flags, Settings& settings, SettingsProblems& problems) {
    Loader{settings, problems}.flags(flags);
}

std::string settings_template() {
    Settings defaults;
    std::string text =
        "# Settings of `fieldwarden serve`. Every key stands here with its default.\n"
        "# Precedence: flag, environment variable FIELDWARDEN_<SECTION>_<KEY>, this file, default.\n"
        "# Durations: 500ms, 30s, 5m, 2h, 7d. Bytes: a number, or with KiB, MiB, GiB.\n";
    std::string_view section;
    for (const auto& key : kKeys) {
        if (key.section != section) {
            section = key.section;
            const auto help = std::ranges::find_if(kSectionHelp, [&](std::string_view line) {
                return line.starts_with(section) && line[section.size()] == ':';
            });
            text += fmt::format("\n# {}\n[{}]\n", help->substr(section.size() + 1), section);
        }
        std::string help{key.help};
        for (std::size_t at = 0; (at = help.find('\n', at)) != std::string::npos; at += 3) {
            help.replace(at, 1, "\n# ");
        }
        // The one default that depends on who runs it stays a comment.
        const bool dynamic = key.name == "data_dir";
        text += fmt::format(
            "# {}\n{}{} = {}\n", help, dynamic ? "# " : "", key.name,
            dynamic ? std::string{"\"/var/lib/fieldwarden\""} : std::visit(Show{}, key.target(defaults)));
    }
    return text;
}

}  // namespace fieldwarden::supervisor
