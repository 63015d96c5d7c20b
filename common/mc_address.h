// Addresses of Mitsubishi devices (CONTRACT 2): letters, then the number in the base the device is numbered
// in, then for a word device the bit.
//
//   D100  W1A0  R0  ZR100000  TN0  SD200      words
//   M10  X1F  Y20  B0  L5  SM400  TS0  CC3    bits; a number there takes 16 of them for each of its words
//   D100.3  W1A0.F                            bit 0 (least significant) to F of a word
//
// Sources: MELSEC Communication Protocol Reference Manual SH-080008, section 8.1 "Device code list" (codes,
// notation); FX3U-ENET user's manual, section 9.3.1 (1E codes, octal X and Y, 32-bit counters). The device
// list of SH-080008 writes ZR in hexadecimal, the engineering tools of most CPUs in decimal: the option
// zr_base says how addresses are written; ASCII frames always carry what SH-080008 says.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/options.h"
#include "common/plant_types.h"
#include "common/result.h"

namespace fieldwarden {

inline constexpr std::uint16_t kMcPort = 5007;  // the tools propose it for the first open connection

enum class McDevice : std::uint8_t {
    kSm,
    kSd,
    kX,
    kY,
    kM,
    kL,
    kF,
    kV,
    kB,
    kD,
    kW,
    kTs,
    kTc,
    kTn,
    kSts,
    kStc,
    kStn,
    kCs,
    kCc,
    kCn,
    kSb,
    kSw,
    kS,
    kDx,
    kDy,
    kZ,
    kR,
    kZr,
};

struct McDeviceInfo {
    McDevice device;
    std::string_view name;  // as in an address
    bool is_word;
    std::uint8_t base;         // of the number in ASCII frames, 10 or 16; in addresses: mc_base()
    std::uint8_t code;         // 3E and 4E
    std::string_view letters;  // 3E and 4E in ASCII; filled up with '*'
    std::uint16_t code_1e;     // 0: 1E frames do not know the device
    bool on_fx;                // FX3 answers for it (in 1E frames)
};

const McDeviceInfo& mc_device_info(McDevice device);
std::span<const McDeviceInfo> mc_devices();

enum class McFrame : std::uint8_t { k3e, k4e, k1e };
enum class McSeries : std::uint8_t { kQ, kIqr, kFx, kA };

// What the options of a device say about its addresses.
struct McDialect {
    McFrame frame = McFrame::k3e;
    McSeries series = McSeries::kQ;
    bool zr_hexadecimal = false;

    [[nodiscard]] bool xy_octal() const { return series == McSeries::kFx; }
    // CN200 and up are 32 bits wide on FX3, and 1E frames hand them out whole.
    [[nodiscard]] bool wide_counters() const { return frame == McFrame::k1e && series == McSeries::kFx; }
    [[nodiscard]] std::uint32_t last_number() const {
        return series == McSeries::kIqr || frame == McFrame::k1e ? 0xFFFFFFFFU : 0xFFFFFFU;
    }
    bool operator==(const McDialect&) const = default;
};
// Of options that have passed check_device_options. Without `series`: FX with 1E frames, otherwise Q.
McDialect mc_dialect(const Options& options);

inline constexpr std::uint32_t kFirstWideCounter = 200;

struct McAddress {
    McDevice device = McDevice::kD;
    std::uint32_t number = 0;
    std::optional<std::uint8_t> bit;

    bool operator==(const McAddress&) const = default;
};

// What is wrong with an address, or with a type at an address.
enum class McFault : std::uint8_t {
    kNone,
    kEmpty,
    kUnknownDevice,
    kThreeDevices,  // "T0": contact, coil or value?
    kNumberMissing,
    kBadDigit,  // not a number in the device's base
    kTooLarge,
    kBadBit,
    kBitOfBit,        // "M10.3"
    kNotIn1e,         // the device is unknown to 1E frames of this series
    kBoolNeedsBit,    // a bool in a word device
    kBitIsBool,       // D100.3 as a number
    kContactIsBool,   // TS0 as a number
    kValueIs16Bit,    // TN0 as a float32
    kCounterIs32Bit,  // CN200 of FX as an int16
    kPassesEnd,       // a value that would reach past the last number
};

struct McParsed {
    McAddress address;
    McFault fault = McFault::kNone;
};
McParsed scan_mc_address(std::string_view text, const McDialect& dialect);
McFault mc_type_fault(const McAddress& address, DataType type, const McDialect& dialect);
// Why, for a message: "D1F: the number of D is decimal".
std::string mc_fault_text(McFault fault, std::string_view text, DataType type, const McDialect& dialect);

// The two above with a message of their own.
Result<McAddress> parse_mc_address(std::string_view text, const McDialect& dialect);
Status check_mc_type(const McAddress& address, DataType type, const McDialect& dialect);
std::string format_mc_address(const McAddress& address, const McDialect& dialect);

// Device numbers that a value of `type` takes from the address on: words of a word device, bits of a bit
// device. A 32-bit counter of FX is one number.
std::uint32_t mc_numbers_of(const McAddress& address, DataType type, const McDialect& dialect);
// The base of the number in an address: 8, 10 or 16.
unsigned mc_base(McDevice device, const McDialect& dialect);
// The last number that a frame can name. The PLC's own last one is usually smaller.
std::uint32_t mc_last_number(McDevice device, const McDialect& dialect);
// Contacts and coils of timers and counters.
bool mc_is_contact(McDevice device);

}  // namespace fieldwarden
