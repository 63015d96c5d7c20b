// The gateway over a FakeControl and a real store, as a program: what tests/system/test_http_*.py talk to
// when no full server is at hand. Prints {"port": n, "token": "…", "pid": n} and serves until its standard
// input ends.
//
//   gateway_test_server DATA_DIR [max_upload_bytes]
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "fake_control.h"
#include "supervisor/alerts/alerts.h"
#include "supervisor/gateway/gateway.h"

using namespace fieldwarden;
using namespace fieldwarden::supervisor;

namespace {

// Five scans a second until standard input ends: the program cannot outlive the test that started it.
void serve_until_eof(testing::FakeControl& control) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    for (;;) {
        const int ready = ::poll(&input, 1, 200);
        char ignored = 0;
        if (ready > 0 && ::read(STDIN_FILENO, &ignored, 1) <= 0) return;
        control.tick();
    }
}

int fail(const Error& error) {
    fmt::print(stderr, "gateway_test_server: {}\n", error.message);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        fmt::print(stderr, "usage: gateway_test_server DATA_DIR [max_upload_bytes]\n");
        return 2;
    }
    Settings settings;
    settings.server.data_dir = argv[1];
    settings.server.listen = "127.0.0.1:0";
    if (argc > 2) settings.server.max_upload_bytes = std::strtoull(argv[2], nullptr, 10);

    auto store = open_sqlite_store(settings.server.data_dir + "/state.db");
    if (!store) return fail(store.error());
    const auto plant = (*store)->load_plant();
    if (!plant) return fail(plant.error());
    if ((*plant)->of(Kind::kTask).empty()) {
        if (const auto stored = testing::store_sample_plant(**store); !stored) return fail(stored.error());
    }
    StatusBus bus(system_clock());
    LiveValues live;
    testing::FakeControl control(**store, bus, live, system_clock());
    StoreQueue queue(**store, [](const std::string&, const Error&) {});
    Alerts alerts(settings.server.data_dir, **store, queue, bus, live, system_clock(),
                  [](proto::LogLevel, const std::string&) {});
    if (const auto opened = alerts.open(control.plant()); !opened) return fail(opened.error());
    if (const auto fired = testing::fire_sample_alert(alerts); !fired) return fail(fired.error());
    Services services{control, bus, live, **store, alerts, settings, system_clock(), "test"};
    services.log = [](proto::LogLevel level, std::string_view line) {
        fmt::print(stderr, "{} {}\n", to_name(level), line);
    };
    Gateway gateway(std::move(services));
    const auto port = gateway.start();
    if (!port) return fail(port.error());
    const auto token = load_or_create_admin_token(settings.server.data_dir);
    if (!token) return fail(token.error());
    fmt::print("{{\"port\": {}, \"token\": \"{}\", \"pid\": {}}}\n", *port, *token, ::getpid());
    std::fflush(stdout);
    serve_until_eof(control);
    gateway.stop();
    return 0;
}
