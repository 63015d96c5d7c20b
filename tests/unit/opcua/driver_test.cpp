// The driver without a server that speaks OPC UA; with one: tests/system/test_opcua_peer.py.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <thread>

#include "tests/unit/opcua/opcua_testing.h"
#include "worker/drivers/opcua/opcua_driver.h"

namespace fieldwarden::worker::opcua {
namespace {

using namespace std::chrono_literals;

DeviceConfig device(std::string address, Options options = {}) {
    DeviceConfig config;
    config.device_code = "D1";
    config.protocol = Protocol::kOpcUa;
    config.address = std::move(address);
    config.options = std::move(options);
    PointConfig point;
    point.id = 7;
    point.point_code = "P1";
    point.address = "ns=2;s=Temp";
    point.data_type = {BaseType::kFloat64, 0};
    config.points = {point};
    return config;
}

// Takes connections and says nothing.
class SilentServer {
  public:
    SilentServer() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
        EXPECT_EQ(listen(fd_, 8), 0);
        EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        url = fmt::format("opc.tcp://127.0.0.1:{}", ntohs(address.sin_port));
    }
    ~SilentServer() { close(fd_); }
    SilentServer(const SilentServer&) = delete;
    SilentServer& operator=(const SilentServer&) = delete;
    std::string url;

  private:
    const int fd_;
};

TEST(OpcUaDriver, BadConfigurationIsRefusedAndNamed) {
    const auto refused = [](const DeviceConfig& config, std::string_view why) {
        const auto made = make_opcua(config);
        ASSERT_FALSE(made) << why;
        EXPECT_EQ(made.error().kind, ErrorKind::kInvalidArgument);
        EXPECT_NE(made.error().message.find(why), std::string::npos) << made.error().message;
    };
    refused(device("h:4840"), "opc.tcp://");
    refused(device("opc.tcp://"), "host");
    refused(device("opc.tcp://h:0"), "port");
    refused(device("opc.tcp://h", {{"mode", "push"}}), "mode");
    refused(device("opc.tcp://h", {{"server_certificate_sha256", "12:34"}}), "server_certificate_sha256");
    auto bad_point = device("opc.tcp://h");
    bad_point.points[0].address = "Temp";
    refused(bad_point, "P1");
}

TEST(OpcUaDriver, PollModeHasNoPushSource) {
    EXPECT_NE((*make_opcua(device("opc.tcp://h")))->push_source(), nullptr);
    EXPECT_EQ((*make_opcua(device("opc.tcp://h", {{"mode", "poll"}})))->push_source(), nullptr);
    EXPECT_NE((*make_opcua(device("opc.tcp://h", {{"mode", "poll"}})))->browser(), nullptr);
}

TEST(OpcUaDriver, UnconnectedEverythingIsAnError) {
    const auto driver = std::move(*make_opcua(device("opc.tcp://127.0.0.1:1")));
    SampleBatch samples;
    const std::vector<std::uint32_t> due{0};
    EXPECT_FALSE(driver->read(due, samples));
    ASSERT_EQ(samples.size(), 1U);
    EXPECT_EQ(samples[0].point, 7U);
    EXPECT_EQ(samples[0].quality, Quality::kBad);
    EXPECT_EQ(samples[0].code, QualityCode::kDisconnected);
    EXPECT_FALSE(driver->write(0, 1.0));
    EXPECT_FALSE(driver->browser()->browse(""));
    std::vector<std::uint32_t> which;
    EXPECT_FALSE(driver->push_source()->take(0ms, which, samples));
    const std::vector<std::chrono::milliseconds> periods{100ms};
    EXPECT_FALSE(driver->push_source()->subscribe(periods));
}

TEST(OpcUaDriver, ASilentServerTimesOut) {
    const SilentServer server;
    const auto driver = std::move(*make_opcua(device(server.url, {{"connect_timeout_ms", "50"}})));
    const auto status = driver->connect();
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kTimeout);
    EXPECT_EQ(driver->failed_step(), ConnectStep::kHandshake);
}

TEST(OpcUaDriver, InterruptIsHeardAndSticky) {
    const SilentServer server;
    const auto driver = std::move(*make_opcua(device(server.url, {{"connect_timeout_ms", "600000"}})));
    for (int turn = 0; turn < 3; ++turn) {
        const auto before = driver->activity();
        auto blocked = std::async(std::launch::async, [&] { return driver->connect(); });
        while (driver->activity() == before) std::this_thread::yield();
        driver->interrupt();
        ASSERT_EQ(blocked.wait_for(20s), std::future_status::ready);
        EXPECT_FALSE(blocked.get());
        EXPECT_FALSE(driver->connect());
        driver->disconnect();
    }
}

}  // namespace
}  // namespace fieldwarden::worker::opcua
