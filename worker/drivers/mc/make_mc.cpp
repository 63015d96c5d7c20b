// DeviceConfig → driver.
#include <fmt/format.h>

#include <algorithm>

#include "common/device_options.h"
#include "worker/drivers/mc/mc_driver.h"

namespace fieldwarden::worker::mc {

namespace {

using std::chrono::milliseconds;

struct Parsed {
    McDriver::Point point;
    ReadPoint place;
};

Result<Parsed> parse_point(const PointConfig& config, std::uint32_t index, const FrameFormat& format,
                           const McDriver::Settings& settings) {
    const auto named = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("point {}: {}", config.point_code, why));
    };
    const auto& dialect = format.dialect;
    const auto address = parse_mc_address(config.address, dialect);
    if (!address) return named(address.error().message);
    if (const auto fits = check_mc_type(*address, config.data_type, dialect); !fits)
        return named(fits.error().message);
    const bool input_or_output = address->device == McDevice::kX || address->device == McDevice::kY;
    if (input_or_output && dialect.xy_octal() && format.is_ascii() && !format.is_1e()) {
        return named(
            fmt::format("{}: how an ASCII frame numbers X and Y of an FX5 is not certain; set "
                        "encoding=binary, here and in the PLC's port",
                        config.address));
    }
    const auto place = place_of(*address, config.data_type, dialect, index, config.period);
    const auto limits = lane_limits(settings.limits, settings.max_words, settings.max_gap, true);
    const auto most = place.is_bit ? limits.max_bits : limits.max_words;
    if (place.count > most) {
        return named(fmt::format("{} takes {} {}, but one read of this frame, or option max_words, allows {}",
                                 format_data_type(config.data_type), place.count,
                                 place.is_bit ? "bits" : "words", most));
    }
    return Parsed{
        {.id = config.id, .type = config.data_type, .order = config.byte_order, .address = *address}, place};
}

Result<FrameFormat> parse_format(const DeviceConfig& config) {
    const auto option = [&](std::string_view name) {
        return integer_option(config.protocol, config.options, name);
    };
    FrameFormat format;
    format.dialect = mc_dialect(config.options);
    const auto refuse = [](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, std::string{why});
    };
    if (format.is_1e() && (format.dialect.series == McSeries::kQ || format.dialect.series == McSeries::kIqr))
        return refuse("1E frames are for series fx and a; set the option series to one of them or to auto");
    if (!format.is_1e() && format.dialect.series == McSeries::kA)
        return refuse("the A series takes 1E frames only; set the option frame to 1E");
    format.encoding = text_option(config.protocol, config.options, "encoding") == "ascii" ? Encoding::kAscii
                                                                                          : Encoding::kBinary;
    format.network = static_cast<std::uint8_t>(option("network"));
    format.pc = static_cast<std::uint8_t>(option("pc"));
    format.module_io = static_cast<std::uint16_t>(option("module_io"));
    format.station = static_cast<std::uint8_t>(option("station"));
    // Rounded up to the next step of 250 ms, for 0 means for ever.
    format.timer = static_cast<std::uint16_t>((option("monitoring_timer_ms") + 249) / 250);
    return format;
}

}  // namespace

Result<std::unique_ptr<Driver>> make_mc(const DeviceConfig& config) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("device {}: {}", config.device_code, why));
    };
    auto peer = parse_host_port(config.address, kMcPort);
    if (!peer) return refuse(peer.error().message);
    if (const auto fine = check_device_options(config.protocol, config.options); !fine)
        return refuse(fine.error().message);
    const auto format = parse_format(config);
    if (!format) return refuse(format.error().message);
    const auto option = [&](std::string_view name) {
        return integer_option(config.protocol, config.options, name);
    };

    McDriver::Settings settings;
    settings.limits = frame_limits(*format);
    if (text_option(config.protocol, config.options, "random_read") == "off") settings.limits.random = 0;
    settings.max_words = static_cast<std::uint32_t>(option("max_words"));
    settings.max_gap = static_cast<std::uint32_t>(option("max_gap"));
    settings.timeout = milliseconds{option("timeout_ms")};
    settings.inter_request_delay = milliseconds{option("inter_request_delay_ms")};
    settings.illegal_retry = std::chrono::seconds{option("illegal_retry_s")};

    std::vector<McDriver::Point> points;
    std::vector<ReadPoint> places;
    points.reserve(config.points.size());
    places.reserve(config.points.size());
    for (std::uint32_t i = 0; i < config.points.size(); ++i) {
        auto parsed = parse_point(config.points[i], i, *format, settings);
        if (!parsed) return refuse(parsed.error().message);
        points.push_back(parsed->point);
        places.push_back(parsed->place);
    }
    auto link = std::make_unique<McLink>(
        std::move(*peer), *format,
        Timeouts{.connect = milliseconds{option("connect_timeout_ms")}, .response = settings.timeout});
    return std::unique_ptr<Driver>{
        std::make_unique<McDriver>(std::move(points), places, settings, std::move(link))};
}

}  // namespace fieldwarden::worker::mc
