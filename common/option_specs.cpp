#include "common/option_specs.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "common/clock.h"

namespace fieldwarden {

namespace {

using Type = OptionSpec::Type;

const OptionSpec* find_spec(std::span<const OptionSpec> specs, std::string_view name) {
    const auto found =
        std::find_if(specs.begin(), specs.end(), [&](const auto& spec) { return covers(spec, name); });
    return found == specs.end() ? nullptr : &*found;
}

std::optional<std::int64_t> whole_number(std::string_view value) {
    std::int64_t number = 0;
    const auto [rest, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (value.empty() || error != std::errc{} || rest != value.data() + value.size()) return std::nullopt;
    return number;
}

bool among(std::string_view choices, std::string_view value) {
    while (!choices.empty()) {
        const auto bar = std::min(choices.find('|'), choices.size());
        if (choices.substr(0, bar) == value) return true;
        choices.remove_prefix(std::min(bar + 1, choices.size()));
    }
    return false;
}

}  // namespace

bool covers(const OptionSpec& spec, std::string_view name) {
    if (!spec.name.ends_with('.')) return spec.name == name;
    return name.starts_with(spec.name) && name.size() > spec.name.size();
}

std::vector<OptionSpec> joined(std::initializer_list<std::span<const OptionSpec>> parts) {
    std::vector<OptionSpec> all;
    for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

Status check_options(std::span<const OptionSpec> specs, std::string_view owner, const Options& options) {
    const auto refuse = [](std::string why) {
        return make_error(ErrorKind::kInvalidArgument, std::move(why));
    };
    for (const auto& [name, value] : options) {
        const auto* spec = find_spec(specs, name);
        if (spec == nullptr) {
            std::string known;
            for (const auto& other : specs)
                known += fmt::format("{}{}{}", known.empty() ? "" : ", ", other.name,
                                     other.name.ends_with('.') ? "<name>" : "");
            return refuse(
                fmt::format("option '{}' is unknown for {}; known: {}", name.substr(0, 64), owner, known));
        }
        const auto got = fmt::format("option {}='{}'", name, value.substr(0, 64));
        switch (spec->type) {
            case Type::kInteger: {
                const auto number = whole_number(value);
                if (!number || *number < spec->least || *number > spec->most) {
                    return refuse(fmt::format("{}: a whole number from {} to {} is wanted ({})", got,
                                              spec->least, spec->most, spec->help));
                }
                break;
            }
            case Type::kDuration: {
                const auto duration = parse_duration(value);
                if (!duration || duration->count() < spec->least || duration->count() > spec->most) {
                    return refuse(fmt::format("{}: a duration from {} to {} is wanted, as in 30s ({})", got,
                                              format_duration(std::chrono::milliseconds{spec->least}),
                                              format_duration(std::chrono::milliseconds{spec->most}),
                                              spec->help));
                }
                break;
            }
            case Type::kChoice:
                if (!among(spec->choices, value)) {
                    return refuse(fmt::format("{}: use one of {}", got, spec->choices));
                }
                break;
            case Type::kBoolean:
                if (value != "true" && value != "false") {
                    return refuse(fmt::format("{}: use true or false", got));
                }
                break;
            case Type::kText:
                break;
        }
    }
    return {};
}

std::string text_option(std::span<const OptionSpec> specs, const Options& options, std::string_view name) {
    if (const auto given = options.find(name); given != options.end()) return given->second;
    const auto* spec = find_spec(specs, name);
    return spec == nullptr ? std::string{} : std::string{spec->fallback};
}

std::int64_t integer_option(std::span<const OptionSpec> specs, const Options& options,
                            std::string_view name) {
    return whole_number(text_option(specs, options, name)).value_or(0);
}

bool boolean_option(std::span<const OptionSpec> specs, const Options& options, std::string_view name) {
    return text_option(specs, options, name) == "true";
}

}  // namespace fieldwarden
