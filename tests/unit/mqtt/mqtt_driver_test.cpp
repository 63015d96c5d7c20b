// The whole driver against a mosquitto, with mosquitto_pub as the publisher.
#include "worker/drivers/mqtt/mqtt_driver.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <future>
#include <numeric>
#include <thread>

#include "tests/unit/mqtt/broker.h"

namespace fieldwarden::worker::mqtt {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_mqtt::Broker;

constexpr auto kDeadline = 30s;

class MqttDriverTest : public testing::TestWithParam<const char*> {
  protected:
    DeviceConfig config(const Broker& broker, std::vector<std::pair<std::string, std::string>> options = {}) {
        DeviceConfig out;
        out.device_code = "D1";
        out.protocol = Protocol::kMqtt;
        out.address = broker.address();
        out.options = {{"version", GetParam()}, {"timeout_ms", "5000"}, {"connect_timeout_ms", "5000"}};
        for (auto& [name, value] : options) out.options[name] = value;
        add(out, "plant/a", {BaseType::kInt64, 0});
        add(out, "plant/b#/x", {BaseType::kFloat64, 0});
        add(out, "plant/b#/y", {BaseType::kString, 20});
        return out;
    }
    static void add(DeviceConfig& config, std::string address, DataType type) {
        PointConfig point;
        point.id = static_cast<PointId>(100 + config.points.size());
        point.point_code = fmt::format("P{}", config.points.size());
        point.address = std::move(address);
        point.data_type = type;
        config.points.push_back(std::move(point));
    }
    void make(const DeviceConfig& device) {
        driver_.reset();
        auto made = make_mqtt(device);
        ASSERT_TRUE(made) << made.error().message;
        driver_ = std::move(*made);
    }
    void open() {
        const auto connected = driver_->connect();
        ASSERT_TRUE(connected) << connected.error().message;
        const auto subscribed = driver_->push_source()->subscribe({});
        ASSERT_TRUE(subscribed) << subscribed.error().message;
    }
    // Takes until there are `count` samples of one point.
    SampleBatch take(std::size_t count, std::uint32_t point = 0) {
        SampleBatch of_point;
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        while (of_point.size() < count && std::chrono::steady_clock::now() < deadline) {
            which_.clear();
            SampleBatch samples;
            status_ = driver_->push_source()->take(100ms, which_, samples);
            for (std::size_t i = 0; i < which_.size(); ++i)
                if (which_[i] == point) of_point.push_back(samples[i]);
            if (!status_) break;
        }
        EXPECT_GE(of_point.size(), count) << (status_ ? "" : status_.error().message);
        return of_point;
    }
    // Until the connection is known to be gone.
    Error take_loss() {
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        SampleBatch samples;
        while (std::chrono::steady_clock::now() < deadline) {
            which_.clear();
            if (const auto status = driver_->push_source()->take(100ms, which_, samples); !status)
                return status.error();
        }
        ADD_FAILURE() << "the connection is not lost";
        return {};
    }
    void reopen() {
        const auto deadline = std::chrono::steady_clock::now() + kDeadline;
        do {
            driver_->disconnect();
        } while (!driver_->connect() && std::chrono::steady_clock::now() < deadline);
        const auto subscribed = driver_->push_source()->subscribe({});
        ASSERT_TRUE(subscribed) << subscribed.error().message;
    }
    static std::vector<std::int64_t> numbers(const SampleBatch& samples) {
        std::vector<std::int64_t> out;
        for (const auto& sample : samples)
            if (sample.quality == Quality::kGood) out.push_back(std::get<std::int64_t>(sample.value));
        return out;
    }
    static std::string lines(int first, int last) {
        std::string text;
        for (int i = first; i <= last; ++i) text += fmt::format("{}\n", i);
        return text;
    }

