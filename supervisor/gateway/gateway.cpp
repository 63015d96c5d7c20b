#include "supervisor/gateway/gateway.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/device_options.h"
#include "supervisor/accounts/accounts.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/dispatcher.h"
#include "supervisor/gateway/http_server.h"
#include "supervisor/gateway/import_desk.h"
#include "supervisor/gateway/metrics.h"
#include "supervisor/gateway/plant_index.h"
#include "supervisor/gateway/write_gate.h"
#include "supervisor/listen_address.h"

namespace fieldwarden::supervisor {

namespace {

Accounts::Limits limits_of(const SignInSettings& settings) {
    return {.session_idle = settings.session_idle,
            .session_longest = settings.session_longest,
            .failures = {settings.failures, settings.failures_window}};
}

}  // namespace

struct Gateway::Parts {
    explicit Parts(Services services_)
        : services(std::move(services_)),
          indexes(services.control),
          imports(services.settings.server.data_dir),
          accounts(services.store, services.clock, passwords, limits_of(services.settings.sign_in)),
          context{services, indexes, imports, metrics, writes, accounts} {}

    Services services;
    gateway::PlantIndexes indexes;
    gateway::ImportDesk imports;
    gateway::Metrics metrics;
    gateway::WriteGate writes;
    Passwords passwords;
    Accounts accounts;
    gateway::Context context;
    // In this order: the server uses the dispatcher until it has stopped.
    std::unique_ptr<gateway::Dispatcher> dispatcher;
    std::unique_ptr<gateway::HttpServer> server;
    std::jthread upkeep;  // of the accounts
};

namespace {

// Where a socket that was handed to us listens.
std::string host_of(int listener) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    std::array<char, NI_MAXHOST> host{};
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::getsockname(listener, any, &size) != 0 ||
        ::getnameinfo(any, size, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
        return {};
    }
    return host.data();
}

// Lets the command line on this machine know the server's certificate whoever signed it.
Status tell_pin(const std::string& path, const std::string& pin) {
    const auto fresh = path + ".new";
    {
        std::ofstream file{fresh, std::ios::trunc};
        file << pin << '\n';
        file.flush();
        if (!file)
            return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", fresh, errno_text(errno)));
    }
    std::error_code error;
    std::filesystem::rename(fresh, path, error);
    if (error) return make_error(ErrorKind::kIo, fmt::format("cannot write {}: {}", path, error.message()));
    return {};
}

// Null without TLS.
Result<std::unique_ptr<gateway::Tls>> load_tls(const Services& services) {
    const gateway::TlsFiles files{services.settings.server.tls_certificate,
                                  services.settings.server.tls_private_key};
    const auto pin_path = services.settings.server.data_dir + "/run/tls_pin";
    if (!files.wanted()) {
        std::error_code ignored;
        std::filesystem::remove(pin_path, ignored);
        return nullptr;
    }
    auto tls =
        gateway::Tls::load(files, services.log, [log = services.log, pin_path](const std::string& pin) {
            if (const auto told = tell_pin(pin_path, pin); !told)
                log(proto::LogLevel::kError, told.error().message);
        });
    if (!tls) return tls;
    if (const auto told = tell_pin(pin_path, (*tls)->pin()); !told) return told.error();
    return tls;
}

void keep_up(Accounts& accounts, const Services& services, const std::stop_token& stop) {
    constexpr std::chrono::seconds kPause{15};
    std::mutex mutex;
    std::condition_variable_any woken;
    std::unique_lock lock{mutex};
    while (!stop.stop_requested()) {
        if (const auto done = accounts.upkeep(); !done) {
            services.log(
                proto::LogLevel::kWarning,
                fmt::format("the use of tokens and sessions could not be noted: {}; trying again in {} s",
                            done.error().message, kPause.count()));
        }
        woken.wait_for(lock, stop, kPause, [] { return false; });
    }
}

}  // namespace

Gateway::Gateway(Services services) : parts_(std::make_unique<Parts>(std::move(services))) {}

Gateway::~Gateway() {
    stop();
}

Result<std::uint16_t> Gateway::start() {
    const auto& settings = parts_->services.settings.server;
    const auto address = parse_listen_address(settings.listen);
    if (!address) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("server.listen '{}': {}", settings.listen, address.error().message));
    }
    const int listener = parts_->services.listener;
    const auto host = listener < 0 ? address->host : host_of(listener);
    const bool secure = !settings.tls_certificate.empty();
    if (!is_loopback(host) && !secure && !settings.allow_insecure_listen) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format(
                "server.listen '{}' is beyond loopback and TLS is not configured: tokens and data "
                "would cross the network in clear; set server.tls_certificate and "
                "server.tls_private_key, put a TLS proxy in front, or set server.allow_insecure_listen",
                listener < 0 ? settings.listen : host));
    }
    if (auto prepared = parts_->imports.prepare(); !prepared) return prepared.error();
    auto token = load_or_create_admin_token(settings.data_dir);
    if (!token) return token.error();

    const auto first = parts_->accounts.open();
    if (!first) return first.error();
    if (*first) parts_->services.announce_password("admin", **first);

    gateway::HttpOptions options;
    auto tls = load_tls(parts_->services);
    if (!tls) return tls.error();
    options.tls = std::move(*tls);
    if (settings.access_log) {
        options.access_log = std::make_unique<gateway::AccessLog>(
            settings.data_dir + "/log/access.jsonl",
            RotatingFileOptions{parts_->services.settings.log.max_file_bytes,
                                parts_->services.settings.log.max_files});
    }
    options.max_streams_per_user = settings.max_streams_per_user;
    options.host = address->host;
    options.port = address->port;
    options.listener = listener;
    options.threads = std::max(1U, settings.api_threads);
    options.upload_dir = parts_->imports.upload_dir();
    options.max_upload_bytes = settings.max_upload_bytes;
    parts_->dispatcher = std::make_unique<gateway::Dispatcher>(
        parts_->context, gateway::account_authenticator(std::move(*token), parts_->accounts));
    parts_->server =
        std::make_unique<gateway::HttpServer>(std::move(options), *parts_->dispatcher, parts_->services.bus);
    auto port = parts_->server->start();
    if (!port) {
        parts_->server.reset();
        return port.error();
    }
    parts_->upkeep = std::jthread{[parts = parts_.get()](const std::stop_token& stop) {
        keep_up(parts->accounts, parts->services, stop);
    }};
    parts_->services.log(proto::LogLevel::kInfo,
                         fmt::format("listening on {}{}:{}", secure ? "https://" : "", address->host, *port));
    return port;
}

int Gateway::keep_listener() const {
    return parts_->server ? parts_->server->keep_listener() : -1;
}

void Gateway::stop() {
    if (parts_->server) parts_->server->stop();
    if (parts_->upkeep.joinable()) {
        parts_->upkeep.request_stop();
        parts_->upkeep.join();
    }
}

}  // namespace fieldwarden::supervisor
