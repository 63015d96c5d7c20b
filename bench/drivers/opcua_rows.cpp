// OPC UA without security against the simulator: values read (Read), and changes a subscription reports.
#include <fmt/format.h>

#include <cstring>

#include "bench/drivers/plain_opcua.h"
#include "tests/simulator/opcua/opcua_simulator.h"

namespace fieldwarden::bench {

namespace {

using namespace worker::opcua;
using simulator::opcua::OpcUaSimulator;
using simulator::opcua::Scalar;

constexpr std::size_t kPerRequest = 500;  // what the simulator takes at once, for driver and plain client
constexpr unsigned kChanges = 10;         // of each point in a burst
constexpr std::uint32_t kPublishingMs = 10;
constexpr unsigned kPublishRequests = 3;  // as many as the driver has under way

// Each side has nodes of its own, so that a burst goes to one of them.
std::string node_name(Side side, unsigned point) {
    return fmt::format("Many.{}", 2 * point + (side == Side::kPlain ? 1 : 0));
}

class Simulator {
  public:
    std::string start(unsigned points) {
        simulator_ = std::make_unique<OpcUaSimulator>(simulator::opcua::SimulatorOptions{.many = 2 * points});
        if (!simulator_->start()) return {};
        // A pinned value no longer moves by itself.
        for (const auto side : {Side::kDriver, Side::kPlain}) change(side, points, 1);
        return fmt::format("127.0.0.1:{}", simulator_->port());
    }
    void change(Side side, unsigned points, unsigned times) {
        std::vector<Scalar> values;
        for (unsigned i = 0; i < times; ++i) values.emplace_back(static_cast<double>(++value_));
        for (unsigned i = 0; i < points; ++i) simulator_->pin(node_name(side, i), values);
    }

  private:
    std::unique_ptr<OpcUaSimulator> simulator_;
    unsigned value_ = 0;
};

DeviceConfig device(const std::string& address, unsigned points) {
    DeviceConfig config;
    config.device_code = "BENCH";
    config.protocol = Protocol::kOpcUa;
    config.address = "opc.tcp://" + address;
    config.options["timeout_ms"] = "10000";
    for (unsigned i = 0; i < points; ++i) {
        PointConfig point;
        point.id = i + 1;
        point.point_code = fmt::format("P{}", i);
        point.address = "ns=2;s=" + node_name(Side::kDriver, i);
        point.data_type = {BaseType::kFloat64, 0};
        config.points.push_back(point);
    }
    return config;
}

std::vector<ReadItem> plain_items(unsigned points) {
    std::vector<ReadItem> items(points);
    for (unsigned i = 0; i < points; ++i) items[i].node = {2, node_name(Side::kPlain, i)};
    return items;
}

class PlainReader final : public PlainClient {
  public:
    PlainReader(const std::string& address, unsigned points) : client_(address) {
        const auto items = plain_items(points);
        for (std::size_t at = 0; at < items.size(); at += kPerRequest) {
            const auto count = std::min(kPerRequest, items.size() - at);
            requests_.push_back(client_.make(ReadRequest{std::span{items}.subspan(at, count)}));
        }
    }
    bool read_all() override {
        for (auto& request : requests_) {
            if (!client_.good() || !client_.send(request)) return false;
            for (bool last = false; !last;) {
                const auto chunk = client_.take_chunk();
                if (chunk.empty()) return false;
                last = PlainOpcUa::is_last(chunk);
            }
        }
        return true;
    }

  private:
    PlainOpcUa client_;
    std::vector<Buffer> requests_;
};

// Answers every notification with the next Publish request, which acknowledges it.
class PlainSubscriber final : public PlainClient {
  public:
    PlainSubscriber(const std::string& address, unsigned points) : points_(points), client_(address) {
        CreateSubscriptionRequest create;
        create.interval_ms = kPublishingMs;
        create.keep_alive_count = 10'000;
        create.lifetime_count = 100'000;
        const auto id = client_.ask<CreateSubscriptionResponse>(create).id;
        const auto items = plain_items(points);
        std::vector<MonitoredItem> monitored(points);
        for (unsigned i = 0; i < points; ++i) {
            monitored[i].item = items[i];
            monitored[i].handle = i;
            monitored[i].sampling_ms = kPublishingMs;
            monitored[i].queue_size = kChanges;
        }
        for (std::size_t at = 0; at < monitored.size(); at += kPerRequest) {
            const auto count = std::min(kPerRequest, monitored.size() - at);
            (void)client_.ask<CreateMonitoredItemsResponse>(
                CreateMonitoredItemsRequest{id, std::span{monitored}.subspan(at, count)});
        }
        publish_ = client_.make(PublishRequest{.acknowledgements = {{id, 0}}});
        for (unsigned i = 0; i < kPublishRequests; ++i) client_.send(publish_);
        take(points);  // the first values
    }
    bool read_all() override { return take(std::size_t{points_} * kChanges); }

  private:
    bool take(std::size_t wanted) {
        while (came_ < wanted) {
            const auto chunk = client_.take_chunk();
            if (!client_.good() || chunk.empty()) return false;
            if (std::exchange(continues_, !PlainOpcUa::is_last(chunk))) continue;
            came_ += changes(chunk);
            if (!client_.send(publish_)) return false;
        }
        came_ -= wanted;
        return true;
    }
    // Finds the number of changes, and acknowledges the message with the next request.
    std::size_t changes(View chunk) {
        const auto number = [&](std::size_t at) {
            std::uint32_t out = 0;
            if (at + sizeof out <= chunk.size()) std::memcpy(&out, chunk.data() + at, sizeof out);
            return out;
        };
        constexpr std::size_t kAvailable = kSymmetricHeader + kSequenceHeader + 4 + 24 + 4;
        const std::size_t sequence = kAvailable + 4 + std::size_t{4} * number(kAvailable) + 1;
        const std::size_t list = sequence + 4 + 8;
        if (number(list) == 0) return 0;  // a keep-alive
        std::memcpy(publish_.data() + publish_.size() - 4, chunk.data() + sequence, 4);
        return number(list + 4 + 4 + 1 + 4);
    }

    const unsigned points_;
    PlainOpcUa client_;
    Buffer publish_;
    bool continues_ = false;
    std::size_t came_ = 0;
};

}  // namespace

std::vector<Row> opcua_rows() {
    const auto simulator = std::make_shared<Simulator>();
    const auto serve = [simulator](unsigned points) { return simulator->start(points); };
    return {{.name = "OPC UA read",
             .serve = serve,
             .device =
                 [](const std::string& address, unsigned points) {
                     auto config = device(address, points);
                     config.options["mode"] = "poll";
                     return config;
                 },
             .plain = [](const std::string& address,
                         unsigned points) { return std::make_unique<PlainReader>(address, points); }},
            {.name = "OPC UA subscription",
             .values = kChanges,
             .serve = serve,
             .send = [simulator](Side side, unsigned points) { simulator->change(side, points, kChanges); },
             .device =
                 [](const std::string& address, unsigned points) {
                     auto config = device(address, points);
                     config.options["publishing_interval_ms"] = std::to_string(kPublishingMs);
                     config.options["queue_size"] = std::to_string(kChanges);
                     return config;
                 },
             .plain = [](const std::string& address,
                         unsigned points) { return std::make_unique<PlainSubscriber>(address, points); }}};
}

}  // namespace fieldwarden::bench
