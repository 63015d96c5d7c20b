#include "supervisor/statistics/device_states.h"

#include <gtest/gtest.h>

#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {
namespace {

using namespace std::chrono_literals;
using States = std::map<std::string, std::chrono::microseconds>;

const UtcTime kNoon = parse_rfc3339("2026-03-10T12:00:00Z").value();
const std::chrono::sys_days kDay = std::chrono::floor<std::chrono::days>(kNoon);

LocalDay utc_day(UtcTime time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    return {day, day, day + 24h};
}

// W1 and W2 are welders (W2 without a status point of its own), P1 is of another type, X1 of none.
struct PlantParts {
    std::string field = "STATE";
    std::string map = "welding=2,3; standby=1; stopped=false";
    std::vector<std::string> devices{"W1", "W2", "P1", "X1"};
};
Plant plant_of(const PlantParts& parts = {}) {
    Plant plant;
    std::int64_t id = 0;
    const auto add = [&](Kind kind, Record record) {
        record.id = ++id;
        EXPECT_TRUE(plant.of(kind).add(std::move(record)));
    };
    add(Kind::kDeviceType, make_record(Kind::kDeviceType, {{"type_code", "WELDER"},
                                                           {"type_name", "Welder"},
                                                           {"status_point", parts.field},
                                                           {"state_map", parts.map}}));
    add(Kind::kDeviceType, make_record(Kind::kDeviceType, {{"type_code", "PUMP"}, {"type_name", "Pump"}}));
    for (const auto& code : parts.devices) {
        const std::string_view type = code[0] == 'W' ? "WELDER" : code[0] == 'P' ? "PUMP" : "";
        add(Kind::kDevice, with(Kind::kDevice, device(code), "type_code", type));
    }
    id = 100;
    for (const auto* code : {"W1_STATE", "W1_TEMP", "W2_TEMP", "P1_STATE", "X1_STATE", "W1_MODE"})
        add(Kind::kPoint, point(code, std::string_view{code}.substr(0, 2)));
    return plant;
}
constexpr PointId kState = 101;       // of W1
constexpr PointId kOtherPoint = 104;  // STATE of a device whose type has no status point
constexpr PointId kMode = 106;

StatusPointsPtr points_of(const PlantParts& parts = {}) {
    return std::make_shared<const StatusPoints>(plant_of(parts));
}

TEST(StatusPoints, AreFoundByTheFieldOfTheType) {
    const auto points = points_of();
    ASSERT_EQ(points->devices().size(), 4U);
    EXPECT_EQ(points->device_of(kState), 0U);
    EXPECT_EQ(points->devices()[0].status_point, kState);
    EXPECT_EQ(points->devices()[1].status_point, 0U);
    for (const PointId other : {0U, 102U, 103U, kOtherPoint, 105U, kMode, 107U, 0xFFFFFFFFU})
        EXPECT_EQ(points->device_of(other), StatusPoints::kNone) << other;
    EXPECT_EQ(StatusPoints{}.device_of(kState), StatusPoints::kNone);
}

TEST(StatusPoints, AMapEditedByHandIntoNonsenseIsAsNone) {
    const auto points = points_of({.field = "STATE", .map = "online=1", .devices = {"W1", "W2", "P1", "X1"}});
    EXPECT_EQ(points->device_of(kState), StatusPoints::kNone);
}

class DeviceStatesTest : public testing::Test {
  protected:
    DeviceStatesTest() { states_.take_plant(points_of(), kNoon); }
    void value(Value value, UtcTime now, Quality quality = Quality::kGood, PointId point = kState) {
        const Sample sample{.point = point, .quality = quality, .time = now, .value = std::move(value)};
        states_.take({&sample, 1}, now);
    }
    // As the supervisor does: every ten seconds.
    void pass(UtcTime from, UtcTime to) {
        for (auto now = from; now <= to; now += DeviceStates::kInterval) {
            for (const auto& row : states_.take_changes(now)) {
                EXPECT_EQ(row.day, kDay);
                written_[row.device][row.state] = row.spent;
            }
        }
    }
    States written(const std::string& device) { return written_[device]; }

