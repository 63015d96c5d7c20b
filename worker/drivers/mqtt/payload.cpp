#include "worker/drivers/mqtt/payload.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "worker/decode.h"

namespace fieldwarden::worker::mqtt {

namespace {

using Json = nlohmann::json;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view kBlanks = " \t\r\n";
    const auto first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool equals_folded(std::string_view text, std::string_view lower) {
    return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

std::optional<bool> flag_of(std::string_view text) {
    for (const auto* yes : {"1", "true", "on"})
        if (equals_folded(text, yes)) return true;
    for (const auto* no : {"0", "false", "off"})
        if (equals_folded(text, no)) return false;
    return std::nullopt;
}

// A number as it was written: whole as long as it fits, real otherwise.
using Number = std::variant<std::int64_t, std::uint64_t, double>;

template <class T>
std::optional<T> all_of(std::string_view text) {
    T value{};
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || rest != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<Number> number_of(std::string_view text) {
    text = trimmed(text);
    const bool plus = text.starts_with('+');
    if (plus) text.remove_prefix(1);
    // from_chars also reads "inf" and "nan", which are no measurement.
    if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos)
        return std::nullopt;
    if (text.starts_with('+') || (plus && text.starts_with('-'))) return std::nullopt;
    if (const auto whole = all_of<std::int64_t>(text)) return *whole;
    if (const auto natural = all_of<std::uint64_t>(text)) return *natural;
    if (const auto real = all_of<double>(text); real && std::isfinite(*real)) return *real;
    return std::nullopt;
}

// 2^63 and 2^64 are doubles; the largest integers below them are not.
std::optional<Number> whole_of(double real) {
    if (real != std::trunc(real)) return std::nullopt;
    if (real >= -0x1p63 && real < 0x1p63) return static_cast<std::int64_t>(real);
    if (real >= 0 && real < 0x1p64) return static_cast<std::uint64_t>(real);
    return std::nullopt;
}

bool take_whole(const Number& number, std::int64_t least, std::uint64_t most, bool is_signed, Value& out) {
    auto whole = number;
    if (const auto* real = std::get_if<double>(&number)) {
        const auto exact = whole_of(*real);
        if (!exact) return false;
        whole = *exact;
    }
    if (const auto* value = std::get_if<std::int64_t>(&whole)) {
        if (*value < least || (*value > 0 && static_cast<std::uint64_t>(*value) > most)) return false;
        if (is_signed) {
            out = *value;
        } else {
            out = static_cast<std::uint64_t>(*value);
        }
        return true;
    }
    const auto value = std::get<std::uint64_t>(whole);
    if (value > most) return false;
    if (is_signed) {
        out = static_cast<std::int64_t>(value);
    } else {
        out = value;
    }
    return true;
}

bool take_number(const Number& number, DataType type, Value& out) {
    const auto signed_of = [&](auto limit) {
        using T = decltype(limit);
        return take_whole(number, std::numeric_limits<T>::min(),
                          static_cast<std::uint64_t>(std::numeric_limits<T>::max()), true, out);
    };
    const auto unsigned_up_to = [&](std::uint64_t most) { return take_whole(number, 0, most, false, out); };
    const auto real = std::visit([](auto value) { return static_cast<double>(value); }, number);
    switch (type.base) {
        case BaseType::kBool:
            if (real != 0.0 && real != 1.0) return false;
            out = real == 1.0;
            return true;
        case BaseType::kInt16:
            return signed_of(std::int16_t{});
        case BaseType::kInt32:
            return signed_of(std::int32_t{});
        case BaseType::kInt64:
            return signed_of(std::int64_t{});
        case BaseType::kUint16:
            return unsigned_up_to(0xFFFF);
        case BaseType::kUint32:
            return unsigned_up_to(0xFFFF'FFFF);
        case BaseType::kUint64:
            return unsigned_up_to(std::numeric_limits<std::uint64_t>::max());
        case BaseType::kBcd16:
            return unsigned_up_to(9'999);
        case BaseType::kBcd32:
            return unsigned_up_to(99'999'999);
        case BaseType::kFloat32:
            if (std::abs(real) > static_cast<double>(std::numeric_limits<float>::max())) return false;
            out = real;
            return true;
        case BaseType::kFloat64:
            out = real;
            return true;
        case BaseType::kString:
            return false;
    }
    return false;
}

bool take_text(std::string_view text, DataType type, Value& out) {
    if (type.base == BaseType::kString) {
        if (text.size() > type.length) return false;
        auto valid = sanitize_utf8(text);
        out = std::move(valid);
        return true;
    }
    if (type.base == BaseType::kBool) {
        const auto flag = flag_of(trimmed(text));
        if (!flag) return false;
        out = *flag;
        return true;
    }
    const auto number = number_of(text);
    return number && take_number(*number, type, out);
}

bool take_json(const Json& json, DataType type, Value& out) {
    switch (json.type()) {
        case Json::value_t::boolean:
            if (type.base == BaseType::kString) return false;
            return take_number(std::int64_t{json.get<bool>() ? 1 : 0}, type, out);
        case Json::value_t::number_integer:
            return take_number(json.get<std::int64_t>(), type, out);
        case Json::value_t::number_unsigned:
            return take_number(json.get<std::uint64_t>(), type, out);
        case Json::value_t::number_float: {
            const auto real = json.get<double>();
            return std::isfinite(real) && take_number(real, type, out);
        }
        case Json::value_t::string:
            return take_text(json.get_ref<const std::string&>(), type, out);
        case Json::value_t::null:
        case Json::value_t::object:
        case Json::value_t::array:
        case Json::value_t::binary:
        case Json::value_t::discarded:
            return false;
    }
    return false;
}

bool too_deep(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') {
                ++i;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kDeepestJson) return true;
        } else if ((c == ']' || c == '}') && depth > 0) {
            --depth;
        }
    }
    return false;
}

const Json* at_pointer(const Json& root, std::span<const std::string> pointer) {
    const auto* node = &root;
    for (const auto& part : pointer) {
        if (node->is_object()) {
            const auto found = node->find(part);
            if (found == node->end()) return nullptr;
            node = &*found;
        } else if (node->is_array()) {
            // RFC 6901, section 4: digits without leading zeros.
            if (part.size() > 1 && part.front() == '0') return nullptr;
            const auto index = all_of<std::uint32_t>(part);
            if (!index || *index >= node->size()) return nullptr;
            node = &(*node)[*index];
        } else {
            return nullptr;
        }
    }
    return node;
}

// Within what format_rfc3339 writes.
constexpr double kYear10000Seconds = 253'402'300'800.0;

}  // namespace

struct Payload::Document {
    Json json = Json::value_t::discarded;
};

Payload::Payload(std::string_view bytes) : bytes_(bytes) {}
Payload::~Payload() = default;

const Payload::Document& Payload::document() {
    if (document_ != nullptr) return *document_;
    document_ = std::make_unique<Document>();
    if (!too_deep(bytes_)) document_->json = Json::parse(sanitize_utf8(bytes_), nullptr, false);
    return *document_;
}

Found Payload::plain(DataType type, Value& out) const {
    out = std::monostate{};
    return take_text(bytes_, type, out) ? Found::kValue : Found::kMismatch;
}

Found Payload::member(std::span<const std::string> pointer, DataType type, Value& out) {
    out = std::monostate{};
    const auto& json = document().json;
    if (json.is_discarded()) return Found::kMismatch;
    const auto* node = at_pointer(json, pointer);
    if (node == nullptr) return Found::kMissing;
    return take_json(*node, type, out) ? Found::kValue : Found::kMismatch;
}

std::optional<UtcTime> epoch_time(double number) {
    if (!(number >= 0)) return std::nullopt;
    double seconds = number;
    if (number >= 1e17) {
        seconds = number / 1e9;
    } else if (number >= 1e14) {
        seconds = number / 1e6;
    } else if (number >= 1e11) {
        seconds = number / 1e3;
    }
    if (seconds >= kYear10000Seconds) return std::nullopt;
    // A double still tells microseconds apart until the year 2255.
    return UtcTime{std::chrono::microseconds{std::llround(seconds * 1e6)}};
}

std::optional<UtcTime> Payload::time(std::span<const std::string> pointer) {
    const auto& json = document().json;
    const auto* node = json.is_discarded() ? nullptr : at_pointer(json, pointer);
    if (node == nullptr) return std::nullopt;
    if (node->is_number()) return epoch_time(node->get<double>());
    if (!node->is_string()) return std::nullopt;
    const auto text = trimmed(node->get_ref<const std::string&>());
    if (const auto number = number_of(text))
        return epoch_time(std::visit([](auto value) { return static_cast<double>(value); }, *number));
    constexpr std::size_t kLongestTime = 64;
    if (text.size() > kLongestTime) return std::nullopt;
    if (const auto time = parse_rfc3339(text); time && *time >= UtcTime{}) return *time;
    if (const auto time = parse_rfc3339(std::string{text} + 'Z'); time && *time >= UtcTime{}) return *time;
    return std::nullopt;
}

}  // namespace fieldwarden::worker::mqtt
