#include "tests/simulator/mqtt/mqtt_publisher.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cmath>
#include <deque>
#include <mutex>
#include <numbers>
#include <thread>

#include "common/clock.h"
#include "tests/simulator/mqtt/packets.h"

namespace fieldwarden::simulator::mqtt {

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint16_t kKeepAlive = 30;
constexpr std::chrono::seconds kPing{10};
constexpr std::chrono::milliseconds kReconnect{200};
constexpr std::chrono::seconds kPatience{10};  // for a connection and its CONNACK

struct Message {
    std::string topic;
    std::string payload;
    std::uint16_t packet_id = 0;  // 0: never sent
};

}  // namespace

struct MqttPublisher::Impl {
    explicit Impl(PublisherOptions given)
        : options(std::move(given)),
          resolver(io),
          socket(io),
          period(io),
          ping(io),
          retry(io),
          patience(io) {}

    void make_values();
    void put(std::string topic, std::string payload);
    void connect();
    void lose();
    void receive();
    bool handle(const Packet& packet);
    void send_more();
    void send(const Bytes& bytes);
    void write();
    void keep_alive();

    const PublisherOptions options;
    asio::io_context io{1};
    tcp::resolver resolver;
    tcp::socket socket;
    asio::steady_timer period;
    asio::steady_timer ping;
    asio::steady_timer retry;
    asio::steady_timer patience;
    std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
    std::uint64_t count = 0;
    std::deque<Message> waiting;
    std::deque<Message> in_flight;
    std::uint16_t next_id = 0;
    bool signed_in = false;
    std::uint64_t connection = 0;  // what belongs to an earlier one is ignored
    std::array<std::uint8_t, 4096> buffer{};
    Bytes received;
    Bytes out;
    Bytes writing;
    mutable std::mutex mutex;
    PublisherCounters counters;
    std::thread thread;
};

void MqttPublisher::Impl::put(std::string topic, std::string payload) {
    waiting.push_back({std::move(topic), std::move(payload), 0});
    const std::lock_guard lock{mutex};
    ++counters.made;
    if (waiting.size() <= kMostWaiting) return;
    waiting.pop_front();
    ++counters.dropped;
}

void MqttPublisher::Impl::make_values() {
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    const auto sine = fmt::format("{:.2f}", 50 + 30 * std::sin(2 * std::numbers::pi * seconds / 60));
    const auto ramp = fmt::format("{:.1f}", std::fmod(seconds, 100.0));
    const auto* toggle = std::fmod(seconds, 2.0) < 1.0 ? "true" : "false";
    for (unsigned device = 0; device < options.devices; ++device) {
        const auto topic = [&](std::string_view signal) {
            return fmt::format("sim/dev{}/{}", device, signal);
        };
        put(topic("counter"), std::to_string(count));
        put(topic("sine"), sine);
        put(topic("ramp"), ramp);
        put(topic("toggle"), toggle);
        put(topic("text"), fmt::format("pump {}", device));
        put(topic("state"),
            fmt::format(R"({{"counter":{},"sine":{},"ramp":{},"toggle":{},"text":"pump {}","time":"{}"}})",
                        count, sine, ramp, toggle, device, format_rfc3339(system_clock().utc_now())));
    }
    ++count;
    send_more();
    period.expires_at(started + options.period * count);
    period.async_wait([this](const error_code& error) {
        if (!error) make_values();
    });
}

void MqttPublisher::Impl::connect() {
    const auto mine = ++connection;
    patience.expires_after(kPatience);
    patience.async_wait([this, mine](const error_code& error) {
        if (!error && mine == connection && !signed_in) lose();
    });
    resolver.async_resolve(
        options.broker.host, std::to_string(options.broker.port),
        [this, mine](const error_code& error, const tcp::resolver::results_type& found) {
            if (mine != connection) return;
            if (error) return lose();
            asio::async_connect(socket, found, [this, mine](const error_code& refused, const tcp::endpoint&) {
                if (mine != connection) return;
                if (refused) return lose();
                send(connect_packet(options.client_id, options.user, options.password, kKeepAlive));
                receive();
            });
        });
}

