#include "supervisor/serve.h"

#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include "common/version.h"
#include "supervisor/gateway/gateway.h"
#include "supervisor/settings.h"
#include "supervisor/status/live_values.h"
#include "supervisor/status/status_bus.h"
#include "supervisor/store/open_store.h"
#include "supervisor/supervisor.h"
#include "supervisor/systemd.h"
#include "supervisor/upgrade.h"

extern char** environ;

namespace fieldwarden::supervisor {

namespace {

// After a power cut the database may take as long to come back.
constexpr std::chrono::seconds kStorePatience{60};

constexpr const char* kDefaultConfig = "/etc/fieldwarden/fieldwarden.toml";

Environment environment_of_process() {
    Environment environment;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const auto equals = text.find('=');
        if (equals != std::string_view::npos)
            environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

// The supervisor's own lines: to the journal or the terminal, one line each.
void log_line(proto::LogLevel level, std::string_view message) {
    fmt::print(stderr, "{} {:<8} {}\n", format_rfc3339(system_clock().utc_now()), to_name(level), message);
}

// To the journal or the terminal only: the line is in no file of ours.
void announce_password(std::string_view username, std::string_view password) {
    log_line(
        proto::LogLevel::kInfo,
        fmt::format("first start: sign in as '{}' with the one-time password {} and choose another; it is "
                    "not shown again",
                    username, password));
}

int fail(std::string_view message) {
    log_line(proto::LogLevel::kError, message);
    return 1;
}

// <data-dir> and what lies under it. run/ holds sockets that only this user may reach.
Status make_data_dir(const std::string& data_dir) {
    for (const std::string& folder : {data_dir, data_dir + "/run", data_dir + "/log", data_dir + "/spool",
                                      data_dir + "/history", data_dir + "/tmp"}) {
        std::error_code error;
        std::filesystem::create_directories(folder, error);
        if (error) {
            return make_error(ErrorKind::kIo,
                              fmt::format("cannot create {}: {}; choose another place with --data-dir",
                                          folder, error.message()));
        }
    }
    if (::chmod((data_dir + "/run").c_str(), 0700) != 0) {
        return make_error(ErrorKind::kIo,
                          fmt::format("cannot protect {}/run: {}", data_dir, errno_text(errno)));
    }
    return {};
}

// run/listen tells scripts where the API is, whichever port was asked for.
Status write_listen_file(const Settings& settings, std::uint16_t port) {
    const auto host = settings.server.listen.substr(0, settings.server.listen.rfind(':'));
    const auto path = settings.server.data_dir + "/run/listen";
    {
        std::ofstream file{path + ".new", std::ios::trunc};
        file << host << ':' << port << '\n';
        file.flush();
        if (!file)
            return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", path, errno_text(errno)));
    }
    std::error_code error;
    std::filesystem::rename(path + ".new", path, error);
    if (error) return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", path, error.message()));
    return {};
}

// Signals arrive on a thread of their own, so that no code of ours runs inside a signal handler. They are
// blocked in every thread that is made later; workers get their own mask at launch. SIGTERM and SIGINT stop
// everything, SIGUSR2 asks for the upgrade in place.
class Signals {
  public:
    explicit Signals(const Upgrade& upgrade) : upgrade_(upgrade) {
        ::sigemptyset(&set_);
        for (const int number : {SIGTERM, SIGINT, SIGUSR2, kWakeUp}) ::sigaddset(&set_, number);
        ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
        ::signal(SIGPIPE, SIG_IGN);
        ::signal(SIGHUP, SIG_IGN);
    }
    ~Signals() { forget(); }

    void watch(Supervisor& supervisor) {
        thread_ = std::thread{[this, &supervisor] {
            ::pthread_setname_np(::pthread_self(), "fw-signals");
            int number = 0;
            while (::sigwait(&set_, &number) == 0 && number != kWakeUp) {
                if (number == SIGUSR2) {
                    // Whatever comes next is for the one that takes over: it stays pending.
                    if (replace(supervisor)) return;
                } else {
                    log_line(proto::LogLevel::kInfo,
                             fmt::format("SIG{}: stopping all workers", ::sigabbrev_np(number)));
                    systemd::notify_stopping();
                    supervisor.request_stop();
                }
            }
        }};
    }
    // From here on signals stay pending.
    void forget() {
        if (!thread_.joinable()) return;
        ::pthread_kill(thread_.native_handle(), kWakeUp);
        thread_.join();
    }
    // Whether run() returned because another program is to take over. Asked once the thread is forgotten.
    [[nodiscard]] bool replacing() const { return replacing_; }

  private:
    bool replace(Supervisor& supervisor) {
        log_line(proto::LogLevel::kInfo, fmt::format("SIGUSR2: checking {}", upgrade_.program()));
        if (const auto checked = upgrade_.check(); !checked) {
            log_line(proto::LogLevel::kError,
                     "the upgrade is refused and this program goes on: " + checked.error().message);
            systemd::notify_status("upgrade refused: " + checked.error().message);
            return false;
        }
        systemd::notify_reloading();
        replacing_ = true;
        supervisor.request_leave();
        return true;
    }

    static constexpr int kWakeUp = SIGUSR1;
    const Upgrade& upgrade_;
    sigset_t set_{};
    std::thread thread_;
    bool replacing_ = false;
};

int check(const Settings& settings, const SettingsProblems& problems) {
    for (const auto& warning : problems.warnings) fmt::print(stderr, "warning: {}\n", warning);
    auto errors = problems.errors;
    const auto found = check_settings(settings);
    errors.insert(errors.end(), found.begin(), found.end());
    for (const auto& error : errors) fmt::print(stderr, "error: {}\n", error);
    if (!errors.empty()) return 1;
    fmt::print("configuration is good; data directory {}, listening on {}\n", settings.server.data_dir,
               settings.server.listen);
    return 0;
}

struct Served {
    int exit_code = 0;
    bool replace = false;  // another program is to take over
    int listener = -1;     // … with this socket
};

// One life of the supervisor. `listener` is the API's socket when there is one already.
Served serve_once(const Settings& settings, Signals& signals, int listener) {
    const auto& data_dir = settings.server.data_dir;
    const auto fail = [](std::string_view message) {
        log_line(proto::LogLevel::kError, message);
        return Served{.exit_code = 1};
    };
    auto store = open_store_patiently(settings.server, kStorePatience, [](const std::string& text) {
        log_line(proto::LogLevel::kWarning, text);
    });
    if (!store) return fail(store.error().message);
    StatusBus bus{system_clock()};
    LiveValues live;
    Supervisor supervisor{settings, **store, bus, live, system_clock(), log_line};
    // Also kept in log/supervisor.jsonl, as what the supervisor itself says.
    const auto log = [&supervisor](proto::LogLevel level, std::string_view message) {
        log_line(level, message);
        supervisor.keep_line(level, message);
    };
    if (const auto opened = supervisor.open(); !opened) {
        supervisor.keep_line(proto::LogLevel::kError, opened.error().message);
        return fail(opened.error().message);
    }

    Gateway gateway{Services{
        .control = supervisor,
        .bus = bus,
        .live = live,
        .store = **store,
        .alerts = supervisor.alerts(),
        .settings = settings,
        .clock = system_clock(),
        .version = std::string{kVersion},
        .listener = listener,
        .log = log,
        .announce_password = announce_password,
    }};
    const auto port = gateway.start();
    if (!port) {
        supervisor.keep_line(proto::LogLevel::kError, port.error().message);
        return fail(port.error().message);
    }
    if (const auto written = write_listen_file(settings, *port); !written)
        return fail(written.error().message);

    const auto address = settings.server.listen.substr(0, settings.server.listen.rfind(':'));
    log(proto::LogLevel::kInfo,
        fmt::format("fieldwarden {} serves {}://{}:{} from {}, store {} (pid {})", kVersion,
                    settings.server.tls_certificate.empty() ? "http" : "https", address, *port, data_dir,
                    store_label(settings.server), ::getpid()));
    systemd::notify_ready();
    signals.watch(supervisor);
    supervisor.run();
    signals.forget();
    Served served{.replace = signals.replacing()};
    if (served.replace) served.listener = gateway.keep_listener();
    gateway.stop();
    supervisor.keep_line(proto::LogLevel::kInfo,
                         served.replace ? "making room for another program" : "stopped");
    return served;
}

int serve(const Settings& settings, const Upgrade& upgrade) {
    if (const auto made = make_data_dir(settings.server.data_dir); !made) return fail(made.error().message);
    // A heap per thread would keep what each of the API's threads once needed; and large blocks go back to
    // the system when they are freed, whatever was freed before them.
    ::mallopt(M_ARENA_MAX, 2);
    ::mallopt(M_MMAP_THRESHOLD, 256 << 10);
    ::mallopt(M_TRIM_THRESHOLD, 512 << 10);
    int listener = inherited_listener();
    for (;;) {
        Signals signals{upgrade};
        const auto served = serve_once(settings, signals, listener);
        if (!served.replace) {
            std::error_code ignored;
            std::filesystem::remove(settings.server.data_dir + "/run/listen", ignored);
            if (served.exit_code == 0) log_line(proto::LogLevel::kInfo, "stopped");
            return served.exit_code;
        }
        log_line(proto::LogLevel::kInfo, fmt::format("becoming {}; the workers go on", upgrade.program()));
        const auto failed = upgrade.replace(served.listener);
        // Checked a moment ago and gone now: this program takes its own place.
        log_line(proto::LogLevel::kError, failed.message + "; this program goes on");
        listener = served.listener;
    }
}

}  // namespace

Settings settings_of_program(const std::string& config, const FlagValues& flags, SettingsProblems& problems) {
    std::optional<std::string> file;
    if (!config.empty()) {
        file = config;
    } else if (::access(kDefaultConfig, R_OK) == 0) {
        file = kDefaultConfig;
    }
    auto settings = load_settings(file, environment_of_process(), flags, problems);
    if (!settings.server.data_dir.empty()) {
        // Workers and scripts see the same paths whatever their working directory is.
        std::error_code error;
        settings.server.data_dir =
            std::filesystem::absolute(settings.server.data_dir, error).lexically_normal().string();
    }
    return settings;
}

int serve_main(int argc, char** argv) {
    const Upgrade upgrade;
    CLI::App app{"Run the Fieldwarden supervisor.", "fieldwarden serve"};
    std::string config;
    FlagValues flags;
    bool only_check = false;
    bool print_config = false;
    const auto setting = [&flags](const char* key) {
        return [&flags, key](const std::string& value) { flags[key] = value; };
    };
    app.add_option("--config", config,
                   fmt::format("configuration file (default: {} when it is there)", kDefaultConfig))
        ->type_name("FILE");
    app.add_option_function<std::string>("--data-dir", setting("server.data_dir"), "where everything is kept")
        ->type_name("DIR");
    app.add_option_function<std::string>("--listen", setting("server.listen"), "address of the HTTP API")
        ->type_name("HOST:PORT");
    app.add_flag("--check", only_check, "check the configuration and exit");
    app.add_flag("--print-config", print_config,
                 "print a configuration file with every key at its default, and exit");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    if (print_config) {
        fmt::print("{}", settings_template());
        return 0;
    }

    SettingsProblems problems;
    auto settings = settings_of_program(config, flags, problems);
    if (only_check) return check(settings, problems);
    for (const auto& warning : problems.warnings) log_line(proto::LogLevel::kWarning, warning);
    auto errors = problems.errors;
    const auto found = check_settings(settings);
    errors.insert(errors.end(), found.begin(), found.end());
    for (const auto& error : errors) log_line(proto::LogLevel::kError, error);
    if (!errors.empty()) return 1;
    return serve(settings, upgrade);
}

}  // namespace fieldwarden::supervisor
