// The options a device of each protocol knows: one table, used by validation, by the drivers and by the
// template.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/options.h"
#include "common/plant_types.h"

namespace fieldwarden {

struct OptionSpec {
    enum class Type : std::uint8_t { kInteger, kChoice, kText, kBoolean, kDuration };
    std::string_view name;
    Type type = Type::kText;
    std::int64_t least = 0;  // kInteger; milliseconds of a kDuration
    std::int64_t most = 0;
    std::string_view choices = {};  // kChoice: names separated by '|'
    std::string_view fallback = {};
    std::string_view help = {};
};

// Every option is in the table and its value fits; the error names the option, what it got and what it takes.
// `owner` is what the options are of, for the message: "modbus_tcp", "a task".
Status check_options(std::span<const OptionSpec> specs, std::string_view owner, const Options& options);

// Options of devices of this protocol, the common ones (timeouts, reconnect delays) included.
std::span<const OptionSpec> device_options(Protocol protocol);

Status check_device_options(Protocol protocol, const Options& options);

// The value, or the table's fallback. `name` must be in the table; the options have passed
// check_device_options.
std::int64_t integer_option(Protocol protocol, const Options& options, std::string_view name);
std::string text_option(Protocol protocol, const Options& options, std::string_view name);

// host:port of a device address ("[::1]:502" for IPv6). A missing port takes `default_port`.
struct HostPort {
    std::string host;
    std::uint16_t port = 0;
};
Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port);

inline constexpr std::uint16_t kModbusPort = 502;  // V1.1b3 over TCP, IANA
inline constexpr std::uint16_t kOpcUaPort = 4840;  // IANA

}  // namespace fieldwarden
