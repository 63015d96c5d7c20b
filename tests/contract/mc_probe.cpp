// Writes and reads points of a Mitsubishi PLC with our driver, so that a test in another language can compare
// them with what an independent client reads and writes.
//
//   mc_probe HOST:PORT OPTIONS ADDRESS,TYPE[=VALUE]…     e.g. 127.0.0.1:5007 "frame=1E" D100,float32=1.5
//   M7,bool
//
// Points with a value (JSON) are written first, then all are read: one JSON object a line, {"address",
// "value", "quality", "quality_code"}. Exit code 1 when a write is refused or nothing can be read.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/options.h"
#include "proto/shapes.h"
#include "worker/drivers/driver.h"

namespace {

using namespace fieldwarden;

struct Order {
    PointConfig point;
    std::optional<Value> value;
};

Result<Order> parse_order(std::string_view text) {
    Order order;
    const auto equals = text.find('=');
    const auto place = text.substr(0, equals);
    const auto comma = place.find(',');
    if (comma == std::string_view::npos)
        return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': write ADDRESS,TYPE", text));
    const auto type = parse_data_type(place.substr(comma + 1));
    if (!type) return type.error();
    order.point.address = place.substr(0, comma);
    order.point.point_code = order.point.address;
    order.point.data_type = *type;
    if (equals == std::string_view::npos) return order;
    const auto given = text.substr(equals + 1);
    const auto json = nlohmann::json::parse(given.begin(), given.end(), nullptr, false);
    if (json.is_boolean()) {
        order.value = json.get<bool>();
    } else if (json.is_number_unsigned()) {
        order.value = json.get<std::uint64_t>();
    } else if (json.is_number_integer()) {
        order.value = json.get<std::int64_t>();
    } else if (json.is_number()) {
        order.value = json.get<double>();
    } else if (json.is_string()) {
        order.value = json.get<std::string>();
    } else {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': the value is no JSON", text));
    }
    return order;
}

Status run(std::span<char*> arguments) {
    DeviceConfig device;
    device.device_code = "probe";
    device.protocol = Protocol::kMitsubishiMc;
    device.address = arguments[0];
    auto options = parse_options(arguments[1]);
    if (!options) return options.error();
    device.options = std::move(*options);
    std::vector<Order> orders;
    for (const auto* text : arguments.subspan(2)) {
        auto order = parse_order(text);
        if (!order) return order.error();
        device.points.push_back(order->point);
        orders.push_back(std::move(*order));
    }
    auto driver = worker::make_driver(device);
    if (!driver) return driver.error();
    if (const auto connected = (*driver)->connect(); !connected) return connected.error();
    for (std::uint32_t i = 0; i < orders.size(); ++i) {
        if (!orders[i].value) continue;
        if (const auto written = (*driver)->write(i, *orders[i].value); !written) return written.error();
    }
    std::vector<std::uint32_t> due(orders.size());
    std::iota(due.begin(), due.end(), 0U);
    SampleBatch samples;
    if (const auto status = (*driver)->read(due, samples); !status) return status.error();
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const nlohmann::json line{{"address", device.points[i].address},
                                  {"value", proto::to_json(samples[i].value)},
                                  {"quality", to_name(samples[i].quality)},
                                  {"quality_code", to_name(samples[i].code)}};
        fmt::print("{}\n", line.dump());
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) {
        fmt::print(stderr, "usage: mc_probe HOST:PORT OPTIONS ADDRESS,TYPE[=VALUE]…\n");
        return 2;
    }
    const auto status = run(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
    if (status) return 0;
    fmt::print(stderr, "mc_probe: {}\n", status.error().message);
    return 1;
}
