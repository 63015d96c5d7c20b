// The API over a fake control and a real store: what a client sees of configuration, imports, tasks, sessions
// and live values.
#include "gateway_fixture.h"

namespace fieldwarden::supervisor::testing {
namespace {

using Json = nlohmann::json;
using ApiTest = GatewayFixture;

std::vector<std::string> error_fields(const RawResponse& response) {
    std::vector<std::string> fields;
    const auto json = response.json();
    for (const auto& error : json.value("errors", Json::array())) fields.push_back(error["field"]);
    return fields;
}

// --- configuration ---

TEST_F(ApiTest, ListsWithPagesSearchSortAndFilters) {
    auto json = call("GET", "/api/v1/points?page=2&page_size=5&sort=-point_code").json();
    EXPECT_EQ(json["total"], 12);
    EXPECT_EQ(json["items"].size(), 5U);
    EXPECT_EQ(json["items"][0]["point_code"], "W001_F2");
    EXPECT_EQ(call("GET", "/api/v1/points?q=w001_f").json()["total"], 4);
    EXPECT_EQ(call("GET", "/api/v1/points?device_code=P001").json()["total"], 4);
    EXPECT_EQ(call("GET", "/api/v1/points?page=99").json()["items"], Json::array());
    // A secret cannot be searched for, nor sorted by.
    EXPECT_EQ(call("GET", "/api/v1/sinks?q=planted").json()["total"], 0);
    EXPECT_EQ(call("GET", "/api/v1/sinks?sort=options").status, 400);
    for (const auto* bad : {"page=0", "page=x", "page=", "page_size=1001", "page_size=-1", "sort=nothing",
                            "page=99999999999999999999"}) {
        EXPECT_EQ(call("GET", std::string("/api/v1/points?") + bad).status, 400) << bad;
    }
}

TEST_F(ApiTest, GivesTypesAsTheSchemaHasThem) {
    const auto point = call("GET", "/api/v1/points/W001_F0").json();
    EXPECT_EQ(point["scale"], 1);
    EXPECT_EQ(point["byte_order"], "ABCD");
    EXPECT_TRUE(point["deadband"].is_null());
    EXPECT_TRUE(point["description"].is_null());
    const auto task = call("GET", "/api/v1/tasks/T1").json();
    EXPECT_EQ(task["devices"], (Json{"W001", "W002"}));
    EXPECT_EQ(task["autostart"], false);
    EXPECT_EQ(task["period_ms"], 1000);
    // By number as well.
    EXPECT_EQ(call("GET", "/api/v1/tasks/" + task["id"].dump()).json(), task);
    EXPECT_EQ(call("GET", "/api/v1/tasks/999999").status, 404);
}

// --- devices ---

TEST_F(ApiTest, WritesAPointAndSaysWhatTheDeviceHolds) {
    const auto written = call("POST", "/api/v1/points/W001_F0/write", R"({"value": 42})");
    ASSERT_EQ(written.status, 200) << written.body;
    EXPECT_EQ(written.json()["confirmed"], true);
    EXPECT_EQ(written.json()["read_back"]["value"], 42);
    EXPECT_EQ(written.json()["task_code"], "T1");
    EXPECT_EQ(call("POST", "/api/v1/points/W001_F1/write", R"({"value": 1001})").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/points/nothing/write", R"({"value": 1})").status, 404);
    for (const auto* bad :
         {R"({})", R"({"value": null})", R"({"value": [1]})", R"({"value": 1, "force": true})"}) {
        const auto refused = call("POST", "/api/v1/points/W001_F2/write", bad);
        EXPECT_EQ(refused.status, 422) << bad;
        EXPECT_FALSE(error_fields(refused).empty()) << bad;
    }
}

TEST_F(ApiTest, APointIsNotWrittenTwiceInARow) {
    EXPECT_EQ(call("POST", "/api/v1/points/W001_F0/write", R"({"value": 1})").status, 200);
    const auto again = call("POST", "/api/v1/points/W001_F0/write", R"({"value": 2})");
    EXPECT_EQ(again.status, 429);
    EXPECT_EQ(again.header("Retry-After"), "1");
    EXPECT_EQ(call("POST", "/api/v1/points/W001_F1/write", R"({"value": 2})").status, 200);
}

TEST_F(ApiTest, BrowsesAndCounts) {
    const auto page = call("GET", "/api/v1/devices/W001/browse?node=ns%3D2%3Bs%3DLine").json();
    EXPECT_EQ(page["node"], "ns=2;s=Line");
    EXPECT_EQ(page["items"][0]["address"], "ns=2;s=T");
    EXPECT_EQ(page["items"][0]["data_type"], "float64");
    EXPECT_EQ(call("GET", "/api/v1/devices/W001/browse?node=nowhere").status, 404);
    EXPECT_EQ(call("GET", "/api/v1/devices/W001/browse?node=" + std::string(5000, 'x')).status, 400);
    EXPECT_EQ(call("GET", "/api/v1/devices/none/browse").status, 404);
    const auto counted = call("GET", "/api/v1/devices/W001/diagnostics").json();
    EXPECT_EQ(counted["items"][0]["requests"], 12);
    EXPECT_EQ(counted["items"][0]["errors"]["timeouts"], 0);
}

TEST_F(ApiTest, CreatesChangesAndRemoves) {
    const auto created = call("POST", "/api/v1/sites/", R"({"site_code":"S9","site_name":"九号站"})");
    ASSERT_EQ(created.status, 201) << created.body;
    EXPECT_EQ(created.json()["site_name"], "九号站");
    EXPECT_EQ(call("GET", created.header("Location")).json(), created.json());
    EXPECT_EQ(call("POST", "/api/v1/sites", R"({"site_code":"S9","site_name":"x"})").status, 409);

    const auto changed = call("PATCH", "/api/v1/sites/S9", R"({"description":"new"})");
    ASSERT_EQ(changed.status, 200) << changed.body;
    EXPECT_EQ(changed.json()["description"], "new");
    EXPECT_EQ(changed.json()["site_name"], "九号站");
    EXPECT_EQ(call("PATCH", "/api/v1/sites/S9", R"({"description":null})").json()["description"], nullptr);
    EXPECT_EQ(call("PATCH", "/api/v1/sites/S9", R"({"site_code":"S8"})").status, 422);
    EXPECT_EQ(call("PATCH", "/api/v1/sites/S9", R"({"id":1})").status, 422);

    EXPECT_EQ(call("DELETE", "/api/v1/sites/S9").status, 204);
    EXPECT_EQ(call("GET", "/api/v1/sites/S9").status, 404);
    EXPECT_EQ(call("DELETE", "/api/v1/sites/S9").status, 404);
}

TEST_F(ApiTest, SendingBackWhatWasShownChangesNothing) {
    for (const auto* path :
         {"/api/v1/points/W001_F0", "/api/v1/tasks/T1", "/api/v1/devices/W001", "/api/v1/sinks/archive"}) {
        const auto shown = call("GET", path);
        const auto sent_back = call("PATCH", path, shown.body);
        ASSERT_EQ(sent_back.status, 200) << sent_back.body;
        EXPECT_EQ(sent_back.json(), shown.json());
        EXPECT_EQ(sent_back.header("ETag"), shown.header("ETag")) << path;
    }
}

TEST_F(ApiTest, NamesEveryWrongMember) {
    auto refused = call(
        "POST", "/api/v1/points",
        R"({"point_code":"N1","device_code":"W001","address":7,"data_type":"float32","scale":"x","nonsense":1})");
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(error_fields(refused), (std::vector<std::string>{"address", "nonsense", "scale"}));
    refused =
        call("POST", "/api/v1/points",
             R"({"point_code":"bad code!","device_code":"W404","address":"hr:1","data_type":"float31"})");
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(error_fields(refused).size(), 3U) << refused.body;
    EXPECT_EQ(call("POST", "/api/v1/points", "{}").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/points", "[]").status, 400);
    EXPECT_EQ(call("POST", "/api/v1/points", "{\"a\":\"\xFF\"}").status, 400);
    EXPECT_EQ(call("POST", "/api/v1/points", std::string(2000, '[')).status, 400);
    EXPECT_EQ(call("POST", "/api/v1/points").status, 415);
}

TEST_F(ApiTest, DoesNotRemoveWhatIsReferredTo) {
    const auto refused = call("DELETE", "/api/v1/devices/W001");
    EXPECT_EQ(refused.status, 409);
    EXPECT_FALSE(error_fields(refused).empty());
    EXPECT_NE(refused.body.find("T1"), std::string::npos) << refused.body;
    EXPECT_EQ(call("GET", "/api/v1/devices/W001").status, 200);
}

TEST_F(ApiTest, ChangesOnlyTheRevisionTheClientHasSeen) {
    const auto etag = call("GET", "/api/v1/sites/S1").header("ETag");
    EXPECT_EQ(
        call("PATCH", "/api/v1/sites/S1", R"({"description":"a"})", "If-Match: " + etag + "\r\n").status,
        200);
    EXPECT_EQ(
        call("PATCH", "/api/v1/sites/S1", R"({"description":"b"})", "If-Match: " + etag + "\r\n").status,
        409);
    EXPECT_EQ(call("GET", "/api/v1/sites/S1").json()["description"], "a");
}

TEST_F(ApiTest, SecretsAreWriteOnly) {
    for (const auto* path : {"/api/v1/sinks", "/api/v1/sinks/archive", "/api/v1/audit", "/metrics"}) {
        EXPECT_EQ(call("GET", path).body.find("planted-secret"), std::string::npos) << path;
    }
    const auto sink = call("GET", "/api/v1/sinks/archive").json();
    EXPECT_EQ(sink["options"]["token"], "********");
    EXPECT_EQ(sink["url"], "http://user:********@local:8086");
    // The mask keeps what is stored.
    ASSERT_EQ(call("PATCH", "/api/v1/sinks/archive", R"({"options":{"token":"********","org":"x"}})").status,
              200);
    const auto stored = control_->plant()->of(Kind::kSink).find("archive");
    EXPECT_NE(cell_of(Kind::kSink, *stored, "options").find("planted-secret"), std::string::npos);
    // A mask that stands for nothing is refused.
    EXPECT_EQ(call("POST", "/api/v1/sinks",
                   R"({"sink_code":"N","type":"influxdb","url":"http://x","options":{"token":"********"}})")
                  .status,
              422);
    // A secret that does not fit is not repeated in the refusal, nor in the audit trail after a change.
    const auto refused =
        call("PATCH", "/api/v1/sinks/archive", R"({"options":{"token":["planted-secret"]}})");
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(refused.body.find("planted-secret"), std::string::npos);
    EXPECT_EQ(call("GET", "/api/v1/audit").body.find("planted-secret"), std::string::npos);
}

// --- import ---

const std::string kSitesCsv = "site_code,site_name\nS1,Renamed\nS7,New\n";

TEST_F(ApiTest, ImportsInTwoSteps) {
    const auto created = upload(kSitesCsv, "sites.csv");
    ASSERT_EQ(created.status, 201) << created.body;
    auto job = created.json();
    EXPECT_EQ(job["status"], "validated");
    EXPECT_EQ(job["summary"]["sites"]["added"], 1);
    EXPECT_EQ(job["summary"]["sites"]["changed"], 1);
    const auto path = "/api/v1/import-jobs/" + job["id"].dump();
    EXPECT_EQ(call("GET", path).json()["summary"], job["summary"]);
    const auto diff = call("GET", path + "/diff").json();
    EXPECT_EQ(diff["sites"]["changed"][0]["fields"]["site_name"]["from"], "North hall");
    EXPECT_EQ(diff["sites"]["changed"][0]["fields"]["site_name"]["to"], "Renamed");
    EXPECT_EQ(call("GET", "/api/v1/sites/S7").status, 404);

    const auto applied = call("POST", path + "/apply");
    ASSERT_EQ(applied.status, 200) << applied.body;
    EXPECT_EQ(applied.json()["status"], "applied");
    EXPECT_EQ(call("GET", "/api/v1/sites/S7").json()["site_name"], "New");
    EXPECT_EQ(call("GET", path).json()["status"], "applied");
    EXPECT_EQ(call("POST", path + "/apply").status, 409);
    EXPECT_EQ(call("GET", "/api/config/import-jobs/").json()["total"], 1);
    EXPECT_EQ(call("GET", "/api/v1/audit?q=import.apply").json()["total"],
              2);  // the sample plant's and this one
}

TEST_F(ApiTest, RefusesAStaleApply) {
    const auto job = upload(kSitesCsv, "sites.csv").json();
    ASSERT_EQ(call("PATCH", "/api/v1/sites/S2", R"({"description":"meanwhile"})").status, 200);
    const auto refused = call("POST", "/api/v1/import-jobs/" + job["id"].dump() + "/apply");
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(call("GET", "/api/v1/sites/S7").status, 404);
}

TEST_F(ApiTest, AppliesAfterARestartFromTheKeptFile) {
    const auto job = upload(kSitesCsv, "sites.csv").json();
    gateway_.reset();
    start_gateway();
    const auto path = "/api/v1/import-jobs/" + job["id"].dump();
    EXPECT_EQ(call("GET", path + "/diff").json()["sites"]["added"][0]["code"], "S7");
    EXPECT_EQ(call("POST", path + "/apply").status, 200);
    EXPECT_EQ(call("GET", "/api/v1/sites/S7").status, 200);
}

TEST_F(ApiTest, ReportsEveryProblemInTheLanguageAsked) {
    const auto created = upload("site_code,site_name\n,No code\nbad code!,x\nS8,\n", "sites.csv");
    ASSERT_EQ(created.status, 201) << created.body;
    const auto job = created.json();
    EXPECT_EQ(job["status"], "invalid");
    EXPECT_GE(job["errors"].size(), 3U);
    EXPECT_EQ(job["errors"][0]["row"], 2);
    const auto path = "/api/v1/import-jobs/" + job["id"].dump();
    EXPECT_EQ(call("POST", path + "/apply").status, 409);
    EXPECT_EQ(call("GET", path + "/diff").status, 409);
    const auto chinese = upload("site_code,site_name\n,No code\n", "sites.csv", "merge", "?lang=zh").json();
    EXPECT_NE(chinese["errors"][0]["message"], job["errors"][0]["message"]);
}

TEST_F(ApiTest, RefusesUploadsThatAreNone) {
    EXPECT_EQ(upload("a,b\n", "x.csv", "sideways").status, 422);
    EXPECT_EQ(upload(std::string(2 << 20, 'x'), "big.csv").status, 413);
    const auto binary = upload(std::string("\x00\x01\x02 not a workbook", 19), "plant.xlsx");
    EXPECT_EQ(binary.status, 422) << binary.body;
    EXPECT_EQ(call("POST", "/api/v1/import-jobs", "{}").status, 400);
    EXPECT_EQ(call("POST", "/api/v1/import-jobs").status, 422);
    // Nothing of all that stays on disk.
    EXPECT_TRUE(std::filesystem::is_empty(settings_.server.data_dir + "/tmp"));
}

TEST_F(ApiTest, AnExportImportedAgainChangesNothing) {
    const auto exported = call("GET", "/api/v1/export");
    ASSERT_EQ(exported.status, 200);
    EXPECT_EQ(exported.body.find("planted-secret"), std::string::npos);
    const auto job = upload(exported.body, "plant.xlsx", "replace").json();
    ASSERT_EQ(job["status"], "validated") << job.dump();
    for (const auto& [kind, counts] : job["summary"].items()) {
        EXPECT_EQ(counts["added"].get<int>() + counts["changed"].get<int>() + counts["removed"].get<int>(), 0)
            << kind;
    }
    EXPECT_EQ(call("POST", "/api/v1/import-jobs/" + job["id"].dump() + "/apply").status, 200);
    EXPECT_EQ(call("GET", "/api/v1/import-jobs/template").body.substr(0, 2), "PK");
}

// --- tasks and sessions ---

TEST_F(ApiTest, StartsAndStopsTasks) {
    const auto started = call("POST", "/api/acquisition/sessions/start_task/", R"({"task_code":"T1"})");
    ASSERT_EQ(started.status, 202) << started.body;
    EXPECT_EQ(started.json()["status"], "starting");
    EXPECT_FALSE(started.json()["started_at"].is_null());
    const auto session = started.json()["session_id"].dump();

    const auto again = call("POST", "/api/v1/tasks/T1/start");
    EXPECT_EQ(again.status, 409);
    EXPECT_EQ(again.json()["session_id"].dump(), session);

    EXPECT_EQ(call("GET", "/api/v1/sessions/active").json()["total"], 1);
    EXPECT_EQ(call("GET", "/api/v1/sessions/" + session + "/status").json()["process"]["status"], "RUNNING");
    EXPECT_EQ(call("POST", "/api/v1/sessions/" + session + "/pause").status, 202);
    EXPECT_EQ(call("POST", "/api/v1/tasks/T1/resume").status, 202);
    EXPECT_EQ(call("POST", "/api/v1/sessions/" + session + "/stop").status, 202);
    EXPECT_EQ(call("POST", "/api/v1/sessions/" + session + "/stop").status, 409);
    EXPECT_EQ(call("POST", "/api/v1/sessions/99999/stop").status, 404);
    EXPECT_EQ(call("GET", "/api/v1/sessions/" + session).json()["status"], "stopped");
    EXPECT_EQ(call("GET", "/api/v1/sessions/active").json()["total"], 0);
    EXPECT_EQ(call("POST", "/api/v1/tasks/nothing/start").status, 404);
    EXPECT_EQ(call("POST", "/api/v1/sessions/start_task", "{}").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/sessions/start_task", R"({"task_id":true})").status, 422);
    // Who did it is in the audit trail.
    const auto audit = call("GET", "/api/v1/audit?q=task.pause").json();
    ASSERT_EQ(audit["total"], 1);
    EXPECT_EQ(audit["items"][0]["actor"], "admin.token");
    EXPECT_EQ(audit["items"][0]["remote"], "127.0.0.1");
}

TEST_F(ApiTest, ActsOnManyTasks) {
    auto result = call("POST", "/api/v1/tasks/actions", R"({"action":"start","all":true})").json();
    EXPECT_EQ(result["items"].size(), 2U);
    result = call("POST", "/api/v1/tasks/actions", R"({"action":"start","task_codes":["T1","T404"]})").json();
    EXPECT_EQ(result["items"][0]["ok"], false);
    EXPECT_EQ(result["items"][1]["ok"], false);
    EXPECT_EQ(call("POST", "/api/v1/tasks/actions", R"({"action":"stop","group":"hall"})")
                  .json()["items"][0]["task_code"],
              "T1");
    EXPECT_EQ(call("POST", "/api/v1/tasks/actions", R"({"action":"stop","group":"none"})").status, 404);
    EXPECT_EQ(call("POST", "/api/v1/tasks/actions", R"({"action":"stop"})").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/tasks/actions", R"({"action":"stop","all":true,"group":"hall"})").status,
              422);
    EXPECT_EQ(call("POST", "/api/v1/tasks/actions", R"({"action":"explode","all":true})").status, 422);
}

TEST_F(ApiTest, ShowsValuesAsTheyAre) {
    EXPECT_EQ(call("POST", "/api/v1/tasks/T1/acquire_once").status, 409);
    auto points = call("GET", "/api/v1/tasks/T1/points").json();
    EXPECT_EQ(points["items"].size(), 8U);
    EXPECT_EQ(points["items"][0]["quality"], "bad");
    EXPECT_EQ(points["items"][0]["quality_code"], "stale");

    call("POST", "/api/v1/tasks/T1/start");
    control_->tick();
    const auto once = call("POST", "/api/v1/tasks/T1/acquire_once").json();
    EXPECT_EQ(once["points"].size(), 8U);
    EXPECT_EQ(once["points"][0]["quality"], "good");
    points = call("GET", "/api/v1/tasks/T1/points?q=w002&page_size=3").json();
    EXPECT_EQ(points["total"], 4);
    EXPECT_EQ(points["items"].size(), 3U);
    EXPECT_EQ(points["items"][0]["quality"], "good");
    EXPECT_EQ(points["items"][0]["device_code"], "W002");
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/progress").json()["units"].size(), 2U);
}

TEST_F(ApiTest, FiltersLogs) {
    call("POST", "/api/v1/tasks/T1/start");
    for (int i = 0; i < 6; ++i) control_->tick();
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/logs").json()["items"].size(), 6U);
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/logs?level=warning").json()["items"].size(), 3U);
    const auto last = call("GET", "/api/v1/tasks/T1/logs?limit=1").json()["items"];
    ASSERT_EQ(last.size(), 1U);
    // Bytes that are not UTF-8 do not break the answer.
    EXPECT_EQ(last[0]["message"], "scan 6 \xEF\xBF\xBD done");
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/logs?level=loud").status, 400);
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/logs?since=yesterday").status, 400);
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/logs?until=tomorrow").status, 400);
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/logs?before=elsewhere").status, 400);
    const auto page = call("GET", "/api/v1/tasks/T1/logs?limit=2").json();
    EXPECT_EQ(page["before"], "1.1.1");
    EXPECT_EQ(page["complete"], true);
    EXPECT_EQ(call("GET", "/api/v1/tasks/T1/logs?before=1.1.1").status, 200);
    EXPECT_EQ(call("GET", "/api/v1/logs").json()["items"], Json::array());
    EXPECT_EQ(call("GET", "/api/v1/logs?task=T1").json()["items"].size(), 6U);
    EXPECT_EQ(call("GET", "/api/v1/logs?task=*").json()["items"].size(), 6U);
    EXPECT_EQ(call("GET", "/api/v1/logs?task=*&before=1.1.1").status, 400);
    EXPECT_EQ(call("GET", "/api/v1/logs?task=NOSUCH").status, 404);
}

TEST_F(ApiTest, ShowsTheTimelineAsATree) {
    const auto session = call("POST", "/api/v1/tasks/T1/start").json()["session_id"].dump();
    const auto items = call("GET", "/api/v1/sessions/" + session + "/timeline").json()["items"];
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0]["log_type"], "execution_start");
    ASSERT_EQ(items[0]["children"].size(), 1U);
    EXPECT_EQ(items[0]["children"][0]["log_type"], "success");
    EXPECT_EQ(items[0]["children"][0]["children"], Json::array());
}

TEST_F(ApiTest, ChecksWhatIsAskedOfTheHistory) {
    const auto session = call("POST", "/api/v1/tasks/T1/start").json()["session_id"].dump();
    const auto path = "/api/v1/sessions/" + session + "/data-points";
    EXPECT_EQ(call("GET", path).json()["items"], Json::array());
    EXPECT_EQ(call("GET", path + "?agg=avg&interval=1m&order=desc&limit=5").status, 200);
    for (const auto* bad : {"limit=0", "order=up", "agg=avg", "interval=1m", "agg=median&interval=1m",
                            "agg=avg&interval=-1s", "start=now", "end=2026"}) {
        EXPECT_EQ(call("GET", path + "?" + bad).status, 400) << bad;
    }
}

TEST_F(ApiTest, ChecksWhatIsAskedOfADevicesHistory) {
    const std::string path = "/api/v1/device/history";
    const auto empty = call("GET", path + "?device_code=W001&fields=F0,F3&order=desc&limit=5").json();
    EXPECT_EQ(empty["device_code"], "W001");
    EXPECT_EQ(empty["items"], Json::array());
    EXPECT_EQ(empty["more"], false);
    EXPECT_EQ(call("GET", path + "?device_code=NONE").status, 404);
    EXPECT_EQ(call("GET", path).status, 400);
    for (const auto* bad : {"limit=0", "limit=100001", "order=up", "start=now", "end=2026", "fields=F0,NONE",
                            "fields=W001_F0"}) {
        EXPECT_EQ(call("GET", path + "?device_code=W001&" + bad).status, 400) << bad;
    }
}

// --- state ---

TEST_F(ApiTest, ShowsProcessesAndHealth) {
    auto processes = call("GET", "/api/v1/processes").json();
    EXPECT_EQ(processes["total"], 2);
    EXPECT_EQ(processes["items"][0]["status"], "STOPPED");
    EXPECT_EQ(call("GET", "/api/v1/processes/T1/health").json()["items"], Json::array());
    call("POST", "/api/v1/tasks/T10/start");
    processes = call("GET", "/api/v1/processes?q=running").json();
    EXPECT_EQ(processes["total"], 1);
    EXPECT_EQ(processes["items"][0]["name"], "T10");
    EXPECT_EQ(call("GET", "/api/v1/processes/T10/health").json()["items"].size(), 5U);
    // T1 is a prefix of T10.
    EXPECT_EQ(call("GET", "/api/v1/processes/T1/health").json()["items"], Json::array());
    EXPECT_EQ(call("GET", "/api/v1/health").json(), proto::to_json(control_->health_summary()));
}

TEST_F(ApiTest, GivesTheJournal) {
    const auto before = bus_.last_seq();
    call("POST", "/api/v1/tasks/T1/start");
    const auto events =
        call("GET", "/api/v1/events?after=" + std::to_string(before) + "&topic=process_status").json();
    ASSERT_EQ(events["items"].size(), 1U);
    EXPECT_EQ(events["items"][0]["topic"], "process_status.T1");
    EXPECT_EQ(events["items"][0]["v"], 1);
    EXPECT_EQ(events["items"][0]["data"]["status"], "RUNNING");
    EXPECT_EQ(call("GET", "/api/v1/events?after=99999999").status, 410);
    EXPECT_EQ(call("GET", "/api/v1/events?after=-1").status, 400);
    for (int i = 0; i < 10'100; ++i) bus_.publish("fleet", "processor_status", Json::object());
    EXPECT_EQ(call("GET", "/api/v1/events?after=1").status, 410);
}

TEST_F(ApiTest, ShowsRealtimeDataByDeviceType) {
    call("POST", "/api/v1/tasks/T1/start");
    control_->tick();
    auto page = call("GET", "/api/v1/device/realtime-data?type_code=welder").json();
    EXPECT_EQ(page["total"], 2);
    ASSERT_EQ(page["columns"].size(), 5U);
    EXPECT_EQ(page["columns"][0]["field"], "F0");
    EXPECT_EQ(page["items"][0]["online"], true);
    EXPECT_EQ(page["items"][0]["fields"]["F3"], 1.0);
    EXPECT_TRUE(page["items"][0]["quality"].empty());
    EXPECT_FALSE(page["items"][1]["fields"].contains("F3"));
    EXPECT_EQ(page["items"][1]["fields"]["SPARE"], 1.0);
    // Without dynamic fields only the columns every welder has.
    page = call("GET", "/api/v1/device/data/realtime?type_code=welder&use_dynamic_fields=false").json();
    EXPECT_EQ(page["columns"].size(), 3U);
    EXPECT_FALSE(page["items"][1]["fields"].contains("SPARE"));
    page = call("GET", "/api/v1/device/realtime-data?type_code=pump").json();
    EXPECT_EQ(page["items"][0]["online"], false);
    EXPECT_EQ(page["items"][0]["fields"]["F0"], nullptr);
    EXPECT_EQ(page["items"][0]["quality"]["F0"], "stale");
    EXPECT_EQ(call("GET", "/api/v1/device/realtime-data?type_code=none").status, 404);
    EXPECT_EQ(call("GET", "/api/v1/device/realtime-data?q=w002").json()["total"], 1);
}

TEST_F(ApiTest, ProbesStoredAndDescribedDevices) {
    EXPECT_EQ(call("POST", "/api/v1/test-connection", R"({"device_code":"W001"})").json()["ok"], true);
    const auto described = call(
        "POST", "/api/v1/test-connection",
        R"({"device":{"device_code":"N1","device_name":"n","site_code":"S1","protocol":"modbus_tcp","address":"127.0.0.1:1"}})");
    EXPECT_EQ(described.json()["ok"], false) << described.body;
    EXPECT_EQ(described.json()["error_category"], "connection_error");
    EXPECT_EQ(call("POST", "/api/v1/test-connection", R"({"device_code":"none"})").status, 404);
    EXPECT_EQ(call("POST", "/api/v1/test-connection", R"({"device":{"address":5}})").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/test-connection", "{}").status, 422);
    EXPECT_EQ(call("POST", "/api/v1/test-storage", R"({"sink_code":"archive"})").json()["ok"], true);
}

TEST_F(ApiTest, TellsPrometheusWhatRuns) {
    call("POST", "/api/v1/tasks/T1/start");
    control_->tick();
    call("GET", "/api/v1/sites/S1");
    const auto text = call("GET", "/metrics").body;
    for (
        const auto* line :
        {"fieldwarden_tasks{state=\"RUNNING\"} 1\n", "fieldwarden_task_restarts_total{task=\"T1\"} 0\n",
         "fieldwarden_task_heartbeat_age_seconds{task=\"T1\"}", "process_cpu_seconds_total ",
         "process_resident_memory_bytes ", "fieldwarden_workers 1\n",
         R"(fieldwarden_sink_delivery_age_seconds_bucket{task="T1",sink="archive",type="postgres",le="0.25"} 0)",
         R"(fieldwarden_sink_delivery_age_seconds_bucket{task="T1",sink="archive",type="postgres",le="0.5"} 3)",
         R"(fieldwarden_sink_delivery_age_seconds_bucket{task="T1",sink="archive",type="postgres",le="3600"} 3)",
         R"(fieldwarden_sink_delivery_age_seconds_bucket{task="T1",sink="archive",type="postgres",le="+Inf"} 4)",
         R"(fieldwarden_sink_delivery_age_seconds_count{task="T1",sink="archive",type="postgres"} 4)",
         R"(fieldwarden_sink_delivery_age_seconds_sum{task="T1",sink="archive",type="postgres"} 7201.2)",
         "fieldwarden_http_requests_total{method=\"GET\",route=\"/api/v1/sites/{id}\",status=\"200\"} 1\n",
         "fieldwarden_http_request_duration_seconds_bucket{method=\"GET\",route=\"/api/v1/sites/{id}\""}) {
        EXPECT_NE(text.find(line), std::string::npos) << line;
    }
}

TEST_F(ApiTest, ServesTheRootPages) {
    EXPECT_EQ(call("GET", "/readyz").json()["status"], "ready");
    EXPECT_EQ(call("GET", "/openapi.json").json()["openapi"], "3.1.0");
    const auto page = call("GET", "/");
    EXPECT_EQ(page.header("Content-Type"), "text/html; charset=utf-8");
    EXPECT_NE(page.body.find("Fieldwarden"), std::string::npos);
    EXPECT_EQ(page.body.find("src=\"http"), std::string::npos);
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
