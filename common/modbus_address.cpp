#include "common/modbus_address.h"

#include <fmt/format.h>

#include <charconv>

namespace fieldwarden {

namespace {

constexpr unsigned kLastOffset = 65535;

// All of `text` as a decimal number up to `most`.
std::optional<unsigned> number_up_to(std::string_view text, unsigned most) {
    unsigned value = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || rest != text.data() + text.size() || value > most)
        return std::nullopt;
    return value;
}

std::optional<ModbusArea> area_of_digit(char digit) {
    switch (digit) {
        case '0':
            return ModbusArea::kCoil;
        case '1':
            return ModbusArea::kDiscreteInput;
        case '3':
            return ModbusArea::kInputRegister;
        case '4':
            return ModbusArea::kHoldingRegister;
        default:
            return std::nullopt;
    }
}

Error bad(std::string_view text, std::string_view why) {
    return make_error(
        ErrorKind::kInvalidArgument,
        fmt::format("Modbus address '{}': {}; write 40001, 400001, hr:0, ir:0, co:0 or di:0, with .3 "
                    "for a bit of a register and @7 for a unit id",
                    text.substr(0, 64), why));
}

// Lower case without blanks.
std::string folded(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == ' ' || c == '\t') continue;
        out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return out;
}

}  // namespace

Result<ModbusAddress> parse_modbus_address(std::string_view text) {
    const std::string whole = folded(text);
    std::string_view rest = whole;
    ModbusAddress address;

    if (const auto at = rest.find('@'); at != std::string_view::npos) {
        const auto unit = number_up_to(rest.substr(at + 1), 255);
        if (!unit) return bad(text, "the unit id after @ is 0 to 255");
        address.unit_id = static_cast<std::uint8_t>(*unit);
        rest = rest.substr(0, at);
    }
    if (const auto dot = rest.find('.'); dot != std::string_view::npos) {
        const auto bit = number_up_to(rest.substr(dot + 1), 15);
        if (!bit) return bad(text, "the bit after the point is 0 to 15");
        address.bit = static_cast<std::uint8_t>(*bit);
        rest = rest.substr(0, dot);
    }
    if (const auto colon = rest.find(':'); colon != std::string_view::npos) {
        const auto area = from_name<ModbusArea>(rest.substr(0, colon));
        if (!area) return bad(text, "unknown area");
        const auto offset = number_up_to(rest.substr(colon + 1), kLastOffset);
        if (!offset) return bad(text, "the offset after the area is 0 to 65535");
        address.area = *area;
        address.offset = static_cast<std::uint16_t>(*offset);
    } else {
        if (rest.size() != 5 && rest.size() != 6) return bad(text, "not five or six digits");
        const auto area = area_of_digit(rest.front());
        if (!area) return bad(text, "the first digit must be 0, 1, 3 or 4");
        const auto number = number_up_to(rest.substr(1), kLastOffset + 1);
        if (!number || *number == 0) return bad(text, "numbering starts at 1 and ends at 65536");
        address.area = *area;
        address.offset = static_cast<std::uint16_t>(*number - 1);
    }
    if (address.bit && !address.is_register()) return bad(text, "only registers have bits");
    return address;
}

std::string format_modbus_address(const ModbusAddress& address) {
    std::string text = fmt::format("{}:{}", to_name(address.area), address.offset);
    if (address.bit) text += fmt::format(".{}", *address.bit);
    if (address.unit_id) text += fmt::format("@{}", *address.unit_id);
    return text;
}

Status check_modbus_type(const ModbusAddress& address, DataType type) {
    const auto refuse = [&](std::string_view why) {
        return make_error(ErrorKind::kInvalidArgument, fmt::format("{} at {}: {}", format_data_type(type),
                                                                   format_modbus_address(address), why));
    };
    const bool is_bool = type.base == BaseType::kBool;
    if (!address.is_register()) {
        if (!is_bool) return refuse("coils and discrete inputs hold bool only");
        return {};
    }
    if (address.bit && !is_bool) return refuse("a single bit is a bool");
    if (is_bool && !address.bit) return refuse("a bool in a register needs its bit, as in hr:10.3");
    if (address.offset + words_of(type) - 1U > kLastOffset) {
        return refuse(fmt::format("takes {} registers and would pass the last one, 65535", words_of(type)));
    }
    return {};
}

}  // namespace fieldwarden
