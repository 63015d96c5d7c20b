#include "worker/drivers/opcua/values.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "worker/decode.h"
#include "worker/drivers/opcua/status_codes.h"

namespace fieldwarden::worker::opcua {

namespace {

using std::chrono::milliseconds;
constexpr std::size_t kShown = 60;

Conversion refuse(std::string why) {
    return {std::monostate{}, std::move(why)};
}

// One number as a person writes it.
std::string decimal(const Value& value, BuiltInType type) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) return fmt::format("{}", *natural);
    if (const auto* real = std::get_if<double>(&value)) {
        // The shortest text that gives the same number again, in the width the server has.
        return type == BuiltInType::kFloat ? fmt::format("{}", static_cast<float>(*real))
                                           : fmt::format("{}", *real);
    }
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    return {};
}

std::string described(const Value& value, BuiltInType type) {
    return fmt::format("{} {}", type_name(type), sanitize_utf8(decimal(value, type).substr(0, kShown)));
}

std::optional<std::int64_t> unix_milliseconds(const Value& ticks) {
    const auto* number = std::get_if<std::int64_t>(&ticks);
    const auto time = number == nullptr ? std::nullopt : from_date_time(*number);
    if (!time) return std::nullopt;
    return std::chrono::floor<milliseconds>(time->time_since_epoch()).count();
}

// A scalar as text: what string(N) and JSON arrays hold. nullopt: there is none.
std::optional<std::string> text_of(const Value& value, BuiltInType type) {
    if (std::holds_alternative<std::monostate>(value)) return std::nullopt;
    switch (type) {
        case BuiltInType::kDateTime: {
            const auto* ticks = std::get_if<std::int64_t>(&value);
            const auto time = ticks == nullptr ? std::nullopt : from_date_time(*ticks);
            return time ? std::optional{format_rfc3339(*time)} : std::nullopt;
        }
        case BuiltInType::kStatusCode:
            return status_name(static_cast<StatusCode>(std::get<std::uint64_t>(value)));
        case BuiltInType::kByteString:
            return encode_base64(std::get<std::string>(value));
        default:
            return decimal(value, type);
    }
}

nlohmann::json json_of(const Value& value, BuiltInType type) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (type != BuiltInType::kDateTime && type != BuiltInType::kStatusCode) {
        if (const auto* whole = std::get_if<std::int64_t>(&value)) return *whole;
        if (const auto* natural = std::get_if<std::uint64_t>(&value)) return *natural;
        if (const auto* real = std::get_if<double>(&value)) {
            if (!std::isfinite(*real)) return nullptr;
            double shown = *real;
            // A Float is written with its own digits, not with those of the double that holds it.
            if (type == BuiltInType::kFloat) {
                const auto digits = decimal(value, type);
                std::from_chars(digits.data(), digits.data() + digits.size(), shown);
            }
            return shown;
        }
    }
    const auto text = text_of(value, type);
    return text ? nlohmann::json(sanitize_utf8(*text)) : nlohmann::json(nullptr);
}

// Elements [from, from + product of the dimensions left).
nlohmann::json json_of(const Variant& array, std::size_t dimension, std::size_t& at) {
    auto list = nlohmann::json::array();
    const bool innermost = dimension + 1 >= array.dimensions.size();
    const auto size = array.dimensions.empty() ? std::max(array.values.size(), array.nested.size())
                                               : array.dimensions[dimension];
    for (std::size_t i = 0; i < size; ++i) {
        if (!innermost) {
            list.push_back(json_of(array, dimension + 1, at));
        } else if (!array.nested.empty()) {
            const auto& each = array.nested[at++];
            std::size_t begin = 0;
            list.push_back(each.is_array         ? json_of(each, 0, begin)
                           : each.values.empty() ? nlohmann::json(nullptr)
                                                 : json_of(each.values.front(), each.type));
        } else {
            list.push_back(json_of(array.values[at++], array.type));
        }
    }
    return list;
}

// An array of so many elements cannot fit the longest string and is not worth writing out.
bool too_many_for_text(const Variant& array) {
    return array.values.size() + array.nested.size() > kLongestString;
}

