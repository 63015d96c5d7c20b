#include <fmt/format.h>
#include <gtest/gtest.h>

#include "proto/wire.h"
#include "supervisor/plant/task_options.h"
#include "tests/unit/plant/plant_builder.h"

namespace fieldwarden::supervisor {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// "PUMP_01:P1,P2 WELD_01:W1"
std::string layout(const Result<TaskConfig>& task) {
    if (!task) return task.error().message;
    std::string text;
    for (const auto& device : task->devices) {
        text += (text.empty() ? "" : " ") + device.device_code + ":";
        for (std::size_t i = 0; i < device.points.size(); ++i) {
            text += (i == 0 ? "" : ",") + device.points[i].point_code;
        }
    }
    return text;
}

// The layout of a task with these cells in the small plant.
std::string layout_of(std::string_view devices, std::string_view points) {
    auto plant = small_plant();
    plant.of(Kind::kTask).put(task("T", devices, points));
    const auto one = compile_task(plant, "T");
    const auto many = TaskCompiler{plant}.compile("T");
    EXPECT_EQ(layout(one), layout(many));
    EXPECT_TRUE(!one || !many || *one == *many) << "both ways of compiling agree";
    return layout(one);
}

void expect_invalid(const Plant& plant, std::string_view says) {
    const auto refused = compile_task(plant, "T1");
    ASSERT_FALSE(refused) << says;
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(refused.error().message.find(says), std::string::npos) << refused.error().message;
}
Plant with_cell(Kind kind, std::string_view code, std::string_view field, std::string_view value) {
    auto plant = small_plant();
    auto record = *plant.of(kind).find(code);
    plant.of(kind).put(with(kind, std::move(record), field, value));
    return plant;
}

TEST(CompileTask, ChoosesDevicesAndPointsInPlantOrder) {
    EXPECT_EQ(layout_of("*", ""), "PUMP_01:P1,P2,P3 WELD_01:W1,W2,W3");
    EXPECT_EQ(layout_of("WELD_01，PUMP_01", ""), "PUMP_01:P1,P2,P3 WELD_01:W1,W2,W3");
    EXPECT_EQ(layout_of("W*", ""), "WELD_01:W1,W2,W3");
    EXPECT_EQ(layout_of("", "P2,W3,W1"), "PUMP_01:P2 WELD_01:W1,W3") << "points bring their devices";
    EXPECT_EQ(layout_of("*", "W2"), "WELD_01:W2") << "a device without a chosen point is left out";
    EXPECT_EQ(layout_of("PUMP_01", "*1"), "PUMP_01:P1") << "a glob keeps to the devices";
    EXPECT_EQ(layout_of("PUMP_01", "*1,W2"), "PUMP_01:P1 WELD_01:W2") << "a named point always counts";
    EXPECT_EQ(layout_of("", "*1"), "PUMP_01:P1 WELD_01:W1");
    EXPECT_EQ(layout_of("X*,W*", ""), "WELD_01:W1,W2,W3") << "a glob may match nothing";
}

TEST(CompileTask, RefusesWhatNamesNothing) {
    EXPECT_NE(layout_of("PUMP_02", "").find("there is no device 'PUMP_02'"), std::string::npos);
    EXPECT_NE(layout_of("", "P9").find("there is no point 'P9'"), std::string::npos);
    EXPECT_NE(layout_of("", "").find("no point to acquire"), std::string::npos);
    EXPECT_NE(layout_of("X*", "").find("no point to acquire"), std::string::npos);
    EXPECT_EQ(compile_task(small_plant(), "T9").error().kind, ErrorKind::kNotFound);
    EXPECT_EQ(TaskCompiler{small_plant()}.compile("T9").error().kind, ErrorKind::kNotFound);
}

TEST(CompileTask, GivesEveryCellItsType) {
    auto plant = small_plant();
    auto full = make_record(Kind::kPoint, {{"point_code", "W1"},
                                           {"point_name", "焊接电流"},
                                           {"device_code", "WELD_01"},
                                           {"address", "hr:10@7"},
                                           {"data_type", "string(16)"},
                                           {"byte_order", "CDAB"},
                                           {"scale", "0.1"},
                                           {"offset", "-40"},
                                           {"unit", "A"},
                                           {"deadband", "0.5"},
                                           {"min_value", "-1e3"},
                                           {"max_value", "600"},
                                           {"period_ms", "250"}});
    full.id = 4'294'967'295;
    plant.of(Kind::kPoint).put(full);
    const auto task = compile_task(plant, "T1");
    ASSERT_TRUE(task) << task.error().message;
    EXPECT_EQ(task->revision, 7U);
    EXPECT_EQ(task->period, seconds{1});
    const auto& device = task->devices.at(1);
    EXPECT_EQ(device.protocol, Protocol::kModbusTcp);
    EXPECT_EQ(device.site_code, "S1");
    EXPECT_EQ(device.options, (Options{{"max_gap", "8"}, {"unit_id", "3"}}));
    const PointConfig wanted{.id = 4'294'967'295,
                             .point_code = "W1",
                             .point_name = "焊接电流",
                             .address = "hr:10@7",
                             .data_type = {BaseType::kString, 16},
                             .byte_order = ByteOrder::kCdab,
                             .scale = 0.1,
                             .offset = -40,
                             .unit = "A",
                             .deadband = 0.5,
                             .min_value = -1000,
                             .max_value = 600,
                             .period = milliseconds{250}};
    EXPECT_EQ(device.points.at(0), wanted);
    const auto& plain = device.points.at(1);
    EXPECT_EQ(plain.byte_order, ByteOrder::kAbcd);
    EXPECT_EQ(plain.scale, 1.0);
    EXPECT_FALSE(plain.deadband);
    EXPECT_EQ(plain.period, milliseconds{0});
}

TEST(CompileTask, RefusesCellsThatWereEditedIntoNonsense) {
    expect_invalid(with_cell(Kind::kPoint, "W1", "scale", "0,1"), "point W1, scale");
    expect_invalid(with_cell(Kind::kPoint, "W1", "data_type", "float"), "point W1, data_type");
    expect_invalid(with_cell(Kind::kPoint, "W1", "byte_order", "ACBD"), "point W1, byte_order");
    expect_invalid(with_cell(Kind::kPoint, "W1", "period_ms", "5"), "point W1, period_ms");
    expect_invalid(with_cell(Kind::kDevice, "WELD_01", "protocol", "profibus"), "device WELD_01, protocol");
    expect_invalid(with_cell(Kind::kDevice, "WELD_01", "options", "unit_id"), "device WELD_01, options");
    expect_invalid(with_cell(Kind::kDevice, "WELD_01", "options", "unit_id=256"), "device WELD_01, options");
    expect_invalid(with_cell(Kind::kTask, "T1", "period_ms", ""), "task T1, period_ms");
    expect_invalid(with_cell(Kind::kTask, "T1", "period_ms", "86400001"), "task T1, period_ms");
    expect_invalid(with_cell(Kind::kTask, "T1", "run_limit", "forever"), "task T1, run_limit");
    expect_invalid(with_cell(Kind::kTask, "T1", "schedule", "start=noon"), "task T1, schedule");
    expect_invalid(with_cell(Kind::kTask, "T1", "options", "speed=9"), "task T1, options");
    expect_invalid(with_cell(Kind::kTask, "T1", "sinks", "NONE"), "there is no sink 'NONE'");
    auto plant = small_plant();
    auto far = *plant.of(Kind::kPoint).find("W1");
    far.id = 4'294'967'296;
    plant.of(Kind::kPoint).put(far);
    expect_invalid(plant, "point W1");
    plant = small_plant();
    plant.of(Kind::kTask).put(task("T1", "", "W1"));
    plant.of(Kind::kDevice).remove("WELD_01");
    expect_invalid(plant, "'WELD_01', which does not exist");
}

std::string sinks_of(std::string_view sinks, std::string_view options) {
    auto plant = small_plant();
    plant.of(Kind::kSink).put(sink("KAFKA", "kafka", "kafka://127.0.0.1:9092"));
    plant.of(Kind::kSink).put(sink("INFLUX", "influxdb", "http://127.0.0.1:8086"));
    plant.of(Kind::kSink).put(sink("MINE", "history", "history:"));
    plant.of(Kind::kTask).put(with(Kind::kTask, task("T1", "*", "", options), "sinks", sinks));
    const auto task = compile_task(plant, "T1");
    if (!task) return task.error().message;
    std::string text;
    for (const auto& sink : task->sinks) text += (text.empty() ? "" : " ") + sink.sink_code + "=" + sink.type;
    return text;
}

TEST(CompileTask, TheHistoryComesFirstUnlessToldOtherwise) {
    EXPECT_EQ(sinks_of("", ""), "history=history");
    EXPECT_EQ(sinks_of("INFLUX,KAFKA", ""), "history=history KAFKA=kafka INFLUX=influxdb");
    EXPECT_EQ(sinks_of("history", ""), "history=history");
    EXPECT_EQ(sinks_of("history,KAFKA", ""), "history=history KAFKA=kafka");
    EXPECT_NE(sinks_of("history,NOPE", "").find("there is no sink 'NOPE'"), std::string::npos);
    EXPECT_EQ(sinks_of("*", ""), "MINE=history KAFKA=kafka INFLUX=influxdb")
        << "a history of the sheet is the history";
    EXPECT_EQ(sinks_of("*", "history=false"), "KAFKA=kafka INFLUX=influxdb");
    EXPECT_NE(sinks_of("", "history=false").find("the data would go nowhere"), std::string::npos);
}

TEST(CompileTask, TheEmbeddedHistorysCodeIsReserved) {
    auto plant = small_plant();
    plant.of(Kind::kSink).put(sink("history", "kafka", "kafka://127.0.0.1:9092"));
    EXPECT_FALSE(compile_sink(plant, "history"));
}

TEST(CompileTask, OptionsOverrideTheDefaultsGiven) {
    TaskDefaults defaults;
    defaults.spool.max_bytes = 5 << 20;
    defaults.spool.when_full = SpoolFullPolicy::kBlock;
    defaults.history.max_age = hours{48};
    defaults.stop_grace = seconds{9};
    defaults.log_level = "warning";
    const auto plain = compile_task(small_plant(), "T1", defaults);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->spool, defaults.spool);
    EXPECT_EQ(plain->history, defaults.history);
    EXPECT_EQ(plain->stop_grace, seconds{9});
    EXPECT_EQ(plain->log_level, "warning");

