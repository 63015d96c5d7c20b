#include "supervisor/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "supervisor/cli/text.h"

namespace fieldwarden::supervisor::cli {

namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // a shrinking column is not cut below this

std::string_view code_of(Style style) {
    switch (style) {
        case Style::kPlain:
            return {};
        case Style::kGood:
            return "32";
        case Style::kWarning:
            return "33";
        case Style::kBad:
            return "31";
        case Style::kDim:
            return "2";
        case Style::kBold:
            return "1";
    }
    return {};
}

}  // namespace

std::string styled(std::string text, Style style, bool colour) {
    if (!colour || style == Style::kPlain || text.empty()) return text;
    return fmt::format("\x1b[{}m{}\x1b[0m", code_of(style), text);
}

void Table::add(std::vector<Cell> cells) {
    assert(cells.size() <= columns_.size());
    cells.resize(columns_.size());
    for (auto& cell : cells) cell.text = printable(cell.text);
    rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::widths(std::optional<std::size_t> width) const {
    std::vector<std::size_t> wide;
    std::size_t total = 0;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t widest = display_width(columns_[i].title);
        for (const auto& row : rows_) widest = std::max(widest, display_width(row[i].text));
        wide.push_back(widest);
        total += widest + (i == 0 ? 0 : kGap);
    }
    // The widest of the columns that may shrink gives way first.
    while (width && total > *width) {
        std::size_t* widest = nullptr;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!columns_[i].shrinks || wide[i] <= kNarrowest) continue;
            if (widest == nullptr || wide[i] > *widest) widest = &wide[i];
        }
        if (widest == nullptr) break;
        --*widest;
        --total;
    }
    return wide;
}

std::vector<std::string> Table::lines(std::optional<std::size_t> width, bool colour) const {
    const auto wide = widths(width);
    const auto put = [&](std::string& line, std::size_t i, const std::string& text, Style style) {
        if (i > 0) line.append(kGap, ' ');
        const auto shown = cut_to_width(text, wide[i]);
        const std::string padding(wide[i] - display_width(shown), ' ');
        if (columns_[i].right) line += padding;
        line += styled(shown, style, colour);
        // Nothing after the last column: trailing blanks wrap on narrow terminals.
        if (!columns_[i].right && i + 1 < columns_.size()) line += padding;
    };
    std::vector<std::string> out;
    std::string heading;
    for (std::size_t i = 0; i < columns_.size(); ++i) put(heading, i, columns_[i].title, Style::kBold);
    out.push_back(std::move(heading));
    for (const auto& row : rows_) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) put(line, i, row[i].text, row[i].style);
        out.push_back(std::move(line));
    }
    return out;
}

std::string Table::render(std::optional<std::size_t> width, bool colour) const {
    std::string text;
    for (const auto& line : lines(width, colour)) {
        text += line;
        text += '\n';
    }
    return text;
}

}  // namespace fieldwarden::supervisor::cli
