// Settings of `fieldwarden serve`: every key of fieldwarden.toml with its default (CONTRACT 1). Precedence:
// flag, environment (FIELDWARDEN_<SECTION>_<KEY>), file, default. settings.cpp holds the one table of keys.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/result.h"
#include "common/task_config.h"

namespace fieldwarden::supervisor {

using std::chrono::milliseconds;

struct ServerSettings {
    std::string data_dir;  // /var/lib/fieldwarden as root, ~/.local/share/fieldwarden otherwise
    std::string store;  // "" or "sqlite": <data_dir>/state.db; "postgresql://…", which may hold a password
    std::string listen = "127.0.0.1:8700";
    bool allow_insecure_listen = false;  // beyond loopback without TLS
    std::string tls_certificate;         // PEM file; "" = plain HTTP
    std::string tls_private_key;         // PEM file
    bool access_log = true;
    std::uint32_t max_streams_per_user = 256;
    std::string status_tcp;               // "tcp://127.0.0.1:8701"; "" = ipc only
    std::string status_curve_secret_key;  // Z85; needed for status_tcp beyond loopback
    std::uint64_t max_upload_bytes = 200ULL << 20;
    std::uint32_t api_threads = 8;
    std::string time_zone;  // of schedules and of the days of statistics; "" = the system's
};

struct WorkerSettings {
    std::string program;  // "" = fieldwarden-worker beside this program
    milliseconds heartbeat_interval{1'000};
    milliseconds heartbeat_timeout{5'000};
    milliseconds start_timeout{15'000};
    milliseconds stop_grace{5'000};  // to flush and leave after `stop`
    milliseconds term_grace{2'000};  // between SIGTERM and SIGKILL
    milliseconds orphan_grace{15 * 60 * 1000};
    std::uint32_t spawn_rate = 200;  // starts a second, all tasks together
    std::uint32_t warm_spares = 1;   // workers that wait for a task
    milliseconds start_stagger{0};   // between the first starts of tasks that start together
    // Limits of each worker process; 0: none.
    std::uint32_t open_files = 1'024;
    std::uint32_t memory_limit_mb = 0;
    std::uint32_t cpu_limit_percent = 0;  // of one core; needs cgroup_root
    std::uint32_t nice = 0;
    std::string cgroup_root;  // cgroup v2 directory this program may fill; "": none
};

struct RestartSettings {
    milliseconds first_delay{500};
    milliseconds longest_delay{60'000};
    double jitter = 0.25;
    milliseconds stable_period{60'000};
    std::uint32_t max_attempts = 3;
    milliseconds attempts_window{5 * 60 * 1000};
    milliseconds crashed_retry_interval{5 * 60 * 1000};  // 0 = never
};

struct HealthSettings {
    milliseconds interval{30'000};
    double cpu_percent = 80;
    double memory_mb = 500;
    milliseconds data_timeout{120'000};
    milliseconds connection_timeout{60'000};
    double descriptors_percent = 80;  // of worker.open_files
    std::uint32_t log_errors = 50;    // within five minutes
    bool slow_down = true;            // ask a device that keeps timing out less often
};

struct LogSettings {
    std::string level = "info";
    std::uint64_t max_file_bytes = 10ULL << 20;  // per task and file
    std::uint32_t max_files = 5;
    std::uint32_t lines_in_memory = 200;  // per task
    std::uint32_t max_age_days = 30;
    std::uint64_t max_total_bytes = 5ULL << 30;  // all tasks together
};

struct RetentionSettings {
    std::uint32_t session_days = 90;      // sessions, timelines, resolved alerts, import jobs
    std::uint32_t statistics_days = 400;  // minutes of devices in their states
};

struct SignInSettings {
    milliseconds session_idle{std::chrono::hours{12}};
    milliseconds session_longest{std::chrono::hours{7 * 24}};
    // Failures of one name or from one address within the window before the next one has to wait.
    std::uint32_t failures = 10;
    milliseconds failures_window{60'000};
};

struct Settings {
    ServerSettings server;
    WorkerSettings worker;
    RestartSettings restart;
    HealthSettings health;
    SpoolConfig spool;
    HistoryConfig history;
    LogSettings log;
    RetentionSettings retention;
    SignInSettings sign_in;
};

using Environment = std::map<std::string, std::string>;
using FlagValues = std::map<std::string, std::string>;  // "server.listen" → "127.0.0.1:0"

// Reads everything and reports every problem, never only the first; the text names file, line and key.
struct SettingsProblems {
    std::vector<std::string> errors;
    std::vector<std::string> warnings;  // unknown keys
};
Settings load_settings(const std::optional<std::string>& file, const Environment& environment,
                       const FlagValues& flags, SettingsProblems& problems);

// What only the machine can say: the worker program can be executed, the data directory can be written, the
// sockets' paths are short enough. Every problem, in sentences; empty when `serve` would start. For --check.
std::vector<std::string> check_settings(const Settings& settings);

// The annotated file with every key at its default: the text of deploy/fieldwarden.toml.
std::string settings_template();

}  // namespace fieldwarden::supervisor