template <class T>
std::optional<T> whole_as(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return T{*flag ? T{1} : T{0}};
    if (const auto* whole = std::get_if<std::int64_t>(&value)) {
        if (!std::in_range<T>(*whole)) return std::nullopt;
        return static_cast<T>(*whole);
    }
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) {
        if (!std::in_range<T>(*natural)) return std::nullopt;
        return static_cast<T>(*natural);
    }
    if (const auto* real = std::get_if<double>(&value)) {
        // The upper bound of T is no double when T has 64 bits: it is compared with the power of two above
        // it.
        constexpr double kAbove = static_cast<double>(std::numeric_limits<T>::max() / 2 + 1) * 2.0;
        constexpr double kLeast = static_cast<double>(std::numeric_limits<T>::min());
        if (!(*real >= kLeast && *real < kAbove) || std::trunc(*real) != *real) return std::nullopt;
        return static_cast<T>(*real);
    }
    return std::nullopt;
}

std::optional<double> real_of(const Value& value) {
    if (const auto* real = std::get_if<double>(&value)) return *real;
    if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* natural = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*natural);
    if (const auto* flag = std::get_if<bool>(&value)) return *flag ? 1.0 : 0.0;
    return std::nullopt;
}

bool is_number(BuiltInType type) {
    return type >= BuiltInType::kBoolean && type <= BuiltInType::kDouble;
}

template <class T>
Conversion as_whole(const Value& value, BuiltInType from, DataType type) {
    const auto number = whole_as<T>(value);
    if (!number)
        return refuse(fmt::format("{} does not fit {}", described(value, from), format_data_type(type)));
    if constexpr (std::is_signed_v<T>) {
        return {std::int64_t{*number}, {}};
    } else {
        return {std::uint64_t{*number}, {}};
    }
}

Conversion as_text(std::string text, bool is_text, DataType type) {
    if (text.size() > type.length) {
        return refuse(fmt::format("a text of {} bytes does not fit {}", text.size(), format_data_type(type)));
    }
    return {is_text ? sanitize_utf8(text) : std::move(text), {}};
}

Conversion as_bcd(const Value& value, BuiltInType from, DataType type, unsigned digits) {
    const auto packed = whole_as<std::uint32_t>(value);
    Conversion out;
    if (!packed || (digits == 4 && *packed > 0xffff) || !decoding::decode_bcd(*packed, digits, out.value))
        return refuse(fmt::format("{} is no {}", described(value, from), format_data_type(type)));
    return out;
}

Conversion scalar_to_point(Value value, BuiltInType from, DataType type) {
    if (std::holds_alternative<std::monostate>(value)) {
        return refuse(from == BuiltInType::kNull ? std::string{"the server holds no value"}
                                                 : fmt::format("a null {}, or a structure", type_name(from)));
    }
    if (type.base == BaseType::kString) {
        auto text = text_of(value, from);
        if (!text) return refuse("a DateTime that is no time");
        return as_text(std::move(*text), true, type);
    }
    if (from == BuiltInType::kDateTime) {
        const auto time = unix_milliseconds(value);
        if (!time) return refuse("a DateTime that is no time");
        value = *time;
    } else if (!is_number(from) && from != BuiltInType::kStatusCode) {
        return refuse(
            fmt::format("{} is no number; the point wants {}", type_name(from), format_data_type(type)));
    }
    switch (type.base) {
        case BaseType::kBool: {
            const auto number = whole_as<std::uint8_t>(value);
            if (!number || *number > 1) return refuse(fmt::format("{} is no bool", described(value, from)));
            return {*number == 1, {}};
        }
        case BaseType::kInt16:
            return as_whole<std::int16_t>(value, from, type);
        case BaseType::kUint16:
            return as_whole<std::uint16_t>(value, from, type);
        case BaseType::kInt32:
            return as_whole<std::int32_t>(value, from, type);
        case BaseType::kUint32:
            return as_whole<std::uint32_t>(value, from, type);
        case BaseType::kInt64:
            return as_whole<std::int64_t>(value, from, type);
        case BaseType::kUint64:
            return as_whole<std::uint64_t>(value, from, type);
        case BaseType::kFloat32: {
            const auto real = real_of(value).value_or(0);
            const auto narrow = static_cast<float>(real);
            if (std::isfinite(real) && !std::isfinite(narrow))
                return refuse(fmt::format("{} does not fit float32", described(value, from)));
            return {double{narrow}, {}};
        }
        case BaseType::kFloat64:
            return {real_of(value).value_or(0), {}};
        case BaseType::kBcd16:
            return as_bcd(value, from, type, 4);
        case BaseType::kBcd32:
            return as_bcd(value, from, type, 8);
        case BaseType::kString:
            break;
    }
    return refuse("no such data type");
}

