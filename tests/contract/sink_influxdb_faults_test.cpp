// What the InfluxDB sink makes of every kind of answer, and of none.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/contract/scripted_http.h"
#include "worker/sinks/influxdb/influxdb_sink.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;

const PointDirectory kPoints{
    {1, {"S", "D", "Device", "", "P", "", {BaseType::kFloat64, 0}}},
    {2, {"", "D", "Device", "", "Q", "", {BaseType::kFloat64, 0}}},
};
const UtcTime kTime{1'795'305'600s};

class InfluxdbFaults : public ::testing::Test {
  protected:
    std::unique_ptr<Sink> make(Options options = {}) {
        options.emplace("org", "my org");
        options.emplace("bucket", "b&c");
        options.emplace("token", "Secret-Token-1");
        auto sink = influxdb::make_influxdb({"influx", "influxdb", server.url(), options}, {});
        EXPECT_TRUE(sink);
        return std::move(*sink);
    }
    DeliveryOutcome deliver(Sink& sink) {
        const SampleBatch samples{{1, Quality::kGood, QualityCode::kNone, kTime, 1.5}};
        const DeliveryRecord records[]{{1, {}, samples}, {2, {}, samples}};
        return sink.deliver({records, &kPoints, 1});
    }
    DeliveryOutcome answered(ScriptedReply with) {
        set_reply(std::move(with));
        return deliver(*make());
    }
    static void expect_kept(const DeliveryOutcome& outcome, std::string_view mentions) {
        EXPECT_TRUE(outcome.verdicts.empty());
        EXPECT_FALSE(outcome.bisect);
        EXPECT_NE(outcome.reason.find(mentions), std::string::npos) << outcome.reason;
        EXPECT_EQ(outcome.reason.find("Secret-Token-1"), std::string::npos) << outcome.reason;
    }

    void set_reply(ScriptedReply next) {
        const std::lock_guard lock{mutex_};
        reply_ = std::move(next);
    }
    // Another one to requests that hold this text.
    void set_reply_to(std::string text, ScriptedReply next) {
        const std::lock_guard lock{mutex_};
        special_.emplace(std::move(text), std::move(next));
    }
    ScriptedReply reply(const SeenRequest& request) {
        const std::lock_guard lock{mutex_};
        for (const auto& [text, special] : special_) {
            if (request.body.find(text) != std::string::npos) return special;
        }
        return reply_;
    }

  private:
    std::mutex mutex_;
    ScriptedReply reply_ = http_reply(204);
    std::map<std::string, ScriptedReply> special_;

  protected:
    ScriptedHttp server{[this](const SeenRequest& request) { return reply(request); }};
};

// A delivery of several requests.
TEST_F(InfluxdbFaults, WhatWasTakenBeforeATroubleStaysTaken) {
    const auto deliver_three = [&] {
        std::vector<SampleBatch> samples;
        for (const double value : {1.25, 2.25, 3.25}) {
            samples.push_back({{1, Quality::kGood, QualityCode::kNone, kTime, value}});
        }
        const DeliveryRecord records[]{{1, {}, samples[0]}, {2, {}, samples[1]}, {3, {}, samples[2]}};
        return make({{"gzip", "false"}, {"batch_samples", "1"}})->deliver({records, &kPoints, 1});
    };
    EXPECT_EQ(deliver_three().verdicts, std::vector(3, Verdict::kAccepted));
    ASSERT_EQ(server.seen().size(), 3U);
    EXPECT_EQ(server.connections(), 1);
    set_reply_to("value=2.25", http_reply(503, "busy"));
    const auto busy = deliver_three();
    EXPECT_EQ(busy.verdicts, std::vector(1, Verdict::kAccepted));
    EXPECT_FALSE(busy.bisect);
    EXPECT_NE(busy.reason.find("503"), std::string::npos) << busy.reason;
    EXPECT_EQ(server.seen().size(), 5U) << "nothing newer goes before what is kept";
    set_reply_to("value=1.25", http_reply(400, R"({"code":"invalid","message":"no"})"));
    const auto refused = deliver_three();
    EXPECT_TRUE(refused.verdicts.empty());
    EXPECT_TRUE(refused.bisect);
}

// A record that was refused is not taken for one that waits for the server.
TEST_F(InfluxdbFaults, ARefusedRecordBeforeATroubleIsJudgedAgain) {
    const SampleBatch unknown{{77, Quality::kGood, QualityCode::kNone, kTime, 1.0}};
    const SampleBatch known{{1, Quality::kGood, QualityCode::kNone, kTime, 2.25}};
    const DeliveryRecord records[]{{1, {}, unknown}, {2, {}, known}};
    const auto sink = make({{"gzip", "false"}, {"batch_samples", "1"}});
    set_reply(http_reply(503, "busy"));
    const auto busy = sink->deliver({records, &kPoints, 1});
    EXPECT_EQ(busy.verdicts, std::vector(1, Verdict::kKeep));
    EXPECT_NE(busy.reason.find("503"), std::string::npos) << busy.reason;
    set_reply(http_reply(204));
    const auto judged = sink->deliver({records, &kPoints, 1});
    EXPECT_EQ(judged.verdicts, (std::vector{Verdict::kRejected, Verdict::kAccepted}));
    EXPECT_NE(judged.reason.find("77"), std::string::npos) << judged.reason;
}

TEST_F(InfluxdbFaults, WritesLinesWithTokenAndTarget) {
    const auto sink = make({{"gzip", "false"}, {"measurement", "a b"}});
    EXPECT_EQ(deliver(*sink).verdicts, std::vector(2, Verdict::kAccepted));
    EXPECT_EQ(deliver(*sink).verdicts, std::vector(2, Verdict::kAccepted));
    const auto seen = server.seen();
    ASSERT_EQ(seen.size(), 2U);
    EXPECT_EQ(seen[0].method, "POST");
    EXPECT_EQ(seen[0].target, "/api/v2/write?org=my%20org&bucket=b%26c&precision=ns");
    EXPECT_EQ(seen[0].headers.at("authorization"), "Token Secret-Token-1");
    EXPECT_EQ(seen[0].body,
              "a\\ b,device=D,point=P,site=S value=1.5,quality=0i 1795305600000000000\n"
              "a\\ b,device=D,point=P,site=S value=1.5,quality=0i 1795305600000000000\n");
    EXPECT_EQ(server.connections(), 1) << "the connection is used again";
}

TEST_F(InfluxdbFaults, CompressesUnlessToldOtherwise) {
    EXPECT_EQ(deliver(*make()).verdicts, std::vector(2, Verdict::kAccepted));
    const auto seen = server.seen().at(0);
    EXPECT_EQ(seen.headers.at("content-encoding"), "gzip");
    std::string text(1 << 16, '\0');
    z_stream stream{};
    ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    auto packed = seen.body;
    stream.next_in = reinterpret_cast<Bytef*>(packed.data());
    stream.avail_in = static_cast<uInt>(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(text.data());
    stream.avail_out = static_cast<uInt>(text.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    text.resize(stream.total_out);
    inflateEnd(&stream);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST_F(InfluxdbFaults, HalvesWhatIsRefused) {
    for (const int status : {400, 413, 422}) {
        const auto outcome =
            answered(http_reply(status, R"({"code":"invalid","message":"field type conflict\nline 1"})"));
        EXPECT_TRUE(outcome.bisect) << status;
        EXPECT_TRUE(outcome.verdicts.empty()) << status;
        EXPECT_NE(outcome.reason.find(fmt::format("status {}", status)), std::string::npos) << outcome.reason;
        EXPECT_NE(outcome.reason.find("field type conflict line 1"), std::string::npos) << outcome.reason;
    }
}

TEST_F(InfluxdbFaults, KeepsWhatConfigurationOrLoadStandsAgainst) {
    expect_kept(answered(http_reply(401, R"({"message":"unauthorized Secret-Token-1"})")), "option token");
    expect_kept(answered(http_reply(403)), "write access");
    expect_kept(answered(http_reply(404, R"({"message":"bucket \"b\" not found"})")), "bucket");
    expect_kept(answered(http_reply(301, "", "Location: http://127.0.0.1:1/\r\n")), "redirects");
    expect_kept(answered(http_reply(418)), "status 418");
    expect_kept(answered(http_reply(500, "<html>\x01 broken </html>")), "has failed");
    EXPECT_EQ(server.seen().size(), 6U) << "no redirect was followed, nothing was tried twice";
}

TEST_F(InfluxdbFaults, WaitsAsLongAsItIsAskedTo) {
    const auto busy = answered(http_reply(429, "", "Retry-After: 7\r\n"));
    expect_kept(busy, "less often");
    EXPECT_EQ(busy.retry_after, 7s);
    const auto for_ever = answered(http_reply(503, "", "Retry-After: 999999999\r\n"));
    expect_kept(for_ever, "not ready");
    EXPECT_EQ(for_ever.retry_after, 600s);
    const auto dated = answered(http_reply(503, "", "Retry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n"));
    EXPECT_EQ(dated.retry_after, 600s);
    EXPECT_EQ(answered(http_reply(503, "", "Retry-After: soon\r\n")).retry_after, std::nullopt);
    EXPECT_EQ(answered(http_reply(503)).retry_after, std::nullopt);
    // What one answer asked for is forgotten with the next.
    const auto sink = make();
    set_reply(http_reply(429, "", "Retry-After: 7\r\n"));
    EXPECT_EQ(deliver(*sink).retry_after, 7s);
    set_reply(http_reply(503));
    EXPECT_EQ(deliver(*sink).retry_after, std::nullopt);
}

TEST_F(InfluxdbFaults, KeepsWhatWasNotAnsweredWhole) {
    using Then = ScriptedReply::Then;
    expect_kept(answered({"", Then::kClose}), "influxdb 127.0.0.1");
    expect_kept(answered({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Then::kClose}), "influxdb");
    expect_kept(answered({"HTTP/1.1 20", Then::kClose}), "influxdb");
    expect_kept(answered({"SSH-2.0-OpenSSH_9.2\r\n", Then::kClose}), "influxdb");
    server.stop();
    expect_kept(deliver(*make()), "influxdb");
}

TEST_F(InfluxdbFaults, ReadsNoEndlessAnswer) {
    const auto outcome = answered(
        {"HTTP/1.1 500 Broken\r\nTransfer-Encoding: identity\r\n\r\n", ScriptedReply::Then::kGoOnForEver});
    expect_kept(outcome, "status 500");
    EXPECT_LT(outcome.reason.size(), 1'000U);
}

TEST_F(InfluxdbFaults, ASilentServerIsGivenUpAfterTheTimeout) {
    set_reply({"HTTP/1.1 204 No", ScriptedReply::Then::kHang});
    expect_kept(deliver(*make({{"timeout_ms", "150"}})), "influxdb");
}

TEST_F(InfluxdbFaults, AHangEndsWithAnInterrupt) {
    set_reply({"", ScriptedReply::Then::kHang});
    const auto sink = make({{"timeout_ms", "600000"}});
    std::thread other{[&] {
        while (!server.hanging()) std::this_thread::yield();
        sink->interrupt();
    }};
    expect_kept(deliver(*sink), "stopping");
    other.join();
}

TEST_F(InfluxdbFaults, GoesOnAfterTheConnectionWasCut) {
    const auto sink = make();
    EXPECT_EQ(deliver(*sink).verdicts.size(), 2U);
    server.stop();
    expect_kept(deliver(*sink), "influxdb");
    server.start();
    EXPECT_EQ(deliver(*sink).verdicts.size(), 2U);
}

TEST_F(InfluxdbFaults, RejectsTheRecordWithANamelessPointAndWritesTheRest) {
    const auto sink = make({{"gzip", "false"}});
    const SampleBatch mixed{{1, Quality::kGood, QualityCode::kNone, kTime, 1.5},
                            {99, Quality::kGood, QualityCode::kNone, kTime, 1.5}};
    const SampleBatch good{{2, Quality::kBad, QualityCode::kTimeout, kTime, std::monostate{}}};
    const DeliveryRecord records[]{{1, {}, mixed}, {2, {}, good}};
    const auto outcome = sink->deliver({records, &kPoints, 1});
    EXPECT_EQ(outcome.verdicts, (std::vector{Verdict::kRejected, Verdict::kAccepted}));
    EXPECT_NE(outcome.reason.find("99"), std::string::npos);
    EXPECT_EQ(server.seen().at(0).body,
              "points,device=D,point=P,site=S value=1.5,quality=0i 1795305600000000000\n"
              "points,device=D,point=Q quality=2i 1795305600000000000\n");
}

TEST_F(InfluxdbFaults, ProbeSaysWhatItCouldNotDo) {
    set_reply(http_reply(401));
    const auto refused = make()->probe();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("token"), std::string::npos) << refused.error().message;
}

// The part of InfluxDB 2 that the probe uses, after its documentation.
TEST(SinkInfluxdbProbe, WritesReadsAndDeletesWithInfluxdb) {
    std::string mark;
    bool deleted = false;
    ScriptedHttp server{[&](const SeenRequest& request) {
        if (request.target.starts_with("/api/v2/write?")) {
            mark = request.body.substr(request.body.find("mark=") + 5);
            mark = mark.substr(0, mark.find(' '));
            return http_reply(204);
        }
        if (request.target == "/api/v2/query?org=o") {
            EXPECT_EQ(request.headers.at("content-type"), "application/vnd.flux");
            EXPECT_NE(request.body.find(R"(bucket: "q\"b")"), std::string::npos) << request.body;
            return http_reply(200, ",result,table,_value,mark\r\n,_result,0,42," + mark + "\r\n");
        }
        if (request.target == "/api/v2/delete?org=o&bucket=q%22b") {
            const auto body = nlohmann::json::parse(request.body);
            EXPECT_EQ(body.at("predicate"),
                      fmt::format(R"(_measurement="fieldwarden_probe" AND mark="{}")", mark));
            deleted = body.contains("start") && body.contains("stop");
            return http_reply(204);
        }
        return http_reply(404);
    }};
    auto sink =
        influxdb::make_influxdb({"influx", "influxdb", server.url(), {{"org", "o"}, {"bucket", "q\"b"}}}, {});
    ASSERT_TRUE(sink);
    const auto said = (*sink)->probe();
    ASSERT_TRUE(said) << said.error().message;
    EXPECT_EQ(*said, "wrote a record of measurement fieldwarden_probe, read it back, removed it");
    EXPECT_TRUE(deleted);
}

TEST_F(InfluxdbFaults, TakesUserAndPasswordFromTheUrlAndTellsNobody) {
    const auto port = server.url().substr(server.url().rfind(':'));
    auto sink =
        influxdb::make_influxdb({"influx", "influxdb", "http://me:pass-word@127.0.0.1" + port, {}}, {});
    ASSERT_TRUE(sink);
    set_reply(http_reply(500, "no pass-word for you"));
    const auto outcome = deliver(**sink);
    EXPECT_EQ(server.seen().at(0).headers.at("authorization"), "Basic bWU6cGFzcy13b3Jk");
    EXPECT_EQ(outcome.reason.find("pass-word"), std::string::npos) << outcome.reason;
    server.stop();
    EXPECT_EQ(deliver(**sink).reason.find("pass-word"), std::string::npos);
}

TEST(SinkInfluxdbMake, RefusesWhatCannotWork) {
    const auto refused = [](const std::string& url, Options options) {
        return !influxdb::make_influxdb({"influx", "influxdb", url, std::move(options)}, {});
    };
    EXPECT_FALSE(refused("http://host:8086", {}));
    EXPECT_FALSE(refused("https://[::1]:8086/base/", {}));
    EXPECT_TRUE(refused("http://", {}));
    EXPECT_TRUE(refused("http://host:port", {}));
    EXPECT_TRUE(refused("http://host:8086?db=x", {}));
    EXPECT_TRUE(refused("http://host:8086/#x", {}));
    EXPECT_TRUE(refused("http://host", {{"measurement", "#x"}}));
    EXPECT_TRUE(refused("http://host", {{"token", "a\r\nX-Other: b"}}));
}

}  // namespace
}  // namespace fieldwarden::worker
