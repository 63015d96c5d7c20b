// MQTT 3.1.1 at quality of service 1, a message a value: a mosquitto of our own, a publisher beside it, and a
// bare paho subscriber to compare with.
#include <MQTTAsync.h>
#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <thread>

#include "bench/drivers/rows.h"
#include "tests/simulator/mqtt/packets.h"

namespace fieldwarden::bench {

namespace {

using namespace std::chrono_literals;
using simulator::mqtt::Bytes;

constexpr auto kDeadline = 10s;
constexpr int kQos = 1;

std::string_view folder_of(Side side) {
    switch (side) {
        case Side::kDriver:
            return "driver";
        case Side::kPlain:
            return "plain";
    }
    return {};
}

int free_port() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&where), size) == 0 &&
                       getsockname(fd, reinterpret_cast<sockaddr*>(&where), &size) == 0;
    close(fd);
    return bound ? ntohs(where.sin_port) : 0;
}

// Ends with the process that started it, which holds only as long as it does not change its user.
bool start_broker(int port) {
    const auto settings = fmt::format(
        "listener {} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
        "log_type error\n{}",
        port, geteuid() == 0 ? "user root\n" : "");
    const int file = memfd_create("mosquitto.conf", 0);
    if (file < 0 || write(file, settings.data(), settings.size()) < 0) return false;
    const auto path = fmt::format("/proc/self/fd/{}", file);
    const auto child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (const char* const program : {"mosquitto", "/usr/sbin/mosquitto"})
            execlp(program, program, "-c", path.c_str(), static_cast<char*>(nullptr));
        _exit(1);
    }
    close(file);
    return child > 0;
}

// In the server's process: sends all values of a burst at once and waits until the broker has them all.
class Publisher {
  public:
    std::string start() {
        const int port = free_port();
        if (port == 0 || !start_broker(port)) return {};
        const auto address = fmt::format("127.0.0.1:{}", port);
        const auto until = std::chrono::steady_clock::now() + kDeadline;
        while ((fd_ = connect_plain(address)) < 0) {
            if (std::chrono::steady_clock::now() > until) return {};
            std::this_thread::sleep_for(10ms);
        }
        send(simulator::mqtt::connect_packet("bench", "", "", 0));
        receive(4);  // CONNACK
        return address;
    }
    void publish(Side side, unsigned points) {
        auto& burst = bursts_[static_cast<std::size_t>(side)];
        if (burst.empty()) {
            for (unsigned i = 0; i < points; ++i) {
                const auto packet = simulator::mqtt::publish_packet(
                    fmt::format("{}/{}", folder_of(side), i), fmt::format("{}", 20.0 + 0.25 * i),
                    static_cast<std::uint16_t>(i + 1), false, false);
                burst.insert(burst.end(), packet.begin(), packet.end());
            }
        }
        send(burst);
        receive(std::size_t{4} * points);  // PUBACKs
    }

  private:
    void send(const Bytes& bytes) const {
        for (std::size_t sent = 0; sent < bytes.size();) {
            const auto more = ::send(fd_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
            if (more <= 0) _exit(1);
            sent += static_cast<std::size_t>(more);
        }
    }
    void receive(std::size_t size) const {
        Bytes bytes(size);
        if (recv(fd_, bytes.data(), size, MSG_WAITALL) != static_cast<ssize_t>(size)) _exit(1);
    }

    int fd_ = -1;
    Bytes bursts_[2];
};

DeviceConfig device(const std::string& address, unsigned points) {
    DeviceConfig config;
    config.device_code = "BENCH";
    config.protocol = Protocol::kMqtt;
    config.address = "mqtt://" + address;
    config.options["clean_session"] = "true";
    // One filter, as of the plain client.
    config.options["subscribe"] = fmt::format("{}/#", folder_of(Side::kDriver));
    for (unsigned i = 0; i < points; ++i) {
        PointConfig point;
        point.id = i + 1;
        point.point_code = fmt::format("P{}", i);
        point.address = fmt::format("{}/{}", folder_of(Side::kDriver), i);
        point.data_type = {BaseType::kFloat32, 0};
        config.points.push_back(point);
    }
    return config;
}

// Counts messages.
class PlainSubscriber final : public PlainClient {
  public:
    PlainSubscriber(const std::string& address, unsigned points) : points_(points) {
        MQTTAsync_create(&handle_, ("tcp://" + address).c_str(), "plain", MQTTCLIENT_PERSISTENCE_NONE,
                         nullptr);
        MQTTAsync_setCallbacks(
            handle_, this, nullptr,
            [](void* context, char* topic, int, MQTTAsync_message* message) {
                static_cast<PlainSubscriber*>(context)->count();
                MQTTAsync_freeMessage(&message);
                MQTTAsync_free(topic);
                return 1;
            },
            nullptr);
        MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.cleansession = 1;
        options.context = this;
        options.onSuccess = [](void* context, MQTTAsync_successData*) {
            auto& self = *static_cast<PlainSubscriber*>(context);
            MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
            response.context = context;
            response.onSuccess = [](void* there, MQTTAsync_successData*) {
                static_cast<PlainSubscriber*>(there)->begin();
            };
            MQTTAsync_subscribe(self.handle_, fmt::format("{}/#", folder_of(Side::kPlain)).c_str(), kQos,
                                &response);
        };
        MQTTAsync_connect(handle_, &options);
        std::unique_lock lock{mutex_};
        changed_.wait_for(lock, kDeadline, [this] { return ready_; });
    }
    ~PlainSubscriber() override {
        MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
        MQTTAsync_disconnect(handle_, &options);
        MQTTAsync_destroy(&handle_);
    }
    PlainSubscriber(const PlainSubscriber&) = delete;
    PlainSubscriber& operator=(const PlainSubscriber&) = delete;

    bool read_all() override {
        std::unique_lock lock{mutex_};
        const bool all = changed_.wait_for(lock, kDeadline, [this] { return came_ >= points_; });
        came_ -= all ? points_ : 0;
        return all;
    }

  private:
    void begin() {
        const std::lock_guard lock{mutex_};
        ready_ = true;
        changed_.notify_all();
    }
    void count() {
        const std::lock_guard lock{mutex_};
        if (++came_ >= points_) changed_.notify_all();
    }

    const unsigned points_;
    MQTTAsync handle_ = nullptr;
    std::mutex mutex_;
    std::condition_variable changed_;
    bool ready_ = false;
    unsigned came_ = 0;
};

}  // namespace

std::vector<Row> mqtt_rows() {
    const auto publisher = std::make_shared<Publisher>();
    return {{.name = "MQTT (QoS 1, a message a value)",
             .serve = [publisher](unsigned) { return publisher->start(); },
             .send = [publisher](Side side, unsigned points) { publisher->publish(side, points); },
             .device = device,
             .plain = [](const std::string& address,
                         unsigned points) { return std::make_unique<PlainSubscriber>(address, points); }}};
}

}  // namespace fieldwarden::bench
