#include <gtest/gtest.h>

#include "worker/sinks/kafka/messages.h"
#include "worker/sinks/kafka/settings.h"
#include "worker/sinks/kafka/trouble.h"

namespace fieldwarden::worker::kafka {
namespace {

const PointDirectory& points() {
    static const PointDirectory all{
        {1, {"S", "D1", "", "", "P1", "", {BaseType::kFloat64, 0}}},
        {2, {"S", "D2", "", "", "P2", "", {BaseType::kFloat64, 0}}},
        {3, {"S", "D1", "", "", "P3", "", {BaseType::kFloat64, 0}}},
    };
    return all;
}

Sample sample(PointId point, std::int64_t micros, Value value = 1.0) {
    return {point, Quality::kGood, QualityCode::kNone, UtcTime{std::chrono::microseconds{micros}},
            std::move(value)};
}

std::vector<Message> messages_of(const SampleBatch& samples, bool lines, bool named = true) {
    const DeliveryRecord record{42, {}, samples};
    std::vector<Message> out(1);  // something is there already
    MessageWriter writer;
    EXPECT_EQ(writer.append(out, {{&record, 1}, &points(), 1}, 0, lines), named);
    out.erase(out.begin());
    return out;
}

TEST(KafkaMessages, OnePerSample) {
    const auto all = messages_of({sample(1, 1'999), sample(2, 2'000), sample(3, 3'000)}, false);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].key, "D1");
    EXPECT_EQ(all[1].key, "D2");
    EXPECT_EQ(
        all[0].value,
        R"({"site":"S","device":"D1","point":"P1","timestamp":"1970-01-01T00:00:00.001999Z","value":1.0,)"
        R"("quality":"good"})");
    EXPECT_EQ(all[0].time_ms, 1);
    EXPECT_EQ(all[2].n, 2U);
    EXPECT_EQ(all[2].seq, 42U);
}

TEST(KafkaMessages, OnePerDeviceAsLines) {
    const auto all = messages_of({sample(1, 5'000), sample(2, 6'000), sample(3, 7'000)}, true);
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].time_ms, 5);
    EXPECT_EQ(std::count(all[0].value.begin(), all[0].value.end(), '\n'), 1);
    EXPECT_NE(all[0].value.find("\"P3\""), std::string::npos);
    EXPECT_EQ(all[1].key, "D2");
    EXPECT_EQ(all[1].n, 1U);
}

TEST(KafkaMessages, LinesOfALargeScanAreSeveralMessages) {
    SampleBatch scan;
    for (int i = 0; i < 20'000; ++i) scan.push_back(sample(i % 2 == 0 ? 1 : 2, i));
    const auto all = messages_of(scan, true);
    std::ptrdiff_t lines = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_LT(all[i].value.size(), 600'000U);
        EXPECT_EQ(all[i].n, i);
        lines += 1 + std::count(all[i].value.begin(), all[i].value.end(), '\n');
    }
    EXPECT_EQ(lines, 20'000);
    EXPECT_GT(all.size(), 2U);
    EXPECT_LT(all.size(), 10U);
}

TEST(KafkaMessages, ARecordWithANamelessPointLeavesNothingBehind) {
    for (const bool lines : {false, true}) {
        EXPECT_TRUE(messages_of({sample(1, 1), sample(9, 1)}, lines, false).empty());
    }
    EXPECT_TRUE(messages_of({}, false).empty());
}

TEST(KafkaMessages, TimesBefore1970AreNotAKafkaTimestamp) {
    EXPECT_EQ(messages_of({sample(1, -1)}, false)[0].time_ms, 0);
}

TEST(KafkaTrouble, SaysWhatBecomesOfTheData) {
    for (const auto data : {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP,
                            RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE}) {
        EXPECT_EQ(trouble_of(data), Trouble::kData);
    }
    for (const auto access : {RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                              RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
                              RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED}) {
        EXPECT_EQ(trouble_of(access), Trouble::kAccess);
        EXPECT_FALSE(advice_for(access).empty());
    }
    for (const auto fenced : {RD_KAFKA_RESP_ERR__FENCED, RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
                              RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, RD_KAFKA_RESP_ERR__FATAL}) {
        EXPECT_EQ(trouble_of(fenced), Trouble::kFenced);
    }
    for (const auto later :
         {RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT,
          RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
          RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__PURGE_QUEUE}) {
        EXPECT_EQ(trouble_of(later), Trouble::kUnavailable);
    }
}

std::string property(const Properties& properties, std::string_view name) {
    std::string all;
    for (const auto& [each, value] : properties)
        if (each == name) all += value + ";";
    return all;
}

TEST(KafkaSettings, PropertiesReachTheClientsTheyAreFor) {
    const auto settings =
        read_settings({"kf",
                       "kafka",
                       "kafka://a:1,b:2",
                       {{"kafka.sasl.password", "geheim"}, {"kafka.compression.type", "zstd"}}},
                      {"", "T1", {}, {}});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(settings->identity, "fieldwarden.T1.kf");
    EXPECT_EQ(property(settings->producer, "transactional.id"), "fieldwarden.T1.kf;");
    EXPECT_EQ(property(settings->producer, "compression.type"), "zstd;");
    EXPECT_EQ(property(settings->producer, "sasl.password"), "geheim;");
    EXPECT_EQ(property(settings->cursor, "sasl.password"), "geheim;");
    EXPECT_EQ(property(settings->cursor, "compression.type"), "");
    EXPECT_EQ(property(settings->cursor, "group.id"), "fieldwarden.T1.kf;");
    EXPECT_EQ(property(settings->cursor, "isolation.level"), "read_committed;");
    EXPECT_EQ(settings->label.find("geheim"), std::string::npos);
}

TEST(KafkaSettings, ATransactionalIdOfOnesOwnNamesTheCursorToo) {
    const auto own = read_settings({"kf", "kafka", "kafka://a:1", {{"kafka.transactional.id", "mine"}}},
                                   {"", "T1", {}, {}});
    ASSERT_TRUE(own);
    EXPECT_EQ(property(own->producer, "transactional.id"), "mine;");
    EXPECT_EQ(property(own->cursor, "group.id"), "mine;");
    const auto plain =
        read_settings({"kf", "kafka", "kafka://a:1", {{"exactly_once", "false"}}}, {"", "T1", {}, {}});
    ASSERT_TRUE(plain);
    EXPECT_EQ(property(plain->producer, "transactional.id"), "");
    EXPECT_EQ(property(plain->producer, "enable.idempotence"), "true;");
}

}  // namespace
}  // namespace fieldwarden::worker::kafka
