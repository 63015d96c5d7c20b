#include "common/mc_address.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/device_options.h"

namespace fieldwarden {

namespace {

constexpr bool kWord = true;
constexpr bool kBit = false;
constexpr std::uint32_t kLastR = 32767;  // a block of file registers (SH-080008, "block switching method")

// In the order of McDevice. SS, SC and SN are the letters frames use for STS, STC and STN.
constexpr std::array kDevices{
    McDeviceInfo{McDevice::kSm, "SM", kBit, 10, 0x91, "SM", 0, false},
    McDeviceInfo{McDevice::kSd, "SD", kWord, 10, 0xA9, "SD", 0, false},
    McDeviceInfo{McDevice::kX, "X", kBit, 16, 0x9C, "X*", 0x5820, true},
    McDeviceInfo{McDevice::kY, "Y", kBit, 16, 0x9D, "Y*", 0x5920, true},
    McDeviceInfo{McDevice::kM, "M", kBit, 10, 0x90, "M*", 0x4D20, true},
    McDeviceInfo{McDevice::kL, "L", kBit, 10, 0x92, "L*", 0, false},
    McDeviceInfo{McDevice::kF, "F", kBit, 10, 0x93, "F*", 0x4620, false},
    McDeviceInfo{McDevice::kV, "V", kBit, 10, 0x94, "V*", 0, false},
    McDeviceInfo{McDevice::kB, "B", kBit, 16, 0xA0, "B*", 0x4220, false},
    McDeviceInfo{McDevice::kD, "D", kWord, 10, 0xA8, "D*", 0x4420, true},
    McDeviceInfo{McDevice::kW, "W", kWord, 16, 0xB4, "W*", 0x5720, false},
    McDeviceInfo{McDevice::kTs, "TS", kBit, 10, 0xC1, "TS", 0x5453, true},
    McDeviceInfo{McDevice::kTc, "TC", kBit, 10, 0xC0, "TC", 0x5443, false},
    McDeviceInfo{McDevice::kTn, "TN", kWord, 10, 0xC2, "TN", 0x544E, true},
    McDeviceInfo{McDevice::kSts, "STS", kBit, 10, 0xC7, "SS", 0, false},
    McDeviceInfo{McDevice::kStc, "STC", kBit, 10, 0xC6, "SC", 0, false},
    McDeviceInfo{McDevice::kStn, "STN", kWord, 10, 0xC8, "SN", 0, false},
    McDeviceInfo{McDevice::kCs, "CS", kBit, 10, 0xC4, "CS", 0x4353, true},
    McDeviceInfo{McDevice::kCc, "CC", kBit, 10, 0xC3, "CC", 0x4343, false},
    McDeviceInfo{McDevice::kCn, "CN", kWord, 10, 0xC5, "CN", 0x434E, true},
    McDeviceInfo{McDevice::kSb, "SB", kBit, 16, 0xA1, "SB", 0, false},
    McDeviceInfo{McDevice::kSw, "SW", kWord, 16, 0xB5, "SW", 0, false},
    McDeviceInfo{McDevice::kS, "S", kBit, 10, 0x98, "S*", 0x5320, true},
    McDeviceInfo{McDevice::kDx, "DX", kBit, 16, 0xA2, "DX", 0, false},
    McDeviceInfo{McDevice::kDy, "DY", kBit, 16, 0xA3, "DY", 0, false},
    McDeviceInfo{McDevice::kZ, "Z", kWord, 10, 0xCC, "Z*", 0, false},
    McDeviceInfo{McDevice::kR, "R", kWord, 10, 0xAF, "R*", 0x5220, true},
    McDeviceInfo{McDevice::kZr, "ZR", kWord, 16, 0xB0, "ZR", 0, false},
};

std::string folded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ' ' || c == '\t') continue;
        out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return out;
}

bool is_current_value(McDevice device) {
    return device == McDevice::kTn || device == McDevice::kStn || device == McDevice::kCn;
}

bool is_wide_counter(const McAddress& address, const McDialect& dialect) {
    return dialect.wide_counters() && address.device == McDevice::kCn && address.number >= kFirstWideCounter;
}

// The digits after the letters of `device`; nullopt when `text` does not begin with them.
std::optional<std::string_view> number_behind(std::string_view text, const McDeviceInfo& device) {
    if (!text.starts_with(device.name)) return std::nullopt;
    return text.substr(device.name.size());
}

bool all_digits(std::string_view text, unsigned base) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0') < base;
        return base == 16 && c >= 'A' && c <= 'F';
    });
}

std::string_view base_name(unsigned base) {
    return base == 8 ? "octal" : base == 16 ? "hexadecimal" : "decimal";
}

// Which device the text means. "B1F" is B; "SB1F" is SB, not S; "DX1F" is DX; "D1F" is D with a bad number.
// Digits decide among devices of which one's letters begin another's: the longest whose rest is a number.
const McDeviceInfo* device_of(std::string_view text, const McDialect& dialect) {
    const McDeviceInfo* best = nullptr;
    bool best_fits = false;
    for (const auto& device : kDevices) {
        const auto digits = number_behind(text, device);
        if (!digits) continue;
        const bool fits = all_digits(*digits, mc_base(device.device, dialect));
        const bool starts_well =
            digits->empty() || (digits->front() >= '0' && digits->front() <= '9') || fits;
        if (!starts_well) continue;
        if (best == nullptr || (fits && !best_fits) ||
            (fits == best_fits && device.name.size() > best->name.size())) {
            best = &device;
            best_fits = fits;
        }
    }
    return best;
}

}  // namespace

