#include "tests/contract/tdengine_sql.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace fieldwarden::tdengine_stand_in {

namespace {

constexpr int kSyntax = 0x2600;
constexpr int kInvalidIdentifier = 0x2617;

// Of the documentation's list, those that a column or table could well be called.
constexpr std::array kReserved{"ADD",   "ALTER",  "CREATE", "COLUMN",    "DATABASE", "DESCRIBE", "DROP",
                               "FROM",  "INSERT", "INTO",   "PRECISION", "SELECT",   "STABLE",   "STATE",
                               "START", "TABLE",  "TAGS",   "TIMESTAMP", "USING",    "VALUE",    "VALUES"};

std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

bool in_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

[[noreturn]] void syntax_error(std::string_view near) {
    throw SqlError{kSyntax, "syntax error near \"" + std::string{near.substr(0, 40)} + "\""};
}

// `at` is behind the opening quote; afterwards behind the closing one.
std::string text_literal(std::string_view sql, std::size_t& at, char quote) {
    const auto start = at;
    std::string text;
    for (;; ++at) {
        if (at >= sql.size()) syntax_error(sql.substr(start));
        const char c = sql[at];
        if (c == quote) break;
        // A control character in a text is written as an escape or is a mistake.
        if (static_cast<unsigned char>(c) < 0x20) syntax_error(sql.substr(start));
        if (c != '\\') {
            text += c;
            continue;
        }
        const char escaped = ++at < sql.size() ? sql[at] : '\0';
        switch (escaped) {
            case '\'':
            case '"':
            case '\\':
                text += escaped;
                break;
            case 'n':
                text += '\n';
                break;
            case 'r':
                text += '\r';
                break;
            case 't':
                text += '\t';
                break;
            case '%':
            case '_':
                text += '\\';
                text += escaped;
                break;
            // The server ignores the backslash; here it shows that somebody forgot to escape it.
            default:
                syntax_error(sql.substr(start));
        }
    }
    ++at;
    return text;
}

std::string number_literal(std::string_view sql, std::size_t& at) {
    const auto start = at;
    const auto digits = [&] {
        const auto from = at;
        while (at < sql.size() && std::isdigit(static_cast<unsigned char>(sql[at])) != 0) ++at;
        if (at == from) syntax_error(sql.substr(start));
    };
    if (sql[at] == '-' || sql[at] == '+') ++at;
    digits();
    if (at < sql.size() && sql[at] == '.') {
        ++at;
        digits();
    }
    if (at < sql.size() && (sql[at] == 'e' || sql[at] == 'E')) {
        ++at;
        if (at < sql.size() && (sql[at] == '-' || sql[at] == '+')) ++at;
        digits();
    }
    if (at < sql.size() && in_name(sql[at])) syntax_error(sql.substr(start));
    return std::string{sql.substr(start, at - start)};
}

}  // namespace

std::vector<Word> split_sql(std::string_view sql) {
    std::vector<Word> words;
    std::size_t at = 0;
    while (at < sql.size()) {
        const char c = sql[at];
        if (c == ' ' || c == '\n' || c == '\t') {
            ++at;
        } else if (c == '`') {
            const auto end = sql.find('`', at + 1);
            if (end == std::string_view::npos || end == at + 1) syntax_error(sql.substr(at));
            words.push_back({Word::Kind::kQuotedName, std::string{sql.substr(at + 1, end - at - 1)}});
            at = end + 1;
        } else if (c == '\'' || c == '"') {
            ++at;
            words.push_back({Word::Kind::kText, text_literal(sql, at, c)});
        } else if (std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+') {
            words.push_back({Word::Kind::kNumber, number_literal(sql, at)});
        } else if (in_name(c)) {
            const auto start = at;
            while (at < sql.size() && in_name(sql[at])) ++at;
            words.push_back({Word::Kind::kName, std::string{sql.substr(start, at - start)}});
        } else if (std::string_view{"(),.=;<>"}.find(c) != std::string_view::npos) {
            words.push_back({Word::Kind::kMark, std::string{c}});
            ++at;
        } else {
            syntax_error(sql.substr(at));
        }
    }
    words.emplace_back();
    return words;
}

void Words::refuse() const {
    syntax_error(next().text);
}

bool Words::take_if(std::string_view keyword_or_mark) {
    const auto& word = next();
    const bool same = (word.kind == Word::Kind::kMark && word.text == keyword_or_mark) ||
                      (word.kind == Word::Kind::kName && upper(word.text) == keyword_or_mark);
    if (same) ++at_;
    return same;
}

void Words::expect(std::string_view keyword_or_mark) {
    if (!take_if(keyword_or_mark)) refuse();
}

std::string Words::name(std::size_t longest) {
    auto word = next();
    if (word.kind == Word::Kind::kName) {
        if (std::find(kReserved.begin(), kReserved.end(), upper(word.text)) != kReserved.end()) refuse();
        std::transform(word.text.begin(), word.text.end(), word.text.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    } else if (word.kind != Word::Kind::kQuotedName) {
        refuse();
    }
    if (word.text.size() > longest || word.text.find('.') != std::string::npos) {
        throw SqlError{kInvalidIdentifier, "Invalid identifier name: " + word.text};
    }
    ++at_;
    return word.text;
}

void Words::expect_end() {
    take_if(";");
    if (next().kind != Word::Kind::kEnd) refuse();
}

}  // namespace fieldwarden::tdengine_stand_in
