#include "worker/sinks/postgres/table_name.h"

#include <fmt/format.h>

namespace fieldwarden::worker::postgres {

namespace {

constexpr std::size_t kLongestIdentifier = 63;
constexpr std::string_view kDefaultSuffix = "_default";
constexpr std::size_t kLongestSuffix = 9;  // _20261122

std::string doubled(std::string_view text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        if (c == quote) out += quote;
        out += c;
    }
    return out += quote;
}

std::string sibling(const TableName& table, std::string_view suffix) {
    auto name = quoted_identifier(table.name + std::string{suffix});
    return table.schema.empty() ? name : quoted_identifier(table.schema) + "." + name;
}

}  // namespace

Result<TableName> parse_table_name(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return make_error(
            ErrorKind::kInvalidArgument,
            fmt::format("option table='{}': {}; use a name, or schema.name", text.substr(0, 64), why));
    };
    TableName table;
    table.shown = text;
    const auto dot = text.find('.');
    if (dot != std::string_view::npos) {
        table.schema = text.substr(0, dot);
        text.remove_prefix(dot + 1);
        if (table.schema.empty()) return refuse("the schema's name is empty");
        if (table.schema.size() > kLongestIdentifier) return refuse("the schema's name is too long");
    }
    table.name = text;
    if (text.empty()) return refuse("the table's name is empty");
    if (text.find('.') != std::string_view::npos) return refuse("it has more than one dot");
    if (table.shown.find('\0') != std::string::npos) return refuse("it has a NUL in it");
    if (text.size() + kLongestSuffix > kLongestIdentifier) {
        return refuse(
            fmt::format("the table's name has more than {} bytes", kLongestIdentifier - kLongestSuffix));
    }
    return table;
}

std::string quoted_identifier(std::string_view name) {
    return doubled(name, '"');
}

std::string quoted_literal(std::string_view text) {
    return doubled(text, '\'');
}

std::string sql_name(const TableName& table) {
    return sibling(table, "");
}

std::string date_text(std::chrono::sys_days day) {
    const std::chrono::year_month_day date{day};
    return fmt::format("{:04}-{:02}-{:02}", int{date.year()}, unsigned{date.month()}, unsigned{date.day()});
}

std::string sql_partition_name(const TableName& table, std::chrono::sys_days day) {
    const std::chrono::year_month_day date{day};
    return sibling(table, fmt::format("_{:04}{:02}{:02}", int{date.year()}, unsigned{date.month()},
                                      unsigned{date.day()}));
}

std::string sql_default_partition_name(const TableName& table) {
    return sibling(table, kDefaultSuffix);
}

}  // namespace fieldwarden::worker::postgres
