// Drives one driver, so that a test in another language can compare what it does with what an independent
// device or client of the same protocol reads and writes, and can kill this like a worker.
//
//   driver_probe PROTOCOL ADDRESS OPTIONS POINT…                  connects, writes what is to be written, and
//                                                                 reads once
//   driver_probe PROTOCOL ADDRESS OPTIONS --follow POINT…         subscribes and prints every sample, until
//   the
//                                                                 end of standard input
//   driver_probe PROTOCOL ADDRESS OPTIONS --commands POINT…       does what the lines on standard input say
//
// POINT is ADDRESS,TYPE[,ORDER[,SCALE[,DEADBAND]]][=VALUE], as in hr:0,float32,CDAB or 'D2,string(4)="on"';
// ORDER is ABCD when it is left out, VALUE is JSON. It prints a JSON object a line.
//
// Samples: {"address", "value", "quality", "quality_code", "timestamp"}, and "refused" where the device
// refused the write. Exit code 1 when nothing can be read or the connection breaks. Following:
// {"event":"connected"} after every subscription and {"event":"lost","why":…} after every failure besides; it
// connects again every 50 ms. A command is a JSON object a line, and so is its answer:
//
//   {"do": "connect"} {"do": "disconnect"} {"do": "read"} {"do": "subscribe", "period_ms": 100}
//   {"do": "take", "wait_ms": 500} {"do": "write", "point": 0, "value": 7} {"do": "browse", "node": "…"}
//   {"do": "interrupt"} {"do": "stats"}
//
//   {"ok": true, …} or {"ok": false, "kind": "timeout", "error": "…"}, with "samples" of a read or take.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "common/options.h"
#include "proto/shapes.h"
#include "worker/drivers/driver.h"

