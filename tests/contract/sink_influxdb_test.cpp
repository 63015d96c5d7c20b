// The InfluxDB sink against VictoriaMetrics, which takes the same writes but keeps numbers alone: texts are
// not stored (its other half, answers that VictoriaMetrics never gives, is sink_influxdb_faults_test.cpp).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/sink_options.h"
#include "tests/contract/sink_contract.h"
#include "tests/unit/common/server_process.h"
#include "worker/sinks/http/http_client.h"
#include "worker/sinks/influxdb/influxdb_sink.h"

namespace fieldwarden::worker {
namespace {

class VictoriaMetricsStore : public SinkUnderTest {
  public:
    explicit VictoriaMetricsStore(bool gzip, Options options = {}) : options_(std::move(options)) {
        options_["gzip"] = gzip ? "true" : "false";
        options_["org"] = "plant";
        options_["bucket"] = "points";
        server_.start();
    }
    ServerProcess& server() { return server_; }

    std::unique_ptr<Sink> make() override {
        auto sink = make_sink(config(), {});  // in its module
        EXPECT_TRUE(sink) << sink.error().message;
        return std::move(*sink);
    }

    std::vector<StoredSample> contents() override {
        std::map<std::pair<std::int64_t, std::string>, StoredSample> stored;
        each("points_value", [&](const std::string& point, std::int64_t ms, double value) {
            stored[{ms, point}] = {point, UtcTime{std::chrono::milliseconds{ms}}, value, Quality::kGood};
        });
        each("points_quality", [&](const std::string& point, std::int64_t ms, double value) {
            const auto found = stored.find({ms, point});
            if (found != stored.end()) found->second.quality = static_cast<Quality>(static_cast<int>(value));
        });
        // Nothing else may be there: not the probe's record either.
        each("", [&](const std::string& point, std::int64_t, double) { EXPECT_FALSE(point.empty()); });
        std::vector<StoredSample> all;
        for (auto& [key, sample] : stored) all.push_back(std::move(sample));
        return all;
    }

    void break_store(bool broken) override {
        // Stopped, not killed: it says yes before what it took is on disk.
        if (broken) {
            server_.stop();
        } else {
            server_.start();
        }
    }
    [[nodiscard]] bool keeps_text() const override { return false; }

  private:
    [[nodiscard]] SinkConfig config() const {
        return {"vm", "influxdb", fmt::format("http://127.0.0.1:{}/", server_.port()), options_};
    }
    // Every value of the series of that name, or of all series.
    void each(const std::string& name,
              const std::function<void(const std::string&, std::int64_t, double)>& see) {
        auto http = HttpClient::make(config());
        ASSERT_TRUE(http);
        ASSERT_TRUE((*http)->perform({.target = "/internal/force_flush", .post = false}));
        const auto selector = name.empty() ? R"({__name__!=""})" : fmt::format(R"({{__name__="{}"}})", name);
        const auto answer = (*http)->perform({.target = "/api/v1/export?match[]=" + percent_encoded(selector),
                                              .post = false,
                                              .answer_limit = 1 << 20});
        ASSERT_TRUE(answer);
        std::istringstream lines{answer->body};
        for (std::string line; std::getline(lines, line);) {
            const auto series = nlohmann::json::parse(line);
            const auto point = series["metric"].value("point", "");
            if (!point.empty()) {
                EXPECT_EQ(series["metric"].value("device", ""), "DEV");
                EXPECT_EQ(series["metric"].value("site", ""), "SITE");
            }
            for (std::size_t i = 0; i < series["values"].size(); ++i) {
                see(point, series["timestamps"][i], series["values"][i]);
            }
        }
    }

