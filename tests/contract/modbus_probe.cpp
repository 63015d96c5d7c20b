// Reads points of a Modbus device and prints their values, so that a test in another language can compare
// them with what its own, independent server holds.
//
//   modbus_probe HOST:PORT OPTIONS ADDRESS,TYPE,ORDER…     e.g. 127.0.0.1:502 "unit_id=3" hr:0,float32,CDAB
//
// One JSON object a line: {"address", "value", "quality", "quality_code"}. Exit code 1 when nothing can be
// read.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/options.h"
#include "proto/shapes.h"
#include "worker/drivers/driver.h"

namespace {

using namespace fieldwarden;

Result<PointConfig> parse_point(std::string_view text) {
    const auto type_at = text.find(',');
    const auto order_at = text.rfind(',');
    if (type_at == std::string_view::npos || order_at == type_at)
        return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': write ADDRESS,TYPE,ORDER", text));
    const auto type = parse_data_type(text.substr(type_at + 1, order_at - type_at - 1));
    if (!type) return type.error();
    const auto order = from_name<ByteOrder>(text.substr(order_at + 1));
    if (!order) return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': unknown byte order", text));
    PointConfig point;
    point.address = text.substr(0, type_at);
    point.point_code = point.address;
    point.data_type = *type;
    point.byte_order = *order;
    return point;
}

Status run(std::span<char*> arguments) {
    DeviceConfig device;
    device.device_code = "probe";
    device.address = arguments[0];
    auto options = parse_options(arguments[1]);
    if (!options) return options.error();
    device.options = std::move(*options);
    for (const auto* text : arguments.subspan(2)) {
        auto point = parse_point(text);
        if (!point) return point.error();
        device.points.push_back(std::move(*point));
    }
    auto driver = worker::make_driver(device);
    if (!driver) return driver.error();
    if (const auto connected = (*driver)->connect(); !connected) return connected.error();
    std::vector<std::uint32_t> due(device.points.size());
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
        fmt::print(stderr, "usage: modbus_probe HOST:PORT OPTIONS ADDRESS,TYPE,ORDER…\n");
        return 2;
    }
    const auto status = run(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
    if (status) return 0;
    fmt::print(stderr, "modbus_probe: {}\n", status.error().message);
    return 1;
}
