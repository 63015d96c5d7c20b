// Drives one driver, so that a test in another language can compare what it does with what an independent
// device holds.
//
//   driver_probe PROTOCOL ADDRESS OPTIONS POINT…                  connects and reads once
//   driver_probe PROTOCOL ADDRESS OPTIONS --commands POINT…       does what the lines on standard input say
//
// POINT is ADDRESS,TYPE,ORDER, as in hr:0,float32,CDAB, with ,SCALE,DEADBAND behind it when wanted. Reading
// once prints a JSON object a line: {"address", "value", "quality", "quality_code", "timestamp"}; exit code 1
// when nothing can be read. A command is a JSON object a line, and so is its answer:
//
//   {"do": "connect"} {"do": "disconnect"} {"do": "read"} {"do": "subscribe", "period_ms": 100}
//   {"do": "take", "wait_ms": 500} {"do": "write", "point": 0, "value": 7} {"do": "browse", "node": "…"}
//   {"do": "interrupt"} {"do": "stats"}
//
//   {"ok": true, …} or {"ok": false, "kind": "timeout", "error": "…"}, with "samples" of a read or take.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/options.h"
#include "proto/shapes.h"
#include "worker/drivers/driver.h"

namespace {

using namespace fieldwarden;
using std::chrono::milliseconds;

Result<PointConfig> parse_point(std::string_view text) {
    // An address may hold commas itself: the fields are taken off the end.
    std::vector<std::string_view> fields;
    std::optional<DataType> type;
    auto rest = text;
    while (!type) {
        const auto comma = rest.rfind(',');
        if (comma == std::string_view::npos || fields.size() == 4)
            return make_error(ErrorKind::kInvalidArgument,
                              fmt::format("'{}': write ADDRESS,TYPE,ORDER", text));
        fields.insert(fields.begin(), rest.substr(comma + 1));
        rest = rest.substr(0, comma);
        if (const auto parsed = parse_data_type(fields.front())) type = *parsed;
    }
    if (fields.size() < 2)
        return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': write ADDRESS,TYPE,ORDER", text));
    const auto order = from_name<ByteOrder>(fields[1]);
    if (!order) return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': unknown byte order", text));
    PointConfig point;
    point.address = rest;
    point.point_code = point.address;
    point.data_type = *type;
    point.byte_order = *order;
    if (fields.size() > 2) point.scale = std::stod(std::string{fields[2]});
    if (fields.size() > 3) point.deadband = std::stod(std::string{fields[3]});
    return point;
}

std::string_view kind_name(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::kInvalidArgument:
            return "invalid_argument";
        case ErrorKind::kNotFound:
            return "not_found";
        case ErrorKind::kConflict:
            return "conflict";
        case ErrorKind::kUnavailable:
            return "unavailable";
        case ErrorKind::kTimeout:
            return "timeout";
        case ErrorKind::kIo:
            return "io";
        case ErrorKind::kCorrupt:
            return "corrupt";
        case ErrorKind::kTooLarge:
            return "too_large";
        case ErrorKind::kBusy:
            return "busy";
        case ErrorKind::kInternal:
            return "internal";
    }
    return "?";
}

nlohmann::json sample_json(const PointConfig& point, const Sample& sample) {
    return {{"address", point.address},
            {"value", proto::to_json(sample.value)},
            {"quality", to_name(sample.quality)},
            {"quality_code", to_name(sample.code)},
            {"timestamp", format_rfc3339(sample.time)}};
}

class Commands {
  public:
    Commands(std::vector<PointConfig> points, std::unique_ptr<worker::Driver> driver)
        : points_(std::move(points)), driver_(std::move(driver)) {}

    nlohmann::json run(const nlohmann::json& command) {
        nlohmann::json answer;
        const auto status = run(command.value("do", ""), command, answer);
        answer["ok"] = status.has_value();
        if (!status) {
            answer["kind"] = kind_name(status.error().kind);
            answer["error"] = status.error().message;
        }
        return answer;
    }

