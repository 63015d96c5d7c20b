#include "worker/sinks/tdengine/stored_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "common/clock.h"

namespace fieldwarden::worker::tdengine {

namespace {

constexpr std::size_t kBesideColumns = 2;  // device_code and the time

std::string with(const std::string& column, std::string_view suffix) {
    return back_quoted(column + std::string{suffix});
}

std::vector<std::string> names_of(const StoredColumn& column) {
    std::vector<std::string> names{with(column.name, kQualitySuffix)};
    if (!column.value_type.empty()) names.push_back(back_quoted(column.name));
    if (column.has_text) names.push_back(with(column.name, kTextSuffix));
    if (column.has_number) names.push_back(with(column.name, kNumberSuffix));
    return names;
}

template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number number{};
    const auto* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end) return std::nullopt;
    return number;
}

template <class Number>
std::optional<Value> number_value_in(std::string_view text) {
    const auto number = number_in<Number>(text);
    return number ? std::optional{Value{*number}} : std::nullopt;
}

// The value that a column of this type holds.
std::optional<Value> value_in(std::string_view text, std::string_view type) {
    if (type == "NCHAR" || type == "VARCHAR" || type == "BINARY") return Value{std::string{text}};
    if (type == "BOOL") {
        if (text != "true" && text != "false") return std::nullopt;
        return Value{text == "true"};
    }
    if (type == "DOUBLE" || type == "FLOAT") return number_value_in<double>(text);
    if (type.ends_with("UNSIGNED")) return number_value_in<std::uint64_t>(text);
    return number_value_in<std::int64_t>(text);
}

std::optional<Quality> quality_in(std::string_view text) {
    if (text == "0") return Quality::kGood;
    if (text == "1") return Quality::kUncertain;
    if (text == "2") return Quality::kBad;
    return std::nullopt;
}

Error not_asked_for(std::string_view what, std::string_view text) {
    return make_error(ErrorKind::kCorrupt,
                      fmt::format("tdengine: the answer has {} '{}', which is not what was asked for", what,
                                  text.substr(0, 64)));
}

}  // namespace

std::vector<StoredColumn> stored_columns(const SuperTable& table, const std::set<std::string>& names) {
    std::vector<StoredColumn> found;
    for (const auto& name : names) {
        if (!table.columns.contains(name + std::string{kQualitySuffix})) continue;
        const auto own = table.columns.find(name);
        found.push_back({.name = name,
                         .value_type = own == table.columns.end() ? std::string{} : own->second.type,
                         .has_text = table.columns.contains(name + std::string{kTextSuffix}),
                         .has_number = table.columns.contains(name + std::string{kNumberSuffix})});
    }
    return found;
}

std::string newest_statement(const std::string& super_table, const SuperTable& table,
                             std::span<const StoredColumn> columns, std::span<const std::string> devices) {
    const auto device_code = back_quoted(kDeviceCodeTag);
    auto sql = fmt::format("SELECT {},LAST_ROW({})", device_code, back_quoted(table.time_column));
    for (const auto& column : columns) {
        for (const auto& name : names_of(column)) sql += fmt::format(",LAST_ROW({})", name);
    }
    sql += fmt::format(" FROM {} WHERE {} IN (", back_quoted(super_table), device_code);
    for (std::size_t i = 0; i < devices.size(); ++i) {
        if (i > 0) sql += ',';
        append_text(sql, devices[i]);
    }
    sql += fmt::format(") PARTITION BY {}", device_code);
    return sql;
}

std::string range_statement(const std::string& super_table, const SuperTable& table,
                            std::span<const StoredColumn> columns, const std::string& device,
                            const RowRange& range) {
    const auto time = back_quoted(table.time_column);
    auto sql = fmt::format("SELECT {},{}", back_quoted(kDeviceCodeTag), time);
    for (const auto& column : columns) {
        for (const auto& name : names_of(column)) sql += ',' + name;
    }
    sql += fmt::format(" FROM {} WHERE {}=", back_quoted(super_table), back_quoted(kDeviceCodeTag));
    append_text(sql, device);
    if (range.start) sql += fmt::format(" AND {}>={}", time, *range.start);
    if (range.end) sql += fmt::format(" AND {}<{}", time, *range.end);
    std::string_view before = " AND (";
    for (const auto& column : columns) {
        sql += fmt::format("{}{} IS NOT NULL", before, with(column.name, kQualitySuffix));
        before = " OR ";
    }
    sql += fmt::format(") ORDER BY {} {} LIMIT {}", time, range.descending ? "DESC" : "ASC", range.limit);
    return sql;
}

Result<UtcTime> time_of(const std::string& text, std::string_view precision) {
    if (const auto count = number_in<std::int64_t>(text)) {
        if (precision == "ns")
            return UtcTime{std::chrono::floor<std::chrono::microseconds>(std::chrono::nanoseconds{*count})};
        constexpr std::int64_t kFurthest = 100'000'000'000'000;  // ms; the year 5138
        if (precision == "ms" && (*count > kFurthest || *count < -kFurthest))
            return not_asked_for("the time", text);
        return precision == "ms" ? UtcTime{std::chrono::milliseconds{*count}}
                                 : UtcTime{std::chrono::microseconds{*count}};
    }
    auto time = parse_rfc3339(text);
    if (!time) return not_asked_for("the time", text);
    return time;
}

Status add_samples(const std::vector<std::string>& row, std::span<const StoredColumn> columns,
                   const PointsByColumn& points, std::string_view precision, SampleBatch& samples) {
    auto width = kBesideColumns;
    for (const auto& column : columns) width += names_of(column).size();
    if (row.size() != width) return not_asked_for("a row of this many columns:", std::to_string(row.size()));
    const auto time = time_of(row[1], precision);
    if (!time) return time.error();
    auto at = kBesideColumns;
    const auto take = [&](bool there) -> std::string_view { return there ? row[at++] : std::string_view{}; };
    for (const auto& column : columns) {
        const auto quality_text = take(true);
        const auto own = take(!column.value_type.empty());
        const auto text = take(column.has_text);
        const auto number = take(column.has_number);
        const auto point = points.find(column.name);
        if (point == points.end() || quality_text.empty()) continue;  // nothing of it at this moment
        const auto quality = quality_in(quality_text);
        if (!quality) return not_asked_for("the quality", quality_text);
        std::optional<Value> value{Value{}};
        if (!own.empty()) {
            value = value_in(own, column.value_type);
        } else if (!text.empty()) {
            value = Value{std::string{text}};
        } else if (!number.empty()) {
            value = value_in(number, "DOUBLE");
        } else if (point->second.type.base == BaseType::kString && *quality == Quality::kGood) {
            value = Value{std::string{}};  // an empty text reads as null
        }
        if (!value) return not_asked_for("the value", own.empty() ? number : own);
        samples.push_back({.point = point->second.id,
                           .quality = *quality,
                           .code = QualityCode::kNone,
                           .time = *time,
                           .value = std::move(*value)});
    }
    return {};
}

}  // namespace fieldwarden::worker::tdengine
