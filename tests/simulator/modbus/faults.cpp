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

// A whole number from 0 to `most`.
Result<std::uint32_t> number(const Json& value, std::string_view name, std::uint32_t most) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most)
        return bad(fmt::format("{} is a whole number from 0 to {}", name, most));
    return value.get<std::uint32_t>();
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

// Unit ids or function codes.
Result<std::vector<std::uint8_t>> codes(const std::string& name, const Json& value) {
    if (!value.is_array()) return bad(fmt::format("{} is a list of numbers", name));
    std::vector<std::uint8_t> out;
    for (const auto& entry : value) {
        const auto code = number(entry, fmt::format("an entry of {}", name), 255);
        if (!code) return code.error();
        out.push_back(static_cast<std::uint8_t>(*code));
    }
    return out;
}

Status take_member(const std::string& name, const Json& value, Command& command) {
    const auto flag = [&](auto& target) -> Status {
        if (!value.is_boolean()) return bad(fmt::format("{} is true or false", name));
        target = value.get<bool>();
        return {};
    };
    if (name == "drop") return flag(command.drop);
    if (name == "clear") return flag(command.clear);
    if (name == "unplugged") return flag(command.unplugged);
    if (name == "reply") {
        const auto fault =
            value.is_string() ? from_name<ReplyFault>(value.get_ref<const std::string&>()) : std::nullopt;
        if (!fault) return bad(fmt::format("reply is one of {}", all_names<ReplyFault>()));
        command.reply = *fault;
        return {};
    }
    if (name == "illegal") {
        auto refused = ranges(value);
        if (!refused) return refused.error();
        command.illegal = std::move(*refused);
        return {};
    }
    const auto list = [&](auto& target) -> Status {
        auto parsed = codes(name, value);
        if (!parsed) return parsed.error();
        target = std::move(*parsed);
        return {};
    };
    if (name == "silent_units") return list(command.silent_units);
    if (name == "slow_units") return list(command.slow_units);
    if (name == "no_functions") return list(command.no_functions);
    if (name == "silent_functions") return list(command.silent_functions);
    struct Limit {
        std::string_view name;
        std::uint32_t most;
    };
    static constexpr Limit kLimits[] = {
        {"device", 65535},    {"delay_ms", 600'000}, {"after", 1'000'000},
        {"times", 1'000'000}, {"exception", 255},    {"max_quantity", 2000},
    };
    for (const auto& limit : kLimits) {
        if (name != limit.name) continue;
        const auto parsed = number(value, name, limit.most);
        if (!parsed) return parsed.error();
        if (name == "device") command.device = *parsed;
        if (name == "delay_ms") command.delay = std::chrono::milliseconds{*parsed};
        if (name == "after") command.after = *parsed;
        if (name == "times") command.times = *parsed;
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
    if (clear) faults = {};
    if (delay) faults.delay = *delay;
    if (unplugged) faults.unplugged = *unplugged;
    if (reply) {
        faults.reply = *reply;
        faults.after = after;
        faults.times = times;
    }
    if (exception) faults.exception = *exception;
    if (illegal) faults.illegal = *illegal;
    if (max_quantity) faults.max_quantity = *max_quantity;
    if (silent_units) faults.silent_units = *silent_units;
    if (slow_units) faults.slow_units = *slow_units;
    if (no_functions) faults.no_functions = *no_functions;
    if (silent_functions) faults.silent_functions = *silent_functions;
}

Result<Command> parse_command(std::string_view line) {
    const auto json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return bad("a command is one JSON object on one line");
    Command command;
    for (const auto& [name, value] : json.items()) {
        if (const auto taken = take_member(name, value, command); !taken) return taken.error();
    }
    return command;
}

}  // namespace fieldwarden::simulator::modbus
