// The words of a plant's configuration that both programs use: protocols, data types, byte orders (CONTRACT
// 2).
#pragma once

#include <cstdint>
#include <string>

#include "common/enum_table.h"
#include "common/result.h"

namespace fieldwarden {

enum class Protocol : std::uint8_t { kModbusTcp, kModbusRtu, kMitsubishiMc, kOpcUa, kMqtt };

template <>
struct EnumNames<Protocol> {
    static constexpr std::array<EnumName<Protocol>, 5> table{{
        {Protocol::kModbusTcp, "modbus_tcp"},
        {Protocol::kModbusRtu, "modbus_rtu"},
        {Protocol::kMitsubishiMc, "mitsubishi_mc"},
        {Protocol::kOpcUa, "opcua"},
        {Protocol::kMqtt, "mqtt"},
    }};
};

enum class BaseType : std::uint8_t {
    kBool,
    kInt16,
    kUint16,
    kInt32,
    kUint32,
    kInt64,
    kUint64,
    kFloat32,
    kFloat64,
    kBcd16,
    kBcd32,
    kString,
};

template <>
struct EnumNames<BaseType> {
    static constexpr std::array<EnumName<BaseType>, 12> table{{
        {BaseType::kBool, "bool"},
        {BaseType::kInt16, "int16"},
        {BaseType::kUint16, "uint16"},
        {BaseType::kInt32, "int32"},
        {BaseType::kUint32, "uint32"},
        {BaseType::kInt64, "int64"},
        {BaseType::kUint64, "uint64"},
        {BaseType::kFloat32, "float32"},
        {BaseType::kFloat64, "float64"},
        {BaseType::kBcd16, "bcd16"},
        {BaseType::kBcd32, "bcd32"},
        {BaseType::kString, "string"},
    }};
};

struct DataType {
    BaseType base = BaseType::kInt16;
    std::uint16_t length = 0;  // bytes of a string(N); 0 otherwise

    bool operator==(const DataType&) const = default;
};

inline constexpr std::uint16_t kLongestString = 250;  // bytes; one Modbus read of 125 registers

// "float32", "string(16)".
Result<DataType> parse_data_type(std::string_view text);
std::string format_data_type(DataType type);
// 16-bit words a value takes in word-oriented devices: bool 1, int16 1, float32 2, string(5) 3.
std::uint16_t words_of(DataType type);

// Order of the bytes of a 32-bit value as they come from the device; A is the most significant. 16-bit values
// take AB or BA from the first two letters' order; 64-bit values extend the pattern (ABCDEFGH, HGFEDCBA,
// BADCFEHG, GHEFCDAB).
enum class ByteOrder : std::uint8_t { kAbcd, kDcba, kBadc, kCdab };

template <>
struct EnumNames<ByteOrder> {
    static constexpr std::array<EnumName<ByteOrder>, 4> table{{
        {ByteOrder::kAbcd, "ABCD"},
        {ByteOrder::kDcba, "DCBA"},
        {ByteOrder::kBadc, "BADC"},
        {ByteOrder::kCdab, "CDAB"},
    }};
};

}  // namespace fieldwarden
