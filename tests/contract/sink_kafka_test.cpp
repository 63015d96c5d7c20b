// The Kafka sink against librdkafka's mock cluster (kafka_mock_broker.cpp), read back by kcat.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>

#include "common/clock.h"
#include "proto/shapes.h"
#include "tests/contract/sink_contract.h"
#include "tests/unit/common/server_process.h"
#include "worker/sinks/kafka/kafka_sink.h"

namespace fieldwarden::worker {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr const char* kTopic = "fieldwarden.points";
// Kinds of requests (Kafka protocol guide, "API Keys").
constexpr int kProduce = 0;
constexpr int kInitProducerId = 22;
constexpr int kAddPartitionsToTxn = 24;
constexpr int kAddOffsetsToTxn = 25;
constexpr int kEndTxn = 26;
constexpr int kTxnOffsetCommit = 28;

class KafkaServer {
  public:
    KafkaServer() { server_.start(); }
    ServerProcess& process() { return server_; }

    void command(const std::string& line) const {
        const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(control_));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ASSERT_EQ(write(fd, (line + "\n").data(), line.size() + 1), static_cast<ssize_t>(line.size() + 1));
        char answer = 0;
        ASSERT_EQ(read(fd, &answer, 1), 1);
        close(fd);
    }

    Result<std::unique_ptr<Sink>> make(Options options = {}) const {
        options.emplace("timeout_ms", "4000");
        return kafka::make_kafka_sink(
            {"kf", "kafka", fmt::format("kafka://127.0.0.1:{}", server_.port()), options},
            {"", "TASK", {}, {}});
    }

    // What kcat prints for every message in that format, one line each.
    std::vector<std::string> lines(const std::string& format) const {
        std::string out;
        EXPECT_EQ(server_.run({"kcat", "-C", "-q", "-e", "-o", "beginning", "-b",
                               fmt::format("127.0.0.1:{}", server_.port()), "-t", kTopic, "-X",
                               "isolation.level=read_committed", "-f", format + "\\n"},
                              "", &out),
                  0);
        std::vector<std::string> all;
        std::stringstream text{out};
        for (std::string line; std::getline(text, line);) all.push_back(line);
        return all;
    }

  private:
    int control_ = free_port();
    ServerProcess server_{{KAFKA_MOCK_BROKER, "{port}", std::to_string(control_), kTopic}};
};

class KafkaStore : public SinkUnderTest {
  public:
    std::unique_ptr<Sink> make() override {
        auto sink = server_.make();
        EXPECT_TRUE(sink) << sink.error().message;
        return std::move(*sink);
    }
    std::vector<StoredSample> contents() override {
        std::vector<StoredSample> stored;
        for (const auto& line : server_.lines("%s")) {
            const auto object = json::parse(line);
            StoredSample sample;
            sample.point_code = object.at("point");
            sample.time = *parse_rfc3339(std::string{object.at("timestamp")});
            const auto& value = object.at("value");
            if (value.is_string()) sample.value = value.get<std::string>();
            if (value.is_number()) sample.value = value.get<double>();
            sample.quality = *from_name<Quality>(std::string{object.at("quality")});
            stored.push_back(std::move(sample));
        }
        std::sort(stored.begin(), stored.end(), [](const auto& a, const auto& b) {
            return std::tie(a.time, a.point_code) < std::tie(b.time, b.point_code);
        });
        return stored;
    }
    void break_store(bool broken) override { server_.command(broken ? "down" : "up"); }

  private:
    KafkaServer server_;
};

INSTANTIATE_TEST_SUITE_P(Kafka, SinkContract,
                         ::testing::Values(SinkCase{"kafka", [] { return std::make_unique<KafkaStore>(); }}),
                         [](const auto& param) { return param.param.name; });