namespace {

using namespace fieldwarden;
using std::chrono::milliseconds;

struct Wish {
    PointConfig point;
    std::optional<nlohmann::json> write;
};

void say(const nlohmann::json& line) {
    fmt::print("{}\n", line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    std::fflush(stdout);
}

Result<Wish> parse_point(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': {}", text, why));
    };
    // An address may hold commas and equals signs itself: it ends before the first comma that a data type
    // follows.
    Wish wish;
    auto& point = wish.point;
    std::string_view rest;
    bool has_type = false;
    for (auto at = text.find(','); at != std::string_view::npos && !has_type; at = text.find(',', at + 1)) {
        const auto behind = text.substr(at + 1);
        const auto end = std::min(behind.find_first_of(",="), behind.size());
        const auto type = parse_data_type(behind.substr(0, end));
        if (!type) continue;
        has_type = true;
        point.data_type = *type;
        point.address = text.substr(0, at);
        rest = behind.substr(end);
    }
    if (!has_type) return refuse("write ADDRESS,TYPE[,ORDER[,SCALE[,DEADBAND]]][=VALUE]");
    point.point_code = point.address;
    if (const auto equals = rest.find('='); equals != std::string_view::npos) {
        wish.write = nlohmann::json::parse(rest.substr(equals + 1), nullptr, false);
        if (wish.write->is_discarded()) return refuse("the value is no JSON");
        rest = rest.substr(0, equals);
    }
    for (unsigned field = 0; !rest.empty(); ++field) {
        const auto end = std::min(rest.find(',', 1), rest.size());
        const auto word = rest.substr(1, end - 1);
        rest = rest.substr(end);
        if (field == 0) {
            const auto order = from_name<ByteOrder>(word);
            if (!order) return refuse("unknown byte order");
            point.byte_order = *order;
        } else {
            (field == 1 ? point.scale : point.deadband) = std::stod(std::string{word});
        }
    }
    return wish;
}

Value value_of(const nlohmann::json& json, BaseType base) {
    if (json.is_boolean()) return json.get<bool>();
    if (json.is_string()) return json.get<std::string>();
    if (base == BaseType::kFloat32 || base == BaseType::kFloat64) return json.get<double>();
    if (base == BaseType::kInt16 || base == BaseType::kInt32 || base == BaseType::kInt64)
        return json.get<std::int64_t>();
    return json.get<std::uint64_t>();
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
    Commands(const std::vector<PointConfig>& points, worker::Driver& driver)
        : points_(points), driver_(driver) {}

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
        if (name == "connect") return driver_.connect();
        if (name == "disconnect") {
            driver_.disconnect();
            return {};
        }
        if (name == "interrupt") {
            driver_.interrupt();
            return {};
        }
        if (name == "read") {
            std::vector<std::uint32_t> due(points_.size());
            std::iota(due.begin(), due.end(), 0U);
            SampleBatch samples;
            auto status = driver_.read(due, samples);
            show(due, samples, answer);
            return status;
        }
        if (name == "subscribe" || name == "take") {
            auto* const source = driver_.push_source();
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
        if (name == "write") {
            const auto point = command.at("point").get<std::uint32_t>();
            return driver_.write(point, value_of(command.at("value"), points_.at(point).data_type.base));
        }
        if (name == "browse") return browse(command.value("node", ""), answer);
        if (name == "stats") {
            const auto& stats = driver_.stats();
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

    Status browse(const std::string& node, nlohmann::json& answer) {
        auto* const browser = driver_.browser();
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

    const std::vector<PointConfig>& points_;
    worker::Driver& driver_;
};

void run_commands(Commands commands) {
    for (std::string line; std::getline(std::cin, line);) say(commands.run(nlohmann::json::parse(line)));
}

Status read_once(const std::vector<Wish>& wishes, const std::vector<PointConfig>& points,
                 worker::Driver& driver) {
    if (auto connected = driver.connect(); !connected) return connected;
    std::vector<std::string> refused(points.size());
    for (std::uint32_t i = 0; i < wishes.size(); ++i) {
        if (!wishes[i].write) continue;
        auto written = driver.write(i, value_of(*wishes[i].write, points[i].data_type.base));
        if (written) continue;
        if (written.error().kind != ErrorKind::kInvalidArgument) return written;
        refused[i] = written.error().message;
    }
    std::vector<std::uint32_t> due(points.size());
    std::iota(due.begin(), due.end(), 0U);
    SampleBatch samples;
    if (auto status = driver.read(due, samples); !status) return status;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        auto line = sample_json(points[i], samples[i]);
        if (!refused[i].empty()) line["refused"] = refused[i];
        say(line);
    }
    return {};
}

bool told_to_stop(int wait_ms) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    return poll(&input, 1, wait_ms) > 0 && ::read(STDIN_FILENO, &byte, 1) <= 0;
}

Status follow(const std::vector<PointConfig>& points, worker::Driver& driver) {
    auto* const source = driver.push_source();
    if (source == nullptr) return make_error(ErrorKind::kInvalidArgument, "the device is polled");
    const std::vector<milliseconds> periods(points.size(), milliseconds{10});
    const auto take = [&](milliseconds wait) {
        std::vector<std::uint32_t> which;
        SampleBatch samples;
        auto status = source->take(wait, which, samples);
        for (std::size_t i = 0; i < samples.size(); ++i) say(sample_json(points[which[i]], samples[i]));
        return status;
    };
    while (!told_to_stop(50)) {
        auto status = driver.connect();
        if (status) status = source->subscribe(periods);
        if (status) say({{"event", "connected"}});
        while (status && !told_to_stop(0)) status = take(milliseconds{50});
        driver.disconnect();
        if (status) {
            // What was acknowledged on the way out has not been taken yet.
            (void)take(milliseconds{0});
            return {};
        }
        say({{"event", "lost"}, {"why", status.error().message}});
    }
    return {};
}

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
    auto words = arguments.subspan(3);
    std::string_view mode;
    if (std::string_view{words.front()}.starts_with("--")) {
        mode = words.front();
        words = words.subspan(1);
    }
    std::vector<Wish> wishes;
    for (const auto* text : words) {
        auto wish = parse_point(text);
        if (!wish) return wish.error();
        wish->point.id = static_cast<PointId>(1 + wishes.size());
        device.points.push_back(wish->point);
        wishes.push_back(std::move(*wish));
    }
    auto driver = worker::make_driver(device);
    if (!driver) return driver.error();
    if (mode.empty()) return read_once(wishes, device.points, **driver);
    if (mode == "--follow") return follow(device.points, **driver);
    if (mode != "--commands")
        return make_error(ErrorKind::kInvalidArgument, fmt::format("unknown option {}", mode));
    run_commands({device.points, **driver});
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 5) {
        fmt::print(stderr, "usage: driver_probe PROTOCOL ADDRESS OPTIONS [--follow|--commands] POINT…\n");
        return 2;
    }
    const auto status = run(std::span{argv, static_cast<std::size_t>(argc)}.subspan(1));
    if (status) return 0;
    fmt::print(stderr, "driver_probe: {}\n", status.error().message);
    return 1;
}
