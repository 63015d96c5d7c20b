// The server's manners on the wire: limits, keep-alive, methods, early refusals, the drain.
#include <future>
#include <thread>

#include "gateway_fixture.h"

namespace fieldwarden::supervisor::testing {
namespace {

using HttpServerTest = GatewayFixture;

TEST_F(HttpServerTest, KeepsTheConnectionAndAnswersPipelinedRequestsInOrder) {
    RawClient client(port_);
    client.send(request("GET", "/healthz") + request("GET", "/api/v1/sites/S1") +
                request("GET", "/api/nothing"));
    EXPECT_EQ(client.response()->json()["status"], "alive");
    EXPECT_EQ(client.response()->json()["site_code"], "S1");
    EXPECT_EQ(client.response()->status, 404);
    client.send(request("GET", "/healthz", "", "Connection: close\r\n"));
    EXPECT_EQ(client.response()->status, 200);
    EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, AnswersHeadLikeGetWithoutTheBody) {
    const auto get = call("GET", "/api/v1/sites");
    const auto head = call("HEAD", "/api/v1/sites");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.header("Content-Length"), std::to_string(get.body.size()));
    RawClient client(port_);
    client.send(request("HEAD", "/api/v1/sites") + request("GET", "/healthz"));
    EXPECT_EQ(client.response(true)->status, 200);
    EXPECT_EQ(client.response()->json()["status"], "alive");
}

TEST_F(HttpServerTest, SaysWhichMethodsAPathTakes) {
    const auto options = call("OPTIONS", "/api/v1/sites");
    EXPECT_EQ(options.status, 204);
    EXPECT_EQ(options.header("Allow"), "GET, HEAD, OPTIONS, POST");
    const auto refused = call("PUT", "/api/v1/sites/");
    EXPECT_EQ(refused.status, 405);
    EXPECT_EQ(refused.header("Allow"), "GET, HEAD, OPTIONS, POST");
    EXPECT_EQ(refused.header("Content-Type"), "application/problem+json");
    EXPECT_EQ(call("BREW", "/api/v1/sites").status, 405);
}

TEST_F(HttpServerTest, AsksForASignIn) {
    RawClient client(port_);
    client.send("GET /api/v1/sites HTTP/1.1\r\nHost: x\r\n\r\n");
    auto answer = client.response();
    EXPECT_EQ(answer->status, 401);
    EXPECT_EQ(answer->header("WWW-Authenticate"), "Bearer realm=\"fieldwarden\"");
    // A token in the URL is none.
    client.send("GET /api/v1/sites?token=" + token_ + "&access_token=" + token_ +
                " HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(client.response()->status, 401);
    int status = 0;
    for (int i = 0; i < 20 && status != 429; ++i) {
        client.send("GET /api/v1/sites HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n");
        answer = client.response();
        status = answer->status;
    }
    EXPECT_EQ(status, 429);
    EXPECT_NE(answer->header("Retry-After"), "");
    // The right token is not locked out.
    EXPECT_EQ(call("GET", "/api/v1/sites").status, 200);
}

TEST_F(HttpServerTest, CarriesTheRequestId) {
    EXPECT_EQ(call("GET", "/healthz", "", "X-Request-Id: abc-1\r\n").header("X-Request-Id"), "abc-1");
    const auto made = call("GET", "/healthz", "", "X-Request-Id: a b\r\n").header("X-Request-Id");
    EXPECT_EQ(made.size(), 16U);
    EXPECT_NE(made, call("GET", "/healthz").header("X-Request-Id"));
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
    for (const auto* garbage :
         {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
          "GET / HTTP/1.1\r\nno colon here\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
          "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"}) {
        RawClient client(port_);
        client.send(garbage);
        const auto answer = client.response();
        ASSERT_TRUE(answer) << garbage;
        EXPECT_EQ(answer->status, 400) << garbage;
        EXPECT_EQ(answer->json()["status"], 400);
        client.shutdown_send();
        EXPECT_TRUE(client.closed());
    }
    EXPECT_EQ(call("GET", "/healthz").status, 200);
}

TEST_F(HttpServerTest, BoundsTheHead) {
    RawClient client(port_);
    client.send("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + std::string(20'000, 'x') + "\r\n\r\n");
    EXPECT_EQ(client.response()->status, 431);
    client.shutdown_send();
    EXPECT_TRUE(client.closed());
    RawClient endless(port_);
    endless.send("GET /" + std::string(40'000, 'a'));
    EXPECT_EQ(endless.response()->status, 431);
}

TEST_F(HttpServerTest, BoundsTheBodyBeforeAndWhileReadingIt) {
    RawClient announced(port_);
    announced.send("POST /api/v1/sites HTTP/1.1\r\nHost: x\r\n" + authorization() +
                   "Content-Type: application/json\r\nContent-Length: 999999999\r\n\r\n");
    EXPECT_EQ(announced.response()->status, 413);
    // Chunked: nothing announced, endless.
    RawClient chunked(port_);
    chunked.send("POST /api/v1/sites HTTP/1.1\r\nHost: x\r\n" + authorization() +
                 "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "10000\r\n" + std::string(0x10000, ' ') + "\r\n";
    for (int i = 0; i < 32; ++i) chunked.send(chunk);
    EXPECT_EQ(chunked.response()->status, 413);
}

TEST_F(HttpServerTest, ReadsChunkedBodies) {
    RawClient client(port_);
    client.send("POST /api/v1/sites HTTP/1.1\r\nHost: x\r\n" + authorization() +
                "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                "11\r\n{\"site_code\":\"C\",\r\n12\r\n\"site_name\":\"Six\"}\r\n0\r\n\r\n");
    const auto answer = client.response();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 201) << answer->body;
}

TEST_F(HttpServerTest, SendsContinueBeforeItReadsTheBody) {
    RawClient client(port_);
    const std::string body = R"({"site_code":"C","site_name":"Six"})";
    client.send("POST /api/v1/sites HTTP/1.1\r\nHost: x\r\n" + authorization() +
                "Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n");
    ASSERT_TRUE(client.wait_for("HTTP/1.1 100 Continue\r\n\r\n"));
    EXPECT_EQ(client.response()->status, 100);
    client.send(body);
    EXPECT_EQ(client.response()->status, 201);
}

TEST_F(HttpServerTest, ARefusalReachesAClientThatIsStillSending) {
    RawClient client(port_);
    client.send("POST /api/v1/import-jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 4000000\r\n\r\n");
    const std::string megabyte(1'000'000, 'x');
    for (int i = 0; i < 4; ++i) client.send(megabyte);
    EXPECT_EQ(client.response()->status, 401);
}

TEST_F(HttpServerTest, SlowCallsLeaveThreadsToTheOthers) {
    control_->act(TaskAction::kStart, {"T1"}, {});
    std::promise<void> release;
    auto released = release.get_future().share();
    control_->on_acquire = [released] { released.wait(); };
    std::vector<std::unique_ptr<RawClient>> waiting;
    // More than all threads together.
    for (unsigned i = 0; i < settings_.server.api_threads * 2; ++i) {
        waiting.push_back(std::make_unique<RawClient>(port_));
        waiting.back()->send(request("POST", "/api/v1/tasks/T1/acquire_once"));
    }
    EXPECT_EQ(call("GET", "/api/v1/sites").status, 200);
    release.set_value();
    for (auto& client : waiting) EXPECT_EQ(client->response()->status, 200);
}

TEST_F(HttpServerTest, ALimitedQueueTurnsCallsAway) {
    control_->act(TaskAction::kStart, {"T1"}, {});
    std::promise<void> release;
    auto released = release.get_future().share();
    control_->on_acquire = [released] { released.wait(); };
    std::vector<std::unique_ptr<RawClient>> waiting;
    for (int i = 0; i < 60; ++i) {
        waiting.push_back(std::make_unique<RawClient>(port_));
        waiting.back()->send(request("POST", "/api/v1/tasks/T1/acquire_once"));
    }
    // The last ones have no place; they are told so while the first still wait.
    const auto turned_away = waiting.back()->response();
    ASSERT_TRUE(turned_away);
    EXPECT_EQ(turned_away->status, 503);
    EXPECT_NE(turned_away->header("Retry-After"), "");
    release.set_value();
    EXPECT_EQ(waiting.front()->response()->status, 200);
}

TEST_F(HttpServerTest, StopEndsIdleConnectionsAndFinishesCalls) {
    control_->act(TaskAction::kStart, {"T1"}, {});
    std::promise<void> entered;
    std::promise<void> release;
    auto released = release.get_future().share();
    control_->on_acquire = [&entered, released] {
        entered.set_value();
        released.wait();
    };
    RawClient idle(port_);
    idle.send(request("GET", "/healthz"));
    EXPECT_EQ(idle.response()->status, 200);
    RawClient busy(port_);
    busy.send(request("POST", "/api/v1/tasks/T1/acquire_once"));
    entered.get_future().wait();
    std::thread stopping([this] { gateway_->stop(); });
    EXPECT_TRUE(idle.closed());
    release.set_value();
    const auto answer = busy.response();
    stopping.join();
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 200);
    EXPECT_THROW(RawClient refused(port_), std::runtime_error);
}

TEST(GatewayStart, RefusesToListenBeyondLoopback) {
    std::string pattern = ::testing::TempDir() + "fw-gateway-XXXXXX";
    Settings settings;
    settings.server.data_dir = ::mkdtemp(pattern.data());
    StatusBus bus(system_clock());
    LiveValues live;
    auto store = open_sqlite_store(settings.server.data_dir + "/state.db").value();
    FakeControl control(*store, bus, live, system_clock());
    StoreQueue queue(*store, [](const std::string&, const Error&) {});
    auto alerts = std::make_unique<Alerts>(settings.server.data_dir, *store, queue, bus, live, system_clock(),
                                           [](proto::LogLevel, const std::string&) {});
    for (const auto* address :
         {"0.0.0.0:0", "[::]:0", "192.0.2.1:0", "not an address", ":::", "127.0.0.1:99999"}) {
        settings.server.listen = address;
        Gateway gateway(Services{control, bus, live, *store, *alerts, settings, system_clock(), "test"});
        const auto started = gateway.start();
        ASSERT_FALSE(started) << address;
        EXPECT_EQ(started.error().kind, ErrorKind::kInvalidArgument) << address << started.error().message;
    }
    settings.server.listen = "0.0.0.0:0";
    settings.server.allow_insecure_listen = true;
    {
        Gateway gateway(Services{control, bus, live, *store, *alerts, settings, system_clock(), "test"});
        EXPECT_TRUE(gateway.start());
    }
    alerts.reset();
    queue.flush();
    std::filesystem::remove_all(settings.server.data_dir);
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
