// Writes and reads points of a Modbus device and prints their values, so that a test in another language can
// compare them with what its own, independent server holds.
//
//   modbus_probe PROTOCOL ADDRESS OPTIONS POINT,TYPE,ORDER[=VALUE]…
//     e.g. modbus_tcp 127.0.0.1:502 "unit_id=3" hr:0,float32,CDAB 'hr:2,string(4),ABCD="on"'
//
// A point with a value (JSON) is written, all in turn; then every point is read. One JSON object a line:
// {"address", "value", "quality", "quality_code"}, and "refused" where the device refused the write. Exit
// code 1 when nothing can be read or the connection breaks.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "common/options.h"
#include "proto/shapes.h"
#include "worker/drivers/driver.h"

namespace {

using namespace fieldwarden;

struct Wish {
    PointConfig point;
    std::optional<Value> write;
    std::string refused;
};

Value value_of(const nlohmann::json& json, DataType type) {
    const bool real = type.base == BaseType::kFloat32 || type.base == BaseType::kFloat64;
    if (json.is_boolean()) return json.get<bool>();
    if (json.is_string()) return json.get<std::string>();
    if (real && json.is_number()) return json.get<double>();
    if (json.is_number_unsigned()) return json.get<std::uint64_t>();
    if (json.is_number_integer()) return json.get<std::int64_t>();
    return {};
}

Result<Wish> parse_point(std::string_view text) {
    Wish wish;
    std::optional<nlohmann::json> value;
    if (const auto equals = text.find('='); equals != std::string_view::npos) {
        value = nlohmann::json::parse(text.substr(equals + 1), nullptr, false);
        text = text.substr(0, equals);
    }
    const auto type_at = text.find(',');
    const auto order_at = text.rfind(',');
    if (type_at == std::string_view::npos || order_at == type_at)
        return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': write ADDRESS,TYPE,ORDER", text));
    const auto type = parse_data_type(text.substr(type_at + 1, order_at - type_at - 1));
    if (!type) return type.error();
    const auto order = from_name<ByteOrder>(text.substr(order_at + 1));
    if (!order) return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': unknown byte order", text));
    auto& point = wish.point;
    point.address = text.substr(0, type_at);
    point.point_code = point.address;
    point.data_type = *type;
    point.byte_order = *order;
    if (value) wish.write = value_of(*value, *type);
    return wish;
}

Status run(std::span<char*> arguments) {
    DeviceConfig device;
    device.device_code = "probe";
    const auto protocol = from_name<Protocol>(arguments[0]);
    if (!protocol) return make_error(ErrorKind::kInvalidArgument, "unknown protocol");
    device.protocol = *protocol;
    device.address = arguments[1];
    auto options = parse_options(arguments[2]);
    if (!options) return options.error();
    device.options = std::move(*options);
    std::vector<Wish> wishes;
    for (const auto* text : arguments.subspan(3)) {
        auto wish = parse_point(text);
        if (!wish) return wish.error();
        device.points.push_back(wish->point);
        wishes.push_back(std::move(*wish));
    }
    auto driver = worker::make_driver(device);
    if (!driver) return driver.error();
    if (const auto connected = (*driver)->connect(); !connected) return connected.error();
    for (std::uint32_t i = 0; i < wishes.size(); ++i) {
        if (!wishes[i].write) continue;
        const auto written = (*driver)->write(i, *wishes[i].write);
        if (written) continue;
        if (written.error().kind != ErrorKind::kInvalidArgument) return written.error();
        wishes[i].refused = written.error().message;
    }
    std::vector<std::uint32_t> due(device.points.size());
    std::iota(due.begin(), due.end(), 0U);
    SampleBatch samples;
    if (const auto status = (*driver)->read(due, samples); !status) return status.error();
    for (std::size_t i = 0; i < samples.size(); ++i) {
        nlohmann::json line{{"address", device.points[i].address},
                            {"value", proto::to_json(samples[i].value)},
                            {"quality", to_name(samples[i].quality)},
                            {"quality_code", to_name(samples[i].code)}};
        if (!wishes[i].refused.empty()) line["refused"] = wishes[i].refused;
        fmt::print("{}\n", line.dump());
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        fmt::print(stderr, "usage: modbus_probe PROTOCOL ADDRESS OPTIONS POINT,TYPE,ORDER[=VALUE]…\n");
        return 2;
    }
    const auto status = run(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
    if (status) return 0;
    fmt::print(stderr, "modbus_probe: {}\n", status.error().message);
    return 1;
}
