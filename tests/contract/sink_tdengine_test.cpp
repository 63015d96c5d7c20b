// The TDengine sink against a stand-in (tdengine_stand_in.h). No TDengine server was available to hold it
// against: this shows that the sink keeps to the documentation, not that the documentation is right.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "common/sample_block.h"
#include "tests/contract/sink_contract.h"
#include "tests/contract/tdengine_stand_in.h"
#include "worker/sinks/tdengine/insert_sql.h"
#include "worker/sinks/tdengine/tdengine_sink.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using tdengine_stand_in::Cell;
using tdengine_stand_in::Row;
using tdengine_stand_in::StandIn;

constexpr const char* kUser = "root";
constexpr const char* kPassword = "taos'data";

Value value_of(const Cell& cell) {
    return std::visit([](const auto& value) { return Value{value}; }, cell);
}

std::unique_ptr<Sink> make_sink_for(const StandIn& server, Options options = {}) {
    options.emplace("username", kUser);
    options.emplace("password", kPassword);
    auto sink = make_sink({"tdengine", "tdengine", server.url(), options}, {});  // in its module
    EXPECT_TRUE(sink) << sink.error().message;
    return std::move(*sink);
}

class TdengineStore : public SinkUnderTest {
  public:
    std::unique_ptr<Sink> make() override { return make_sink_for(server_); }

    std::vector<StoredSample> contents() override {
        std::vector<StoredSample> stored;
        const auto databases = server_.databases();
        const auto ours = databases.find("fieldwarden");
        if (ours == databases.end()) return stored;
        for (const auto& [name, table] : ours->second.tables) {
            EXPECT_EQ(name, "t_DEV");
            EXPECT_EQ(table.stable, "st_TYPE");
            EXPECT_EQ(table.tags, (Row{{"device_code", "DEV"}, {"name", "Device 设备"}}));
            for (const auto& [time, row] : table.rows) {
                for (int point = 1; point <= 5; ++point) {
                    const auto column = fmt::format("point_{}", point);
                    const auto quality = row.find(column + "_q");
                    if (quality == row.end()) continue;
                    auto value = row.find(column);
                    if (value == row.end()) value = row.find(column + "_text");
                    stored.push_back({fmt::format("POINT_{}", point),
                                      UtcTime{std::chrono::microseconds{time}},
                                      value == row.end() ? Value{} : value_of(value->second),
                                      static_cast<Quality>(std::get<std::int64_t>(quality->second))});
                }
            }
        }
        return stored;
    }

    void break_store(bool broken) override {
        if (broken) {
            server_.stop();
        } else {
            server_.start();
        }
    }

  private:
    StandIn server_{kUser, kPassword};
};

INSTANTIATE_TEST_SUITE_P(Tdengine, SinkContract,
                         ::testing::Values(SinkCase{"stand_in",
                                                    [] { return std::make_unique<TdengineStore>(); }}),
                         [](const auto& param) { return param.param.name; });

