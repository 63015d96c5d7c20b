#include "supervisor/cli/json_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ctime>

#include "common/clock.h"

namespace fieldwarden::supervisor::cli {

const Json& member(const Json& json, std::string_view name) {
    static const Json kNull;
    if (!json.is_object()) return kNull;
    const auto found = json.find(name);
    return found == json.end() ? kNull : *found;
}

std::string text_of(const Json& value) {
    if (value.is_null()) return {};
    if (value.is_string()) return value.get<std::string>();
    if (value.is_number_float()) {
        // Most values come from 32-bit floats: the digits beyond their precision say nothing to a person.
        const double number = value.get<double>();
        return std::abs(number) < 1e6 ? fmt::format("{:.7g}", number) : fmt::format("{:.12g}", number);
    }
    return dumped(value);
}

std::string text_of(const Json& json, std::string_view name) {
    return text_of(member(json, name));
}

double number_of(const Json& json, std::string_view name) {
    const auto& value = member(json, name);
    return value.is_number() ? value.get<double>() : 0.0;
}

bool flag_of(const Json& json, std::string_view name) {
    const auto& value = member(json, name);
    return value.is_boolean() && value.get<bool>();
}

std::vector<Json> items_of(const Json& json) {
    for (const auto* list : {&json, &member(json, "items"), &member(json, "results")}) {
        if (list->is_array()) return {list->begin(), list->end()};
    }
    return {};
}

std::size_t count_of(const Json& value) {
    if (value.is_number_unsigned()) return value.get<std::size_t>();
    if (value.is_structured()) return value.size();
    return 0;
}

std::string problem_of(const Json& item) {
    const auto& error = member(item, "error");
    if (error.is_object()) {
        for (const auto* name : {"detail", "message", "title"}) {
            if (auto text = text_of(error, name); !text.empty()) return text;
        }
    }
    return text_of(error);
}

std::string local_time(const std::string& rfc3339) {
    const auto time = parse_rfc3339(rfc3339);
    if (!time) return rfc3339;
    const std::time_t seconds = std::chrono::system_clock::to_time_t(
        std::chrono::time_point_cast<std::chrono::system_clock::duration>(*time));
    std::tm parts{};
    if (::localtime_r(&seconds, &parts) == nullptr) return rfc3339;
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", parts);
}

std::string short_span(double seconds) {
    const auto whole = static_cast<std::int64_t>(std::clamp(seconds, 0.0, 1e12));
    if (whole < 60) return fmt::format("{}s", whole);
    if (whole < 3600) return fmt::format("{}m {}s", whole / 60, whole % 60);
    if (whole < 86'400) return fmt::format("{}h {}m", whole / 3600, whole % 3600 / 60);
    return fmt::format("{}d {}h", whole / 86'400, whole % 86'400 / 3600);
}

std::string short_number(double number) {
    const double size = std::fabs(number);
    if (size >= 1e9) return fmt::format("{:.1f}G", number / 1e9);
    if (size >= 1e6) return fmt::format("{:.1f}M", number / 1e6);
    if (size >= 1e4) return fmt::format("{:.1f}k", number / 1e3);
    return fmt::format("{:.0f}", number);
}

std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace fieldwarden::supervisor::cli
