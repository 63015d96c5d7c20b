#include "worker/sinks/tdengine/columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "worker/sinks/tdengine/names.h"

namespace fieldwarden::worker::tdengine {

namespace {

constexpr std::string_view kNchar = "NCHAR";
constexpr std::string_view kDouble = "DOUBLE";

// Ranges of the integer types (documentation, "Data Types"). The least value of a signed type means NULL in
// older versions, so it is left out.
struct IntegerType {
    std::string_view name;
    std::int64_t least;
    std::uint64_t most;
};
constexpr std::array kIntegers{
    IntegerType{"TINYINT", -127, 127},
    IntegerType{"SMALLINT", -32'767, 32'767},
    IntegerType{"INT", -2'147'483'647, 2'147'483'647},
    IntegerType{"BIGINT", -9'223'372'036'854'775'807, 9'223'372'036'854'775'807},
    IntegerType{"TINYINT UNSIGNED", 0, 254},
    IntegerType{"SMALLINT UNSIGNED", 0, 65'534},
    IntegerType{"INT UNSIGNED", 0, 4'294'967'294},
    IntegerType{"BIGINT UNSIGNED", 0, 18'446'744'073'709'551'614U},
};

bool is_real(std::string_view type) {
    return type == kDouble || type == "FLOAT";
}

struct Fits {
    std::string_view type;
    bool operator()(std::monostate) const { return true; }
    bool operator()(bool flag) const { return type == "BOOL" || (*this)(std::uint64_t{flag}); }
    bool operator()(std::int64_t number) const {
        if (number >= 0) return (*this)(static_cast<std::uint64_t>(number));
        if (is_real(type)) return true;
        return std::any_of(kIntegers.begin(), kIntegers.end(),
                           [&](const auto& each) { return each.name == type && number >= each.least; });
    }
    bool operator()(std::uint64_t number) const {
        if (is_real(type)) return true;
        return std::any_of(kIntegers.begin(), kIntegers.end(),
                           [&](const auto& each) { return each.name == type && number <= each.most; });
    }
    bool operator()(double number) const {
        return type == kDouble || (type == "FLOAT" && std::abs(number) <= 3.4e38);
    }
    bool operator()(const std::string&) const { return type == kNchar; }
};

// The type of a new column of numbers.
std::string_view type_for(DataType type, const Value& value) {
    if (std::holds_alternative<double>(value)) return kDouble;
    if (std::holds_alternative<bool>(value) && type.base == BaseType::kBool) return "BOOL";
    switch (type.base) {
        case BaseType::kFloat32:
        case BaseType::kFloat64:
            return kDouble;
        case BaseType::kUint64:
            return "BIGINT UNSIGNED";
        case BaseType::kBool:
        case BaseType::kInt16:
        case BaseType::kUint16:
        case BaseType::kInt32:
        case BaseType::kUint32:
        case BaseType::kInt64:
        case BaseType::kBcd16:
        case BaseType::kBcd32:
        case BaseType::kString:
            return "BIGINT";
    }
    return kDouble;
}

struct Literal {
    std::string_view type;
    std::string operator()(std::monostate) const { return "NULL"; }
    std::string operator()(bool flag) const {
        if (type == "BOOL") return flag ? "true" : "false";
        return (*this)(std::uint64_t{flag});
    }
    // Whether a literal is whole or real follows from how it is written, not from its column.
    std::string operator()(std::int64_t number) const {
        return is_real(type) ? (*this)(static_cast<double>(number)) : fmt::format("{}", number);
    }
    std::string operator()(std::uint64_t number) const {
        return is_real(type) ? (*this)(static_cast<double>(number)) : fmt::format("{}", number);
    }
    std::string operator()(double number) const {
        auto text = fmt::format("{}", number);
        if (text.find_first_of(".e") == std::string::npos) text += ".0";
        return text;
    }
    std::string operator()(const std::string& text) const {
        std::string out;
        append_text(out, text);
        return out;
    }
};

std::size_t rounded_up(std::size_t characters) {
    std::size_t width = 16;
    while (width < characters) width *= 2;
    return std::min(width, kLongestText);
}

const char* number_of(Quality quality) {
    switch (quality) {
        case Quality::kGood:
            return "0";
        case Quality::kUncertain:
            return "1";
        case Quality::kBad:
            return "2";
    }
    return "2";
}

bool has_no_form(const Value& value) {
    const auto* real = std::get_if<double>(&value);
    return std::holds_alternative<std::monostate>(value) || (real != nullptr && !std::isfinite(*real));
}

}  // namespace

std::string declaration(const Column& column) {
    return column.width == 0 ? column.type : fmt::format("{}({})", column.type, column.width);
}

void ColumnPlan::need(const std::string& name, const Column& column) {
    const auto known = columns_.find(name);
    const bool there = known != columns_.end();
    if (there && known->second.width >= column.width) return;
    columns_[name] = column;
    const auto planned = std::find_if(changes_.begin(), changes_.end(),
                                      [&](const auto& change) { return change.name == name; });
    if (planned != changes_.end()) {
        planned->column = column;
    } else {
        changes_.push_back({name, column, there});
    }
}

std::optional<ColumnPlan::Cell> ColumnPlan::place_text(const std::string& column, DataType type,
                                                       const std::string& text) {
    const auto length = characters(text);
    if (length > kLongestText) return std::nullopt;
    const auto known = columns_.find(column);
    const bool own =
        known == columns_.end() ? type.base == BaseType::kString : Fits{known->second.type}(text);
    const auto name = own ? column : column + std::string{kTextSuffix};
    const auto declared = own && type.base == BaseType::kString ? std::size_t{type.length} : 0;
    need(name, {std::string{kNchar}, rounded_up(std::max(length, declared))});
    return Cell{name, Literal{kNchar}(text)};
}

ColumnPlan::Cell ColumnPlan::place_number(const std::string& column, DataType type, const Value& value) {
    const auto known = columns_.find(column);
    std::string_view own = type_for(type, value);
    if (known != columns_.end()) own = known->second.type;
    const bool reserved = known == columns_.end() && type.base == BaseType::kString;
    if (!reserved && std::visit(Fits{own}, value)) {
        Cell cell{column, std::visit(Literal{own}, value)};
        need(column, {std::string{own}});
        return cell;
    }
    const auto name = column + std::string{kNumberSuffix};
    need(name, {std::string{kDouble}});
    return {name, std::visit(Literal{kDouble}, value)};
}

std::optional<std::vector<ColumnPlan::Cell>> ColumnPlan::place(const std::string& column, DataType type,
                                                               const Sample& sample) {
    std::vector<Cell> cells;
    if (!has_no_form(sample.value)) {
        if (const auto* text = std::get_if<std::string>(&sample.value)) {
            auto cell = place_text(column, type, *text);
            if (!cell) return std::nullopt;
            cells.push_back(std::move(*cell));
        } else {
            cells.push_back(place_number(column, type, sample.value));
        }
    }
    const auto quality = column + std::string{kQualitySuffix};
    need(quality, {"TINYINT"});
    cells.push_back({quality, number_of(sample.quality)});
    return cells;
}

}  // namespace fieldwarden::worker::tdengine
