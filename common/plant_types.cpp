#include "common/plant_types.h"

#include <fmt/format.h>

#include <charconv>

namespace fieldwarden {

Result<DataType> parse_data_type(std::string_view text) {
    const auto open = text.find('(');
    const auto base = from_name<BaseType>(text.substr(0, open));
    const bool is_string = base == BaseType::kString;
    if (!base || is_string != (open != std::string_view::npos)) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("'{}' is not a data type; use one of {} (a string with its length in bytes: "
                        "string(16))",
                        text.substr(0, 64), all_names<BaseType>()));
    }
    if (!is_string) return DataType{*base, 0};
    unsigned length = 0;
    const auto digits = text.substr(open + 1);
    const auto [rest, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || std::string_view{rest, digits.data() + digits.size()} != ")" || length == 0 ||
        length > kLongestString) {
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("'{}': the length of a string is 1 to {} bytes, as in string(16)",
                                      text.substr(0, 64), kLongestString));
    }
    return DataType{BaseType::kString, static_cast<std::uint16_t>(length)};
}

std::string format_data_type(DataType type) {
    if (type.base == BaseType::kString) return fmt::format("string({})", type.length);
    return std::string{to_name(type.base)};
}

std::uint16_t words_of(DataType type) {
    switch (type.base) {
        case BaseType::kBool:
        case BaseType::kInt16:
        case BaseType::kUint16:
        case BaseType::kBcd16:
            return 1;
        case BaseType::kInt32:
        case BaseType::kUint32:
        case BaseType::kFloat32:
        case BaseType::kBcd32:
            return 2;
        case BaseType::kInt64:
        case BaseType::kUint64:
        case BaseType::kFloat64:
            return 4;
        case BaseType::kString:
            return static_cast<std::uint16_t>((type.length + 1) / 2);
    }
    return 1;
}

}  // namespace fieldwarden