    std::unique_ptr<Driver> driver_;
    std::vector<std::uint32_t> which_;
    Status status_;
};

TEST_P(MqttDriverTest, ValuesComeAsTheyArePublished) {
    Broker broker;
    make(config(broker));
    open();
    EXPECT_EQ(driver_->push_source()->confirmed_at(), std::nullopt);
    ASSERT_TRUE(broker.publish("plant/a", "42"));
    EXPECT_EQ(take(1).at(0).value, Value{std::int64_t{42}});
    EXPECT_NE(driver_->push_source()->confirmed_at(), std::nullopt);
    ASSERT_TRUE(broker.publish("plant/b", R"({"x":1.5,"y":"hello"})"));
    EXPECT_EQ(take(1, 1).at(0).value, Value{1.5});
    ASSERT_TRUE(broker.publish("plant/b", R"({"x":2.5,"y":"world"})"));
    EXPECT_EQ(take(1, 2).at(0).value, Value{std::string{"world"}});
    const std::vector<std::uint32_t> all{2, 0, 1};
    SampleBatch last;
    ASSERT_TRUE(driver_->read(all, last));
    ASSERT_EQ(last.size(), 3U);
    EXPECT_EQ(last[0].value, Value{std::string{"world"}});
    EXPECT_EQ(last[1].value, Value{std::int64_t{42}});
    EXPECT_EQ(last[2].value, Value{2.5});
}

TEST_P(MqttDriverTest, AReadBeforeAnythingCameSaysSo) {
    Broker broker;
    make(config(broker, {{"timeout_ms", "1000"}}));
    ASSERT_TRUE(driver_->connect());
    const std::vector<std::uint32_t> all{0};
    SampleBatch last;
    ASSERT_TRUE(driver_->read(all, last));
    EXPECT_EQ(last.at(0).code, QualityCode::kStale);
    EXPECT_THAT(driver_->stats().last_refusal, HasSubstr("plant/a"));
}

TEST_P(MqttDriverTest, ARetainedValueAnswersAReadAtOnce) {
    Broker broker;
    ASSERT_TRUE(broker.publish("plant/a", "7", true));
    make(config(broker));
    ASSERT_TRUE(driver_->connect());
    const std::vector<std::uint32_t> all{0};
    SampleBatch last;
    ASSERT_TRUE(driver_->read(all, last));
    EXPECT_EQ(last.at(0).value, Value{std::int64_t{7}});
    EXPECT_EQ(last.at(0).quality, Quality::kUncertain);
    make(config(broker, {{"retained", "ignore"}, {"timeout_ms", "1000"}, {"client_id", "other"}}));
    ASSERT_TRUE(driver_->connect());
    last.clear();
    ASSERT_TRUE(driver_->read(all, last));
    EXPECT_EQ(last.at(0).code, QualityCode::kStale);
}

TEST_P(MqttDriverTest, FewSubscriptionsForManyPoints) {
    Broker broker;
    make(config(broker, {{"subscribe", "plant/#"}}));
    open();
    ASSERT_TRUE(broker.publish("plant/unknown", "1"));
    ASSERT_TRUE(broker.publish("plant/b", R"({"x":1})"));
    EXPECT_EQ(take(1, 1).at(0).value, Value{1.0});
}

TEST_P(MqttDriverTest, ManyTopicsAreSubscribedInSeveralPackets) {
    Broker broker;
    auto device = config(broker);
    for (int i = 0; i < 250; ++i) add(device, fmt::format("many/{}", i), {BaseType::kInt64, 0});
    make(device);
    open();
    for (const int i : {0, 99, 100, 249}) {
        ASSERT_TRUE(broker.publish(fmt::format("many/{}", i), "5"));
        take(1, static_cast<std::uint32_t>(3 + i));
    }
}

// A short outage of ours loses nothing.
TEST_P(MqttDriverTest, MessagesOfOurAbsenceComeWithTheSession) {
    Broker broker;
    make(config(broker));
    open();
    driver_.reset();
    ASSERT_TRUE(broker.publish({"-q", "1", "-t", "plant/a", "-l"}, lines(1, 50)));
    make(config(broker));
    open();
    std::vector<std::int64_t> wanted(50);
    std::iota(wanted.begin(), wanted.end(), 1);
    EXPECT_EQ(numbers(take(50)), wanted);
}

TEST_P(MqttDriverTest, ACleanSessionForgets) {
    Broker broker;
    make(config(broker, {{"clean_session", "true"}}));
    open();
    driver_->disconnect();
    ASSERT_TRUE(broker.publish({"-q", "1", "-t", "plant/a", "-l"}, lines(1, 5)));
    reopen();
    ASSERT_TRUE(broker.publish("plant/a", "6"));
    EXPECT_EQ(numbers(take(1)), std::vector<std::int64_t>{6});
}

// Neither does an outage of the broker, which stores what it has.
TEST_P(MqttDriverTest, TheBrokerRestartsAndNothingIsLost) {
    Broker broker;
    make(config(broker));
    open();
    ASSERT_TRUE(broker.publish("plant/a", "1"));
    EXPECT_EQ(numbers(take(1)), std::vector<std::int64_t>{1});
    broker.stop();
    const auto why = take_loss();
    EXPECT_EQ(why.kind, ErrorKind::kUnavailable);
    driver_->disconnect();
    const auto refused = driver_->connect();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message, HasSubstr("refused"));
    EXPECT_EQ(driver_->failed_step(), ConnectStep::kConnect);
    broker.start();
    ASSERT_TRUE(broker.publish({"-q", "1", "-t", "plant/a", "-l"}, lines(2, 4)));
    reopen();
    const auto samples = take(4);
    // What was known before is not known to be wrong; then comes what was missed.
    EXPECT_EQ(samples.at(0).quality, Quality::kUncertain);
    EXPECT_EQ(samples.at(0).value, Value{std::int64_t{1}});
    EXPECT_EQ(numbers(samples), (std::vector<std::int64_t>{2, 3, 4}));
}

