#include "tests/simulator/opcua/faults.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fieldwarden::simulator::opcua {

namespace {

using Json = nlohmann::json;

Error bad(std::string why) {
    return make_error(ErrorKind::kInvalidArgument, std::move(why));
}

std::optional<Scalar> scalar_of(const Json& value) {
    if (value.is_boolean()) return std::uint64_t{value.get<bool>() ? 1U : 0U};
    if (value.is_number_unsigned()) return value.get<std::uint64_t>();
    if (value.is_number_integer()) return value.get<std::int64_t>();
    if (value.is_number_float()) return value.get<double>();
    if (value.is_string()) return value.get<std::string>();
    return std::nullopt;
}

}  // namespace

void Command::apply(Faults& faults) const {
    if (clear) faults = {};
    if (unplugged) faults.unplugged = *unplugged;
    if (delay) faults.delay = *delay;
    if (!reply) return;
    faults.reply = *reply;
    faults.after = after;
    faults.times = times;
}

Result<Command> parse_command(std::string_view line) {
    const auto json = Json::parse(line, nullptr, false);
    if (!json.is_object()) return bad("a command is one JSON object a line");
    Command command;
    for (const auto& member : json.items()) {
        const auto& name = member.key();
        const auto& value = member.value();
        const auto flag = [&] { return value.is_boolean() && value.get<bool>(); };
        const auto number = [&]() -> std::optional<std::uint32_t> {
            if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 0xFFFFFFFF) return std::nullopt;
            return value.get<std::uint32_t>();
        };
        const auto refuse = [&](std::string_view wanted) {
            return bad(fmt::format("'{}': {} is wanted", name, wanted));
        };
        constexpr std::uint32_t kLongestDelay = 600'000;
        if (name == "clear" || name == "drop" || name == "forget_sessions" || name == "unplugged") {
            if (!value.is_boolean()) return refuse("true or false");
            if (name == "clear") command.clear = flag();
            if (name == "drop") command.drop = flag();
            if (name == "forget_sessions") command.forget_sessions = flag();
            if (name == "unplugged") command.unplugged = flag();
        } else if (name == "delay_ms") {
            const auto delay = number();
            if (!delay || *delay > kLongestDelay) return refuse("a number up to 600000");
            command.delay = std::chrono::milliseconds{*delay};
        } else if (name == "reply") {
            command.reply =
                value.is_string() ? from_name<ReplyFault>(value.get<std::string>()) : std::nullopt;
            if (!command.reply) return refuse("one of the reply faults of faults.h");
        } else if (name == "after" || name == "times" || name == "service_status") {
            const auto count = number();
            if (!count) return refuse("a whole number");
            if (name == "after") command.after = *count;
            if (name == "times") command.times = *count;
            if (name == "service_status") command.service_status = *count;
        } else if (name == "node" || name == "pin") {
            if (!value.is_string()) return refuse("a name");
            (name == "node" ? command.node : command.pin) = value.get<std::string>();
        } else if (name == "status") {
            command.node_status = number();
            if (!command.node_status && !value.is_null()) return refuse("a status code or null");
        } else if (name == "values") {
            if (!value.is_array()) return refuse("an array");
            for (const auto& each : value) {
                const auto scalar = scalar_of(each);
                if (!scalar) return refuse("an array of numbers, booleans or texts");
                command.values.push_back(*scalar);
            }
        } else {
            return bad(fmt::format("'{}' is no member of a command", name));
        }
    }
    return command;
}

}  // namespace fieldwarden::simulator::opcua
