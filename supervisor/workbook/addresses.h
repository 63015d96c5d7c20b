// Addresses of devices and points, checked against the grammar of the device's protocol (CONTRACT 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/modbus_address.h"
#include "common/plant_types.h"
#include "supervisor/workbook/language.h"

namespace fieldwarden::supervisor {

// nullopt when it fits; otherwise what is wrong and how to write it.
std::optional<std::string> device_address_problem(Protocol protocol, std::string_view address,
                                                  Language language);

// MELSEC devices (SH-080008, appendix: device codes): letters, then the number in the base the device is
// numbered in, then for word devices the bit (".0" to ".F"). Letters are the longest that fit: "ZR100" is ZR,
// not Z.
std::optional<std::string> mc_address_problem(std::string_view address, DataType type, Language language);

// NodeIds, browse paths and array elements: common/node_id.h.
std::optional<std::string> node_id_problem(std::string_view address, Language language);

// <topic>[#<JSON pointer>]: a topic without wildcards, RFC 6901 behind the first '#'.
std::optional<std::string> mqtt_address_problem(std::string_view address, Language language);

// For Modbus: check_modbus_type in the language asked for.
std::string modbus_type_problem(const ModbusAddress& address, DataType type, Language language);
std::string modbus_address_help(std::string_view address, Language language);

}  // namespace fieldwarden::supervisor