TEST_P(MqttDriverTest, ABrokerThatDiesManyTimesLeavesNothingBehind) {
    Broker broker;
    make(config(broker, {{"connect_timeout_ms", "2000"}}));
    open();
    const auto threads = [] {
        return std::distance(std::filesystem::directory_iterator{"/proc/self/task"}, {});
    };
    const auto files = [] { return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {}); };
    const auto threads_before = threads();
    const auto files_before = files();
    for (int i = 0; i < 5; ++i) {
        broker.kill();
        take_loss();
        driver_->disconnect();
        EXPECT_FALSE(driver_->connect());
        driver_->disconnect();
        broker.start();
        reopen();
        ASSERT_TRUE(broker.publish("plant/a", "1"));
        EXPECT_EQ(numbers(take(1)).empty(), false);
    }
    EXPECT_LE(threads(), threads_before);
    EXPECT_LE(files(), files_before);
}

TEST_P(MqttDriverTest, ASilentBrokerIsNoticed) {
    Broker broker;
    make(config(broker, {{"keep_alive_s", "1"}}));
    open();
    broker.freeze();
    const auto why = take_loss();
    EXPECT_EQ(why.kind, ErrorKind::kUnavailable);
    broker.thaw();
    reopen();
    ASSERT_TRUE(broker.publish("plant/a", "3"));
    EXPECT_EQ(numbers(take(1)), std::vector<std::int64_t>{3});
}

TEST_P(MqttDriverTest, APortThatIsNoBrokerIsAHandshakeFailure) {
    Broker broker;
    broker.freeze();  // the kernel takes the connection, nobody answers
    make(config(broker, {{"connect_timeout_ms", "300"}}));
    const auto status = driver_->connect();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
    EXPECT_EQ(driver_->failed_step(), ConnectStep::kHandshake);
    driver_->disconnect();
    broker.thaw();
    open();
}