void MqttPublisher::Impl::lose() {
    ++connection;
    error_code ignored;
    socket.close(ignored);
    ping.cancel();
    signed_in = false;
    received.clear();
    out.clear();
    writing.clear();
    retry.expires_after(kReconnect);
    retry.async_wait([this](const error_code& error) {
        if (!error) connect();
    });
}

void MqttPublisher::Impl::receive() {
    socket.async_read_some(asio::buffer(buffer), [this, mine = connection](const error_code& error,
                                                                           std::size_t size) {
        if (mine != connection) return;
        if (error) return lose();
        received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
        bool broken = false;
        while (const auto packet = take_packet(received, broken))
            if (!handle(*packet)) return lose();
        if (broken) return lose();
        receive();
    });
}

bool MqttPublisher::Impl::handle(const Packet& packet) {
    if (packet.type == kConnack) {
        if (packet.body[1] != 0) return false;  // refused: 3.2.2.3
        signed_in = true;
        {
            const std::lock_guard lock{mutex};
            ++counters.connections;
        }
        // 4.4: what was not acknowledged is sent again, first and in its order.
        for (const auto& message : in_flight)
            send(publish_packet(message.topic, message.payload, message.packet_id, options.retain, true));
        keep_alive();
        send_more();
        return true;
    }
    if (packet.type == kPuback) {
        const auto id = static_cast<std::uint16_t>(packet.body[0] << 8 | packet.body[1]);
        const auto acknowledged =
            std::erase_if(in_flight, [&](const Message& message) { return message.packet_id == id; });
        {
            const std::lock_guard lock{mutex};
            counters.acknowledged += acknowledged;
        }
        send_more();
    }
    return true;
}

void MqttPublisher::Impl::send_more() {
    while (signed_in && !waiting.empty() && in_flight.size() < kMostInFlight) {
        auto message = std::move(waiting.front());
        waiting.pop_front();
        next_id = next_id == 0xFFFF ? std::uint16_t{1} : static_cast<std::uint16_t>(next_id + 1);
        message.packet_id = next_id;
        send(publish_packet(message.topic, message.payload, message.packet_id, options.retain, false));
        in_flight.push_back(std::move(message));
    }
}

void MqttPublisher::Impl::send(const Bytes& bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    if (writing.empty()) write();
}

void MqttPublisher::Impl::write() {
    writing.swap(out);
    out.clear();
    asio::async_write(socket, asio::buffer(writing),
                      [this, mine = connection](const error_code& error, std::size_t) {
                          if (mine != connection) return;
                          if (error) return lose();
                          writing.clear();
                          if (!out.empty()) write();
                      });
}

void MqttPublisher::Impl::keep_alive() {
    ping.expires_after(kPing);
    ping.async_wait([this](const error_code& error) {
        if (error || !signed_in) return;
        send(ping_packet());
        keep_alive();
    });
}

MqttPublisher::MqttPublisher(PublisherOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

MqttPublisher::~MqttPublisher() {
    stop();
}

void MqttPublisher::start() {
    auto& self = *impl_;
    self.connect();
    self.make_values();
    self.thread = std::thread([&self] { self.io.run(); });
}

void MqttPublisher::stop() {
    auto& self = *impl_;
    if (!self.thread.joinable()) return;
    asio::post(self.io, [&self] {
        ++self.connection;
        error_code ignored;
        if (self.signed_in && self.writing.empty())
            asio::write(self.socket, asio::buffer(disconnect_packet()), ignored);
        self.socket.close(ignored);
        self.io.stop();
    });
    self.thread.join();
}

PublisherCounters MqttPublisher::counters() const {
    const std::lock_guard lock{impl_->mutex};
    return impl_->counters;
}

}  // namespace fieldwarden::simulator::mqtt
