#include "tests/simulator/mc/faults.h"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "tests/simulator/mc/memory.h"

namespace fieldwarden::simulator::mc {

namespace {

using Json = nlohmann::json;

Error bad(std::string why) {
    return make_error(ErrorKind::kInvalidArgument, std::move(why));
}

bool whole(std::string_view text, bool hexadecimal, std::uint32_t& number) {
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
    return !text.empty() && error == std::errc{} && end == text.data() + text.size();
}

Status take_member(const std::string& name, const Json& value, Command& command) {
    const auto common = take_common(name, value, command);
    if (!common) return common.error();
    if (*common) return {};
    if (name == "illegal") {
        if (!value.is_array()) return bad(R"(illegal is a list such as ["D10-20"])");
        std::vector<DeviceRange> ranges;
        for (const auto& entry : value) {
            if (!entry.is_string()) return bad("illegal holds texts");
            const auto range = parse_range(entry.get_ref<const std::string&>());
            if (!range) return range.error();
            ranges.push_back(*range);
        }
        command.illegal = std::move(ranges);
        return {};
    }
    if (name == "no_random") {
        if (!value.is_boolean()) return bad("no_random is true or false");
        command.no_random = value.get<bool>();
        return {};
    }
    if (name == "end_code" || name == "max_points") {
        const auto parsed = json_number(value, name, 65535);
        if (!parsed) return parsed.error();
        if (name == "end_code") command.end_code = static_cast<std::uint16_t>(*parsed);
        if (name == "max_points") command.max_points = *parsed;
        return {};
    }
    return bad(fmt::format("unknown member '{}'", name.substr(0, 64)));
}

}  // namespace

Result<DeviceRange> parse_range(std::string_view text) {
    const auto refuse = [&] {
        return bad(fmt::format("'{}': write a device and a range of its numbers, as in D10-20 or X1F",
                               text.substr(0, 64)));
    };
    const DeviceKind* best = nullptr;
    DeviceRange range;
    for (const auto& kind : device_kinds()) {
        if (!text.starts_with(kind.name) || (best != nullptr && best->name.size() > kind.name.size()))
            continue;
        const auto numbers = text.substr(kind.name.size());
        const auto dash = numbers.find('-');
        DeviceRange tried{kind.code, 0, 0};
        if (!whole(numbers.substr(0, dash), kind.hexadecimal, tried.first)) continue;
        tried.last = tried.first;
        if (dash != std::string_view::npos && !whole(numbers.substr(dash + 1), kind.hexadecimal, tried.last))
            continue;
        if (tried.last < tried.first) continue;
        best = &kind;
        range = tried;
    }
    if (best == nullptr) return refuse();
    return range;
}

void Command::apply(Faults& faults) const {
    apply_common(faults);
    if (end_code) faults.end_code = *end_code;
    if (illegal) faults.illegal = *illegal;
    if (max_points) faults.max_points = *max_points;
    if (no_random) faults.no_random = *no_random;
}

Result<Command> parse_command(std::string_view line) {
    Command command;
    const auto parsed = parse_line(
        line, [&](const std::string& name, const Json& value) { return take_member(name, value, command); });
    if (!parsed) return parsed.error();
    return command;
}

}  // namespace fieldwarden::simulator::mc
