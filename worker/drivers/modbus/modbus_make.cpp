// A device's configuration → its driver.
#include <fmt/format.h>

#include "common/device_options.h"
#include "worker/drivers/modbus/modbus_driver.h"
#include "worker/drivers/modbus/rtu_link.h"
#include "worker/drivers/modbus/serial_line.h"
#include "worker/drivers/modbus/tcp_link.h"

namespace fieldwarden::worker::modbus {

namespace {

using std::chrono::milliseconds;

struct ParsedPoint {
    ModbusDriver::Point point;
    ReadPoint place;
};

Result<ParsedPoint> parse_point(const PointConfig& config, std::uint32_t index, std::uint8_t default_unit,
                                const ReadLimits& limits) {
    const auto named = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("point {}: {}", config.point_code, why));
    };
    const auto address = parse_modbus_address(config.address);
    if (!address) return named(address.error().message);
    if (const auto fits = check_modbus_type(*address, config.data_type); !fits)
        return named(fits.error().message);
    const bool is_bit = !address->is_register();
    const std::uint32_t count = is_bit ? 1 : words_of(config.data_type);
    if (!is_bit && count > limits.max_words) {
        return named(fmt::format("{} takes {} registers, but option max_registers allows {} in one read",
                                 format_data_type(config.data_type), count, limits.max_words));
    }
    return ParsedPoint{
        .point = {.id = config.id, .type = config.data_type, .order = config.byte_order, .bit = address->bit},
        .place = {.index = index,
                  .unit = address->unit_id.value_or(default_unit),
                  .area = static_cast<std::uint8_t>(address->area),
                  .is_bit = is_bit,
                  .offset = address->offset,
                  .count = count,
                  .period = config.period}};
}

Error refused(const DeviceConfig& config, std::string_view why) {
    return make_error(ErrorKind::kInvalidArgument, fmt::format("device {}: {}", config.device_code, why));
}

std::int64_t option(const DeviceConfig& config, std::string_view name) {
    return integer_option(config.protocol, config.options, name);
}

// The driver of a device whose options are checked; `rtu`: on a line, where unit 0 means everybody and nobody
// answers.
Result<std::unique_ptr<Driver>> make_driver_over(std::unique_ptr<Link> link, const DeviceConfig& config,
                                                 ModbusDriver::Settings settings, bool rtu) {
    const auto narrow = [&](std::string_view name) {
        return static_cast<std::uint32_t>(option(config, name));
    };
    settings.limits = {narrow("max_registers"), narrow("max_bits"), narrow("max_gap")};
    settings.timeout = milliseconds{option(config, "timeout_ms")};
    settings.illegal_retry = std::chrono::seconds{option(config, "illegal_retry_s")};
    settings.silent_unit.first = milliseconds{option(config, "reconnect_min_ms")};
    settings.silent_unit.longest = milliseconds{option(config, "reconnect_max_ms")};

    std::vector<ModbusDriver::Point> points;
    std::vector<ReadPoint> places;
    points.reserve(config.points.size());
    places.reserve(config.points.size());
    const auto default_unit = static_cast<std::uint8_t>(option(config, "unit_id"));
    for (std::uint32_t i = 0; i < config.points.size(); ++i) {
        const auto parsed = parse_point(config.points[i], i, default_unit, settings.limits);
        if (!parsed) return refused(config, parsed.error().message);
        if (rtu && parsed->place.unit == 0) {
            return refused(config, fmt::format("point {}: unit id 0 addresses every device of a line at once "
                                               "and none answers; units are 1 to 247",
                                               config.points[i].point_code));
        }
        points.push_back(parsed->point);
        places.push_back(parsed->place);
    }
    return std::unique_ptr<Driver>{
        std::make_unique<ModbusDriver>(std::move(points), places, settings, std::move(link))};
}

}  // namespace

Result<std::unique_ptr<Driver>> make_modbus_tcp(const DeviceConfig& config) {
    const auto peer = parse_host_port(config.address, kModbusPort);
    if (!peer) return refused(config, peer.error().message);
    if (const auto fine = check_device_options(config.protocol, config.options); !fine)
        return refused(config, fine.error().message);
    ModbusDriver::Settings settings;
    settings.inter_request_delay = milliseconds{option(config, "inter_request_delay_ms")};
    return make_driver_over(
        std::make_unique<TcpLink>(*peer,
                                  TcpTimeouts{.connect = milliseconds{option(config, "connect_timeout_ms")},
                                              .response = milliseconds{option(config, "timeout_ms")}}),
        config, settings, false);
}

Result<std::unique_ptr<Driver>> make_modbus_rtu(const DeviceConfig& config) {
    if (const auto fine = check_device_options(config.protocol, config.options); !fine)
        return refused(config, fine.error().message);
    // The pause between two requests is one of the line, whoever asks: the link keeps it, not the driver.
    RtuTiming timing{.response = milliseconds{option(config, "timeout_ms")},
                     .silence = milliseconds{option(config, "inter_request_delay_ms")}};
    std::unique_ptr<RtuChannel> channel;
    if (config.address.starts_with('/')) {
        SerialSettings serial;
        serial.baud_rate = static_cast<std::uint32_t>(option(config, "baud_rate"));
        serial.stop_bits = static_cast<std::uint8_t>(option(config, "stop_bits"));
        const auto parity = text_option(config.protocol, config.options, "parity");
        serial.parity = parity == "none" ? Parity::kNone : parity == "odd" ? Parity::kOdd : Parity::kEven;
        timing.silence = std::max(timing.silence, frame_silence(serial.baud_rate));
        channel = make_serial_channel(config.address, serial);
    } else {
        // Without a port it is rather a mistyped serial port (COM1) than a host.
        const auto peer = parse_host_port(config.address, kModbusPort);
        if (!peer || config.address.find(':') == std::string::npos) {
            return refused(config, fmt::format("address '{}': write a serial port, as in /dev/ttyUSB0, or "
                                               "host:port of a converter that hands RTU frames through",
                                               config.address.substr(0, 128)));
        }
        channel = make_tcp_channel(*peer, milliseconds{option(config, "connect_timeout_ms")});
    }
    return make_driver_over(std::make_unique<RtuLink>(std::move(channel), timing), config, {}, true);
}

}  // namespace fieldwarden::worker::modbus