std::span<const McDeviceInfo> mc_devices() {
    return kDevices;
}

const McDeviceInfo& mc_device_info(McDevice device) {
    return kDevices[static_cast<std::size_t>(device)];
}

unsigned mc_base(McDevice device, const McDialect& dialect) {
    if (device == McDevice::kZr) return dialect.zr_hexadecimal ? 16 : 10;
    if ((device == McDevice::kX || device == McDevice::kY) && dialect.xy_octal()) return 8;
    return mc_device_info(device).base;
}

bool mc_is_contact(McDevice device) {
    switch (device) {
        case McDevice::kTs:
        case McDevice::kTc:
        case McDevice::kSts:
        case McDevice::kStc:
        case McDevice::kCs:
        case McDevice::kCc:
            return true;
        case McDevice::kSm:
        case McDevice::kSd:
        case McDevice::kX:
        case McDevice::kY:
        case McDevice::kM:
        case McDevice::kL:
        case McDevice::kF:
        case McDevice::kV:
        case McDevice::kB:
        case McDevice::kD:
        case McDevice::kW:
        case McDevice::kTn:
        case McDevice::kStn:
        case McDevice::kCn:
        case McDevice::kSb:
        case McDevice::kSw:
        case McDevice::kS:
        case McDevice::kDx:
        case McDevice::kDy:
        case McDevice::kZ:
        case McDevice::kR:
        case McDevice::kZr:
            return false;
    }
    return false;
}

std::uint32_t mc_last_number(McDevice device, const McDialect& dialect) {
    return device == McDevice::kR ? kLastR : dialect.last_number();
}

McDialect mc_dialect(const Options& options) {
    const auto option = [&](std::string_view name) {
        return text_option(Protocol::kMitsubishiMc, options, name);
    };
    McDialect dialect;
    const auto frame = option("frame");
    dialect.frame = frame == "1E" ? McFrame::k1e : frame == "4E" ? McFrame::k4e : McFrame::k3e;
    const auto series = option("series");
    if (series == "iqr") dialect.series = McSeries::kIqr;
    if (series == "fx" || (series == "auto" && dialect.frame == McFrame::k1e)) dialect.series = McSeries::kFx;
    if (series == "a") dialect.series = McSeries::kA;
    dialect.zr_hexadecimal = option("zr_base") == "hexadecimal";
    return dialect;
}

McParsed scan_mc_address(std::string_view text, const McDialect& dialect) {
    const std::string whole = folded(text);
    std::string_view rest = whole;
    McParsed out;
    const auto fail = [&](McFault fault) {
        out.fault = fault;
        return out;
    };
    if (rest.empty()) return fail(McFault::kEmpty);
    std::optional<std::string_view> bit;
    if (const auto dot = rest.find('.'); dot != std::string_view::npos) {
        bit = rest.substr(dot + 1);
        rest = rest.substr(0, dot);
    }
    const auto* device = device_of(rest, dialect);
    if (device == nullptr) {
        const auto letters = rest.substr(0, rest.find_first_of("0123456789"));
        const bool timer = letters == "T" || letters == "ST" || letters == "C";
        return fail(timer ? McFault::kThreeDevices : McFault::kUnknownDevice);
    }
    out.address.device = device->device;
    const auto digits = *number_behind(rest, *device);
    if (digits.empty()) return fail(McFault::kNumberMissing);
    const auto base = mc_base(device->device, dialect);
    if (!all_digits(digits, base)) return fail(McFault::kBadDigit);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(),
                                              out.address.number, static_cast<int>(base));
    if (error != std::errc{} || out.address.number > mc_last_number(device->device, dialect))
        return fail(McFault::kTooLarge);
    if (bit) {
        if (bit->size() != 1 || !all_digits(*bit, 16)) return fail(McFault::kBadBit);
        if (!device->is_word) return fail(McFault::kBitOfBit);
        const char c = bit->front();
        out.address.bit = static_cast<std::uint8_t>(c <= '9' ? c - '0' : c - 'A' + 10);
    }
    if (dialect.frame == McFrame::k1e &&
        (device->code_1e == 0 || (dialect.series == McSeries::kFx && !device->on_fx)))
        return fail(McFault::kNotIn1e);
    return out;
}

std::uint32_t mc_numbers_of(const McAddress& address, DataType type, const McDialect& dialect) {
    if (is_wide_counter(address, dialect)) return 1;
    const bool is_bool = type.base == BaseType::kBool;
    if (mc_device_info(address.device).is_word) return is_bool ? 1U : words_of(type);
    return is_bool ? 1U : 16U * words_of(type);
}