TEST_P(MqttDriverTest, AWrongPasswordIsASignInFailure) {
    Broker broker;
    broker.stop();
    // mosquitto_passwd hashes the line in place.
    std::ofstream{broker.file("passwords")} << "op:right\n";
    ASSERT_TRUE(broker.run({"mosquitto_passwd", "-U", broker.file("passwords")}));
    broker.configure("allow_anonymous false\npassword_file {dir}/passwords\n");
    broker.start();
    make(config(broker, {{"username", "op"}, {"password", "not-it"}}));
    const auto status = driver_->connect();
    ASSERT_FALSE(status);
    EXPECT_EQ(driver_->failed_step(), ConnectStep::kSignIn);
    EXPECT_THAT(status.error().message, HasSubstr("refuses the sign-in"));
    EXPECT_EQ(status.error().message.find("not-it"), std::string::npos);
    make(config(broker, {{"username", "op"}, {"password", "right"}}));
    open();
}

TEST_P(MqttDriverTest, AFloodIsBoundedAndCounted) {
    Broker broker{"allow_anonymous true\nmax_queued_messages 0\n"};
    make(config(broker, {{"queue_size", "100"}}));
    open();
    const auto before = driver_->activity();
    ASSERT_TRUE(broker.publish({"-q", "0", "-t", "plant/a", "-l"}, lines(1, 20'000)));
    ASSERT_TRUE(broker.publish("plant/b", R"({"x":1})"));
    // Nobody takes until the last message has come.
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (driver_->activity() < before + 20'001 && std::chrono::steady_clock::now() < deadline)
        std::this_thread::yield();
    which_.clear();
    SampleBatch samples;
    ASSERT_TRUE(driver_->push_source()->take(1s, which_, samples));
    EXPECT_LE(samples.size(), 102U);
    // The message of plant/b, of two points, may have overtaken some.
    EXPECT_EQ(driver_->stats().overflowed + samples.size(), 20'002U);
    const auto newest = std::find(which_.rbegin(), which_.rend(), 0U);
    ASSERT_NE(newest, which_.rend());
    EXPECT_EQ(samples.at(static_cast<std::size_t>(which_.rend() - newest) - 1).value,
              Value{std::int64_t{20'000}});
}

TEST_P(MqttDriverTest, HostilePayloadsHarmNobody) {
    Broker broker;
    make(config(broker, {{"max_payload_bytes", "1000"}}));
    open();
    for (const auto& payload :
         {std::string(900, '['), std::string(100'000, 'x'), std::string{"\xFF\xFE\x00", 3}, std::string{},
          std::string{"{\"x\":"}, std::string{R"({"x":1e999})"}}) {
        ASSERT_TRUE(broker.publish("plant/b", payload));
        EXPECT_EQ(take(1, 1).at(0).code, QualityCode::kDecode);
    }
    EXPECT_GE(driver_->stats().broken_answers, 6U);
    ASSERT_TRUE(broker.publish("plant/b", R"({"x":1})"));
    EXPECT_EQ(take(1, 1).at(0).value, Value{1.0});
}

TEST_P(MqttDriverTest, SilenceOfAPointIsToldOnce) {
    Broker broker;
    make(config(broker, {{"stale_after_ms", "200"}}));
    open();
    ASSERT_TRUE(broker.publish("plant/a", "1"));
    const auto samples = take(2);
    EXPECT_EQ(samples.at(samples.size() - 1).code, QualityCode::kStale);
    SampleBatch more;
    which_.clear();
    ASSERT_TRUE(driver_->push_source()->take(400ms, which_, more));
    EXPECT_EQ(std::count(which_.begin(), which_.end(), 0U), 0);
}

TEST_P(MqttDriverTest, AWriteIsPublishedAndComesBack) {
    Broker broker;
    make(config(broker));
    open();
    ASSERT_TRUE(driver_->write(0, std::int64_t{77}));
    EXPECT_EQ(take(1).at(0).value, Value{std::int64_t{77}});
    const auto refused = driver_->write(1, 1.5);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::kInvalidArgument);
    make(config(broker, {{"write_payload", "member"}}));
    open();
    ASSERT_TRUE(driver_->write(1, 1.5));
    EXPECT_EQ(take(1, 1).at(0).value, Value{1.5});
}

TEST_P(MqttDriverTest, AWriteToADeadBrokerIsAnError) {
    Broker broker;
    make(config(broker, {{"timeout_ms", "500"}}));
    open();
    broker.freeze();
    const auto status = driver_->write(0, std::int64_t{1});
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
    driver_->disconnect();
    EXPECT_FALSE(driver_->write(0, std::int64_t{1}));
}

// Only mosquitto's plugin refuses subscriptions; its access list takes them and delivers nothing.
TEST_P(MqttDriverTest, ARefusedSubscriptionTouchesOnlyItsPoints) {
    Broker broker;
    broker.stop();
    std::ofstream{broker.file("rights.json")} << R"({
        "defaultACLAccess": {"publishClientSend": true, "publishClientReceive": true, "subscribe": true,
                             "unsubscribe": true},
        "groups": [{"groupname": "all", "roles": [{"rolename": "some"}]}],
        "anonymousGroup": "all",
        "roles": [{"rolename": "some",
                   "acls": [{"acltype": "subscribeLiteral", "topic": "plant/b", "allow": false}]}]})";
    broker.configure(
        "allow_anonymous true\nplugin mosquitto_dynamic_security.so\n"
        "plugin_opt_config_file {dir}/rights.json\n");
    broker.start();
    make(config(broker));
    open();
    EXPECT_EQ(take(1, 1).at(0).code, QualityCode::kIllegalAddress);
    ASSERT_TRUE(broker.publish("plant/a", "1"));
    EXPECT_EQ(take(1).at(0).quality, Quality::kGood);
}

TEST_P(MqttDriverTest, WakeAndInterruptEndAWait) {
    Broker broker;
    make(config(broker));
    open();
    auto waiting = std::async(std::launch::async, [&] {
        SampleBatch samples;
        std::vector<std::uint32_t> which;
        return driver_->push_source()->take(10min, which, samples);
    });
    driver_->push_source()->wake();
    ASSERT_EQ(waiting.wait_for(kDeadline), std::future_status::ready);
    EXPECT_TRUE(waiting.get());
    waiting = std::async(std::launch::async, [&] {
        SampleBatch samples;
        std::vector<std::uint32_t> which;
        return driver_->push_source()->take(10min, which, samples);
    });
    driver_->interrupt();
    ASSERT_EQ(waiting.wait_for(kDeadline), std::future_status::ready);
    EXPECT_FALSE(waiting.get());
    EXPECT_FALSE(driver_->connect());
    reopen();
    ASSERT_TRUE(broker.publish("plant/a", "1"));
    take(1);
}

TEST_P(MqttDriverTest, AnInterruptedConnectEndsSoon) {
    Broker broker;
    broker.freeze();
    make(config(broker, {{"connect_timeout_ms", "600000"}}));
    auto connecting = std::async(std::launch::async, [&] { return driver_->connect(); });
    driver_->interrupt();
    ASSERT_EQ(connecting.wait_for(kDeadline), std::future_status::ready);
    EXPECT_FALSE(connecting.get());
    broker.thaw();
    driver_->disconnect();
    open();
}

TEST_P(MqttDriverTest, TopicsThatWereRemovedAreUnsubscribed) {
    Broker broker{"allow_anonymous true\nlog_type all\n"};
    auto device = config(broker);
    make(device);
    open();
    driver_.reset();
    auto fewer = device;
    fewer.points.erase(fewer.points.begin() + 1, fewer.points.end());
    make(fewer);
    open();
    ASSERT_TRUE(broker.publish("plant/b", "{}"));
    ASSERT_TRUE(broker.publish("plant/a", "1"));
    take(1);
    ASSERT_TRUE(broker.publish("plant/a", "2"));
    take(1);
    // mosquitto logs what it was asked to forget, once it reads that.
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (broker.log().find("UNSUBSCRIBE") == std::string::npos) {
        ASSERT_LT(std::chrono::steady_clock::now(), deadline) << broker.log();
        std::this_thread::yield();
    }
}

INSTANTIATE_TEST_SUITE_P(Versions, MqttDriverTest, testing::Values("3.1.1", "5"), [](const auto& version) {
    return std::string{version.param} == "5" ? "Mqtt5" : "Mqtt311";
});

}  // namespace
}  // namespace fieldwarden::worker::mqtt
