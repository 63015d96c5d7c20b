#include "supervisor/settings.h"

#include <fmt/format.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "common/clock.h"
#include "proto/wire.h"
#include "supervisor/fleet/worker_launch.h"
#include "supervisor/gateway/tls.h"
#include "supervisor/listen_address.h"
#include "supervisor/plant/schedule.h"
#include "supervisor/settings_keys.h"
#include "supervisor/status/status_pub.h"
#include "supervisor/store/open_store.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kMostFileBytes = 1U << 20;

Result<std::string> read_text(const std::string& path) {
    std::error_code none;
    if (std::filesystem::is_directory(path, none)) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("{} is a directory, no file of settings", path));
    }
    errno = 0;
    std::ifstream file{path, std::ios::binary};
    if (!file)
        return make_error(ErrorKind::kNotFound,
                          fmt::format("{} cannot be read: {}", path, errno_text(errno)));
    std::string text(kMostFileBytes + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMostFileBytes) {
        return make_error(ErrorKind::kTooLarge,
                          fmt::format("{} is larger than 1 MiB: it is no file of settings", path));
    }
    return text;
}

std::string default_data_dir(const Environment& environment) {
    if (geteuid() == 0) return "/var/lib/fieldwarden";
    const auto home = environment.find("HOME");
    return (home == environment.end() ? std::string{"."} : home->second) + "/.local/share/fieldwarden";
}

// What no single key can be blamed for.
void check_together(const Settings& s, SettingsProblems& problems) {
    const auto wrong = [&](std::string text) { problems.errors.push_back(std::move(text)); };
    if (const auto store = check_store_name(s.server.store); !store) {
        wrong("server.store: " + store.error().message);
    }
    if (const auto listen = parse_listen_address(s.server.listen); !listen) {
        wrong(fmt::format("server.listen = '{}': {}", s.server.listen, listen.error().message));
    } else if (!is_loopback(listen->host) && s.server.tls_certificate.empty() &&
               !s.server.allow_insecure_listen) {
        wrong(
            fmt::format("server.listen = '{}' reaches beyond loopback and TLS is not configured: set "
                        "server.tls_certificate and server.tls_private_key, listen on 127.0.0.1 behind a TLS "
                        "proxy, or set server.allow_insecure_listen = true",
                        s.server.listen));
    }
    if (s.server.tls_certificate.empty() != s.server.tls_private_key.empty()) {
        wrong("server.tls_certificate and server.tls_private_key go together: set both or none");
    }
    if (const auto allowed =
            check_status_endpoint(s.server.status_tcp, !s.server.status_curve_secret_key.empty());
        !allowed) {
        wrong("server.status_tcp: " + allowed.error().message);
    }
    constexpr std::size_t kZ85KeyLength = 40;
    if (const auto size = s.server.status_curve_secret_key.size(); size != 0 && size != kZ85KeyLength) {
        wrong(fmt::format("server.status_curve_secret_key has {} characters, a Z85 key has {}", size,
                          kZ85KeyLength));
    }
    if (s.worker.heartbeat_timeout < 2 * s.worker.heartbeat_interval) {
        wrong(fmt::format(
            "worker.heartbeat_timeout = {} must be at least twice worker.heartbeat_interval = {}",
            format_duration(s.worker.heartbeat_timeout), format_duration(s.worker.heartbeat_interval)));
    }
    // Not every report is answered: a worker must not take what is usual for its supervisor's end.
    if (const auto least = 2 * static_cast<int>(proto::kBeatsPerAck) * s.worker.heartbeat_interval;
        s.worker.orphan_grace < least) {
        wrong(fmt::format("worker.orphan_grace = {} must be at least {}, 16 times worker.heartbeat_interval",
                          format_duration(s.worker.orphan_grace), format_duration(least)));
    }
    if (s.restart.longest_delay < s.restart.first_delay) {
        wrong("restart.longest_delay is shorter than restart.first_delay");
    }
    constexpr std::array<std::string_view, 5> levels{"debug", "info", "warning", "error", "critical"};
    if (std::ranges::find(levels, s.log.level) == levels.end()) {
        wrong(fmt::format("log.level = '{}' is none of {}", s.log.level, fmt::join(levels, ", ")));
    }
}

}  // namespace

Settings load_settings(const std::optional<std::string>& file, const Environment& environment,
                       const FlagValues& flags, SettingsProblems& problems) {
    Settings settings;
    settings.server.data_dir = default_data_dir(environment);
    if (file) {
        if (const auto text = read_text(*file)) {
            read_settings_file(*text, *file, settings, problems);
        } else {
            problems.errors.push_back(text.error().message);
        }
    }
    read_settings_environment(environment, settings, problems);
    read_settings_flags(flags, settings, problems);
    check_together(settings, problems);
    return settings;
}

std::vector<std::string> check_settings(const Settings& settings) {
    std::vector<std::string> problems;
    const auto program = worker_program(settings.worker);
    if (access(program.c_str(), X_OK) != 0) {
        problems.push_back(fmt::format("the worker program {} cannot be executed: {}; set worker.program",
                                       program, errno_text(errno)));
    }
    const auto& data_dir = settings.server.data_dir;
    std::error_code error;
    std::filesystem::create_directories(data_dir, error);
    if (error) {
        problems.push_back(
            fmt::format("the data directory {} cannot be created: {}", data_dir, error.message()));
    } else if (access(data_dir.c_str(), W_OK | X_OK) != 0) {
        problems.push_back(
            fmt::format("the data directory {} cannot be written: {}", data_dir, errno_text(errno)));
    }
    if (const auto zone = find_zone(settings.server.time_zone); !zone) {
        problems.push_back("server.time_zone: " + zone.error().message);
    }
    if (const gateway::TlsFiles files{settings.server.tls_certificate, settings.server.tls_private_key};
        files.wanted()) {
        const auto tls = gateway::Tls::load(files, [](proto::LogLevel, std::string_view) {});
        if (!tls) problems.push_back(tls.error().message);
    }
    const auto socket = data_dir + "/run/control.sock";
    if (socket.size() >= sizeof(sockaddr_un::sun_path)) {
        problems.push_back(fmt::format("the data directory {} is too long by {} characters for its sockets",
                                       data_dir, socket.size() + 1 - sizeof(sockaddr_un::sun_path)));
    }
    return problems;
}

}  // namespace fieldwarden::supervisor
