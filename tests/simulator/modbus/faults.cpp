#include "tests/simulator/modbus/faults.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

namespace fieldwarden::simulator::modbus {

namespace {

using Json = nlohmann::json;

Error bad(std::string why) {
    return make_error(ErrorKind::kInvalidArgument, std::move(why));
}

Result<std::vector<AddressRange>> ranges(const Json& value) {
    if (!value.is_array()) return bad(R"(illegal is a list such as ["hr:10-20"])");
    std::vector<AddressRange> out;
    for (const auto& entry : value) {
        if (!entry.is_string()) return bad("illegal holds texts");
        const auto range = parse_range(entry.get_ref<const std::string&>());
        if (!range) return range.error();
        out.push_back(*range);
    }
    return out;
}

Result<std::vector<std::uint8_t>> units(const Json& value) {
    if (!value.is_array()) return bad("silent_units is a list of unit ids");
    std::vector<std::uint8_t> out;
    for (const auto& entry : value) {
        const auto unit = json_number(entry, "a unit id", 255);
        if (!unit) return unit.error();
        out.push_back(static_cast<std::uint8_t>(*unit));
    }
    return out;
}

Status take_member(const std::string& name, const Json& value, Command& command) {
    const auto common = take_common(name, value, command);
    if (!common) return common.error();
    if (*common) return {};
    if (name == "illegal") {
        auto list = ranges(value);
        if (!list) return list.error();
        command.illegal = std::move(*list);
        return {};
    }
    if (name == "silent_units") {
        auto list = units(value);
        if (!list) return list.error();
        command.silent_units = std::move(*list);
        return {};
    }
    if (name == "exception" || name == "max_quantity") {
        const auto parsed = json_number(value, name, name == "exception" ? 255 : 2000);
        if (!parsed) return parsed.error();
        if (name == "exception") command.exception = static_cast<std::uint8_t>(*parsed);
        if (name == "max_quantity") command.max_quantity = static_cast<std::uint16_t>(*parsed);
        return {};
    }
    return bad(fmt::format("unknown member '{}'", name.substr(0, 64)));
}

}  // namespace

Result<AddressRange> parse_range(std::string_view text) {
    const auto dash = text.find('-');
    const auto first = parse_modbus_address(text.substr(0, dash));
    if (!first) return first.error();
    if (first->bit || first->unit_id) return bad("an illegal range names whole addresses, as in hr:10-20");
    AddressRange range{first->area, first->offset, first->offset};
    if (dash == std::string_view::npos) return range;
    const auto last = text.substr(dash + 1);
    const auto [rest, error] = std::from_chars(last.data(), last.data() + last.size(), range.last);
    if (error != std::errc{} || rest != last.data() + last.size() || range.last < range.first)
        return bad(
            fmt::format("'{}': the range ends with its last offset, as in hr:10-20", text.substr(0, 64)));
    return range;
}

void Command::apply(Faults& faults) const {
    apply_common(faults);
    if (exception) faults.exception = *exception;
    if (illegal) faults.illegal = *illegal;
    if (max_quantity) faults.max_quantity = *max_quantity;
    if (silent_units) faults.silent_units = *silent_units;
}

Result<Command> parse_command(std::string_view line) {
    Command command;
    const auto parsed = parse_line(
        line, [&](const std::string& name, const Json& value) { return take_member(name, value, command); });
    if (!parsed) return parsed.error();
    return command;
}

}  // namespace fieldwarden::simulator::modbus
