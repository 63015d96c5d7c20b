// The server by itself, with limits that a test can reach: silent clients, too many connections, no
// descriptors.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "gateway_fixture.h"
#include "supervisor/accounts/accounts.h"
#include "supervisor/gateway/context.h"
#include "supervisor/gateway/http_server.h"
#include "supervisor/gateway/import_desk.h"
#include "supervisor/gateway/metrics.h"
#include "supervisor/gateway/plant_index.h"
#include "supervisor/gateway/write_gate.h"

namespace fieldwarden::supervisor::testing {
namespace {

using namespace std::chrono_literals;

class LimitsTest : public GatewayFixture {
  protected:
    // The parts of a gateway, put together around a server with options of the test's choice.
    struct Parts {
        Parts(Services services_, gateway::HttpOptions options)
            : services(std::move(services_)),
              indexes(services.control),
              imports(services.settings.server.data_dir),
              accounts(services.store, services.clock, passwords, {}),
              context{services, indexes, imports, metrics, writes, accounts},
              dispatcher(context, gateway::admin_token_authenticator("a-token-for-these-tests")),
              server(std::move(options), dispatcher, services.bus) {}

        Services services;
        gateway::PlantIndexes indexes;
        gateway::ImportDesk imports;
        gateway::Metrics metrics;
        gateway::WriteGate writes;
        Passwords passwords;
        Accounts accounts;
        gateway::Context context;
        gateway::Dispatcher dispatcher;
        gateway::HttpServer server;
    };

    void start(gateway::HttpOptions options) {
        gateway_->stop();
        Services services{*control_, bus_, live_, *store_, *alerts_, settings_, system_clock(), "test"};
        services.log = [this](proto::LogLevel, std::string_view line) {
            const std::scoped_lock lock(mutex_);
            log_ += line;
            logged_.notify_all();
        };
        parts_ = std::make_unique<Parts>(std::move(services), std::move(options));
        port_ = parts_->server.start().value();
    }
    void TearDown() override {
        parts_.reset();
        GatewayFixture::TearDown();
    }
    bool wait_for_log(std::string_view text) {
        std::unique_lock lock(mutex_);
        return logged_.wait_for(lock, 10s, [&] { return log_.find(text) != std::string::npos; });
    }

    std::mutex mutex_;
    std::condition_variable logged_;
    std::string log_;
    std::unique_ptr<Parts> parts_;
};

TEST_F(LimitsTest, AHeadThatNeverEndsIsCutOff) {
    gateway::HttpOptions options;
    options.head_timeout = 100ms;
    start(std::move(options));
    RawClient client(port_);
    client.send("GET /healthz HTTP/1.1\r\nX-Slow: ");
    EXPECT_TRUE(client.closed());
    RawClient good(port_);
    good.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(good.response()->status, 200);
}

TEST_F(LimitsTest, AnIdleConnectionIsClosed) {
    gateway::HttpOptions options;
    options.idle_timeout = 100ms;
    start(std::move(options));
    RawClient client(port_);
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.response()->status, 200);
    EXPECT_TRUE(client.closed());
}

TEST_F(LimitsTest, ASilentWebSocketIsClosed) {
    gateway::HttpOptions options;
    options.heartbeat = 100ms;
    start(std::move(options));
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws", "Authorization: Bearer a-token-for-these-tests\r\n"));
    // Pings are not answered: nobody reads.
    EXPECT_TRUE(client.closed());
}

TEST_F(LimitsTest, AnEventStreamHasHeartbeats) {
    gateway::HttpOptions options;
    options.heartbeat = 50ms;
    start(std::move(options));
    RawClient client(port_);
    client.send(
        "GET /api/v1/tasks/T1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        "a-token-for-these-tests\r\n\r\n");
    EXPECT_TRUE(client.wait_for(": heartbeat\n\n: heartbeat\n\n"));
}

TEST_F(LimitsTest, TooManyConnectionsAreTurnedAway) {
    gateway::HttpOptions options;
    options.max_connections = 2;
    start(std::move(options));
    const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    auto first = std::make_unique<RawClient>(port_);
    RawClient second(port_);
    for (auto* client : {first.get(), &second}) {
        client->send(request);
        EXPECT_EQ(client->response()->status, 200);
    }
    RawClient third(port_);
    const auto refused = third.response();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 503);
    EXPECT_EQ(refused->json()["status"], 503);
    first.reset();
    // The place is free again as soon as the server has noticed.
    int status = 503;
    while (status == 503) {
        RawClient next(port_);
        next.send(request);
        if (const auto answer = next.response()) status = answer->status;
    }
    EXPECT_EQ(status, 200);
}

TEST_F(LimitsTest, SurvivesRunningOutOfDescriptors) {
    start({});
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{std::min<rlim_t>(before.rlim_cur, 200), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    std::vector<int> fillers;
    for (int fd = ::open("/dev/null", O_RDONLY); fd >= 0; fd = ::open("/dev/null", O_RDONLY))
        fillers.push_back(fd);
    ASSERT_FALSE(fillers.empty());
    // The last descriptor is the client's; the server has none left to accept with.
    ::close(fillers.back());
    fillers.pop_back();
    RawClient client(port_);
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(wait_for_log("cannot accept a connection"));
    for (const int fd : fillers) ::close(fd);
    ::setrlimit(RLIMIT_NOFILE, &before);
    const auto answer = client.response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