std::uint64_t to_bcd(std::uint64_t number) {
    std::uint64_t packed = 0;
    for (unsigned shift = 0; number != 0; shift += 4, number /= 10) packed |= number % 10 << shift;
    return packed;
}

template <class T>
bool put_whole(const Value& raw, Variant& out) {
    const auto number = whole_as<T>(raw);
    if (!number) return false;
    if constexpr (std::is_signed_v<T>) {
        out.values = {std::int64_t{*number}};
    } else {
        out.values = {std::uint64_t{*number}};
    }
    return true;
}

bool put(const Value& raw, BuiltInType target, Variant& out) {
    const auto* text = std::get_if<std::string>(&raw);
    switch (target) {
        case BuiltInType::kBoolean: {
            const auto flag = text == nullptr ? whole_as<std::uint8_t>(raw) : std::nullopt;
            if (!flag || *flag > 1) return false;
            out.values = {*flag == 1};
            return true;
        }
        case BuiltInType::kSByte:
            return put_whole<std::int8_t>(raw, out);
        case BuiltInType::kByte:
            return put_whole<std::uint8_t>(raw, out);
        case BuiltInType::kInt16:
            return put_whole<std::int16_t>(raw, out);
        case BuiltInType::kUInt16:
            return put_whole<std::uint16_t>(raw, out);
        case BuiltInType::kInt32:
            return put_whole<std::int32_t>(raw, out);
        case BuiltInType::kUInt32:
            return put_whole<std::uint32_t>(raw, out);
        case BuiltInType::kInt64:
            return put_whole<std::int64_t>(raw, out);
        case BuiltInType::kUInt64:
            return put_whole<std::uint64_t>(raw, out);
        case BuiltInType::kFloat:
        case BuiltInType::kDouble: {
            const auto real = real_of(raw);
            if (!real) return false;
            if (target == BuiltInType::kFloat && std::isfinite(*real) &&
                !std::isfinite(static_cast<float>(*real)))
                return false;
            out.values = {*real};
            return true;
        }
        case BuiltInType::kString:
        case BuiltInType::kLocalizedText:
        case BuiltInType::kXmlElement:
            if (text == nullptr) return false;
            out.values = {*text};
            return true;
        case BuiltInType::kGuid:
            if (text == nullptr || !parse_guid(*text)) return false;
            out.values = {*text};
            return true;
        case BuiltInType::kByteString: {
            auto bytes = text == nullptr ? std::nullopt : decode_base64(*text);
            if (!bytes) return false;
            out.values = {std::move(*bytes)};
            return true;
        }
        case BuiltInType::kDateTime: {
            std::optional<UtcTime> time;
            if (text != nullptr) {
                const auto parsed = parse_rfc3339(*text);
                if (parsed) time = *parsed;
            } else if (const auto number = whole_as<std::int64_t>(raw)) {
                constexpr std::int64_t kMost = 253'402'300'799'999;  // the end of the year 9999
                if (*number >= -kMost && *number <= kMost) time = UtcTime{milliseconds{*number}};
            }
            if (!time || !from_date_time(to_date_time(*time))) return false;
            out.values = {to_date_time(*time)};
            return true;
        }
        case BuiltInType::kNull:
        case BuiltInType::kNodeId:
        case BuiltInType::kExpandedNodeId:
        case BuiltInType::kStatusCode:
        case BuiltInType::kQualifiedName:
        case BuiltInType::kExtensionObject:
        case BuiltInType::kDataValue:
        case BuiltInType::kVariant:
        case BuiltInType::kDiagnosticInfo:
            return false;
    }
    return false;
}

}  // namespace

Conversion to_point(const Variant& given, DataType type) {
    if (!given.is_array) {
        return scalar_to_point(given.values.empty() ? Value{} : given.values.front(), given.type, type);
    }
    if (type.base != BaseType::kString) {
        return refuse(
            fmt::format("the variable is an array of {}; add [0] for its first element, or take it whole "
                        "with data type string(N)",
                        type_name(given.type)));
    }
    if (too_many_for_text(given)) {
        return refuse(fmt::format("an array of {} elements does not fit {}",
                                  given.values.size() + given.nested.size(), format_data_type(type)));
    }
    std::size_t at = 0;
    return as_text(json_of(given, 0, at).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                   false, type);
}

