// WebSockets and server-sent events over real sockets.
#include "gateway_fixture.h"

namespace fieldwarden::supervisor::testing {
namespace {

using Json = nlohmann::json;
using SocketTest = GatewayFixture;

TEST_F(SocketTest, ChecksWhoOpensAWebSocket) {
    EXPECT_EQ(call("GET", "/ws").status, 426);
    RawClient anonymous(port_);
    EXPECT_FALSE(anonymous.upgrade("/ws", ""));
    RawClient url(port_);
    EXPECT_FALSE(url.upgrade("/ws?token=" + token_, ""));
    RawClient foreign(port_);
    EXPECT_FALSE(foreign.upgrade("/ws", authorization() + "Origin: http://evil.example\r\n"));
    RawClient own(port_);
    EXPECT_TRUE(own.upgrade("/ws", authorization() + "Origin: http://localhost\r\n"));
    RawClient browser(port_);
    EXPECT_TRUE(browser.upgrade("/ws", "Sec-WebSocket-Protocol: fieldwarden.v1, bearer." + token_ + "\r\n"));
    RawClient unknown(port_);
    EXPECT_FALSE(unknown.upgrade("/ws/acquisition/sessions/99/", authorization()));
}

TEST_F(SocketTest, SubscribesToTopicsWithTheLastValuesFirst) {
    call("POST", "/api/v1/tasks/T1/start");
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws", authorization()));
    client.send_text(R"({"action":"subscribe","topics":["process_status","log_streams.T1"]})");
    EXPECT_EQ(client.message_of_type("subscribed")["data"]["topics"].size(), 2U);
    auto status = client.message_of_type("process_status_update");
    EXPECT_EQ(status["topic"], "process_status.T1");
    EXPECT_EQ(status["data"]["status"], "RUNNING");
    control_->tick();
    EXPECT_EQ(client.message_of_type("log_stream")["data"]["message"], "scan 1 \xEF\xBF\xBD done");
    client.send_text(R"({"action":"unsubscribe","topics":["log_streams.T1"]})");
    EXPECT_EQ(client.message_of_type("unsubscribed")["data"]["topics"][0], "log_streams.T1");
    control_->tick();
    call("POST", "/api/v1/tasks/T1/stop");
    // The next event is the stop: the second scan's log line was not sent.
    const auto next = Json::parse(*client.message());
    EXPECT_EQ(next["type"], "process_status_update");
    EXPECT_EQ(next["data"]["status"], "STOPPED");
}

TEST_F(SocketTest, RefusesCommandsThatAreNone) {
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws", authorization()));
    const std::vector<std::string> refused{
        "",
        "not json",
        "[]",
        "{}",
        R"({"action":"explode","topics":[]})",
        R"({"action":"subscribe"})",
        R"({"action":"subscribe","topics":[1]})",
        "{\"a\":\"\\u0000\"}",
        R"({"action":"subscribe","topics":")" + std::string(300, 'x') + "\"}"};
    for (const auto& text : refused) {
        client.send_text(text);
        EXPECT_EQ(client.message_of_type("error")["type"], "error") << text;
    }
    client.send_text(R"({"action":"subscribe","topics":["fleet"]})");
    EXPECT_EQ(client.message_of_type("subscribed")["type"], "subscribed");
    RawClient quiet(port_);
    ASSERT_TRUE(quiet.upgrade("/ws/processor-status", authorization()));
    quiet.send_text(R"({"action":"subscribe","topics":["data."]})");
    EXPECT_EQ(quiet.message_of_type("error")["type"], "error");
}

TEST_F(SocketTest, EndsAConnectionThatFloods) {
    RawClient large(port_);
    ASSERT_TRUE(large.upgrade("/ws", authorization()));
    large.send_text(std::string(20'000, 'x'));
    EXPECT_FALSE(large.message());
    EXPECT_EQ(large.close_code(), 1009);  // message too big
    RawClient many(port_);
    ASSERT_TRUE(many.upgrade("/ws", authorization()));
    for (int i = 0; i < 400; ++i) many.send_text("{}");
    while (many.message()) {
    }
    EXPECT_EQ(many.close_code(), 1008);  // policy violation
}

TEST_F(SocketTest, FollowsASessionPointByPoint) {
    const auto session = call("POST", "/api/v1/tasks/T1/start").json()["session_id"].dump();
    control_->tick();
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws/acquisition/sessions/" + session + "/", authorization()));
    auto message = Json::parse(*client.message());
    EXPECT_EQ(message["type"], "session_status_update");
    EXPECT_EQ(message["data"]["status"], "running");
    // The current value of each of the eight points, then every change.
    for (int i = 0; i < 8; ++i) EXPECT_EQ(client.message_of_type("data_point_update")["data"]["value"], 1.0);
    control_->tick();
    for (int i = 0; i < 8; ++i) EXPECT_EQ(client.message_of_type("data_point_update")["data"]["value"], 2.0);
    call("POST", "/api/v1/tasks/T1/stop");
    EXPECT_EQ(client.message_of_type("session_status_update")["data"]["status"], "stopped");
}

TEST_F(SocketTest, FollowsASessionInBatches) {
    const auto session = call("POST", "/api/v1/tasks/T1/start").json()["session_id"].dump();
    control_->tick();
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws/acquisition/sessions/" + session + "?batch=true", authorization()));
    EXPECT_EQ(client.message_of_type("data_point_update")["data"]["points"].size(), 8U);
    control_->tick();
    EXPECT_EQ(client.message_of_type("data_point_update")["data"]["points"][0]["value"], 2.0);
}

TEST_F(SocketTest, SendsRealtimeRowsThatChange) {
    call("POST", "/api/v1/tasks/T1/start");
    control_->tick();
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/api/v1/device/realtime-data/ws?type_code=welder", authorization()));
    const auto page = Json::parse(*client.message());
    EXPECT_EQ(page["type"], "realtime_data");
    EXPECT_EQ(page["data"]["items"].size(), 2U);
    EXPECT_EQ(page["data"]["columns"].size(), 5U);
    control_->tick();
    auto update = client.message_of_type("realtime_data_update");
    EXPECT_EQ(update["data"]["items"].size(), 2U);
    EXPECT_EQ(update["data"]["items"][0]["fields"]["F0"], 2.0);
    // Devices of another type do not concern this client; the next thing it hears is the stop.
    call("POST", "/api/v1/tasks/T10/start");
    control_->tick();
    client.message_of_type("realtime_data_update");
    call("POST", "/api/v1/tasks/T1/stop");
    update = client.message_of_type("realtime_data_update");
    EXPECT_EQ(update["data"]["items"][0]["device_code"], "W001");
    EXPECT_EQ(update["data"]["items"][0]["online"], false);
}

TEST_F(SocketTest, SendsTheFleetSummary) {
    control_->tick();
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws/processor-status/", authorization()));
    EXPECT_EQ(client.message_of_type("processor_status")["data"]["workers"], 0);
    call("POST", "/api/v1/tasks/T1/start");
    control_->tick();
    EXPECT_EQ(client.message_of_type("processor_status")["data"]["workers"], 1);
}

TEST_F(SocketTest, TellsASlowClientHowManyItMissed) {
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws", authorization()));
    client.send_text(R"({"action":"subscribe","topics":["big"]})");
    EXPECT_EQ(client.message_of_type("subscribed")["type"], "subscribed");
    // First more than the socket's buffers hold, while the client does not read; then more than waits for it.
    const std::string filler(200'000, 'x');
    for (int i = 0; i < 1'000; ++i) bus_.publish("big", "big", {{"n", i}, {"filler", i < 150 ? filler : ""}});
    std::uint64_t seen = 0;
    std::uint64_t missed = 0;
    int last = -1;
    while (last != 999) {
        const auto text = client.message();
        ASSERT_TRUE(text);
        const auto json = Json::parse(*text);
        if (json["type"] == "missed") {
            missed += json["data"]["missed"].get<std::uint64_t>();
        } else {
            ++seen;
            EXPECT_GT(json["data"]["n"], last);
            last = json["data"]["n"];
        }
    }
    EXPECT_GT(missed, 0U);
    EXPECT_EQ(seen + missed, 1'000U);
}

TEST_F(SocketTest, StopSaysGoodbye) {
    RawClient client(port_);
    ASSERT_TRUE(client.upgrade("/ws", authorization()));
    client.send_text(R"({"action":"subscribe","topics":["fleet"]})");
    client.message_of_type("subscribed");
    RawClient events(port_);
    events.send(request("GET", "/api/v1/tasks/T1/stream"));
    ASSERT_TRUE(events.wait_for("text/event-stream"));
    gateway_->stop();
    EXPECT_FALSE(client.message());
    EXPECT_EQ(client.close_code(), 1001);  // going away
    EXPECT_TRUE(events.closed());
}

// --- server-sent events ---

TEST_F(SocketTest, StreamsATask) {
    call("POST", "/api/v1/tasks/T1/start");
    call("POST", "/api/v1/tasks/T10/start");
    RawClient client(port_);
    client.send(request("GET", "/api/v1/tasks/T1/stream"));
    ASSERT_TRUE(client.wait_for("event: status\n"));
    EXPECT_NE(client.pending().find("Content-Type: text/event-stream"), std::string::npos);
    control_->tick();
    ASSERT_TRUE(client.wait_for("event: progress\n"));
    ASSERT_TRUE(client.wait_for("event: log\n"));
    ASSERT_TRUE(client.wait_for("overall_progress"));
    EXPECT_EQ(client.pending().find("\"name\":\"T10\""), std::string::npos);
    EXPECT_EQ(call("GET", "/api/v1/tasks/none/stream").status, 404);
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/stream", "", "Last-Event-ID: x\r\n").status, 400);
}

TEST_F(SocketTest, ResumesAStreamWhereItBroke) {
    call("POST", "/api/v1/tasks/T1/start");
    const auto seen = bus_.last_seq();
    control_->tick();
    control_->tick();
    RawClient client(port_);
    client.send(
        request("GET", "/api/v1/tasks/T1/stream", "", "Last-Event-ID: " + std::to_string(seen) + "\r\n"));
    ASSERT_TRUE(client.wait_for("scan 1 "));
    ASSERT_TRUE(client.wait_for("scan 2 "));
    EXPECT_EQ(client.pending().find("event: missed"), std::string::npos);
    for (int i = 0; i < 10'100; ++i) bus_.publish("fleet", "processor_status", Json::object());
    RawClient late(port_);
    late.send(
        request("GET", "/api/v1/tasks/T1/stream", "", "Last-Event-ID: " + std::to_string(seen) + "\r\n"));
    EXPECT_TRUE(late.wait_for("event: missed"));
    EXPECT_TRUE(late.wait_for("event: status"));
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
