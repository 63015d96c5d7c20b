#include "supervisor/workbook/addresses.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/device_options.h"
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

struct MelsecDevice {
    std::string_view letters;
    int base;
    bool word;
};
// Longer letters first, so that the first match is the right one.
constexpr std::array kMelsecDevices{
    MelsecDevice{"STS", 10, false}, MelsecDevice{"STC", 10, false}, MelsecDevice{"STN", 10, true},
    MelsecDevice{"ZR", 10, true},   MelsecDevice{"SD", 10, true},   MelsecDevice{"SM", 10, false},
    MelsecDevice{"SB", 16, false},  MelsecDevice{"SW", 16, true},   MelsecDevice{"DX", 16, false},
    MelsecDevice{"DY", 16, false},  MelsecDevice{"TS", 10, false},  MelsecDevice{"TC", 10, false},
    MelsecDevice{"TN", 10, true},   MelsecDevice{"CS", 10, false},  MelsecDevice{"CC", 10, false},
    MelsecDevice{"CN", 10, true},   MelsecDevice{"D", 10, true},    MelsecDevice{"W", 16, true},
    MelsecDevice{"R", 10, true},    MelsecDevice{"Z", 10, true},    MelsecDevice{"M", 10, false},
    MelsecDevice{"L", 10, false},   MelsecDevice{"F", 10, false},   MelsecDevice{"V", 10, false},
    MelsecDevice{"B", 16, false},   MelsecDevice{"X", 16, false},   MelsecDevice{"Y", 16, false},
    MelsecDevice{"S", 10, false},
};

}  // namespace

std::optional<std::string> device_address_problem(Protocol protocol, std::string_view address,
                                                  Language language) {
    constexpr std::uint16_t kMcPort = 5007;
    constexpr std::uint16_t kMqttPort = 1883;
    switch (protocol) {
        case Protocol::kModbusTcp:
            return network_address_problem(address, kModbusPort, language);
        case Protocol::kModbusRtu:
            if (address.starts_with("/dev/") && address.size() > 5 &&
                address.find("..") == std::string_view::npos) {
                return std::nullopt;
            }
            return say(language, "'{}' is no serial port; write /dev/ttyS0 or /dev/ttyUSB0",
                       "“{}”不是串口，请写成 /dev/ttyS0 或 /dev/ttyUSB0", shortened(address, kShown));
        case Protocol::kMitsubishiMc:
            return network_address_problem(address, kMcPort, language);
        case Protocol::kOpcUa:
            return url_problem(address, {"opc.tcp://"}, kOpcUaPort, true, language);
        case Protocol::kMqtt:
            return url_problem(address, {"mqtt://", "mqtts://"}, kMqttPort, false, language);
    }
    return std::nullopt;
}

std::optional<std::string> mc_address_problem(std::string_view address, DataType type, Language language) {
    std::string text = lower_ascii(address);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
    const auto help = [&](std::string_view en, std::string_view zh) {
        return say(language, "'{}': {}; write D100, D100.3, M10, X1F, W1A0 or ZR100",
                   "“{0}”：{2}；请写成 D100、D100.3、M10、X1F、W1A0 或 ZR100", shortened(address, kShown), en,
                   zh);
    };
    std::string_view rest = text;
    std::string_view bit;
    if (const auto dot = rest.find('.'); dot != std::string_view::npos) {
        bit = rest.substr(dot + 1);
        rest = rest.substr(0, dot);
        if (bit.size() != 1 || !all_among(bit, "0123456789ABCDEF")) {
            return help("the bit after the point is 0 to F", "点后的位号为 0 到 F");
        }
    }
    const auto device =
        std::find_if(kMelsecDevices.begin(), kMelsecDevices.end(), [&](const MelsecDevice& each) {
            return rest.starts_with(each.letters) &&
                   all_among(rest.substr(each.letters.size()),
                             each.base == 16 ? "0123456789ABCDEF" : "0123456789");
        });
    if (device == kMelsecDevices.end()) {
        return help("no device of that name with a number in its base (X, Y, B, W, SB, SW are hexadecimal)",
                    "没有这样的软元件，或编号进制不对（X、Y、B、W、SB、SW 为十六进制）");
    }
    std::uint32_t number = 0;
    constexpr std::uint32_t kLastDevice = 0xFFFFFF;  // three bytes in a 3E frame
    if (!whole_number(rest.substr(device->letters.size()), number, device->base) || number > kLastDevice) {
        return help("the number is too large", "编号过大");
    }
    if (!bit.empty() && !device->word) return help("only word devices have bits", "只有字软元件才有位");
    const bool is_bool = type.base == BaseType::kBool;
    if (device->word && is_bool && bit.empty()) {
        return help("a bool in a word device needs its bit", "字软元件中的 bool 需要位号");
    }
    if (!bit.empty() && !is_bool) return help("a single bit is a bool", "单个位的数据类型应为 bool");
    return std::nullopt;
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
    const auto hash = std::min(address.find('#'), address.size());
    const auto topic = address.substr(0, hash);
    const auto pointer = address.substr(std::min(hash + 1, address.size()));
    bool fits = !topic.empty() && topic.find('+') == std::string_view::npos &&
                (pointer.empty() || pointer.front() == '/');
    for (std::size_t i = 0; i < pointer.size(); ++i) {
        if (pointer[i] == '~' &&
            (i + 1 == pointer.size() || (pointer[i + 1] != '0' && pointer[i + 1] != '1'))) {
            fits = false;
        }
    }
    if (fits) return std::nullopt;
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
