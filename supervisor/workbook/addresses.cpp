#include "supervisor/workbook/addresses.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/device_options.h"
#include "common/mqtt_address.h"
#include "common/node_id.h"
#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

constexpr std::size_t kShown = 100;

bool all_among(std::string_view text, std::string_view allowed) {
    return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

template <class T>
bool whole_number(std::string_view text, T& value, int base = 10) {
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    return !text.empty() && error == std::errc{} && rest == text.data() + text.size();
}

std::optional<std::string> network_address_problem(std::string_view address, std::uint16_t port,
                                                   Language language) {
    const auto parsed = parse_host_port(address, port);
    if (parsed) return std::nullopt;
    return say(language, "{}", "请写成 主机:端口，例如 192.168.0.10:{1}", parsed.error().message, port);
}

// scheme://host[:port][/path], without user and password: those are options.
std::optional<std::string> url_problem(std::string_view address,
                                       std::initializer_list<std::string_view> schemes, std::uint16_t port,
                                       bool path, Language language) {
    const auto help = [&] {
        return say(language,
                   "'{}' does not fit; write {}host:{}{} (user name and password belong into the options)",
                   "“{}”格式不正确；请写成 {}主机:{}{}（用户名和密码请写在选项中）",
                   shortened(address.find('@') == std::string_view::npos ? address : "…", kShown),
                   *schemes.begin(), port, path ? "/path" : "");
    };
    const auto scheme = std::find_if(schemes.begin(), schemes.end(),
                                     [&](std::string_view each) { return address.starts_with(each); });
    if (scheme == schemes.end()) return help();
    const auto rest = address.substr(scheme->size());
    const auto slash = std::min(rest.find('/'), rest.size());
    if (!path && slash + 1 < rest.size()) return help();
    if (!parse_host_port(rest.substr(0, slash), port)) return help();
    return std::nullopt;
}

// mc_fault_text in Chinese.
std::string mc_fault_in_chinese(McFault fault, std::string_view text, DataType type,
                                const McDialect& dialect) {
    const auto address = scan_mc_address(text, dialect).address;
    const auto name = mc_device_info(address.device).name;
    const auto type_name = format_data_type(type);
    const auto last = [&] {
        return format_mc_address({address.device, mc_last_number(address.device, dialect), {}}, dialect);
    };
    switch (fault) {
        case McFault::kNone:
            return {};
        case McFault::kEmpty:
            return "地址为空";
        case McFault::kUnknownDevice:
            return "没有以这些字母开头的软元件";
        case McFault::kThreeDevices:
            return "定时器和计数器各有三种软元件：触点（TS、STS、CS）、线圈（TC、STC、CC）和当前值（TN、STN、"
                   "CN）";
        case McFault::kNumberMissing:
            return fmt::format("{} 后面缺少编号", name);
        case McFault::kBadDigit: {
            const auto base = mc_base(address.device, dialect);
            return fmt::format("{} 的编号为{}", name,
                               base == 8    ? "八进制"
                               : base == 16 ? "十六进制"
                                            : "十进制");
        }
        case McFault::kTooLarge:
            return fmt::format("编号过大，最后一个为 {}", last());
        case McFault::kBadBit:
            return "点后的位号为 0 到 F";
        case McFault::kBitOfBit:
            return fmt::format("{} 本身就是位，只有字软元件才有位号", name);
        case McFault::kNotIn1e:
            return fmt::format("该系列的 1E 帧不能访问 {}；请改用其他帧，或检查选项 frame 和 series", name);
        case McFault::kBoolNeedsBit:
            return fmt::format("{} 是字软元件，其中的 bool 需要位号，例如 D100.3", name);
        case McFault::kBitIsBool:
            return fmt::format("单个位的数据类型应为 bool，而不是 {}", type_name);
        case McFault::kContactIsBool:
            return fmt::format("{} 是触点或线圈，只能是 bool，而不是 {}；当前值请用 TN、STN 或 CN", name,
                               type_name);
        case McFault::kValueIs16Bit:
            return fmt::format("一个 {} 的当前值只有 16 位，放不下 {}", name, type_name);
        case McFault::kCounterIs32Bit:
            return fmt::format("FX 的 CN200 及以上为 32 位计数器，请用 int32 或 uint32，而不是 {}",
                               type_name);
        case McFault::kPassesEnd:
            return fmt::format("{} 占用 {} 个编号，超出最后一个 {}", type_name,
                               mc_numbers_of(address, type, dialect), last());
    }
    return {};
}

}  // namespace

