// Follows the points of a device that sends by itself and prints every sample, so that a test in another
// language can compare them with what its own, independent device said, and can kill this like a worker.
//
//   push_probe PROTOCOL ADDRESS OPTIONS ADDRESS,TYPE…     e.g. mqtt mqtt://127.0.0.1 "qos=1" plant/a,int32
//
// One JSON object a line: {"event":"connected"} after every subscription, {"event":"lost","why":…} after
// every failure, and {"address", "value", "quality", "quality_code"} for each sample. Connects again every 50
// ms until it is told to stop by the end of its input.
//
//   push_probe --once PROTOCOL ADDRESS OPTIONS ADDRESS,TYPE…   connects and reads once; exit code 1 and the
//                                                              message on stderr when that fails
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/options.h"
#include "proto/shapes.h"
#include "worker/drivers/driver.h"

namespace {

using namespace fieldwarden;
using nlohmann::json;

void say(const json& line) {
    fmt::print("{}\n", line.dump(-1, ' ', false, json::error_handler_t::replace));
    std::fflush(stdout);
}

void say(const PointConfig& point, const Sample& sample) {
    say({{"address", point.address},
         {"value", proto::to_json(sample.value)},
         {"quality", to_name(sample.quality)},
         {"quality_code", to_name(sample.code)}});
}

Result<DeviceConfig> parse_device(std::span<char*> arguments) {
    DeviceConfig device;
    device.device_code = "probe";
    const auto protocol = from_name<Protocol>(arguments[0]);
    if (!protocol) return make_error(ErrorKind::kInvalidArgument, "unknown protocol");
    device.protocol = *protocol;
    device.address = arguments[1];
    auto options = parse_options(arguments[2]);
    if (!options) return options.error();
    device.options = std::move(*options);
    for (const std::string_view text : arguments.subspan(3)) {
        const auto comma = text.rfind(',');
        if (comma == std::string_view::npos)
            return make_error(ErrorKind::kInvalidArgument, fmt::format("'{}': write ADDRESS,TYPE", text));
        const auto type = parse_data_type(text.substr(comma + 1));
        if (!type) return type.error();
        PointConfig point;
        point.id = static_cast<PointId>(1 + device.points.size());
        point.address = text.substr(0, comma);
        point.point_code = point.address;
        point.data_type = *type;
        device.points.push_back(std::move(point));
    }
    return device;
}

Status read_once(const DeviceConfig& device, worker::Driver& driver) {
    if (const auto connected = driver.connect(); !connected) return connected.error();
    std::vector<std::uint32_t> due(device.points.size());
    std::iota(due.begin(), due.end(), 0U);
    SampleBatch samples;
    if (const auto status = driver.read(due, samples); !status) return status.error();
    for (std::size_t i = 0; i < samples.size(); ++i) say(device.points[i], samples[i]);
    return {};
}

bool told_to_stop(int wait_ms) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    char byte = 0;
    return poll(&input, 1, wait_ms) > 0 && ::read(STDIN_FILENO, &byte, 1) <= 0;
}

void follow(const DeviceConfig& device, worker::Driver& driver, worker::PushSource& source) {
    const std::vector<std::chrono::milliseconds> periods(device.points.size(), std::chrono::milliseconds{10});
    while (!told_to_stop(50)) {
        auto status = driver.connect();
        if (status) status = source.subscribe(periods);
        if (status) say({{"event", "connected"}});
        while (status && !told_to_stop(0)) {
            std::vector<std::uint32_t> which;
            SampleBatch samples;
            status = source.take(std::chrono::milliseconds{50}, which, samples);
            for (std::size_t i = 0; i < samples.size(); ++i) say(device.points[which[i]], samples[i]);
        }
        if (status) {
            // What was acknowledged on the way out has not been taken yet.
            driver.disconnect();
            std::vector<std::uint32_t> which;
            SampleBatch samples;
            (void)source.take(std::chrono::milliseconds{0}, which, samples);
            for (std::size_t i = 0; i < samples.size(); ++i) say(device.points[which[i]], samples[i]);
            return;
        }
        say({{"event", "lost"}, {"why", status.error().message}});
        driver.disconnect();
    }
}

}  // namespace

int main(int argc, char** argv) {
    auto arguments = std::span{argv, static_cast<std::size_t>(argc)}.subspan(1);
    const bool once = !arguments.empty() && std::string_view{arguments[0]} == "--once";
    if (once) arguments = arguments.subspan(1);
    if (arguments.size() < 4) {
        fmt::print(stderr, "usage: push_probe [--once] PROTOCOL ADDRESS OPTIONS ADDRESS,TYPE…\n");
        return 2;
    }
    const auto fail = [](const Error& error) {
        fmt::print(stderr, "push_probe: {}\n", error.message);
        return 1;
    };
    const auto device = parse_device(arguments);
    if (!device) return fail(device.error());
    auto driver = worker::make_driver(*device);
    if (!driver) return fail(driver.error());
    if (once) {
        const auto status = read_once(*device, **driver);
        return status ? 0 : fail(status.error());
    }
    auto* source = (*driver)->push_source();
    if (source == nullptr) return fail({ErrorKind::kInvalidArgument, "this driver is polled"});
    follow(*device, **driver, *source);
    return 0;
}