class KafkaSinkTest : public ::testing::Test {
  protected:
    KafkaSinkTest() {
        for (PointId id = 1; id <= 4; ++id) {
            points_[id] = {"S", id <= 2 ? "D1" : "D2",  "", "", fmt::format("P{}", id),
                           "",  {BaseType::kFloat64, 0}};
        }
    }
    // Records `first` to `last`, one sample of each of these points.
    void fill(std::uint64_t first, std::uint64_t last, std::initializer_list<PointId> ids = {1}) {
        samples_.clear();
        records_.clear();
        for (auto seq = first; seq <= last; ++seq) {
            auto& scan = samples_.emplace_back();
            for (const auto id : ids) {
                scan.push_back({id, Quality::kGood, QualityCode::kNone,
                                UtcTime{1'790'000'000s + std::chrono::milliseconds{seq}}, double(seq)});
            }
        }
        for (std::size_t i = 0; i < samples_.size(); ++i) records_.push_back({first + i, {}, samples_[i]});
    }
    DeliveryBatch batch() const { return {records_, &points_, 1}; }
    std::unique_ptr<Sink> sink(Options options = {}) {
        auto made = server_.make(std::move(options));
        EXPECT_TRUE(made) << made.error().message;
        return std::move(*made);
    }
    void accepts(Sink& sink) {
        const auto outcome = sink.deliver(batch());
        EXPECT_EQ(outcome.verdicts, std::vector(records_.size(), Verdict::kAccepted)) << outcome.reason;
    }
    DeliveryOutcome keeps(Sink& sink) {
        auto outcome = sink.deliver(batch());
        EXPECT_EQ(outcome.verdicts, std::vector(records_.size(), Verdict::kKeep));
        EXPECT_FALSE(outcome.bisect) << outcome.reason;
        EXPECT_FALSE(outcome.reason.empty());
        return outcome;
    }
    // The sequence numbers in the topic, sorted.
    std::vector<int> stored() const {
        std::vector<int> all;
        for (const auto& line : server_.lines("%h")) {
            const auto at = line.find("seq=");
            all.push_back(std::stoi(line.substr(at + 4)));
        }
        std::sort(all.begin(), all.end());
        return all;
    }

    KafkaServer server_;
    PointDirectory points_;
    std::vector<SampleBatch> samples_;
    std::vector<DeliveryRecord> records_;
};

TEST_F(KafkaSinkTest, MessagesCarryKeyTimeAndPlace) {
    fill(7, 7, {1, 3, 2});
    accepts(*sink());
    auto lines = server_.lines("%k %T %h");
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (std::vector<std::string>{"D1 1790000000007 task=TASK,seq=7,n=0",
                                               "D1 1790000000007 task=TASK,seq=7,n=2",
                                               "D2 1790000000007 task=TASK,seq=7,n=1"}));
}

TEST_F(KafkaSinkTest, LinesMakeOneMessageOfADeviceAndRecord) {
    fill(7, 8, {1, 3, 2});
    accepts(*sink({{"format", "json_lines"}, {"kafka.compression.type", "gzip"}}));
    auto lines = server_.lines("%k %h");
    std::sort(lines.begin(), lines.end());
    EXPECT_EQ(lines, (std::vector<std::string>{"D1 task=TASK,seq=7,n=0", "D1 task=TASK,seq=8,n=0",
                                               "D2 task=TASK,seq=7,n=1", "D2 task=TASK,seq=8,n=1"}));
    EXPECT_EQ(server_.lines("%s").size(), 6U) << "one object per line";
}

TEST_F(KafkaSinkTest, AProcessThatComesWithOldRecordsRepeatsNothing) {
    fill(1, 5);
    {
        const auto first = sink();
        accepts(*first);
    }
    fill(3, 9);
    const auto second = sink();
    accepts(*second);
    accepts(*second);
    EXPECT_EQ(stored(), (std::vector{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(KafkaSinkTest, DeadLettersAreTakenAlthoughTheirNumbersAreOld) {
    fill(1, 5);
    const auto writer = sink();
    accepts(*writer);
    fill(3, 3);
    auto letters = batch();
    letters.again = true;
    EXPECT_EQ(writer->deliver(letters).verdicts, std::vector{Verdict::kAccepted});
    EXPECT_EQ(stored(), (std::vector{1, 2, 3, 3, 4, 5}));
    // The place in the numbers is what it was, here and in the next process.
    fill(5, 6);
    accepts(*writer);
    accepts(*sink());
    EXPECT_EQ(stored(), (std::vector{1, 2, 3, 3, 4, 5, 6}));
}

TEST_F(KafkaSinkTest, ACommitWhoseAnswerIsLostIsNotRepeated) {
    fill(1, 2);
    const auto first = sink({{"timeout_ms", "600000"}});
    accepts(*first);
    fill(3, 4);
    server_.command(fmt::format("swallow {}", kEndTxn));
    auto stuck = std::async(std::launch::async, [&] { return keeps(*first); });
    server_.command("await");
    first->interrupt();
    EXPECT_NE(stuck.get().reason.find("interrupted"), std::string::npos);
    // The same process and another one.
    accepts(*first);
    accepts(*sink());
    EXPECT_EQ(stored(), (std::vector{1, 2, 3, 4}));
}

TEST_F(KafkaSinkTest, AConnectionCutBeforeAnAnswerLosesAndRepeatsNothing) {
    const auto writer = sink();
    int seq = 0;
    for (const int api :
         {kInitProducerId, kAddPartitionsToTxn, kProduce, kAddOffsetsToTxn, kTxnOffsetCommit, kEndTxn}) {
        ++seq;
        fill(static_cast<std::uint64_t>(seq), static_cast<std::uint64_t>(seq));
        server_.command(fmt::format("cut {}", api));
        accepts(*writer);
        server_.command("await");
    }
    EXPECT_EQ(stored(), (std::vector{1, 2, 3, 4, 5, 6}));
}

TEST_F(KafkaSinkTest, ErrorsOfTheServerAreWaitedOut) {
    const auto writer = sink();
    fill(1, 1);
    // 6 and 7: not the leader, timed out; 15 and 16: no coordinator.
    server_.command(fmt::format("errors {} 6 7", kProduce));
    server_.command(fmt::format("errors {} 15 16", kInitProducerId));
    accepts(*writer);
    EXPECT_EQ(stored(), std::vector{1});
}

TEST_F(KafkaSinkTest, ARefusedMessageIsFoundByBisection) {
    fill(1, 3);
    samples_[1][0].value = std::string(3'000'000, 'x');
    const auto writer = sink();
    const auto outcome = writer->deliver(batch());
    EXPECT_TRUE(outcome.bisect) << outcome.reason;
    EXPECT_EQ(outcome.verdicts, std::vector(3, Verdict::kKeep));
    const auto alone = [&](std::size_t i) {
        return writer->deliver({std::span{records_}.subspan(i, 1), &points_, 1});
    };
    EXPECT_EQ(alone(0).verdicts, std::vector(1, Verdict::kAccepted));
    EXPECT_TRUE(alone(1).bisect);
    EXPECT_EQ(alone(2).verdicts, std::vector(1, Verdict::kAccepted));
    // 10: the server itself finds it too large.
    fill(4, 4);
    server_.command(fmt::format("errors {} 10", kProduce));
    EXPECT_TRUE(writer->deliver(batch()).bisect);
    const auto seqs = stored();
    EXPECT_TRUE(std::ranges::count(seqs, 3) == 1 && std::ranges::count(seqs, 2) == 0);
}

TEST_F(KafkaSinkTest, AFencedProducerIsReplaced) {
    const auto writer = sink();
    fill(1, 1);
    accepts(*writer);
    fill(2, 2);
    // 47: invalid producer epoch.
    server_.command(fmt::format("errors {} 47", kEndTxn));
    keeps(*writer);
    fill(3, 3);
    accepts(*writer);
    EXPECT_EQ(stored().back(), 3);
}

TEST_F(KafkaSinkTest, MissingRightsAreSaidAtOnce) {
    const auto writer = sink({{"timeout_ms", "600000"}});
    fill(1, 1);
    // 53: transactional id, 29: topic.
    server_.command(fmt::format("errors {} 53", kInitProducerId));
    EXPECT_NE(keeps(*writer).reason.find("transactional id"), std::string::npos);
    server_.command(fmt::format("errors {} 29", kProduce));
    EXPECT_NE(keeps(*writer).reason.find("WRITE and DESCRIBE on the topic"), std::string::npos);
}

TEST_F(KafkaSinkTest, AFrozenServerEndsByInterruptOrTimeout) {
    fill(1, 1);
    const auto patient = sink({{"timeout_ms", "600000"}});
    accepts(*patient);
    server_.process().freeze();
    fill(2, 2);
    auto stuck = std::async(std::launch::async, [&] { return keeps(*patient); });
    EXPECT_EQ(stuck.wait_for(100ms), std::future_status::timeout);
    patient->interrupt();
    EXPECT_NE(stuck.get().reason.find("interrupted"), std::string::npos);
    // Now while signing in.
    auto opening = std::async(std::launch::async, [&] { return keeps(*patient); });
    EXPECT_EQ(opening.wait_for(100ms), std::future_status::timeout);
    patient->interrupt();
    opening.get();
    const auto impatient = sink({{"timeout_ms", "300"}});
    EXPECT_NE(keeps(*impatient).reason.find("not done within 300ms"), std::string::npos);
    server_.process().thaw();
    accepts(*patient);
    EXPECT_EQ(stored().back(), 2);
}

TEST_F(KafkaSinkTest, AServerThatIsNotThereIsNamed) {
    fill(1, 1);
    const auto writer = sink({{"timeout_ms", "700"}});
    server_.command("down");
    const auto reason = keeps(*writer).reason;
    EXPECT_NE(reason.find("Connection refused"), std::string::npos) << reason;
    EXPECT_FALSE(writer->open());
    EXPECT_FALSE(writer->probe());
    server_.command("up");
    accepts(*sink());
    EXPECT_EQ(stored(), std::vector{1});
}

TEST_F(KafkaSinkTest, WithoutTransactionsRecordsAreJudgedOneByOne) {
    fill(1, 3);
    samples_[1][0].value = std::string(3'000'000, 'x');
    const auto writer = sink({{"exactly_once", "false"}});
    const auto outcome = writer->deliver(batch());
    EXPECT_EQ(outcome.verdicts, (std::vector{Verdict::kAccepted, Verdict::kRejected, Verdict::kAccepted}))
        << outcome.reason;
    EXPECT_FALSE(outcome.bisect);
    EXPECT_EQ(stored(), (std::vector{1, 3}));
    server_.command("down");
    fill(4, 4);
    keeps(*writer);
    server_.command("up");
    accepts(*writer);
    EXPECT_EQ(stored(), (std::vector{1, 3, 4}));
}

TEST_F(KafkaSinkTest, LogLinesAndReasonsAreTakenInAndHoldNoSecrets) {
    std::mutex mutex;
    std::string log;
    const auto say = [&](proto::LogLevel, std::string line) {
        const std::lock_guard lock{mutex};
        log += line + "\n";
    };
    // The mock knows no SASL: it ends the connection.
    auto made = kafka::make_kafka_sink({"kf",
                                        "kafka",
                                        fmt::format("kafka://127.0.0.1:{}", server_.process().port()),
                                        {{"timeout_ms", "1500"},
                                         {"kafka.security.protocol", "sasl_plaintext"},
                                         {"kafka.sasl.mechanism", "PLAIN"},
                                         {"kafka.sasl.username", "writer"},
                                         {"kafka.sasl.password", "geheim"},
                                         {"kafka.debug", "all"}}},
                                       {"", "TASK", {}, say});
    ASSERT_TRUE(made) << made.error().message;
    fill(1, 1);
    const auto reason = keeps(**made).reason;
    EXPECT_EQ(reason.find("geheim"), std::string::npos) << reason;
    const auto probed = (*made)->probe();
    ASSERT_FALSE(probed);
    EXPECT_EQ(probed.error().message.find("geheim"), std::string::npos);
    made->reset();
    EXPECT_NE(log.find("librdkafka: "), std::string::npos);
    EXPECT_EQ(log.find("geheim"), std::string::npos);
    EXPECT_NE(reason.find("_AUTHENTICATION"), std::string::npos) << reason;
}

TEST(KafkaSinkMake, NamesWhatDoesNotFit) {
    const auto refusal = [](const Options& options, const std::string& url = "kafka://h:9092") {
        const auto made = kafka::make_kafka_sink({"kf", "kafka", url, options}, {"", "TASK", {}, {}});
        EXPECT_FALSE(made);
        if (made) return std::string{};
        EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
        return made.error().message;
    };
    EXPECT_NE(refusal({{"kafka.no.such", "1"}}).find("no.such"), std::string::npos);
    EXPECT_NE(refusal({{"kafka.compression.type", "best"}}).find("compression.type"), std::string::npos);
    EXPECT_NE(refusal({{"kafka.max.in.flight.requests.per.connection", "100"}}).find("max.in.flight"),
              std::string::npos);
    for (const char* ours : {"kafka.group.id", "kafka.bootstrap.servers", "kafka.plugin.library.paths",
                             "kafka.delivery.report.only.error"})
        EXPECT_NE(refusal({{ours, "x"}}).find(ours), std::string::npos);
    EXPECT_NE(refusal({{"topic", "a b"}}).find("topic"), std::string::npos);
    EXPECT_EQ(refusal({{"kafka.sasl.password", "geheim"}, {"kafka.sasl.pass", "x"}}).find("geheim"),
              std::string::npos);
    EXPECT_EQ(refusal({}, "kafka://u:geheim@h:1").find("geheim"), std::string::npos);
    EXPECT_TRUE(kafka::make_kafka_sink({"kf", "kafka", "kafka://a:1,b:2/", {}}, {"", "TASK", {}, {}}));
    const auto from_module = make_sink({"kf", "kafka", "kafka://a:1,b:2", {}}, {"", "TASK", {}, {}});
    EXPECT_TRUE(from_module) << from_module.error().message;
}

}  // namespace
}  // namespace fieldwarden::worker