McFault mc_type_fault(const McAddress& address, DataType type, const McDialect& dialect) {
    const auto& device = mc_device_info(address.device);
    const bool is_bool = type.base == BaseType::kBool;
    if (address.bit && !is_bool) return McFault::kBitIsBool;
    if (device.is_word && is_bool && !address.bit) return McFault::kBoolNeedsBit;
    if (mc_is_contact(address.device) && !is_bool) return McFault::kContactIsBool;
    if (is_wide_counter(address, dialect)) {
        const bool wide =
            type.base == BaseType::kInt32 || type.base == BaseType::kUint32 || type.base == BaseType::kBcd32;
        return wide ? McFault::kNone : McFault::kCounterIs32Bit;
    }
    if (is_current_value(address.device) && !is_bool && words_of(type) != 1) return McFault::kValueIs16Bit;
    if (type.base == BaseType::kString && is_current_value(address.device)) return McFault::kValueIs16Bit;
    const auto last = std::uint64_t{address.number} + mc_numbers_of(address, type, dialect) - 1;
    return last > mc_last_number(address.device, dialect) ? McFault::kPassesEnd : McFault::kNone;
}

std::string mc_fault_text(McFault fault, std::string_view text, DataType type, const McDialect& dialect) {
    const auto address = scan_mc_address(text, dialect).address;
    const auto& device = mc_device_info(address.device);
    const auto type_name = format_data_type(type);
    switch (fault) {
        case McFault::kNone:
            return {};
        case McFault::kEmpty:
            return "the address is empty";
        case McFault::kUnknownDevice:
            return "no device begins with these letters";
        case McFault::kThreeDevices:
            return "a timer or counter is three devices: the contact (TS, STS, CS), the coil (TC, STC, CC) "
                   "and "
                   "the current value (TN, STN, CN)";
        case McFault::kNumberMissing:
            return fmt::format("after {} comes its number", device.name);
        case McFault::kBadDigit:
            return fmt::format("the number of {} is {}", device.name,
                               base_name(mc_base(address.device, dialect)));
        case McFault::kTooLarge:
            return fmt::format(
                "the number is too large; the last is {}",
                format_mc_address({address.device, mc_last_number(address.device, dialect), {}}, dialect));
        case McFault::kBadBit:
            return "the bit after the point is 0 to F";
        case McFault::kBitOfBit:
            return fmt::format("{} is a bit already; only word devices have bits", device.name);
        case McFault::kNotIn1e:
            return fmt::format(
                "1E frames do not reach {} on this series; use another frame, or check the "
                "options frame and series",
                device.name);
        case McFault::kBoolNeedsBit:
            return fmt::format("{} holds words; a bool there needs its bit, as in D100.3", device.name);
        case McFault::kBitIsBool:
            return fmt::format("a single bit is a bool, not {}", type_name);
        case McFault::kContactIsBool:
            return fmt::format(
                "{} is a contact or coil and holds bool only, not {}; the value is in TN, STN or CN",
                device.name, type_name);
        case McFault::kValueIs16Bit:
            return fmt::format("the current value of one {} has 16 bits, too few for {}", device.name,
                               type_name);
        case McFault::kCounterIs32Bit:
            return fmt::format("CN200 and up are 32-bit counters on FX; use int32 or uint32, not {}",
                               type_name);
        case McFault::kPassesEnd:
            return fmt::format(
                "{} takes {} numbers and would pass the last one, {}", type_name,
                mc_numbers_of(address, type, dialect),
                format_mc_address({address.device, mc_last_number(address.device, dialect), {}}, dialect));
    }
    return {};
}

Result<McAddress> parse_mc_address(std::string_view text, const McDialect& dialect) {
    const auto parsed = scan_mc_address(text, dialect);
    if (parsed.fault == McFault::kNone) return parsed.address;
    return make_error(ErrorKind::kInvalidArgument,
                      fmt::format("MC address '{}': {}; write D100, D100.3, M10, X1F, W1A0 or ZR100",
                                  text.substr(0, 64), mc_fault_text(parsed.fault, text, {}, dialect)));
}

Status check_mc_type(const McAddress& address, DataType type, const McDialect& dialect) {
    const auto fault = mc_type_fault(address, type, dialect);
    if (fault == McFault::kNone) return {};
    const auto text = format_mc_address(address, dialect);
    return make_error(ErrorKind::kInvalidArgument, fmt::format("{} at {}: {}", format_data_type(type), text,
                                                               mc_fault_text(fault, text, type, dialect)));
}

std::string format_mc_address(const McAddress& address, const McDialect& dialect) {
    const auto& device = mc_device_info(address.device);
    auto text = std::string{device.name};
    switch (mc_base(address.device, dialect)) {
        case 8:
            text += fmt::format("{:o}", address.number);
            break;
        case 16: {
            // The tools write a number that begins with a letter with a zero: X0A0.
            const auto number = fmt::format("{:X}", address.number);
            text += fmt::format("{}{}", number.front() >= 'A' ? "0" : "", number);
            break;
        }
        default:
            text += fmt::format("{}", address.number);
    }
    if (address.bit) text += fmt::format(".{:X}", *address.bit);
    return text;
}

}  // namespace fieldwarden
