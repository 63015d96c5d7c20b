#include "tests/contract/tdengine_values.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <set>

namespace fieldwarden::tdengine_stand_in {

namespace {

constexpr std::size_t kMostColumns = 4'096;
constexpr std::size_t kMostRowBytes = 65'531;

struct Whole {
    const char* type;
    std::int64_t least;
    std::uint64_t most;
    std::size_t bytes;
};
constexpr Whole kWhole[]{
    {"TINYINT", -128, 127, 1},
    {"SMALLINT", -32'768, 32'767, 2},
    {"INT", -2'147'483'648, 2'147'483'647, 4},
    {"BIGINT", std::numeric_limits<std::int64_t>::min(), 9'223'372'036'854'775'807, 8},
    {"TINYINT UNSIGNED", 0, 255, 1},
    {"SMALLINT UNSIGNED", 0, 65'535, 2},
    {"INT UNSIGNED", 0, 4'294'967'295, 4},
    {"BIGINT UNSIGNED", 0, 18'446'744'073'709'551'615U, 8},
};
const Whole* whole(const std::string& type) {
    for (const auto& each : kWhole) {
        if (type == each.type) return &each;
    }
    return nullptr;
}

std::size_t characters(const std::string& utf8) {
    std::size_t count = 0;
    for (const char c : utf8) count += (static_cast<unsigned char>(c) & 0xC0U) == 0x80U ? 0 : 1;
    return count;
}

}  // namespace

void refuse(int code, const std::string& desc) {
    throw SqlError{code, desc};
}

std::size_t bytes_of(const ColumnDef& column) {
    if (column.type == "NCHAR") return column.width * 4 + 2;
    if (const auto* type = whole(column.type)) return type->bytes;
    return column.type == "BOOL" ? 1 : 8;
}

void check_columns(const std::vector<ColumnDef>& columns, std::size_t tags) {
    std::set<std::string> names;
    std::size_t bytes = 0;
    for (const auto& column : columns) {
        if (!names.insert(column.name).second) refuse(0x263C, "Duplicated column names");
        bytes += bytes_of(column);
    }
    if (columns.size() < 2) refuse(0x263F, "Illegal number of columns");
    if (columns.size() + tags > kMostColumns) refuse(0x2640, "Too many columns");
    if (columns.front().type != "TIMESTAMP") refuse(0x2641, "First column must be timestamp");
    if (bytes > kMostRowBytes) refuse(0x263E, "Row length exceeds max length");
}

ColumnDef definition(Words& words) {
    ColumnDef column{words.name(kLongestName), {}, 0};
    for (const char* simple : {"TIMESTAMP", "BOOL", "FLOAT", "DOUBLE"}) {
        if (words.take_if(simple)) {
            column.type = simple;
            return column;
        }
    }
    for (const char* type : {"TINYINT", "SMALLINT", "INT", "BIGINT"}) {
        if (!words.take_if(type)) continue;
        column.type = type;
        if (words.take_if("UNSIGNED")) column.type += " UNSIGNED";
        return column;
    }
    words.expect("NCHAR");
    words.expect("(");
    const auto width = words.take();
    if (width.kind != Word::Kind::kNumber) words.refuse();
    words.expect(")");
    column.type = "NCHAR";
    column.width = std::stoul(width.text);
    if (column.width == 0 || column.width * 4 > 65'517)
        refuse(0x2642, "Invalid binary/nchar column/tag length");
    return column;
}

std::vector<ColumnDef> definitions(Words& words) {
    std::vector<ColumnDef> columns;
    words.expect("(");
    do {
        columns.push_back(definition(words));
    } while (words.take_if(","));
    words.expect(")");
    return columns;
}

Cell value_for(const ColumnDef& column, const Word& word) {
    const auto wrong = [&] { refuse(0x2605, "Invalid value type for " + column.name + ": " + word.text); };
    if (word.kind == Word::Kind::kName && (word.text == "NULL" || word.text == "null")) return {};
    if (column.type == "BOOL") {
        if (word.kind != Word::Kind::kName || (word.text != "true" && word.text != "false")) wrong();
        return word.text == "true";
    }
    if (column.type == "NCHAR") {
        if (word.kind != Word::Kind::kText) wrong();
        if (characters(word.text) > column.width)
            refuse(0x2610, "Value is too long for column " + column.name);
        return word.text;
    }
    if (word.kind != Word::Kind::kNumber) wrong();
    if (const auto* type = whole(column.type)) {
        if (word.text.find_first_of(".eE") != std::string::npos) wrong();
        const auto* first = word.text.data();
        const auto* last = first + word.text.size();
        if (word.text.front() == '-') {
            std::int64_t number = 0;
            if (std::from_chars(first, last, number).ec != std::errc{} || number < type->least) {
                refuse(0x0224, "Value out of range");
            }
            return number;
        }
        std::uint64_t number = 0;
        if (std::from_chars(first, last, number).ec != std::errc{} || number > type->most) {
            refuse(0x0224, "Value out of range");
        }
        if (type->least < 0) return static_cast<std::int64_t>(number);
        return number;
    }
    double number = 0;
    std::from_chars(word.text.data(), word.text.data() + word.text.size(), number);
    return number;
}

const ColumnDef* find(const std::vector<ColumnDef>& columns, const std::string& name) {
    const auto found =
        std::find_if(columns.begin(), columns.end(), [&](const auto& column) { return column.name == name; });
    return found == columns.end() ? nullptr : &*found;
}

std::vector<std::string> names(Words& words) {
    std::vector<std::string> all;
    words.expect("(");
    do {
        all.push_back(words.name(kLongestName));
        if (std::count(all.begin(), all.end(), all.back()) > 1) refuse(0x263C, "Duplicated column names");
    } while (words.take_if(","));
    words.expect(")");
    return all;
}

std::vector<Word> values(Words& words) {
    std::vector<Word> all;
    words.expect("(");
    do {
        if (words.next().kind == Word::Kind::kMark) words.refuse();
        all.push_back(words.take());
    } while (words.take_if(","));
    words.expect(")");
    return all;
}

}  // namespace fieldwarden::tdengine_stand_in