    auto plant = small_plant();
    plant.of(Kind::kTask)
        .put(with(
            Kind::kTask,
            task("T1", "*", "",
                 "spool_max_bytes=2000000; spool_max_age=2d; spool_when_full=drop_oldest; fsync_window=20ms; "
                 "history_max_age=12h; history_max_bytes=3000000; stop_grace=1500ms; log_level=debug; "
                 "data_timeout=30s"),
            "run_limit", "cycles=12"));
    const auto task = compile_task(plant, "T1", defaults);
    ASSERT_TRUE(task) << task.error().message;
    EXPECT_EQ(task->spool.max_bytes, 2'000'000U);
    EXPECT_EQ(task->spool.max_age, hours{48});
    EXPECT_EQ(task->spool.when_full, SpoolFullPolicy::kDropOldest);
    EXPECT_EQ(task->spool.fsync_window, milliseconds{20});
    EXPECT_EQ(task->history.max_age, hours{12});
    EXPECT_EQ(task->history.max_bytes, 3'000'000U);
    EXPECT_EQ(task->stop_grace, milliseconds{1500});
    EXPECT_EQ(task->log_level, "debug");
    EXPECT_EQ(task->run_limit.cycles, 12U);
    EXPECT_EQ(task_duration(task->options, "data_timeout", seconds{1}), seconds{30})
        << "kept for the supervisor";
}