std::optional<std::string> device_address_problem(Protocol protocol, std::string_view address,
                                                  Language language) {
    switch (protocol) {
        case Protocol::kModbusTcp:
            return network_address_problem(address, kModbusPort, language);
        case Protocol::kModbusRtu: {
            if (address.starts_with("/dev/") && address.size() > 5 &&
                address.find("..") == std::string_view::npos) {
                return std::nullopt;
            }
            // A host without a port is rather a mistyped serial port (COM1).
            const bool converter = address.find(':') != std::string_view::npos && !address.starts_with('/');
            if (converter && parse_host_port(address, kModbusPort)) return std::nullopt;
            return say(language,
                       "'{}' is neither a serial port nor a converter; write /dev/ttyS0 or /dev/ttyUSB0, or "
                       "host:port of a converter that hands RTU frames through",
                       "“{}”既不是串口，也不是串口服务器；请写成 /dev/ttyS0、/dev/ttyUSB0，或透传 RTU "
                       "帧的串口服务器 主机:端口",
                       shortened(address, kShown));
        }
        case Protocol::kMitsubishiMc:
            return network_address_problem(address, kMcPort, language);
        case Protocol::kOpcUa:
            return url_problem(address, {"opc.tcp://"}, kOpcUaPort, true, language);
        case Protocol::kMqtt:
            return url_problem(address, {"mqtt://", "mqtts://"}, kMqttPort, false, language);
    }
    return std::nullopt;
}

std::optional<std::string> mc_address_problem(std::string_view address, const McDialect& dialect,
                                              Language language) {
    const auto fault = scan_mc_address(address, dialect).fault;
    if (fault == McFault::kNone) return std::nullopt;
    if (language == Language::kEnglish) {
        return fmt::format("'{}': {}; write D100, D100.3, M10, X1F, W1A0 or ZR100",
                           shortened(address, kShown), mc_fault_text(fault, address, {}, dialect));
    }
    return fmt::format("“{}”：{}；请写成 D100、D100.3、M10、X1F、W1A0 或 ZR100", shortened(address, kShown),
                       mc_fault_in_chinese(fault, address, {}, dialect));
}

std::optional<std::string> mc_type_problem(std::string_view address, DataType type, const McDialect& dialect,
                                           Language language) {
    const auto parsed = scan_mc_address(address, dialect).address;
    const auto fault = mc_type_fault(parsed, type, dialect);
    if (fault == McFault::kNone) return std::nullopt;
    const auto where = format_mc_address(parsed, dialect);
    if (language == Language::kEnglish) {
        return fmt::format("{} at {}: {}", format_data_type(type), where,
                           mc_fault_text(fault, address, type, dialect));
    }
    return fmt::format("{} 位于 {}：{}", format_data_type(type), where,
                       mc_fault_in_chinese(fault, address, type, dialect));
}

std::optional<std::string> node_id_problem(std::string_view address, Language language) {
    if (parse_opcua_address(address)) return std::nullopt;
    return say(language,
               "'{}' is no NodeId; write ns=2;s=Temp, ns=2;i=1001, ns=2;g=<guid>, ns=2;b=<base64> or "
               "path:/Objects/2:Boiler/2:Temp, with [3] for an element of an array",
               "“{}”不是 NodeId，请写成 ns=2;s=Temp、ns=2;i=1001、ns=2;g=<guid>、ns=2;b=<base64> 或 "
               "path:/Objects/2:Boiler/2:Temp，数组元素加 [3]",
               shortened(address, kShown));
}

std::optional<std::string> mqtt_address_problem(std::string_view address, Language language) {
    if (parse_mqtt_address(address)) return std::nullopt;
    return say(
        language, "'{}': write topic#/json/pointer, as in plant/line1#/temp (a topic without wildcards)",
        "“{}”：请写成 主题#/JSON/指针，例如 plant/line1#/temp（主题不含通配符）", shortened(address, kShown));
}

std::string modbus_address_help(std::string_view address, Language language) {
    if (all_among(address, "0123456789") && address.size() < 5) {
        return say(language,
                   "'{}' has too few digits for a Modbus address; write hr:{} (zero-based), or 4{:0>4} "
                   "(one-based). A "
                   "coil such as 00001 typed as a number has lost its zeros: write co:0",
                   "“{}”的位数不足；请写成 hr:{}（从 0 起）或 4{:0>4}（从 1 起）。以数字输入的线圈 00001 "
                   "会丢失前导零，"
                   "请写成 co:0",
                   address, address, address);
    }
    if (language == Language::kChinese) {
        return fmt::format(
            "Modbus 地址“{}”不正确；请写成 40001、400001、hr:0、ir:0、co:0 或 di:0，.3 表示寄存器的位，@7 "
            "表示站号",
            shortened(address, kShown));
    }
    const auto parsed = parse_modbus_address(address);
    return parsed ? std::string{} : parsed.error().message;
}

std::string modbus_type_problem(const ModbusAddress& address, DataType type, Language language) {
    const auto fits = check_modbus_type(address, type);
    if (fits) return {};
    if (language == Language::kEnglish) return fits.error().message;
    const auto where = format_modbus_address(address);
    const auto name = format_data_type(type);
    const bool is_bool = type.base == BaseType::kBool;
    if (!address.is_register()) return fmt::format("{} 位于 {}：线圈和离散输入只能是 bool", name, where);
    if (address.bit && !is_bool) return fmt::format("{} 位于 {}：寄存器的单个位只能是 bool", name, where);
    if (is_bool) return fmt::format("bool 位于 {}：寄存器中的 bool 需要位号，例如 hr:10.3", where);
    return fmt::format("{} 位于 {}：占用 {} 个寄存器，超出最后一个寄存器 65535", name, where, words_of(type));
}

}  // namespace fieldwarden::supervisor
