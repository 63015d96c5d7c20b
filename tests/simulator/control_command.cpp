#include "tests/simulator/control_command.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fieldwarden::simulator {

using Json = nlohmann::json;

namespace {

Error bad(std::string why) {
    return make_error(ErrorKind::kInvalidArgument, std::move(why));
}

}  // namespace

Result<std::uint32_t> json_number(const Json& value, std::string_view name, std::uint32_t most) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most)
        return bad(fmt::format("{} is a whole number from 0 to {}", name, most));
    return value.get<std::uint32_t>();
}

Result<bool> take_common(const std::string& name, const Json& value, CommonCommand& command) {
    const auto flag = [&](auto& target) -> Result<bool> {
        if (!value.is_boolean()) return bad(fmt::format("{} is true or false", name));
        target = value.get<bool>();
        return true;
    };
    if (name == "drop") return flag(command.drop);
    if (name == "clear") return flag(command.clear);
    if (name == "unplugged") return flag(command.unplugged);
    if (name == "reply") {
        const auto fault =
            value.is_string() ? from_name<ReplyFault>(value.get_ref<const std::string&>()) : std::nullopt;
        if (!fault) return bad(fmt::format("reply is one of {}", all_names<ReplyFault>()));
        command.reply = *fault;
        return true;
    }
    struct Limit {
        std::string_view name;
        std::uint32_t most;
    };
    static constexpr Limit kLimits[] = {
        {"device", 65535}, {"delay_ms", 600'000}, {"after", 1'000'000}, {"times", 1'000'000}};
    for (const auto& limit : kLimits) {
        if (name != limit.name) continue;
        const auto parsed = json_number(value, name, limit.most);
        if (!parsed) return parsed.error();
        if (name == "device") command.device = *parsed;
        if (name == "delay_ms") command.delay = std::chrono::milliseconds{*parsed};
        if (name == "after") command.after = *parsed;
        if (name == "times") command.times = *parsed;
        return true;
    }
    return false;
}

Status parse_line(std::string_view line,
                  const std::function<Status(const std::string& name, const Json& value)>& take) {
    const auto json = Json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (!json.is_object()) return bad("a command is one JSON object on one line");
    for (const auto& [name, value] : json.items()) {
        if (name == "protocol") continue;  // whoever gave the line to this protocol has read it
        if (auto taken = take(name, value); !taken) return taken;
    }
    return {};
}

}  // namespace fieldwarden::simulator