TEST(CompileDevice, HasAllItsPoints) {
    const auto device = compile_device(small_plant(), "PUMP_01");
    ASSERT_TRUE(device);
    EXPECT_EQ(device->points.size(), 3U);
    EXPECT_EQ(compile_device(small_plant(), "NONE").error().kind, ErrorKind::kNotFound);
}

TEST(CompileSink, KnowsTheEmbeddedHistoryWithoutASheet) {
    EXPECT_EQ(compile_sink(small_plant(), "history")->type, "history");
    EXPECT_EQ(compile_sink(small_plant(), "NONE").error().kind, ErrorKind::kNotFound);
}

TEST(CompileTask, SurvivesTheWire) {
    const auto task = compile_task(small_plant(), "T1");
    ASSERT_TRUE(task);
    const auto back = proto::task_config_from_json(proto::to_json(*task));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, *task);
}

// --- task_changes

using Codes = std::vector<std::string>;

TEST(TaskChanges, NamesTasksThatAreNewGoneOrDifferent) {
    auto before = small_plant();
    before.of(Kind::kTask).put(task("PUMPS", "PUMP_*"));
    before.of(Kind::kTask).put(task("OLD", "*"));
    auto after = before;
    after.revision = 8;
    EXPECT_TRUE(task_changes(before, after).changed.empty()) << "the revision alone is no change";

    after.of(Kind::kTask).remove("OLD");
    after.of(Kind::kTask).put(task("NEW", "*"));
    after.of(Kind::kPoint).put(with(Kind::kPoint, *after.of(Kind::kPoint).find("W2"), "scale", "2"));
    const auto changes = task_changes(before, after);
    EXPECT_EQ(changes.added, Codes{"NEW"});
    EXPECT_EQ(changes.removed, Codes{"OLD"});
    EXPECT_EQ(changes.changed, Codes{"T1"}) << "PUMPS does not hold the point";
}

TEST(TaskChanges, FieldsThatNoWorkerSeesChangeNothing) {
    const auto before = small_plant();
    auto after = with_cell(Kind::kTask, "T1", "autostart", "true");
    after.of(Kind::kSite).put(with(Kind::kSite, site("S1"), "site_name", "Renamed"));
    EXPECT_TRUE(task_changes(before, after).changed.empty());
}

TEST(TaskChanges, ADeviceThatAGlobTakesInIsAChange) {
    const auto before = small_plant();
    auto after = before;
    after.of(Kind::kDevice).put(device("WELD_02"));
    after.of(Kind::kPoint).put(point("X1", "WELD_02"));
    EXPECT_EQ(task_changes(before, after).changed, Codes{"T1"});
}

TEST(TaskChanges, BecomingInvalidOrValidIsAChangeStayingSoIsNot) {
    const auto good = small_plant();
    const auto bad = with_cell(Kind::kTask, "T1", "run_limit", "forever");
    EXPECT_EQ(task_changes(good, bad).changed, Codes{"T1"});
    EXPECT_EQ(task_changes(bad, good).changed, Codes{"T1"});
    EXPECT_TRUE(task_changes(bad, bad).changed.empty());
}

}  // namespace

}  // namespace fieldwarden::supervisor
