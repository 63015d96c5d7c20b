#include "supervisor/workbook/columns.h"

#include <algorithm>
#include <map>

#include "supervisor/workbook/text.h"

namespace fieldwarden::supervisor {

namespace {

// What is compared: half-width, lower case, without blanks, underscores, hyphens and stars.
std::string folded(std::string_view name) {
    std::string out;
    for (const char c : lower_ascii(half_width(name))) {
        if (std::string_view{" \t\r\n_-*"}.find(c) == std::string_view::npos) out += c;
    }
    return out;
}

using Names = std::map<std::string, std::size_t, std::less<>>;

// The value of the name, of the one part of it between separators, or of its ASCII or other half that is
// known.
std::optional<std::size_t> find_name(const Names& names, std::string_view written) {
    if (const auto whole = names.find(folded(written)); whole != names.end()) return whole->second;
    std::optional<std::size_t> found;
    bool contradicts = false;
    const auto offer = [&](std::string_view part) {
        const auto known = names.find(folded(part));
        if (known == names.end()) return;
        contradicts = contradicts || (found && *found != known->second);
        found = known->second;
    };
    const std::string text = half_width(written);
    std::string ascii, other;
    for (std::size_t i = 0; i < text.size();) {
        const auto end = std::min(text.find_first_of("/|\\\r\n()[]:", i), text.size());
        offer(std::string_view{text}.substr(i, end - i));
        i = end + 1;
    }
    if (found) return contradicts ? std::nullopt : found;
    for (const char c : text) (static_cast<unsigned char>(c) < 0x80 ? ascii : other) += c;
    if (!ascii.empty() && !other.empty()) {
        offer(ascii);
        offer(other);
    }
    return contradicts ? std::nullopt : found;
}

const Names& sheet_names() {
    static const Names names = [] {
        Names all;
        for (const auto kind : kAllKinds) {
            all[folded(schema_of(kind).sheet)] = static_cast<std::size_t>(kind);
            all[folded(schema_of(kind).sheet_zh)] = static_cast<std::size_t>(kind);
        }
        return all;
    }();
    return names;
}

const Names& field_names(Kind kind) {
    static const auto names = [] {
        std::array<Names, kKindCount> all;
        for (const auto each : kAllKinds) {
            const auto fields = schema_of(each).fields;
            for (std::size_t i = 0; i < fields.size(); ++i) {
                all[static_cast<std::size_t>(each)][folded(fields[i].name)] = i;
                all[static_cast<std::size_t>(each)][folded(fields[i].name_zh)] = i;
            }
        }
        return all;
    }();
    return names[static_cast<std::size_t>(kind)];
}

std::string nearest_column(Kind kind, std::string_view header, Language language) {
    NearestMatch nearest{trimmed(header)};
    for (const auto& field : schema_of(kind).fields) {
        nearest.offer(field.name);
        nearest.offer(field.name_zh);
    }
    if (nearest.best().empty()) return {};
    return say(language, " Did you mean '{}'?", "是否应为“{}”？", nearest.best());
}

std::string known_columns(Kind kind, Language language) {
    std::string names;
    for (const auto& field : schema_of(kind).fields) {
        if (!names.empty()) names += language == Language::kChinese ? "、" : ", ";
        names += language == Language::kChinese ? field.name_zh : field.name;
    }
    return names;
}

}  // namespace

std::optional<Kind> kind_of_sheet(std::string_view name) {
    const auto found = find_name(sheet_names(), name);
    return found ? std::optional{static_cast<Kind>(*found)} : std::nullopt;
}

bool is_help_sheet(std::string_view name) {
    const auto text = folded(name);
    return text == "help" || text == "readme" || text.starts_with("说明") || text == "帮助";
}

std::optional<std::size_t> field_of_header(Kind kind, std::string_view header) {
    return find_name(field_names(kind), header);
}

SheetColumns match_columns(Kind kind, const Sheet& sheet, std::size_t header_row, Language language,
                           Problems& problems) {
    const auto fields = schema_of(kind).fields;
    SheetColumns columns{.kind = kind, .sheet = sheet.name, .column_of = {}, .header_of = {}, .field_at = {}};
    columns.column_of.resize(fields.size());
    for (const auto& field : fields) columns.header_of.emplace_back(field.name);

    const auto row = sheet.rows[header_row].number;
    const auto report = [&](ProblemCode code, const Cell* cell, std::string header, std::string message) {
        problems.add({.code = code,
                      .sheet = sheet.name,
                      .row = row,
                      .column = shortened(header, kMaxShownValue),
                      .cell = cell == nullptr ? "" : fmt::format("{}{}", column_letters(cell->column), row),
                      .message = std::move(message),
                      .value = cell == nullptr ? "" : shortened(header, kMaxShownValue)});
    };
    for (const auto& cell : sheet.cells_of(header_row)) {
        const std::string header{trimmed(cell.text)};
        // A column for people only is marked with #.
        if (header.empty() || header.starts_with('#')) continue;
        const auto field = field_of_header(kind, header);
        if (!field) {
            report(ProblemCode::kUnknownColumn, &cell, header,
                   say(language,
                       "no column of '{}' has this name.{} Known: {}. Put # before a column that is only for "
                       "people",
                       "“{}”中没有此列。{}可用的列：{}。仅供人阅读的列请在列名前加 #", sheet.name,
                       nearest_column(kind, header, language), known_columns(kind, language)));
            continue;
        }
        if (columns.column_of[*field]) {
            report(ProblemCode::kDuplicateColumn, &cell, header,
                   say(language, "column {} already holds {}; delete one of the two",
                       "{} 列已是 {}，请删除其中一列", column_letters(*columns.column_of[*field]),
                       fields[*field].name));
            continue;
        }
        columns.column_of[*field] = cell.column;
        columns.header_of[*field] = header;
        if (columns.field_at.size() <= cell.column)
            columns.field_at.resize(cell.column + 1, SheetColumns::npos);
        columns.field_at[cell.column] = *field;
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
        if (!fields[i].required || columns.column_of[i]) continue;
        report(ProblemCode::kMissingColumn, nullptr, std::string{fields[i].name},
               say(language, "the required column {} ({}) is missing; add it to row {}",
                   "缺少必填列 {}（{}），请在第 {} 行添加", fields[i].name, fields[i].name_zh, row));
    }
    return columns;
}

}  // namespace fieldwarden::supervisor