const UtcTime kTime{1'795'305'600s};

PointIdentity identity(std::string device, std::string point, DataType type, std::string stable = "pumps") {
    return {"S", std::move(device), "It's \\ 1", "T", std::move(point), "", type, std::move(stable)};
}

class SinkTdengine : public ::testing::Test {
  protected:
    static DeliveryOutcome deliver(Sink& sink, const PointDirectory& points, const SampleBatch& samples,
                                   std::uint64_t version = 1) {
        const DeliveryRecord record{1, {}, samples};
        return sink.deliver({{&record, 1}, &points, version});
    }
    static void expect_stored(const DeliveryOutcome& outcome) {
        EXPECT_EQ(outcome.verdicts, std::vector(1, Verdict::kAccepted)) << outcome.reason;
    }
    static void expect_kept(const DeliveryOutcome& outcome, std::string_view mentions) {
        EXPECT_TRUE(outcome.verdicts.empty());
        EXPECT_FALSE(outcome.bisect);
        EXPECT_NE(outcome.reason.find(mentions), std::string::npos) << outcome.reason;
        EXPECT_EQ(outcome.reason.find(kPassword), std::string::npos) << outcome.reason;
    }
    Row row(const std::string& table, UtcTime time = kTime) {
        const auto tables = server.databases().at("fieldwarden").tables;
        const auto found = tables.find(table);
        if (found == tables.end()) return {};
        const auto at = found->second.rows.find(time.time_since_epoch().count());
        return at == found->second.rows.end() ? Row{} : at->second;
    }
    std::string column_type(const std::string& stable, const std::string& name) {
        const auto columns = server.databases().at("fieldwarden").stables.at(stable).columns;
        for (const auto& column : columns) {
            if (column.name != name) continue;
            return column.width == 0 ? column.type : fmt::format("{}({})", column.type, column.width);
        }
        return "none";
    }
    static Sample good(PointId point, Value value, UtcTime time = kTime) {
        return {point, Quality::kGood, QualityCode::kNone, time, std::move(value)};
    }

    StandIn server{kUser, kPassword};
    std::unique_ptr<Sink> sink = make_sink_for(server);
    const PointDirectory points{
        {1, identity("D1", "D1_Run", {BaseType::kBool, 0})},
        {2, identity("D1", "D1.count", {BaseType::kInt32, 0})},
        {3, identity("D1", "D1-total", {BaseType::kUint64, 0})},
        {4, identity("D1", "D1_temp", {BaseType::kFloat32, 0})},
        {5, identity("D1", "serial", {BaseType::kString, 12})},
        {6, identity("D1", "D1_scaled", {BaseType::kInt16, 0})},
        {7, identity("D2", "D2_temp", {BaseType::kFloat32, 0})},
    };
};

TEST_F(SinkTdengine, LaysOutATypeADeviceAndItsPoints) {
    expect_stored(
        deliver(*sink, points,
                {good(1, true), good(2, std::int64_t{-5}), good(3, std::uint64_t{1} << 63), good(4, 21.0),
                 good(5, std::string{"A'1\\n\n\t\"`"}), good(6, 0.1), good(7, 1e20)}));
    EXPECT_EQ(row("t_D1"), (Row{{"run", true},
                                {"run_q", std::int64_t{0}},
                                {"count", std::int64_t{-5}},
                                {"count_q", std::int64_t{0}},
                                {"total", std::uint64_t{1} << 63},
                                {"total_q", std::int64_t{0}},
                                {"temp", 21.0},
                                {"temp_q", std::int64_t{0}},
                                {"serial", std::string{"A'1\\n\n\t\"`"}},
                                {"serial_q", std::int64_t{0}},
                                {"scaled", 0.1},
                                {"scaled_q", std::int64_t{0}}}));
    EXPECT_EQ(row("t_D2"), (Row{{"temp", 1e20}, {"temp_q", std::int64_t{0}}}));
    EXPECT_EQ(column_type("pumps", "run"), "BOOL");
    EXPECT_EQ(column_type("pumps", "count"), "BIGINT");
    EXPECT_EQ(column_type("pumps", "total"), "BIGINT UNSIGNED");
    EXPECT_EQ(column_type("pumps", "temp"), "DOUBLE");
    EXPECT_EQ(column_type("pumps", "serial"), "NCHAR(16)");
    EXPECT_EQ(column_type("pumps", "temp_q"), "TINYINT");
    EXPECT_EQ(server.databases().at("fieldwarden").precision, "us");
    EXPECT_EQ(server.databases().at("fieldwarden").tables.at("t_D1").tags.at("name"), Cell{"It's \\ 1"});
}

TEST_F(SinkTdengine, ASampleWithoutAValueHasAQuality) {
    expect_stored(
        deliver(*sink, points, {{4, Quality::kBad, QualityCode::kTimeout, kTime, std::monostate{}}}));
    EXPECT_EQ(row("t_D1"), (Row{{"temp_q", std::int64_t{2}}}));
    EXPECT_EQ(column_type("pumps", "temp"), "none");
}

TEST_F(SinkTdengine, WhatAColumnCannotHoldGoesBesideIt) {
    expect_stored(deliver(*sink, points, {good(2, std::int64_t{1}), good(5, std::string{"x"})}));
    // The point was given a scale, and the text turned out to be a number.
    expect_stored(
        deliver(*sink, points, {good(2, 0.5), good(5, std::int64_t{7}), good(4, std::string{"off"})}));
    EXPECT_EQ(row("t_D1"), (Row{{"count", std::int64_t{1}},
                                {"count_num", 0.5},
                                {"count_q", std::int64_t{0}},
                                {"serial", "x"},
                                {"serial_num", 7.0},
                                {"serial_q", std::int64_t{0}},
                                {"temp_text", "off"},
                                {"temp_q", std::int64_t{0}}}));
}

TEST_F(SinkTdengine, TextsMakeTheirColumnWider) {
    expect_stored(deliver(*sink, points, {good(5, std::string{"short"})}));
    std::string text;
    for (int i = 0; i < 100; ++i) text += "温";
    expect_stored(deliver(*sink, points, {good(5, text, kTime + 1s)}));
    EXPECT_EQ(column_type("pumps", "serial"), "NCHAR(128)");
    EXPECT_EQ(row("t_D1", kTime + 1s).at("serial"), Cell{text});
    const auto too_long = deliver(*sink, points, {good(5, std::string(5'000, 'x'), kTime + 2s)});
    EXPECT_EQ(too_long.verdicts, std::vector(1, Verdict::kRejected));
    EXPECT_NE(too_long.reason.find("serial"), std::string::npos) << too_long.reason;
}

TEST_F(SinkTdengine, RowsOfOneMomentCompleteEachOther) {
    expect_stored(deliver(*sink, points, {good(4, 1.5)}));
    expect_stored(deliver(*sink, points, {good(2, std::int64_t{3})}));
    EXPECT_EQ(row("t_D1").size(), 4U);
}

TEST_F(SinkTdengine, ManyRowsAreSplitIntoStatements) {
    SampleBatch samples;
    for (int i = 0; i < 5'000; ++i) {
        samples.push_back(good(5, std::string(250, static_cast<char>('a' + i % 26)), kTime + i * 1ms));
    }
    expect_stored(deliver(*sink, points, samples));
    EXPECT_EQ(server.databases().at("fieldwarden").tables.at("t_D1").rows.size(), 5'000U);
    for (const auto& sql : server.statements()) EXPECT_LE(sql.size(), tdengine::kLongestSql);
    const auto before = server.statements().size();
    expect_stored(deliver(*sink, points, samples));
    EXPECT_EQ(server.statements().size() - before, 2U) << "nothing is looked up again";
}

TEST_F(SinkTdengine, UsesTheSuperTableThatIsThere) {
    server.run("", "CREATE DATABASE IF NOT EXISTS fieldwarden PRECISION 'ms'");
    server.run("fieldwarden",
               "CREATE STABLE IF NOT EXISTS pumps (`_time` TIMESTAMP, temp FLOAT, count SMALLINT, "
               "run NCHAR(3)) TAGS (location NCHAR(8), device_code NCHAR(16), name NCHAR(4))");
    expect_stored(
        deliver(*sink, points,
                {good(4, 2.5), good(2, std::int64_t{40'000}), good(1, true), good(7, 1.0, kTime + 1ms)}));
    const auto tables = server.databases().at("fieldwarden").tables;
    const auto ms = kTime.time_since_epoch() / 1ms;
    EXPECT_EQ(tables.at("t_D1").rows.at(ms), (Row{{"temp", 2.5},
                                                  {"temp_q", std::int64_t{0}},
                                                  {"count_num", 40'000.0},
                                                  {"count_q", std::int64_t{0}},
                                                  {"run_num", 1.0},
                                                  {"run_q", std::int64_t{0}}}));
    EXPECT_EQ(tables.at("t_D2").rows.count(ms + 1), 1U);
    EXPECT_EQ(tables.at("t_D1").tags, (Row{{"device_code", "D1"}, {"name", "It's"}}));
}

TEST_F(SinkTdengine, ADeviceThatGetsAnotherTypeGetsAnotherTable) {
    expect_stored(deliver(*sink, points, {good(4, 1.0)}));
    auto moved = points;
    for (auto& [id, point] : moved) point.stable_name = "valves";
    expect_stored(deliver(*sink, moved, {good(4, 2.0), good(7, 3.0)}, 2));
    // Old data, with the identity it had, still finds its table; and a new process finds the new one.
    expect_stored(deliver(*sink, points, {good(4, 4.0, kTime + 1s)}, 1));
    expect_stored(deliver(*make_sink_for(server), moved, {good(4, 5.0, kTime + 1s)}, 2));
    const auto tables = server.databases().at("fieldwarden").tables;
    EXPECT_EQ(tables.size(), 3U);
    EXPECT_EQ(row("t_D1").at("temp"), Cell{1.0});
    EXPECT_EQ(row("t_D1", kTime + 1s).at("temp"), Cell{4.0});
    const auto other = std::find_if(tables.begin(), tables.end(),
                                    [](const auto& table) { return table.first.starts_with("t_D1_"); });
    ASSERT_NE(other, tables.end());
    EXPECT_EQ(other->second.stable, "valves");
    EXPECT_EQ(row(other->first).at("temp"), Cell{2.0});
    EXPECT_EQ(row(other->first, kTime + 1s).at("temp"), Cell{5.0});
    EXPECT_EQ(row("t_D2").at("temp"), Cell{3.0}) << "it had no table before";
}

TEST_F(SinkTdengine, SaysWhenTheTableIsNoSuperTableOfOurs) {
    server.run("", "CREATE DATABASE IF NOT EXISTS fieldwarden PRECISION 'us'");
    server.run("fieldwarden",
               "CREATE STABLE IF NOT EXISTS pumps (t TIMESTAMP, a INT) TAGS (location NCHAR(8))");
    expect_kept(deliver(*sink, points, {good(4, 2.5)}), "device_code");
}

TEST_F(SinkTdengine, SeesThatSomebodyElseChangedTheTables) {
    const auto other = make_sink_for(server);
    expect_stored(deliver(*sink, points, {good(4, 1.0)}));
    expect_stored(
        deliver(*other, points, {good(4, 2.0, kTime + 1s), good(5, std::string(90, 'x'), kTime + 1s)}));
    // The first one believes that there is no such column, and that it may be small.
    expect_stored(deliver(*sink, points, {good(5, std::string{"y"}, kTime + 2s)}));
    EXPECT_EQ(column_type("pumps", "serial"), "NCHAR(128)");
    // The other way round: it knows a column that is gone with its database.
    server.run("", "CREATE DATABASE IF NOT EXISTS spare PRECISION 'us'");
    server.intercept([](const std::string& sql) -> std::optional<ScriptedReply> {
        if (sql.starts_with("INSERT")) return tdengine_stand_in::failure(0x2602, "Invalid column name");
        return std::nullopt;
    });
    expect_kept(deliver(*sink, points, {good(4, 1.0)}), "0x2602");
    server.intercept({});
    expect_stored(deliver(*sink, points, {good(4, 1.0)}));
}

TEST_F(SinkTdengine, SeveralWorkersMayStartAtOnce) {
    constexpr int kWorkers = 4;
    std::atomic<int> stored{0};
    std::vector<std::thread> workers;
    for (int worker = 0; worker < kWorkers; ++worker) {
        workers.emplace_back([&, worker] {
            const auto own = make_sink_for(server);
            PointDirectory directory;
            for (PointId id = 1; id <= 20; ++id) {
                directory[id] =
                    identity(fmt::format("W{}", worker), fmt::format("P{}", id), {BaseType::kInt16, 0});
            }
            for (PointId id = 1; id <= 20; ++id) {
                if (deliver(*own, directory, {good(id, std::int64_t{id})}).verdicts ==
                    std::vector(1, Verdict::kAccepted)) {
                    ++stored;
                }
            }
        });
    }
    for (auto& worker : workers) worker.join();
    EXPECT_EQ(stored.load(), kWorkers * 20);
    for (int worker = 0; worker < kWorkers; ++worker) {
        EXPECT_EQ(row(fmt::format("t_W{}", worker)).size(), 40U);
    }
}

TEST_F(SinkTdengine, HalvesWhatIsRefusedAndKeepsWhatIsNot) {
    expect_stored(deliver(*sink, points, {good(4, 1.0)}));
    const auto answered = [&](ScriptedReply reply) {
        server.intercept([reply](const std::string&) { return reply; });
        return deliver(*sink, points, {good(4, 1.0)});
    };
    using tdengine_stand_in::failure;
    for (const int code : {0x0216, 0x0219, 0x0224, 0x060B, 0x061D, 0x2600, 0x2605, 0x2610, 0x263E}) {
        const auto refused = answered(failure(code, "no"));
        EXPECT_TRUE(refused.bisect) << code;
        EXPECT_TRUE(refused.verdicts.empty()) << code;
        EXPECT_NE(refused.reason.find(fmt::format("0x{:04x}", code)), std::string::npos) << refused.reason;
    }
    for (const int code : {0x000B, 0x0018, 0x0102, 0x0126, 0x012B, 0x0130, 0x0396, 0x0408, 0x0809, 0x090C,
                           0x0914, 0x2402, 0x26FF, 0xFFFF}) {
        expect_kept(answered(failure(code, "not now")), "cannot serve now");
    }
    for (const int code : {0x0303, 0x0357, 0x2644}) expect_kept(answered(failure(code, "who?")), "password");
    expect_kept(answered(http_reply(401)), "password");
    expect_kept(answered(http_reply(404, "nothing")), "6041");
    expect_kept(answered(http_reply(200, "[[[[")), "does not answer like a TDengine");
    expect_kept(answered(http_reply(200, std::string(100'000, '['))), "does not answer like a TDengine");
    expect_kept(answered(http_reply(200, R"({"code":"0"})")), "does not answer like a TDengine");
    expect_kept(answered(http_reply(500, R"({"code":0})")), "cannot serve now");
    const auto busy = answered(http_reply(503, "", "Retry-After: 3\r\n"));
    expect_kept(busy, "overloaded");
    EXPECT_EQ(busy.retry_after, 3s);
    expect_kept(
        answered({"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"code\"", ScriptedReply::Then::kClose}),
        "127.0.0.1");
    expect_kept(answered(failure(0x0388, "Database not exist")), "database");
    server.intercept({});
    expect_stored(deliver(*sink, points, {good(4, 1.0)}));
}

TEST_F(SinkTdengine, DoesWithoutTheWrongPassword) {
    const auto stranger = make_sink_for(server, {{"password", "wrong-one"}});
    EXPECT_FALSE(stranger->open());
    expect_kept(deliver(*stranger, points, {good(4, 1.0)}), "password");
    const auto probed = stranger->probe();
    ASSERT_FALSE(probed);
    EXPECT_NE(probed.error().message.find("password"), std::string::npos);
}

TEST_F(SinkTdengine, AHangEndsWithAnInterrupt) {
    server.intercept([](const std::string&) { return ScriptedReply{"", ScriptedReply::Then::kHang}; });
    const auto patient = make_sink_for(server, {{"timeout_ms", "600000"}});
    std::thread other{[&] {
        while (!server.hanging()) std::this_thread::yield();
        patient->interrupt();
    }};
    expect_kept(deliver(*patient, points, {good(4, 1.0)}), "stopping");
    other.join();
}

TEST_F(SinkTdengine, RefusesWhatCannotWork) {
    for (const char* name : {"", "1db", "a b", "a`b", "a.b", "x'"}) {
        EXPECT_FALSE(tdengine::make_tdengine({"t", "tdengine", "http://host:6041", {{"database", name}}}, {}))
            << name;
    }
    EXPECT_TRUE(
        tdengine::make_tdengine({"t", "tdengine", "http://host:6041", {{"database", "Plant_1"}}}, {}));
}

}  // namespace
}  // namespace fieldwarden::worker
