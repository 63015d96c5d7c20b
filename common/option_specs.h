// Tables of options: what a device, a task, a sink or an alert channel may be told, with limits and help. One
// table serves validation, the part of the program that reads the options, and the template.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/options.h"

namespace fieldwarden {

struct OptionSpec {
    enum class Type : std::uint8_t { kInteger, kChoice, kText, kBoolean, kDuration };
    std::string_view name;  // ends in '.': any option that begins so
    Type type = Type::kText;
    std::int64_t least = 0;  // kInteger; milliseconds of a kDuration
    std::int64_t most = 0;
    std::string_view choices = {};  // kChoice: names separated by '|'
    std::string_view fallback = {};
    std::string_view help = {};

    static constexpr OptionSpec integer(std::string_view name, std::int64_t least, std::int64_t most,
                                        std::string_view fallback, std::string_view help) {
        return {name, Type::kInteger, least, most, {}, fallback, help};
    }
    static constexpr OptionSpec choice(std::string_view name, std::string_view choices,
                                       std::string_view fallback, std::string_view help) {
        return {name, Type::kChoice, 0, 0, choices, fallback, help};
    }
    static constexpr OptionSpec boolean(std::string_view name, std::string_view fallback,
                                        std::string_view help) {
        return {name, Type::kBoolean, 0, 0, {}, fallback, help};
    }
    static constexpr OptionSpec text(std::string_view name, std::string_view help,
                                     std::string_view fallback = {}) {
        return {name, Type::kText, 0, 0, {}, fallback, help};
    }
};

// Whether this row of a table is about the option of that name.
bool covers(const OptionSpec& spec, std::string_view name);

std::vector<OptionSpec> joined(std::initializer_list<std::span<const OptionSpec>> parts);

// Every option is in the table and its value fits; the error names the option, what it got and what it takes.
// `owner` is what the options are of, for the message: "modbus_tcp", "a task".
Status check_options(std::span<const OptionSpec> specs, std::string_view owner, const Options& options);

// The value given, or the table's fallback. `name` is in the table; the options have passed check_options.
std::string text_option(std::span<const OptionSpec> specs, const Options& options, std::string_view name);
std::int64_t integer_option(std::span<const OptionSpec> specs, const Options& options, std::string_view name);
bool boolean_option(std::span<const OptionSpec> specs, const Options& options, std::string_view name);

}  // namespace fieldwarden
