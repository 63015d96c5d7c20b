#include "worker/point_write.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

namespace fieldwarden::worker {

namespace {

Error refused(const WriteRule& rule, const std::string& why) {
    return make_error(ErrorKind::kInvalidArgument, fmt::format("point {}: {}", rule.point_code, why));
}

// An integer as exactly as it came; a double otherwise.
using Number = std::variant<std::int64_t, std::uint64_t, double>;

std::optional<Number> number_in(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return std::int64_t{*flag ? 1 : 0};
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
    if (const auto* number = std::get_if<double>(&value)) return *number;
    return std::nullopt;
}

double as_double(const Number& number) {
    return std::visit([](auto n) { return static_cast<double>(n); }, number);
}

// The two ends of an integer type; exact, other than as doubles.
template <class T>
Result<Value> whole(const WriteRule& rule, const Number& number, T least, T most) {
    const auto out_of_range = [&] {
        return refused(rule, fmt::format("{} does not fit into {} ({} to {})", as_double(number),
                                         format_data_type(rule.type), least, most));
    };
    if (const auto* n = std::get_if<std::int64_t>(&number)) {
        if (std::cmp_less(*n, least) || std::cmp_greater(*n, most)) return out_of_range();
        return Value{static_cast<T>(*n)};
    }
    if (const auto* n = std::get_if<std::uint64_t>(&number)) {
        if (std::cmp_greater(*n, most)) return out_of_range();
        return Value{static_cast<T>(*n)};
    }
    const auto real = std::get<double>(number);
    const auto nearest = std::nearbyint(real);
    // What scaling left: 23.4 / 0.1 is not quite 234.
    if (std::abs(real - nearest) > 1e-6 * std::max(1.0, std::abs(real))) {
        return refused(rule,
                       fmt::format("the device holds whole numbers ({}); with scale {} and offset {} this "
                                   "value would be {}",
                                   format_data_type(rule.type), rule.scale, rule.offset, real));
    }
    // 2^63 and 2^64 as doubles lie just above the largest integers.
    if (nearest < static_cast<double>(least) || nearest >= std::ldexp(1.0, std::numeric_limits<T>::digits) ||
        static_cast<T>(nearest) > most) {
        return out_of_range();
    }
    return Value{static_cast<T>(nearest)};
}

}  // namespace

Result<Value> raw_value(const WriteRule& rule, const Value& engineering) {
    if (rule.type.base == BaseType::kString) {
        const auto* text = std::get_if<std::string>(&engineering);
        if (text == nullptr) return refused(rule, "it is a text; write the value in quotes");
        if (text->size() > rule.type.length) {
            return refused(rule, fmt::format("the text has {} bytes, {} holds {}", text->size(),
                                             format_data_type(rule.type), rule.type.length));
        }
        if (text->find('\0') != std::string::npos) return refused(rule, "the text holds a NUL character");
        return engineering;
    }
    auto number = number_in(engineering);
    if (!number) return refused(rule, fmt::format("{} takes a number", format_data_type(rule.type)));
    const double wanted = as_double(*number);
    if (!std::isfinite(wanted)) return refused(rule, "the value is not finite");
    if (rule.type.base == BaseType::kBool) {
        if (wanted != 0 && wanted != 1) return refused(rule, "a bool takes true or false");
        return Value{wanted != 0};
    }
    if ((rule.least && wanted < *rule.least) || (rule.most && wanted > *rule.most)) {
        const auto end = [](const std::optional<double>& value) {
            return value ? fmt::format("{}", *value) : std::string{"…"};
        };
        return refused(
            rule, fmt::format("{} is outside its range, {} to {}", wanted, end(rule.least), end(rule.most)));
    }
    if (rule.scale != 1 || rule.offset != 0) number = (wanted - rule.offset) / rule.scale;
    using S = std::numeric_limits<std::int64_t>;
    using U = std::numeric_limits<std::uint64_t>;
    switch (rule.type.base) {
        case BaseType::kInt16:
            return whole<std::int64_t>(rule, *number, INT16_MIN, INT16_MAX);
        case BaseType::kInt32:
            return whole<std::int64_t>(rule, *number, INT32_MIN, INT32_MAX);
        case BaseType::kInt64:
            return whole<std::int64_t>(rule, *number, S::min(), S::max());
        case BaseType::kUint16:
            return whole<std::uint64_t>(rule, *number, 0, UINT16_MAX);
        case BaseType::kUint32:
            return whole<std::uint64_t>(rule, *number, 0, UINT32_MAX);
        case BaseType::kUint64:
            return whole<std::uint64_t>(rule, *number, 0, U::max());
        case BaseType::kBcd16:
            return whole<std::uint64_t>(rule, *number, 0, 9'999);
        case BaseType::kBcd32:
            return whole<std::uint64_t>(rule, *number, 0, 99'999'999);
        case BaseType::kFloat32: {
            const double real = as_double(*number);
            if (std::abs(real) > std::numeric_limits<float>::max()) {
                return refused(rule, fmt::format("{} does not fit into float32", real));
            }
            return Value{real};
        }
        case BaseType::kFloat64: {
            const double real = as_double(*number);
            if (!std::isfinite(real)) return refused(rule, "the scaled value does not fit into float64");
            return Value{real};
        }
        case BaseType::kBool:
        case BaseType::kString:
            break;
    }
    return refused(rule, "its type cannot be written");
}

bool is_same(const WriteRule& rule, const Value& written, const Value& read) {
    if (rule.type.base == BaseType::kString) {
        const auto* one = std::get_if<std::string>(&written);
        const auto* other = std::get_if<std::string>(&read);
        if (one == nullptr || other == nullptr) return false;
        const auto trimmed = [](const std::string& text) {
            return std::string_view{text}.substr(0, text.find_last_not_of(std::string_view{" \0", 2}) + 1);
        };
        return trimmed(*one) == trimmed(*other);
    }
    const auto one = number_in(written);
    const auto other = number_in(read);
    if (!one || !other) return false;
    if (rule.type.base == BaseType::kFloat32) {
        return static_cast<float>(as_double(*one)) == static_cast<float>(as_double(*other));
    }
    return std::visit(
        [](auto a, auto b) {
            if constexpr (std::is_integral_v<decltype(a)> && std::is_integral_v<decltype(b)>) {
                return std::cmp_equal(a, b);
            } else {
                return static_cast<double>(a) == static_cast<double>(b);
            }
        },
        *one, *other);
}

Result<ReadBack> write_and_read_back(Driver& driver, std::uint32_t point, const WriteRule& rule,
                                     const Value& raw,
                                     const std::function<bool(std::chrono::milliseconds)>& wait) {
    if (auto written = driver.write(point, raw); !written) return written.error();
    const std::array<std::uint32_t, 1> due{point};
    ReadBack result;
    for (int attempt = 0; attempt < kMostReadBacks; ++attempt) {
        if (attempt > 0 && wait(kReadBackPause)) break;
        SampleBatch samples;
        const auto read = driver.read(due, samples);
        if (samples.size() == 1) result.sample = std::move(samples.front());
        result.confirmed =
            read && result.sample.quality == Quality::kGood && is_same(rule, raw, result.sample.value);
        if (result.confirmed || !read) break;
    }
    return result;
}

}  // namespace fieldwarden::worker