    DeviceStates states_{utc_day};
    std::map<std::string, States> written_;
};

TEST_F(DeviceStatesTest, AValueHoldsUntilTheNextOne) {
    value(2.0, kNoon);
    pass(kNoon, kNoon + 1h);
    value(std::int64_t{1}, kNoon + 1h);
    pass(kNoon + 1h, kNoon + 90min);
    EXPECT_EQ(written("W1"), (States{{"welding", 1h}, {"standby", 30min}}));
    EXPECT_EQ(states_.state_of("W1"), "standby");
    // What happens between two writes is counted to the moment.
    value(3.0, kNoon + 90min + 1s);
    value(1.0, kNoon + 90min + 1500ms);
    value(false, kNoon + 90min + 3s);
    pass(kNoon + 90min + 10s, kNoon + 90min + 10s);
    EXPECT_EQ(written("W1"), (States{{"welding", 1h + 500ms}, {"standby", 30min + 2500ms}, {"stopped", 7s}}));
}

TEST_F(DeviceStatesTest, AValueThatIsInNoMapIsOtherAndABadOneIsUnknown) {
    value(9.0, kNoon);
    EXPECT_EQ(states_.state_of("W1"), "other");
    value(2.0, kNoon + 5s);
    value(2.0, kNoon + 8s, Quality::kBad);
    EXPECT_EQ(states_.state_of("W1"), "unknown");
    value(2.0, kNoon + 9s, Quality::kUncertain);
    value(Value{}, kNoon + 10s);
    pass(kNoon + 10s, kNoon + 20s);
    EXPECT_EQ(written("W1"), (States{{"other", 15s}, {"welding", 3s}, {"unknown", 2s}}));
}

TEST_F(DeviceStatesTest, OtherPointsSayNothing) {
    value(2.0, kNoon, Quality::kGood, kOtherPoint);
    value(2.0, kNoon, Quality::kGood, 999);
    for (const auto* device : {"W1", "W2", "P1", "X1"}) EXPECT_EQ(states_.state_of(device), "unknown");
    EXPECT_EQ(states_.state_of("NONE"), "");
}

TEST_F(DeviceStatesTest, ADeviceWithoutAStatusPointIsOnlineWhileATaskIsConnected) {
    states_.set_connected("T1", "P1", true, kNoon);
    states_.set_connected("T2", "P1", true, kNoon + 5s);
    states_.set_connected("T1", "P1", false, kNoon + 10s);
    EXPECT_EQ(states_.state_of("P1"), "online");
    states_.set_connected("T2", "P1", false, kNoon + 12s);
    states_.set_connected("T2", "P1", false, kNoon + 13s);
    states_.set_connected("T2", "NONE", true, kNoon + 13s);
    pass(kNoon + 20s, kNoon + 20s);
    EXPECT_EQ(written("P1"), (States{{"online", 12s}, {"unknown", 8s}}));
    // With a status point the connection says nothing: a welder that answers may say anything.
    states_.set_connected("T1", "W1", true, kNoon);
    EXPECT_EQ(states_.state_of("W1"), "unknown");
}

TEST_F(DeviceStatesTest, PointsThatNobodyReadsAreUnknown) {
    value(2.0, kNoon);
    const std::vector<PointId> lost{kOtherPoint, kState, 7};
    states_.lose(lost, kNoon + 5s);
    pass(kNoon + 10s, kNoon + 10s);
    EXPECT_EQ(written("W1"), (States{{"welding", 5s}, {"unknown", 5s}}));
}

TEST_F(DeviceStatesTest, AChangedMapTakesEffectFromThenOn) {
    value(2.0, kNoon);
    states_.set_connected("T1", "P1", true, kNoon);
    states_.take_plant(
        points_of({.field = "STATE", .map = "arc=2; rest=0..1", .devices = {"W1", "W2", "P1", "X1"}}),
        kNoon + 5s);
    EXPECT_EQ(states_.state_of("W1"), "unknown");
    value(2.0, kNoon + 5s);  // the value held is read again
    pass(kNoon + 10s, kNoon + 10s);
    EXPECT_EQ(written("W1"), (States{{"welding", 5s}, {"arc", 5s}}));
    EXPECT_EQ(written("P1"), (States{{"online", 10s}})) << "connections stay";
}

TEST_F(DeviceStatesTest, AnotherStatusPointIsLookedAtFromThenOn) {
    value(2.0, kNoon);
    states_.take_plant(points_of({.field = "MODE", .map = "auto=1", .devices = {"W1", "W2", "P1", "X1"}}),
                       kNoon + 5s);
    value(2.0, kNoon + 6s);
    EXPECT_EQ(states_.state_of("W1"), "unknown");
    value(1.0, kNoon + 7s, Quality::kGood, kMode);
    EXPECT_EQ(states_.state_of("W1"), "auto");
    // And none at all: the connection decides.
    states_.set_connected("T1", "W1", true, kNoon + 8s);
    states_.take_plant(points_of({.field = "", .map = "", .devices = {"W1", "W2", "P1", "X1"}}), kNoon + 9s);
    EXPECT_EQ(states_.state_of("W1"), "online");
}

TEST_F(DeviceStatesTest, ARemovedDeviceKeepsWhatItCounted) {
    value(2.0, kNoon);
    states_.take_plant(points_of({.field = "STATE", .map = "arc=2", .devices = {"W2", "P1", "X1"}}),
                       kNoon + 5s);
    value(2.0, kNoon + 6s);
    pass(kNoon + 10s, kNoon + 20s);
    EXPECT_EQ(written("W1"), (States{{"welding", 5s}}));
    EXPECT_EQ(states_.state_of("W1"), "");
}

TEST_F(DeviceStatesTest, ASleepOfTheMachineIsNobodysTime) {
    value(2.0, kNoon);
    pass(kNoon, kNoon + 20s);
    pass(kNoon + 2h, kNoon + 2h + 10s);
    EXPECT_EQ(written("W1"), (States{{"welding", 20s + DeviceStates::kLongestGap + 10s}}));
}

TEST_F(DeviceStatesTest, GoesOnFromWhatAnEarlierProcessWrote) {
    value(2.0, kNoon);
    pass(kNoon, kNoon + 20s);
    DeviceStates next{utc_day};
    next.restore(std::vector<StateTime>{{"W1", kDay, "welding", 20s}});
    next.take_plant(points_of(), kNoon + 1h);
    EXPECT_TRUE(next.take_changes(kNoon + 1h).empty());
    const Sample sample{.point = kState, .value = 2.0};
    next.take({&sample, 1}, kNoon + 1h);
    for (const auto& row : next.take_changes(kNoon + 1h + 4s)) {
        if (row.device != "W1") continue;
        EXPECT_EQ(row, (StateTime{"W1", kDay, "welding", 24s}));
    }
}

}  // namespace
}  // namespace fieldwarden::supervisor