  private:
    Status run(const std::string& name, const nlohmann::json& command, nlohmann::json& answer) {
        if (name == "connect") return driver_->connect();
        if (name == "disconnect") {
            driver_->disconnect();
            return {};
        }
        if (name == "interrupt") {
            driver_->interrupt();
            return {};
        }
        if (name == "read") {
            std::vector<std::uint32_t> due(points_.size());
            std::iota(due.begin(), due.end(), 0U);
            SampleBatch samples;
            auto status = driver_->read(due, samples);
            show(due, samples, answer);
            return status;
        }
        if (name == "subscribe" || name == "take") {
            auto* const source = driver_->push_source();
            if (source == nullptr) return make_error(ErrorKind::kInvalidArgument, "the device is polled");
            if (name == "subscribe") {
                return source->subscribe(std::vector<milliseconds>(
                    points_.size(), milliseconds{command.value("period_ms", 1000)}));
            }
            std::vector<std::uint32_t> which;
            SampleBatch samples;
            auto status = source->take(milliseconds{command.value("wait_ms", 1000)}, which, samples);
            show(which, samples, answer);
            const auto confirmed = source->confirmed_at();
            answer["confirmed_at"] =
                confirmed ? nlohmann::json(format_rfc3339(*confirmed)) : nlohmann::json(nullptr);
            return status;
        }
        if (name == "write") return write(command.at("point").get<std::uint32_t>(), command.at("value"));
        if (name == "browse") return browse(command.value("node", ""), answer);
        if (name == "stats") {
            const auto& stats = driver_->stats();
            answer["requests"] = stats.requests;
            answer["timeouts"] = stats.timeouts;
            answer["exceptions"] = stats.exceptions;
            answer["broken_answers"] = stats.broken_answers;
            answer["lost_connections"] = stats.lost_connections;
            answer["updates"] = stats.updates;
            answer["overflowed"] = stats.overflowed;
            answer["last_refusal"] = stats.last_refusal;
            return {};
        }
        return make_error(ErrorKind::kInvalidArgument, "unknown command");
    }

    void show(std::span<const std::uint32_t> which, std::span<const Sample> samples,
              nlohmann::json& answer) const {
        auto& list = answer["samples"] = nlohmann::json::array();
        for (std::size_t i = 0; i < samples.size(); ++i) {
            list.push_back(sample_json(points_[which[i]], samples[i]));
            list.back()["point"] = which[i];
        }
    }

    Status write(std::uint32_t point, const nlohmann::json& value) {
        const auto base = points_.at(point).data_type.base;
        Value raw;
        if (value.is_boolean()) {
            raw = value.get<bool>();
        } else if (value.is_string()) {
            raw = value.get<std::string>();
        } else if (base == BaseType::kFloat32 || base == BaseType::kFloat64) {
            raw = value.get<double>();
        } else if (base == BaseType::kInt16 || base == BaseType::kInt32 || base == BaseType::kInt64) {
            raw = value.get<std::int64_t>();
        } else {
            raw = value.get<std::uint64_t>();
        }
        return driver_->write(point, raw);
    }

    Status browse(const std::string& node, nlohmann::json& answer) {
        auto* const browser = driver_->browser();
        if (browser == nullptr)
            return make_error(ErrorKind::kInvalidArgument, "the device cannot be browsed");
        const auto page = browser->browse(node);
        if (!page) return page.error();
        auto& list = answer["nodes"] = nlohmann::json::array();
        for (const auto& each : page->nodes) {
            list.push_back({{"address", each.address},
                            {"name", each.name},
                            {"kind", each.kind},
                            {"data_type", each.data_type},
                            {"device_type", each.device_type},
                            {"has_children", each.has_children},
                            {"writable", each.writable}});
        }
        answer["truncated"] = page->truncated;
        return {};
    }

    std::vector<PointConfig> points_;
    std::unique_ptr<worker::Driver> driver_;
};

Status run(std::span<char*> arguments) {
    DeviceConfig device;
    device.device_code = "probe";
    const auto protocol = from_name<Protocol>(arguments[0]);
    if (!protocol)
        return make_error(ErrorKind::kInvalidArgument, fmt::format("unknown protocol {}", arguments[0]));
    device.protocol = *protocol;
    device.address = arguments[1];
    auto options = parse_options(arguments[2]);
    if (!options) return options.error();
    device.options = std::move(*options);
    auto points = arguments.subspan(3);
    const bool by_command = !points.empty() && std::string_view{points.front()} == "--commands";
    if (by_command) points = points.subspan(1);
    for (const auto* text : points) {
        auto point = parse_point(text);
        if (!point) return point.error();
        device.points.push_back(std::move(*point));
    }
    auto driver = worker::make_driver(device);
    if (!driver) return driver.error();
    Commands commands{device.points, std::move(*driver)};
    if (by_command) {
        for (std::string line; std::getline(std::cin, line);) {
            const auto command = nlohmann::json::parse(line);
            fmt::print("{}\n",
                       commands.run(command).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
            std::fflush(stdout);
        }
        return {};
    }
    for (const char* const step : {"connect", "read"}) {
        const auto answer = commands.run({{"do", step}});
        if (!answer["ok"].get<bool>())
            return make_error(ErrorKind::kUnavailable, answer["error"].get<std::string>());
        if (!answer.contains("samples")) continue;
        for (const auto& sample : answer["samples"]) fmt::print("{}\n", sample.dump());
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        fmt::print(stderr, "usage: driver_probe PROTOCOL ADDRESS OPTIONS [--commands] ADDRESS,TYPE,ORDER…\n");
        return 2;
    }
    const auto status = run(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
    if (status) return 0;
    fmt::print(stderr, "driver_probe: {}\n", status.error().message);
    return 1;
}