Conversion element_to_point(const Variant& given, DataType type) {
    if (!given.is_array) {
        return refuse(given.type == BuiltInType::kNull
                          ? std::string{"the server holds no value"}
                          : fmt::format("the variable is a single {}, no array", type_name(given.type)));
    }
    if (given.nested.size() == 1) return to_point(given.nested.front(), type);
    if (given.values.size() != 1)
        return refuse(
            fmt::format("the server gives {} elements where one was asked for", given.values.size()));
    return scalar_to_point(given.values.front(), given.type, type);
}

Result<Variant> to_device(const Value& raw, DataType type, BuiltInType target) {
    Variant out;
    out.type = target;
    Value value = raw;
    if (type.base == BaseType::kBcd16 || type.base == BaseType::kBcd32) {
        const auto number = whole_as<std::uint32_t>(raw);
        if (!number || *number > (type.base == BaseType::kBcd16 ? 9'999U : 99'999'999U))
            return make_error(ErrorKind::kInvalidArgument, "the value has more digits than the point");
        value = to_bcd(*number);
    }
    if (!put(value, target, out)) {
        const auto* text = std::get_if<std::string>(&raw);
        return make_error(ErrorKind::kInvalidArgument,
                          fmt::format("the variable is of type {} and does not take {} {}", type_name(target),
                                      format_data_type(type),
                                      text == nullptr ? decimal(raw, BuiltInType::kDouble)
                                                      : fmt::format("'{}'", text->substr(0, kShown))));
    }
    return out;
}

UtcTime sample_time(const DataValue& value, UtcTime now) {
    constexpr auto kFirst = UtcTime{std::chrono::sys_days{std::chrono::year{2000} / 1 / 1}};
    const auto plausible = [&](const std::optional<UtcTime>& time) {
        return time && *time >= kFirst && *time <= now + std::chrono::hours{24};
    };
    if (plausible(value.source_time)) return *value.source_time;
    if (plausible(value.server_time)) return *value.server_time;
    return now;
}

Taken take_value(const DataValue& given, DataType type, bool is_element, UtcTime now) {
    Taken out;
    auto& sample = out.sample;
    sample.time = sample_time(given, now);
    sample.quality = quality_of(given.status);
    sample.code = quality_code(given.status);
    if (sample.quality == Quality::kBad) {
        out.why = status_name(given.status);
        return out;
    }
    auto converted = is_element ? element_to_point(given.value, type) : to_point(given.value, type);
    if (std::holds_alternative<std::monostate>(converted.value)) {
        sample.quality = Quality::kBad;
        sample.code = QualityCode::kDecode;
        out.why = std::move(converted.why);
        return out;
    }
    sample.value = std::move(converted.value);
    if (sample.quality != Quality::kGood) out.why = status_name(given.status);
    return out;
}

std::string workbook_type(BuiltInType type) {
    switch (type) {
        case BuiltInType::kBoolean:
            return "bool";
        case BuiltInType::kSByte:
        case BuiltInType::kInt16:
            return "int16";
        case BuiltInType::kByte:
        case BuiltInType::kUInt16:
            return "uint16";
        case BuiltInType::kInt32:
            return "int32";
        case BuiltInType::kUInt32:
        case BuiltInType::kStatusCode:
            return "uint32";
        case BuiltInType::kInt64:
            return "int64";
        case BuiltInType::kUInt64:
            return "uint64";
        case BuiltInType::kFloat:
            return "float32";
        case BuiltInType::kDouble:
            return "float64";
        case BuiltInType::kDateTime:
            return "string(24)";
        case BuiltInType::kGuid:
            return "string(36)";
        case BuiltInType::kString:
        case BuiltInType::kByteString:
        case BuiltInType::kXmlElement:
        case BuiltInType::kNodeId:
        case BuiltInType::kExpandedNodeId:
        case BuiltInType::kQualifiedName:
        case BuiltInType::kLocalizedText:
            return fmt::format("string({})", kLongestString);
        case BuiltInType::kNull:
        case BuiltInType::kExtensionObject:
        case BuiltInType::kDataValue:
        case BuiltInType::kVariant:
        case BuiltInType::kDiagnosticInfo:
            return {};
    }
    return {};
}

}  // namespace fieldwarden::worker::opcua
