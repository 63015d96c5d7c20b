// The options a device of each protocol knows: one table, used by validation, by the drivers and by the
// template.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/host_port.h"
#include "common/option_specs.h"
#include "common/plant_types.h"

namespace fieldwarden {

// Options of devices of this protocol, the common ones (timeouts, reconnect delays) included.
std::span<const OptionSpec> device_options(Protocol protocol);

Status check_device_options(Protocol protocol, const Options& options);

// The value, or the table's fallback. `name` must be in the table; the options have passed
// check_device_options.
std::int64_t integer_option(Protocol protocol, const Options& options, std::string_view name);
std::string text_option(Protocol protocol, const Options& options, std::string_view name);

inline constexpr std::uint16_t kModbusPort = 502;  // V1.1b3 over TCP, IANA
inline constexpr std::uint16_t kOpcUaPort = 4840;  // IANA

}  // namespace fieldwarden
