// Modbus point addresses (CONTRACT 2).
//
//   hr:0 ir:0 co:0 di:0      area and zero-based offset
//   40001 / 400001           one-based with the area as first digit: 0 coil, 1 discrete input, 3 input
//   register,
//                            4 holding register (five digits reach offset 9998, six digits 65535)
//   hr:10.3  40011.3         bit 0 (least significant) to 15 of a register
//   hr:0@7   40001@7         unit id 0 to 255 (default: the device's option unit_id)
//
// Source of the areas: MODBUS Application Protocol V1.1b3, section 4.3. The 5/6-digit notation is Modicon's
// convention.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/enum_table.h"
#include "common/plant_types.h"
#include "common/result.h"

namespace fieldwarden {

enum class ModbusArea : std::uint8_t { kCoil, kDiscreteInput, kInputRegister, kHoldingRegister };

template <>
struct EnumNames<ModbusArea> {
    static constexpr std::array<EnumName<ModbusArea>, 4> table{{
        {ModbusArea::kCoil, "co"},
        {ModbusArea::kDiscreteInput, "di"},
        {ModbusArea::kInputRegister, "ir"},
        {ModbusArea::kHoldingRegister, "hr"},
    }};
};

struct ModbusAddress {
    ModbusArea area = ModbusArea::kHoldingRegister;
    std::uint16_t offset = 0;
    std::optional<std::uint8_t> bit;
    std::optional<std::uint8_t> unit_id;

    bool operator==(const ModbusAddress&) const = default;
    [[nodiscard]] bool is_register() const {
        return area == ModbusArea::kInputRegister || area == ModbusArea::kHoldingRegister;
    }
};

Result<ModbusAddress> parse_modbus_address(std::string_view text);
std::string format_modbus_address(const ModbusAddress& address);

// Whether a value of `type` can stand at `address`: coils and single bits hold only bool, a bool in a
// register needs a bit, and the last register of the value may not pass 65535.
Status check_modbus_type(const ModbusAddress& address, DataType type);

}  // namespace fieldwarden