    Options options_;
    ServerProcess server_{{"victoria-metrics", "-storageDataPath", "{dir}/data", "-httpListenAddr",
                           "127.0.0.1:{port}", "-dedup.minScrapeInterval=1ms", "-retentionPeriod=100y",
                           "-loggerLevel=ERROR"}};
};

INSTANTIATE_TEST_SUITE_P(
    Influxdb, SinkContract,
    ::testing::Values(
        SinkCase{"victoria_metrics", [] { return std::make_unique<VictoriaMetricsStore>(false); }},
        SinkCase{"victoria_metrics_gzip", [] { return std::make_unique<VictoriaMetricsStore>(true); }}),
    [](const auto& param) { return param.param.name; });

TEST(SinkInfluxdb, AFrozenServerIsWaitedForAndNotForEver) {
    VictoriaMetricsStore store{true, {{"timeout_ms", "300"}}};
    const auto sink = store.make();
    const PointDirectory points{{1, {"SITE", "DEV", "", "", "P", "", {BaseType::kFloat64, 0}}}};
    const SampleBatch samples{
        {1, Quality::kGood, QualityCode::kNone, UtcTime{std::chrono::seconds{1'795'305'600}}, 1.5}};
    const DeliveryRecord record{1, {}, samples};
    store.server().freeze();
    const auto kept = sink->deliver({{&record, 1}, &points, 1});
    EXPECT_TRUE(kept.verdicts.empty());
    EXPECT_FALSE(kept.reason.empty());
    store.server().thaw();
    // It may have taken what it had read already; the second write changes nothing.
    EXPECT_EQ(sink->deliver({{&record, 1}, &points, 1}).verdicts, std::vector(1, Verdict::kAccepted));
    EXPECT_EQ(store.contents().size(), 1U);
}

// TLS with a certificate of the test's own for 127.0.0.1.
TEST(SinkInfluxdb, ChecksTheServersCertificate) {
    ServerProcess tls{{"victoria-metrics", "-storageDataPath", "{dir}/data", "-httpListenAddr",
                       "127.0.0.1:{port}", "-tls", "-tlsCertFile", "{dir}/cert.pem", "-tlsKeyFile",
                       "{dir}/key.pem", "-loggerLevel=ERROR"}};
    tls.start([&] {
        ASSERT_EQ(tls.run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                           "-nodes", "-days", "2", "-subj", "/CN=fieldwarden test", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout", tls.file("key.pem"), "-out",
                           tls.file("cert.pem")}),
                  0);
    });
    const auto opened = [&](Options options) {
        auto sink = influxdb::make_influxdb(
            {"vm", "influxdb", fmt::format("https://127.0.0.1:{}", tls.port()), std::move(options)}, {});
        EXPECT_TRUE(sink);
        return (*sink)->open();
    };
    const auto stranger = opened({});
    ASSERT_FALSE(stranger);
    EXPECT_NE(stranger.error().message.find("certificate"), std::string::npos) << stranger.error().message;
    const auto trusted = opened({{"ca_file", tls.file("cert.pem")}});
    EXPECT_TRUE(trusted) << trusted.error().message;
    EXPECT_TRUE(opened({{"verify", "false"}}));
}

// A server that asks its clients for a certificate.
TEST(SinkInfluxdb, ShowsItsOwnCertificate) {
    ServerProcess tls{{"openssl", "s_server", "-accept", "127.0.0.1:{port}", "-cert", "{dir}/cert.pem",
                       "-key", "{dir}/key.pem", "-CAfile", "{dir}/cert.pem", "-Verify", "1",
                       "-verify_return_error", "-www", "-quiet"}};
    tls.start([&] {
        ASSERT_EQ(tls.run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                           "-nodes", "-days", "2", "-subj", "/CN=fieldwarden test", "-addext",
                           "subjectAltName=IP:127.0.0.1", "-keyout", tls.file("key.pem"), "-out",
                           tls.file("cert.pem")}),
                  0);
    });
    const auto opened = [&](Options options) {
        options.emplace("ca_file", tls.file("cert.pem"));
        auto sink = influxdb::make_influxdb(
            {"vm", "influxdb", fmt::format("https://127.0.0.1:{}", tls.port()), std::move(options)}, {});
        EXPECT_TRUE(sink);
        return (*sink)->open();
    };
    EXPECT_FALSE(opened({}));
    const auto known = opened({{"cert_file", tls.file("cert.pem")}, {"key_file", tls.file("key.pem")}});
    EXPECT_TRUE(known) << known.error().message;
}

TEST(SinkInfluxdb, SaysHowItProbedAServerWithoutFlux) {
    VictoriaMetricsStore store{true};
    const auto said = store.make()->probe();
    ASSERT_TRUE(said) << said.error().message;
    EXPECT_NE(said->find("read it back"), std::string::npos) << *said;
    EXPECT_NE(said->find("removed it"), std::string::npos) << *said;
}

}  // namespace
}  // namespace fieldwarden::worker
