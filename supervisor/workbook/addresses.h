// Addresses of devices and points, checked against the grammar of the device's protocol (CONTRACT 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/mc_address.h"
#include "common/modbus_address.h"
#include "common/plant_types.h"
#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor {

// nullopt when it fits; otherwise what is wrong and how to write it.
std::optional<std::string> device_address_problem(Protocol protocol, std::string_view address,
                                                  Language language);

// MELSEC devices, as common/mc_address.h; what the device's options say of X, Y and ZR counts.
std::optional<std::string> mc_address_problem(std::string_view address, const McDialect& dialect,
                                              Language language);
// Whether the type fits an address that is fine by itself.
std::optional<std::string> mc_type_problem(std::string_view address, DataType type, const McDialect& dialect,
                                           Language language);

// NodeIds, browse paths and array elements: common/node_id.h.
std::optional<std::string> node_id_problem(std::string_view address, Language language);

// <topic>[#<JSON pointer>]: a topic without wildcards, RFC 6901 behind the first '#'.
std::optional<std::string> mqtt_address_problem(std::string_view address, Language language);

// For Modbus: check_modbus_type in the language asked for.
std::string modbus_type_problem(const ModbusAddress& address, DataType type, Language language);
std::string modbus_address_help(std::string_view address, Language language);

}  // namespace fieldwarden::supervisor
