#include "worker/probe.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <span>
#include <thread>

#include "worker/drivers/driver.h"
#include "worker/pipeline.h"

namespace fieldwarden::worker {

namespace {

std::string_view step_text(ConnectStep step) {
    switch (step) {
        case ConnectStep::kResolve:
            return "looking up the host name failed";
        case ConnectStep::kConnect:
            return "connecting failed";
        case ConnectStep::kHandshake:
            return "the connection opens, but the handshake failed";
        case ConnectStep::kSignIn:
            return "the device answers, but refused the sign-in";
        case ConnectStep::kRead:
            return "the connection opens, but reading failed";
    }
    return "failed";
}

std::string_view advice(ConnectStep step, Protocol protocol) {
    switch (step) {
        case ConnectStep::kResolve:
            return "check the host name in the device's address";
        case ConnectStep::kConnect:
            return "check power, cable, address and port, and that no firewall stands between";
        case ConnectStep::kHandshake:
            return "check that the device speaks this protocol on this port";
        case ConnectStep::kSignIn:
            return "check user name, password and the device's security settings";
        case ConnectStep::kRead:
            return protocol == Protocol::kModbusTcp || protocol == Protocol::kModbusRtu
                       ? "check the unit id and that the device speaks this protocol on this port"
                       : "check the points' addresses and that the device is not overloaded (timeout_ms)";
    }
    return "";
}

// The device with the one point that the probe reads.
DeviceConfig with_one_point(const DeviceConfig& device) {
    DeviceConfig probe = device;
    if (!probe.points.empty()) {
        probe.points.resize(1);
    } else if (probe.protocol == Protocol::kModbusTcp || probe.protocol == Protocol::kModbusRtu) {
        PointConfig first;
        first.point_code = "first holding register";
        first.address = "hr:0";
        first.data_type = {BaseType::kUint16, 0};
        probe.points.push_back(std::move(first));
    }
    if (probe.protocol == Protocol::kMqtt) {
        // The acquiring client's identifier would throw that client out of the broker, and its session would
        // give the probe the messages it is waiting for.
        probe.options["clean_session"] = "true";
        if (auto id = probe.options.find("client_id"); id != probe.options.end()) id->second += "-test";
    }
    return probe;
}

}  // namespace

proto::ProbeResult test_connection(const DeviceConfig& device, const Clock& clock) {
    proto::ProbeResult result;
    const auto began = clock.mono_now();
    const auto finish = [&](bool ok, std::string detail, proto::ErrorCategory category) {
        result.ok = ok;
        result.detail = std::move(detail);
        if (!ok) result.error_category = category;
        result.latency_ms = std::chrono::duration<double, std::milli>(clock.mono_now() - began).count();
        return result;
    };
    const auto step_failed = [&](ConnectStep step, const Error& error) {
        return finish(
            false, fmt::format("{}: {}; {}", step_text(step), error.message, advice(step, device.protocol)),
            proto::ErrorCategory::kConnectionError);
    };

    const auto probe = with_one_point(device);
    auto driver = make_driver(probe);
    if (!driver) return finish(false, driver.error().message, proto::ErrorCategory::kConfigurationError);
    if (const auto status = (*driver)->connect(); !status)
        return step_failed((*driver)->failed_step(), status.error());
    if (probe.points.empty()) return finish(true, "connected; there is no point to read", {});

    const auto read_began = clock.mono_now();
    constexpr std::array<std::uint32_t, 1> kFirst{0};
    SampleBatch samples;
    const auto status = (*driver)->read(kFirst, samples);
    const double read_ms = std::chrono::duration<double, std::milli>(clock.mono_now() - read_began).count();
    (*driver)->disconnect();
    if (!status) return step_failed(ConnectStep::kRead, status.error());

    const auto& point = probe.points.front();
    const auto& sample = samples.front();
    if (sample.quality == Quality::kGood) {
        return finish(
            true,
            fmt::format("connected, read {} ({}) in {:.1f} ms", point.point_code, point.address, read_ms),
            {});
    }
    // The device talks; whether one address exists is another question, and without points nobody asked it.
    const auto& refusal = (*driver)->stats().last_refusal;
    if (device.points.empty() && sample.code == QualityCode::kIllegalAddress) {
        return finish(true, fmt::format("connected, the device answers in {:.1f} ms ({})", read_ms, refusal),
                      {});
    }
    return finish(
        false,
        fmt::format("the device answers, but reading {} ({}) is bad ({}){}{}; check the point's address "
                    "and data type",
                    point.point_code, point.address, to_name(sample.code), refusal.empty() ? "" : ": ",
                    refusal),
        proto::ErrorCategory::kDataCollectionError);
}

Result<ReadBack> write_over_own_connection(const DeviceConfig& device, const Value& engineering) {
    if (device.points.size() != 1) {
        return make_error(ErrorKind::kInternal, "one point is expected");
    }
    const WriteRule rule{device.points.front()};
    auto raw = raw_value(rule, engineering);
    if (!raw) return raw.error();
    auto driver = make_driver(device);
    if (!driver) return driver.error();
    if (const auto status = (*driver)->connect(); !status) return status.error();
    auto result = write_and_read_back(**driver, 0, rule, *raw, [](std::chrono::milliseconds pause) {
        std::this_thread::sleep_for(pause);
        return false;
    });
    (*driver)->disconnect();
    if (!result) return result.error();
    constexpr std::array<std::uint32_t, 1> kOne{0};
    Pipeline{device.points}.convert(kOne, std::span{&result->sample, 1});
    return result;
}

Result<proto::BrowsePage> browse_device(const DeviceConfig& device, const std::string& node) {
    auto driver = make_driver(device);
    if (!driver) return driver.error();
    auto* const browser = (*driver)->browser();
    if (browser == nullptr) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("device {}: {} has no way to ask a device what it holds; take the "
                                      "addresses from its documents",
                                      device.device_code, to_name(device.protocol)));
    }
    if (const auto status = (*driver)->connect(); !status) {
        return make_error(
            status.error().kind,
            fmt::format("{}: {}; {}", step_text((*driver)->failed_step()), status.error().message,
                        advice((*driver)->failed_step(), device.protocol)));
    }
    auto page = browser->browse(node);
    (*driver)->disconnect();
    return page;
}

}  // namespace fieldwarden::worker
