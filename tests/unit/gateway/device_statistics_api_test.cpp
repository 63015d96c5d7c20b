// /device/statistics over rows in a real store.
#include "gateway_fixture.h"
#include "supervisor/statistics/local_day.h"

namespace fieldwarden::supervisor::testing {
namespace {

using namespace std::chrono_literals;
using Json = nlohmann::json;

class DeviceStatisticsApi : public GatewayFixture {
  protected:
    void SetUp() override {
        settings_.server.time_zone = "Asia/Shanghai";
        GatewayFixture::SetUp();
        ASSERT_EQ(call("PATCH", "/api/v1/device-types/welder",
                       R"({"status_point":"F0","state_map":"welding=2,3; standby=1; off=0"})")
                      .status,
                  200);
    }
    static std::chrono::sys_days day(std::string_view text) { return parse_day(text).value(); }
    Json rows(const std::string& query) { return call("GET", "/api/v1/device/statistics" + query).json(); }
};

TEST_F(DeviceStatisticsApi, CountsMinutesOfADayThatIsOver) {
    const auto past = day("2026-03-10");
    ASSERT_TRUE(store_->put_state_times({{"W001", past, "welding", 8h},
                                         {"W001", past, "standby", 90s},
                                         {"W001", past, "other", 1h},
                                         {"W001", past, "unknown", 2h},
                                         {"W001", day("2026-03-11"), "welding", 5h},
                                         {"P001", past, "online", 12h},
                                         {"GONE", past, "welding", 1h}}));
    const auto page = rows("?day=2026-03-10");
    EXPECT_EQ(page["day"], "2026-03-10");
    EXPECT_EQ(page["total"], 3);
    ASSERT_EQ(page["items"].size(), 3U);
    const auto& welder = page["items"][0];
    EXPECT_EQ(welder["device_code"], "W001");
    EXPECT_EQ(welder["device_name"], "Device W001");
    EXPECT_EQ(welder["type_code"], "welder");
    EXPECT_EQ(welder["states"], (Json{{"welding", 480.0}, {"standby", 1.5}, {"off", 0.0}, {"other", 60.0}}));
    EXPECT_EQ(welder["online_minutes"], 541.5);
    EXPECT_EQ(welder["unknown_minutes"], 120.0);
    EXPECT_EQ(welder["total_minutes"], 1440.0);
    EXPECT_EQ(welder["online_rate"], 37.6);
    // Nothing is known of the second welder; its states are shown all the same.
    EXPECT_EQ(page["items"][1]["states"], (Json{{"welding", 0.0}, {"standby", 0.0}, {"off", 0.0}}));
    EXPECT_EQ(page["items"][1]["online_rate"], 0.0);
    // A device without a status point has no states and is online while it is connected.
    EXPECT_EQ(page["items"][2]["states"], Json::object());
    EXPECT_EQ(page["items"][2]["online_minutes"], 720.0);
    EXPECT_EQ(page["items"][2]["online_rate"], 50.0);
}

TEST_F(DeviceStatisticsApi, TodayIsTheServersDayUntilNow) {
    const auto zone = find_zone("Asia/Shanghai").value();
    const auto today = local_day(zone, system_clock().utc_now());
    ASSERT_TRUE(store_->put_state_times({{"W001", today.date, "welding", 36h}}));
    const auto page = rows("?device_code=W001");
    const auto after = local_day(zone, system_clock().utc_now());
    if (page["day"] != format_day(today.date)) GTEST_SKIP() << "midnight passed meanwhile";
    const auto& welder = page["items"][0];
    const double total = welder["total_minutes"];
    if (after.date == today.date) {
        const auto passed =
            std::chrono::duration<double, std::ratio<60>>(system_clock().utc_now() - today.begin);
        EXPECT_LE(total, passed.count() + 0.01);
        EXPECT_GE(total, passed.count() - 1);
    }
    EXPECT_EQ(welder["online_rate"], 100.0) << "a clock set back counts twice; no rate is above 100";
    // Of a day to come nothing has passed.
    const auto future = rows("?device_code=W001&day=2999-01-01");
    EXPECT_EQ(future["items"][0]["total_minutes"], 0.0);
    EXPECT_EQ(future["items"][0]["online_rate"], 0.0);
}

TEST_F(DeviceStatisticsApi, ADayIsAsLongAsDaylightSavingMakesIt) {
    gateway_.reset();
    settings_.server.time_zone = "Europe/Berlin";
    start_gateway();
    EXPECT_EQ(rows("?day=2026-03-29&device_code=P001")["items"][0]["total_minutes"], 23 * 60.0);
    EXPECT_EQ(rows("?day=2026-10-25&device_code=P001")["items"][0]["total_minutes"], 25 * 60.0);
}

TEST_F(DeviceStatisticsApi, IsFilteredSortedAndPaged) {
    EXPECT_EQ(rows("?type_code=welder")["total"], 2);
    EXPECT_EQ(rows("?type_code=pump&device_code=W001")["total"], 0);
    EXPECT_EQ(rows("?q=w002")["items"][0]["device_code"], "W002");
    EXPECT_EQ(rows("?sort=device_code")["items"][0]["device_code"], "P001");
    EXPECT_EQ(rows("?sort=-device_name")["items"][0]["device_code"], "W002");
    const auto second = rows("?page=2&page_size=2");
    EXPECT_EQ(second["total"], 3);
    EXPECT_EQ(second["items"].size(), 1U);
    EXPECT_EQ(second["items"][0]["device_code"], "P001");
    EXPECT_TRUE(rows("?page=3&page_size=2")["items"].empty());
    // By number as well as by code, as in the paths.
    const auto id = call("GET", "/api/v1/device-types/pump").json()["id"].get<int>();
    EXPECT_EQ(rows("?type_code=" + std::to_string(id))["total"], 1);
}

TEST_F(DeviceStatisticsApi, RefusesWhatItDoesNotKnow) {
    const auto status = [&](const std::string& query) {
        return call("GET", "/api/v1/device/statistics" + query).status;
    };
    EXPECT_EQ(status("?type_code=none"), 404);
    EXPECT_EQ(status("?device_code=none"), 404);
    for (const auto* day : {"yesterday", "2026-02-30", "2026-3-1", "2026-03-10T00:00:00Z", "1969-12-31"}) {
        const auto refused = call("GET", std::string{"/api/v1/device/statistics?day="} + day);
        EXPECT_EQ(refused.status, 400) << day;
        EXPECT_EQ(refused.json()["errors"][0]["field"], "day") << refused.json().dump();
    }
    EXPECT_EQ(status("?day="), 200) << "empty: today";
    EXPECT_EQ(status("?page_size=1001"), 400);
    EXPECT_EQ(status("?sort=colour"), 400);
    EXPECT_EQ(call("POST", "/api/v1/device/statistics").status, 405);
}

TEST_F(DeviceStatisticsApi, TheColumnsOfTheTypeAreChecked) {
    const auto refused = call("PATCH", "/api/v1/device-types/welder", R"({"state_map":"welding=1; off=1"})");
    EXPECT_EQ(refused.status, 422);
    EXPECT_EQ(refused.json()["errors"][0]["field"], "state_map");
    EXPECT_EQ(refused.json()["errors"][0]["code"], "bad_state_map");
    EXPECT_EQ(call("PATCH", "/api/v1/device-types/welder", R"({"status_point":"NOPE"})").status, 422);
    EXPECT_EQ(
        call("PATCH", "/api/v1/device-types/welder", R"({"status_point":null,"state_map":null})").status,
        200);
    EXPECT_EQ(call("GET", "/api/v1/device-types/welder").json()["state_map"], nullptr);
}

}  // namespace
}  // namespace fieldwarden::supervisor::testing
