// The sinks over HTTP behind a real spool and flusher, while their server does everything wrong that it can:
// in the end each record is stored once, and those that are refused for good are in the dead letters.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <mutex>
#include <random>
#include <sstream>

#include "proto/shapes.h"
#include "tests/contract/scripted_http.h"
#include "tests/contract/tdengine_stand_in.h"
#include "tests/unit/common/temp_dir.h"
#include "worker/flusher.h"
#include "worker/spool.h"
#include "worker/spool_file.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

constexpr int kRecords = 600;
const UtcTime kFirst{1'795'305'600s};

bool is_poison(int record) {
    return record == 13 || record == 400;
}

// A server's mood, from one request to the next.
class Moods {
  public:
    std::optional<ScriptedReply> next(const ScriptedReply& applied_but_lost) {
        const std::lock_guard lock{mutex_};
        switch (random_() % 7) {
            case 0:
                return http_reply(503);
            case 1:
                return ScriptedReply{"", ScriptedReply::Then::kClose};
            case 2:
                return ScriptedReply{"HTTP/1.1 20", ScriptedReply::Then::kClose};
            case 3:
                return applied_but_lost;
            default:
                return std::nullopt;
        }
    }

  private:
    std::mutex mutex_;
    std::minstd_rand random_{5};
};

// Spools the records, and delivers them to the sink until nothing is left. The dead letters' reasons.
std::vector<std::string> deliver_all(const SinkConfig& config) {
    const TempDir dir;
    SpoolOptions options;
    options.directory = dir.file("spool");
    auto spool = Spool::open(std::move(options), real_file_system(), system_clock());
    EXPECT_TRUE(spool) << spool.error().message;
    const PointDirectory points{
        {1, {"S", "D1", "Device", "T", "P1", "", {BaseType::kFloat64, 0}}},
        {2, {"S", "D1", "Device", "T", "P2", "", {BaseType::kString, 8}}},
    };
    EXPECT_TRUE((*spool)->set_directory(points));
    EXPECT_TRUE((*spool)->set_sinks({"a"}));
    for (int i = 0; i < kRecords; ++i) {
        const auto time = kFirst + std::chrono::milliseconds{i};
        const SampleBatch scan{
            {1, Quality::kGood, QualityCode::kNone, time, double{1} * i},
            {2, Quality::kGood, QualityCode::kNone, time, std::string{is_poison(i) ? "poison" : "x"}}};
        EXPECT_TRUE((*spool)->append(scan));
    }
    EXPECT_TRUE((*spool)->sync());
    auto sink = make_sink(config, {});
    EXPECT_TRUE(sink) << sink.error().message;
    FlusherOptions flushing;
    flushing.sink_code = "a";
    flushing.dead_letters_path = dir.file("dead.jsonl");
    flushing.backoff = {1ms, 2ms, 0.25};
    {
        Flusher flusher{std::move(flushing), std::move(*sink), (*spool)->reader("a"), system_clock()};
        flusher.start();
        const auto deadline = std::chrono::steady_clock::now() + 60s;
        while (flusher.stats().pending != 0 && std::chrono::steady_clock::now() < deadline) {
            std::this_thread::yield();
        }
        EXPECT_EQ(flusher.stats().pending, 0U) << flusher.stats().last_error;
    }
    std::vector<std::string> reasons;
    std::ifstream file{dir.file("dead.jsonl")};
    for (std::string line; std::getline(file, line);)
        reasons.push_back(proto::Json::parse(line).at("reason"));
    return reasons;
}

TEST(SinkHttpFlusher, InfluxdbGetsEveryRecordOnce) {
    Moods moods;
    std::mutex mutex;
    std::map<std::string, std::string> points;  // line without its fields → fields, as InfluxDB keeps them
    ScriptedHttp server{[&](const SeenRequest& request) {
        if (request.target == "/ping") return http_reply(204);
        if (request.body.find("poison") != std::string::npos) {
            return http_reply(400, R"({"code":"invalid","message":"it is poison"})");
        }
        const std::lock_guard lock{mutex};
        const auto mood = moods.next({"HTTP/1.1 204 No Content\r\n", ScriptedReply::Then::kClose});
        if (mood && mood->bytes != "HTTP/1.1 204 No Content\r\n") return *mood;
        std::istringstream lines{request.body};
        for (std::string line; std::getline(lines, line);) {
            const auto fields = line.find(' ');
            const auto time = line.rfind(' ');
            points[line.substr(0, fields) + line.substr(time)] = line.substr(fields, time - fields);
        }
        return mood ? *mood : http_reply(204);
    }};
    const auto dead =
        deliver_all({"a", "influxdb", server.url(), {{"gzip", "false"}, {"batch_samples", "100"}}});
    ASSERT_EQ(dead.size(), 2U);
    EXPECT_NE(dead[0].find("it is poison"), std::string::npos) << dead[0];
    const std::lock_guard lock{mutex};
    EXPECT_EQ(points.size(), 2U * (kRecords - 2));
    for (int i = 0; i < kRecords; ++i) {
        const auto nanos = (kFirst + std::chrono::milliseconds{i}).time_since_epoch().count() * 1'000;
        const auto found = points.find(fmt::format("points,device=D1,point=P1,site=S {}", nanos));
        ASSERT_EQ(found == points.end(), is_poison(i)) << i;
        if (found == points.end()) continue;
        EXPECT_EQ(found->second, fmt::format(" value={},quality=0i", i));
    }
}

TEST(SinkHttpFlusher, TdengineGetsEveryRecordOnce) {
    Moods moods;
    tdengine_stand_in::StandIn server{"root", "pw"};
    server.intercept([&](const std::string& sql) -> std::optional<ScriptedReply> {
        if (sql.find("poison") != std::string::npos)
            return tdengine_stand_in::failure(0x2605, "it is poison");
        const ScriptedReply lost{"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"code\":",
                                 ScriptedReply::Then::kClose};
        const auto mood = moods.next(lost);
        if (mood && mood->bytes == lost.bytes && sql.starts_with("INSERT")) server.run("fieldwarden", sql);
        return mood;
    });
    const auto dead = deliver_all({"a",
                                   "tdengine",
                                   server.url(),
                                   {{"username", "root"}, {"password", "pw"}, {"batch_samples", "100"}}});
    ASSERT_EQ(dead.size(), 2U);
    EXPECT_NE(dead[0].find("it is poison"), std::string::npos) << dead[0];
    const auto databases = server.databases();
    const auto& rows = databases.at("fieldwarden").tables.at("t_D1").rows;
    EXPECT_EQ(rows.size(), kRecords - 2U);
    for (int i = 0; i < kRecords; ++i) {
        const auto found = rows.find((kFirst + std::chrono::milliseconds{i}).time_since_epoch().count());
        ASSERT_EQ(found == rows.end(), is_poison(i)) << i;
        if (found == rows.end()) continue;
        EXPECT_EQ(
            found->second,
            (tdengine_stand_in::Row{
                {"p1", double{1} * i}, {"p1_q", std::int64_t{0}}, {"p2", "x"}, {"p2_q", std::int64_t{0}}}));
    }
}

}  // namespace
}  // namespace fieldwarden::worker
