// Alerting as a client sees it.
#include "gateway_fixture.h"

namespace fieldwarden::supervisor::testing {
namespace {

using Json = nlohmann::json;

class AlertsApi : public GatewayFixture {
  protected:
    void SetUp() override {
        GatewayFixture::SetUp();
        ASSERT_TRUE(fire_sample_alert(*alerts_));
        queue_->flush();
    }
    std::vector<std::string> fields(const RawResponse& response) {
        std::vector<std::string> names;
        const auto json = response.json();
        for (const auto& error : json.value("errors", Json::array())) names.push_back(error["field"]);
        return names;
    }
};

TEST_F(AlertsApi, FiltersAndRefusesWhatItDoesNotKnow) {
    EXPECT_GE(call("GET", "/api/v1/alerts?state=open").json()["total"], 1);
    EXPECT_EQ(call("GET", "/api/v1/alerts?state=resolved").json()["total"], 0);
    EXPECT_EQ(call("GET", "/api/v1/alerts?severity=info").json()["total"], 0);
    EXPECT_EQ(call("GET", "/api/v1/alerts?task_code=T1").json()["total"], 0);
    EXPECT_EQ(call("GET", "/api/v1/alerts?since=2999-01-01T00:00:00Z").json()["total"], 0);
    for (const auto* bad : {"state=loud", "severity=9", "since=yesterday", "sort=context"}) {
        EXPECT_EQ(call("GET", std::string("/api/v1/alerts?") + bad).status, 400) << bad;
    }
    for (const auto* none : {"/api/v1/alerts/4711", "/api/v1/alerts/x", "/api/v1/alert-rules/none",
                             "/api/v1/alert-channels/none", "/api/v1/silences/4711"}) {
        EXPECT_EQ(call("GET", none).status, 404) << none;
    }
    EXPECT_EQ(call("POST", "/api/v1/alerts/4711/ack").status, 404);
    EXPECT_EQ(call("POST", "/api/v1/alert-channels/none/test").status, 404);
}

TEST_F(AlertsApi, AcknowledgesOnceAndNotWhatIsOver) {
    const auto id = std::to_string(alerts_->open_alerts().front().alert.id);
    EXPECT_EQ(call("POST", "/api/v1/alerts/" + id + "/ack", R"({"note": 5})").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/alerts/" + id + "/ack", R"({"note": "mine"})").json()["state"],
              "acknowledged");
    EXPECT_EQ(call("POST", "/api/v1/alerts/" + id + "/ack").json()["context"]["note"], "mine");
    EXPECT_EQ(call("GET", "/api/v1/alerts?state=acknowledged").json()["total"], 1);
    const auto metrics = call("GET", "/metrics").body;
    EXPECT_NE(metrics.find(R"(fieldwarden_alerts{state="acknowledged",severity="warning"} 1)"),
              std::string::npos);
    EXPECT_NE(metrics.find(R"(fieldwarden_alert_notifications_sent_total{channel="log"})"),
              std::string::npos);
    EXPECT_EQ(call("PATCH", "/api/v1/alert-rules/sample", R"({"enabled": false})").status, 200);
    EXPECT_EQ(call("POST", "/api/v1/alerts/" + id + "/ack").status, 409);
    EXPECT_EQ(call("GET", "/api/v1/alerts/" + id).json()["state"], "resolved");
}

TEST_F(AlertsApi, NamesEveryWrongMemberAndEchoesNoSecret) {
    const auto rule = call("POST", "/api/v1/alert-rules",
                           R"({"code": "R", "kind": "threshold", "points": ["P"], "for_ms": "soon",
                               "parameters": {"above": "hot"}, "channels": ["none"]})");
    EXPECT_EQ(rule.status, 422);
    EXPECT_EQ(fields(rule),
              (std::vector<std::string>{"parameters.above", "for_ms", "parameters.above", "channels"}));
    EXPECT_EQ(rule.json()["errors"][0]["value"], "hot");
    const auto channel =
        call("POST", "/api/v1/alert-channels",
             R"({"code": "C", "type": "webhook", "options": {"url": "h", "secret": ["pl4nted"]}})");
    EXPECT_EQ(channel.status, 422);
    EXPECT_EQ(channel.body.find("pl4nted"), std::string::npos);
    EXPECT_EQ(call("POST", "/api/v1/silences", R"({"ends_at": "never"})").status, 422);
}

TEST_F(AlertsApi, ConflictsAreTold) {
    EXPECT_EQ(call("POST", "/api/v1/alert-rules", R"({"code": "disk_low", "kind": "sink_down"})").status,
              409);
    EXPECT_EQ(call("DELETE", "/api/v1/alert-rules/disk_low").status, 409);
    EXPECT_EQ(call("DELETE", "/api/v1/alert-channels/log").status, 409);
    EXPECT_EQ(call("PATCH", "/api/v1/alert-rules/disk_low", R"({"kind": "frozen"})").status, 422);
    EXPECT_EQ(
        call("PATCH", "/api/v1/alert-rules/disk_low", R"({"enabled": false, "severity": "info"})").status,
        200);
}

TEST_F(AlertsApi, TheAuditTrailSaysWhoChangedWhat) {
    ASSERT_EQ(
        call(
            "POST", "/api/v1/alert-channels",
            R"({"code": "C", "type": "webhook", "options": {"url": "http://127.0.0.1:1", "secret": "pl4nted"}})")
            .status,
        201);
    EXPECT_EQ(call("POST", "/api/v1/alert-channels/C/test").json()["ok"], false);
    ASSERT_EQ(call("DELETE", "/api/v1/alert-channels/C").status, 204);
    const auto trail = call("GET", "/api/v1/audit");
    for (const auto* action : {"alert_channel.create", "alert_channel.test", "alert_channel.delete"}) {
        EXPECT_NE(trail.body.find(action), std::string::npos) << action;
    }
    EXPECT_EQ(trail.body.find("pl4nted"), std::string::npos);
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
